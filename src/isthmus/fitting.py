"""From data and a recipe to a trained run: what `fit`, the estimators and `compare` share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import torch

from isthmus.data import DEFAULT_FRACTIONS, DataSpec, Reading, Source, load
from isthmus.errors import OptionError, RunError
from isthmus.model import LatentModel
from isthmus.objectives import Elbo, Objective, Reconstruction
from isthmus.recipes import Built, build_recipe, recipe_options
from isthmus.registry import RECIPES, describe, did_you_mean
from isthmus.resuming import as_trained, has_density, refuse_another
from isthmus.store import CONFIG, WEIGHTS, read_config, read_json, save, write_bytes, write_json
from isthmus.store import load as load_model
from isthmus.training import (
    HISTORY,
    LAST,
    Listener,
    Record,
    TrainingSettings,
    read_history,
    train,
    training_settings,
)
from isthmus.training.devices import own_random_state

PARTS = ("train", "validation", "test")
METRICS = "metrics.json"
CARD = "README.md"
# What a run of a model composed in Python has for a recipe.
BY_HAND = "by-hand"


@final
@dataclass(frozen=True)
class Split:
    """Which data trained a model, which chose its weights and which judge it.

    Args:
        seed: Of the permutation or hash that splits.
        fractions: Of train, validation and test.
    """

    seed: int = 0
    fractions: tuple[float, float, float] = DEFAULT_FRACTIONS

    def of(self, source: Source) -> tuple[Source, Source, Source]:
        """Train, validation and test."""
        train, validation, test = (source.subset(part, self.seed, self.fractions) for part in PARTS)
        return train, validation, test


@final
@dataclass
class Run:
    """A trained model and how it came about.

    Args:
        model: With the best weights.
        spec: What was known of the data.
        recipe: The recipe's name, or "by-hand" for a model composed in Python.
        options: The recipe's options as given.
        settings: How it was trained.
        split: How the data were split.
        history: What was measured on the way.
        notes: What was handled on the way, in words.
        folder: Where it is kept, or None.
        reading: How the data were read, so that others like them are read the same way.
        kept_step: The step whose weights these are; None where that is not known.
    """

    model: LatentModel
    spec: DataSpec
    recipe: str
    options: dict[str, Any]
    settings: TrainingSettings
    split: Split
    history: list[Record] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    folder: Path | None = None
    reading: Reading = field(default_factory=Reading)
    kept_step: int | None = None

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Run:
        """Read a run folder; nothing in it is executed.

        Raises:
            RunError: It is missing, cut or of another version.
        """
        folder = Path(folder)
        config = read_config(folder)
        if "data" not in config:
            raise RunError(
                f"{folder / CONFIG} is a bare model without a data spec: load it with isthmus.load."
            )
        return cls(
            model=load_model(folder),
            spec=DataSpec.from_json(config["data"]),
            recipe=config["recipe"],
            options=config["options"],
            settings=training_settings(**config["settings"]),
            split=Split(config["split"]["seed"], tuple(config["split"]["fractions"])),
            history=read_history(folder / HISTORY),
            notes=tuple(config["notes"]),
            folder=folder,
            reading=Reading.from_json(config.get("reading")),
            kept_step=_kept_step(folder),
        )


def fit(
    data: Any,
    recipe: str | LatentModel = "vae",
    *,
    objective: Objective | str | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    split: Split | None = None,
    listeners: Sequence[Listener] = (),
    say: Callable[[str], None] | None = None,
    **options: Any,
) -> Run:
    """Train a recipe, or a model composed by hand, on data.

    Args:
        data: A source, an array, a frame, a path or the name of a data set.
        recipe: A recipe's name, or a model.
        objective: For a model composed by hand; the ELBO, or reconstruction where its posterior
            has no density.
        folder: The run folder; None keeps the run in memory.
        resume: Go on with the run in the folder, under the same options; where none was begun,
            begin it.
        split: Seed and fractions of train, validation and test.
        listeners: Who hears of the progress.
        say: Hears each of the run's notes as soon as it is known, before training where it can.
        **options: The recipe's options (`latent_dim`, `network`, ...) and the training settings
            (`epochs`, `minutes`, `lr`, `seed`, ...).

    Returns:
        The run, its model with the best held-out weights.

    Raises:
        DataError: The data cannot be used.
        OptionError: An option that neither the recipe nor the training takes.
        RunError: The folder holds a run already, or another than the one to resume.
        TrainingError: A loss became NaN or infinite.
        KeyboardInterrupt: Ctrl-C; the run in the folder can be resumed.
    """
    if isinstance(objective, str):
        options, objective = {**options, "objective": objective}, None
    name = recipe if isinstance(recipe, str) else BY_HAND
    gaps = name != BY_HAND and RECIPES[name].about["gaps"]
    source = data if isinstance(data, Source) else load(data, missing=gaps)
    split = split or Split()
    model_options, settings = divide_options(name, options)
    training, validation, _ = split.of(source)
    # What a part counts, as the stratified weights of beta-tcvae do, are the data to learn from.
    built = _built(recipe, objective, training.spec, model_options, settings.seed)
    run = Run(built.model, source.spec, name, model_options, settings, split, folder=_path(folder))
    run.notes, run.reading = (*source.notes, *built.notes), source.reading
    if settings.batch_size > len(training):
        run.notes += (
            f"A batch of {settings.batch_size:,} is larger than the {len(training):,} training "
            "data: each step takes all of them.",
        )
    say = say if leads() else None
    if say is not None:
        for text in run.notes:
            say(text)
    if run.folder is not None and leads():
        resume = _open_folder(run.folder, run, built.objective, resume)
    if resume and run.folder is not None and has_density(run.folder):
        # Only what is finished is given one: it stays as it is.
        return Run.read(run.folder)
    trained = train(
        built.model,
        built.objective,
        training,
        validation,
        settings,
        folder=run.folder,
        resume=resume,
        listeners=listeners,
        say=say,
    )
    run.history, best = trained.history, trained.position.best_step
    run.kept_step = best if best >= 0 else None
    run.notes = (*run.notes, *trained.notes)
    if run.folder is not None and leads():
        run.history = read_history(run.folder / HISTORY)
        _close_folder(run.folder, run, built.objective)
    return run


def leads() -> bool:
    """Whether this process speaks for those that train together under torchrun."""
    return os.environ.get("RANK", "0") == "0"


def divide_options(recipe: str, options: dict[str, Any]) -> tuple[dict[str, Any], TrainingSettings]:
    """Options as the recipe's and the training's.

    Raises:
        OptionError: One that neither takes.
    """
    own = {} if recipe == BY_HAND else recipe_options(recipe)
    known = [*own, *TrainingSettings.model_fields]
    for option in options:
        if option not in known:
            raise OptionError(str(did_you_mean(f"option for recipe {recipe!r}:", option, known)))
    suited = {} if recipe == BY_HAND else RECIPES[recipe].about["training"]
    given = {k: v for k, v in options.items() if k not in own}
    settings = training_settings(**{**suited, **given})
    return {k: v for k, v in options.items() if k in own}, settings


def _built(
    recipe: str | LatentModel,
    objective: Objective | None,
    spec: DataSpec,
    options: dict[str, Any],
    seed: int,
) -> Built:
    """The untrained model, its weights drawn from the seed; the caller's random state stays."""
    if isinstance(recipe, LatentModel):
        if recipe.shape != tuple(spec.shape):
            raise OptionError(
                f"The model is built for data of shape {recipe.shape} and these are {spec.shape}: "
                "build its likelihood and encoder with the shape of source.spec."
            )
        objective = objective or (Elbo() if recipe.posterior.has_density else Reconstruction())
        objective.check(recipe.posterior, recipe.prior, recipe.likelihood)
        return Built(recipe, objective)
    if objective is not None:
        raise OptionError(
            f"Recipe {recipe!r} brings its own objective: pass a model to choose another."
        )
    with own_random_state(torch.device("cpu"), seed):
        return build_recipe(recipe, spec, **options)


