"""What a recipe can ask of `assemble` beside the common options."""

import pytest
import torch

from isthmus.data import DataSpec
from isthmus.errors import OptionError
from isthmus.networks import KLEncoder
from isthmus.objectives import Elbo
from isthmus.recipes import build_recipe
from isthmus.recipes.base import Axes, assemble
from isthmus.registry import build, describe, pick


def built(support="unit", shape=(1, 9, 6), likelihood="gaussian", **options):
    spec = DataSpec("image", shape, support, 20)
    axes = Axes(latent_dim=3, likelihood=likelihood)
    return assemble(
        spec,
        axes,
        Elbo(),
        posterior=pick("spatial-gaussian"),
        network=pick("kl", channels=(4, 8), groups=4, checkpointing=True),
        downsample=2,
        **options,
    ).model


def test_a_network_with_options_of_its_own():
    model = built(scaling="symmetric")
    assert isinstance(model.encoder, KLEncoder)
    assert model.encoder.checkpointing
    assert model.latent_shape == (3, 5, 3)
    x = torch.rand(2, 1, 9, 6)
    torch.testing.assert_close(model.scaling(x), 2 * x - 1)
    assert model.encode(x, "argmax").equal(model.encode(x))
    assert model.reconstruct(x).shape == x.shape
    model.evidence(x).distortion.mean().backward()
    again = build(describe(model))
    again.load_state_dict(model.state_dict())
    assert again.encode(x).equal(model.encode(x))


@pytest.mark.parametrize(
    ("support", "likelihood", "per"),
    [
        ("unit", "gaussian", "symmetric"),
        ("real", "gaussian", "datum"),
        ("unit", "bernoulli", "none"),
    ],
)
def test_a_scaling_is_followed_where_the_likelihood_and_the_data_allow_it(support, likelihood, per):
    scaling = built(support, likelihood=likelihood, scaling="symmetric").scaling
    assert describe(scaling)["per"] == per


def test_an_option_that_the_network_does_not_take_is_refused():
    spec = DataSpec("image", (1, 8, 8), "unit", 20)
    with pytest.raises(OptionError, match="Did you mean 'channels'"):
        assemble(spec, Axes(), Elbo(), network=pick("kl", channel=(4, 8)), downsample=2)


def test_one_and_three_axes_keep_their_maps():
    assert built(shape=(2, 11)).latent_shape == (3, 6)
    assert built(shape=(2, 3, 5, 4)).latent_shape == (3, 2, 3, 2)


@pytest.mark.parametrize(("side", "price"), [(64, 1000.0), (8, 15.625), (1, 1.0)])
def test_the_price_of_a_capacity_goes_by_the_size_of_a_datum(side, price):
    spec = DataSpec("table", (side * side,), "real", 10)
    assert build_recipe("annealed-vae", spec).objective.gamma == price
    assert build_recipe("annealed-vae", spec, gamma=7.0).objective.gamma == 7.0
