"""Directions, neighbours, traversals, aggregates and edits against closed forms and naive code."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import chi2
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from isthmus.data import DataSpec
from isthmus.data.spec import ConditionColumn
from isthmus.errors import DataError, IsthmusError, OptionError, UnknownNameError, UnsupportedError
from isthmus.latent import (
    Aggregate,
    analogy,
    attribute,
    centre,
    edit,
    information,
    move,
    nearest,
    nearest_by_posterior,
    shortest_paths,
    traverse,
)
from isthmus.recipes import build_recipe

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture
def model(linear_model):
    return linear_model.double()


def codes_of(model, recipe_rows=200):
    x = torch.randn(recipe_rows, 5)
    return x, model.encode(x)


# Attributes


def test_the_means_direction_of_a_class(model):
    _, z = codes_of(model)
    labels = np.where(z[:, 0].numpy() > 0.2, "long", "short")
    found = attribute(model, z, labels, "long", name="length")
    inside = torch.tensor(labels == "long")
    torch.testing.assert_close(found.vector, z[inside].mean(0) - z[~inside].mean(0))
    assert (found.measure, found.name) == ("AUC", "length")
    assert found.score.value > 0.97
    moved = move(model, z[~inside].mean(0, keepdim=True), found.vector)
    torch.testing.assert_close(moved[0], z[inside].mean(0))


def test_the_means_direction_of_a_number(model):
    """The mean code of a datum whose number is one standard deviation up."""
    z = torch.randn(20_000, 3)
    values = z[:, 0] + 0.5 * z[:, 1]
    found = attribute(model, z, values)
    # E[z | v] = Cov(z, v) / Var(v) v, with Var(v) = 1.25.
    expected = torch.tensor([1.0, 0.5, 0.0]) / math.sqrt(1.25)
    torch.testing.assert_close(found.vector, expected, rtol=0, atol=0.03)
    assert found.score.value == pytest.approx(1.0)
    slope = np.array([np.polyfit(values.numpy(), z[:, j].numpy(), 1)[0] for j in range(3)])
    np.testing.assert_allclose(found.vector.numpy(), slope * values.numpy().std(), rtol=1e-8)


def test_the_normal_leaves_what_goes_along_alone(model):
    """Two correlated numbers: the difference of means takes the second along, the normal not."""
    random = torch.randn(4000, 3)
    z = torch.stack([random[:, 0], 0.9 * random[:, 0] + 0.4 * random[:, 1], random[:, 2]], 1)
    along = attribute(model, z, z[:, 0])
    across = attribute(model, z, z[:, 0], method="normal")
    assert along.vector[1] == pytest.approx(0.9, abs=0.03)
    torch.testing.assert_close(across.vector, torch.tensor([1.0, 0.0, 0.0]), rtol=0, atol=0.03)


def test_values_of_any_kind(model):
    _, z = codes_of(model, 60)
    marks = z[:, 1] > 0
    plain = attribute(model, z, marks).vector
    torch.testing.assert_close(attribute(model, z, marks.long(), 1).vector, plain)
    torch.testing.assert_close(attribute(model, z, marks.long(), 0).vector, -plain)
    with pytest.raises(UnknownNameError, match="Did you mean 'red'"):
        attribute(model, z, np.where(marks, "red", "blue"), "rad")
    with pytest.raises(OptionError, match="words"):
        attribute(model, z, np.where(marks, "red", "blue"))
    with pytest.raises(DataError, match="rows"):
        attribute(model, z, marks[:-1])


def test_arithmetic(model):
    a, b, c = torch.randn(3, 4, 3)
    torch.testing.assert_close(analogy(model, a, b, c), c + b - a)
    ball = build_recipe("poincare-vae", DataSpec("table", (5,), "real", 9), latent_dim=3).model
    inside = 0.3 * torch.randn(3, 4, 3).tanh()
    torch.testing.assert_close(analogy(ball, inside[0], inside[1], inside[0]), inside[1])
    assert (move(ball, inside[0], 50.0 * torch.ones(3)).norm(dim=1) < 1).all()


# Neighbours


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_neighbours_are_scipys(model, metric):
    queries, codes = torch.randn(7, 3), torch.randn(50, 3)
    found = nearest(model, queries, codes, 4, metric=metric)
    distances = cdist(queries.numpy(), codes.numpy(), metric)
    np.testing.assert_array_equal(found.indices.numpy(), distances.argsort(1)[:, :4])
    np.testing.assert_allclose(found.distances.numpy(), np.sort(distances, 1)[:, :4], atol=1e-12)


def test_neighbours_on_curved_spaces():
    spec = DataSpec("table", (5,), "real", 9)
    sphere = build_recipe("svae", spec, latent_dim=3).model
    z = torch.nn.functional.normalize(torch.randn(9, 3), dim=1)
    found = nearest(sphere, z[:2], z[2:], 7, metric="natural")
    angles = (z[:2] @ z[2:].T).acos().sort(1).values
    torch.testing.assert_close(found.distances, angles)
    ball = build_recipe("poincare-vae", spec, latent_dim=3).model
    y = 0.5 * z * torch.rand(9, 1)
    gap = (y[:2, None] - y[None, 2:]).square().sum(-1)
    room = (1 - y[:2].square().sum(1))[:, None] * (1 - y[2:].square().sum(1))
    torch.testing.assert_close(
        nearest(ball, y[:2], y[2:], 7, metric="natural").distances,
        (1 + 2 * gap / room).acosh().sort(1).values,
    )


def test_neighbours_by_the_posterior_are_scaled_distances(model):
    x, z = codes_of(model, 40)
    found = nearest_by_posterior(model, x[:6], z, 5, batch_size=4)
    q = model.infer(x[:6])
    scaled = cdist((q.mean / q.stddev).detach().numpy(), (z / q.stddev[0]).detach().numpy())
    np.testing.assert_array_equal(found.indices.numpy(), scaled.argsort(1)[:, :5])
    expected = -Normal(q.mean, q.stddev).log_prob(z[found.indices[:, 0]]).sum(1)
    torch.testing.assert_close(found.distances[:, 0], expected.detach())
    assert not found.distances.requires_grad
    plain = build_recipe("ae", DataSpec("table", (5,), "real", 9), latent_dim=3).model
    with pytest.raises(UnsupportedError, match="no density of a code"):
        nearest_by_posterior(plain, x, plain.encode(x))


# The aggregated posterior


def test_distance_is_mahalanobis_and_quantile_its_rank(model):
    z = torch.randn(4000, 3) @ torch.tensor([[1.0, 0.5, 0.0], [0.0, 2.0, 0.3], [0.0, 0.0, 0.1]])
    aggregate = Aggregate.of(model, z)
    some = z[:50] * 1.7
    covariance = np.linalg.inv(np.cov(z.numpy().T))
    expected = cdist(some.numpy(), z.mean(0, keepdim=True).numpy(), "mahalanobis", VI=covariance)
    np.testing.assert_allclose(aggregate.distance(some).numpy(), expected[:, 0], rtol=1e-10)
    # Codes that are Gaussian have chi-squared distances.
    ideal = chi2.cdf(expected[:, 0] ** 2, 3)
    np.testing.assert_allclose(aggregate.quantile(some).numpy(), ideal, atol=0.03)
    assert float(aggregate.quantile(z).mean()) == pytest.approx(0.5, abs=1e-3)
    # A latent in which nothing happens says nothing of a code.
    flat = torch.cat([z[:, :2], torch.zeros(4000, 1)], 1)
    off = torch.tensor([[0.0, 0.0, 9.0]])
    assert Aggregate.of(model, flat).distance(off) < 0.2
    with pytest.raises(DataError, match="at least 2"):
        Aggregate.of(model, z[:1])


# Traversals


def test_information_is_the_mean_rate(model):
    x, _ = codes_of(model, 30)
    found = information(model, x, batch_size=7)
    q = model.infer(x)
    rates = kl_divergence(Normal(q.mean, q.stddev), Normal(0.0, 1.0)).mean(0)
    torch.testing.assert_close(found.amount, rates.detach())
    assert found.unit == "nats"
    assert found.order.tolist() == rates.argsort(descending=True).tolist()
    plain = build_recipe("ae", DataSpec("table", (5,), "real", 9), latent_dim=3).model.double()
    told = information(plain, x)
    assert told.unit == "variance"
    torch.testing.assert_close(told.amount, plain.encode(x).var(0, correction=0))


def test_a_traversal_moves_one_number_over_the_aggregated_posterior(model):
    x = torch.randn(6000, 5)
    start = torch.randn(2, 3)
    found = traverse(model, x, start, dimensions=2, steps=5, quantiles=(0.1, 0.9))
    assert found.codes.shape == (2, 2, 5, 3)
    q = model.infer(x)
    # The aggregate of Gaussians of one scale whose means are Gaussian.
    spread = (q.mean.var(0) + q.stddev[0] ** 2).sqrt().detach()
    for d, j in enumerate(found.dimensions.tolist()):
        ideal = Normal(q.mean.mean(0)[j].detach(), spread[j]).icdf(torch.tensor([0.1, 0.9]))
        torch.testing.assert_close(found.values[d, [0, -1]], ideal, rtol=0, atol=0.2)
        torch.testing.assert_close(found.codes[:, d, :, j], found.values[d].expand(2, -1))
        others = [i for i in range(3) if i != j]
        kept = start[:, None, others].expand(-1, 5, -1)
        torch.testing.assert_close(found.codes[:, d][..., others], kept)
    assert found.dimensions.tolist() == found.information.order[:2].tolist()
    assert traverse(model, x, steps=2).codes.shape == (1, 3, 2, 3)
    torch.testing.assert_close(centre(model, x), torch.zeros(1, 3))
    with pytest.raises(OptionError, match="quantiles"):
        traverse(model, x, quantiles=(0.9, 0.1))


@pytest.mark.parametrize("recipe", ["svae", "poincare-vae", "joint-vae", "flow-prior-vae", "ae"])
def test_traversals_stay_in_their_space(recipe):
    spec = DataSpec("table", (5,), "real", 9)
    model = build_recipe(recipe, spec, latent_dim=3).model.double()
    found = traverse(model, torch.randn(50, 5), dimensions=9, steps=4)
    assert found.codes.isfinite().all()
    assert len(found.dimensions) == 3
    norms = found.codes.flatten(3).norm(dim=-1)
    if recipe == "svae":
        torch.testing.assert_close(norms, torch.ones_like(norms))
        for d, j in enumerate(found.dimensions.tolist()):
            torch.testing.assert_close(found.codes[0, d, :, j], found.values[d])
    if recipe == "poincare-vae":
        assert (norms < 1).all()


# Edits


def test_an_edit_of_a_linear_model_in_closed_form(model):
    """E[x] = W (m + b v) + c, and the spread is that of W z."""
    x, z = codes_of(model, 6)
    vector, by = torch.randn(3), torch.linspace(-1, 2, 6)
    weight = model.decoder.layers[1].weight.detach()
    aggregate = Aggregate.of(model, z)
    torch.manual_seed(1)
    draws = 4000
    found = edit(model, x, vector, by, draws=draws, aggregate=aggregate)
    expected = z + by[:, None] * vector
    torch.testing.assert_close(found.codes, expected)
    scales = model.infer(x).stddev[0].detach()
    spread = (weight.square() @ scales.square()).sqrt()
    torch.testing.assert_close(found.spread, spread.expand(6, -1), rtol=0.06, atol=0)
    error = 5 * spread / math.sqrt(draws)
    assert ((found.mean - model.decode(expected)).abs() < error).all()
    normal = MultivariateNormal(torch.zeros(3), torch.eye(3))
    torch.testing.assert_close(found.log_prior, normal.log_prob(expected))
    torch.testing.assert_close(found.quantile, aggregate.quantile(expected).to(found.quantile))
    assert not found.mean.requires_grad


def test_the_posterior_is_a_point_and_nothing_is_open():
    plain = build_recipe("ae", DataSpec("table", (5,), "real", 9), latent_dim=3).model.double()
    x = torch.randn(4, 5)
    found = edit(plain, x, torch.zeros(3), draws=3)
    torch.testing.assert_close(found.mean, plain.reconstruct(x))
    assert found.spread.abs().max() < 1e-7
    assert found.quantile.isnan().all()


def test_conditions_are_passed_and_may_change():
    spec = DataSpec("table", (5,), "real", 9, condition=(ConditionColumn("label", ("a", "b")),))
    model = build_recipe("cvae", spec, latent_dim=3).model.double()
    x, told = torch.randn(4, 5), torch.eye(2)[[0, 1, 0, 1]]
    other = torch.eye(2)[1]
    torch.manual_seed(0)
    found = edit(model, x, torch.ones(3), 0.0, draws=2, condition=told, target=other)
    torch.manual_seed(0)
    drawn = model.evidence(x, 2, condition=told).z.detach()
    again = torch.stack([model.decode(z, condition=other) for z in drawn]).mean(0)
    torch.testing.assert_close(found.mean, again)
    assert traverse(model, x, condition=told).codes.isfinite().all()


def test_batches_change_nothing_of_the_mean_codes_and_training_goes_on(model):
    x, _ = codes_of(model, 9)
    model.train()
    whole = edit(model, x, torch.ones(3), draws=4)
    parts = edit(model, x, torch.ones(3), draws=4, batch_size=8)
    torch.testing.assert_close(whole.codes, parts.codes)
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_what_rests_in_evaluation_mode_during_training_goes_on_resting(model):
    x, z = codes_of(model, 9)
    model.train()
    model.encoder.eval()
    edit(model, x, torch.ones(3))
    traverse(model, x)
    nearest_by_posterior(model, x, z, 2)
    shortest_paths(model, z[:1], z[1:2], 3, iterations=1)
    model.impute(x, 2)
    assert not model.encoder.training
    assert model.decoder.training


def test_edits_are_refused_in_one_line(model):
    x = torch.randn(2, 5)
    quantised = build_recipe("vq-vae", DataSpec("table", (5,), "real", 9), latent_dim=3).model
    for bad, match in (
        (lambda: edit(model, x, torch.ones(3), draws=0), "at least one draw"),
        (lambda: edit(model, x[:, :4], torch.ones(3)), "do not fit this model"),
        (lambda: edit(quantised.double(), x, torch.ones(3)), "integers"),
    ):
        with pytest.raises(IsthmusError, match=match) as refused:
            bad()
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("vae", {"network": "map"}),
        ("vae", {"network": "conv"}),
        ("semi-amortised", {"network": "mlp", "hidden": (8,)}),
    ],
)
def test_codes_of_any_shape(recipe, options):
    """Maps of codes, and posteriors that ask for gradients on their own."""
    spec = DataSpec("image", (1, 16, 16), "unit", 9)
    built = build_recipe(recipe, spec, latent_dim=2, **options).model.double()
    x, shape = torch.rand(12, 1, 16, 16), built.latent_shape
    z = built.encode(x)
    found = traverse(built, x, z[:2], dimensions=3, steps=4)
    assert found.codes.shape == (2, len(found.dimensions), 4, *shape)
    moved = (found.codes - z[:2, None, None]).flatten(3).abs() > 1e-9
    assert (moved.sum(-1) <= 1).all()
    direction = attribute(built, z, torch.arange(12) % 2 == 0)
    assert direction.vector.shape == shape
    edited = edit(built, x, direction, draws=2, aggregate=Aggregate.of(built, z))
    assert edited.mean.shape == edited.spread.shape == x.shape
    torch.testing.assert_close(edited.codes, z + direction.vector, rtol=1e-3, atol=1e-5)
    assert nearest(built, z[:2], z, 1).indices[:, 0].tolist() == [0, 1]
