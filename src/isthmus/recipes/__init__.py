"""Published models, each a short function over the six axes."""

from isthmus.recipes import custom, deterministic, variational
from isthmus.recipes.base import Axes, Built, assemble, build_recipe, recipe, recipe_options

__all__ = [
    "Axes",
    "Built",
    "assemble",
    "build_recipe",
    "custom",
    "deterministic",
    "recipe",
    "recipe_options",
    "variational",
]
