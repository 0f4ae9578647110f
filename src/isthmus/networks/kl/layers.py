"""The latent-diffusion autoencoder written as a chain of layers, and what each takes to compute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, isqrt, prod
from typing import final

from torch import Tensor, nn

from isthmus.networks.kl.blocks import Attention, Convolution, Downsample, ResnetBlock, Upsample
from isthmus.networks.kl.decoder import KLDecoder
from isthmus.networks.kl.encoder import KLEncoder

# Cells that ask at once: more make the products no faster.
MOST_CELLS = 2048


@final
@dataclass(frozen=True)
class Layer:
    """conv(enlarge(silu(norm(h)))), and the residual added where a block closes.

    Args:
        conv: The convolution.
        norm: Before it, with a SiLU.
        enlarge: Whether every cell is repeated along each axis before it.
        opens: What it reads is the stream, which is kept for the layer that closes.
        closes: What it gives is added to the stream.
        shortcut: A 1 × 1 convolution that the stream passes first.
    """

    conv: Convolution
    norm: nn.GroupNorm | None = None
    enlarge: bool = False
    opens: bool = False
    closes: bool = False
    shortcut: Convolution | None = None

    @property
    def weight(self) -> Tensor:
        """(out, in, *kernel)."""
        return self.conv.weight

    @property
    def stride(self) -> int:
        """Of the convolution, along every axis."""
        return self.conv.stride[0]

    @property
    def widths(self) -> tuple[int, int]:
        """Channels in and out."""
        return self.weight.shape[1], self.weight.shape[0]

    def result(self, size: Sequence[int]) -> tuple[int, ...]:
        """The size of what comes out for a map of `size`."""
        return tuple(ceil(side * (1 + self.enlarge) / self.stride) for side in size)

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The enlarged rows that rows [start, stop) of the result are made of, beyond edges too."""
        before = 0 if self.stride > 1 else self.weight.shape[2] // 2
        first = start * self.stride - before
        return first, (stop - 1) * self.stride - before + self.weight.shape[2]

    def working(self, size: Sequence[int], rows: int, itemsize: int) -> int:
        """Bytes beside the maps while `rows` rows of the result are computed."""
        narrow, wide = self.widths
        first, last = self.span(0, rows)
        read = prod(size[1:]) * ceil((last - first + 1) / (1 + self.enlarge))
        filled = prod(self.result(size)[1:]) * self.stride ** (len(size) - 1) * (last - first)
        written = prod(self.result(size)[1:]) * rows
        stream = 0 if self.shortcut is None else self.shortcut.in_channels
        # The strip as read, as the convolution reads it and as its library lays it out; the result
        # likewise, beside what is added to it and its distance from the mean.
        return (
            max(itemsize, 4) * narrow * (read + 2 * filled)
            + max(itemsize, 4) * (3 * wide + stream) * written
        )


@final
@dataclass(frozen=True)
class Attending:
    """The attention over all cells of the map, one strip of cells asking at a time."""

    block: Attention

    def result(self, size: Sequence[int]) -> tuple[int, ...]:
        """The size that it gives, which is the one that it reads."""
        return tuple(size)

    @property
    def widths(self) -> tuple[int, int]:
        """Channels in and out."""
        width = self.block.to_q.in_features
        return width, width

    def working(self, size: Sequence[int], rows: int, itemsize: int) -> int:
        """Bytes beside the maps while `rows` rows ask, and as many answer."""
        cells = prod(size[1:]) * rows
        return max(itemsize, 4) * cells * (10 * self.widths[0] + 2 * cells)

    def most_rows(self, size: Sequence[int], free: int, itemsize: int) -> int:
        """How many rows may ask at once."""
        width, free = 10 * self.widths[0], free // max(itemsize, 4)
        cells = (isqrt(width * width + 8 * free) - width) // 4
        return max(1, min(cells, MOST_CELLS) // prod(size[1:]))


Chain = list[Layer | Attending]


def chain(network: KLEncoder | KLDecoder) -> Chain:
    """Its layers, in the order in which they run."""
    first: Chain = [Layer(network.conv_in)]
    if isinstance(network, KLDecoder) and network.post_quant_conv is not None:
        first.insert(0, Layer(network.post_quant_conv))
    return [
        *first,
        *(layer for block in network.blocks() for layer in _layers(block)),
        Layer(network.conv_out, network.conv_norm_out),
    ]


def _layers(block: nn.Module) -> Iterable[Layer | Attending]:
    if isinstance(block, ResnetBlock):
        yield Layer(block.conv1, block.norm1, opens=True)
        yield Layer(block.conv2, block.norm2, closes=True, shortcut=block.conv_shortcut)
    elif isinstance(block, Attention):
        yield Attending(block)
    elif isinstance(block, (Downsample, Upsample)):
        yield Layer(block.conv, enlarge=isinstance(block, Upsample))


def most_rows(layer: Layer | Attending, size: Sequence[int], free: int, itemsize: int) -> int:
    """How many rows of a layer's result can be computed at once in `free` bytes, at least one."""
    if isinstance(layer, Attending):
        return layer.most_rows(size, free, itemsize)
    length = layer.result(size)[0]
    two, four = (layer.working(size, rows, itemsize) for rows in (2, 4))
    per_row = (four - two) // 2
    return max(1, min(length, 2 + (free - two) // per_row))


def least(layers: Chain, size: Sequence[int], itemsize: int) -> int:
    """Bytes that the layers need for strips of one row."""
    needed = 0
    for layer in layers:
        needed = max(needed, layer.working(size, 1, itemsize))
        size = layer.result(size)
    return needed


def at_once(layers: Chain, size: Sequence[int], itemsize: int) -> int:
    """Bytes of one datum that passes the layers without strips, beside what goes in."""
    needed = kept = 0
    for layer in layers:
        narrow, wide = layer.widths
        read, written = narrow * prod(size), wide * prod(layer.result(size))
        if isinstance(layer, Layer):
            kept = read if layer.opens else kept
            passed = read * 2 ** (len(size) * layer.enlarge)
            needed = max(needed, (kept + 2 * passed + read + 2 * written) * itemsize)
            kept = 0 if layer.closes else kept
        else:
            needed = max(needed, 7 * read * itemsize)
        size = layer.result(size)
    return needed
