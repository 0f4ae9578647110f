"""The image autoencoder with its weights elsewhere: the CPU's numbers, and nothing in two places.

The device is that of `tests/elsewhere.py`. Maps that do not fit lie in host memory there.
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.data import load
from isthmus.pretrained import KLConfig

CONFIGS = {
    "attention": KLConfig(block_out_channels=(8, 8, 16), norm_num_groups=4, layers_per_block=1),
    "scaled": KLConfig(
        block_out_channels=(12, 12),
        layers_per_block=1,
        norm_num_groups=3,
        mid_block_add_attention=False,
        latents_mean=[0.1, -0.2, 0.3, 0.0],
        latents_std=[1.5, 0.7, 2.0, 1.0],
    ),
}


# The CPU has an attention of its own.
ATTENTION = 1e-4
ROUNDING = 0.03


@pytest.fixture(params=list(CONFIGS))
def made(request):
    torch.manual_seed(0)
    return AutoencoderKL(CONFIGS[request.param]).eval()


@pytest.fixture
def x():
    return torch.rand(2, 3, 17, 20, generator=torch.Generator().manual_seed(2)) * 2 - 1


@pytest.mark.parametrize(
    ("mode", "memory"), [("mean", None), ("argmax", None), ("sample", None), ("sample", "40kB")]
)
def test_images_go_there_and_back(made, x, mode, memory, away):
    def ask(place):
        there, moved = deepcopy(made).to(place), x.to(place)
        z = there.encode(moved, mode, scaled=True, memory=memory)
        return (
            z,
            there.decode(z, scaled=True, memory=memory, size=(17, 20)),
            there.reconstruct(moved, mode, generator=3, batch_size=1),
            there.encode(moved, mode, generator=torch.Generator().manual_seed(1)),
        )

    away.asked_in_both(ask, ATTENTION)


def test_the_answer_lies_where_the_images_do(made, x, away):
    with away.elsewhere(lambda what: None) as there:
        moved = deepcopy(made).to(there)
        again = moved.reconstruct(x, memory="40kB")
        assert again.device == x.device
        torch.testing.assert_close(again, made.reconstruct(x), rtol=1e-4, atol=1e-5)


def test_maps_that_do_not_fit_lie_in_host_memory(made, x, away):
    """Rows of them are copied back for every strip; with room for all, none are."""
    copied = []

    def heard(what):
        copied.append((what, next((name for name, _ in away.callers()), "")))

    with away.elsewhere(heard) as there:
        moved = deepcopy(made).to(there)
        z = moved.encode(x.to(there))
        assert ("copy", "HeldRows.read") not in copied
        moved.decode(z, memory="40kB")
    assert ("copy", "HeldRows.read") in copied
    assert ("copy", "HeldRows.write") in copied


def test_half_precision_goes_there(made, x, away):
    def ask(place):
        there = deepcopy(made).to(place)
        # The range is measured on noise, or on images that may be the host's.
        plain, measured = deepcopy(there).half(), there.half(x=x)
        assert next(plain.parameters()).dtype == torch.float16
        moved = x.to(place)
        again = plain.reconstruct(moved, memory="60kB")
        return again, measured.encode(moved, "sample", generator=1)

    away.asked_in_both(ask, ROUNDING)


def test_weights_are_written_from_there(made, away, tmp_path):
    made.save_pretrained(tmp_path / "here")
    with away.elsewhere(lambda what: None) as there:
        deepcopy(made).to(there).save_pretrained(tmp_path / "there")
        deepcopy(made).to(there).half().save_pretrained(tmp_path / "half")
    deepcopy(made).half().save_pretrained(tmp_path / "here-half")
    for mine, theirs in (("here", "there"), ("here-half", "half")):
        files = [tmp_path / name / "diffusion_pytorch_model.safetensors" for name in (mine, theirs)]
        assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("per_channel", [True, False])
def test_the_scaling_is_estimated_there(made, x, per_channel, away):
    images = (0.5 + 0.5 * x).repeat(2, 1, 1, 1).permute(0, 2, 3, 1).numpy()

    def numbers(place):
        there, moved, source = deepcopy(made).to(place), x.to(place), load(images)
        return [
            (np.array(each.latents_mean), np.array(each.latents_std))
            if per_channel
            else (each.shift_factor, each.scaling_factor)
            for each in (
                there.estimate_scaling(data, per_channel=per_channel)
                for data in (moved, [moved, 2 * moved], source, source.to(place))
            )
        ]

    here = numbers(away.HERE)
    with away.elsewhere(lambda what: None) as place:
        there = numbers(place)
    np.testing.assert_allclose(there, here, rtol=1e-5)


def test_a_model_of_its_networks_lies_there(made, x, away):
    def ask(place):
        model = deepcopy(made).to(place).model((3, 17, 20))
        for name, t in (*model.named_parameters(), *model.named_buffers()):
            assert t.device == place, name
        again, moved = AutoencoderKL.from_model(model), x.to(place)
        # Modules made without numbers draw some elsewhere.
        torch.manual_seed(4)
        likely = model.log_likelihood(0.5 * moved + 0.5, 2) / x[0].numel()
        return likely, again.encode(moved), again(moved)

    away.asked_in_both(ask, ATTENTION)
