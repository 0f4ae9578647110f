"""A transformer over sequences of integers that sees only what came before."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.errors import OptionError


@final
class CausalBlock(nn.Module):
    """Attention to the past, then a layer of hidden units, each added to what came in.

    Args:
        width: Of the representation.
        heads: Of the attention.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.attended = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.hidden = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, h: Tensor) -> Tensor:
        """(N, T, width) -> (N, T, width)."""
        split = self.attended(self.before_attention(h)).unflatten(-1, (3, self.heads, -1))
        q, k, v = split.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.joined(seen.transpose(1, 2).flatten(2))
        result: Tensor = h + self.hidden(h)
        return result


@final
class CausalTransformer(nn.Module):
    """Integers k_1 .. k_T -> logits of each given those before it, from a learned start.

    Args:
        n_codes: K, the values of an integer.
        length: T.
        width: Of the representation.
        layers: Number of blocks.
        heads: Of the attention.

    Reference:
        Vaswani et al., Attention Is All You Need, arXiv 1706.03762.
    """

    def __init__(
        self, n_codes: int, length: int, width: int = 64, layers: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        if width % heads:
            raise OptionError(f"The width {width} must be a multiple of the {heads} heads.")
        self.token = nn.Embedding(n_codes, width)
        self.start = nn.Parameter(torch.zeros(width))
        self.position = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.Sequential(*(CausalBlock(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        # It begins with every code equally likely.
        self.logits = nn.Linear(width, n_codes)
        nn.init.zeros_(self.logits.weight)
        nn.init.zeros_(self.logits.bias)
        nn.init.normal_(self.token.weight, std=0.5)

    def forward(self, past: Tensor) -> Tensor:
        """The first t integers (N, t), t < T -> logits (N, t + 1, K) of those up to the next."""
        start = self.start.expand(len(past), 1, -1)
        h = torch.cat([start, self.token(past)], 1) + self.position[: past.shape[1] + 1]
        result: Tensor = self.logits(self.norm(self.blocks(h)))
        return result
