"""`compare`: which autoencoder do these data need? One protocol and one budget for all."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from isthmus.data import DataSpec, Resident, Scaling, Source, load
from isthmus.errors import DataError, OptionError
from isthmus.evaluation.candidates import Candidate, classical, learned
from isthmus.evaluation.lineup import Entry, line_up
from isthmus.evaluation.measure import Answers, Question, measure
from isthmus.evaluation.results import Comparison, ModelResult
from isthmus.evaluation.units import Units, as_floats
from isthmus.evaluation.verdict import Judged, verdict
from isthmus.fitting import Split, fit
from isthmus.metrics import interval
from isthmus.training import Listener
from isthmus.version import __version__

IMPORTANCE_SAMPLES = 500
# A comparison is of data in memory; of more than this many, a seeded part stands for all.
MOST_ROWS = 60_000
# Held-out data that a report shows: few images, and enough rows to speak of columns.
SHOWN = {"image": 10}
SHOWN_ROWS = 200
SHOWN_CODES = 1000

SAMPLING = (
    "codes from the prior, or from a Gaussian of the training codes where there is none; x is "
    "drawn from p(x|z), but "
    "greys, and all of models without a density, are its mean; then settled to values that the "
    "data could have"
)

Watch = Callable[[str], Sequence[Listener]]


def compare(
    data: Any,
    *,
    models: Sequence[str] | None = None,
    latent_dim: int | None = None,
    latent_dims: Sequence[int] | None = None,
    seeds: int = 1,
    minutes: float | None = None,
    samples: int = IMPORTANCE_SAMPLES,
    folder: str | Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    watch: Watch = lambda _: (),
    command: str = "",
    **settings: Any,
) -> Comparison:
    """Train models on data under one protocol and say which one they need.

    Args:
        data: A source, an array, a frame, a path or the name of a data set.
        models: Names of recipes and baselines, with options as in `beta-vae:beta=8`; `all-linear`
            stands for all baselines that apply. None takes those of the main question: linear
            methods, linear-ae, ae, vae, beta-vae, sigma-vae.
        latent_dim: Z of the main table; None takes 16, or half of the data's elements where those
            are fewer than 32.
        latent_dims: Sizes at which PCA and `ae` are measured besides; None takes powers of two
            below Z and Z.
        seeds: Repeats of every learned model; more than one gives 95 % intervals.
        minutes: Budget for all trainings together; None trains each for the default number of
            epochs.
        samples: Importance samples for log p(x).
        folder: Where `metrics.json` and `arrays.npz` go; None writes nothing.
        say: Hears a line at every stage.
        watch: Title -> listeners of one training.
        command: The line that a report gives to make the comparison again.
        **settings: Training settings for all learned models (`epochs`, `seed`, `threads`, ...).

    Returns:
        The figures, the pictures and the verdict.

    Raises:
        DataError: The data cannot be used.
        OptionError: An option that cannot work.
        UnknownNameError: A model that is neither a recipe nor a baseline.
    """
    if seeds < 1:
        raise OptionError(f"seeds={seeds}: at least one training of each model is needed.")
    source = _in_memory(data if isinstance(data, Source) else load(data))
    main = latent_dim or default_latent_dim(source.spec.size)
    entries = line_up(source.spec, models, main, latent_dims)
    trainings = sum(seeds if entry.main else 1 for entry in entries if entry.learned)
    if minutes is not None:
        settings["minutes"] = minutes / max(trainings, 1)
    stage = _prepare(source, Split(), int(settings.get("seed", 0)))
    results: list[ModelResult] = []
    judged: list[Judged] = []
    arrays = _shown(stage)
    done = 0
    for entry in entries:
        repeats = seeds if entry.main and entry.learned else 1
        answers: list[Answers] = []
        for repeat in range(repeats):
            if entry.learned:
                done += 1
                say(
                    f"training {entry.label} at {entry.latent_dim} dimensions, {done} of "
                    f"{trainings}"
                )
            else:
                say(f"fitting {entry.label} at {entry.latent_dim} dimensions")
            candidate = _candidate(entry, stage, repeat, samples, settings, watch)
            answers.append(measure(candidate, stage.question))
        result = _result(entry, candidate, answers)
        results.append(result)
        judged.append(Judged(result, answers[0].per_datum))
        if entry.main:
            arrays.update(_pictures(entry.label, answers[0], shown_of(source.spec)))
    comparison = Comparison(
        spec=source.spec,
        results=results,
        findings=verdict(judged, pca_curve(stage), stage.question.units.countable),
        protocol=_protocol(stage, main, seeds, samples, settings)
        | ({"command": command} if command else {}),
        notes=sorted({*source.notes, *stage.notes}),
        arrays=arrays,
        versions={
            "isthmus": __version__,
            "torch": version("torch"),
            "python": platform.python_version(),
        },
    )
    if folder is not None:
        comparison.write(Path(folder))
    return comparison


def default_latent_dim(size: int) -> int:
    """16, or half of the data's elements where those are few."""
    return max(1, min(16, size // 2))


@final
@dataclass(frozen=True)
class Stage:
    """What all candidates share: the data in the units of the comparison, split once."""

    source: Resident
    split: Split
    training: Resident
    scaling: Scaling
    question: Question
    notes: tuple[str, ...]


def _in_memory(source: Source) -> Resident:
    """The source in memory, or a seeded part of a larger one."""
    if isinstance(source, Resident) and len(source) <= MOST_ROWS:
        return source
    size = min(len(source), MOST_ROWS)
    batch = next(source.epoch(size, seed=0, epoch=0))
    note = (
        ()
        if size == len(source)
        else (f"{size:,} of the {len(source):,} data stand for all of them.",)
    )
    return Resident(
        batch.x,
        source.spec.with_length(size),
        labels=batch.labels,
        factors=batch.factors,
        notes=(*source.notes, *note),
    )


def _prepare(source: Resident, split: Split, seed: int) -> Stage:
    units = Units.of(source.spec)
    spread = units.spread(source, seed)
    training, _, test = split.of(spread)
    _, _, clean = split.of(source)
    if (
        not isinstance(training, Resident)
        or not isinstance(test, Resident)
        or not isinstance(clean, Resident)
    ):
        raise DataError("A comparison needs data in memory.")
    scaling = Scaling(source.spec.shape, SCALING_OF_KIND.get(source.spec.kind, "none"))
    notes = tuple(scaling.fit(training))
    question = Question(
        units=units,
        train=as_floats(_all(training)),
        test=as_floats(_all(test)),
        clean=as_floats(_all(clean)),
        train_labels=None if training.labels is None else training.labels.numpy(),
        test_labels=None if test.labels is None else test.labels.numpy(),
        seed=seed,
    )
    if units.levels:
        notes += (
            f"Values are whole levels of {units.levels}: models see them spread evenly over "
            "their cells, and NLL, "
            "ELBO and distortion are of the levels themselves.",
        )
    return Stage(spread, split, training, scaling, question, notes)


# A table's columns have scales of their own, and no classical method should care for the units of
# a column.
SCALING_OF_KIND = {"table": "column"}


def _all(source: Resident) -> torch.Tensor:
    return torch.cat([batch.x for batch in source.chunks(4096)])


def _candidate(
    entry: Entry, stage: Stage, repeat: int, samples: int, settings: dict[str, Any], watch: Watch
) -> Candidate:
    if not entry.learned:
        return classical(entry.name, entry.latent_dim, stage.training, stage.scaling)
    seed = int(settings.get("seed", 0)) + repeat
    run = fit(
        stage.source,
        entry.name,
        split=stage.split,
        listeners=watch(entry.label),
        **{**settings, "seed": seed, **entry.options, "latent_dim": entry.latent_dim},
    )
    return learned(run, samples)


def _result(entry: Entry, candidate: Candidate, answers: list[Answers]) -> ModelResult:
    """The means over seeds, with an interval over seeds where there are several."""
    result = ModelResult(
        entry.name, entry.label, candidate.family, candidate.latent_dim, entry.main
    )
    for key in answers[0].values:
        values = [a.values[key].value for a in answers]
        result.seeds[key] = values
        result.metrics[key] = float(np.mean(values))
        error = answers[0].values[key].error
        if len(values) > 1:
            low, high = interval(values)
            error = (high - low) / 2.0
        if math.isfinite(error):
            result.errors[key] = error
    result.why_missing = answers[0].why_missing
    result.notes = candidate.notes
    return result


def _pictures(label: str, answers: Answers, shown: int) -> dict[str, np.ndarray]:
    most = {"reconstructions": shown, "samples": 4 * shown, "codes": SHOWN_CODES}
    return {
        f"{kind}/{label}": array[: most.get(kind, len(array))]
        for kind, array in answers.arrays.items()
    }


def _shown(stage: Stage) -> dict[str, np.ndarray]:
    question = stage.question
    arrays: dict[str, np.ndarray] = {
        "originals": question.clean[: shown_of(stage.source.spec)].astype(np.float32)
    }
    if question.test_labels is not None:
        arrays["labels"] = question.test_labels[:SHOWN_CODES]
    return arrays


def shown_of(spec: DataSpec) -> int:
    """How many data of this kind a report shows."""
    return SHOWN.get(spec.kind, SHOWN_ROWS)


def pca_curve(stage: Stage) -> np.ndarray:
    """Held-out R² of PCA with 0, 1, 2, ... components."""
    train, test = stage.question.train, stage.question.test
    flat = [as_floats(stage.scaling(torch.as_tensor(x))).reshape(len(x), -1) for x in (train, test)]
    mean = flat[0].mean(0)
    _, _, axes = np.linalg.svd(flat[0] - mean, full_matrices=False)
    scores = np.square((flat[1] - mean) @ axes.T)
    total = np.square(flat[1] - flat[1].mean(0)).sum()
    missed = np.square(flat[1] - mean).sum() - np.concatenate([[0.0], np.cumsum(scores.sum(0))])
    curve: np.ndarray = 1.0 - missed / max(total, 1e-300)
    return curve


def _protocol(
    stage: Stage, main: int, seeds: int, samples: int, settings: dict[str, Any]
) -> dict[str, str]:
    train, validation, test = (len(part) for part in stage.split.of(stage.source))
    given = ", ".join(f"{k}={v}" for k, v in settings.items() if k != "seed") or "defaults"
    return {
        "data": (
            f"{train:,} to train, {validation:,} to choose the weights, {test:,} held out "
            f"(split seed {stage.split.seed})"
        ),
        "code": f"{main} dimensions in the main table",
        "training": (
            f"one budget for all learned models: {given}; {seeds} "
            f"seed{'s' if seeds > 1 else ''} from {settings.get('seed', 0)}"
        ),
        "likelihood": f"{samples:,} importance samples on up to 500 held-out data",
        "samples": SAMPLING,
        "anomalies": (
            "a quarter of each held-out datum's elements taken from another datum: "
            "right one by one, wrong together"
        ),
        "errors": "standard errors over held-out data"
        if seeds == 1
        else "half-widths of 95 % intervals over seeds",
    }
