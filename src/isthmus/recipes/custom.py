"""Any combination of axes by their names."""

from __future__ import annotations

from isthmus.data.spec import DataSpec
from isthmus.recipes.base import Axes, Built, assemble, recipe
from isthmus.registry import pick


@recipe("custom", paper="–", year=2026, family="your own", argmax=True)
def custom(
    spec: DataSpec,
    axes: Axes,
    posterior: str = "diagonal",
    prior: str = "standard-normal",
    objective: str = "elbo",
) -> Built:
    """A model composed of the axes that you name.

    Use it for what no paper has combined yet; what has no meaning is refused with the nearest
    choice that has. Each axis takes its defaults: compose the parts in Python to set them.
    """
    return assemble(spec, axes, pick(objective), posterior=pick(posterior), prior=pick(prior))
