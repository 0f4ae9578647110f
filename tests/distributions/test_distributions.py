"""What every distribution must do: scipy's numbers, unit mass, moments, shapes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor

from isthmus.distributions import (
    Bernoulli,
    ContinuousBernoulli,
    Delta,
    DiagonalLaplace,
    DiagonalNormal,
    EventDistribution,
    NegativeBinomial,
    Poisson,
)
from isthmus.errors import UnsupportedError

S, B, D = 2, 3, (4, 5)


@dataclass(frozen=True)
class Case:
    """A distribution over D from raw numbers (S, B, *D), its scipy twin, and a range of values."""

    make: Callable[[Tensor], EventDistribution]
    log_prob: Callable[[Any, Any], Any]
    values: Callable[[], Tensor]
    limits: tuple[float, float] | None = None  # of the support, where it is an interval


SCALE = torch.tensor(0.7, dtype=torch.float64)
R = torch.linspace(0.2, 9.0, 20, dtype=torch.float64).reshape(D)


def _cb(x: Any, a: Any) -> Any:
    lower = np.exp(-np.abs(a))
    return a * x - np.maximum(a, 0) - np.log((1 - lower) / np.abs(a))


def _counts() -> Tensor:
    return torch.randint(0, 12, (B, *D)).double()


CASES = {
    "normal": Case(
        lambda t: DiagonalNormal(t, SCALE, 2),
        lambda x, t: stats.norm.logpdf(x, t, 0.7),
        lambda: torch.randn(B, *D, dtype=torch.float64),
        (-20.0, 20.0),
    ),
    "normal-elements": Case(
        lambda t: DiagonalNormal(t, R, 2),
        lambda x, t: stats.norm.logpdf(x, t, R.numpy()),
        lambda: torch.randn(B, *D, dtype=torch.float64),
    ),
    "normal-row": Case(
        lambda t: DiagonalNormal(t, R[:1], 2),
        lambda x, t: stats.norm.logpdf(x, t, R[:1].numpy()),
        lambda: torch.randn(B, *D, dtype=torch.float64),
    ),
    "normal-data": Case(
        lambda t: DiagonalNormal(t, t.exp(), 2),
        lambda x, t: stats.norm.logpdf(x, t, np.exp(t)),
        lambda: torch.randn(B, *D, dtype=torch.float64),
    ),
    "laplace": Case(
        lambda t: DiagonalLaplace(t, SCALE, 2),
        lambda x, t: stats.laplace.logpdf(x, t, 0.7),
        lambda: torch.randn(B, *D, dtype=torch.float64),
        (-40.0, 40.0),
    ),
    "laplace-elements": Case(
        lambda t: DiagonalLaplace(t, R, 2),
        lambda x, t: stats.laplace.logpdf(x, t, R.numpy()),
        lambda: torch.randn(B, *D, dtype=torch.float64),
    ),
    "bernoulli": Case(
        lambda t: Bernoulli(t, 2),
        lambda x, t: stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-t))),
        lambda: torch.randint(0, 2, (B, *D)).double(),
    ),
    "continuous-bernoulli": Case(
        lambda t: ContinuousBernoulli(t, 2),
        _cb,
        lambda: torch.rand(B, *D, dtype=torch.float64),
        (0.0, 1.0),
    ),
    "poisson": Case(
        lambda t: Poisson(t, 2), lambda x, t: stats.poisson.logpmf(x, np.exp(t)), _counts
    ),
    "negative-binomial": Case(
        lambda t: NegativeBinomial(t, R, 2),
        lambda x, t: stats.nbinom.logpmf(x, R.numpy(), R.numpy() / (R.numpy() + np.exp(t))),
        _counts,
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def raw() -> Tensor:
    return torch.randn(S, B, *D, dtype=torch.float64)


def test_log_prob_is_scipys(case: Case, raw: Tensor) -> None:
    values = case.values()
    expected = case.log_prob(values.numpy(), raw.numpy()).sum((-2, -1))
    ours = case.make(raw).log_prob(values)
    assert ours.shape == (S, B)
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_shapes_and_expansion(case: Case, raw: Tensor) -> None:
    p = case.make(raw[:1])
    wide = p.expand((S, B))
    assert (p.batch_shape, p.event_shape) == ((1, B), D)
    assert (wide.batch_shape, wide.event_shape) == ((S, B), D)
    values = case.values()
    torch.testing.assert_close(wide.log_prob(values), p.log_prob(values).expand(S, B))
    assert wide.mean.shape == wide.mode.shape == wide.variance.shape == wide.stddev.shape
    assert wide.mean.shape == (S, B, *D)
    assert wide.sample().shape == (S, B, *D)
    assert wide.sample((7,)).shape == (7, S, B, *D)
    assert not wide.sample().requires_grad


def test_moments_of_samples(case: Case, raw: Tensor) -> None:
    p = case.make(raw)
    n = 4000
    samples = p.sample((n,))
    error = (samples.mean(0) - p.mean).abs() / (p.variance / n).sqrt()
    assert error.max() < 5.0
    ratio = samples.var(0).sum() / p.variance.sum()
    assert ratio.item() == pytest.approx(1.0, abs=0.1)


def test_log_prob_gradients(case: Case, raw: Tensor) -> None:
    values = case.values()
    leaf = raw.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda t: case.make(t).log_prob(values), (leaf,))
    assert torch.autograd.gradgradcheck(
        lambda t: case.make(t).log_prob(values).sum(), (leaf[:1, :1],)
    )


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.limits])
@pytest.mark.parametrize("parameter", [-3.0, 0.0, 0.8])
def test_densities_integrate_to_one(name: str, parameter: float) -> None:
    make, limits = CASES[name].make, CASES[name].limits
    p = make(torch.full((1, 1), parameter, dtype=torch.float64))
    assert limits is not None

    def density(x: float, power: int = 0) -> float:
        return math.exp(p.log_prob(torch.full((1, 1), x, dtype=torch.float64)).item()) * x**power

    moments = [
        integrate.quad(density, *limits, args=(k,), points=[parameter] if limits[0] < 0 else None)[
            0
        ]
        for k in range(3)
    ]
    assert moments[0] == pytest.approx(1.0, abs=1e-7)
    assert moments[1] == pytest.approx(p.mean.item(), abs=1e-7)
    assert moments[2] - moments[1] ** 2 == pytest.approx(p.variance.item(), abs=1e-6)


@pytest.mark.parametrize("name", ["poisson", "negative-binomial"])
def test_count_masses_peak_at_the_mode(name: str, raw: Tensor) -> None:
    p = CASES[name].make(raw[0, 0])
    counts = np.arange(400.0)[:, None, None]
    masses = np.exp(CASES[name].log_prob(counts, raw[0, 0].numpy()))
    np.testing.assert_allclose(masses.sum(0), 1.0)
    np.testing.assert_array_equal(p.mode, masses.argmax(0))


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("normal", lambda t: stats.norm(t, 0.7)),
        ("normal-elements", lambda t: stats.norm(t, R.numpy())),
        ("laplace", lambda t: stats.laplace(t, 0.7)),
        ("bernoulli", lambda t: stats.bernoulli(1 / (1 + np.exp(-t)))),
    ],
)
def test_entropy_is_scipys(name: str, twin: Callable[[Any], Any], raw: Tensor) -> None:
    expected = np.broadcast_to(twin(raw.numpy()).entropy(), raw.shape).sum((-2, -1))
    np.testing.assert_allclose(CASES[name].make(raw).entropy(), expected)


def test_rsample_passes_gradients_to_its_parameters() -> None:
    for family in (DiagonalNormal, DiagonalLaplace):
        loc = torch.zeros(3, 2, requires_grad=True)
        scale = torch.ones(3, 2, requires_grad=True)
        samples = family(loc, scale).rsample((5,))
        samples.sum().backward()
        torch.testing.assert_close(loc.grad, torch.full((3, 2), 5.0))
        torch.testing.assert_close(scale.grad, samples.detach().sum(0))


def test_delta() -> None:
    value = torch.randn(3, 2, requires_grad=True)
    p = Delta(value)
    assert (p.batch_shape, p.event_shape) == ((3,), (2,))
    assert p.mean is p.mode is value
    assert torch.equal(p.rsample((4,)), value.expand(4, 3, 2))
    assert p.rsample().requires_grad
    assert p.variance.sum() == 0
    assert p.expand((5, 3)).sample().shape == (5, 3, 2)
    with pytest.raises(UnsupportedError, match="no density"):
        p.log_prob(value)
