"""The latent-diffusion autoencoder in bounded memory, with the result of the whole image at once.

Tiles that are computed apart and blended differ from the whole: the normalisation sees a tile's
statistics in place of the image's, and the attention a tile's cells. Here every layer runs over
strips of rows, with the rows around a strip that its convolution reads; the statistics of a map are
merged while its strips are written, so the next layer has those of the whole; and the attention
reads the keys and values of all cells. Nothing is computed twice. Maps that do not fit lie in host
memory, or in a file where the host computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import EllipsisType
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.maths import full_precision
from isthmus.networks.kl.decoder import KLDecoder
from isthmus.networks.kl.encoder import KLEncoder
from isthmus.networks.kl.layers import Attending, Chain, Layer, at_once, chain, least, most_rows
from isthmus.networks.kl.rows import Budget, HeldRows, Rows, bytes_of

# Strips whose working set is larger than this are no faster on a CPU, whose caches are small.
LARGE_STRIP = 2**24
# Of the memory, half is for maps and a quarter for a strip: libraries take as much again for it.
FOR_MAPS, FOR_STRIPS = 2, 4

_CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def encode_strips(
    encoder: KLEncoder, x: Tensor, memory: int | str | None = None, folder: Path | None = None
) -> Tensor:
    """The features of x as the encoder gives them, in bounded memory and without gradients.

    Args:
        encoder: Whose forward is meant.
        x: (B, C, *size).
        memory: Bytes beside x, the weights and the result, as a number or "512MB": data run
            together while they fit, else one by one, else in strips. None for all at once.
        folder: Where maps lie that the CPU cannot hold; None for the system's temporary folder.

    Returns:
        (B, 2 Z, *map).

    Raises:
        OptionError: Not even strips of one row fit.
    """
    with torch.no_grad():
        padded = encoder.pad(x)
        return _bounded(encoder, encoder, padded, encoder.features, memory, folder)


def decode_strips(
    decoder: KLDecoder, z: Tensor, memory: int | str | None = None, folder: Path | None = None
) -> Tensor:
    """What `decode_map` gives of z, in bounded memory and without gradients.

    Args:
        decoder: Whose `decode_map` is meant.
        z: (N, Z, *map).
        memory: As of `encode_strips`.
        folder: As of `encode_strips`.

    Returns:
        (N, P C, *(f map)), uncropped.

    Raises:
        OptionError: Not even strips of one row fit.
    """
    with torch.no_grad():
        outputs = decoder.shape[0] * decoder.shape[1]
        return _bounded(decoder, decoder.decode_map, z, outputs, memory, folder)


def _bounded(
    network: KLEncoder | KLDecoder,
    whole: Any,
    x: Tensor,
    outputs: int,
    memory: int | str | None,
    folder: Path | None,
) -> Tensor:
    """As many data at once as fit, or each in strips."""
    if memory is None or not len(x):
        result: Tensor = whole(x)
        return result
    layers, size, limit = chain(network), tuple(x.shape[2:]), bytes_of(memory)
    together = limit // at_once(layers, size, x.element_size())
    if together:
        return torch.cat([whole(part) for part in x.split(together)])
    needed = least(layers, size, x.element_size())
    if needed > limit:
        raise OptionError(
            f"memory={memory!r} is too little for one row of a map of this size: it takes "
            f"{needed / 1e6:.3g} MB."
        )
    grid = size
    for layer in layers:
        grid = layer.result(grid)
    result = x.new_empty((len(x), outputs, *grid))
    for datum, place in zip(x, result, strict=True):
        budget = Budget(limit, max(needed, limit // FOR_MAPS), folder)
        Strips(layers, budget, network.conv_norm_out.num_groups).run(datum, place)
    return result


@final
class Moments:
    """Mean and variance of a map by groups of channels, merged strip by strip in float64.

    Args:
        groups: Their number.
        channels: Of the map.
    """

    def __init__(self, groups: int, channels: int) -> None:
        self.groups = groups if channels % groups == 0 else 1
        self._n = 0
        self._mean: Tensor | None = None
        self._squares: Tensor | None = None

    def add(self, strip: Tensor) -> None:
        """One strip (1, C, rows, *rest) more."""
        values = full_precision(strip).reshape(self.groups, -1)
        middle = values.mean(1, keepdim=True)
        spread = torch.linalg.vector_norm(values - middle, dim=1).double().square()
        mean, n = middle[:, 0].double(), values.shape[1]
        if self._mean is None or self._squares is None:
            self._n, self._mean, self._squares = n, mean, spread
            return
        total = self._n + n
        delta = mean - self._mean
        self._squares += spread + delta.square() * (self._n * n / total)
        self._mean += delta * (n / total)
        self._n = total

    def affine(self, norm: nn.GroupNorm) -> tuple[Tensor, Tensor]:
        """What the normalisation multiplies each channel with, and adds to it: (C,)."""
        assert self._mean is not None
        assert self._squares is not None
        each = norm.num_channels // norm.num_groups
        scale = (self._squares / self._n + norm.eps).rsqrt().repeat_interleave(each)
        scale = scale * norm.weight.double()
        shift = norm.bias.double() - self._mean.repeat_interleave(each) * scale
        wide = full_precision(norm.weight).dtype
        return scale.to(wide), shift.to(wide)


@final
class Strips:
    """Layers over the strips of one datum.

    Args:
        layers: The network.
        budget: What may be held.
        groups: Of every normalisation in it.
    """

    def __init__(self, layers: Chain, budget: Budget, groups: int) -> None:
        self._layers, self._budget, self._groups = layers, budget, groups

    def run(self, x: Tensor, result: Tensor) -> None:
        """All layers over x (C, *size), into `result`."""
        self._dtype, self._device = x.dtype, x.device
        rows: Rows = HeldRows(x.movedim(1, 0), x.device)
        size, stream, moments = tuple(x.shape[1:]), rows, Moments(self._groups, len(x))
        for layer in self._layers:
            last = layer is self._layers[-1]
            if isinstance(layer, Attending):
                rows, moments = self._attend(layer, rows, moments, size)
                continue
            stream = rows if layer.opens else stream
            grid = layer.result(size)
            in_place = layer.closes and layer.shortcut is None
            target = (
                HeldRows(result.movedim(1, 0), x.device)
                if last
                else stream
                if in_place
                else self._room(grid[0], (layer.widths[1], *grid[1:]))
            )
            gathered = self._convolve(layer, rows, moments, stream, target, size)
            if not layer.opens:
                rows.close()
            if layer.closes and not in_place:
                stream.close()
            rows, moments, size = target, gathered, grid

    def _room(self, length: int, shape: tuple[int, ...]) -> Rows:
        return self._budget.rows(length, shape, self._dtype, self._device)

    def _strips(
        self, layer: Layer | Attending, size: tuple[int, ...], length: int
    ) -> Iterator[tuple[int, int]]:
        """The strips of a result: [start, stop)."""
        budget, itemsize = self._budget, self._dtype.itemsize
        free = budget.limit // FOR_STRIPS
        if self._device.type == "cpu":
            free = min(free, LARGE_STRIP)
        step = most_rows(layer, size, free, itemsize)
        budget.strips(layer.working(size, min(step, length), itemsize))
        return ((start, min(start + step, length)) for start in range(0, length, step))

    def _convolve(
        self,
        layer: Layer,
        rows: Rows,
        moments: Moments,
        stream: Rows,
        target: Rows,
        size: tuple[int, ...],
    ) -> Moments:
        """The layer over all strips of `rows` into `target`; the moments of what it gives."""
        affine = None if layer.norm is None else moments.affine(layer.norm)
        gathered = Moments(self._groups, layer.widths[1])
        keeps = [layer.weight.shape[2] // 2 if layer.stride == 1 else 0] * (len(size) - 1)
        weight, bias = layer.weight, layer.conv.bias
        for start, stop in self._strips(layer, size, target.length):
            filled = fill(layer, rows, affine, start, stop)
            strip = _CONVOLVE[len(size)](filled, weight, bias, layer.stride, (0, *keeps))
            del filled
            if layer.closes:
                kept = stream.read(start, stop).movedim(0, 1)[None]
                strip += kept if layer.shortcut is None else layer.shortcut(kept)
            gathered.add(strip)
            target.write(start, strip[0].movedim(1, 0))
        return gathered

    def _attend(
        self, layer: Attending, rows: Rows, moments: Moments, size: tuple[int, ...]
    ) -> tuple[Rows, Moments]:
        """The attention over `rows`, in place."""
        block, cells = layer.block, tuple(size[1:])
        scale, shift = moments.affine(block.group_norm)
        gathered = Moments(self._groups, rows.shape[0])
        shape = (torch.Size(cells).numel(), rows.shape[0])
        keys, values = self._room(size[0], shape), self._room(size[0], shape)

        def normalised(start: int, stop: int) -> Tensor:
            read = full_precision(rows.read(start, stop)).reshape(stop - start, -1, shape[0])
            read = read.transpose(1, 2)
            return (read * scale + shift).to(self._dtype)

        strips = list(self._strips(layer, size, rows.length))
        for start, stop in strips:
            part = normalised(start, stop)
            keys.write(start, block.to_k(part))
            values.write(start, block.to_v(part))
        for start, stop in strips:
            read = answer(block.to_q(normalised(start, stop)), keys, values, strips)
            strip = block.to_out[0](read.to(self._dtype)).transpose(1, 2)
            strip = strip.reshape(strip.shape[:2] + cells) + rows.read(start, stop)
            gathered.add(strip.movedim(0, 1)[None])
            rows.write(start, strip)
        keys.close()
        values.close()
        return rows, gathered


def fill(
    layer: Layer, rows: Rows, affine: tuple[Tensor, Tensor] | None, start: int, stop: int
) -> Tensor:
    """What the convolution reads for rows [start, stop) of its result: (1, C, n, *rest).

    The rows beyond the edges of the map are zeros, as those of the whole are; so are the cells
    beyond the other axes where the convolution has a stride, and else it adds them itself.
    """
    repeat = 1 + layer.enlarge
    first, last = layer.span(start, stop)
    low, high = max(first, 0), min(last, rows.length * repeat)
    read = rows.read(low // repeat, -(-high // repeat)).movedim(0, 1)[None]
    rest = [side * repeat for side in rows.shape[1:]]
    wide = [side + (layer.stride > 1) for side in rest]
    dtype = read.dtype if affine is None else affine[0].dtype
    shape = (1, read.shape[1], last - first, *wide)
    whole = (high - low, *rest) == (last - first, *wide)
    filled = read.new_empty(shape, dtype=dtype) if whole else read.new_zeros(shape, dtype=dtype)
    inner = _part(filled, slice(low - first, high - first), *(slice(side) for side in rest))
    if affine is not None:
        scale, shift = (t.reshape(1, -1, *[1] * (read.dim() - 2)) for t in affine)
        torch.mul(read, scale, out=inner).add_(shift)
        # silu(0) = 0: the zeros around stay.
        F.silu(filled, inplace=True)
    elif layer.enlarge:
        enlarge(read, inner, low % 2)
    else:
        inner.copy_(read)
    return filled.to(read.dtype)


def enlarge(read: Tensor, inner: Tensor, skipped: int) -> None:
    """Every cell of `read` repeated along each axis into `inner`, whose first row is the second of
    its pair where one is skipped.
    """
    for parity, *rest in product((0, 1), repeat=read.dim() - 2):
        first = slice((parity - skipped) % 2, None, 2)
        place = _part(inner, first, *(slice(p, None, 2) for p in rest))
        begin = 1 if skipped and parity == 0 else 0
        place.copy_(read[:, :, begin : begin + place.shape[2]])


def _part(t: Tensor, *along: slice) -> Tensor:
    """What the slices along the last axes leave of t."""
    chosen: tuple[EllipsisType | slice, ...] = (..., *along)
    return t[chosen]


def answer(queries: Tensor, keys: Rows, values: Rows, strips: list[tuple[int, int]]) -> Tensor:
    """softmax(q k^T / sqrt(C)) v over the keys and values of all strips, in one pass over them.

    The running maximum m and sum s of the weights are carried along: weights already summed are
    multiplied by exp(m - m') when m' takes m's place.

    Args:
        queries: (rows, cells, C).
        keys: Rows of (cells, C).
        values: Rows of (cells, C).
        strips: Which of them to read at once.
    """
    asked = full_precision(queries).flatten(0, 1) * queries.shape[-1] ** -0.5
    top = asked.new_full((len(asked), 1), -torch.inf)
    total, read = torch.zeros_like(top), torch.zeros_like(asked)
    for start, stop in strips:
        scores = asked @ full_precision(keys.read(start, stop)).flatten(0, 1).T
        higher = torch.maximum(top, scores.amax(1, keepdim=True))
        weights = scores.sub_(higher).exp_()
        faded = (top - higher).exp_()
        total.mul_(faded).add_(weights.sum(1, keepdim=True))
        read.mul_(faded).addmm_(weights, full_precision(values.read(start, stop)).flatten(0, 1))
        top = higher
    return read.div_(total).unflatten(0, queries.shape[:2])
