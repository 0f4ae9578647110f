"""The von Mises–Fisher distribution against scipy, quadrature, and finite differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import integrate, optimize, special, stats
from torch.distributions import kl_divergence

from isthmus.distributions import SphereUniform, VonMisesFisher
from isthmus.distributions.von_mises_fisher import _angle_slope

pytestmark = pytest.mark.usefixtures("float64")


def direction(dimension):
    return F.normalize(torch.randn(dimension), dim=-1)


def ratio(dimension, kappa):
    return special.ive(dimension / 2, kappa) / special.ive(dimension / 2 - 1, kappa)


def angle_density(angle, dimension, kappa):
    """Up to a constant: sin^(d-2) exp(kappa (cos - cos at the peak))."""
    peak = 2 * kappa / (dimension - 2 + np.hypot(dimension - 2, 2 * kappa))
    height = (dimension - 2) / 2 * np.log1p(-(peak**2)) if dimension > 2 else 0.0
    log = special.xlogy(dimension - 2, np.sin(angle)) + kappa * (np.cos(angle) - peak)
    return np.exp(log - height)


def angle_cdf(dimension, kappa, points=200_001):
    angles = np.linspace(0, np.pi, points)
    cdf = integrate.cumulative_simpson(angle_density(angles, dimension, kappa), x=angles, initial=0)
    return angles, cdf / cdf[-1]


@pytest.mark.parametrize("dimension", [2, 3, 5, 17, 40, 64])
@pytest.mark.parametrize("kappa", [0.05, 1.0, 30.0, 500.0])
def test_density_and_entropy_are_scipy_s(dimension, kappa):
    loc = direction(dimension)
    q = VonMisesFisher(loc, torch.tensor(kappa))
    x = q.sample((20,))
    theirs = stats.vonmises_fisher(loc.numpy(), kappa)
    expected = torch.from_numpy(theirs.logpdf(x.numpy()))
    torch.testing.assert_close(q.log_prob(x), expected, rtol=1e-9, atol=1e-8)
    # scipy's entropy is kappa A(kappa) - log normaliser in all versions.
    torch.testing.assert_close(
        q.entropy(), torch.tensor(float(theirs.entropy())), rtol=1e-8, atol=1e-8
    )


@pytest.mark.parametrize("dimension", [2, 3, 8, 16, 33, 64])
@pytest.mark.parametrize("kappa", [0.01, 1.0, 20.0, 1000.0])
def test_draws_have_the_bessel_ratio_as_their_mean_resultant_length(dimension, kappa):
    loc = direction(dimension)
    q = VonMisesFisher(loc, torch.tensor(kappa))
    n = 20_000
    x = q.sample((n,))
    torch.testing.assert_close(x.norm(dim=-1), torch.ones(n))
    along = x @ loc
    error = along.std() / n**0.5
    assert (along.mean() - ratio(dimension, kappa)).abs() < 4 * error
    # Each coordinate, and its variance, by the closed form of the covariance.
    spread = x.var(0)
    expected = q.variance
    torch.testing.assert_close(spread, expected, rtol=0.12, atol=0)
    assert (x.mean(0) - ratio(dimension, kappa) * loc).abs().max() < 5 * (expected.max() / n) ** 0.5


@pytest.mark.parametrize(("dimension", "kappa"), [(2, 3.0), (3, 0.5), (16, 20.0), (64, 100.0)])
def test_draws_follow_the_distribution_function_of_the_angle(dimension, kappa):
    loc = direction(dimension)
    x = VonMisesFisher(loc, torch.tensor(kappa)).sample((4000,))
    angles, cdf = angle_cdf(dimension, kappa)
    drawn = (x @ loc).clamp(-1, 1).acos().numpy()
    assert stats.kstest(drawn, lambda a: np.interp(a, angles, cdf)).pvalue > 1e-3


@pytest.mark.parametrize("dimension", [2, 3, 4, 16, 64])
@pytest.mark.parametrize("kappa", [0.01, 1.0, 25.0, 1000.0])
def test_an_angle_moves_with_kappa_along_its_quantile(dimension, kappa):
    step = 1e-4 * kappa
    angles, cdf = angle_cdf(dimension, kappa)
    levels = np.array([0.01, 0.2, 0.5, 0.8, 0.99])
    at = np.interp(levels, cdf, angles)
    level_at = [_mass(0.0, a, dimension, kappa) for a in at]

    def quantile(level, near, k):
        width = np.pi / np.sqrt(dimension + kappa)
        low, high = max(near - 0.05 * width, 0.0), min(near + 0.05 * width, np.pi)
        return optimize.brentq(lambda a: _mass(0.0, a, dimension, k) - level, low, high, xtol=1e-15)

    expected = [
        (quantile(u, a, kappa + step) - quantile(u, a, kappa - step)) / (2 * step)
        for u, a in zip(level_at, at, strict=True)
    ]
    ours = _angle_slope(torch.from_numpy(at), torch.full((5,), kappa), dimension)
    torch.testing.assert_close(ours, torch.tensor(expected), rtol=2e-5, atol=1e-12)


def _mass(low, high, dimension, kappa, points=2000):
    """The probability of an interval of angles, by Gauss-Legendre over the part that matters."""
    peak = 2 * kappa / (dimension - 2 + np.hypot(dimension - 2, 2 * kappa))
    width = 15 / np.sqrt(dimension - 1 + kappa)
    left, right = max(np.arccos(peak) - width, 0.0), min(np.arccos(peak) + width, np.pi)
    nodes, weights = _legendre(400)

    def over(a, b):
        half = 0.5 * (b - a)
        return half * (weights * angle_density(a + half * (nodes + 1), dimension, kappa)).sum()

    return over(max(low, left), min(high, right)) / over(left, right)


def _legendre(n, known={}):  # noqa: B006
    if n not in known:
        known[n] = np.polynomial.legendre.leggauss(n)
    return known[n]


@pytest.mark.parametrize("dimension", [2, 3, 16, 64])
@pytest.mark.parametrize("kappa", [1.5, 40.0])
def test_gradients_of_an_expectation_are_its_finite_differences(dimension, kappa):
    start = torch.randn(dimension)
    a, n = torch.randn(dimension), 40_000

    def expectation(m, k):
        return ratio(dimension, k) * float(F.normalize(m, dim=-1) @ a)

    m = start.expand(n, -1).clone().requires_grad_()
    k = torch.full((n,), kappa, requires_grad=True)
    x = VonMisesFisher(F.normalize(m, dim=-1), k).rsample()
    (x @ a).sum().backward()
    step = 1e-5
    slope = (expectation(start, kappa + step) - expectation(start, kappa - step)) / (2 * step)
    assert abs(k.grad.mean() - slope) < 4.5 * k.grad.std() / n**0.5
    other = torch.randn(dimension)
    rise = expectation(start + step * other, kappa) - expectation(start - step * other, kappa)
    along = m.grad @ other
    assert abs(along.mean() - rise / (2 * step)) < 4.5 * along.std() / n**0.5


@pytest.mark.parametrize("dimension", [2, 3, 10, 64])
@pytest.mark.parametrize("kappa", [0.05, 2.0, 200.0])
def test_kl_to_uniform_is_its_quadrature(dimension, kappa):
    q = VonMisesFisher(direction(dimension), torch.tensor(kappa))
    p = SphereUniform(torch.zeros(dimension))
    angles = np.linspace(1e-12, np.pi - 1e-12, 400_001)
    density = angle_density(angles, dimension, kappa)
    flat = special.xlogy(dimension - 2, np.sin(angles))
    log_flat = flat - np.log(np.trapezoid(np.exp(flat), angles))
    density /= np.trapezoid(density, angles)
    gap = special.xlogy(density, density) - density * log_flat
    expected = np.trapezoid(gap, angles)
    torch.testing.assert_close(kl_divergence(q, p), torch.tensor(expected), rtol=1e-5, atol=1e-8)


def test_the_uniform_sphere_has_its_area():
    areas = {2: 2 * np.pi, 3: 4 * np.pi, 4: 2 * np.pi**2}
    for dimension, area in areas.items():
        p = SphereUniform(torch.zeros(dimension))
        x = p.sample((5000,))
        torch.testing.assert_close(p.log_prob(x), torch.full((5000,), -np.log(area)))
        torch.testing.assert_close(x.norm(dim=-1), torch.ones(5000))
        torch.testing.assert_close(
            x.T @ x / 5000, torch.eye(dimension) / dimension, atol=0.03, rtol=0
        )


@pytest.mark.parametrize("dimension", [3, 16, 64, 300])
def test_gradients_survive_single_precision_in_high_dimension(dimension):
    kappa = torch.tensor([1.0, 100.0, 1e4], dtype=torch.float32, requires_grad=True)
    loc = F.normalize(torch.randn(3, dimension, dtype=torch.float32), dim=-1)
    q = VonMisesFisher(loc, kappa)
    rate = kl_divergence(q, SphereUniform(torch.zeros(dimension)))
    (slope,) = torch.autograd.grad(rate.sum(), kappa, retain_graph=True)
    assert (slope > 0).all()
    (moved,) = torch.autograd.grad((q.rsample((50,)) * loc).sum(), kappa)
    assert (moved > 0).all()
    assert q.expand((2, 3)).rsample().shape == (2, 3, dimension)


def test_what_is_no_number_is_drawn_as_none_and_ends():
    kappa = torch.tensor([2.0, torch.nan, torch.inf])
    loc = torch.nn.functional.normalize(torch.ones(3, 4), dim=1)
    drawn = VonMisesFisher(loc, kappa).rsample((5,))
    assert drawn[:, 0].isfinite().all()
    assert drawn[:, 1:].isnan().all()
