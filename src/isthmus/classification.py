"""Which class or cluster a datum is of, for the models that say so."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.distributions import Distribution

from isthmus.conditions import parts
from isthmus.distributions import DiagonalNormal
from isthmus.errors import UnsupportedError
from isthmus.model import LatentModel
from isthmus.posteriors import ClassifyingPosterior
from isthmus.priors import MixturePrior

ABLE = "m2 (classes), vade and mog-vae (clusters), categorical-vae and joint-vae of one choice"


def names_classes(model: LatentModel) -> bool:
    """Whether `class_probabilities` has an answer."""
    return isinstance(model.posterior, ClassifyingPosterior) or isinstance(
        model.prior, MixturePrior
    )


@torch.no_grad()
def class_probabilities(
    model: LatentModel, x: Tensor, batch_size: int = 1024, *, condition: Tensor | None = None
) -> Tensor:
    """q(y|x): of the classes that a model was told by labels, or of the clusters that it found.

    Args:
        model: Of a recipe such as m2 or vade.
        x: (N, *D) in the data's units.
        batch_size: Data in one pass.
        condition: (N, C), for a conditional model; a label that is given is certain.

    Returns:
        (N, K).

    Raises:
        UnsupportedError: The model has no classes.
    """
    if not names_classes(model):
        raise UnsupportedError(
            f"A model with the posterior {type(model.posterior).__name__} and the prior "
            f"{type(model.prior).__name__} names no classes: use one of the recipes {ABLE}."
        )
    training = model.training
    model.eval()
    try:
        return torch.cat(
            [
                _of(model, model.infer(model.scaling(part), given))
                for part, given in parts(x, condition, batch_size)
            ]
        )
    finally:
        model.train(training)


def _of(model: LatentModel, q: Distribution) -> Tensor:
    if isinstance(model.posterior, ClassifyingPosterior):
        return model.posterior.classes(q)
    prior = cast(MixturePrior, model.prior)
    return prior.clusters(q) if isinstance(q, DiagonalNormal) else prior.responsibilities(q.mean)