def _path(folder: str | os.PathLike[str] | None) -> Path | None:
    return None if folder is None else Path(folder)


def _config(run: Run, objective: Objective) -> dict[str, Any]:
    return {
        "recipe": run.recipe,
        "options": describe(run.options),
        "objective": describe(objective),
        "settings": run.settings.model_dump(),
        "split": {"seed": run.split.seed, "fractions": list(run.split.fractions)},
        "data": run.spec.to_json(),
        "reading": run.reading.to_json(),
        "notes": list(run.notes),
    }


def _open_folder(folder: Path, run: Run, objective: Objective, resume: bool) -> bool:
    """Write the config of a new run, or see that the one to resume is the same.

    Returns:
        Whether there is a checkpoint to resume from: a run that was killed before its first one
        begins afresh.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file, and a run needs a folder: choose another with -o.")
    config = _config(run, objective)
    for path in (CONFIG, WEIGHTS, HISTORY, CARD, METRICS, LAST):
        # What a killed process had not finished writing.
        for left in (folder / path).parent.glob(f".{Path(path).name}.*.tmp"):
            left.unlink()
    begun = {**config, "finished": False}
    if not (folder / CONFIG).exists():
        save(run.model, folder, **begun)
        return False
    if not resume:
        raise RunError(
            f"{folder} holds a run already: add --resume to go on with it, or choose another -o."
        )
    refuse_another(
        as_trained(read_config(folder)), {**config, "model": describe(run.model)}, folder
    )
    if (folder / LAST).exists():
        return True
    if read_history(folder / HISTORY):
        raise RunError(
            f"{folder / LAST} is missing, so this run cannot be resumed: choose another -o."
        )
    save(run.model, folder, **begun)
    return False


def _close_folder(folder: Path, run: Run, objective: Objective) -> None:
    """Write what is known once a run is complete."""
    save(run.model, folder, **_config(run, objective))
    evaluations = (r for r in run.history if "validation/loss" in r)
    kept = next((r for r in evaluations if r["step"] == run.kept_step), {})
    values = {k: v for k, v in kept.items() if k.startswith("validation/") or k == "step"}
    if not (folder / METRICS).exists():
        write_json(folder / METRICS, {"format": 1, "training": values})
    write_bytes(folder / CARD, model_card(run).encode())


def _kept_step(folder: Path) -> int | None:
    """The step whose weights a run folder has."""
    if not (folder / METRICS).exists():
        return None
    step = read_json(folder / METRICS).get("training", {}).get("step")
    return step if isinstance(step, int) else None


def model_card(run: Run) -> str:
    """The README of a run folder: what it is, what it was trained on, how to use it."""
    options = ", ".join(f"{k}={v}" for k, v in run.options.items()) or "defaults"
    parameters = sum(p.numel() for p in run.model.parameters())
    return f"""---
library_name: isthmus
tags: [autoencoder, {run.recipe}]
---
# {run.recipe} on {run.spec.name}

An autoencoder trained with [Isthmus](https://pypi.org/project/isthmus/).

| | |
|---|---|
| recipe | `{run.recipe}` ({options}) |
| data | {run.spec.name}: {run.spec.length:,} of kind {run.spec.kind}, shape {run.spec.shape} |
| code | {run.model.latent_shape} |
| parameters | {parameters:,} |
| seed | {run.settings.seed} |

```python
import isthmus

model = isthmus.load("{run.folder}")
codes = model.encode(x)           # mode="mean"; "sample" or "argmax" on request
x_again = model.decode(codes)
new = model.sample(16)
```
"""
