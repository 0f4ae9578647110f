"""Strips against the whole at once: the same numbers, in the memory that was given."""

import pytest
import torch

from isthmus.errors import OptionError
from isthmus.networks import KLDecoder, KLEncoder
from isthmus.networks.kl import bytes_of, decode_strips, encode_strips, strips
from isthmus.networks.kl.layers import at_once, chain, least
from isthmus.networks.kl.rows import Budget, FiledRows, HeldRows

from .conftest import build_ours, excite

CHANNELS = (8, 16, 16)


def networks(attention=True, quant=True, channels=CHANNELS, groups=4):
    encoder, _, decoder = build_ours(
        (32, 32), channels, layers=1, groups=groups, attention=attention, quant=quant
    )
    excite(encoder)
    excite(decoder)
    return encoder, decoder


def relative(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("size", [(32, 32), (37, 61), (9, 70), (101, 5)])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_strips_give_what_the_whole_gives(size, share):
    encoder, decoder = networks()
    x = torch.rand(2, 3, *size) * 2 - 1
    z = torch.randn(2, 4, *(-(-side // 4) for side in size))
    with torch.no_grad():
        cases = [
            (encoder, x, encode_strips, encoder(x), encoder.pad(x)),
            (decoder, z, decode_strips, decoder.decode_map(z), z),
        ]
    for network, given, run, expected, read in cases:
        layers = chain(network)
        low, high = (f(layers, read.shape[2:], 4) for f in (least, at_once))
        found = run(network, given, int(low + share * (high - low)))
        assert expected.std() > 0.1
        assert found.shape == expected.shape
        assert relative(found, expected) < 1e-5


@pytest.mark.parametrize("options", [{"attention": False}, {"quant": False}, {"channels": (8,)}])
def test_every_configuration_and_double_precision(options):
    encoder, decoder = (network.double() for network in networks(**options))
    x = torch.rand(1, 3, 24, 20, dtype=torch.float64)
    with torch.no_grad():
        features = encoder(x)
        z = torch.randn(1, 4, *features.shape[2:], dtype=torch.float64)
        assert relative(encode_strips(encoder, x, "60kB"), features) < 1e-12
        assert relative(decode_strips(decoder, z, "60kB"), decoder.decode_map(z)) < 1e-12


@pytest.mark.parametrize("size", [(90,), (11, 6, 7)])
def test_one_and_three_axes(size):
    encoder = KLEncoder((2, *size), 3, (4, 8), 1, 4)
    decoder = KLDecoder((3, *encoder.grid), (1, 2, *size), (4, 8), 1, 4)
    excite(encoder)
    excite(decoder)
    x, z = torch.rand(1, 2, *size), torch.randn(1, 3, *encoder.grid)
    with torch.no_grad():
        cases = [
            (encoder, encode_strips, x, encoder(x), encoder.pad(x)),
            (decoder, decode_strips, z, decoder.decode_map(z), z),
        ]
    for network, run, given, expected, read in cases:
        needed = least(chain(network), read.shape[2:], 4)
        assert relative(run(network, given, needed), expected) < 1e-5


def test_statistics_are_kept_where_the_mean_is_far_from_zero():
    # A mean of 1e4 deviations: the difference of squares would have no digit left.
    values = torch.randn(1, 8, 40, 6) + 1e4
    moments = strips.Moments(2, 8)
    for part in values.split([1, 9, 13, 17], 2):
        moments.add(part)
    norm = torch.nn.GroupNorm(2, 8, 1e-6)
    scale, shift = moments.affine(norm)
    by_group = values.double().reshape(2, -1)
    expected = by_group.var(1, correction=0).rsqrt().repeat_interleave(4)
    torch.testing.assert_close(scale.double(), expected, rtol=1e-4, atol=0.0)
    middle = (-by_group.mean(1)).repeat_interleave(4) * expected
    torch.testing.assert_close(shift.double(), middle, rtol=1e-4, atol=0.0)


def peak_allocation(run):
    """What `run` gives, and the most bytes of tensors that lived at once meanwhile."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        result = run()
    events = []
    pending = list(profile.profiler.kineto_results.experimental_event_tree())
    while pending:
        event = pending.pop()
        pending += event.children
        if event.name == "[memory]":
            events.append((event.start_time_ns, event.extra_fields.alloc_size))
    live = most = 0
    for _, size in sorted(events, key=lambda event: event[0]):
        live += size
        most = max(most, live)
    return result, most


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("memory", [400_000, 1_000_000])
def test_the_memory_is_kept(memory):
    encoder, decoder = networks()
    for run, network, given in [
        (encode_strips, encoder, torch.rand(1, 3, 96, 80)),
        (decode_strips, decoder, torch.randn(1, 4, 24, 20)),
    ]:
        whole, unbounded = peak_allocation(lambda run=run, n=network, x=given: run(n, x))
        result, most = peak_allocation(lambda run=run, n=network, x=given: run(n, x, memory))
        assert relative(result, whole) < 1e-5
        assert most - result.nbytes <= memory < unbounded


def test_data_run_together_while_they_fit():
    encoder, _ = networks()
    x = torch.rand(5, 3, 16, 16)
    one = at_once(chain(encoder), (16, 16), 4)
    seen = []
    encoder.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    for memory, expected in [(None, [5]), (5 * one, [5]), (2 * one, [2, 2, 1]), (one - 1, [])]:
        seen.clear()
        assert encode_strips(encoder, x, memory).shape == (5, 8, 4, 4)
        assert seen == expected
    assert encode_strips(encoder, x[:0], 10**6).shape == (0, 8, 4, 4)


def test_maps_lie_on_the_device_while_they_fit_and_else_in_a_file(tmp_path):
    budget = Budget(1000, 400, tmp_path)
    cpu = torch.device("cpu")
    first = budget.rows(10, (3, 5), torch.float32, cpu)
    second = budget.rows(10, (3, 5), torch.float32, cpu)
    assert isinstance(first, HeldRows)
    assert isinstance(second, FiledRows)
    values = torch.randn(10, 3, 5)
    for rows in (first, second):
        rows.write(0, values[:4])
        rows.write(4, values.movedim(0, 2).contiguous().movedim(2, 0)[4:])
        assert rows.read(2, 9).equal(values[2:9])
    assert budget.used == 600
    first.close()
    first.close()
    assert budget.used == 0
    second.close()
    assert not list(tmp_path.iterdir())


def test_memory_is_said_in_bytes_or_words():
    assert bytes_of(12) == 12
    assert bytes_of("512MB") == 512 * 10**6
    assert bytes_of(" 1.5 GiB ") == 3 * 2**29
    for wrong in ("", "much", "0", 0, -5, "3 TB"):
        with pytest.raises(OptionError, match="'512MB' or '2GiB'"):
            bytes_of(wrong)


def test_too_little_for_one_row_is_refused_with_what_it_takes():
    _, decoder = networks()
    with pytest.raises(OptionError, match=r"takes 0\.0[0-9]+ MB"):
        decode_strips(decoder, torch.randn(1, 4, 16, 16), 1000)
