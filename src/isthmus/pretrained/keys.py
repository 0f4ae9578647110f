"""Names of an image autoencoder's tensors: three published layouts and this package's own.

diffusers' modern names are the ones in the middle: every layout is read into them, and they differ
from the names of a `LatentModel` in where the two 1 x 1 convolutions live.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from isthmus.errors import CheckpointError
from isthmus.pretrained.config import KLConfig

Shapes = Mapping[str, tuple[int, ...]]

# What stands before the autoencoder's own names in the file of a whole pipeline.
PREFIXES = ("first_stage_model.", "vae.", "")

_PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
# diffusers' modern name -> where a LatentModel has it.
_HOMES = {"quant_conv.": "posterior.quant_conv.", "post_quant_conv.": "decoder.post_quant_conv."}

_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_LDM_ATTENTION = {
    "norm": "group_norm",
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "proj_out": "to_out.0",
}
_LDM_MIDDLE = {"block_1": "resnets.0", "block_2": "resnets.1", "attn_1": "attentions.0"}
_LDM_WIDE_ATTENTION = re.compile(r"(?:encoder\.down|decoder\.up)\.\d+\.attn\.\d+\.")
_LEVEL = re.compile(r"decoder\.up\.(\d+)\.")
_ATTENTION_WEIGHT = re.compile(r"\.attentions\.\d+\.to_(?:q|k|v|out\.0)\.weight$")

# A published file names no groups: the value of every one known.
GROUPS = 32


def stored_names(names: Iterable[str]) -> dict[str, str]:
    """The modern name -> the name in the file, of the tensors that are the autoencoder's.

    Args:
        names: Of all tensors in a file: modern names, those with older attention keys, or the
            original layout, bare or as a part of a whole pipeline.

    Raises:
        CheckpointError: None of them belongs to an image autoencoder, or it has attention outside
            of the middle.
    """
    names = list(names)
    for prefix in PREFIXES:
        bare = {n[len(prefix) :]: n for n in names if n.startswith(prefix)}
        own = {n: stored for n, stored in bare.items() if n.startswith(_PARTS)}
        # Either end will do: what else is missing is named where the config is known.
        if {"encoder.conv_in.weight", "decoder.conv_in.weight"} & own.keys():
            return {_modern(n, _levels(own)): stored for n, stored in own.items()}
    shown = ", ".join(names[:3]) or "none at all"
    raise CheckpointError(
        "These are not the weights of an image autoencoder: there is no 'encoder.conv_in.weight' "
        f"among the {len(names)} tensors ({shown}{', ...' if len(names) > 3 else ''})."
    )


def left_out(names: Iterable[str], chosen: Mapping[str, str]) -> tuple[str, ...]:
    """A line on the tensors of the file that belong to something else; nothing where none do."""
    others = sorted(set(names) - set(chosen.values()))
    if not others:
        return ()
    kinds = sorted({n.partition(".")[0] for n in others})
    return (
        f"the file holds {len(others)} tensors besides the autoencoder's, which were not read "
        f"({', '.join(kinds[:5])}{', ...' if len(kinds) > 5 else ''})",
    )


def own_name(modern: str) -> str:
    """The name in a `LatentModel` of a tensor that diffusers calls `modern`."""
    for start, home in _HOMES.items():
        if modern.startswith(start):
            return home + modern[len(start) :]
    return modern


def modern_name(own: str) -> str | None:
    """What diffusers calls the tensor that a `LatentModel` calls `own`; None for any other part."""
    for start, home in _HOMES.items():
        if own.startswith(home):
            return start + own[len(home) :]
    return own if own.startswith(("encoder.", "decoder.")) else None


def modern_shape(modern: str, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape that a stored tensor takes: attention by 1 x 1 convolutions is a linear map."""
    if _ATTENTION_WEIGHT.search(modern) and math.prod(shape[2:]) == 1:
        return tuple(shape[:2])
    return tuple(shape)


