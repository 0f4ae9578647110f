"""The contract of a posterior, and the ways to take a code from one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.errors import UnsupportedError
from isthmus.registry import RECIPES, Part, Pick, Registry

POSTERIORS = Registry("posterior")
ENCODE_MODES = Registry("encode mode")

# Recipes that a refusal names, the oldest first.
NAMED = 8


class Posterior(Part, nn.Module, ABC):
    """q(z|x) from an encoder's features.

    Attributes:
        has_density: q can tell log q(z|x); point masses and quantised codes cannot.
        has_mode: q has a mode, so that `argmax` has an answer.
        factorised: q's elements are independent given x, and q is an `EventDistribution`: it can be
            taken apart by latent dimension.
        has_probabilities: z is one-hot, wholly or in part, so that `softmax` has an answer.
        joint_density: log q(z|x) is that of z and of what was drawn beside it: a weight of q's own
            draws, and no function of z alone.
        latent_shape: The event shape Z.
        space: Where codes live: "real", "sphere", "ball", "simplex", "codes"; the prior's must be
            the same.
        chart: The decoder that another one stands behind, so that it reads such codes in units in
            which the space's usual prior has mean 0 and unit spread; None where it has already.
    """

    has_density: ClassVar[bool]
    has_mode: ClassVar[bool]
    has_probabilities: ClassVar[bool] = False
    factorised: ClassVar[bool] = False
    joint_density: ClassVar[bool] = False
    latent_shape: tuple[int, ...]
    space: str = "real"
    chart: Pick | None = None

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


class TopDownPosterior(Posterior, ABC):
    """A posterior that shares the prior's own way down: `forward` returns what the datum says."""

    @abstractmethod
    def meet(self, q: Distribution, p: Distribution) -> Distribution:
        """q(z|x).

        Args:
            q: What `forward` returned.
            p: The model's prior, which lives in this posterior's space.
        """


class ToldPosterior(Posterior, ABC):
    """A posterior that says more where it is told the condition, and does without it."""

    @abstractmethod
    def told(self, q: Distribution, condition: Tensor) -> Distribution:
        """q(z|x, c) from what `forward` returned and the condition (B, C)."""


class ClassifyingPosterior(Posterior, ABC):
    """A posterior of which a part says which of K classes a datum is of."""

    @abstractmethod
    def classes(self, q: Distribution) -> Tensor:
        """q(y|x) (B, K) for the q that `forward` or `told` returned.

        Raises:
            UnsupportedError: A datum has several classes at once.
        """


class DiscretePosterior(Posterior, ABC):
    """A posterior whose mode is made of integers, which stand for latents.

    Attributes:
        code_shape: Of the integers of one datum.
        n_codes: How many values an integer has.
        books: How many codebooks the integers along the last axis read from, one each; 1 where all
            read the same.
    """

    code_shape: tuple[int, ...]
    n_codes: int
    books: int = 1

    @property
    def code_bits(self) -> float:
        """Bits of one datum's integers, exactly, where every value is as likely as any other."""
        return math.prod(self.code_shape) * math.log2(self.n_codes)

    @abstractmethod
    def embed(self, indices: Tensor) -> Tensor:
        """Integers (N, *code_shape) -> latents (N, *Z), as the decoder reads them."""


def infer(posterior: Posterior, h: Tensor, condition: Tensor | None) -> Distribution:
    """q(z|x) from features (B, H), told the condition (B, C) where there is one and it listens."""
    q: Distribution = posterior(h)
    if condition is not None and isinstance(posterior, ToldPosterior):
        return posterior.told(q, condition)
    return q


def code(posterior: Posterior, q: Distribution, mode: str) -> Tensor:
    """A code (B, *Z) from q by the mode "mean", "sample" or "argmax".

    Raises:
        UnknownNameError: There is no such mode.
        UnsupportedError: This posterior has no such code; nothing falls back in silence.
    """
    chosen: Tensor = ENCODE_MODES[mode].factory(posterior, q)
    return chosen


def gives_integers(posterior: Posterior, mode: str) -> bool:
    """Whether codes that `mode` takes are the integers of a discrete posterior."""
    asked = bool(ENCODE_MODES[mode].about.get("integers"))
    return asked and isinstance(posterior, DiscretePosterior)


def code_shape(posterior: Posterior, mode: str) -> tuple[int, ...]:
    """The shape of one code that `mode` takes: Z, or that of a discrete posterior's integers."""
    if isinstance(posterior, DiscretePosterior) and gives_integers(posterior, mode):
        return posterior.code_shape
    return posterior.latent_shape


@ENCODE_MODES.register("mean")
def mean(_: Posterior, q: Distribution) -> Tensor:
    """The posterior's mean: deterministic."""
    return q.mean


@ENCODE_MODES.register("sample")
def sample(_: Posterior, q: Distribution) -> Tensor:
    """One draw from the posterior: the only mode that uses chance."""
    return q.sample()


@ENCODE_MODES.register("softmax")
def softmax(posterior: Posterior, q: Distribution) -> Tensor:
    """The probabilities of a categorical code, in place of its one-hot vectors: deterministic.

    Raises:
        UnsupportedError: This posterior has no probabilities.
    """
    if posterior.has_probabilities:
        return q.mean
    raise UnsupportedError(
        "mode 'softmax' asks for the probabilities of a categorical code, and the posterior "
        f"{type(posterior).__name__} has none: use mode='mean', or a recipe with categories "
        "(categorical-vae, joint-vae)."
    )


@ENCODE_MODES.register("argmax", integers=True)
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
