"""What a candidate is: the one face of learned models and classical methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, final

import numpy as np
from numpy.typing import NDArray

from isthmus.evaluation.units import Floats
from isthmus.model import LatentModel


class Answer(Protocol):
    """Rows in, a row or a number for each out; what rows are conditioned on comes beside them."""

    def __call__(self, x: Floats, condition: Floats | None = None, /) -> Floats:
        """What is said of x (N, *D), or of codes (N, Z), given (N, C)."""


class Importance(NamedTuple):
    """Log p(x) (N,) in nats by importance sampling, its standard errors and effective samples."""

    log_likelihood: Floats
    error: Floats
    effective: Floats


@final
@dataclass(frozen=True)
class Density:
    """What a model with a density says of data, per datum and in nats, in the units of the
    comparison; given their condition, for a conditional model.

    Args:
        log_likelihood: x -> log p(x).
        rate: x -> KL(q(z|x) ‖ p(z)).
        distortion: x -> E_q[−log p(x|z)].
        rate_per_dimension: x -> the mean rate of each latent dimension (Z,), or None where it does
            not split.
        importance: x -> log p(x) with its standard error and effective sample size, or None where
            log p(x) is exact.
        samples: Importance samples for log p(x); 0 where it is exact.
        is_mass: Whether it gives probabilities of the data themselves, which are whole values.
    """

    log_likelihood: Answer
    rate: Answer
    distortion: Answer
    rate_per_dimension: Answer | None = None
    importance: Callable[[Floats, Floats | None], Importance] | None = None
    samples: int = 0
    is_mass: bool = False


@final
@dataclass
class Candidate:
    """One trained model or classical method.

    Args:
        name: Of the recipe or baseline.
        family: "learned" or "baseline".
        latent_dim: Z, or the number of integers where a code is made of such.
        parameters: Learned numbers.
        seconds: Of training.
        encode: x (N, *D) -> codes (N, Z).
        decode: codes (N, Z) -> x (N, *D).
        draw: (n, seed) -> n new data (n, *D), or (n, seed, (n, C)) -> those of a condition.
        density: None where the model has none; `why_no_density` then says why.
        history: (n, 3) step, training loss and held-out loss; NaN where one was not read.
        kept_step: The step of training whose weights these are, where that is known.
        code_bits: What a code of integers costs, each as likely as any other; None where the code
            is made of real numbers.
        model: The learned model itself; None for a baseline.
        posterior: x (N, *D) -> mean (N, Z) and covariance (Z, Z) of p(z|x), for a baseline that is
            a linear-Gaussian model with the prior N(0, I).
        options: Of the recipe, its defaults included.
        given: What it must be told of a datum: the names of its condition.
        notes: What was handled on the way.
    """

    name: str
    family: str
    latent_dim: int
    parameters: int
    seconds: float
    encode: Answer
    decode: Answer
    draw: Callable[[int, int, Floats | None], Floats]
    density: Density | None = None
    why_no_density: str = ""
    history: NDArray[np.float64] | None = None
    kept_step: int | None = None
    code_bits: float | None = None
    model: LatentModel | None = None
    posterior: Callable[[Floats], tuple[Floats, Floats]] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def conditional(self) -> bool:
        """Whether it must be told what data are conditioned on."""
        return bool(self.given)

    @property
    def code_bytes(self) -> int:
        """Bytes of one code: its numbers as float32, or the bits of its integers."""
        if self.code_bits is None:
            return 4 * self.latent_dim
        return math.ceil(self.code_bits / 8.0)
