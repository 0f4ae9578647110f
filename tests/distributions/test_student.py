"""Student's t against scipy, and the rates of heavy tails against quadrature and torch."""

import math

import pytest
import torch
from scipy import integrate, stats
from torch.distributions import Laplace, Normal, StudentT, kl_divergence

from isthmus.distributions import DiagonalLaplace, DiagonalNormal, DiagonalStudent

pytestmark = pytest.mark.usefixtures("float64")
B, Z = 3, 4


def student(event_dims=1):
    loc, scale, df = torch.randn(B, Z), torch.rand(B, Z) + 0.3, torch.rand(Z) * 6 + 2.5
    return DiagonalStudent(loc, scale, df, event_dims)


def laplace():
    return DiagonalLaplace(torch.randn(B, Z), torch.rand(B, Z) + 0.3)


def test_density_moments_and_entropy_are_scipys():
    q = student()
    reference = stats.t(q.df.expand(B, Z).numpy(), q.loc.numpy(), q.scale.numpy())
    z = 3.0 * torch.randn(5, B, Z)
    expected = torch.as_tensor(reference.logpdf(z.numpy())).sum(-1)
    torch.testing.assert_close(q.log_prob(z), expected)
    torch.testing.assert_close(q.variance, torch.as_tensor(reference.var()))
    torch.testing.assert_close(q.entropy(), torch.as_tensor(reference.entropy()).sum(-1))


def test_draws_follow_it():
    q = student()
    drawn = q.sample((4000,)).numpy()
    df = q.df.expand(B, Z).numpy()
    for b in range(B):
        for j in range(Z):
            law = stats.t(df[b, j], q.loc[b, j].item(), q.scale[b, j].item())
            assert stats.kstest(drawn[:, b, j], law.cdf).pvalue > 1e-4


def test_draws_move_with_the_degrees_of_freedom_as_torchs_do():
    df = torch.tensor([4.0], requires_grad=True)
    q = DiagonalStudent(torch.zeros(1), torch.ones(1), df)
    reference = StudentT(df)
    slopes = []
    for law in (q, reference):
        torch.manual_seed(5)
        value = law.rsample((200_000,)).abs().log1p().mean()
        slopes.append(torch.autograd.grad(value, df)[0])
    torch.testing.assert_close(slopes[0], slopes[1], rtol=0.05, atol=0)


@pytest.mark.parametrize("make", [student, laplace])
def test_the_rate_to_a_normal_is_the_integral(make):
    q = make()
    p = DiagonalNormal(torch.randn(Z), torch.rand(Z) + 0.5)
    found = kl_divergence(q.elementwise(), p.elementwise())
    torch.testing.assert_close(found.sum(-1), kl_divergence(q, p))
    for b in range(B):
        for j in range(Z):
            loc, scale = q.loc[b, j].item(), q.scale[b, j].item()
            if make is student:
                law, reach = stats.t(q.df[j].item(), loc, scale), math.inf
            else:
                law, reach = stats.laplace(loc, scale), 40.0 * scale
            other = stats.norm(p.loc[j].item(), p.scale[j].item())

            def integrand(z, law=law, other=other):
                return law.pdf(z) * (law.logpdf(z) - other.logpdf(z))

            halves = (
                integrate.quad(integrand, *ends)[0]
                for ends in ((loc - reach, loc), (loc, loc + reach))
            )
            assert found[b, j].item() == pytest.approx(sum(halves), rel=1e-5)


def test_the_rate_between_laplaces_is_torchs():
    q, p = laplace(), DiagonalLaplace(torch.randn(Z), torch.rand(Z) + 0.5)
    expected = kl_divergence(Laplace(q.loc, q.scale), Laplace(p.loc, p.scale))
    torch.testing.assert_close(kl_divergence(q.elementwise(), p.elementwise()), expected)
    torch.testing.assert_close(kl_divergence(q, p), expected.sum(-1))


def test_many_degrees_of_freedom_make_a_normal():
    loc, scale = torch.randn(B, Z), torch.rand(B, Z) + 0.3
    q = DiagonalStudent(loc, scale, torch.full((Z,), 1e9))
    z = loc + scale * torch.randn(B, Z)
    expected = Normal(loc, scale).log_prob(z).sum(-1)
    torch.testing.assert_close(q.log_prob(z), expected, atol=1e-5, rtol=1e-5)
