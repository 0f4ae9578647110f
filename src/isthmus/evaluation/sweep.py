"""The rate–distortion curve: one recipe trained at several weights of the rate."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from isthmus.data import Source, load
from isthmus.errors import OptionError
from isthmus.evaluation.comparison import (
    default_latent_dim,
    pictures,
    shown_arrays,
    shown_of,
    versions,
)
from isthmus.evaluation.contest import Contest, Watch
from isthmus.evaluation.lineup import Entry
from isthmus.evaluation.results import Comparison, Finding, ModelResult
from isthmus.evaluation.stage import in_memory, prepare
from isthmus.fitting import Split
from isthmus.recipes import recipe_options
from isthmus.store import write_bytes, write_json
from isthmus.training.devices import choose_device

BETAS = (0.1, 0.3, 1.0, 3.0, 10.0)
RUNS = "runs"
CURVE = "rd"
# A code of fewer bits says nothing of a datum.
NOTHING = 0.05
# Figures that are a point's, in the order of its row.
FIGURES = ("rate", "distortion", "nll", "r2", "active")


def rate_distortion(
    data: Any,
    betas: Sequence[float] = BETAS,
    *,
    recipe: str = "beta-vae",
    latent_dim: int | None = None,
    options: dict[str, Any] | None = None,
    minutes: float | None = None,
    samples: int = 500,
    folder: str | Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    watch: Watch = lambda _: (),
    command: str = "",
    **settings: Any,
) -> Comparison:
    """Train a recipe at each beta and measure what its code costs and what it leaves to say.

    Rate and distortion are of held-out data, in bits. A run whose folder is complete is not
    trained again, and one that was stopped goes on.

    Args:
        data: A source, an array, a frame, a path or the name of a data set.
        betas: Weights of the rate, each once.
        recipe: With an option `beta`, such as beta-vae or beta-tcvae.
        latent_dim: Z; None takes 16, or half of the data's elements where those are few.
        options: More options of the recipe, the same at each beta.
        minutes: Budget for all trainings together.
        samples: Importance samples for log p(x).
        folder: Where the runs, `metrics.json`, `rd.csv` and `rd.json` go; None writes nothing.
        say: Hears a line at every stage.
        watch: Title -> listeners of one training.
        command: The line that a report gives to make the curve again.
        **settings: Training settings (`epochs`, `seed`, `threads`, ...).

    Returns:
        One result for each beta, in ascending order, as a report takes them.

    Raises:
        OptionError: A beta that is no weight, a recipe without one, or a device that is not to be
            had.
        RunError: The folder holds runs of other settings.
    """
    wanted = sorted(set(map(float, betas)))
    if not wanted or wanted[0] < 0:
        raise OptionError(f"betas={list(betas)}: give some weights of the rate, none below 0.")
    if "beta" not in recipe_options(recipe):
        raise OptionError(f"Recipe {recipe!r} has no option beta: take beta-vae or beta-tcvae.")
    # Said before anything is trained that would have to be trained again.
    choose_device(settings.get("device", "auto"))
    source = in_memory(data if isinstance(data, Source) else load(data))
    z = latent_dim or default_latent_dim(source.spec.size)
    if minutes is not None:
        settings["minutes"] = minutes / len(wanted)
    stage = prepare(source, Split(), int(settings.get("seed", 0)))
    kept = None if folder is None else Path(folder) / RUNS
    contest = Contest(stage, samples, settings, watch, say, len(wanted), kept)
    results, arrays = [], shown_arrays(stage)
    for beta in wanted:
        entry = Entry(recipe, True, z, True, {**(options or {}), "beta": beta})
        result, answers = contest.result(entry, 1)
        result.label = f"beta {beta:g}"
        results.append(result)
        arrays.update(pictures(result.label, answers, shown_of(source.spec)))
    comparison = Comparison(
        spec=source.spec,
        results=results,
        findings=[Finding("what a bit buys", *say_curve(results))] if len(results) > 1 else [],
        protocol=_protocol(recipe, z, samples, stage.split, settings)
        | ({"command": command} if command else {}),
        notes=sorted({*source.notes, *stage.notes, *_doubts(results)}),
        arrays=arrays,
        versions=versions(),
    )
    if folder is not None:
        comparison.write(Path(folder))
        write_curve(comparison, wanted, Path(folder))
    return comparison


def points(results: Sequence[ModelResult], betas: Sequence[float]) -> list[dict[str, float]]:
    """By beta its figures, each with its standard error over held-out data where it has one."""
    rows = []
    for beta, result in zip(betas, results, strict=True):
        row = {"beta": beta}
        for key in FIGURES:
            if key in result.metrics:
                row[key] = result.metrics[key]
            if key in result.errors:
                row[f"{key}_error"] = result.errors[key]
        rows.append(row)
    return rows


def write_curve(comparison: Comparison, betas: Sequence[float], folder: Path) -> None:
    """Write `rd.csv` and `rd.json`: rate and distortion in bits, nll in nats, a row a beta."""
    rows = points(comparison.results, betas)
    names = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    table = csv.DictWriter(text, names, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_bytes(folder / f"{CURVE}.csv", text.getvalue().encode())
    write_json(
        folder / f"{CURVE}.json", {"format": 1, "points": rows, "protocol": comparison.protocol}
    )


def say_curve(results: Sequence[ModelResult]) -> tuple[str, str]:
    """The label with the lowest sum, and the curve in a sentence or two; no label where no bit was
    bought.
    """
    first, last = results[0], results[-1]
    if all(r.metrics["rate"] < NOTHING for r in results):
        return "", (
            f"From {first.label} to {last.label} no code carries {NOTHING} bits: either training "
            "was too short, or every beta is too large for these data. Train for more epochs, or "
            "take smaller betas."
        )
    sums = {r.label: r.metrics["rate"] + r.metrics["distortion"] for r in results}
    best = min(sums, key=lambda label: sums[label])
    return best, (
        f"From {first.label} to {last.label} the code falls from {first.metrics['rate']:.1f} to "
        f"{last.metrics['rate']:.1f} bits, and what is left to say grows from "
        f"{first.metrics['distortion']:.1f} to {last.metrics['distortion']:.1f} bits. The sum, the "
        f"negative ELBO, is lowest at {best}: {sums[best]:.1f} bits."
    )


def _doubts(results: Sequence[ModelResult]) -> list[str]:
    """Where the curve turns back: a larger weight must not buy a larger code."""
    return [
        f"The rate rises from {a.label} to {b.label}: training has not settled there. Train for "
        "more epochs."
        for a, b in pairwise(results)
        if b.metrics["rate"] - a.metrics["rate"] > 2.0 * (a.errors["rate"] + b.errors["rate"])
    ]


def _protocol(
    recipe: str, z: int, samples: int, split: Split, settings: dict[str, Any]
) -> dict[str, str]:
    return {
        "models": f"{recipe} with {z} dimensions at each beta, seed {settings.get('seed', 0)}",
        "training": ", ".join(f"{k}={v}" for k, v in settings.items() if k != "seed") or "defaults",
        "data": f"held-out data of split seed {split.seed}; rate and distortion in bits a datum",
        "likelihood": f"{samples:,} importance samples on up to 500 held-out data",
        "errors": "standard errors over held-out data",
    }
