"""log p(x) by importance sampling, with exactly the samples asked for and in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from isthmus.errors import OptionError

# Elements of the decoder's output that one chunk of importance samples may hold: 4 MiB of float32,
# which stay in a CPU's cache. A GPU gets this many times more, so that its launches are worth
# their while.
CHUNK_ELEMENTS = 1 << 20
ON_A_GPU = 16


def log_mean_weight(
    x: Tensor,
    q: Distribution,
    p: Distribution,
    generate: Callable[[Tensor], Distribution],
    samples: int,
) -> Tensor:
    """The estimate log mean_S p(x, z_s) / q(z_s|x) of log p(x), z_s ~ q, as (B,) nats.

    Args:
        x: (B, *D).
        q: q(z|x), batch (B,).
        p: p(z), batch () or (B,).
        generate: z (S, B, *Z) -> p(x|z), batch (S, B).
        samples: S.

    Raises:
        OptionError: Not even one sample was asked for.

    Reference:
        Burda et al., Importance Weighted Autoencoders, arXiv 1509.00519.
    """
    if samples < 1:
        raise OptionError(f"log p(x) needs at least one importance sample, got samples={samples}.")
    elements = CHUNK_ELEMENTS if x.device.type == "cpu" else ON_A_GPU * CHUNK_ELEMENTS
    chunk = max(1, elements // max(1, x.numel()))
    parts = []
    for start in range(0, samples, chunk):
        z = q.rsample(torch.Size((min(chunk, samples - start),)))
        weights = generate(z).log_prob(x) + p.log_prob(z) - q.log_prob(z)
        parts.append(torch.logsumexp(weights, 0))
    return torch.logsumexp(torch.stack(parts), 0) - math.log(samples)
