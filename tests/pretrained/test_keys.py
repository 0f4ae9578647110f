"""Names of tensors between the layouts."""

from __future__ import annotations

import pytest

from isthmus.errors import CheckpointError
from isthmus.pretrained.keys import (
    infer_config,
    left_out,
    modern_name,
    modern_shape,
    own_name,
    stored_names,
)

START = "encoder.conv_in.weight"
# The published table, and a decoder of four stages for its reversal.
STAGES = [f"decoder.up.{i}.block.0.conv1.weight" for i in range(4)]
TABLE = {
    "encoder.down.1.block.0.nin_shortcut.b": "encoder.down_blocks.1.resnets.0.conv_shortcut.b",
    "encoder.down.0.downsample.conv.weight": "encoder.down_blocks.0.downsamplers.0.conv.weight",
    "encoder.mid.block_1.norm1.weight": "encoder.mid_block.resnets.0.norm1.weight",
    "encoder.mid.block_2.conv2.bias": "encoder.mid_block.resnets.1.conv2.bias",
    "encoder.mid.attn_1.norm.weight": "encoder.mid_block.attentions.0.group_norm.weight",
    "decoder.mid.attn_1.q.weight": "decoder.mid_block.attentions.0.to_q.weight",
    "decoder.mid.attn_1.k.bias": "decoder.mid_block.attentions.0.to_k.bias",
    "decoder.mid.attn_1.v.weight": "decoder.mid_block.attentions.0.to_v.weight",
    "decoder.mid.attn_1.proj_out.weight": "decoder.mid_block.attentions.0.to_out.0.weight",
    "decoder.up.3.block.2.conv1.weight": "decoder.up_blocks.0.resnets.2.conv1.weight",
    "decoder.up.0.block.0.conv2.weight": "decoder.up_blocks.3.resnets.0.conv2.weight",
    "decoder.up.1.upsample.conv.bias": "decoder.up_blocks.2.upsamplers.0.conv.bias",
    "encoder.norm_out.weight": "encoder.conv_norm_out.weight",
    "decoder.conv_out.bias": "decoder.conv_out.bias",
    "quant_conv.weight": "quant_conv.weight",
    "post_quant_conv.bias": "post_quant_conv.bias",
    "encoder.mid_block.attentions.0.query.weight": "encoder.mid_block.attentions.0.to_q.weight",
    "encoder.mid_block.attentions.0.key.bias": "encoder.mid_block.attentions.0.to_k.bias",
    "encoder.mid_block.attentions.0.value.bias": "encoder.mid_block.attentions.0.to_v.bias",
    "encoder.mid_block.attentions.0.proj_attn.bias": "encoder.mid_block.attentions.0.to_out.0.bias",
    "encoder.mid_block.attentions.0.to_out.0.bias": "encoder.mid_block.attentions.0.to_out.0.bias",
}


@pytest.mark.parametrize("prefix", ["", "first_stage_model.", "vae."])
@pytest.mark.parametrize(("stored", "modern"), TABLE.items())
def test_the_table(stored: str, modern: str, prefix: str) -> None:
    names = [prefix + n for n in (START, *STAGES, stored)] + ["cond_stage_model.proj.weight"]
    found = stored_names(names)
    assert found[modern] == prefix + stored
    assert found[START] == prefix + START
    (line,) = left_out(names, found)
    assert line.endswith(
        "1 tensors besides the autoencoder's, which were not read (cond_stage_model)"
    )


def test_own_names_and_back() -> None:
    for modern, own in {
        "quant_conv.bias": "posterior.quant_conv.bias",
        "post_quant_conv.weight": "decoder.post_quant_conv.weight",
        "decoder.conv_in.weight": "decoder.conv_in.weight",
    }.items():
        assert own_name(modern) == own
        assert modern_name(own) == modern
    assert modern_name("likelihood.scale.log_scale") is None


def test_attention_by_convolution_is_squeezed_and_nothing_else() -> None:
    linear = "encoder.mid_block.attentions.0.to_out.0.weight"
    assert modern_shape(linear, (8, 8, 1, 1)) == (8, 8)
    assert modern_shape(linear, (8, 8)) == (8, 8)
    # As it stands, so that it is complained of.
    assert modern_shape(linear, (8, 8, 3, 3)) == (8, 8, 3, 3)
    assert modern_shape("quant_conv.weight", (8, 8, 1, 1)) == (8, 8, 1, 1)


def test_others_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"not the weights .* 4 tensors \(a, b, c, \.\.\.\)"):
        stored_names(["a", "b", "c", "d"])
    with pytest.raises(CheckpointError, match="none at all"):
        stored_names([])
    with pytest.raises(CheckpointError, match=r"outside of the middle \(encoder\.down\.4\.attn\.0"):
        stored_names([START, "encoder.down.4.attn.0.q.weight"])


def test_a_quantiser_is_no_gaussian() -> None:
    shapes = {
        START: (8, 3, 3, 3),
        "encoder.conv_out.weight": (4, 8, 3, 3),
        "decoder.conv_in.weight": (8, 4, 3, 3),
        "decoder.conv_out.weight": (3, 8, 3, 3),
        "encoder.down_blocks.0.resnets.0.conv1.weight": (8, 8, 3, 3),
    }
    with pytest.raises(CheckpointError, match="4 channels for 4 latent ones"):
        infer_config(shapes)
    config, (note,) = infer_config({**shapes, "encoder.conv_out.weight": (8, 8, 3, 3)})
    assert config.norm_num_groups == 8
    assert "norm_num_groups = 8" in note
    del shapes["decoder.conv_in.weight"]
    with pytest.raises(CheckpointError, match=r"lack the tensor 'decoder\.conv_in\.weight'"):
        infer_config(shapes)
