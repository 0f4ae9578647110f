"""Fitting the densities of codes that wait for a trained model."""

from __future__ import annotations

import torch
from torch import Tensor

from isthmus.data import Source
from isthmus.model import LatentModel
from isthmus.priors import FittedPrior

# Codes that a density is fitted to, at most.
FITTED_CODES = 50_000


def fit_waiting(model: LatentModel, training: Source, seed: int) -> None:
    """Fit the model's prior and its sampler, where they wait for the codes of the training data."""
    for density in (model.prior, model.sampler):
        if isinstance(density, FittedPrior):
            fit_to_codes(density, model, training, seed)


@torch.no_grad()
def fit_to_codes(density: FittedPrior, model: LatentModel, training: Source, seed: int) -> None:
    """Fit a density to the codes that a model gives the training data.

    Args:
        density: Fitted in place; it says which codes.
        model: On any device; the density on the same one.
        training: At most `FITTED_CODES` of it are read.
        seed: Of their choice.
    """
    device = next(model.parameters()).device
    # Some of many data are drawn at random: their stored order may be by class.
    few = len(training) <= FITTED_CODES
    batches = training.chunks(1024) if few else training.epoch(1024, seed=seed, epoch=0)
    codes: list[Tensor] = []
    for stored in batches:
        batch = stored.to(device)
        codes.append(model.encode(batch.x, density.fitted_to, condition=batch.condition))
        if sum(map(len, codes)) >= FITTED_CODES:
            break
    density.fit(torch.cat(codes))
