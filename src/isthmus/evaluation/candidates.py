"""What is compared: learned models and classical methods behind one face."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.baselines import BASELINES, Baseline, CanSample, HasDensity, HasPosterior
from isthmus.data import Resident, Scaling
from isthmus.evaluation.units import Floats, as_floats
from isthmus.evidence import Evidence
from isthmus.fitting import Run
from isthmus.model import LatentModel
from isthmus.posteriors import DiscretePosterior
from isthmus.recipes import recipe_options
from isthmus.registry import RECIPES

# Draws of z per datum for the ELBO's distortion.
ELBO_SAMPLES = 16
# How new data are taken from p(x|z) by support, with a density and without. Data on the real line
# and whole numbers are drawn, noise and all; a model without a density knows no noise. Greys are
# shown by their mean, as is usual.
SAMPLE = "sample"
DRAW_MODES = {
    "real": ("sample", "mean"),
    "unit": ("mean", "mean"),
    "binary": ("sample", "sample"),
    "count": ("sample", "sample"),
    "category": ("sample", "sample"),
}


class Importance(NamedTuple):
    """Log p(x) (N,) in nats by importance sampling, its standard errors and effective samples."""

    log_likelihood: Floats
    error: Floats
    effective: Floats


@final
@dataclass(frozen=True)
class Density:
    """What a model with a density says of data, per datum and in nats, in the units of the
    comparison.

    Args:
        log_likelihood: x -> log p(x).
        rate: x -> KL(q(z|x) ‖ p(z)).
        distortion: x -> E_q[−log p(x|z)].
        rate_per_dimension: x -> the mean rate of each latent dimension (Z,), or None where it does
            not split.
        importance: x -> log p(x) with its standard error and effective sample size, or None where
            log p(x) is exact.
        samples: Importance samples for log p(x); 0 where it is exact.
    """

    log_likelihood: Callable[[Floats], Floats]
    rate: Callable[[Floats], Floats]
    distortion: Callable[[Floats], Floats]
    rate_per_dimension: Callable[[Floats], Floats] | None = None
    importance: Callable[[Floats], Importance] | None = None
    samples: int = 0


@final
@dataclass
class Candidate:
    """One trained model or classical method.

    Args:
        name: Of the recipe or baseline.
        family: "learned" or "baseline".
        latent_dim: Z.
        parameters: Learned numbers.
        seconds: Of training.
        encode: x (N, *D) -> codes (N, Z).
        decode: codes (N, Z) -> x (N, *D).
        draw: (n, seed) -> n new data (n, *D).
        density: None where the model has none; `why_no_density` then says why.
        history: (n, 3) step, training loss and held-out loss; NaN where one was not read.
        code_bits: What a code of integers costs, each as likely as any other; None where the code
            is made of real numbers.
        model: The learned model itself; None for a baseline.
        options: Of the recipe, its defaults included.
        notes: What was handled on the way.
    """

    name: str
    family: str
    latent_dim: int
    parameters: int
    seconds: float
    encode: Callable[[Floats], Floats]
    decode: Callable[[Floats], Floats]
    draw: Callable[[int, int], Floats]
    density: Density | None = None
    why_no_density: str = ""
    history: NDArray[np.float64] | None = None
    code_bits: float | None = None
    model: LatentModel | None = None
    options: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def code_bytes(self) -> int:
        """Bytes of one code: its numbers as float32, or the bits of its integers."""
        if self.code_bits is None:
            return 4 * self.latent_dim
        return math.ceil(self.code_bits / 8.0)


def learned(run: Run, samples: int) -> Candidate:
    """A trained run as a candidate.

    Args:
        run: From `fit`.
        samples: Importance samples for log p(x).
    """
    model = run.model
    dense = model.posterior.has_density
    asked = ModelInArrays(model, samples, DRAW_MODES[run.spec.support][0 if dense else 1])
    why_not = f"{run.recipe} has no density: its code is a point, not a distribution"
    return Candidate(
        name=run.recipe,
        family="learned",
        latent_dim=math.prod(model.latent_shape),
        parameters=sum(p.numel() for p in model.parameters()),
        seconds=run.history[-1]["seconds"] if run.history else 0.0,
        encode=asked.encode,
        decode=asked.decode,
        draw=asked.draw,
        density=asked.density() if dense else None,
        why_no_density="" if dense else why_not,
        history=curves(run),
        code_bits=model.posterior.code_bits
        if isinstance(model.posterior, DiscretePosterior)
        else None,
        model=model,
        options=(recipe_options(run.recipe) if run.recipe in RECIPES else {}) | run.options,
        notes=list(run.notes),
    )


@final
@dataclass(frozen=True, eq=False)
class ModelInArrays:
    """A trained model that is asked and answers in arrays; a question has one answer.

    Args:
        model: On any device.
        samples: Importance samples for log p(x).
        draw_mode: What is taken of p(x|z) for new data.
    """

    model: LatentModel
    samples: int
    draw_mode: str

    def encode(self, x: Floats) -> Floats:
        """Codes (N, Z) of x (N, *D), laid flat."""
        return as_floats(self.model.encode(self._tensor(x))).reshape(len(x), -1)

    def decode(self, z: Floats) -> Floats:
        """Data (N, *D) from codes (N, Z)."""
        codes = self._tensor(z).unflatten(1, self.model.latent_shape)
        return as_floats(self.model.decode(codes))

    def draw(self, n: int, seed: int) -> Floats:
        """`n` new data (n, *D)."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return as_floats(self.model.sample(n, self.draw_mode))

    def density(self) -> Density:
        """What it says of how probable data are; its posterior has a density."""
        shift = float(self.model.scaling.log_det())
        return Density(
            log_likelihood=lambda x: self._importance(x).log_likelihood,
            rate=self._seeded(lambda x: self._read(lambda e: e.rate, x, decoded=False)),
            distortion=self._seeded(
                lambda x: self._read(lambda e: e.distortion.mean(0), x) + shift
            ),
            rate_per_dimension=self._seeded(
                lambda x: self._read(lambda e: e.rate_per_dimension, x, decoded=False).mean(0)
            ),
            importance=self._importance,
            samples=self.samples,
        )

    def _importance(self, x: Floats) -> Importance:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            found = self.model.importance(self._tensor(x), self.samples)
        return Importance(*(as_floats(part) for part in found))

    def _tensor(self, x: Floats) -> Tensor:
        return tensor_for(self.model, x)

    def _seeded(self, answer: Callable[[Tensor], Tensor]) -> Callable[[Floats], Floats]:
        def ask(x: Floats) -> Floats:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                torch.manual_seed(0)
                return as_floats(answer(self._tensor(x)))

        return ask

    def _read(self, of: Callable[[Evidence], Tensor], x: Tensor, *, decoded: bool = True) -> Tensor:
        said = (self.model.evidence(x, ELBO_SAMPLES, decoded=decoded) for x in x.split(256))
        return torch.cat([of(evidence) for evidence in said])


