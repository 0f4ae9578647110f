"""The vector-quantised posterior: the nearest codeword at every position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast, final

import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution

from isthmus.distributions import Quantised
from isthmus.maths import straight_through
from isthmus.posteriors.base import POSTERIORS, DiscretePosterior, PenalisedPosterior
from isthmus.posteriors.codebook import Codebook
from isthmus.posteriors.integers import check_indices
from isthmus.posteriors.places import Places


@final
@POSTERIORS.register("vq")
class VectorQuantised(PenalisedPosterior, DiscretePosterior):
    """Each position's vector is replaced by the nearest of K, with its gradient passed straight
    through.

    The loss asks ‖sg(e) − z‖², weighed, of the encoder (the commitment), and ‖e − sg(z)‖² of a
    codebook that moves by gradient; both are sums over a datum's positions, in the units of the
    code.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: Z: positions, then the width of a codeword, where one axis is one position;
            over a feature map the width, then its sizes.
        n_codes: K.
        commitment: The commitment's weight.
        ema: The codebook follows by a moving average, else by gradient.
        decay: Of the moving average per step; less in the first steps (see `Codebook`).
        kmeans: Start from k-means on the first batch.
        revive: A codeword is replaced below this share of the uniform usage; 0 never does it.
        cosine: Codewords and vectors have unit length, so that the nearest is the most similar.
        grid: (h, w) where the features are a map: one code in each of its cells.

    Reference:
        van den Oord et al., Neural Discrete Representation Learning, arXiv 1711.00937.
    """

    has_density = False
    has_mode = True
    space = "codes"

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        n_codes: int = 512,
        commitment: float = 0.25,
        ema: bool = True,
        decay: float = 0.99,
        kmeans: bool = True,
        revive: float = 0.1,
        cosine: bool = False,
        grid: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.latent_shape = tuple(latent_shape)
        self._places = Places(latent_shape, grid)
        self.code_shape = self._places.shape
        self.n_codes = n_codes
        self.commitment = commitment
        self.cosine = cosine
        self.head = self._places.head(features, self._places.width)
        self.codebook = Codebook(
            n_codes,
            self._places.width,
            decay=decay if ema else None,
            kmeans=kmeans,
            revive=revive,
            cosine=cosine,
        )

    def forward(self, h: Tensor) -> Quantised:
        z = self._places.read(self.head, h)
        z = F.normalize(z, dim=-1) if self.cosine else z
        chosen, indices = self.codebook(z.flatten(0, -2))
        chosen = chosen.view_as(z)
        asked = {"commitment": self.commitment * per_datum(z, chosen.detach())}
        if chosen.requires_grad:
            asked["codebook"] = per_datum(chosen, z.detach())
        value = self._places.lay(straight_through(z, chosen))
        indices = indices.view(len(h), *self.code_shape)
        return Quantised(value, indices, len(self.latent_shape), asked)

    def penalties(self, q: Distribution) -> dict[str, Tensor]:
        return cast(Quantised, q).penalties

    def embed(self, indices: Tensor) -> Tensor:
        indices = check_indices(indices, self.code_shape, self.n_codes)
        return self._places.lay(F.embedding(indices, self.codebook.vectors))


def per_datum(found: Tensor, wanted: Tensor) -> Tensor:
    """Squared distances (B,) summed over all but the first axis."""
    return (found - wanted).square().flatten(1).sum(1)
