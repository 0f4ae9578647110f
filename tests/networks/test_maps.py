"""Networks of feature maps: sizes, and which pixels a cell is made of."""

import pytest
import torch

from isthmus.data import DataSpec
from isthmus.errors import OptionError
from isthmus.networks import BACKBONES, MapDecoder, MapEncoder, Sizes, map_size


@pytest.mark.parametrize("size", [(1, 1), (5, 8), (17, 9), (28, 28), (33, 64)])
@pytest.mark.parametrize("downsample", [2, 4, 8])
def test_a_map_is_so_many_times_smaller_and_comes_back_exactly(size, downsample):
    encoder = MapEncoder((3, *size), (4, 8), downsample)
    h = encoder(torch.randn(2, 3, *size))
    assert encoder.grid == map_size(size, downsample)
    assert h.shape == (2, encoder.features, *encoder.grid)
    decoder = MapDecoder((5, *encoder.grid), (2, 3, *size), (4, 8), downsample)
    assert decoder(torch.randn(2, 5, *encoder.grid)).shape == (2, 2, 3, *size)


@pytest.mark.parametrize("size", [(16, 16), (17, 19)])
def test_no_pixel_is_left_out_and_every_cell_is_read(size):
    torch.manual_seed(0)
    encoder = MapEncoder((1, *size), (4, 8), 4).double()
    x = torch.randn(1, 1, *size, dtype=torch.float64, requires_grad=True)
    h = encoder(x)
    (grad,) = torch.autograd.grad((h * torch.randn_like(h)).sum(), x)
    assert (grad != 0).all()
    decoder = MapDecoder((3, *encoder.grid), (1, 1, *size), (4, 8), 4).double()
    z = torch.randn(1, 3, *encoder.grid, dtype=torch.float64, requires_grad=True)
    out = decoder(z)
    (grad,) = torch.autograd.grad((out * torch.randn_like(out)).sum(), z)
    assert (grad != 0).all()


def test_what_is_no_image_or_no_map_is_refused():
    table = Sizes(DataSpec("table", (7,), "real", 10), (3,), (1, 7), None, "silu")
    with pytest.raises(OptionError, match="takes images"):
        BACKBONES["map"].factory(table)
    with pytest.raises(OptionError, match="network='conv'"):
        MapDecoder((3,), (1, 1, 16, 16))
    for downsample in (0, 1, 3):
        with pytest.raises(OptionError, match="times smaller"):
            map_size((16, 16), downsample)
