"""One-hot vectors and their relaxation against torch's distributions and exact frequencies."""

import pytest
import torch
from torch.distributions import Independent, kl_divergence
from torch.distributions import OneHotCategorical as Reference
from torch.distributions import RelaxedOneHotCategorical as Relaxed

from isthmus.distributions import ContinuousOneHot, DiagonalNormal, OneHotCategorical

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture
def logits():
    return 1.5 * torch.randn(4, 3, 5)


def test_log_prob_entropy_and_kl_are_torch_s(logits):
    q, reference = OneHotCategorical(logits), Independent(Reference(logits=logits), 1)
    other = torch.randn(3, 5)
    p, reference_p = OneHotCategorical(other), Independent(Reference(logits=other), 1)
    z = reference.sample((7,))
    torch.testing.assert_close(q.log_prob(z), reference.log_prob(z))
    torch.testing.assert_close(p.log_prob(z), reference_p.log_prob(z))
    torch.testing.assert_close(q.entropy(), reference.entropy())
    expected = kl_divergence(reference, reference_p.expand((4,)))
    torch.testing.assert_close(kl_divergence(q, p), expected)
    torch.testing.assert_close(q.variance, reference.variance)
    by_group = kl_divergence(q.elementwise(), p.elementwise())
    torch.testing.assert_close(by_group, kl_divergence(reference.base_dist, reference_p.base_dist))
    each = reference.base_dist.log_prob(z)
    torch.testing.assert_close(q.elementwise().log_prob(z), each)


@pytest.mark.parametrize("temperature", [None, 0.02, 0.5, 1.0])
def test_the_winner_of_any_draw_has_the_categorical_s_frequency(temperature):
    logits = torch.tensor([[0.0, 1.0, -1.0, 2.0]])
    q = OneHotCategorical(logits, temperature=temperature)
    n = 40_000
    z = q.rsample((n,))[:, 0]
    share = torch.nn.functional.one_hot(z.argmax(-1), 4).double().mean(0)
    error = (q.variance[0] / n).sqrt()
    assert ((share - q.mean[0]).abs() < 4 * error).all()
    torch.testing.assert_close(z.sum(-1), torch.ones(n))
    if temperature == 0.02:
        assert ((z.mean(0) - q.mean[0]).abs() < 4 * error).all()
        assert (z.max(-1).values > 0.9).double().mean() > 0.97


@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_relaxed_draws_have_the_concrete_distribution_s_moments(temperature):
    logits = torch.tensor([[0.5, -0.5, 1.0]])
    ours = OneHotCategorical(logits, temperature=temperature).rsample((40_000,))[:, 0]
    theirs = Relaxed(torch.tensor(temperature), logits=logits[0]).sample((40_000,))
    for power in (1, 2, 3):
        a, b = ours**power, theirs**power
        error = ((a.var(0) + b.var(0)) / 40_000).sqrt()
        assert ((a.mean(0) - b.mean(0)).abs() < 4 * error).all()


def test_the_relaxation_s_gradient_is_that_of_its_own_expectation():
    logits = torch.tensor([0.2, -0.4, 0.6])
    a, n, step = torch.tensor([1.0, -2.0, 0.5]), 100_000, 1e-3

    def expectation(shift):
        torch.manual_seed(5)
        moved = logits + shift * torch.tensor([1.0, 0.0, 0.0])
        q = OneHotCategorical(moved.expand(1, -1), temperature=0.7)
        return (q.rsample((n,))[:, 0] @ a).square().mean()

    given = logits.clone().requires_grad_()
    torch.manual_seed(5)
    q = OneHotCategorical(given[None], temperature=0.7)
    (q.rsample((n,))[:, 0] @ a).square().mean().backward()
    slope = (expectation(step) - expectation(-step)) / (2 * step)
    torch.testing.assert_close(given.grad[0], slope, rtol=1e-4, atol=1e-6)


def test_straight_through_takes_the_vector_forward_and_the_relaxation_back(logits):
    weight, grads, draws = torch.randn(4, 3, 5), [], []
    for straight_through in (False, True):
        given = logits.clone().requires_grad_()
        torch.manual_seed(2)
        q = OneHotCategorical(given, 2, 0.5, straight_through)
        z = q.rsample()
        (z * weight).sum().backward()
        grads.append(given.grad)
        draws.append(z.detach())
    torch.testing.assert_close(grads[0], grads[1])
    torch.testing.assert_close(draws[1].sort().values[..., :-1], torch.zeros(4, 3, 4))
    assert draws[1].argmax(-1).equal(draws[0].argmax(-1))


def test_a_joint_code_is_the_product_of_its_parts(logits):
    normal = DiagonalNormal(torch.randn(4, 2), torch.rand(4, 2) + 0.5)
    one_hot = OneHotCategorical(logits, temperature=0.5)
    q = ContinuousOneHot(normal, one_hot)
    p = ContinuousOneHot(
        DiagonalNormal(torch.zeros(2), torch.ones(())), OneHotCategorical(torch.zeros(3, 5))
    )
    z = q.sample((6,))
    assert z.shape == (6, 4, 17)
    classes = z[..., 2:].unflatten(-1, (3, 5))
    assert set(classes.unique().tolist()) == {0.0, 1.0}
    reference = Independent(torch.distributions.Normal(normal.loc, normal.scale), 1)
    discrete = Independent(Reference(logits=logits), 1)
    expected = reference.log_prob(z[..., :2]) + discrete.log_prob(classes)
    torch.testing.assert_close(q.log_prob(z), expected)
    rate = kl_divergence(q, p)
    drawn = q.sample((40_000,))
    estimate = q.log_prob(drawn) - p.log_prob(drawn)
    assert ((rate - estimate.mean(0)).abs() < 4 * estimate.std(0) / 200).all()
    torch.testing.assert_close(q.mode[:, 2:].unflatten(-1, (3, 5)).argmax(-1), one_hot.mode)
