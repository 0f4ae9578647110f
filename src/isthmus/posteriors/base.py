"""The contract of a posterior, and the ways to take a code from one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.errors import UnsupportedError
from isthmus.registry import RECIPES, Part, Registry

POSTERIORS = Registry("posterior")
ENCODE_MODES = Registry("encode mode")

# Recipes that a refusal names, the oldest first.
NAMED = 8


class Posterior(Part, nn.Module, ABC):
    """q(z|x) from an encoder's features.

    Attributes:
        has_density: q can tell log q(z|x); point masses and quantised codes cannot.
        has_mode: q has a mode, so that `argmax` has an answer.
        latent_shape: The event shape Z.
        space: Where codes live: "real", "sphere", "ball", "simplex", "codes"; the prior's must be
            the same.
    """

    has_density: ClassVar[bool]
    has_mode: ClassVar[bool]
    latent_shape: tuple[int, ...]
    space: str = "real"

    @abstractmethod
    def forward(self, h: Tensor) -> Distribution:
        """Features (B, H) -> q(z|x), batch (B,), event Z."""


class PenalisedPosterior(Posterior, ABC):
    """A posterior with terms of its own to be minimised, such as a codebook's commitment."""

    @abstractmethod
    def penalties(self, q: Distribution) -> dict[str, Tensor]:
        """Named per-datum terms (B,) for the q that `forward` returned."""


class RefinedPosterior(Posterior, ABC):
    """A posterior that starts from the encoder's and moves towards the model's own."""

    @abstractmethod
    def refine(self, q: Distribution, log_joint: Callable[[Tensor], Tensor]) -> Distribution:
        """A better q.

        Args:
            q: What `forward` returned.
            log_joint: z (S, B, *Z) -> log p(x, z) (S, B), differentiable in z.
        """


class DiscretePosterior(Posterior, ABC):
    """A posterior whose mode is made of integers, which stand for latents.

    Attributes:
        code_shape: Of the integers of one datum.
        n_codes: How many values an integer has.
    """

    code_shape: tuple[int, ...]
    n_codes: int

    @abstractmethod
    def embed(self, indices: Tensor) -> Tensor:
        """Integers (N, *code_shape) -> latents (N, *Z), as the decoder reads them."""


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
    """The posterior's mode: deterministic, integers of a discrete code; refused if it has none."""
    if posterior.has_mode:
        return q.mode
    lacks = "mode" if posterior.has_density else "density"
    able = sorted((e.about["year"], e.name) for e in RECIPES if e.about.get("argmax"))
    named = ", ".join(name for _, name in able[:NAMED])
    more = f" and {len(able) - NAMED} more" if len(able) > NAMED else ""
    raise UnsupportedError(
        "mode 'argmax' asks for the mode of q(z|x), and the posterior "
        f"{type(posterior).__name__} has no "
        f"{lacks}: use mode='mean', or a recipe whose posterior has a mode ({named}{more})."
    )
