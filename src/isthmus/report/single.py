"""The report of one trained run: the same page with one model."""

from __future__ import annotations

import math
import platform
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isthmus.evaluation.results import Comparison, Finding, ModelResult
from isthmus.fitting import Run
from isthmus.model import LatentModel
from isthmus.posteriors import DiscretePosterior
from isthmus.report.figure import Floats
from isthmus.report.page import COMMAND, fill, make_page, write_page
from isthmus.report.words import fixed
from isthmus.version import __version__

# Options with a flag of their own on the command line.
FLAGS = ("latent_dim", "epochs", "minutes", "seed", "device")
# Height and width: 32x48.
SIZES = ("crop", "image_size")
SHARED = ("originals", "labels")


def run_report(
    run: Run,
    arrays: Mapping[str, Floats],
    path: Path,
    metrics: Mapping[str, float] | None = None,
    errors: Mapping[str, float] | None = None,
) -> Path:
    """Write the report of one run: facts, settings, curves, and pictures where arrays are given.

    Args:
        run: A trained run.
        arrays: Any of those that `Comparison` lists, without the label: `originals` (n, *D),
            `reconstructions` (n, *D), `codes` (N, 2), `traversals` (K, T, *D) and so on.
        path: The file.
        metrics: By column key.
        errors: Their uncertainties, by column key.

    Returns:
        The path.
    """
    comparison = as_comparison(run, arrays, metrics or {}, errors or {})
    page = make_page(comparison, f"{run.recipe} on {run.spec.name}", "In short")
    return write_page(fill(page), path)


def as_comparison(
    run: Run,
    arrays: Mapping[str, Floats],
    metrics: Mapping[str, float],
    errors: Mapping[str, float],
) -> Comparison:
    """A run as a comparison of one model."""
    label = run.recipe
    parameters = sum(p.numel() for p in run.model.parameters())
    latent_dim, code_bytes = _code_size(run.model)
    history = history_array(run.history)
    figures = {
        "parameters": float(parameters),
        "bytes": code_bytes,
        **_seconds(run.history),
        **metrics,
    }
    result = ModelResult(
        run.recipe,
        label,
        "learned",
        latent_dim,
        metrics=figures,
        errors=dict(errors),
        kept_step=run.kept_step,
    )
    named = {k if k in SHARED else f"{k}/{label}": np.asarray(v) for k, v in arrays.items()}
    if len(history):
        named[f"history/{label}"] = history
    return Comparison(
        spec=run.spec,
        results=[result],
        findings=[_finding(run, history, parameters, latent_dim)],
        protocol=_protocol(run),
        notes=list(run.notes),
        arrays=named,
        versions={
            "isthmus": __version__,
            "torch": str(torch.__version__),
            "Python": platform.python_version(),
        },
    )


def history_array(history: list[dict[str, Any]]) -> Floats:
    """A run's history as (n, 3): step, training loss, held-out loss; NaN where not read."""
    by_step: dict[float, list[float]] = {}
    for record in history:
        row = by_step.setdefault(float(record["step"]), [math.nan, math.nan])
        for i, name in enumerate(("train/loss", "validation/loss")):
            if name in record:
                row[i] = float(record[name])
    rows = [[step, *losses] for step, losses in sorted(by_step.items())]
    return np.array(rows, dtype=float).reshape(-1, 3)


def _code_size(model: LatentModel) -> tuple[int, float]:
    """Numbers in a code, and its bytes: of float32, or of integers as bits."""
    posterior = model.posterior
    if isinstance(posterior, DiscretePosterior):
        return math.prod(posterior.code_shape), float(math.ceil(posterior.code_bits / 8))
    numbers = math.prod(model.latent_shape)
    return numbers, 4.0 * numbers


def _seconds(history: list[dict[str, Any]]) -> dict[str, float]:
    seconds = [float(r["seconds"]) for r in history if "seconds" in r]
    return {"seconds": max(seconds)} if seconds else {}


def _finding(run: Run, history: Floats, parameters: int, latent_dim: int) -> Finding:
    size = f"{parameters:,} parameters turn {run.spec.size:,} numbers a datum into {latent_dim:,}."
    held = history[np.isfinite(history[:, 2])]
    if not len(held):
        return Finding("the model", run.recipe, size)
    best = held[held[:, 2].argmin()]
    at = held[held[:, 0] == run.kept_step]
    of_all = f"of {history[-1, 0]:,.0f}"
    if len(at) and at[-1, 0] != best[0]:
        kept = (
            f"The weights that were kept are those of step {at[-1, 0]:,.0f} {of_all}, with a "
            f"held-out loss of {fixed(float(at[-1, 2]), 2)} nats a datum."
        )
    else:
        kept = (
            f"The lowest held-out loss was {fixed(float(best[2]), 2)} nats a datum, at step "
            f"{best[0]:,.0f} {of_all}; those weights were kept."
        )
    return Finding("the model", run.recipe, f"{size} {kept}")


def _protocol(run: Run) -> dict[str, str]:
    fractions = " / ".join(f"{f:g}" for f in run.split.fractions)
    facts = {
        "recipe": run.recipe,
        **{k.replace("_", " "): _word(v) for k, v in run.options.items()},
        "split": f"{fractions} for training, validation and test, seed {run.split.seed}",
    }
    settings = {k.replace("_", " "): _word(v) for k, v in run.settings.model_dump().items()}
    return facts | settings | {COMMAND: _command(run)}


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not set" if value is None else str(value)


def _command(run: Run) -> str:
    """The command that makes the run; what has no flag of its own goes through -s."""
    words = ["isthmus", "fit", run.reading.data or run.spec.name, "--recipe", run.recipe]
    changed = run.settings.model_dump(exclude_defaults=True)
    parts = (("data", run.reading.options), ("model", run.options), ("training", changed))
    for part, options in parts:
        for name, value in options.items():
            flag = name in FLAGS or (part == "data" and name == "crop")
            text = _on_the_line(value, "x" if name in SIZES else ",")
            words += (
                [f"--{name.replace('_', '-')}", text] if flag else ["-s", f"{part}.{name}={text}"]
            )
    return shlex.join(words)


def _on_the_line(value: Any, between: str) -> str:
    if isinstance(value, (list, tuple)):
        return between.join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
