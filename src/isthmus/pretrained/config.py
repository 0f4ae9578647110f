"""The config.json of a published image autoencoder, in diffusers' format."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, final

from isthmus.errors import CheckpointError, IsthmusError

CONFIG = "config.json"
CLASS_NAME = "AutoencoderKL"
DOWN_BLOCK = "DownEncoderBlock2D"
UP_BLOCK = "UpDecoderBlock2D"
ACTIVATION = "silu"

_CLASS = "_class_name"
# What only this word in the config can mean; the layers are the same whatever it is.
_BLOCKS = {"down_block_types": DOWN_BLOCK, "up_block_types": UP_BLOCK}
_NUMBERS = ("in_channels", "out_channels", "layers_per_block", "latent_channels", "norm_num_groups")
_SCALING = ("scaling_factor", "shift_factor", "latents_mean", "latents_std")
_SWITCHES = (
    "force_upcast",
    "use_quant_conv",
    "use_post_quant_conv",
    "mid_block_add_attention",
)


@final
@dataclass(frozen=True)
class KLConfig:
    """What an image autoencoder is made of, and how its latents are scaled.

    The names and defaults are those of diffusers' `AutoencoderKL`, so that a config.json says the
    same here and there. Which blocks it is made of is no choice: one kind going down, one going up.

    Args:
        in_channels: Of the images that are encoded.
        out_channels: Of the images that are decoded.
        block_out_channels: Width of each stage; the map is 2^(stages - 1) times smaller than the
            image.
        layers_per_block: Residual blocks in a stage going down; going up there is one more.
        latent_channels: Z's first axis.
        norm_num_groups: Groups of each group normalisation; a divisor of every width.
        sample_size: Side of the images it was trained on; nothing is computed from it.
        scaling_factor: A diffusion model reads (z - shift_factor) * scaling_factor. `encode` and
            `decode` apply it where `scaled=True` and only there.
        shift_factor: See `scaling_factor`; None is 0.
        latents_mean: Mean of each latent channel; with `latents_std`, a diffusion model reads
            (z - latents_mean) / latents_std * scaling_factor, and `shift_factor` is not used.
        latents_std: Standard deviation of each latent channel.
        force_upcast: Whether other libraries are to decode in float32 even where half precision
            was asked for; kept for them.
        use_quant_conv: A 1 x 1 convolution between encoder and posterior.
        use_post_quant_conv: A 1 x 1 convolution before the decoder.
        mid_block_add_attention: Attention between the two residual blocks in the middle.
        extra: Keys of the file that are not known here, written back as they were read.

    Raises:
        CheckpointError: A value with which no such network can be built.
    """

    in_channels: int = 3
    out_channels: int = 3
    block_out_channels: tuple[int, ...] = (64,)
    layers_per_block: int = 1
    latent_channels: int = 4
    norm_num_groups: int = 32
    sample_size: int | tuple[int, ...] = 32
    scaling_factor: float = 0.18215
    shift_factor: float | None = None
    latents_mean: tuple[float, ...] | None = None
    latents_std: tuple[float, ...] | None = None
    force_upcast: bool = True
    use_quant_conv: bool = True
    use_post_quant_conv: bool = True
    mid_block_add_attention: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in fields(self):
            # JSON and callers have lists; what is frozen holds tuples.
            object.__setattr__(self, each.name, _hashable(getattr(self, each.name)))
        for name in _NUMBERS:
            _refuse_unless(_whole(getattr(self, name)), name, getattr(self, name), "a number >= 1")
        for name in _SWITCHES:
            value = getattr(self, name)
            _refuse_unless(isinstance(value, bool), name, value, "true or false")
        widths = self.block_out_channels
        sound = isinstance(widths, tuple) and len(widths) > 0 and all(map(_whole, widths))
        _refuse_unless(sound, "block_out_channels", widths, "numbers >= 1, such as (128, 256, 512)")
        for width in widths:
            _refuse_unless(
                width % self.norm_num_groups == 0,
                "norm_num_groups",
                self.norm_num_groups,
                f"a divisor of every width in block_out_channels {list(widths)}",
            )
        self._check_scaling()

    def _check_scaling(self) -> None:
        usable = _finite(self.scaling_factor) and self.scaling_factor != 0
        _refuse_unless(
            usable, "scaling_factor", self.scaling_factor, "a finite number other than 0"
        )
        shift = self.shift_factor
        _refuse_unless(shift is None or _finite(shift), "shift_factor", shift, "a number or null")
        for name in ("latents_mean", "latents_std"):
            values, n = getattr(self, name), self.latent_channels
            fits = values is None or (
                isinstance(values, tuple) and len(values) == n and all(map(_finite, values))
            )
            _refuse_unless(fits, name, values, f"null or {n} numbers, one per latent channel")
        positive = self.latents_std is None or min(self.latents_std) > 0
        _refuse_unless(positive, "latents_std", self.latents_std, "numbers above 0")
        paired = (self.latents_mean is None) == (self.latents_std is None)
        _refuse_unless(paired, "latents_mean", self.latents_mean, "given exactly with latents_std")

    @property
    def factor(self) -> int:
        """How many times smaller the map is than the image, side by side."""
        return 2 ** (len(self.block_out_channels) - 1)

    @property
    def side(self) -> tuple[int, int]:
        """Height and width of the images that it was made for."""
        size = self.sample_size
        return (size, size) if isinstance(size, int) else (size[0], size[-1])

    @property
    def notes(self) -> tuple[str, ...]:
        """What of the file was kept without being understood, one line each."""
        unknown = sorted(k for k in self.extra if not k.startswith("_"))
        if not unknown:
            return ()
        return (f"config.json has keys that are not known and not used: {', '.join(unknown)}",)

    def to_json(self) -> dict[str, Any]:
        """As diffusers writes it, with every key."""
        stages = len(self.block_out_channels)
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "extra"}
        values = {
            _CLASS: CLASS_NAME,
            **own,
            "act_fn": ACTIVATION,
            **{name: (block,) * stages for name, block in _BLOCKS.items()},
            **self.extra,
        }
        return {k: list(v) if isinstance(v, tuple) else v for k, v in sorted(values.items())}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> KLConfig:
        """The inverse of `to_json`; a key that is missing has diffusers' default.

        Raises:
            CheckpointError: It is the config of something else, or of blocks that are not built
                here.
        """
        _refuse_others(values)
        known = {f.name for f in fields(cls)} - {"extra"}
        given = {k: v for k, v in values.items() if k in known}
        own = {*known, _CLASS, "act_fn", *_BLOCKS}
        config = cls(**given, extra={k: v for k, v in values.items() if k not in own})
        stages = len(config.block_out_channels)
        for name, block in _BLOCKS.items():
            blocks = values.get(name, [block])
            expected = [block] * stages
            _refuse_unless(list(blocks) == expected, name, blocks, f"{stages} times {block!r}")
        return config

    def with_scaling(
        self,
        factor: float = 1.0,
        shift: float | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> KLConfig:
        """The same with latents scaled in another way."""
        return replace(
            self,
            scaling_factor=factor,
            shift_factor=shift,
            latents_mean=None if mean is None else tuple(mean),
            latents_std=None if std is None else tuple(std),
        )

    @property
    def scaling(self) -> dict[str, Any]:
        """How the latents are scaled, by the keys of the file."""
        values = {name: getattr(self, name) for name in _SCALING}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @property
    def is_scaled(self) -> bool:
        """Whether scaled latents are any others than the unscaled."""
        unscaled = KLConfig(scaling_factor=1.0).scaling
        return self.scaling != unscaled

    def scaled_like(self, other: KLConfig | Mapping[str, Any]) -> KLConfig:
        """The same with latents scaled as `other`, a config or its `scaling`, has them."""
        return replace(self, **(other.scaling if isinstance(other, KLConfig) else other))


def read_config(path: Path) -> KLConfig:
    """The config in a file.

    Raises:
        CheckpointError: It is missing, cut, or the config of something else.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path} is missing: expected a folder with {CONFIG} and safetensors weights; a "
            "subfolder is named with subfolder=, a single weights file by its own path."
        ) from error
    except (ValueError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}): restore it from a copy."
        ) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds a {type(values).__name__}, expected a JSON object.")
    try:
        return KLConfig.from_json(values)
    except IsthmusError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _refuse_others(values: Mapping[str, Any]) -> None:
    if "format" in values and "model" in values:
        raise CheckpointError(
            "This is the config of an Isthmus run, not of published weights: read it with "
            "AutoencoderKL.from_run."
        )
    found = values.get(_CLASS, CLASS_NAME)
    if found != CLASS_NAME:
        raise CheckpointError(
            f"The config is that of {found!r}; only {CLASS_NAME!r} can be read here. In a pipeline "
            "it lies in a folder of its own: subfolder='vae'."
        )
    if values.get("act_fn", ACTIVATION) != ACTIVATION:
        _refuse_unless(False, "act_fn", values["act_fn"], repr(ACTIVATION))


def _refuse_unless(sound: bool, name: str, got: Any, expected: str) -> None:
    if not sound:
        shown = list(got) if isinstance(got, tuple) else got
        raise CheckpointError(f"The config has {name} = {shown!r}; expected {expected}.")


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
