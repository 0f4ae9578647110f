"""Published models, each a short function over the six axes."""

from isthmus.recipes import (
    adversarial,
    conditional,
    custom,
    deterministic,
    hierarchies,
    images,
    objectives,
    posteriors,
    priors,
    quantised,
    spaces,
    sparse,
    variational,
)
from isthmus.recipes.base import Axes, Built, assemble, build_recipe, recipe, recipe_options

__all__ = [
    "Axes",
    "Built",
    "adversarial",
    "assemble",
    "build_recipe",
    "conditional",
    "custom",
    "deterministic",
    "hierarchies",
    "images",
    "objectives",
    "posteriors",
    "priors",
    "quantised",
    "recipe",
    "recipe_options",
    "spaces",
    "sparse",
    "variational",
]
