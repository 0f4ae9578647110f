"""What is compared: learned models and classical methods behind one face."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.baselines import BASELINES, Baseline, CanSample, HasDensity, HasPosterior
from isthmus.conditions import needs_condition, parts
from isthmus.data import Resident, Scaling
from isthmus.evaluation.candidate import Answer, Candidate, Density, Importance
from isthmus.evaluation.units import Floats, as_floats
from isthmus.evidence import Evidence
from isthmus.fitting import Run
from isthmus.model import LatentModel
from isthmus.posteriors import DiscretePosterior
from isthmus.recipes import recipe_options
from isthmus.registry import RECIPES
from isthmus.training.devices import own_random_state

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
    given = (
        tuple(column.name for column in run.spec.condition) or ("a condition",)
        if needs_condition(model)
        else ()
    )
    names = ", ".join(given)
    told = f"It is told {names} of each datum, also of samples: its NLL is of x given {names}."
    return Candidate(
        name=run.recipe,
        family="learned",
        latent_dim=math.prod(
            model.posterior.code_shape
            if isinstance(model.posterior, DiscretePosterior)
            else model.latent_shape
        ),
        parameters=sum(p.numel() for p in model.parameters()),
        seconds=run.history[-1]["seconds"] if run.history else 0.0,
        encode=asked.encode,
        decode=asked.decode,
        draw=asked.draw,
        density=asked.density() if dense else None,
        why_no_density="" if dense else why_not,
        history=curves(run),
        kept_step=run.kept_step,
        code_bits=model.posterior.code_bits
        if isinstance(model.posterior, DiscretePosterior)
        else None,
        model=model,
        options=(recipe_options(run.recipe) if run.recipe in RECIPES else {}) | run.options,
        given=given,
        notes=[*run.notes, *([told] if given else [])],
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

    def encode(self, x: Floats, condition: Floats | None = None, /) -> Floats:
        """Codes (N, Z) of x (N, *D), laid flat."""
        codes = self.model.encode(self._tensor(x), condition=self._given(condition))
        return as_floats(codes).reshape(len(x), -1)

    def decode(self, z: Floats, condition: Floats | None = None, /) -> Floats:
        """Data (N, *D) from codes (N, Z)."""
        codes = self._tensor(z).unflatten(1, self.model.latent_shape)
        return as_floats(self.model.decode(codes, condition=self._given(condition)))

    def draw(self, n: int, seed: int, condition: Floats | None) -> Floats:
        """`n` new data (n, *D)."""
        with self._chance(seed):
            given = self._given(condition)
            return as_floats(self.model.sample(n, self.draw_mode, condition=given))

    def density(self) -> Density:
        """What it says of how probable data are; its posterior has a density."""
        shift = float(self.model.scaling.log_det())
        return Density(
            log_likelihood=lambda x, c=None, /: self._importance(x, c).log_likelihood,
            rate=self._seeded(lambda x, c: self._read(lambda e: e.rate, x, c, decoded=False)),
            distortion=self._seeded(
                lambda x, c: self._read(lambda e: e.distortion.mean(0), x, c) + shift
            ),
            rate_per_dimension=self._seeded(
                lambda x, c: self._read(lambda e: e.rate_per_dimension, x, c, decoded=False).mean(0)
            ),
            importance=self._importance,
            samples=self.samples,
            is_mass=self.model.likelihood.is_mass,
        )

    def _importance(self, x: Floats, condition: Floats | None) -> Importance:
        with self._chance(0):
            given = self._given(condition)
            found = self.model.importance(self._tensor(x), self.samples, condition=given)
        return Importance(*(as_floats(part) for part in found))

    def _tensor(self, x: Floats) -> Tensor:
        return tensor_for(self.model, x)

    def _given(self, condition: Floats | None) -> Tensor | None:
        return None if condition is None else self._tensor(condition)

    def _chance(self, seed: int) -> AbstractContextManager[None]:
        return own_random_state(next(self.model.parameters()).device, seed)

    def _seeded(self, answer: Callable[[Tensor, Tensor | None], Tensor]) -> Answer:
        def ask(x: Floats, condition: Floats | None = None, /) -> Floats:
            with self._chance(0), torch.no_grad():
                return as_floats(answer(self._tensor(x), self._given(condition)))

        return ask

    def _read(
        self,
        of: Callable[[Evidence], Tensor],
        x: Tensor,
        condition: Tensor | None,
        *,
        decoded: bool = True,
    ) -> Tensor:
        said = (
            self.model.evidence(part, ELBO_SAMPLES, condition=given, decoded=decoded)
            for part, given in parts(x, condition, 256)
        )
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
        encode=lambda x, _=None, /: baseline.encode(asked.scaled(x)),
        decode=lambda z, _=None, /: asked.unscaled(baseline.decode(z)),
        draw=asked.drawing(codes, noisy),
        density=density,
        why_no_density="" if density else f"{name} has no density",
        posterior=asked.posterior(),
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

    def drawing(self, codes: Floats, noisy: bool) -> Callable[[int, int, Floats | None], Floats]:
        """How new data are drawn: by its own samples, where noise is wanted and it has such.

        Else, as for learned models without a prior, from a Gaussian of the training codes (N, Z),
        decoded without noise.
        """
        baseline = self.baseline
        if isinstance(baseline, CanSample) and noisy:
            sample = baseline.sample
            return lambda n, seed, _: self.unscaled(sample(n, seed))

        def draw(n: int, seed: int, _: Floats | None) -> Floats:
            covariance = np.atleast_2d(np.cov(codes, rowvar=False))
            drawn = np.random.default_rng(seed).multivariate_normal(
                codes.mean(0), covariance, n, method="eigh"
            )
            return self.unscaled(baseline.decode(drawn))

        return draw

    def posterior(self) -> Callable[[Floats], tuple[Floats, Floats]] | None:
        """Its p(z|x), or None where it is no linear-Gaussian model."""
        baseline = self.baseline
        if not isinstance(baseline, HasPosterior):
            return None
        return lambda x: baseline.posterior(self.scaled(x))

    def density(self) -> Density | None:
        """What it says of how probable data are, or None where it has no density."""
        linear = self.baseline
        if not (isinstance(linear, HasDensity) and isinstance(linear, HasPosterior)):
            return None
        shift = float(self.scaling.log_det())
        likelihood, rate, distortion = linear.log_likelihood, linear.rate, linear.distortion
        return Density(
            log_likelihood=lambda x, _=None, /: likelihood(self.scaled(x)) - shift,
            rate=lambda x, _=None, /: rate(self.scaled(x)),
            distortion=lambda x, _=None, /: distortion(self.scaled(x)) + shift,
        )
