"""`compare`: which autoencoder do these data need? One protocol and one budget for all."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.data import DataSpec, Source, load
from isthmus.errors import OptionError
from isthmus.evaluation.contest import Contest, Watch
from isthmus.evaluation.evaluate import names_of
from isthmus.evaluation.kinds import say_kinds
from isthmus.evaluation.lineup import line_up
from isthmus.evaluation.measures import MEASURES, OVERVIEW
from isthmus.evaluation.measures.base import MINUTES
from isthmus.evaluation.measures.tables import DISENTANGLEMENT, IMAGES, LATENT, PICTURES
from isthmus.evaluation.pairs import paired_tests
from isthmus.evaluation.ranking import Judged, comparable, held_level
from isthmus.evaluation.results import Comparison, ModelResult
from isthmus.evaluation.stage import Stage, in_memory, pca_curve, prepare
from isthmus.evaluation.subject import Answers
from isthmus.evaluation.verdict import verdict
from isthmus.fitting import Split
from isthmus.training.devices import choose_device
from isthmus.version import __version__

IMPORTANCE_SAMPLES = 500
# What codes of integers have in place of a distance from the prior.
CODEBOOK = "codes"
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


def compare(
    data: Any,
    *,
    models: Sequence[str] | None = None,
    latent_dim: int | None = None,
    latent_dims: Sequence[int] | None = None,
    seeds: int = 1,
    minutes: float | None = None,
    samples: int = IMPORTANCE_SAMPLES,
    measures: Sequence[str] | None = None,
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
        measures: What is asked of every model besides the main table's figures; None asks all that
            is about the codes, "all" everything.
        folder: Where `metrics.json` and `arrays.npz` go; None writes nothing.
        say: Hears a line at every stage.
        watch: Title -> listeners of one training.
        command: The line that a report gives to make the comparison again.
        **settings: Training settings for all learned models (`epochs`, `seed`, `threads`, ...).

    Returns:
        The figures, the pictures and the verdict.

    Raises:
        DataError: The data cannot be used.
        OptionError: An option that cannot work, or a device that is not to be had.
        UnknownNameError: A model that is neither a recipe nor a baseline.
    """
    if seeds < 1:
        raise OptionError(f"seeds={seeds}: at least one training of each model is needed.")
    # Said before anything is trained that would have to be trained again.
    choose_device(settings.get("device", "auto"))
    given = data if isinstance(data, Source) else load(data)
    source = in_memory(given)
    main = latent_dim or default_latent_dim(source.spec.size)
    entries = line_up(source.spec, models, main, latent_dims)
    trainings = sum(seeds if entry.main else 1 for entry in entries if entry.learned)
    if minutes is not None:
        settings["minutes"] = minutes / max(trainings, 1)
    seed, whole = int(settings.get("seed", 0)), len(source) == len(given)
    stage = prepare(source, Split(), seed, whole=whole)
    asked = what_to_ask(measures, stage)
    contest = Contest(stage, samples, settings, watch, say, trainings, measures=asked)
    results: list[ModelResult] = []
    judged: list[Judged] = []
    arrays = shown_arrays(stage)
    for entry in entries:
        result, first = contest.result(entry, seeds if entry.main and entry.learned else 1)
        results.append(result)
        judged.append(Judged(result, first.per_datum))
        if entry.main:
            arrays.update(pictures(entry.label, first, shown_of(source.spec)))
    protocol = _protocol(stage, main, seeds, samples, settings)
    kinds = say_kinds([r for r in results if r.main], bool(stage.question.units.levels))
    protocol |= {"NLL": kinds} if kinds else {}
    pairs = paired_tests(comparable([j for j in judged if j.result.main]))
    countable = stage.question.units.countable
    comparison = Comparison(
        spec=source.spec,
        results=results,
        findings=verdict(held_level(judged, pairs), pca_curve(stage), countable),
        protocol=protocol | ({"command": command} if command else {}),
        notes=sorted({*source.notes, *stage.notes}),
        arrays=arrays,
        versions=versions(),
        pairs=pairs,
    )
    if folder is not None:
        comparison.write(Path(folder))
    return comparison


def versions() -> dict[str, str]:
    """Of isthmus, torch and Python."""
    return {
        "isthmus": __version__,
        "torch": version("torch"),
        "python": platform.python_version(),
    }


def what_to_ask(measures: Sequence[str] | None, stage: Stage) -> list[str]:
    """The measures of a comparison: the main table's, then those asked for.

    Raises:
        UnknownNameError: There is no measure of that name.
    """
    if measures is not None:
        drawn = [entry.name for entry in MEASURES if entry.about["table"] == PICTURES]
        return list(dict.fromkeys([*OVERVIEW, *drawn, *names_of(measures)]))
    tables = {LATENT, PICTURES} | (
        {DISENTANGLEMENT} if stage.question.test_factors is not None else set()
    )
    tables |= {IMAGES} if stage.source.spec.kind == "image" else set()
    of_codes = [
        entry.name
        for entry in MEASURES
        if entry.about["table"] in tables and entry.about["cost"] != MINUTES
    ]
    return [*OVERVIEW, *of_codes, CODEBOOK]


def default_latent_dim(size: int) -> int:
    """16, or half of the data's elements where those are few."""
    return max(1, min(16, size // 2))


def pictures(label: str, answers: Answers, shown: int) -> dict[str, np.ndarray]:
    """The arrays of one model that a report draws, at most `shown` reconstructions of them."""
    most = {"reconstructions": shown, "samples": 4 * shown, "codes": SHOWN_CODES}
    return {
        f"{kind}/{label}": array[: most.get(kind, len(array))]
        for kind, array in answers.arrays.items()
    }


def shown_arrays(stage: Stage) -> dict[str, np.ndarray]:
    """What a report draws of the data themselves."""
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
    } | (
        {"errors": "standard errors over held-out data"}
        if seeds == 1
        else {
            "errors": (
                "half-widths of 95 % intervals over seeds; standard errors over held-out data for "
                "baselines, which are fitted once"
            ),
            "pictures": "of each model's first training",
        }
    )
