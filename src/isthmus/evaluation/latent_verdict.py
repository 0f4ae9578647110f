"""A plain or a variational code, judged on the latent space alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from isthmus.evaluation.measures import MEASURES, column
from isthmus.evaluation.measures.tables import DISENTANGLEMENT, LATENT
from isthmus.evaluation.ranking import Judged, leads, rank
from isthmus.evaluation.results import Finding

ON_CODES = "the latent space, plain or variational"
TABLES = (LATENT, DISENTANGLEMENT)
# What the main table says of the codes themselves.
READ_OFF = ("probe",)
# A plain code has no prior of its own and is held against a Gaussian that was fitted to it: what it
# gains by that is not the code's.
OF_THE_PRIOR = ("prior_mmd", "prior_auc")


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
    ahead: dict[str, list[str]] = {a.result.label: [], b.result.label: []}
    level: list[str] = []
    for key in keys():
        if not all(math.isfinite(j.result.metrics.get(key, math.nan)) for j in (a, b)):
            continue
        text = _figures(a, b, key)
        if not _sure(a, b, key):
            level.append(column(key).title)
            continue
        first = max((a, b), key=lambda j: column(key).better * j.result.metrics[key])
        ahead[first.result.label].append(text)
    if not any(ahead.values()) and not level:
        return None
    return _said(a.result.label, b.result.label, ahead, level)


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


def _sure(a: Judged, b: Judged, key: str) -> bool:
    """Whether the gap is beyond noise; a figure without an uncertainty settles nothing."""
    known = any(len(j.result.seeds.get(key, [])) > 1 or key in j.result.errors for j in (a, b))
    paired = key in a.per_datum and key in b.per_datum
    return (known or paired) and leads(a, b, key)


def _figures(a: Judged, b: Judged, key: str) -> str:
    shown = column(key)
    first, second = (f"{j.result.metrics[key]:.{shown.digits}f}" for j in (a, b))
    return f"{shown.title} {first} and {second}"


def _said(plain: str, variational: str, ahead: dict[str, list[str]], level: list[str]) -> Finding:
    counts = {label: len(texts) for label, texts in ahead.items()}
    parts = [f"{label} leads in {'; '.join(texts)}." for label, texts in ahead.items() if texts]
    if level:
        parts.append(
            f"In {len(level)} {'figure' if len(level) == 1 else 'figures'} the two are within "
            f"noise: {'; '.join(level)}."
        )
    figures = f"Figures are of {plain} and {variational}. {' '.join(parts)}"
    if counts[plain] == counts[variational]:
        each = counts[plain]
        score = f"{each} {'figure' if each == 1 else 'figures'} each" if each else "no figure"
        text = f"By the codes alone neither is ahead ({score}). {figures}"
        return Finding(ON_CODES, "", text, within_noise=True)
    winner = max(counts, key=lambda label: counts[label])
    loser = min(counts, key=lambda label: counts[label])
    text = (
        f"By the codes alone {winner} is ahead: {counts[winner]} "
        f"{'figure' if counts[winner] == 1 else 'figures'} beyond noise against {counts[loser]}. "
        f"{figures}"
    )
    return Finding(ON_CODES, winner, text)