def tensor_for(model: LatentModel, x: Floats) -> Tensor:
    """An array as the model takes it: floats on its device."""
    device = next(model.parameters()).device
    return torch.as_tensor(x, dtype=torch.get_default_dtype(), device=device)


def curves(run: Run) -> NDArray[np.float64]:
    """(n, 3) step, training loss, held-out loss of a run."""
    keys = ("step", "train/loss", "validation/loss")
    return np.array([[r.get(key, math.nan) for key in keys] for r in run.history]).reshape(-1, 3)


def classical(name: str, latent_dim: int, training: Resident, scaling: Scaling) -> Candidate:
    """A baseline fitted to the same training data, in the same scaled units as the learned models.

    Args:
        name: Of the baseline.
        latent_dim: Z; fewer where the data allow fewer.
        training: The data to learn from.
        scaling: Fitted to the training data.
    """
    baseline: Baseline = BASELINES.create(name, latent_dim=latent_dim)
    asked = BaselineInUnits(baseline, scaling, tuple(training.spec.shape))
    rows = asked.scaled(as_floats(torch.cat([batch.x for batch in training.chunks(4096)])))
    start = time.perf_counter()
    baseline.fit(rows)
    seconds = time.perf_counter() - start
    codes = baseline.encode(rows)
    noisy = not isinstance(baseline, HasPosterior) or DRAW_MODES[training.spec.support][0] == SAMPLE
    density = asked.density()
    return Candidate(
        name=name,
        family="baseline",
        latent_dim=baseline.latent_dim,
        parameters=baseline.n_parameters,
        seconds=seconds,
        encode=lambda x: baseline.encode(asked.scaled(x)),
        decode=lambda z: asked.unscaled(baseline.decode(z)),
        draw=asked.drawing(codes, noisy),
        density=density,
        why_no_density="" if density else f"{name} has no density",
        notes=list(baseline.notes),
    )


@final
@dataclass(frozen=True)
class BaselineInUnits:
    """A baseline of flat rows in scaled units, asked in the data's own shape and units.

    Args:
        baseline: Fitted or not yet.
        scaling: Between the two units.
        shape: D.
    """

    baseline: Baseline
    scaling: Scaling
    shape: tuple[int, ...]

    def scaled(self, x: Floats) -> Floats:
        """Data (N, *D) as the baseline's rows."""
        return as_floats(self.scaling(torch.as_tensor(x))).reshape(len(x), -1)

    def unscaled(self, u: Floats) -> Floats:
        """The baseline's rows as data (N, *D)."""
        rows = torch.as_tensor(u.reshape(len(u), *self.shape))
        return as_floats(self.scaling.inverse(rows))

    def drawing(self, codes: Floats, noisy: bool) -> Callable[[int, int], Floats]:
        """How new data are drawn: by its own samples, where noise is wanted and it has such.

        Else, as for learned models without a prior, from a Gaussian of the training codes (N, Z),
        decoded without noise.
        """
        baseline = self.baseline
        if isinstance(baseline, CanSample) and noisy:
            sample = baseline.sample
            return lambda n, seed: self.unscaled(sample(n, seed))

        def draw(n: int, seed: int) -> Floats:
            covariance = np.atleast_2d(np.cov(codes, rowvar=False))
            drawn = np.random.default_rng(seed).multivariate_normal(
                codes.mean(0), covariance, n, method="eigh"
            )
            return self.unscaled(baseline.decode(drawn))

        return draw

    def density(self) -> Density | None:
        """What it says of how probable data are, or None where it has no density."""
        linear = self.baseline
        if not (isinstance(linear, HasDensity) and isinstance(linear, HasPosterior)):
            return None
        shift = float(self.scaling.log_det())
        likelihood, rate, distortion = linear.log_likelihood, linear.rate, linear.distortion
        return Density(
            log_likelihood=lambda x: likelihood(self.scaled(x)) - shift,
            rate=lambda x: rate(self.scaled(x)),
            distortion=lambda x: distortion(self.scaled(x)) + shift,
        )
