"""Bounded memory against the whole image at once, at sizes that people have."""

from __future__ import annotations

import pytest
import torch

from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.pretrained import KLConfig

CONFIG = KLConfig(block_out_channels=(8, 8, 16), norm_num_groups=4, layers_per_block=1)


def _large() -> AutoencoderKL:
    """Weights far from those of the start, biases and normalisations too."""
    torch.manual_seed(0)
    model = AutoencoderKL(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(2.5)
            else:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def _trained() -> AutoencoderKL:
    """A few steps on smooth pictures; they lower the error."""
    torch.manual_seed(1)
    model = AutoencoderKL(CONFIG)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    x = torch.nn.functional.interpolate(torch.rand(8, 3, 4, 4) * 2 - 1, size=32, mode="bilinear")
    errors = []
    for _ in range(25):
        optimizer.zero_grad()
        error = (model(x) - x).square().mean()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.7 * errors[0]
    return model.eval()


@pytest.mark.parametrize("made", [_large, _trained])
@pytest.mark.parametrize(("side", "memory"), [(256, "2MB"), (512, "4MB")])
def test_strips_give_the_whole_image_s_result(made, side, memory):
    model = made()
    x = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(2)) * 2 - 1
    z = model.encode(x)
    y = model.decode(z)
    for bounded, whole in (
        (model.encode(x, memory=memory), z),
        (model.decode(z, memory=memory), y),
    ):
        assert not torch.equal(bounded, whole)  # Strips were taken, not the whole.
        assert float((bounded - whole).norm() / whole.norm()) < 1e-5
