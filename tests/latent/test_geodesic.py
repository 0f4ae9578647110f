"""Shortest paths on surfaces whose geodesics are known."""

from __future__ import annotations

import math

import pytest
import torch

from isthmus.data import DataSpec
from isthmus.errors import DataError, OptionError
from isthmus.latent import interpolate, shortest_paths
from isthmus.likelihoods import DatumGaussianLikelihood
from isthmus.recipes import build_recipe

pytestmark = pytest.mark.usefixtures("float64")
STEPS = 33


def sphere(v):
    polar, round_ = v[:, 0], v[:, 1]
    flat = polar.sin()
    return torch.stack([flat * round_.cos(), flat * round_.sin(), polar.cos()], 1)


def test_great_circles_of_a_sphere(surface):
    a = torch.tensor([[0.6, 0.0], [1.0, -1.0]])
    b = torch.tensor([[0.7, 2.0], [2.0, 1.0]])
    model = surface(sphere, 2, 3)
    found = shortest_paths(model, a, b, STEPS)
    first, last = sphere(a), sphere(b)
    arc = (first * last).sum(1).acos()
    # Chords of equal arcs are the least that a broken line on the sphere takes.
    chords = 2 * (STEPS - 1) * (arc / (2 * (STEPS - 1))).sin()
    torch.testing.assert_close(found.length, chords, rtol=1e-8, atol=0)
    assert (found.straight_length > 1.1 * arc).any()
    on_sphere = sphere(found.codes.flatten(0, 1)).reshape(2, STEPS, 3)
    normal = torch.linalg.cross(first, last)
    assert (on_sphere * normal[:, None]).sum(-1).abs().max() < 1e-6
    torch.testing.assert_close(found.codes[:, 0], a)
    torch.testing.assert_close(found.codes[:, -1], b)
    speed = on_sphere.diff(dim=1).norm(dim=-1)
    torch.testing.assert_close(speed, speed[:, :1].expand_as(speed), rtol=1e-5, atol=0)


def test_energy_never_rises_and_is_that_of_the_path(surface):
    a, b = torch.tensor([[0.4, 0.0]]), torch.tensor([[0.5, 2.9]])
    found = shortest_paths(surface(sphere, 2, 3), a, b, STEPS, iterations=40)
    assert found.energy.shape == (41, 1)
    assert (found.energy.diff(dim=0) <= 0).all()
    assert found.energy[-1] < 0.6 * found.energy[0]
    steps = sphere(found.codes[0]).diff(dim=0)
    assert found.energy[-1, 0] == pytest.approx(0.5 * (STEPS - 1) * float(steps.square().sum()))


def test_a_cylinder_unrolls(surface):
    """Its geodesics are straight in the angle and the height."""
    model = surface(lambda z: torch.stack([z[:, 0].cos(), z[:, 0].sin(), 2 * z[:, 1]], 1), 2, 3)
    a, b = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 1.0]])
    bent = interpolate(model, a, b, 41)
    bent[:, 1:-1] += 0.3 * torch.randn(1, 39, 2)
    found = shortest_paths(model, a, b, 41, start=bent)
    torch.testing.assert_close(found.codes, interpolate(model, a, b, 41), rtol=0, atol=1e-5)
    assert float(found.length) == pytest.approx(math.hypot(3, 2), rel=1e-3)


def test_a_linear_decoder_has_straight_lines(linear_model):
    model = linear_model.double()
    a, b = torch.randn(4, 3), torch.randn(4, 3)
    line = interpolate(model, a, b, 9)
    bent = line.clone()
    bent[:, 1:-1] += torch.randn(4, 7, 3)
    found = shortest_paths(model, a, b, 9, start=bent, batch_size=18)
    torch.testing.assert_close(found.codes, line, rtol=0, atol=1e-5)
    straight = shortest_paths(model, a, b, 9, iterations=3)
    torch.testing.assert_close(straight.codes, line)
    torch.testing.assert_close(straight.length, straight.straight_length)
    ends = model.decode(a) - model.decode(b)
    torch.testing.assert_close(found.length, ends.norm(dim=1))


def test_uncertainty_is_the_metric_of_the_scale_too(surface):
    """A mean that is a plane and a scale that is a hill: the way leads round the hill."""

    def of(z):
        height = -1.0 + 3.0 * (-4.0 * z.square().sum(1, keepdim=True)).exp()
        return torch.stack([z, height.expand(-1, 2)], 1)

    likelihood = DatumGaussianLikelihood((2,))
    assert likelihood.parameter_shape() == (2, 2)
    plane = surface(of, 2, 2, likelihood)
    a, b = torch.tensor([[-1.5, 0.1]]), torch.tensor([[1.5, 0.1]])
    plain = shortest_paths(plane, a, b, 25)
    aware = shortest_paths(plane, a, b, 25, uncertainty=True)
    torch.testing.assert_close(plain.codes[..., 1], torch.full((1, 25), 0.1))
    assert aware.codes[..., 1].max() > 0.4
    assert aware.length < aware.straight_length


def test_conditions_and_batches_change_nothing():
    spec = DataSpec("table", (6,), "real", 50)
    model = build_recipe("vae", spec, latent_dim=2).model.double().train()
    a, b = torch.randn(5, 2), torch.randn(5, 2)
    whole = shortest_paths(model, a, b, 6, iterations=8)
    parts = shortest_paths(model, a, b, 6, iterations=8, batch_size=7)
    torch.testing.assert_close(whole.codes, parts.codes)
    torch.testing.assert_close(whole.energy, parts.energy)
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert not whole.codes.requires_grad


def test_on_a_sphere_of_codes_paths_stay_on_it():
    spec = DataSpec("table", (6,), "real", 50)
    model = build_recipe("svae", spec, latent_dim=3).model.double()
    z = model.encode(torch.randn(4, 6))
    found = shortest_paths(model, z[:2], z[2:], 7, iterations=10)
    torch.testing.assert_close(found.codes.norm(dim=-1), torch.ones(2, 7))
    assert (found.length <= found.straight_length + 1e-9).all()


def test_refusals(linear_model):
    z = torch.zeros(2, 3)
    model = linear_model.double()
    with pytest.raises(OptionError, match="negative"):
        shortest_paths(model, z, z, iterations=-1)
    with pytest.raises(DataError, match="start with"):
        shortest_paths(model, z, z, 5, start=torch.zeros(2, 4, 3))
    assert shortest_paths(model, z, z + 1, 2).codes.shape == (2, 2, 3)
