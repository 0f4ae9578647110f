"""The kernel metric against dense linear algebra, finite differences and what steps must keep."""

from itertools import pairwise

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from isthmus.distributions import DiagonalNormal, HamiltonianDistribution, KernelMetric
from isthmus.distributions.geometry import Flat

pytestmark = pytest.mark.usefixtures("float64")
B, Z, D, C, NOISE = 3, 2, 4, 5, 0.9
T, FLOOR = 1.3, 0.2


class LinearGaussian:
    """p(z) = N(0, I) and p(x|z) = N(Wz, noise² I), for a fixed x (B, D)."""

    def __init__(self):
        self.w, self.x = torch.randn(D, Z), torch.randn(B, D)

    def log_joint(self, z):
        likelihood = Normal(z @ self.w.T, NOISE).log_prob(self.x).sum(-1)
        return likelihood + Normal(0.0, 1.0).log_prob(z).sum(-1)

    def slope(self, z):
        return (self.x - z @ self.w.T) @ self.w / NOISE**2 - z

    @property
    def log_evidence(self):
        covariance = self.w @ self.w.T + NOISE**2 * torch.eye(D)
        return MultivariateNormal(torch.zeros(D), covariance).log_prob(self.x)


def kernels(iterations=40):
    factors = torch.randn(C, Z, Z).tril()
    return torch.randn(C, Z), factors, T, FLOOR, iterations


def dense(z, centroids, factors):
    """G⁻¹ written out for one z (Z,)."""
    total = FLOOR * torch.eye(Z)
    for centroid, factor in zip(centroids, factors, strict=True):
        distance = (z - centroid).pow(2).sum()
        total = total + factor @ factor.T * torch.exp(-distance / T**2)
    return total


def hamiltonian(model, metric, z, momentum):
    return metric.energy(z, momentum) - model.log_joint(z)


def moved(model, geometry, steps=3, step=0.05, heat=0.5):
    base = DiagonalNormal(0.4 * torch.randn(B, Z), torch.full((B, Z), 0.8))
    sizes = torch.tensor([step, 0.7 * step])
    return HamiltonianDistribution(
        base, model.log_joint, sizes, torch.tensor(heat), steps, geometry
    )


def test_the_inverse_metric_and_the_momentum_s_density_are_those_of_dense_algebra():
    given = kernels()
    metric, z, momentum = KernelMetric(*given), torch.randn(B, Z), torch.randn(B, Z)
    energy = metric.energy(z, momentum)
    for b in range(B):
        inverse = dense(z[b], *given[:2])
        torch.testing.assert_close(metric.inverse(z)[b], inverse)
        covariance = torch.linalg.inv(inverse)
        law = MultivariateNormal(torch.zeros(Z), covariance)
        constant = -0.5 * Z * torch.log(torch.tensor(2.0 * torch.pi))
        torch.testing.assert_close(constant - energy[b], law.log_prob(momentum[b]))
        drawn = metric.momentum(z[b].expand(100_000, Z), torch.randn(100_000, Z))
        torch.testing.assert_close(drawn.T.cov(), covariance, atol=0.03, rtol=0.03)


def test_the_gradient_of_the_energy_is_that_of_finite_differences():
    metric, z, momentum = KernelMetric(*kernels()), torch.randn(4, Z), torch.randn(4, Z)
    h = 1e-6
    for axis in torch.eye(Z):
        up, down = metric.energy(z + h * axis, momentum), metric.energy(z - h * axis, momentum)
        found = metric.slope(z, momentum) @ axis
        torch.testing.assert_close(found, (up - down) / (2.0 * h), atol=1e-7, rtol=1e-7)


def test_a_step_solves_the_generalised_leapfrog_s_implicit_equations():
    model, metric = LinearGaussian(), KernelMetric(*kernels())
    z, momentum = torch.randn(B, Z), torch.randn(B, Z)
    end, last, pull = metric.leap((z, momentum, model.slope(z)), torch.tensor(0.1), model.slope)
    torch.testing.assert_close(pull, model.slope(end))
    # By autograd of the whole Hamiltonian at the half step that the last equation gives back.
    half = last - 0.05 * (model.slope(end) - metric.slope(end, last))
    for _ in range(60):
        half = last - 0.05 * (model.slope(end) - metric.slope(end, half))

    def rises(at, by):
        at, by = at.clone().requires_grad_(), by.clone().requires_grad_()
        return torch.autograd.grad(hamiltonian(model, metric, at, by).sum(), (at, by))

    torch.testing.assert_close(half, momentum - 0.05 * rises(z, half)[0])
    torch.testing.assert_close(end, z + 0.05 * (rises(z, half)[1] + rises(end, half)[1]))
    torch.testing.assert_close(last, half - 0.05 * rises(end, half)[0])


