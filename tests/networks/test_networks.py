"""Networks: sizes in and out for any image, and what single layers compute."""

import pytest
import torch

from isthmus.data import DataSpec
from isthmus.errors import OptionError, UnknownNameError
from isthmus.networks import BACKBONES, ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder, Sizes
from isthmus.networks.conv import halvings
from isthmus.networks.inputs import LogEncoder


@pytest.mark.parametrize("size", [(1, 1), (5, 5), (8, 8), (17, 9), (28, 28), (33, 64), (31, 31)])
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("blocks", [0, 1])
def test_convolutions_take_and_give_back_any_size(size, depth, blocks):
    shape = (depth, *size)
    encoder = ConvEncoder(shape, (4, 8, 8), features=6, blocks=blocks)
    decoder = ConvDecoder((3,), (2, *shape), (4, 8, 8), features=6, blocks=blocks)
    assert encoder(torch.randn(2, *shape)).shape == (2, 6)
    out = decoder(torch.randn(2, 3))
    assert out.shape == (2, 2, *shape)
    # Every pixel depends on the code: none was padded in.
    out = decoder(torch.randn(1, 3)) - decoder(torch.randn(1, 3))
    assert (out != 0).all()


@pytest.mark.parametrize("size", [(8, 8), (17, 9), (33, 64)])
def test_every_pixel_reaches_the_features(size):
    encoder = ConvEncoder((1, *size), (4, 8, 8), features=6)
    x = torch.randn(1, 1, *size, requires_grad=True)
    encoder(x).square().sum().backward()
    assert (x.grad != 0).all()


def test_halvings_stop_at_a_small_side():
    assert halvings((64, 64), 3) == [(64, 64), (32, 32), (16, 16), (8, 8)]
    assert halvings((33, 10), 5) == [(33, 10), (17, 5), (9, 3)]
    assert halvings((4, 100), 5) == [(4, 100)]


def test_mlp_without_hidden_layers_is_linear():
    encoder, decoder = MLPEncoder((2, 3), ()), MLPDecoder((4,), (1, 6), ())
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(encoder(x), x.flatten(1))
    a, b = torch.randn(1, 4), torch.randn(1, 4)
    middle = decoder((a + b) / 2)
    torch.testing.assert_close(middle, (decoder(a) + decoder(b)) / 2)


def test_log_encoder_reads_logarithms():
    inner = MLPEncoder((3,), ())
    x = torch.tensor([[0.0, 1.0, 999.0]])
    torch.testing.assert_close(LogEncoder(inner)(x), x.log1p())


@pytest.mark.parametrize("name", [entry.name for entry in BACKBONES])
def test_backbones_fit_images(name):
    latent = (3, 5, 5) if BACKBONES[name].about.get("map") else (3,)
    image = Sizes(DataSpec("image", (1, 20, 20), "unit", 10), latent, (1, 1, 20, 20), None, "silu")
    encoder, decoder = BACKBONES[name].factory(image)
    assert encoder(torch.randn(2, 1, 20, 20)).shape == (2, encoder.features, *encoder.grid)
    assert encoder.grid == latent[1:]
    assert decoder(torch.randn(2, *latent)).shape == (2, 1, 1, 20, 20)


@pytest.mark.parametrize("name", ["mlp", "linear", "residual", "auto"])
def test_backbones_for_rows(name):
    table = Sizes(DataSpec("table", (7,), "real", 10), (3,), (1, 7), None, "relu")
    encoder, decoder = BACKBONES[name].factory(table)
    assert encoder(torch.randn(2, 7)).shape == (2, encoder.features)
    assert decoder(torch.randn(2, 3)).shape == (2, 1, 7)


def test_rows_cannot_be_convolved():
    table = Sizes(DataSpec("table", (7,), "real", 10), (3,), (1, 7), None, "relu")
    with pytest.raises(OptionError, match="takes images"):
        BACKBONES["conv"].factory(table)


def test_unknown_activation_says_the_nearest():
    with pytest.raises(UnknownNameError, match="'relu'"):
        MLPEncoder((3,), (4,), activation="rellu")
