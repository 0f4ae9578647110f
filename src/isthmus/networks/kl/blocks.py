"""The blocks of the latent-diffusion autoencoder, for one, two or three spatial axes.

Their attributes bear the names under which published checkpoints keep their tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from isthmus.errors import OptionError
from isthmus.maths import full_precision

EPS = 1e-6
# Up to here a product of all pairs of cells is small, and unlike the fused one twice derivable.
FEW_CELLS = 1024

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d

_CONVOLUTIONS: dict[int, type[Convolution]] = {
    1: nn.Conv1d,
    2: nn.Conv2d,
    3: nn.Conv3d,
}


def spatial_axes(shape: Sequence[int]) -> int:
    """The number of spatial axes of a datum (C, *size).

    Raises:
        OptionError: There are none, or more than three.
    """
    axes = len(shape) - 1
    if axes not in _CONVOLUTIONS:
        raise OptionError(
            "network 'kl' takes data (channels, *size) with one, two or three spatial axes, and "
            f"one datum here has the shape {tuple(shape)}: use network='mlp' or 'residual'."
        )
    return axes


def check_stages(channels: Sequence[int], layers: int, groups: int) -> None:
    """Refuse widths that the normalisation cannot divide.

    Raises:
        OptionError: With what would do.
    """
    if not channels or layers < 1:
        raise OptionError(
            "network 'kl' needs at least one stage and one layer in it; got "
            f"channels={tuple(channels)}, layers={layers}."
        )
    wrong = [width for width in channels if width < 1 or width % groups]
    if wrong:
        raise OptionError(
            f"channels={tuple(channels)} are normalised in {groups} groups, which do not divide "
            f"{wrong[0]}: take widths that are multiples of it, or fewer groups."
        )


def conv(axes: int, narrow: int, wide: int, kernel: int = 3, stride: int = 1) -> Convolution:
    """A convolution that keeps the size; with a stride it leaves the padding to its caller."""
    padding = kernel // 2 if stride == 1 else 0
    return _CONVOLUTIONS[axes](narrow, wide, kernel, stride=stride, padding=padding)


def normalise(norm: nn.GroupNorm, h: Tensor) -> Tensor:
    """Group normalisation whose statistics are never taken in half precision."""
    wide = full_precision(h)
    if wide is h:
        result: Tensor = norm(h)
        return result
    weight, bias = full_precision(norm.weight), full_precision(norm.bias)
    return F.group_norm(wide, norm.num_groups, weight, bias, norm.eps).to(h.dtype)


def activate(norm: nn.GroupNorm, h: Tensor) -> Tensor:
    """SiLU of what the normalisation gives; in place where no gradient asks for that."""
    return F.silu(normalise(norm, h), inplace=not torch.is_grad_enabled())


def run(blocks: Iterable[nn.Module], h: Tensor, checkpointing: bool) -> Tensor:
    """The blocks in turn; where asked for, what is inside each is computed again backwards."""
    for block in blocks:
        if checkpointing and block.training and torch.is_grad_enabled():
            h = checkpoint(block, h, use_reentrant=False)
        else:
            h = block(h)
    return h


@final
class ResnetBlock(nn.Module):
    """shortcut(h) + conv(silu(norm(conv(silu(norm(h)))))).

    Args:
        axes: Spatial axes.
        narrow: Channels that come in.
        wide: Channels that go out; where they differ, the shortcut is a 1 × 1 convolution.
        groups: Of the normalisation.
        eps: Of the normalisation.
    """

    def __init__(self, axes: int, narrow: int, wide: int, groups: int, eps: float = EPS) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, narrow, eps)
        self.conv1 = conv(axes, narrow, wide)
        self.norm2 = nn.GroupNorm(groups, wide, eps)
        self.conv2 = conv(axes, wide, wide)
        self.conv_shortcut = None if narrow == wide else conv(axes, narrow, wide, 1)

    def forward(self, h: Tensor) -> Tensor:
        inner: Tensor = self.conv1(activate(self.norm1, h))
        inner = self.conv2(activate(self.norm2, inner))
        shortcut = h if self.conv_shortcut is None else self.conv_shortcut(h)
        return inner + shortcut if torch.is_grad_enabled() else inner.add_(shortcut)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(C)) v for (B, 1, cells, C)."""
    if k.shape[-2] <= FEW_CELLS and k.requires_grad and torch.is_grad_enabled():
        scores = full_precision((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2))
        return scores.softmax(-1).to(v.dtype) @ v
    return F.scaled_dot_product_attention(q, k, v)


