"""What is compared: learned models and classical methods behind one face."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.baselines import BASELINES, Baseline, CanSample, HasDensity, HasPosterior
from isthmus.data import Resident, Scaling
from isthmus.evaluation.units import Floats, as_floats
from isthmus.evidence import Evidence
from isthmus.fitting import Run
from isthmus.posteriors import DiscretePosterior

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
    """

    log_likelihood: Callable[[Floats], Floats]
    rate: Callable[[Floats], Floats]
    distortion: Callable[[Floats], Floats]
    rate_per_dimension: Callable[[Floats], Floats] | None = None


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
    device = next(model.parameters()).device
    dense = model.posterior.has_density
    modes = DRAW_MODES[run.spec.support]

    def tensor(x: Floats) -> Tensor:
        return torch.as_tensor(x, dtype=torch.get_default_dtype(), device=device)

    def draw(n: int, seed: int) -> Floats:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return as_floats(model.sample(n, modes[0] if dense else modes[1]))

    def seeded(answer: Callable[[Tensor], Tensor]) -> Callable[[Floats], Floats]:
        def ask(x: Floats) -> Floats:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                torch.manual_seed(0)
                return as_floats(answer(tensor(x)))

        return ask

    def parts(of: Callable[[Evidence], Tensor], x: Tensor) -> Tensor:
        return torch.cat([of(model.evidence(part, ELBO_SAMPLES)) for part in x.split(256)])

    shift = float(model.scaling.log_det())
    density = Density(
        log_likelihood=seeded(lambda x: model.log_likelihood(x, samples)),
        rate=seeded(lambda x: parts(lambda e: e.rate, x)),
        distortion=seeded(lambda x: parts(lambda e: e.distortion.mean(0), x) + shift),
        rate_per_dimension=seeded(lambda x: parts(lambda e: e.rate_per_dimension, x).mean(0)),
    )
    return Candidate(
        name=run.recipe,
        family="learned",
        latent_dim=math.prod(model.latent_shape),
        parameters=sum(p.numel() for p in model.parameters()),
        seconds=run.history[-1]["seconds"] if run.history else 0.0,
        encode=lambda x: as_floats(model.encode(tensor(x))).reshape(len(x), -1),
        decode=lambda z: as_floats(model.decode(tensor(z).unflatten(1, model.latent_shape))),
        draw=draw,
        density=density if dense else None,
        why_no_density=""
        if dense
        else f"{run.recipe} has no density: its code is a point, not a distribution",
        history=curves(run),
        code_bits=model.posterior.code_bits
        if isinstance(model.posterior, DiscretePosterior)
        else None,
        notes=list(run.notes),
    )


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
    shape = training.spec.shape

    def scaled(x: Floats) -> Floats:
        return as_floats(scaling(torch.as_tensor(x))).reshape(len(x), -1)

    def unscaled(u: Floats) -> Floats:
        return as_floats(scaling.inverse(torch.as_tensor(u.reshape(len(u), *shape))))

    rows = scaled(as_floats(torch.cat([batch.x for batch in training.chunks(4096)])))
    start = time.perf_counter()
    baseline: Baseline = BASELINES.create(name, latent_dim=latent_dim)
    baseline.fit(rows)
    seconds = time.perf_counter() - start
    codes = baseline.encode(rows)

    def draw(n: int, seed: int) -> Floats:
        noisy = (
            not isinstance(baseline, HasPosterior) or DRAW_MODES[training.spec.support][0] == SAMPLE
        )
        if isinstance(baseline, CanSample) and noisy:
            return unscaled(baseline.sample(n, seed))
        # As for learned models without a prior: a Gaussian of the codes, decoded without noise.
        covariance = np.atleast_2d(np.cov(codes, rowvar=False))
        drawn = np.random.default_rng(seed).multivariate_normal(
            codes.mean(0), covariance, n, method="eigh"
        )
        return unscaled(baseline.decode(drawn))

    density = None
    if isinstance(baseline, HasDensity) and isinstance(baseline, HasPosterior):
        shift = float(scaling.log_det())
        likelihood, linear = baseline.log_likelihood, baseline
        density = Density(
            log_likelihood=lambda x: likelihood(scaled(x)) - shift,
            rate=lambda x: linear.rate(scaled(x)),
            distortion=lambda x: linear.distortion(scaled(x)) + shift,
        )
    return Candidate(
        name=name,
        family="baseline",
        latent_dim=baseline.latent_dim,
        parameters=baseline.n_parameters,
        seconds=seconds,
        encode=lambda x: baseline.encode(scaled(x)),
        decode=lambda z: unscaled(baseline.decode(z)),
        draw=draw,
        density=density,
        why_no_density="" if density else f"{name} has no density",
        notes=list(baseline.notes),
    )
