"""The pair of networks of latent diffusion by its name, and with options of its own."""

import pytest
import torch

from isthmus.data import DataSpec
from isthmus.errors import OptionError
from isthmus.networks import BACKBONES, KLDecoder, KLEncoder, Sizes


def sizes(downsample=4, hidden=None, activation="silu", shape=(3, 10, 7)):
    latent = (4, *(-(-side // downsample) for side in shape[1:]))
    spec = DataSpec("image", shape, "unit", 10)
    return Sizes(spec, latent, (2, *shape), hidden, activation, downsample)


def test_kl_takes_its_widths_from_its_own_options_then_the_common_ones():
    for downsample, hidden, options, expected in [
        (4, None, {}, (32, 64, 64)),
        (2, (8, 12), {}, (8, 12)),
        (4, (8,), {"channels": (4, 8, 16), "groups": 2}, (4, 8, 16)),
    ]:
        encoder, decoder = BACKBONES.create(
            "kl", sizes=sizes(downsample, hidden), **options, layers=2, attention=False
        )
        assert isinstance(encoder, KLEncoder)
        assert isinstance(decoder, KLDecoder)
        widths = [block.resnets[0].conv1.out_channels for block in encoder.down_blocks]
        assert tuple(widths) == expected
        assert encoder(torch.rand(2, 3, 10, 7)).shape == (2, 8, *encoder.grid)
        assert decoder(torch.rand(2, 4, *encoder.grid)).shape == (2, 2, 3, 10, 7)
        assert encoder.conv_norm_out.num_groups == options.get("groups", 4 if hidden else 8)


def test_published_widths_are_normalised_in_32_groups():
    with torch.device("meta"):
        encoder, _ = BACKBONES.create("kl", sizes=sizes(2, (128, 256)))
    assert encoder.conv_norm_out.num_groups == 32


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"activation": "relu"}, "'silu' throughout"),
        ({"hidden": (8, 8, 8, 8)}, "8 times smaller, not 4 times: give 3 widths"),
        ({"shape": (3,)}, "network='mlp'"),
    ],
)
def test_what_kl_cannot_do_is_refused(wrong, said):
    with pytest.raises(OptionError, match=said):
        BACKBONES.create("kl", sizes=sizes(**wrong))