@final
class Attention(nn.Module):
    """h + out(softmax(q k^T / sqrt(C)) v), one head over all cells of the map.

    Args:
        channels: C.
        groups: Of the normalisation.
        eps: Of the normalisation.
    """

    def __init__(self, channels: int, groups: int, eps: float = EPS) -> None:
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, channels, eps)
        self.to_q = nn.Linear(channels, channels)
        self.to_k = nn.Linear(channels, channels)
        self.to_v = nn.Linear(channels, channels)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, h: Tensor) -> Tensor:
        cells = normalise(self.group_norm, h).flatten(2).transpose(1, 2)[:, None]
        read = attend(self.to_q(cells), self.to_k(cells), self.to_v(cells))
        out: Tensor = self.to_out[0](read[:, 0])
        return h + out.transpose(1, 2).reshape(h.shape)


@final
class MidBlock(nn.Module):
    """A residual block, the attention where there is one, a residual block.

    Args:
        axes: Spatial axes.
        channels: Channels.
        groups: Of the normalisation.
        attention: Whether there is one.
        eps: Of the normalisation.
    """

    def __init__(
        self, axes: int, channels: int, groups: int, attention: bool, eps: float = EPS
    ) -> None:
        super().__init__()
        attentions = [Attention(channels, groups, eps)] if attention else []
        self.attentions = nn.ModuleList(attentions)
        self.resnets = nn.ModuleList(
            ResnetBlock(axes, channels, channels, groups, eps) for _ in range(2)
        )

    def blocks(self) -> list[nn.Module]:
        """In the order in which they run."""
        return [self.resnets[0], *self.attentions, self.resnets[1]]


@final
class Downsample(nn.Module):
    """Half the size: a convolution of stride 2, with zeros after the last cell of each axis."""

    def __init__(self, axes: int, channels: int) -> None:
        super().__init__()
        self.conv = conv(axes, channels, channels, stride=2)

    def forward(self, h: Tensor) -> Tensor:
        result: Tensor = self.conv(F.pad(h, (0, 1) * (h.dim() - 2)))
        return result


@final
class Upsample(nn.Module):
    """Twice the size: every cell is repeated, then a convolution."""

    def __init__(self, axes: int, channels: int) -> None:
        super().__init__()
        self.conv = conv(axes, channels, channels)

    def forward(self, h: Tensor) -> Tensor:
        result: Tensor = self.conv(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        return result


def _resnets(
    axes: int, narrow: int, wide: int, layers: int, groups: int, eps: float
) -> nn.ModuleList:
    """The residual blocks of a stage, the first of which changes the width."""
    return nn.ModuleList(
        ResnetBlock(axes, wide if j else narrow, wide, groups, eps) for j in range(layers)
    )


@final
class DownBlock(nn.Module):
    """Residual blocks, then half the size unless it is the last stage."""

    def __init__(
        self, axes: int, narrow: int, wide: int, layers: int, groups: int, last: bool, eps: float
    ) -> None:
        super().__init__()
        self.resnets = _resnets(axes, narrow, wide, layers, groups, eps)
        self.downsamplers = nn.ModuleList([] if last else [Downsample(axes, wide)])

    def blocks(self) -> list[nn.Module]:
        """In the order in which they run."""
        return [*self.resnets, *self.downsamplers]


@final
class UpBlock(nn.Module):
    """Residual blocks, then twice the size unless it is the last stage."""

    def __init__(
        self, axes: int, narrow: int, wide: int, layers: int, groups: int, last: bool, eps: float
    ) -> None:
        super().__init__()
        self.resnets = _resnets(axes, narrow, wide, layers, groups, eps)
        self.upsamplers = nn.ModuleList([] if last else [Upsample(axes, wide)])

    def blocks(self) -> list[nn.Module]:
        """In the order in which they run."""
        return [*self.resnets, *self.upsamplers]
