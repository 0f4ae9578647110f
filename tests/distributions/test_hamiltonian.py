"""Hamiltonian draws: volumes kept, steps taken back, and weights whose mean is p(x)."""

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from isthmus.distributions import DiagonalNormal, HamiltonianDistribution

pytestmark = pytest.mark.usefixtures("float64")
B, Z, D, NOISE = 3, 2, 4, 0.7


class LinearGaussian:
    """p(z) = N(0, I) and p(x|z) = N(Wz, noise² I), for a fixed x (B, D)."""

    def __init__(self, noise=NOISE):
        self.noise = noise
        self.w, self.x = torch.randn(D, Z), torch.randn(B, D)

    def log_joint(self, z):
        likelihood = Normal(z @ self.w.T, self.noise).log_prob(self.x).sum(-1)
        return likelihood + Normal(0.0, 1.0).log_prob(z).sum(-1)

    @property
    def log_evidence(self):
        covariance = self.w @ self.w.T + self.noise**2 * torch.eye(D)
        return MultivariateNormal(torch.zeros(D), covariance).log_prob(self.x)


def moved(model, steps=3, heat=0.3, step=0.15):
    base = DiagonalNormal(0.5 * torch.randn(B, Z), torch.full((B, Z), 0.8))
    sizes = torch.full((Z,), step)
    return HamiltonianDistribution(base, model.log_joint, sizes, torch.tensor(heat), steps)


def test_the_map_of_code_and_noise_keeps_volumes():
    q = moved(LinearGaussian())

    def carried(both):
        z, momentum = q._move(both[..., :Z], both[..., Z:] * q.start)
        return torch.cat([z, momentum], -1)

    both = torch.randn(B, 2 * Z)
    whole = torch.autograd.functional.jacobian(carried, both)
    for b in range(B):
        torch.testing.assert_close(torch.linalg.det(whole[b, :, b]), torch.ones(()))


def test_the_steps_can_be_taken_back():
    q = moved(LinearGaussian())
    z, momentum = torch.randn(2, 5, B, Z)
    back = q._move_back(*q._move(z, momentum))
    torch.testing.assert_close(back, (z, momentum))


def test_one_step_is_the_leapfrog_written_out():
    model = LinearGaussian()
    q = moved(model, steps=1)
    z, momentum = torch.randn(2, B, Z)
    precision = model.w.T @ model.w / NOISE**2 + torch.eye(Z)
    pull = model.x @ model.w / NOISE**2

    def slope(at):
        return pull - at @ precision

    half = momentum + 0.075 * slope(z)
    end = z + 0.15 * half
    expected = (half + 0.075 * slope(end)) * 0.3**0.5
    torch.testing.assert_close(q._move(z, momentum), (end, expected))


def test_the_momentum_cools_to_one_along_the_papers_schedule():
    q = moved(LinearGaussian(), steps=4, heat=0.25)
    roots = [1.0 / ((1.0 - 1.0 / 0.5) * k**2 / 16 + 1.0 / 0.5) for k in range(5)]
    expected = [roots[k - 1] / roots[k] for k in range(1, 5)]
    torch.testing.assert_close(torch.stack(q.cooling), torch.tensor(expected))
    torch.testing.assert_close(torch.stack(q.cooling).prod(), torch.tensor(0.25**0.5))


@pytest.mark.parametrize("heat", [0.3, 1.0])
def test_the_mean_weight_is_the_evidence(heat):
    model = LinearGaussian()
    q = moved(model, heat=heat)
    with torch.no_grad():
        z = q.rsample((40_000,))
        weights = (model.log_joint(z) - q.log_prob(z) - model.log_evidence).exp()
    error = weights.std(0) / len(weights) ** 0.5
    assert ((weights.mean(0) - 1.0).abs() < 4.0 * error).all()
    assert (error < 0.05).all()


def test_steps_lift_the_bound_of_a_poor_start():
    model = LinearGaussian()
    q = moved(model, steps=5)
    with torch.no_grad():
        start, z = q.base.rsample((4000,)), q.rsample((4000,))
        before = (model.log_joint(start) - q.base.log_prob(start)).mean(0)
        after = (model.log_joint(z) - q.log_prob(z)).mean(0)
    assert (after <= model.log_evidence).all()
    assert (after.mean() - before.mean()) > 1.0


def test_the_density_of_a_value_from_elsewhere_integrates_to_one():
    # Where the pull is strong, momenta drawn anew are poor proposals and the estimate is rough.
    q = moved(LinearGaussian(noise=3.0), heat=0.6)
    line = torch.linspace(-6.0, 6.0, 121)
    grid = torch.cartesian_prod(line, line).unsqueeze(1)
    with torch.no_grad():
        total = sum(q.log_prob(grid).exp().sum(0) for _ in range(8)) / 8
    total = total * (line[1] - line[0]) ** 2
    torch.testing.assert_close(total, torch.ones(B), atol=0.03, rtol=0)


def test_gradients_of_the_bound_are_those_of_finite_differences():
    model = LinearGaussian()

    def bound(loc, step, heat):
        torch.manual_seed(3)
        base = DiagonalNormal(loc, torch.ones(B, Z))
        q = HamiltonianDistribution(base, model.log_joint, step, heat, 2)
        z = q.rsample((2,))
        return model.log_joint(z) - q.log_prob(z)

    values = (torch.randn(B, Z), torch.full((Z,), 0.1), torch.tensor(0.4))
    assert torch.autograd.gradcheck(bound, [v.requires_grad_() for v in values])
