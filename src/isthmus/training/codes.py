"""How the codes of held-out data use their codebooks, for the history."""

from __future__ import annotations

import torch

from isthmus.data import Source
from isthmus.metrics import code_perplexity, code_usage
from isthmus.model import LatentModel
from isthmus.posteriors import DiscretePosterior


def code_figures(model: LatentModel, source: Source, batch_size: int) -> dict[str, float]:
    """`usage` in [0, 1] and `perplexity` of a discrete posterior's integers; none for any other."""
    posterior = model.posterior
    if not (isinstance(posterior, DiscretePosterior) and posterior.has_mode):
        return {}
    device = next(model.parameters()).device
    indices = torch.cat(
        [
            model.encode(batch.x.to(device), "argmax", condition=_moved(batch.condition, device))
            for batch in source.chunks(batch_size)
        ]
    )
    columns = indices.reshape(-1, posterior.books).cpu().numpy()
    n_codes = posterior.n_codes
    return {
        "usage": code_usage(columns, n_codes),
        "perplexity": code_perplexity(columns, n_codes),
    }


def _moved(condition: torch.Tensor | None, device: torch.device) -> torch.Tensor | None:
    return None if condition is None else condition.to(device)