@pytest.mark.parametrize(("iterations", "tolerance"), [(1, 0.05), (3, 1e-3), (40, 1e-12)])
def test_the_map_keeps_volumes_as_far_as_the_fixed_points_converge(iterations, tolerance):
    q = moved(LinearGaussian(), KernelMetric(*kernels(iterations)))

    def carried(both):
        z, momentum = q._move(both[..., :Z], both[..., Z:] * q.start)
        return torch.cat([z, momentum], -1)

    whole = torch.autograd.functional.jacobian(carried, torch.randn(B, 2 * Z))
    for b in range(B):
        assert torch.linalg.slogdet(whole[b, :, b])[1].abs() < tolerance


@pytest.mark.parametrize(("iterations", "tolerance"), [(3, 1e-3), (40, 1e-12)])
def test_the_steps_can_be_taken_back(iterations, tolerance):
    q = moved(LinearGaussian(), KernelMetric(*kernels(iterations)))
    z, momentum = torch.randn(2, 5, B, Z)
    back = q._move_back(*q._move(z, momentum))
    torch.testing.assert_close(back, (z, momentum), atol=tolerance, rtol=0)


def test_the_energy_is_kept_to_second_order_in_the_step():
    model, metric = LinearGaussian(), KernelMetric(*kernels())
    z, momentum = 0.5 * torch.randn(2, B, Z)
    before = hamiltonian(model, metric, z, momentum)
    errors = []
    for halvings in range(4):
        count = 20 * 2**halvings
        state = (z, momentum, model.slope(z))
        for _ in range(count):
            state = metric.leap(state, torch.tensor(1.0 / count), model.slope)
        errors.append((hamiltonian(model, metric, *state[:2]) - before).abs().mean())
    orders = [torch.log2(a / b).item() for a, b in pairwise(errors)]
    assert orders[1:] == pytest.approx([2.0, 2.0], abs=0.15)


def test_without_kernels_and_with_the_identity_it_is_the_flat_leapfrog_exactly():
    model = LinearGaussian()
    identity = KernelMetric(torch.zeros(1, Z), torch.zeros(1, Z, Z), T, 1.0, 3)
    found = []
    for geometry in (None, identity):
        torch.manual_seed(5)
        q = moved(model, geometry)
        z = q.rsample((7,))
        found.append((z, q.log_prob(z), q.log_prob(z.clone()), q.mean))
    for flat, curved in zip(*found, strict=True):
        torch.testing.assert_close(flat, curved, atol=1e-14, rtol=1e-14)
    z, noise = torch.randn(2, B, Z)
    assert identity.momentum(z, noise).equal(Flat().momentum(z, noise))
    state, step = (z, noise, model.slope(z)), torch.tensor(0.1)
    for curved, flat in zip(
        identity.leap(state, step, model.slope), Flat().leap(state, step, model.slope), strict=True
    ):
        torch.testing.assert_close(curved, flat, atol=1e-15, rtol=1e-15)


def test_the_mean_weight_is_the_evidence_and_the_bound_lies_below():
    model = LinearGaussian()
    q = moved(model, KernelMetric(*kernels()), step=0.1)
    with torch.no_grad():
        z = q.rsample((20_000,))
        logs = model.log_joint(z) - q.log_prob(z) - model.log_evidence
        weights = logs.exp()
    error = weights.std(0) / len(weights) ** 0.5
    assert ((weights.mean(0) - 1.0).abs() < 4.0 * error).all()
    assert (error < 0.05).all()
    assert (logs.mean(0) < 0.0).all()


def test_gradients_of_the_bound_are_those_of_finite_differences():
    model = LinearGaussian()
    centroids, factors, *rest = kernels(4)

    def bound(loc, centroids, factors, step):
        torch.manual_seed(3)
        base = DiagonalNormal(loc, torch.ones(B, Z))
        metric = KernelMetric(centroids, factors, *rest)
        q = HamiltonianDistribution(base, model.log_joint, step, torch.tensor(0.4), 2, metric)
        z = q.rsample((2,))
        return model.log_joint(z) - q.log_prob(z)

    values = (torch.randn(B, Z), centroids, factors, torch.full((Z,), 0.1))
    assert torch.autograd.gradcheck(bound, [v.requires_grad_() for v in values])
