"""The residual-quantised posterior: every stage quantises what the stages before left over."""

from __future__ import annotations

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
from isthmus.posteriors.codebook import Codebook
from isthmus.posteriors.integers import check_indices
from isthmus.posteriors.places import Places
from isthmus.posteriors.vector_quantised import per_datum

LEFT_OUT = -1


@final
@POSTERIORS.register("rvq")
class ResidualQuantised(PenalisedPosterior, DiscretePosterior):
    """z ≈ e_1 + ... + e_Q, where e_s is stage s's nearest codeword to the rest z − Σ_{t<s} e_t.

    With quantiser dropout a share of the training data is decoded from their first stages alone, so
    that the first stages say the most, and a code can be cut short: `embed` leaves a stage out
    where its integer is −1.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z: positions, then the width of a codeword, where one axis is one position;
            over a feature map the width, then its sizes.
        stages: Q.
        n_codes: K, codewords of a stage.
        commitment: The weight of every stage's commitment.
        dropout: The share of data whose number of stages is drawn from 1 .. Q while training.
        ema: The codebooks follow by a moving average, else by gradient.
        decay: Of the moving average per step; less in the first steps (see `Codebook`).
        kmeans: Start every stage from k-means on the first batch.
        revive: A codeword is replaced below this share of the uniform usage; 0 never does it.
        grid: (h, w) where the features are a map: one code in each of its cells.

    Reference:
        Zeghidour et al., SoundStream, arXiv 2107.03312; Lee et al., Autoregressive Image Generation
        using Residual Quantization, arXiv 2203.01941.
    """

    has_density = False
    has_mode = True
    space = "codes"

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        stages: int = 4,
        n_codes: int = 256,
        commitment: float = 0.25,
        dropout: float = 0.5,
        ema: bool = True,
        decay: float = 0.99,
        kmeans: bool = True,
        revive: float = 0.1,
        grid: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if stages < 1:
            raise OptionError(f"Residual quantisation needs at least 1 stage, got {stages}.")
        self.latent_shape = tuple(latent_shape)
        self._places = Places(latent_shape, grid)
        self.code_shape = (*self._places.shape, stages)
        self.n_codes = n_codes
        self.books = stages
        self.commitment = commitment
        self.dropout = dropout
        self.head = self._places.head(features, self._places.width)
        self.codebooks = nn.ModuleList(
            Codebook(
                n_codes,
                self._places.width,
                decay=decay if ema else None,
                kmeans=kmeans,
                revive=revive,
            )
            for _ in range(stages)
        )

    def forward(self, h: Tensor) -> Quantised:
        z = self._places.read(self.head, h)
        rest, total = z, torch.zeros_like(z)
        kept = self._stages_kept(h)
        commitments, followed, indices = [], [], []
        for stage, codebook in enumerate(self.codebooks):
            chosen, index = codebook(rest.flatten(0, -2))
            chosen = chosen.view_as(z)
            commitments.append(per_datum(rest, chosen.detach()))
            followed.append(per_datum(chosen, rest.detach()))
            indices.append(index.view(z.shape[:-1]))
            total = total + chosen.detach() * (stage < kept).view(-1, *[1] * (z.ndim - 1))
            rest = rest - chosen.detach()
        asked = {"commitment": self.commitment * sum(commitments[1:], commitments[0])}
        if followed[0].requires_grad:
            asked["codebook"] = sum(followed[1:], followed[0])
        value = self._places.lay(straight_through(z, total))
        return Quantised(value, torch.stack(indices, -1), len(self.latent_shape), asked)

    def _stages_kept(self, h: Tensor) -> Tensor:
        """(B,) how many stages the decoder is given of each datum."""
        whole = torch.full((len(h),), self.books, device=h.device)
        if not self.training or not self.dropout:
            return whole
        drawn = torch.randint(1, self.books + 1, (len(h),), device=h.device)
        return torch.where(torch.rand(len(h), device=h.device) < self.dropout, drawn, whole)

    def penalties(self, q: Distribution) -> dict[str, Tensor]:
        return cast(Quantised, q).penalties

    def embed(self, indices: Tensor) -> Tensor:
        indices = check_indices(indices, self.code_shape, self.n_codes, lowest=LEFT_OUT)
        total = torch.zeros((), device=indices.device)
        for index, codebook in zip(indices.unbind(-1), self.codebooks, strict=True):
            found = F.embedding(index.clamp(min=0), cast(Codebook, codebook).vectors)
            total = total + found * (index != LEFT_OUT).unsqueeze(-1)
        return self._places.lay(total)
