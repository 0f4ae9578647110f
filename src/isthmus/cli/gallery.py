"""The report of one run, with pictures of its held-out data where the data are at hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isthmus.conditions import needs_condition
from isthmus.data import Batch, Resident, Source
from isthmus.evaluation.candidates import learned
from isthmus.evaluation.comparison import SHOWN_CODES, shown_of
from isthmus.evaluation.measures import MEASURES, ask
from isthmus.evaluation.measures.overview import LOG2, principal_plane
from isthmus.evaluation.measures.tables import PICTURES
from isthmus.evaluation.stage import held_out_rows, mixed
from isthmus.evaluation.subject import OF_THE_DATA, OF_THE_PART, Question, Subject
from isthmus.evaluation.units import Units, as_floats
from isthmus.fitting import METRICS, Run
from isthmus.report import run_report
from isthmus.store import read_json

REPORT = "report.html"


def write_run_report(run: Run, folder: Path, source: Source | None) -> Path:
    """Write `report.html` into a run folder.

    Args:
        run: With its model on the CPU or elsewhere.
        folder: The run's.
        source: The data that the run was trained on; None leaves the pictures of data out.
    """
    arrays: dict[str, Any] = {} if source is None else held_out_arrays(run, source)
    values, errors = measured(folder)
    # As they read from config.json, so that the report of a run is the same when it is drawn again.
    stored = replace(run, options=json.loads(json.dumps(run.options)))
    return run_report(stored, arrays, folder / REPORT, values, errors)


def measured(folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    """What `isthmus evaluate` found of the run, if it was asked: figures and errors, by key."""
    path = folder / METRICS
    found = read_json(path).get("evaluation", {}).get("values", {}) if path.exists() else {}
    values = {key: float(each["value"]) for key, each in found.items()}
    errors = {key: float(each["error"]) for key, each in found.items() if "error" in each}
    return values, errors


def held_out_arrays(run: Run, source: Source, seed: int = 0) -> dict[str, Any]:
    """What a report shows of a run's held-out data, by the names that it has there."""
    model = run.model
    device = next(model.parameters()).device
    held_out, numbers = shown_first(run.split.of(source)[2], seed)
    rows = held_out_rows(source, run.split)
    which = (numbers, OF_THE_PART) if rows is None else (rows[numbers], OF_THE_DATA)
    held_out = held_out.to(device)
    x, given = held_out.x, held_out.condition
    shown = shown_of(run.spec)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        codes = _array(model.encode(x, condition=given)).reshape(len(x), -1)
        few = x[:shown]
        rebuilt = model.reconstruct(few, condition=some(given, len(few)))
        arrays = {
            # What is missing of a datum is shown as it was rebuilt.
            "originals": _array(few.where(~few.isnan(), rebuilt)),
            "reconstructions": _array(rebuilt),
            "codes": principal_plane(codes.astype(np.float64)).astype(np.float32),
        }
        if model.posterior.has_density:
            said = model.evidence(x, condition=given, decoded=False)
            rates = said.rate_per_dimension.mean(0).flatten() / LOG2
            arrays["rates"] = np.sort(_array(rates))[::-1]
    arrays["samples"] = samples_of(run, 4 * shown, given, seed)
    if held_out.labels is not None:
        arrays["labels"] = held_out.labels.cpu().numpy()
    if not needs_condition(model):
        arrays |= pictures(run, held_out, arrays, seed, *which)
    return arrays


def samples_of(run: Run, n: int, given: Tensor | None, seed: int) -> np.ndarray:
    """New data (n, *D) as `evaluate` judges them: with the noise of p(x|z) where data have one."""
    told = some(given, n)
    drawn = learned(run, samples=1).draw(n, seed, None if told is None else as_floats(told))
    return Units(run.spec).settled(drawn).astype(np.float32)


def pictures(
    run: Run,
    held_out: Batch,
    arrays: dict[str, Any],
    seed: int,
    numbers: NDArray[np.int64],
    numbered: str,
) -> dict[str, Any]:
    """What the measures that make pictures answer on these held-out data."""
    x = as_floats(held_out.x)
    # What is missing of a datum is shown as missing, and the code is of the rest.
    labels = arrays.get("labels")
    units = Units(run.spec)
    question = Question(units, x, x, x, labels, labels, seed, numbers=numbers, numbered=numbered)
    names = [entry.name for entry in MEASURES if entry.about["table"] == PICTURES]
    return ask(Subject(learned(run, samples=1), question), names).arrays


def shown_first(test: Source, seed: int) -> tuple[Batch, NDArray[np.int64]]:
    """The held-out data that a report shows, and which of the held-out part they are.

    Those in memory in an order whose first ones stand for all; of a stream its first ones.
    """
    most = len(test) if isinstance(test, Resident) else SHOWN_CODES
    batch = first(test.chunks(SHOWN_CODES), most)
    labels = None if batch.labels is None else batch.labels.numpy()
    order = mixed(len(batch), labels, seed)[:SHOWN_CODES]

    def of(values: Tensor | None) -> Tensor | None:
        return None if values is None else values[torch.as_tensor(order)]

    x = batch.x[torch.as_tensor(order)]
    return Batch(x, of(batch.labels), condition=of(batch.condition)), order


def first(chunks: Iterable[Batch], n: int) -> Batch:
    """The first n data, or all where there are fewer."""
    taken: list[Batch] = []
    for batch in chunks:
        taken.append(batch)
        if sum(map(len, taken)) >= n:
            break
    labels = [b.labels for b in taken if b.labels is not None]
    x = torch.cat([b.x for b in taken])[:n]
    given = [b.condition for b in taken if b.condition is not None]
    return Batch(
        x,
        torch.cat(labels)[:n] if labels else None,
        condition=torch.cat(given)[:n] if given else None,
    )


def some(condition: Tensor | None, n: int) -> Tensor | None:
    """The first n conditions, from the start again where there are fewer."""
    return None if condition is None else condition[torch.arange(n) % len(condition)]


def _array(t: Tensor) -> np.ndarray:
    return t.detach().float().cpu().numpy()
