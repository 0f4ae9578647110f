"""Fitting the densities of codes that wait for a trained model."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from isthmus.data import Source
from isthmus.model import LatentModel
from isthmus.posteriors import code_shape
from isthmus.priors import FittedPrior, StartedPrior

# Codes that a density is fitted to, at most, and the numbers in them: 128 MB of integers.
FITTED_CODES, FITTED_NUMBERS = 50_000, 2**24


def fit_waiting(
    model: LatentModel, training: Source, seed: int, say: Callable[[str], None]
) -> None:
    """Fit the model's prior and its sampler, where they wait for the codes of the training data."""
    for density in (model.prior, model.sampler):
        if isinstance(density, FittedPrior):
            if density.by_steps:
                say("a density is fitted to the codes of the training data, by steps of its own")
            fit_to_codes(density, model, training, seed)


def starter(model: LatentModel, training: Source, seed: int) -> Callable[[float], None]:
    """What lets the model's prior begin at the codes of the training data, once that is due.

    It hears how far training is before every step; the device is asked once, now.
    """
    prior = model.prior
    if not isinstance(prior, StartedPrior) or not awaits_start(model):
        return lambda progress: None
    waiting = True

    def start(progress: float) -> None:
        nonlocal waiting
        if waiting and progress >= prior.pretraining:
            waiting = False
            prior.start(_codes(model, training, "mean", seed), seed)
            prior.get_buffer("started").fill_(True)

    return start


def awaits_start(model: LatentModel) -> bool:
    """Whether the model's prior is still to begin at the codes.

    What is measured until then, with the price that the end has, is no guide to what comes after.
    """
    prior = model.prior
    waits = isinstance(prior, StartedPrior) and prior.pretraining > 0
    return waits and not bool(prior.get_buffer("started"))


@torch.no_grad()
def fit_to_codes(density: FittedPrior, model: LatentModel, training: Source, seed: int) -> None:
    """Fit a density to the codes that a model gives the training data.

    Args:
        density: Fitted in place; it says which codes.
        model: On any device; the density on the same one.
        training: At most as much of it is read as makes `FITTED_CODES` codes, or `FITTED_NUMBERS`
            numbers in all.
        seed: Of their choice.
    """
    density.fit(_codes(model, training, density.fitted_to, seed))


@torch.no_grad()
def _codes(model: LatentModel, training: Source, mode: str, seed: int) -> Tensor:
    """Codes (N, *Z) of training data by the encode mode, as many as are held at most."""
    numbers = math.prod(code_shape(model.posterior, mode))
    most = max(1, min(FITTED_CODES, FITTED_NUMBERS // numbers))
    device = next(model.parameters()).device
    # Some of many data are drawn at random: their stored order may be by class.
    few, size = len(training) <= most, min(most, 1024)
    batches = training.chunks(size) if few else training.epoch(size, seed=seed, epoch=0)
    codes: list[Tensor] = []
    for stored in batches:
        batch = stored.to(device)
        codes.append(model.encode(batch.x, mode, condition=batch.condition))
        if sum(map(len, codes)) >= most:
            break
    return torch.cat(codes)[:most]
