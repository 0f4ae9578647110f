"""A codebook: the nearest of K vectors, and how the vectors follow the data."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.errors import OptionError

# Distances held in memory at once.
MOST_DISTANCES = 2**24
LLOYD_STEPS = 10
# Where no moving average moves the vectors, their usage has one of this decay.
USAGE_DECAY = 0.99


@final
class Codebook(nn.Module):
    """K vectors; each input is replaced by the nearest.

    While training the vectors follow the inputs that chose them: by an exponential moving average,
    or by gradient through the codebook loss. The average's decay at step t = 1, 2, ... is
    min(decay, (1 + t) / (10 + t)). At a constant .99 the first vectors would weigh as much as 100
    batches, and the few that are chosen first would keep all data; besides, the window has to be
    short while the encoder moves fast. Where the first batch starts the vectors by k-means, it does
    so once, and a resumed run does not start again. A vector that is chosen too rarely is replaced
    by a random input of the batch.

    Args:
        n_codes: K.
        dim: Of a vector.
        decay: Of the moving average per step, once its ramp is over (.99: after 890 steps); None
            moves the vectors by gradient.
        kmeans: Start from k-means on the first batch, else uniformly within 1 / K of the origin.
        revive: A vector is replaced below this share of the uniform usage 1 / K; 0 never does it.
        cosine: The vectors and the inputs have unit length.

    Reference:
        van den Oord et al., Neural Discrete Representation Learning, arXiv 1711.00937, appendix A;
        Zeghidour et al., SoundStream, arXiv 2107.03312, section III-C.
    """

    vectors: Tensor
    usage: Tensor
    updates: Tensor
    started: Tensor

    def __init__(
        self,
        n_codes: int,
        dim: int,
        *,
        decay: float | None = 0.99,
        kmeans: bool = True,
        revive: float = 0.1,
        cosine: bool = False,
    ) -> None:
        super().__init__()
        if n_codes < 2:
            raise OptionError(f"A codebook needs at least 2 codes, got n_codes={n_codes}.")
        if decay is not None and not 0.0 <= decay < 1.0:
            raise OptionError(f"The codebook's decay must be in [0, 1), got {decay}.")
        self.decay = decay
        self.revive = revive
        self.cosine = cosine
        vectors = self._sized((2.0 * torch.rand(n_codes, dim) - 1.0) / n_codes)
        if decay is None:
            self.vectors = nn.Parameter(vectors)
        else:
            self.register_buffer("vectors", vectors)
        self.register_buffer("usage", torch.full((n_codes,), 1.0 / n_codes))
        self.register_buffer("updates", torch.tensor(0))
        self.register_buffer("started", torch.tensor(not kmeans))
        # Known on the host, so that a step need not wait for the device to say it.
        self._known_started = not kmeans

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors (N, dim) nearest to z (N, dim), and their indices (N,).

        In training mode the codebook then takes its own step.
        """
        seen = z.detach()
        if self.training:
            self._start_once(seen)
        indices = nearest(seen, self.vectors.detach())
        chosen = F.embedding(indices, self.vectors)
        if self.training:
            self._follow(seen, indices)
        return chosen, indices

    @torch.no_grad()
    def _start_once(self, z: Tensor) -> None:
        if self._known_started:
            return
        if not self.started:
            self.vectors.copy_(self._sized(kmeans(z, len(self.vectors))))
            self.started.fill_(True)
        self._known_started = True

    @torch.no_grad()
    def _follow(self, z: Tensor, indices: Tensor) -> None:
        # Not bincount, which would wait for the device.
        share = torch.zeros_like(self.usage).index_add_(0, indices, z.new_ones(len(z))) / len(z)
        new = self._weight_of_this_step()
        self.usage.lerp_(share, new)
        if self.decay is not None:
            # The moving average of sums over that of counts, written as a step: an idle vector
            # stays exactly where it is however small its average count becomes.
            sums = torch.zeros_like(self.vectors).index_add_(0, indices, z) / len(z)
            pull = new * (sums - share.unsqueeze(1) * self.vectors)
            tiny = torch.finfo(z.dtype).tiny
            self.vectors.add_(pull / self.usage.clamp(min=tiny).unsqueeze(1))
        if self.revive:
            uniform = 1.0 / len(self.usage)
            dead = self.usage < self.revive * uniform
            drawn = z[torch.randint(len(z), (len(self.usage),), device=z.device)]
            self.vectors.copy_(torch.where(dead.unsqueeze(1), drawn, self.vectors))
            # A new vector has as long to prove itself as one had at the start.
            self.usage.masked_fill_(dead, uniform)
        self.vectors.copy_(self._sized(self.vectors))

    def _weight_of_this_step(self) -> Tensor:
        """One minus the decay, () in the dtype of the usage."""
        self.updates.add_(1)
        if self.decay is None:
            return self.usage.new_full((), 1.0 - USAGE_DECAY)
        # On the device, so that a step need not wait for the count.
        ramp = 9.0 / (10.0 + self.updates.to(self.usage.dtype))
        return ramp.clamp(min=1.0 - self.decay)

    def _sized(self, vectors: Tensor) -> Tensor:
        return F.normalize(vectors, dim=-1) if self.cosine else vectors


def nearest(z: Tensor, vectors: Tensor) -> Tensor:
    """The index (N,) of the vector of (K, dim) that is nearest to each z (N, dim)."""
    half = 0.5 * vectors.square().sum(-1)
    rows = max(1, MOST_DISTANCES // len(vectors))
    # In half precision neighbours would be confused.
    with torch.autocast(z.device.type, enabled=False):
        return torch.cat([(half - part @ vectors.T).argmin(-1) for part in z.split(rows)])


@torch.no_grad()
def kmeans(z: Tensor, n_codes: int, steps: int = LLOYD_STEPS) -> Tensor:
    """K means of z (N, dim) by Lloyd's iterations from random inputs, (K, dim).

    Where there are fewer inputs than means, the rest are inputs again, slightly moved.
    """
    order = torch.randperm(max(len(z), n_codes), device=z.device)[:n_codes] % len(z)
    means = z[order]
    if len(z) < n_codes:
        return means + 0.01 * z.std(0, correction=0) * torch.randn_like(means)
    for _ in range(steps):
        indices = nearest(z, means)
        count = torch.bincount(indices, minlength=n_codes).to(z.dtype).unsqueeze(1)
        sums = torch.zeros_like(means).index_add_(0, indices, z)
        means = torch.where(count > 0, sums / count.clamp(min=1.0), means)
    return means
