"""Bijections against autograd's Jacobian, their inverses, and densities that integrate to one."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from isthmus.distributions import Affine, DiagonalNormal, Planar, Pushforward, Radial, Sylvester
from isthmus.distributions.bijections import solve_monotone

pytestmark = pytest.mark.usefixtures("float64")
B = 3


def affine(size):
    return Affine(torch.randn(B, size), torch.rand(B, size) + 0.3)


def planar(size):
    return Planar(torch.randn(B, size), torch.randn(B, size), torch.randn(B))


def radial(size):
    return Radial(torch.randn(B, size), torch.randn(B), torch.randn(B))


def sylvester(size, columns=None):
    m = size if columns is None else columns
    left, right = 0.7 * torch.randn(2, B, m, m)
    return Sylvester(torch.randn(B, 3, size), left, right, torch.randn(B, m))


def thin_sylvester(size):
    return sylvester(size, columns=max(1, size - 2))


EVERY = (affine, planar, radial, sylvester, thin_sylvester)


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("make", EVERY)
def test_log_determinants_are_those_of_autograds_jacobian(make, size):
    bijection = make(size)
    e = 1.5 * torch.randn(B, size)
    _, log_det = bijection.forward(e)
    whole = torch.autograd.functional.jacobian(lambda t: bijection.forward(t)[0], e)
    for b in range(B):
        sign, expected = torch.linalg.slogdet(whole[b, :, b])
        assert sign == 1.0
        torch.testing.assert_close(log_det[b], expected)


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("make", EVERY)
def test_inverses_bring_back_the_value_the_determinant_and_the_gradient(make, size):
    bijection = make(size)
    e = 2.0 * torch.randn(3, B, size)
    z, log_det = bijection.forward(e)
    back, log_det_back = bijection.inverse(z)
    torch.testing.assert_close(back, e, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(log_det_back, log_det, atol=1e-8, rtol=1e-8)
    z = z[0].detach().requires_grad_()
    assert gradcheck(bijection.inverse, (z,), atol=1e-6)


def test_the_root_of_the_scalar_equation_has_the_implicit_gradient():
    y, slope, shift = torch.randn(3, 20)
    gain = torch.rand(20) * 3.0 * slope.sign()
    values = [t.requires_grad_() for t in (y, gain, slope, shift)]
    x = solve_monotone(*values)
    torch.testing.assert_close(x + gain * (slope * x + shift).tanh(), y)
    assert gradcheck(solve_monotone, values, atol=1e-6)


def test_planar_flows_stay_one_to_one_however_they_are_parameterised():
    along = []
    for _ in range(50):
        flow = planar(3)
        along.append((flow.w * flow.u).sum(-1))
        torch.testing.assert_close(along[-1], flow.along)
    assert torch.cat(along).min() > -1.0


def test_a_planar_flow_without_a_direction_does_not_move_far():
    u, w = torch.randn(B, 2), 1e-4 * torch.randn(B, 2)
    flow = Planar(u, w, torch.randn(B))
    assert ((flow.u - u).norm(dim=-1) <= u.norm(dim=-1)).all()


def test_the_thin_sylvester_of_one_column_is_a_planar_flow():
    direction = torch.randn(B, 1, 3)
    left, right = torch.full((B, 1, 1), 0.7), torch.full((B, 1, 1), -0.4)
    b = torch.randn(B, 1)
    flow = Sylvester(direction, left, right, b)
    q = torch.zeros(B, 3)
    q[:, 0] = 1.0
    unit = direction[:, 0] / direction[:, 0].norm(dim=-1, keepdim=True)
    q = q - 2.0 * unit[:, :1] * unit  # the first column of the reflection
    e = torch.randn(4, B, 3)
    inner = math.tanh(-0.4) * (q * e).sum(-1) + b[:, 0]
    expected = e + math.tanh(0.7) * q * inner.tanh().unsqueeze(-1)
    torch.testing.assert_close(flow.forward(e)[0], expected)


def composed(size):
    base = DiagonalNormal(torch.randn(B, size), torch.rand(B, size) + 0.5)
    return Pushforward(base, [make(size) for make in EVERY])


def test_a_density_is_the_same_for_a_draw_and_for_its_copy():
    q = composed(3)
    z = q.rsample((5,))
    torch.testing.assert_close(q.log_prob(z), q.log_prob(z.clone()), atol=1e-7, rtol=1e-7)
    earlier, later = z, q.rsample((5,))
    torch.testing.assert_close(q.log_prob(earlier), q.density(earlier))
    torch.testing.assert_close(q.log_prob(later), q.density(later))


@pytest.mark.parametrize("make", EVERY)
def test_the_density_integrates_to_one(make):
    q = Pushforward(DiagonalNormal(torch.zeros(B, 2), torch.ones(B, 2)), [make(2)])
    with torch.no_grad():
        line = torch.linspace(-8.0, 8.0, 201)
        grid = torch.cartesian_prod(line, line).unsqueeze(1)
        total = q.log_prob(grid).exp().sum(0) * (line[1] - line[0]) ** 2
    torch.testing.assert_close(total, torch.ones(B), atol=2e-3, rtol=0)


def test_what_was_drawn_without_gradients_is_worked_out_anew_where_they_are_wanted():
    loc = torch.zeros(B, 2, requires_grad=True)
    q = Pushforward(DiagonalNormal(loc, torch.ones(B, 2)), [planar(2)])
    z = q.sample((3,))
    score = torch.autograd.grad(q.log_prob(z).sum(), loc)[0]
    e, _ = q.bijections[0].inverse(z)
    torch.testing.assert_close(score, e.sum(0))


def test_codes_of_any_shape():
    base = DiagonalNormal(torch.randn(B, 6), torch.ones(B, 6))
    q, flat = (Pushforward(base, [Affine(base.loc, base.scale)], s) for s in ((2, 3), None))
    z = q.rsample((4,))
    assert z.shape == (4, B, 2, 3)
    assert (q.batch_shape, q.event_shape) == ((B,), (2, 3))
    torch.testing.assert_close(q.log_prob(z), flat.log_prob(z.flatten(2)))
    assert q.mean.shape == (B, 2, 3)
