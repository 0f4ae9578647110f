"""Half precision where the plain cast overflows, and that rescaling changes nothing else."""

import pytest
import torch

from isthmus.errors import OptionError
from isthmus.networks.kl import decode_strips, half, rescaled, stream_peak
from isthmus.registry import build, describe

from .conftest import build_ours, excite


def networks(attention=True, loudness=1.0):
    """Encoder and decoder whose residual streams are so many times louder than usual."""
    encoder, _, decoder = build_ours((8, 8), (8, 16), attention=attention)
    for network in (encoder, decoder):
        excite(network)
        with torch.no_grad():
            for name, p in network.named_parameters():
                if any(part in name for part in ("conv1", "conv2", "to_out", "conv_in")):
                    p.mul_(loudness)
    return encoder.eval(), decoder.eval()


def given(which):
    return torch.rand(2, 3, 8, 8) * 2 - 1 if which == 0 else torch.randn(2, 4, 4, 4)


def difference(found, expected):
    return float((found.float() - expected).norm() / expected.norm())


@pytest.mark.parametrize("which", [0, 1], ids=["encoder", "decoder"])
@pytest.mark.parametrize("attention", [True, False])
def test_rescaling_is_exact(which, attention):
    network, x = networks(attention, 50.0)[which].double(), given(which).double()
    with torch.no_grad():
        expected = network(x)
        quieter = rescaled(network, 64.0)
        torch.testing.assert_close(quieter(x), expected, rtol=1e-12, atol=1e-12)
        peaks = stream_peak(network, x), stream_peak(quieter, x)
        assert peaks[0] / peaks[1] == pytest.approx(64.0)
        back = rescaled(quieter, 1.0)
    for name, t in network.state_dict().items():
        assert back.state_dict()[name].equal(t), name


@pytest.mark.parametrize("which", [0, 1], ids=["encoder", "decoder"])
def test_float16_holds_what_overflows_when_it_is_merely_cast(which):
    network, x = networks(loudness=3e4)[which], given(which)
    with torch.no_grad():
        expected = network(x)
        assert stream_peak(network, x) > torch.finfo(torch.float16).max
        cast = rescaled(network, 1.0).half()(x.half())
        assert not cast.isfinite().all()
        ours = half(network)
        assert ours.stream_scale > 1
        assert difference(ours(x.half()), expected) < 1e-2
        # The original is left as it was.
        assert network(x).equal(expected)


@pytest.mark.parametrize(("dtype", "most"), [(torch.float16, 5e-3), (torch.bfloat16, 3e-2)])
@pytest.mark.parametrize("which", [0, 1], ids=["encoder", "decoder"])
def test_the_error_of_half_precision_is_that_of_rounding(dtype, most, which):
    network, x = networks()[which], given(which)
    with torch.no_grad():
        found = half(network, dtype)(x.to(dtype))
        assert found.dtype == dtype
        assert difference(found, network(x)) < most


def test_it_is_described_with_its_scale_and_runs_in_strips():
    _, decoder = networks(loudness=3e4)
    ours = half(decoder, example=given(1))
    again = build(describe(ours)).to(torch.float16)
    again.load_state_dict(ours.state_dict())
    z = torch.randn(1, 4, 12, 10).half()
    with torch.no_grad():
        whole = ours.decode_map(z)
        assert again.decode_map(z).equal(whole)
        in_strips = decode_strips(ours, z, 40_000)
    assert difference(in_strips, whole.float()) < 5e-3


def test_what_cannot_be_halved_is_refused():
    _, decoder = networks()
    with pytest.raises(OptionError, match=r"not torch\.int8"):
        half(decoder, torch.int8)
    with torch.no_grad():
        decoder.conv_in.weight.fill_(torch.nan)
    with pytest.raises(OptionError, match="not finite"):
        half(decoder)
