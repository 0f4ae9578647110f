"""The config in diffusers' format: defaults, both ways, and what is refused."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from isthmus.errors import CheckpointError
from isthmus.pretrained.config import KLConfig, read_config

FLUX = {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": "0.30.0",
    "_name_or_path": "somewhere",
    "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "force_upcast": True,
    "in_channels": 3,
    "latent_channels": 16,
    "latents_mean": None,
    "latents_std": None,
    "layers_per_block": 2,
    "mid_block_add_attention": True,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": [768, 1024],
    "scaling_factor": 0.3611,
    "shift_factor": 0.1159,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "use_post_quant_conv": False,
    "use_quant_conv": False,
}


def test_every_key_comes_back() -> None:
    assert KLConfig.from_json(FLUX).to_json() == FLUX
    assert KLConfig.from_json(FLUX).notes == ()


def test_unknown_keys_are_kept_and_named() -> None:
    values = {**FLUX, "sampling_mode": "quick", "conditioning": {"dims": 2}}
    config = KLConfig.from_json(values)
    assert config.to_json() == values
    assert config.notes == (
        "config.json has keys that are not known and not used: conditioning, sampling_mode",
    )


def test_the_defaults_are_those_of_diffusers() -> None:
    diffusers = pytest.importorskip(
        "diffusers.models.autoencoders.autoencoder_kl", reason="the oracle is not installed"
    )
    theirs = {
        name: parameter.default
        for name, parameter in inspect.signature(diffusers.AutoencoderKL).parameters.items()
    }
    ours = KLConfig().to_json()
    assert ours.pop("_class_name") == "AutoencoderKL"
    assert ours == {k: list(v) if isinstance(v, tuple) else v for k, v in theirs.items()}
    assert KLConfig.from_json({}) == KLConfig()


def test_sizes() -> None:
    config = KLConfig.from_json(FLUX)
    assert config.factor == 8
    assert config.side == (768, 1024)
    assert KLConfig().side == (32, 32)
    assert KLConfig(block_out_channels=[32, 64]) == KLConfig(block_out_channels=(32, 64))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "class": ({"_class_name": "AutoencoderTiny"}, "that of 'AutoencoderTiny'.*subfolder='vae'"),
    "run": ({"format": 1, "model": {}}, "from_run"),
    "activation": ({"act_fn": "relu"}, "act_fn = 'relu'; expected 'silu'"),
    "down": (
        {"down_block_types": ["AttnDownEncoderBlock2D"]},
        r"down_block_types = \['AttnDown.*expected 1 times 'DownEncoderBlock2D'",
    ),
    "up": ({"up_block_types": ["UpDecoderBlock2D"] * 2}, "expected 1 times 'UpDecoderBlock2D'"),
    "width": ({"block_out_channels": [48]}, "divisor of every width"),
    "no widths": ({"block_out_channels": []}, "block_out_channels"),
    "one number": ({"block_out_channels": 64}, "block_out_channels"),
    "layers": ({"layers_per_block": 0}, "layers_per_block = 0; expected a number >= 1"),
    "word": ({"latent_channels": "4"}, "latent_channels = '4'"),
    "switch": ({"use_quant_conv": "no"}, "expected true or false"),
    "scale": ({"scaling_factor": 0}, "other than 0"),
    "shift": ({"shift_factor": "x"}, "shift_factor"),
    "mean": ({"latents_mean": [0.0], "latents_std": [1.0]}, "one per latent channel"),
    "std": ({"latents_mean": [0.0] * 4, "latents_std": [1.0, 0.0, 1.0, 1.0]}, "above 0"),
    "mean alone": ({"latents_mean": [0.0] * 4}, "exactly with latents_std"),
}


@pytest.mark.parametrize(("values", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(values: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=said) as error:
        KLConfig.from_json(values)
    assert "\n" not in str(error.value)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=r"config\.json: "):
        read_config(path)


@pytest.mark.parametrize(("text", "said"), [("{", "cannot be read"), ("[1]", "holds a list")])
def test_files_that_are_none(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with pytest.raises(CheckpointError, match="is missing"):
        read_config(path)
    path.write_text(text)
    with pytest.raises(CheckpointError, match=said):
        read_config(path)
