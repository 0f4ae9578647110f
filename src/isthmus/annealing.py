"""log p(x) by annealed importance sampling, and from both sides on data that the model made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.distributions import Distribution

from isthmus.answering import answering
from isthmus.conditions import for_each, parts
from isthmus.distributions import DiagonalNormal
from isthmus.errors import OptionError, UnsupportedError
from isthmus.importance import CHUNK_ELEMENTS, ON_A_GPU, ImportanceEstimate, of_log_weights
from isthmus.leapfrog import Path, Steps, temperatures, tuned
from isthmus.model import LatentModel
from isthmus.priors.latent_model import FittedModel, LatentModelPrior
from isthmus.registry import Registry

# Where a chain starts: what stands at the hot end of the path.
STARTS = Registry("start of annealing")
# Chains that find out how long the steps may be; they take no part in the estimate.
SCOUTS = 4
REAL = "real"
# Priors whose log density is a new estimate at every call.
NOISY_PRIORS = (LatentModelPrior, FittedModel)


@STARTS.register("posterior")
def _posterior(model: LatentModel, q: Distribution, p: Distribution) -> Distribution:
    """The model's own q(z|x): near the end already, so that few temperatures do."""
    if model.posterior.joint_density or not model.posterior.has_density:
        raise UnsupportedError(
            f"Annealing starts where log q(z|x) is a function of z, and that of "
            f"{type(model.posterior).__name__} is none: take start='prior'."
        )
    return q


@STARTS.register("prior")
def _prior(model: LatentModel, q: Distribution, p: Distribution) -> Distribution:
    """p(z): far, but it covers every mode, whatever the encoder missed."""
    return p


@final
@dataclass(frozen=True)
class Annealing:
    """How chains are annealed.

    Args:
        chains: S for each datum.
        steps: T, how many times the temperature moves: T − 1 distributions stand between the first
            and the last. At T = 1 it is importance sampling.
        leapfrogs: Steps of one Hamiltonian transition, of which there is one at each of the T − 1.
        start: "posterior" or "prior".

    Raises:
        OptionError: A number below 1.
        UnknownNameError: There is no such start.
    """

    chains: int = 16
    steps: int = 200
    leapfrogs: int = 5
    start: str = "posterior"

    def __post_init__(self) -> None:
        for name in ("chains", "steps", "leapfrogs"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name}={getattr(self, name)}: annealing needs at least 1.")
        STARTS[self.start]


@final
class Sandwich(NamedTuple):
    """Log p(x) of data that the model made, from below and from above, in nats.

    Args:
        x: (N, *D) the data, in their own units.
        lower: (N,) by chains forwards: each at most log p(x) in expectation.
        upper: (N,) by chains backwards from the very z that made x: at least log p(x).
    """

    x: Tensor
    lower: Tensor
    upper: Tensor

    @property
    def gap(self) -> Tensor:
        """(N,) how far they stand apart: a bound on the error of the lower one, on average."""
        return self.upper - self.lower


def annealed_log_likelihood(
    model: LatentModel,
    x: Tensor,
    annealing: Annealing | None = None,
    *,
    condition: Tensor | None = None,
) -> ImportanceEstimate:
    r"""Log p(x) in nats per datum by annealed importance sampling, a lower bound in expectation.

    Chains start at q(z|x) or p(z), a density f_0, and follow
    :math:`f_0(z)^{1-\beta} p(x, z)^\beta` along a sigmoid of T temperatures. At each of the T − 1
    in between they are moved by a Hamiltonian transition, preconditioned by the spreads of f_0
    and q(z|x). Its step lengths are found for each datum and temperature by a few chains run
    ahead and stay fixed thereafter, so that the mean weight is p(x) exactly. Memory is bounded.

    Args:
        model: Trained; codes in R^Z.
        x: (N, *D) in the data's units.
        annealing: How; the defaults where it is None.
        condition: (N, C), for a conditional model.

    Returns:
        (N,) densities in the data's units, with standard errors and effective numbers of chains.

    Raises:
        UnsupportedError: The codes do not live in R^Z, or a density is none of z alone.

    Reference:
        Neal, Annealed Importance Sampling, arXiv physics/9803008; Wu et al., On the Quantitative
        Analysis of Decoder-Based Generative Models, arXiv 1611.04273.
    """
    how = annealing or Annealing()
    refuse(model)
    found = []
    with answering(model):
        for part, given in parts(x, condition, _batch(model, how.chains, x.device)):
            path = _path(model, model.scaling(part), given, how.start)
            estimate = along(path, how, _room(model, x.device))
            log_p = estimate.log_likelihood - model.scaling.log_det(part)
            found.append(estimate._replace(log_likelihood=log_p))
    return ImportanceEstimate(*(torch.cat(field) for field in zip(*found, strict=True)))


def bdmc(
    model: LatentModel,
    n: int,
    annealing: Annealing | None = None,
    *,
    condition: Tensor | None = None,
) -> Sandwich:
    """Bidirectional Monte Carlo: log p(x) from both sides on `n` data drawn from the model.

    What made a drawn x is an exact sample from its posterior. Chains that go from there back to
    the start have weights whose inverse has the mean 1 / p(x): an upper bound in expectation. Where
    the two close, annealing with these settings can be trusted on data like the model's own.

    Args:
        model: Trained; codes in R^Z.
        n: Data to draw.
        annealing: How; the defaults where it is None.
        condition: (n, C) or (C,), for a conditional model.

    Raises:
        UnsupportedError: The codes do not live in R^Z, or a density is none of z alone.

    Reference:
        Grosse, Ghahramani & Adams, Sandwiching the Marginal Likelihood Using Bidirectional Monte
        Carlo, arXiv 1511.02543.
    """
    how = annealing or Annealing()
    refuse(model)
    device = next(model.parameters()).device
    xs, lower, upper = [], [], []
    with answering(model):
        rows = for_each(condition, n, device)
        for index in torch.arange(n, device=device).split(_batch(model, how.chains, device)):
            given = None if rows is None else rows[index]
            p = model.code_prior(given)
            z = p.sample() if p.batch_shape else p.sample(index.shape)
            u = model.generate(z[None], given).sample()[0]
            x = model.scaling.inverse(u)
            path = _path(model, model.scaling(x), given, how.start)
            steps = _scouted(path, how)
            portions = _portions(how.chains, _room(model, device))
            ahead = torch.cat([path.forwards(steps, chains) for chains in portions])
            back = torch.cat([path.backwards(steps, z.expand(c, *z.shape)) for c in portions])
            shift = model.scaling.log_det(x)
            xs.append(x)
            lower.append(of_log_weights(ahead).log_likelihood - shift)
            upper.append(-of_log_weights(-back).log_likelihood - shift)
    return Sandwich(torch.cat(xs), torch.cat(lower), torch.cat(upper))


def refuse(model: LatentModel) -> None:
    """Refuse what cannot be annealed.

    Raises:
        UnsupportedError: The codes do not live in R^Z, or the prior's density is an estimate.
    """
    if model.posterior.space != REAL or not model.posterior.has_density:
        raise UnsupportedError(
            f"Annealing moves codes through R^Z by gradients, and those of "
            f"{type(model.posterior).__name__} have no density there: use importance sampling, or "
            "a recipe such as vae."
        )
    if isinstance(model.prior, NOISY_PRIORS):
        raise UnsupportedError(
            f"Annealing needs log p(z) itself, and that of {type(model.prior).__name__} is an "
            "estimate: use importance sampling."
        )


def along(path: Path, annealing: Annealing, room: int) -> ImportanceEstimate:
    """Log ∫ f_1 in nats for the B data of a path, by chains from its start.

    Args:
        path: Of B data; its own start is taken.
        annealing: How.
        room: The most chains of one datum that are run at once.
    """
    steps = _scouted(path, annealing)
    portions = _portions(annealing.chains, room)
    return of_log_weights(torch.cat([path.forwards(steps, chains) for chains in portions]))


def _path(model: LatentModel, u: Tensor, condition: Tensor | None, start: str) -> Path:
    """From the start to p(x, z), for scaled x."""
    q = model.infer(u, condition)
    first = STARTS[start].factory(model, q, model.code_prior(condition))
    shape = (len(u), *model.latent_shape)

    def target(z: Tensor) -> Tensor:
        return model.log_joint(u, z, condition)

    def spread(of: Distribution) -> Tensor:
        """The standard deviations (B, *Z) of a normal; 1 for what does not know its own."""
        return (of.scale if isinstance(of, DiagonalNormal) else u.new_ones(())).expand(shape)

    return Path(first, target, len(u), spread(first), spread(q))


def _scouted(path: Path, how: Annealing) -> Steps:
    betas = temperatures(how.steps, path.spread)
    return tuned(path, betas, min(SCOUTS, how.chains), how.leapfrogs)


def _room(model: LatentModel, device: torch.device) -> int:
    """Decoder outputs that may be held at once."""
    elements = CHUNK_ELEMENTS if device.type == "cpu" else ON_A_GPU * CHUNK_ELEMENTS
    return max(1, elements // max(1, torch.Size(model.shape).numel()))


def _batch(model: LatentModel, chains: int, device: torch.device) -> int:
    room = _room(model, device)
    return max(1, room // min(chains, room))


def _portions(chains: int, room: int) -> list[int]:
    """The chains of one datum, by how many are run at once."""
    whole, rest = divmod(chains, room)
    return [room] * whole + [rest] * bool(rest)
