"""Which questions an estimator can answer: before training by its recipe, after it by its model."""

from __future__ import annotations

from typing import Any, Protocol

from isthmus.classification import ABLE, names_classes
from isthmus.estimators.answers import smallest
from isthmus.model import LatentModel
from isthmus.registry import RECIPES


class Asked(Protocol):
    """What is asked of an estimator here; `model_` is there after training."""

    def _choice(self) -> tuple[str, dict[str, Any]]:
        """The recipe's name and own options."""

    def _reads_gaps(self) -> bool:
        """Whether rows may have gaps."""


def has_density(estimator: Asked) -> bool:
    """Whether log p(x) can be asked for: of the trained model, or of its recipe before."""
    model: LatentModel = getattr(estimator, "model_", None) or smallest(estimator._choice()[0])
    if not model.posterior.has_density:
        raise AttributeError(
            f"{type(estimator).__name__} has neither score_samples nor rates, for its recipe "
            f"{estimator._choice()[0]!r} gives a datum no probability: use VAE, or score(X), which "
            "is then the R² of the reconstruction."
        )
    return True


def has_classes(estimator: Asked) -> bool:
    """Whether a class can be asked for: of the trained model, or of its recipe before."""
    model: LatentModel = getattr(estimator, "model_", None) or smallest(estimator._choice()[0])
    if not names_classes(model):
        raise AttributeError(
            f"{type(estimator).__name__} has no predict, for its recipe "
            f"{estimator._choice()[0]!r} names no classes: use Autoencoder with one of the recipes "
            f"{ABLE}."
        )
    return True


def reads_gaps(estimator: Asked) -> bool:
    """Whether data with gaps can be filled: by the trained model, or by its recipe before."""
    if not estimator._reads_gaps():
        recipe = estimator._choice()[0]
        how = "learned from complete data" if of_gaps(recipe) else "takes complete data"
        raise AttributeError(
            f"{type(estimator).__name__} has no impute, for its recipe {recipe!r} {how}: fit "
            "Autoencoder('miwae-imputation') to data with gaps (NaN)."
        )
    return True


def of_gaps(recipe: str) -> bool:
    """Whether a recipe learns from rows with gaps."""
    return recipe in RECIPES and bool(RECIPES[recipe].about["gaps"])
