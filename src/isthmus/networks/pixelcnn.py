"""A convolutional network over grids of integers that sees only what came before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def gate(h: Tensor) -> Tensor:
    """tanh(a) · sigmoid(b) for the two halves of the channels."""
    a, b = h.chunk(2, 1)
    return a.tanh() * b.sigmoid()


@final
class GatedLayer(nn.Module):
    """One step of the two stacks: `above` at (r, c) sees rows up to r, `left` what comes before.

    The vertical stack looks `reach` rows up and to both sides, the horizontal one `reach` cells to
    the left in its own row; it is told what the vertical one saw above that row. What is strictly
    before is therefore seen without a blind spot.

    Args:
        width: Of the representation.
        reach: Distance of the cells that are looked at, beside the cell itself.
    """

    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        self.reach = reach
        self.vertical = nn.Conv2d(width, 2 * width, (2, 3), dilation=reach)
        self.horizontal = nn.Conv2d(width, 2 * width, (1, 2), dilation=reach)
        self.told = nn.Conv2d(2 * width, 2 * width, 1)
        self.joined = nn.Conv2d(width, width, 1)

    def forward(self, above: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        """Both (N, width, h, w)."""
        reach = self.reach
        seen = self.vertical(F.pad(above, (reach, reach, reach, 0)))
        row = self.horizontal(F.pad(left, (reach, 0)))
        return above + gate(seen), left + self.joined(gate(row + self.told(down(seen))))


@final
class PixelCNN(nn.Module):
    """Integers k on a grid -> logits of each given all before it: row by row from the top, and the
    stages of a cell one after the other.

    Layers look 1, 2, 4, ... cells far, in turns, so that few of them see the whole grid.

    Args:
        n_codes: K, the values of an integer.
        code_shape: (h, w), or (h, w, stages) of a residual code.
        width: Of the representation.
        layers: At the least; a large grid takes as many as it needs to be seen whole.

    Reference:
        van den Oord et al., Conditional Image Generation with PixelCNN Decoders, arXiv 1606.05328.
        Its layers are not dilated, which is WaveNet's way (arXiv 1609.03499); a cell's stages are
        read by a small network, after Lee et al., arXiv 2203.01941.
    """

    def __init__(
        self, n_codes: int, code_shape: Sequence[int], width: int = 64, layers: int = 5
    ) -> None:
        super().__init__()
        rows, columns, *rest = code_shape
        self.stages = rest[0] if rest else 1
        reaches = [1]
        while sum(reaches) < max(rows, columns) - 1:
            reaches.append(2 * reaches[-1])
        self.token = nn.Embedding(self.stages * n_codes, width)
        nn.init.normal_(self.token.weight, std=0.5)
        self.place = nn.Parameter(0.02 * torch.randn(width, rows, columns))
        self.layers = nn.ModuleList(
            GatedLayer(width, reach) for reach in islice(cycle(reaches), max(layers, len(reaches)))
        )
        self.within = nn.ModuleList(nn.Embedding(n_codes, width) for _ in range(self.stages - 1))
        self.hidden = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU())
            for _ in range(self.stages)
        )
        self.logits = nn.ModuleList(nn.Linear(2 * width, n_codes) for _ in range(self.stages))
        for head in self.logits:
            # It begins with every code equally likely.
            nn.init.zeros_(head.weight)  # type: ignore[arg-type]
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]
        self.register_buffer("first", n_codes * torch.arange(self.stages), persistent=False)

    def forward(self, k: Tensor) -> Tensor:
        """Integers (N, h, w, stages) -> logits (N, h, w, stages, K)."""
        known = self.context(k)
        logits = [self.stage(0, known)]
        for s in range(1, self.stages):
            known = self.tell(s, known, k)
            logits.append(self.stage(s, known))
        return torch.stack(logits, -2)

    def context(self, k: Tensor) -> Tensor:
        """What is known of each cell from those before it: (N, r, w, stages) -> (N, r, w, width)
        for the first r rows.
        """
        h = self.token(k + self.get_buffer("first")).sum(-2).movedim(-1, 1)
        # Shifted once, a cell never sees itself, in whichever layer.
        above, left = h, F.pad(h, (1, 0))[..., :-1] + down(h) + self.place[:, : k.shape[1]]
        for layer in self.layers:
            above, left = layer(above, left)
        return left.movedim(1, -1)

    def tell(self, s: int, known: Tensor, k: Tensor) -> Tensor:
        """What is known (..., width) before stage s, from what was before stage s − 1 and the
        integers (..., stages).
        """
        result: Tensor = known + self.within[s - 1](k[..., s - 1])
        return result

    def stage(self, s: int, known: Tensor) -> Tensor:
        """Logits (..., K) of stage s, given what is known (..., width)."""
        result: Tensor = self.logits[s](self.hidden[s](known))
        return result


def down(h: Tensor) -> Tensor:
    """A row down: every cell reads the one above it."""
    return F.pad(h, (0, 0, 1, 0))[..., :-1, :]
