"""A plain or a variational code, judged on the latent space alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from isthmus.evaluation.measures import MEASURES, column
from isthmus.evaluation.measures.tables import DISENTANGLEMENT, LATENT
from isthmus.evaluation.pairs import LEVEL, holm
from isthmus.evaluation.ranking import Judged, chance, rank
from isthmus.evaluation.results import Finding

ON_CODES = "the latent space, plain or variational"
TABLES = (LATENT, DISENTANGLEMENT)
# What the main table says of the codes themselves.
READ_OFF = ("probe",)
# A plain code has no prior of its own and is held against a Gaussian that was fitted to it: what it
# gains by that is not the code's.
OF_THE_PRIOR = ("prior_mmd", "prior_auc")
# What is best of a model that decodes every code to the same.
SMOOTH = frozenset({"stretch", "jump", "lipschitz_spread"})


def latent_space(main: Sequence[Judged]) -> Finding | None:
    """The finding, where both kinds are there and something was measured of their codes.

    Args:
        main: The models of the main table.
    """
    learned = [j for j in main if j.result.family == "learned"]
    plain, variational = rank(plain_of(learned), "r2"), rank(variational_of(learned), "r2")
    if plain is None or variational is None:
        return None
    a, b = _named(plain.models, "ae"), _named(variational.models, "vae")
    both = [
        key
        for key in keys()
        if all(math.isfinite(j.result.metrics.get(key, math.nan)) for j in (a, b))
    ]
    ahead: dict[str, list[str]] = {a.result.label: [], b.result.label: []}
    level: list[str] = []
    # Of so many figures one is beyond noise by chance alone.
    for key, p in zip(both, holm([_chance(a, b, key) for key in both]), strict=True):
        if not p < LEVEL:
            level.append(column(key).title)
            continue
        first = max((a, b), key=lambda j: column(key).better * j.result.metrics[key])
        ahead[first.result.label].append(key)
    if not any(ahead.values()) and not level:
        return None
    return _said(a, b, ahead, level)


def keys() -> list[str]:
    """The figures that are about codes alone and of which more or less is better."""
    of_codes = [c for e in MEASURES if e.about["table"] in TABLES for c in e.about["columns"]]
    return [*READ_OFF, *(c.key for c in of_codes if c.better and c.key not in OF_THE_PRIOR)]


def plain_of(models: Sequence[Judged]) -> list[Judged]:
    """Those whose code is a point of real numbers: it has no rate, as one of integers has."""
    return [j for j in models if not {"nll", "rate"} & j.result.metrics.keys()]


def variational_of(models: Sequence[Judged]) -> list[Judged]:
    """Those with a likelihood; of them those that are told nothing, where there are such."""
    dense = [j for j in models if "nll" in j.result.metrics]
    return [j for j in dense if not j.result.given] or dense


def _named(models: Sequence[Judged], name: str) -> Judged:
    """The one of that name where it is there, else the first."""
    return next((j for j in models if j.result.name == name), models[0])


def _chance(a: Judged, b: Judged, key: str) -> float:
    """P of the gap between the two; a figure without an uncertainty settles nothing."""
    known = any(len(j.result.seeds.get(key, [])) > 1 or key in j.result.errors for j in (a, b))
    paired = key in a.per_datum and key in b.per_datum
    return chance(a, b, key) if known or paired else 1.0


def _figures(a: Judged, b: Judged, key: str) -> str:
    shown = column(key)
    first, second = (f"{j.result.metrics[key]:.{shown.digits}f}" for j in (a, b))
    return f"{shown.title} {first} and {second}"


def _said(
    plain: Judged, variational: Judged, ahead: dict[str, list[str]], level: list[str]
) -> Finding:
    a, b = plain.result, variational.result
    figures = f"Figures are of {a.label} and {b.label}. {_led(plain, variational, ahead, level)}"
    of_a, of_b = len(ahead[a.label]), len(ahead[b.label])
    if of_a == of_b:
        score = f"{_counted(of_a)} each" if of_a else "no figure"
        text = f"By the codes alone neither is ahead ({score}). {figures}"
        return Finding(ON_CODES, "", text, within_noise=True)
    winner, loser = (a, b) if of_a > of_b else (b, a)
    if SMOOTH.issuperset(ahead[winner.label]) and winner.metrics["r2"] < loser.metrics["r2"]:
        text = (
            f"By the codes alone neither is ahead: {winner.label} leads in smoothness only, which "
            f"comes of itself where less is rebuilt (R² {winner.metrics['r2']:.3f} and "
            f"{loser.metrics['r2']:.3f}). {figures}"
        )
        return Finding(ON_CODES, "", text)
    text = (
        f"By the codes alone {winner.label} is ahead: {_counted(len(ahead[winner.label]))} beyond "
        f"noise against {len(ahead[loser.label])}. {figures}"
    )
    return Finding(ON_CODES, winner.label, text)


def _led(a: Judged, b: Judged, ahead: dict[str, list[str]], level: list[str]) -> str:
    """Who leads in what, and what is open."""
    parts = [
        f"{label} leads in {'; '.join(_figures(a, b, key) for key in found)}."
        for label, found in ahead.items()
        if found
    ]
    if level:
        parts.append(f"In {_counted(len(level))} the two are within noise: {'; '.join(level)}.")
    return " ".join(parts)


def _counted(n: int) -> str:
    return f"{n} {'figure' if n == 1 else 'figures'}"
