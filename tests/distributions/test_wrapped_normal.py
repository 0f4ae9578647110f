"""The wrapped normal against quadrature, the Jacobian, and the hyperbolic distance."""

import math

import pytest
import torch

from isthmus.distributions import DiagonalNormal, WrappedNormal
from isthmus.distributions.wrapped_normal import exp_map, log_map, within_ball

pytestmark = pytest.mark.usefixtures("float64")

CURVATURES = [0.3, 1.0, 2.5]


def distance(x, y, c):
    """The closed form by arcosh, which the maps do not use."""
    gap = (x - y).square().sum(-1)
    edges = (1 - c * x.square().sum(-1)) * (1 - c * y.square().sum(-1))
    return torch.acosh(1 + 2 * c * gap / edges) / math.sqrt(c)


def points(n, width, c):
    x = torch.randn(n, width)
    return 0.9 / math.sqrt(c) * torch.rand(n, 1) * x / x.norm(dim=-1, keepdim=True)


def polar_grid(c, rings=1500, spokes=240):
    """Points of the disc and the volume that each stands for."""
    edge = 14.0 / math.sqrt(c)
    r = (torch.arange(rings) + 0.5) * edge / rings
    phi = (torch.arange(spokes) + 0.5) * 2 * math.pi / spokes
    radius = torch.tanh(0.5 * math.sqrt(c) * r) / math.sqrt(c)
    x = radius[:, None, None] * torch.stack([phi.cos(), phi.sin()], -1)
    # A circle of hyperbolic radius r has the length 2 pi sinh(sqrt(c) r) / sqrt(c).
    volume = torch.sinh(math.sqrt(c) * r) / math.sqrt(c) * (edge / rings) * (2 * math.pi / spokes)
    return x.flatten(0, 1), volume.repeat_interleave(spokes)


@pytest.mark.parametrize("c", CURVATURES)
def test_the_maps_are_inverse_and_keep_distances(c):
    x, y = points(50, 4, c), points(50, 4, c)
    u = log_map(x, y, c)
    torch.testing.assert_close(exp_map(x, u, c), y)
    torch.testing.assert_close(u.norm(dim=-1), distance(x, y, c))


@pytest.mark.parametrize("c", CURVATURES)
@pytest.mark.parametrize("scale", [(0.5, 0.5), (0.3, 1.0)])
def test_the_density_integrates_to_one(c, scale):
    loc = torch.tensor([0.4, -0.3]) / math.sqrt(c)
    q = WrappedNormal(loc, torch.tensor(scale), c)
    z, volume = polar_grid(c)
    density = q.log_prob(z).exp() * volume
    assert density.sum().item() == pytest.approx(1.0, abs=2e-4)
    x = q.sample((20_000,))
    far = x.norm(dim=-1)
    expected = (density * z.norm(dim=-1)).sum()
    assert (far.mean() - expected).abs() < 4 * far.std() / 20_000**0.5


@pytest.mark.parametrize("c", CURVATURES)
@pytest.mark.parametrize("width", [1, 2, 5])
def test_the_log_determinant_is_autograd_s(c, width):
    loc = points(1, width, c)[0]
    scale = 0.2 + torch.rand(width)
    q = WrappedNormal(loc, scale, c)
    u = 1.5 * scale * torch.randn(width)
    z = exp_map(loc, u, c)
    jacobian = torch.autograd.functional.jacobian(lambda t: exp_map(loc, t, c), u)
    conformal = 2.0 / (1.0 - c * z.square().sum())
    by_volume = torch.linalg.slogdet(jacobian)[1] + width * conformal.log()
    expected = DiagonalNormal(torch.zeros(width), scale).log_prob(u) - by_volume
    torch.testing.assert_close(q.log_prob(z), expected)


def test_near_its_centre_the_gradient_is_the_gaussian_s():
    loc = torch.tensor([0.1, 0.2], requires_grad=True)
    q = WrappedNormal(loc, torch.ones(2))
    q.log_prob(loc.detach().clone()).backward()
    torch.testing.assert_close(loc.grad, torch.zeros(2), atol=1e-7, rtol=0)
    centres, z = points(3, 2, 1.0).requires_grad_(), points(3, 2, 1.0).requires_grad_()
    scale = torch.rand(3, 2).add(0.3).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda m, s, z: WrappedNormal(m, s).log_prob(z), (centres, scale, z)
    )


def test_single_precision_stays_inside_the_ball():
    loc = within_ball(torch.tensor([[1.0, 0.0], [0.0, 3.0]], dtype=torch.float32), 1.0)
    q = WrappedNormal(loc, torch.full((2, 2), 5.0, dtype=torch.float32))
    z = q.rsample((200,))
    assert (z.norm(dim=-1) < 1.0).all()
    assert q.log_prob(z).isfinite().all()
    assert q.expand((3, 2)).sample().shape == (3, 2, 2)
