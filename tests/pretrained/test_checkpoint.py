"""Whole checkpoints: what does not fit is named, and nothing is written by halves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.errors import CheckpointError
from isthmus.pretrained import KLConfig
from isthmus.pretrained.files import weights_name

CONFIG = KLConfig(block_out_channels=(8, 8), norm_num_groups=4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return AutoencoderKL(CONFIG).save_pretrained(tmp_path / "model")


def test_missing_unknown_and_misshapen_tensors_are_named_as_in_the_file(folder: Path) -> None:
    path = folder / weights_name()
    tensors = load_file(path)
    del tensors["quant_conv.weight"], tensors["quant_conv.bias"]
    tensors["encoder.conv_in.bias"] = torch.zeros(9)
    tensors["decoder.conv_more.bias"] = torch.zeros(9)
    save_file(tensors, path)
    with pytest.raises(CheckpointError) as error:
        AutoencoderKL.from_pretrained(folder)
    said = str(error.value)
    assert "lacks 2 tensors (quant_conv.bias, quant_conv.weight)" in said
    assert "has 1 unknown tensor (decoder.conv_more.bias)" in said
    assert "encoder.conv_in.bias (9,) (expected (8,))" in said
    assert "\n" not in said


def test_a_missing_first_layer_is_named_like_any_other(folder: Path) -> None:
    path = folder / weights_name()
    tensors = load_file(path)
    del tensors["encoder.conv_in.weight"], tensors["quant_conv.bias"]
    save_file(tensors, path)
    with pytest.raises(
        CheckpointError, match=r"lacks 2 tensors \(encoder.conv_in.weight, quant_conv.bias\)"
    ):
        AutoencoderKL.from_pretrained(folder)


def test_a_config_of_another_network(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="another shape for"):
        AutoencoderKL.from_pretrained(
            folder, config=KLConfig(block_out_channels=(4, 4), norm_num_groups=4)
        )


def test_the_pickle_of_a_folder_is_refused_not_read(folder: Path) -> None:
    (folder / weights_name()).rename(folder / "diffusion_pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"bin is a pickle.*weights_only=True"):
        AutoencoderKL.from_pretrained(folder)
    with pytest.raises(CheckpointError, match=r"v1\.ckpt is a pickle"):
        AutoencoderKL.from_pretrained(folder / "v1.ckpt")


def test_a_run_folder_says_how_to_read_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"format": 1, "model": {}}')
    with pytest.raises(CheckpointError, match=r"AutoencoderKL\.from_run"):
        AutoencoderKL.from_pretrained(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(CheckpointError, match="needs a folder"):
        AutoencoderKL(CONFIG).save_pretrained(tmp_path / "taken")


def test_a_subfolder_that_is_not_there(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="vae2"):
        AutoencoderKL.from_pretrained(folder, subfolder="vae2")


def test_weights_may_be_written_over_those_that_are_in_use(folder: Path) -> None:
    model = AutoencoderKL.from_pretrained(folder)
    x = torch.rand(1, 3, 8, 8)
    before = model.encode(x)
    model.save_pretrained(folder)
    assert torch.equal(AutoencoderKL.from_pretrained(folder).encode(x), before)
    assert torch.equal(model.encode(x), before)
