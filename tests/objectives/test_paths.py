"""Path-derivative gradients: their means against the plain ones', their noise, exact cases."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from isthmus.distributions import DiagonalNormal
from isthmus.objectives import DregIwae, Elbo, Iwae, StickingTheLanding
from isthmus.objectives.paths import path_log_prob

pytestmark = pytest.mark.usefixtures("float64")
REPEATS, K = 20_000, 8


@pytest.fixture
def problem():
    """A decoder, a datum, and a posterior's parameters away from the optimum."""
    generator = torch.Generator().manual_seed(5)
    W = torch.randn(4, 2, generator=generator)
    x = torch.randn(4, generator=generator)
    return W, x, torch.tensor([0.4, -0.3]), torch.tensor([0.5, 0.8])


def repeated(linear, problem, objective, seed=0):
    """Per-repeat gradients (REPEATS, 4) of a posterior's parameters, and the decoder's."""
    W, x, loc, scale = problem
    W = W.clone().requires_grad_()
    loc, scale = (t.expand(REPEATS, 2).clone().requires_grad_() for t in (loc, scale))
    torch.manual_seed(seed)
    loss = objective(linear(DiagonalNormal(loc, scale), objective.samples, W, x))
    loss.total.backward()
    return loss, REPEATS * torch.cat([loc.grad, scale.grad], 1), W.grad


def test_dreg_has_iwae_s_mean_gradient_with_less_variance(linear, problem):
    plain_loss, plain, plain_decoder = repeated(linear, problem, Iwae(K))
    loss, dreg, decoder = repeated(linear, problem, DregIwae(K))
    torch.testing.assert_close(loss.total, plain_loss.total)
    torch.testing.assert_close(decoder, plain_decoder)
    error = ((plain.var(0) + dreg.var(0)) / REPEATS).sqrt()
    assert ((plain.mean(0) - dreg.mean(0)).abs() < 4 * error).all()
    assert (plain.mean(0).abs() > 10 * error).any(), "the test must be able to fail"
    assert (dreg.var(0) < 0.5 * plain.var(0)).all()


def test_dreg_s_gradient_is_the_paper_s_formula(linear, problem):
    W, x, loc, scale = problem
    loc = loc.expand(3, 2).clone().requires_grad_()
    evidence = linear(DiagonalNormal(loc, scale.expand(3, 2)), K, W, x)
    z = evidence.z.detach().requires_grad_()
    fixed = DiagonalNormal(loc.detach(), scale.expand(3, 2))
    log_w = evidence.generate(z).log_prob(evidence.x) + evidence.p.log_prob(z) - fixed.log_prob(z)
    slope = torch.autograd.grad(log_w.sum(), z)[0]
    share = log_w.detach().softmax(0).unsqueeze(-1)
    DregIwae(K)(evidence).total.backward()
    # dz/dloc is the identity.
    torch.testing.assert_close(loc.grad, -(share**2 * slope).sum(0) / 3)


def test_stl_has_the_elbo_s_mean_gradient(linear, problem):
    loss, stl, decoder = repeated(linear, problem, StickingTheLanding())
    plain_loss, plain, plain_decoder = repeated(linear, problem, Elbo())
    torch.testing.assert_close(decoder, plain_decoder)
    error = ((plain.var(0) + stl.var(0)) / REPEATS).sqrt()
    assert ((plain.mean(0) - stl.mean(0)).abs() < 4 * error).all()
    assert abs(loss.total - plain_loss.total) < 0.05


def test_stl_s_gradient_vanishes_sample_by_sample_at_the_true_posterior(linear):
    W = torch.tensor([[1.2, 0.0], [0.0, -0.7], [0.0, 0.0], [0.5, 0.0]])
    x = torch.tensor([0.3, -1.0, 0.2, 0.9])
    precision = torch.eye(2) + W.T @ W / 0.49
    mean = torch.linalg.solve(precision, W.T @ x / 0.49)
    exact = (W, x, mean, precision.diagonal().rsqrt())
    _, stl, _ = repeated(linear, exact, StickingTheLanding())
    torch.testing.assert_close(stl, torch.zeros_like(stl), atol=1e-10, rtol=0)
    score = Elbo()
    _, plain, _ = repeated(linear, exact, score)
    assert plain.std(0).min() > 0.1


def test_any_density_will_do(linear):
    factor = torch.tensor([[0.8, 0.0], [0.5, 0.6]]).expand(9, 2, 2).clone().requires_grad_()
    loc = torch.randn(9, 2, requires_grad=True)
    q = MultivariateNormal(loc, scale_tril=factor, validate_args=False)
    z = q.rsample((5,))
    found = path_log_prob(q, z, q.log_prob(z))
    fixed = MultivariateNormal(loc.detach(), scale_tril=factor.detach(), validate_args=False)
    torch.testing.assert_close(found, fixed.log_prob(z))
    theirs = torch.autograd.grad(fixed.log_prob(z).sin().sum(), (loc, factor), retain_graph=True)
    ours = torch.autograd.grad(found.sin().sum(), (loc, factor))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_without_gradients_the_values_are_the_plain_ones(build):
    model, x = build(), torch.randn(6, 5)
    with torch.no_grad():
        evidence = model.evidence(x, 4)
        dreg, plain = DregIwae(4)(evidence).total, Iwae(4)(evidence).total
        stl = StickingTheLanding(samples=4)(evidence).total
    torch.testing.assert_close(dreg, plain)
    torch.testing.assert_close(stl, -evidence.log_weights.mean())
    assert math.isfinite(stl)
