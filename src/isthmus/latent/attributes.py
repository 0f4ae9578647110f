"""Attribute vectors: directions in the code along which a property of the data grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from isthmus.errors import DataError, OptionError
from isthmus.latent.asking import flat
from isthmus.latent.space import space_of
from isthmus.metrics.checks import same_length
from isthmus.metrics.estimates import Estimate
from isthmus.metrics.readout import Readout, read_class, read_number
from isthmus.model import LatentModel
from isthmus.registry import Registry, did_you_mean

ATTRIBUTE_METHODS = Registry("attribute method")


@final
@dataclass(frozen=True)
class Attribute:
    """A direction of a property, and how linear the property is in the code.

    Args:
        vector: (*Z); a step of 1 leads from the others' mean to the class's, or one standard
            deviation up a number.
        score: What a linear probe reads of the property from held-out codes, with its standard
            error: the further below 1, the less a straight direction stands for it.
        measure: "AUC" of a class, from 0.5 by chance; "R²" of a number, from about 0.
        name: Of the property.
    """

    vector: Tensor
    score: Estimate
    measure: str
    name: str = "attribute"


def attribute(
    model: LatentModel,
    codes: Tensor,
    values: Any,
    towards: Any = None,
    *,
    method: str = "means",
    name: str = "attribute",
    seed: int = 0,
) -> Attribute:
    """The direction of a property of the data.

    "means" is how the mean code changes with the property, E[z | class] - E[z | others], or of a
    number the slope of codes on it times its standard deviation: other properties that go with it
    change too. "normal" is the shortest way across the linear probe's boundary, measured in each
    dimension's own standard deviations: it leaves other properties alone as far as it can, and
    follows noise where data are few.

    Args:
        model: Whose codes they are.
        codes: (N, *Z) of data.
        values: (N,) labels of any type, truth values, or numbers.
        towards: The label to go towards; None for truth values and numbers.
        method: "means" or "normal".
        name: Of the property.
        seed: Of the probe's folds.

    Raises:
        DataError: Not one value for each code, too few data, or nothing that differs.
        OptionError: Labels are words, and `towards` does not say which of them.
        UnknownNameError: There is no such label or method.
        UnsupportedError: The codes are integers, or categories alone.

    Reference:
        Larsen et al., Autoencoding beyond pixels, arXiv 1512.09300 (difference of means); Shen et
        al., Interpreting the Latent Space of GANs for Semantic Face Editing, arXiv 1907.10786
        (normals).
    """
    space = space_of(model.posterior, moving=True)
    rows = space.chart(flat(model, codes)).double().cpu().numpy()
    straight, found = direction(rows, values, towards, method=method, seed=seed)
    vector = torch.from_numpy(straight).to(codes)
    if space.free is not None:
        vector[space.free :] = 0.0
    return Attribute(vector.reshape(model.latent_shape), found.score, found.measure, name)


def direction(
    rows: np.ndarray,
    values: Any,
    towards: Any = None,
    *,
    method: str = "means",
    seed: int = 0,
) -> tuple[np.ndarray, Readout]:
    """The direction (Z,) of a property in codes (N, Z) of any origin, and how it is read there.

    The other arguments and what is raised are those of `attribute`.
    """
    chosen = ATTRIBUTE_METHODS[method].factory
    target = _as_target(values, towards)
    same_length(rows, target, "codes and values")
    read = read_class if target.dtype == bool else read_number
    found = read(rows, target, seed)
    vector: np.ndarray = chosen(rows, target, found)
    return vector, found


def move(model: LatentModel, codes: Tensor, vector: Tensor, by: float | Tensor = 1.0) -> Tensor:
    """Codes (B, *Z) moved by so many times a vector (*Z) or (B, *Z), in the space they live in.

    Args:
        model: Whose codes they are.
        codes: (B, *Z).
        vector: Such as `Attribute.vector`, or a difference of codes.
        by: How far, one for all or (B,).

    Raises:
        DataError: Shapes do not fit.
        UnsupportedError: The codes are integers, or categories alone.
    """
    space = space_of(model.posterior, moving=True)
    whole = vector.unsqueeze(0) if vector.dim() == len(model.latent_shape) else vector
    steps = torch.as_tensor(by).to(codes).reshape(-1, 1) * flat(model, whole, "vectors").to(codes)
    rows = flat(model, codes)
    if len(steps) not in (1, len(rows)):
        raise DataError(f"{len(steps)} moves and {len(rows)} codes: give one for all, or one each.")
    return space.move(rows, steps).unflatten(-1, model.latent_shape)


def analogy(model: LatentModel, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """What is to `c` as `b` is to `a`: c + (b - a), all (B, *Z), in the chart of their space."""
    space = space_of(model.posterior, moving=True)
    first, second = (space.chart(flat(model, codes)) for codes in (a, b))
    return move(model, c, (second - first).unflatten(-1, model.latent_shape))


def _as_target(values: Any, towards: Any) -> np.ndarray:
    """(N,) truth values of a class, or numbers."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    values = np.asarray(values).reshape(-1)
    if towards is None:
        if values.dtype.kind not in "biuf":
            raise OptionError("These values are words: say which of them to go towards.")
        return values if values.dtype == bool else values.astype(np.float64)
    member = np.asarray(values == towards)
    if member.shape != values.shape or not member.any():
        known = list(dict.fromkeys(map(str, values[:10_000].tolist())))
        raise did_you_mean("value", str(towards), known)
    return member


@ATTRIBUTE_METHODS.register("means")
def _means(rows: np.ndarray, target: np.ndarray, _: Readout) -> np.ndarray:
    if target.dtype == bool:
        difference: np.ndarray = rows[target].mean(0) - rows[~target].mean(0)
        return difference
    away = target - target.mean()
    slope: np.ndarray = away @ (rows - rows.mean(0)) / (len(rows) * target.std())
    return slope


@ATTRIBUTE_METHODS.register("normal")
def _normal(rows: np.ndarray, target: np.ndarray, found: Readout) -> np.ndarray:
    """The probe's own way to read as much more as it reads of the difference of means."""
    return found.direction * (_means(rows, target, found) @ found.weights)