def infer_config(shapes: Shapes) -> tuple[KLConfig, tuple[str, ...]]:
    """The config that modern names and shapes tell of, and what they cannot tell, in lines.

    Raises:
        CheckpointError: The encoder puts out no mean and log-variance, as a quantiser's does not.
    """
    try:
        moments, latent = shapes["encoder.conv_out.weight"][0], shapes["decoder.conv_in.weight"][1]
        widths = tuple(
            shapes[f"encoder.down_blocks.{i}.resnets.0.conv1.weight"][0]
            for i in range(_count(shapes, "encoder.down_blocks."))
        )
        ends = shapes["encoder.conv_in.weight"][1], shapes["decoder.conv_out.weight"][0]
    except (KeyError, IndexError) as error:
        raise CheckpointError(f"The weights lack the tensor {error}: the file is cut.") from error
    if moments != 2 * latent:
        raise CheckpointError(
            f"The encoder puts out {moments} channels for {latent} latent ones; a posterior needs "
            "a mean and a log-variance of each, so these are the weights of another autoencoder."
        )
    groups = _groups(widths)
    config = KLConfig(
        in_channels=ends[0],
        out_channels=ends[1],
        block_out_channels=widths,
        layers_per_block=_count(shapes, "encoder.down_blocks.0.resnets."),
        latent_channels=latent,
        norm_num_groups=groups,
        use_quant_conv="quant_conv.weight" in shapes,
        use_post_quant_conv="post_quant_conv.weight" in shapes,
        mid_block_add_attention=_count(shapes, "encoder.mid_block.attentions.") > 0,
    )
    guessed = (
        f"the file has no config.json: norm_num_groups = {groups} and scaling_factor = "
        f"{config.scaling_factor} (Stable Diffusion 1) are assumed; give config= where they differ"
    )
    return config, (guessed,)


def _count(shapes: Shapes, prefix: str) -> int:
    return len({n[len(prefix) :].partition(".")[0] for n in shapes if n.startswith(prefix)})


def _groups(widths: Sequence[int]) -> int:
    common = math.gcd(*widths)
    return max(g for g in range(1, GROUPS + 1) if common % g == 0)


def _levels(names: Iterable[str]) -> int:
    """How many stages the decoder of the original layout has."""
    return len({found[1] for n in names if (found := _LEVEL.match(n))})


def _modern(name: str, levels: int) -> str:
    """The modern name of `name`, which may be modern already."""
    if _LDM_WIDE_ATTENTION.match(name):
        raise CheckpointError(
            f"The weights have attention outside of the middle ({name}): no AutoencoderKL has that."
        )
    part, _, rest = name.partition(".")
    if part not in ("encoder", "decoder"):
        return name
    return f"{part}.{_inside(rest, levels)}"


def _inside(name: str, levels: int) -> str:
    """The modern name within encoder or decoder."""
    words = name.split(".")
    match words:
        case ["down", i, "block", j, *rest]:
            return _joined("down_blocks", i, "resnets", j, *_shortcut(rest))
        case ["up", i, "block", j, *rest]:
            return _joined("up_blocks", _flipped(i, levels), "resnets", j, *_shortcut(rest))
        case ["down", i, "downsample", *rest]:
            return _joined("down_blocks", i, "downsamplers", "0", *rest)
        case ["up", i, "upsample", *rest]:
            return _joined("up_blocks", _flipped(i, levels), "upsamplers", "0", *rest)
        case ["mid", "attn_1", kind, *rest]:
            return _joined("mid_block.attentions.0", _LDM_ATTENTION.get(kind, kind), *rest)
        case ["mid", which, *rest]:
            return _joined("mid_block", _LDM_MIDDLE.get(which, which), *_shortcut(rest))
        case ["norm_out", *rest]:
            return _joined("conv_norm_out", *rest)
        case ["mid_block", "attentions", i, kind, *rest]:
            return _joined("mid_block.attentions", i, _OLD_ATTENTION.get(kind, kind), *rest)
    return name


def _joined(*words: str) -> str:
    return ".".join(words)


def _shortcut(words: Sequence[str]) -> list[str]:
    return ["conv_shortcut" if w == "nin_shortcut" else w for w in words]


def _flipped(level: str, levels: int) -> str:
    # The original counts the decoder's stages from the image, diffusers from the map.
    return str(levels - 1 - int(level)) if level.isdigit() else level
