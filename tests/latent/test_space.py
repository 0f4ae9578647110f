"""Paths and charts against closed forms and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.spatial import geometric_slerp

from isthmus.data import DataSpec
from isthmus.errors import DataError, IsthmusError, OptionError, UnsupportedError
from isthmus.latent import SPACES, interpolate, linear, move, nearest, space_of, spherical
from isthmus.latent.space import Ball, Flat, Sphere
from isthmus.recipes import build_recipe
from isthmus.registry import Registry

pytestmark = pytest.mark.usefixtures("float64")
T = torch.linspace(0.0, 1.0, 7, dtype=torch.float64)


def pairs(n: int, count: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(count, n), torch.randn(count, n)


def test_spherical_is_scipys_on_the_unit_sphere():
    a, b = (F.normalize(v, dim=1) for v in pairs(4))
    ours = spherical(a, b, T).numpy()
    for path, first, last in zip(ours, a.numpy(), b.numpy(), strict=True):
        np.testing.assert_allclose(path, geometric_slerp(first, last, T.numpy()), atol=1e-12)


def test_spherical_is_shoemakes_formula_with_an_even_length():
    a, b = pairs(6)
    t = T[None, :, None]
    u, v = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
    omega = (u * v).sum(1).acos()[:, None, None]
    naive = ((1 - t) * omega).sin() / omega.sin() * u[:, None]
    naive = naive + (t * omega).sin() / omega.sin() * v[:, None]
    length = (1 - t) * a.norm(dim=1)[:, None, None] + t * b.norm(dim=1)[:, None, None]
    torch.testing.assert_close(spherical(a, b, T), naive * length)


def test_the_way_to_the_origin_and_from_it_is_straight():
    a, origin = torch.tensor([[1.0, 2.0, -2.0], [0.0, 0.0, 0.0]]), torch.zeros(2, 3)
    torch.testing.assert_close(spherical(origin, a, T), linear(origin, a, T))
    torch.testing.assert_close(spherical(a, origin, T), linear(a, origin, T))


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0])
def test_spherical_of_one_line_has_no_gap(factor):
    """Equal and opposite directions, where the formula divides by zero."""
    a = torch.tensor([[1.0, 2.0, -2.0]])
    path = spherical(a, factor * a, T)
    torch.testing.assert_close(path[:, 0], a)
    torch.testing.assert_close(path[:, -1], factor * a)
    torch.testing.assert_close(
        path.norm(dim=-1),
        linear(a.norm(dim=1)[:, None], abs(factor) * a.norm(dim=1)[:, None], T)[..., 0],
    )
    speed = path.diff(dim=1).norm(dim=-1)
    torch.testing.assert_close(speed, speed[:, :1].expand_as(speed))


def test_half_way_a_line_is_short_and_an_arc_is_not():
    """What the docstring of `interpolate` says of Gaussian codes in many dimensions."""
    n = 400
    a, b = pairs(n, 200)
    half = torch.tensor([0.5])
    assert linear(a, b, half).norm(dim=-1).mean() == pytest.approx(math.sqrt(n / 2), rel=0.01)
    assert spherical(a, b, half).norm(dim=-1).mean() == pytest.approx(math.sqrt(n), rel=0.01)


def hyperbolic(x, y, c):
    """The distance by the arc cosine, Mathieu et al. (2019), equation 1."""
    gap = (x - y).square().sum(-1)
    room = (1 - c * x.square().sum(-1)) * (1 - c * y.square().sum(-1))
    return (1 + 2 * c * gap / room).acosh() / math.sqrt(c)


@pytest.mark.parametrize("c", [1.0, 0.4])
def test_paths_of_the_ball_are_geodesics(c):
    ball = Ball(c)
    a, b = (ball.code(v) for v in pairs(3))
    path = ball.path(a, b, T)
    whole = hyperbolic(a, b, c)
    parts = hyperbolic(path[:, :-1], path[:, 1:], c)
    torch.testing.assert_close(parts, (whole / 6)[:, None].expand(-1, 6), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(path[:, -1], b)


@pytest.mark.parametrize("radius", [0.9, 0.99, 0.999])
def test_single_precision_keeps_the_ball_s_geometry_near_its_edge(radius):
    """Against the arc cosine hyperbolic of exact coordinates, in double precision."""

    def distance(x, y):
        gap = (x - y).square().sum(-1)
        room = (1.0 - x.square().sum(-1)) * (1.0 - y.square().sum(-1))
        return (1.0 + 2.0 * gap / room).acosh()

    a = (radius * F.normalize(torch.randn(50, 3), dim=1)).float()
    near = (a + 0.05 * (1.0 - radius) * torch.randn(50, 3)).float()
    far = a.flip(0)
    for b in (near, far):
        exact = distance(a.double(), b.double())
        torch.testing.assert_close(Ball(1.0).distance(a, b).double(), exact, rtol=1e-5, atol=1e-6)
        path = Ball(1.0).path(a, b, T.float())
        assert path.dtype == torch.float32
        ours = distance(a.double(), path[:, 3].double())
        torch.testing.assert_close(ours, exact / 2.0, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("space", [Flat(), Sphere(), Ball(1.0), Ball(0.3)])
def test_the_chart_and_back(space):
    z = space.code(0.7 * torch.randn(9, 4))
    torch.testing.assert_close(space.code(space.chart(z)), z)
    torch.testing.assert_close(space.move(z, torch.zeros(4)), z)
    for end, of in ((0, z), (-1, z.flip(0))):
        torch.testing.assert_close(space.path(z, z.flip(0), T)[:, end], of)


RECIPES = {
    "vae": Flat,
    "ae": Flat,
    "ladder-vae": Flat,
    "svae": Sphere,
    "poincare-vae": Ball,
    "joint-vae": Flat,
    "categorical-vae": Flat,
}


def model_of(recipe: str):
    spec = DataSpec("table", (6,), "real", 50)
    return build_recipe(recipe, spec, latent_dim=4).model


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_space_keeps_its_codes(recipe):
    model = model_of(recipe)
    assert type(space_of(model.posterior)) is RECIPES[recipe]
    x = torch.randn(8, 6)
    z = model.encode(x)
    path = interpolate(model, z[:4], z[4:], 5)
    assert path.shape == (4, 5, *model.latent_shape)
    torch.testing.assert_close(path[:, 0], z[:4], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(path[:, -1], z[4:], rtol=1e-4, atol=1e-5)
    assert not path.requires_grad
    inside = path.flatten(2).norm(dim=-1)
    if recipe == "svae":
        torch.testing.assert_close(inside, torch.ones_like(inside))
    if recipe == "poincare-vae":
        assert (inside < 1).all()
    if recipe in ("joint-vae", "categorical-vae"):
        chances = path[..., -10:].sum(-1)
        torch.testing.assert_close(chances, torch.ones_like(chances))
        with pytest.raises(OptionError, match="probabilities"):
            interpolate(model, z[:4], z[4:], 5, "spherical")


def test_categories_stay_while_the_rest_moves():
    model = model_of("joint-vae")
    z = model.encode(torch.randn(3, 6))
    moved = move(model, z, torch.ones(model.latent_shape), 2.0)
    torch.testing.assert_close(moved[:, :4], z[:, :4] + 2.0)
    torch.testing.assert_close(moved[:, 4:], z[:, 4:])
    with pytest.raises(UnsupportedError, match="categories alone"):
        space_of(model_of("categorical-vae").posterior, moving=True)


def test_integers_are_refused_in_one_line():
    model = model_of("vq-vae")
    z = model.encode(torch.randn(2, 6))
    with pytest.raises(UnsupportedError, match="integers") as refused:
        interpolate(model, z, z)
    assert "\n" not in str(refused.value)


def test_every_space_of_a_posterior_is_known_or_refused():
    """No posterior is added whose space these tools have never heard of."""
    kinds = {e.factory.space.split()[0] for e in Registry._all["posterior"]}
    assert kinds == {e.name for e in SPACES} | {"codes"}


def test_refusals(linear_model):
    a = torch.zeros(2, 3)
    linear_model.double()
    for bad, match in (
        (lambda: interpolate(linear_model, a, a, 1), "at least 2 steps"),
        (lambda: interpolate(linear_model, a, a[:1]), "one partner"),
        (lambda: interpolate(linear_model, a[:, :2], a), "of shape"),
        (lambda: interpolate(linear_model, a.long(), a), "integer codes"),
        (lambda: interpolate(linear_model, a, a, 3, "lienar"), "Did you mean 'linear'"),
        (lambda: nearest(linear_model, a, a, 3), "from 1 to 2"),
    ):
        with pytest.raises(IsthmusError, match=match) as refused:
            bad()
        assert refused.value.exit_code == 2
    with pytest.raises(DataError):
        move(linear_model, a, torch.zeros(3), torch.zeros(5))
