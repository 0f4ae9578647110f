"""The contract of a posterior, and the ways to take a code from one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.errors import UnsupportedError
from isthmus.registry import RECIPES, Part, Registry

POSTERIORS = Registry("posterior")
ENCODE_MODES = Registry("encode mode")


class Posterior(Part, nn.Module, ABC):
    """q(z|x) from an encoder's features.

    Attributes:
        has_density: q can tell log q(z|x); point masses and quantised codes cannot.
        has_mode: q has a mode, so that `argmax` has an answer.
        latent_shape: The event shape Z.
    """

    has_density: ClassVar[bool]
    has_mode: ClassVar[bool]
    latent_shape: tuple[int, ...]

    @abstractmethod
    def forward(self, h: Tensor) -> Distribution:
        """Features (B, H) -> q(z|x), batch (B,), event Z."""


def code(posterior: Posterior, q: Distribution, mode: str) -> Tensor:
    """A code (B, *Z) from q by the mode "mean", "sample" or "argmax".

    Raises:
        UnknownNameError: There is no such mode.
        UnsupportedError: This posterior has no such code; nothing falls back in silence.
    """
    chosen: Tensor = ENCODE_MODES[mode].factory(posterior, q)
    return chosen


@ENCODE_MODES.register("mean")
def mean(_: Posterior, q: Distribution) -> Tensor:
    """The posterior's mean: deterministic."""
    return q.mean


@ENCODE_MODES.register("sample")
def sample(_: Posterior, q: Distribution) -> Tensor:
    """One draw from the posterior: the only mode that uses chance."""
    return q.sample()


@ENCODE_MODES.register("argmax")
def argmax(posterior: Posterior, q: Distribution) -> Tensor:
    """The posterior's mode: deterministic, refused where it has no density or no mode."""
    if posterior.has_mode and posterior.has_density:
        return q.mode
    lacks = "mode" if posterior.has_density else "density"
    able = sorted(entry.name for entry in RECIPES if entry.about.get("argmax"))
    raise UnsupportedError(
        "mode 'argmax' asks for the mode of q(z|x), and the posterior "
        f"{type(posterior).__name__} has no "
        f"{lacks}: use mode='mean', or a recipe whose posterior has a mode ({', '.join(able)})."
    )
