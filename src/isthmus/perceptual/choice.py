"""Which perceptual distance a recipe takes where the choice is left to it."""

from __future__ import annotations

from isthmus.perceptual.base import PERCEPTUAL, Perceptual
from isthmus.perceptual.weights import FOLDER_VARIABLE, find_weights, weights_folder

# Chosen by `benchmarks/perceptual.py`.
STAND_IN = "structural"
PUBLISHED, NET = "lpips", "vgg16"


def stand_in() -> Perceptual:
    """A distance that needs no weights: of those at hand, the one that measured best."""
    made: Perceptual = PERCEPTUAL.create(STAND_IN)
    return made


def choose_perceptual(
    name: str = "auto", folder: str | None = None
) -> tuple[Perceptual, tuple[str, ...]]:
    """The distance called `name`, and what is to be said of the choice.

    Args:
        name: Of the registry; "auto" takes LPIPS where its weights are at hand, else a distance
            that needs none.
        folder: Of weights; None takes the one that ISTHMUS_WEIGHTS names.

    Raises:
        UnknownNameError: There is no such distance.
        OptionError: LPIPS was asked for and no folder is named.
        CheckpointError: A folder is named that lacks what LPIPS reads.
    """
    if name == "auto":
        at = weights_folder(folder)
        ready = at is not None and find_weights(at, f"lpips-{NET}") and find_weights(at, NET)
        if not ready and folder is None:
            note = (
                f"The weights of LPIPS are not at hand: the distance {STAND_IN!r}, which needs "
                f"none, stands in as the perceptual term. Set {FOLDER_VARIABLE} to a folder with "
                f"{NET}.safetensors and lpips-{NET}.safetensors for the published one."
            )
            return stand_in(), (note,)
        name = PUBLISHED
    given = {"folder": folder} if PERCEPTUAL.takes(name, "folder") else {}
    made: Perceptual = PERCEPTUAL.create(name, **given)
    return made, ()
