"""A code from a posterior, drawn with the caller's own chance."""

from __future__ import annotations

import torch
from torch import Tensor

from isthmus.distributions import DiagonalNormal
from isthmus.posteriors import Posterior, code

Chance = torch.Generator | int | None


def drawn(posterior: Posterior, q: DiagonalNormal, mode: str, generator: Chance) -> Tensor:
    """The code (B, *Z) of q that `mode` takes.

    Args:
        posterior: Where q is from.
        q: Of the whole batch, so that a draw does not depend on how the batch was sliced.
        mode: "mean", "argmax" or "sample".
        generator: What a sample is drawn with, on the generator's own device, so that one seed
            gives the same draw on any; a seed stands for a new one. None draws with torch's.
    """
    if generator is None:
        return code(posterior, q, mode)
    if isinstance(generator, int):
        generator = torch.Generator().manual_seed(generator)
    device, home = q.loc.device, generator.device
    moved = DiagonalNormal(q.loc.to(home), q.scale.to(home), q.event_dims)
    # Distributions draw with torch's own generator, which has the same state for as long as this.
    with torch.random.fork_rng([home] if home.type == "cuda" else [], device_type="cuda"):
        if home.type == "cuda":
            torch.cuda.set_rng_state(generator.get_state(), home)
        else:
            torch.set_rng_state(generator.get_state())
        z = code(posterior, moved, mode)
        after = torch.cuda.get_rng_state(home) if home.type == "cuda" else torch.get_rng_state()
        generator.set_state(after)
    return z.to(device)
