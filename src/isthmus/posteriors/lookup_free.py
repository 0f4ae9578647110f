"""Lookup-free quantisation: the signs of a few dimensions are the code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.distributions import Quantised
from isthmus.errors import OptionError
from isthmus.maths import straight_through
from isthmus.posteriors.base import POSTERIORS, DiscretePosterior, PenalisedPosterior
from isthmus.posteriors.heads import wide_start
from isthmus.posteriors.integers import check_indices
from isthmus.posteriors.places import Places

MOST_BITS = 18
# The usage of at most 2^10 codes is written out; more bits are judged in groups of so many.
GROUP = 10


@final
@POSTERIORS.register("lfq")
class LookupFree(PenalisedPosterior, DiscretePosterior):
    """Each position is the signs of `bits` dimensions, bounded by a tanh whose gradient passes
    straight through.

    An entropy penalty w · (E_x H[k|x] − d · H[k]) per position asks for certain codes that are all
    in use, where q(k|x) is the softmax of −‖z − c_k‖² / temperature over the codes c_k in
    {−1, 1}^bits, z the bounded dimensions. It factorises over bits given x, and H[k] is that of the
    batch: exact up to 10 bits, beyond that the sum over groups of 10, an upper bound.

    The paper has no bound. Without one the dimensions drift far from 0, where no step turns a sign
    any more; with one a temperature of 1 would pull at all of them to the end of training, and a
    small one does at those near 0 alone. The head starts with three times PyTorch's weights and no
    bias, as that of `FiniteScalar`.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z: positions, then the width that the decoder reads, where one axis is one
            position; over a feature map the width, then its sizes.
        bits: Of a position; there are 2^bits codes.
        entropy: w, the penalty's weight.
        diversity: d, the weight of the codes' usage against their certainty.
        temperature: Of the softmax.
        grid: (h, w) where the features are a map: one code in each of its cells.

    Reference:
        Yu et al., Language Model Beats Diffusion: Tokenizer is Key to Visual Generation, arXiv
        2310.05737.
    """

    has_density = False
    has_mode = True
    space = "codes"

    basis: Tensor

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        bits: int = 9,
        entropy: float = 0.1,
        diversity: float = 1.0,
        temperature: float = 0.1,
        grid: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if not 1 <= bits <= MOST_BITS:
            raise OptionError(f"bits must be from 1 to {MOST_BITS}, got {bits}.")
        self.latent_shape = tuple(latent_shape)
        self._places = Places(latent_shape, grid)
        self.code_shape = self._places.shape
        self.n_codes = 2**bits
        self.entropy = entropy
        self.diversity = diversity
        self.temperature = temperature
        self.register_buffer("basis", 2 ** torch.arange(bits), persistent=False)
        self.head = wide_start(self._places.head(features, bits))
        self.spread = nn.Linear(bits, self._places.width)

    def forward(self, h: Tensor) -> Quantised:
        bounded = self._places.read(self.head, h).tanh()
        positive = bounded > 0
        signs = positive.to(bounded.dtype) * 2.0 - 1.0
        value = self.spread(straight_through(bounded, signs))
        return Quantised(
            self._places.lay(value),
            (positive * self.basis).sum(-1),
            len(self.latent_shape),
            {"entropy": self.entropy * self._disorder(bounded)},
        )

    def _disorder(self, bounded: Tensor) -> Tensor:
        """(B,) Σ_positions H[k|x] − d · H[k], in nats."""
        # ‖z − 1‖² and ‖z + 1‖² differ by 4 z in each bit.
        logits = 4.0 * bounded / self.temperature
        uncertain = (F.softplus(logits) - logits * logits.sigmoid()).flatten(1).sum(1)
        used = usage_entropy(logits.sigmoid().flatten(0, -2))
        return uncertain - self.diversity * math.prod(self.code_shape) * used

    def penalties(self, q: Distribution) -> dict[str, Tensor]:
        return cast(Quantised, q).penalties

    def embed(self, indices: Tensor) -> Tensor:
        indices = check_indices(indices, self.code_shape, self.n_codes)
        positive = indices.unsqueeze(-1) // self.basis % 2
        found: Tensor = self.spread((2 * positive - 1).to(self.spread.weight.dtype))
        return self._places.lay(found)


def usage_entropy(probabilities: Tensor) -> Tensor:
    """The entropy in nats of the mean over rows of products of Bernoullis (N, bits), in groups."""
    total = probabilities.new_zeros(())
    for group in probabilities.split(GROUP, -1):
        joint = group.new_ones(len(group), 1)
        for p in group.unbind(-1):
            joint = torch.cat([joint * (1.0 - p[:, None]), joint * p[:, None]], -1)
        used = joint.mean(0)
        # The slope of p log p is infinite at 0, where a code is impossible.
        total = total - (used * used.clamp(min=torch.finfo(used.dtype).tiny).log()).sum()
    return total
