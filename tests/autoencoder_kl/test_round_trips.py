"""Checkpoints both ways, against the library whose format they are in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.data import load as load_data
from isthmus.errors import CheckpointError
from isthmus.pretrained import KLConfig
from isthmus.pretrained.files import weights_name
from isthmus.recipes import build_recipe

CONFIGURATIONS = ("sd", "flux", "no-attention", "grey-to-colour", "one-stage")
Make = Callable[[str], nn.Module]
TOLERANCE = {"rtol": 0.0, "atol": 1e-5}


def images(model: Any, n: int = 2) -> Tensor:
    return 2.0 * torch.rand(n, model.config.in_channels, 32, 48) - 1.0


def assert_equal(ours: AutoencoderKL, theirs: Any) -> None:
    """Encode, decode and sample give the same."""
    x = images(theirs)
    with torch.no_grad():
        q = theirs.encode(x).latent_dist
        y = theirs.decode(q.mode()).sample
    mean, log_variance = ours.moments(x)
    torch.testing.assert_close(mean, q.mean, **TOLERANCE)
    torch.testing.assert_close(log_variance, q.logvar, **TOLERANCE)
    torch.testing.assert_close(ours.decode(q.mode()), y, **TOLERANCE)
    drawn = q.sample(torch.Generator().manual_seed(5))
    z = ours.encode(x, "sample", generator=5)
    torch.testing.assert_close(z, drawn, rtol=1e-5, atol=1e-5)
    assert float(y.std()) > 0.1
    assert float(mean.std()) > 0.1


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_what_diffusers_saves_is_read(theirs: Make, tmp_path: Path, name: str) -> None:
    model = theirs(name)
    model.save_pretrained(tmp_path)
    assert_equal(AutoencoderKL.from_pretrained(tmp_path), model)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_what_we_save_diffusers_reads(
    diffusers: Any, theirs: Make, tmp_path: Path, name: str
) -> None:
    theirs(name).save_pretrained(tmp_path / "theirs")
    ours = AutoencoderKL.from_pretrained(tmp_path / "theirs")
    for parameter in ours.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    ours.save_pretrained(tmp_path / "ours")
    read, report = diffusers.AutoencoderKL.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not any(report.values())
    assert_equal(ours, read.eval())
    configs = [json.loads((tmp_path / s / "config.json").read_text()) for s in ("theirs", "ours")]
    assert configs[0] == configs[1]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_new_model_is_read_by_diffusers(
    diffusers: Any, theirs: Make, tmp_path: Path, name: str
) -> None:
    config = KLConfig.from_json(dict(theirs(name).config))
    ours = AutoencoderKL(config).eval()
    ours.save_pretrained(tmp_path, variant="fp16", max_shard_size=20_000)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    read = diffusers.AutoencoderKL.from_pretrained(tmp_path, variant="fp16").eval()
    x = images(read)
    with torch.no_grad():
        z = read.encode(x).latent_dist.mode()
        torch.testing.assert_close(ours.encode(x), z, **TOLERANCE)
        torch.testing.assert_close(ours.decode(z), read.decode(z).sample, **TOLERANCE)
    # A single file, over the shards: none of them is left.
    ours.save_pretrained(tmp_path, variant="fp16")
    assert [p.name for p in tmp_path.glob("*pytorch_model*")] == [weights_name("fp16")]


def test_a_recipe_is_read_by_diffusers(diffusers: Any, quiet: None, tmp_path: Path) -> None:
    source = load_data(np.random.default_rng(0).random((20, 3, 24, 16), dtype=np.float32))
    trained = build_recipe("autoencoder-kl", source.spec).model
    ours = AutoencoderKL.from_model(trained)
    ours.save_pretrained(tmp_path)
    read = diffusers.AutoencoderKL.from_pretrained(tmp_path).eval()
    unit = next(source.chunks(2)).x
    with torch.no_grad():
        z = read.encode(2.0 * unit - 1.0).latent_dist.mode()
        y = read.decode(z).sample
    torch.testing.assert_close(trained.encode(unit), z, **TOLERANCE)
    torch.testing.assert_close(trained.decode(z), 0.5 * y + 0.5, **TOLERANCE)


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_shards_of_diffusers_are_read(theirs: Make, tmp_path: Path, variant: str | None) -> None:
    model = theirs("sd")
    model.save_pretrained(tmp_path, max_shard_size="20KB", variant=variant)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    assert_equal(AutoencoderKL.from_pretrained(tmp_path, variant=variant), model)


def test_a_half_variant_is_read_in_single_precision(theirs: Make, tmp_path: Path) -> None:
    model = theirs("flux").half()
    model.save_pretrained(tmp_path, variant="fp16")
    ours = AutoencoderKL.from_pretrained(tmp_path, variant="fp16")
    assert {p.dtype for p in ours.parameters()} == {torch.float32}
    assert_equal(ours, model.float())
    with pytest.raises(CheckpointError, match=r"no diffusion_pytorch_model\.safetensors: give var"):
        AutoencoderKL.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["sd", "flux"])
def test_older_attention_names(theirs: Make, tmp_path: Path, name: str) -> None:
    model = theirs(name)
    model.save_pretrained(tmp_path)
    path = tmp_path / weights_name()
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {}
    for key, tensor in load_file(path).items():
        for new, old in older.items():
            key = key.replace(f"attentions.0.{new}.", f"attentions.0.{old}.")
        renamed[key] = tensor
    assert any("proj_attn" in key for key in renamed)
    save_file(renamed, path)
    assert_equal(AutoencoderKL.from_pretrained(tmp_path), model)


def original(state: dict[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """The original layout, by the published table of names read from right to left."""
    stages = len({k.split(".")[2] for k in state if k.startswith("decoder.up_blocks.")})
    table = [
        (r"down_blocks\.(\d+)\.resnets\.(\d+)\.", r"down.\1.block.\2."),
        (r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample."),
        (r"up_blocks\.(\d+)\.resnets\.(\d+)\.", r"up.<\1>.block.\2."),
        (r"up_blocks\.(\d+)\.upsamplers\.0\.", r"up.<\1>.upsample."),
        (r"mid_block\.resnets\.0\.", "mid.block_1."),
        (r"mid_block\.resnets\.1\.", "mid.block_2."),
        (r"mid_block\.attentions\.0\.group_norm\.", "mid.attn_1.norm."),
        (r"mid_block\.attentions\.0\.to_out\.0\.", "mid.attn_1.proj_out."),
        (r"mid_block\.attentions\.0\.to_([qkv])\.", r"mid.attn_1.\1."),
        (r"conv_norm_out\.", "norm_out."),
        (r"conv_shortcut\.", "nin_shortcut."),
    ]
    renamed = {}
    for key, tensor in state.items():
        for modern, old in table:
            key = re.sub(modern, old, key)
        key = re.sub(r"<(\d+)>", lambda found: str(stages - 1 - int(found[1])), key)
        if ".attn_1." in key and tensor.dim() == 2:
            tensor = tensor[:, :, None, None].contiguous()
        renamed[prefix + key] = tensor
    return renamed


@pytest.mark.parametrize("prefix", ["", "first_stage_model.", "vae."])
@pytest.mark.parametrize("name", ["sd", "flux", "one-stage"])
def test_the_original_layout(theirs: Make, tmp_path: Path, name: str, prefix: str) -> None:
    model = theirs(name)
    tensors = original(model.state_dict(), prefix)
    tensors["model.diffusion_model.out.2.bias"] = torch.zeros(3)
    save_file(tensors, tmp_path / "model.safetensors")
    config = KLConfig.from_json(dict(model.config))
    ours = AutoencoderKL.from_pretrained(tmp_path / "model.safetensors", config=config)
    assert_equal(ours, model)
    assert any("besides the autoencoder's" in line for line in ours.notes)


@pytest.mark.parametrize("name", ["sd", "flux", "one-stage"])
def test_the_original_layout_is_what_diffusers_converts(theirs: Make, name: str) -> None:
    convert = pytest.importorskip(
        "diffusers.loaders.single_file_utils", reason="diffusers' own conversion is not there"
    ).convert_ldm_vae_checkpoint
    model = theirs(name)
    state = model.state_dict()
    converted = convert(original(state, "first_stage_model."), dict(model.config))
    assert converted.keys() == state.keys()
    assert all(torch.equal(tensor, state[key]) for key, tensor in converted.items())


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_config_is_told_by_the_shapes(theirs: Make, tmp_path: Path, name: str) -> None:
    model = theirs(name)
    save_file(original(model.state_dict()), tmp_path / "model.safetensors")
    ours = AutoencoderKL.from_pretrained(tmp_path / "model.safetensors")
    told, true = ours.config.to_json(), KLConfig.from_json(dict(model.config)).to_json()
    # Of these the weights say nothing.
    silent = {"norm_num_groups", "scaling_factor", "shift_factor", "sample_size"}
    silent |= {"latents_mean", "latents_std"}
    differing = {k for k in true if told.get(k) != true[k] and not k.startswith("_")}
    assert differing <= silent
    assert any("norm_num_groups = " in line and "config=" in line for line in ours.notes)


def test_a_file_reads_the_config_beside_it(theirs: Make, tmp_path: Path) -> None:
    model = theirs("no-attention")
    model.save_pretrained(tmp_path)
    assert_equal(AutoencoderKL.from_pretrained(tmp_path / weights_name()), model)
    (tmp_path / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    told = AutoencoderKL.from_pretrained(tmp_path / weights_name())
    assert told.config.scaling_factor == KLConfig().scaling_factor


def test_the_root_comes_before_the_folder_of_a_pipeline(theirs: Make, tmp_path: Path) -> None:
    model = theirs("no-attention")
    model.save_pretrained(tmp_path / "vae")
    assert_equal(AutoencoderKL.from_pretrained(tmp_path), model)
    assert_equal(AutoencoderKL.from_pretrained(tmp_path, subfolder="vae"), model)
    (tmp_path / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    assert_equal(AutoencoderKL.from_pretrained(tmp_path), model)
    theirs("one-stage").save_pretrained(tmp_path)
    assert AutoencoderKL.from_pretrained(tmp_path).config.block_out_channels == (32,)
