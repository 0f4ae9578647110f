"""The reference implementation, and five configurations that it and this package are built from."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

# Tiny, and between them: quant convs or not, attention or not, 4 and 16 channels, one to four
# stages, one to three layers, groups.
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "sd": {"block_out_channels": (8, 16, 16, 16), "layers_per_block": 2, "norm_num_groups": 4},
    "flux": {
        "block_out_channels": (8, 16, 24),
        "layers_per_block": 2,
        "norm_num_groups": 8,
        "latent_channels": 16,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
        "scaling_factor": 0.3611,
        "shift_factor": 0.1159,
    },
    "no-attention": {
        "block_out_channels": (12, 12),
        "layers_per_block": 1,
        "norm_num_groups": 3,
        "mid_block_add_attention": False,
        "latents_mean": [0.1, -0.2, 0.3, 0.0],
        "latents_std": [1.5, 0.7, 2.0, 1.0],
    },
    "grey-to-colour": {
        "block_out_channels": (16, 8),
        "layers_per_block": 3,
        "norm_num_groups": 2,
        "in_channels": 1,
        "latent_channels": 3,
        "use_quant_conv": False,
    },
    "one-stage": {"block_out_channels": (32,), "layers_per_block": 1, "sample_size": 16},
}


@pytest.fixture(scope="session")
def diffusers() -> Any:
    """The library whose format this is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("diffusers", reason="diffusers, the oracle, is not installed")


@pytest.fixture
def theirs(diffusers: Any, quiet: None) -> Callable[[str], nn.Module]:
    """Its model of a configuration, whose weights and biases are all drawn."""

    def make(name: str) -> nn.Module:
        given = CONFIGURATIONS[name]
        stages = len(given["block_out_channels"])
        model = diffusers.AutoencoderKL(
            down_block_types=["DownEncoderBlock2D"] * stages,
            up_block_types=["UpDecoderBlock2D"] * stages,
            **given,
        )
        for parameter in model.parameters():
            # Ones and zeros at the start would hide a norm that went to the wrong place.
            parameter.data.add_(0.1 * torch.randn_like(parameter))
        return model.eval()

    return make


@pytest.fixture
def quiet(diffusers: Any) -> Iterator[None]:
    """Its own warnings are no errors here, nor lines in the output."""
    diffusers.utils.logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield
