"""The tools on a model that lies elsewhere: where their tensors meet, and that they say the same.

The device is that of `tests/elsewhere.py`, and the numbers expected are those of the CPU.
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from isthmus.data import load
from isthmus.latent import (
    Aggregate,
    analogy,
    attribute,
    centre,
    edit,
    information,
    interpolate,
    move,
    nearest,
    nearest_by_posterior,
    shortest_paths,
    traverse,
)
from isthmus.recipes import build_recipe
from isthmus.registry import RECIPES

ROWS, FEW = 24, 4
RNG = np.random.default_rng(0)
DATA = RNG.uniform(size=(ROWS, 8, 8)).astype(np.float32)
NUMBERS = RNG.normal(size=ROWS)
WORDS = np.array(list("ab" * (ROWS // 2)))


def of_codes(m, z):
    """What asks for codes alone."""
    a, b, c = z.split(FEW)[:3]
    paths = [interpolate(m, a, b, 5, path) for path in ("natural", "linear", "spherical")]
    number = attribute(m, z, NUMBERS)
    word = attribute(m, z, WORDS, "a", method="normal")
    usual = Aggregate.of(m, z)
    return {
        "paths": paths,
        "attributes": [number, word, attribute(m, z, z.flatten(1)[:, 0])],
        # A vector and its lengths may be the host's.
        "moves": [
            move(m, z, number.vector, 0.5),
            move(m, z, number.vector.cpu(), torch.linspace(0.0, 1.0, ROWS)),
        ],
        "analogy": analogy(m, a, b, c),
        "usual": [usual, usual.distance(c), usual.quantile(c)],
        "nearest": [
            nearest(m, a, z, 2, metric=metric) for metric in ("euclidean", "cosine", "natural")
        ],
    }


def of_data(m, x, z, given):
    """What asks the networks too."""
    told = given[:FEW] if given is not None else None
    a, b = z.split(FEW)[:2]
    start = interpolate(m, a, b, 5, "linear")
    short = {"steps": 5, "iterations": 3, "condition": told}
    number = attribute(m, z, NUMBERS)
    by = torch.linspace(0.0, 1.0, ROWS)
    return {
        "shortest": [
            shortest_paths(m, a, b, **short),
            shortest_paths(m, a, b, uncertainty=True, batch_size=8, **short),
            shortest_paths(m, a, b, start=start, **short),
        ],
        "along": [
            information(m, x, condition=given),
            centre(m, x, condition=given),
            traverse(m, x, condition=given),
            traverse(m, x, a, condition=given),
        ],
        "edits": [
            edit(m, x, number, condition=given, draws=2),
            edit(
                m,
                x,
                number.vector.cpu(),
                by,
                aggregate=Aggregate.of(m, z),
                condition=given,
                target=None if given is None else given[0].cpu(),
                batch_size=8,
            ),
        ],
        "nearest": nearest_by_posterior(m, x[:FEW], z, 2, condition=told),
    }


@pytest.mark.parametrize("recipe", ["vae", "svae", "poincare-vae", "cvae", "full-covariance-vae"])
def test_all_tools_work_where_the_model_lies(recipe, away):
    model, batch = small(recipe)

    def ask(place):
        there, moved = deepcopy(model).to(place), batch.to(place)
        z = there.encode(moved.x, condition=moved.condition)
        return of_codes(there, z), of_data(there, moved.x, z, moved.condition)

    away.asked_in_both(ask)


def test_what_is_left_to_integers_works_there_too(away):
    model, batch = small("vq-vae")

    def ask(place):
        there, x = deepcopy(model).to(place), batch.x.to(place)
        integers = there.encode(x, "argmax")
        return information(there, x), integers, there.decode(integers, "sample")

    away.asked_in_both(ask)


def test_a_tensor_that_stays_on_the_cpu_is_found(away):
    model, batch = small("vae")

    def ask(place):
        there = deepcopy(model).to(place)
        z = there.encode(batch.x.to(place))
        return interpolate(there, z[:FEW], z[FEW : 2 * FEW].cpu())

    with pytest.raises(away.MixedError):
        away.asked_in_both(ask)


def small(recipe):
    given = {"condition": np.array(list("abc") * (ROWS // 3))}
    data = load(DATA, **(given if RECIPES[recipe].about["condition"] else {}))
    model = build_recipe(recipe, data.spec, latent_dim=3, hidden=(8,)).model.eval()
    return model, next(data.chunks(ROWS))
