"""Tools for the codes of any model: paths, traversals, directions, neighbours, edits."""

from isthmus.latent.aggregate import Aggregate
from isthmus.latent.attributes import (
    ATTRIBUTE_METHODS,
    Attribute,
    analogy,
    attribute,
    direction,
    move,
)
from isthmus.latent.editing import Edited, edit
from isthmus.latent.geodesic import Geodesics, shortest_paths
from isthmus.latent.neighbours import CODE_METRICS, Neighbours, nearest, nearest_by_posterior
from isthmus.latent.paths import PATHS, interpolate
from isthmus.latent.space import SPACES, CodeSpace, linear, space_of, spherical
from isthmus.latent.traversals import Information, Traversal, centre, information, traverse

__all__ = [
    "ATTRIBUTE_METHODS",
    "CODE_METRICS",
    "PATHS",
    "SPACES",
    "Aggregate",
    "Attribute",
    "CodeSpace",
    "Edited",
    "Geodesics",
    "Information",
    "Neighbours",
    "Traversal",
    "analogy",
    "attribute",
    "centre",
    "direction",
    "edit",
    "information",
    "interpolate",
    "linear",
    "move",
    "nearest",
    "nearest_by_posterior",
    "shortest_paths",
    "space_of",
    "spherical",
    "traverse",
]
