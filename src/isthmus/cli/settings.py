"""All settings of a command: flags beat `-s`, which beats the config file, which beats defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from isthmus.cli import values
from isthmus.data import DATASETS, load
from isthmus.errors import OptionError
from isthmus.recipes import recipe_options
from isthmus.registry import RECIPES, Registry, did_you_mean
from isthmus.training import TrainingSettings

Layer = dict[str, dict[str, Any]]

SECTIONS = ("data", "model", "training")
DEFAULT_RECIPE = "vae"
# The two say the same thing in two ways: the one that is given later counts.
BUDGETS = ("epochs", "minutes")

# The axes of the recipe custom that its flags name.
CUSTOM_AXES = frozenset({"posterior", "prior", "objective"})

FLAGS = {
    **dict.fromkeys(
        (
            *("kind", "label", "columns", "drop", "image_size", "grey", "condition", "missing"),
            *("crop", "flip"),
        ),
        "data",
    ),
    **dict.fromkeys(("recipe", "latent_dim", "network", "hidden", "likelihood"), "model"),
    **dict.fromkeys(CUSTOM_AXES, "model"),
    **dict.fromkeys(TrainingSettings.model_fields, "training"),
}

_DATA: dict[str, Callable[[str, Any], Any]] = {
    "kind": values.word,
    "support": values.word,
    "label": values.word,
    "columns": values.words,
    "drop": values.words,
    "image_size": values.size,
    "crop": values.size,
    "flip": values.truth,
    "grey": values.truth,
    "condition": values.words,
    "missing": values.truth,
    "name": values.word,
    "folder": values.word,
    "max_bytes": values.whole,
}
# Axes whose default is None, so that it does not tell their type.
_MODEL: dict[str, Callable[[str, Any], Any]] = {"hidden": values.wholes}

FORMATS = Registry("config file type")


@final
@dataclass(frozen=True)
class Settings:
    """What a command was asked for, by section.

    Args:
        data: Options of `isthmus.data.load`.
        recipe: The model's name.
        model: The recipe's options.
        training: The training settings.
    """

    data: dict[str, Any]
    recipe: str
    model: dict[str, Any]
    training: dict[str, Any]


def gather(
    data: str,
    flags: Mapping[str, Any],
    sets: Sequence[str] = (),
    config: str | None = None,
    *,
    one_model: bool = True,
) -> Settings:
    """Settings from all that was given.

    Args:
        data: What is loaded; a named data set has options of its own.
        flags: By name; those that are None were not given.
        sets: "section.key=value".
        config: A file with the sections data, model and training.
        one_model: Whether there is one model that the section model speaks of.

    Raises:
        UnknownNameError: A section, key or recipe that there is not.
        OptionError: A value of another type than the setting's.
    """
    layers = [read_config_file(config)] if config is not None else []
    layers += [_from_set(text) for text in sets]
    layers.append(_from_flags(flags))
    merged = merge(layers)
    if not one_model:
        _refuse_model(merged["model"])
    # Who names an axis means a combination of their own.
    usual = "custom" if CUSTOM_AXES & merged["model"].keys() else DEFAULT_RECIPE
    recipe = values.word("model.recipe", merged["model"].pop("recipe", usual))
    if RECIPES[recipe].about["gaps"]:
        merged["data"].setdefault("missing", True)
    defaults = recipe_options(RECIPES[recipe].name)
    model = {key: _MODEL.get(key, values.like(default)) for key, default in defaults.items()}
    training = dict.fromkeys(TrainingSettings.model_fields, values.as_it_is)
    return Settings(
        _converted("data", merged["data"], _DATA | _own_options(data)),
        recipe,
        _converted("model", merged["model"], model, {"recipe"}),
        _converted("training", merged["training"], training),
    )


def load_data(data: str, options: Mapping[str, Any]) -> Any:
    """A source from what the command line calls data."""
    return load(data, **options)


def merge(layers: Iterable[Mapping[str, Mapping[str, Any]]]) -> Layer:
    """One layer over the other, the last on top.

    Raises:
        UnknownNameError: There is no such section.
    """
    merged: Layer = {section: {} for section in SECTIONS}
    for layer in layers:
        for section, given in layer.items():
            if section not in merged:
                raise did_you_mean("section of settings", section, SECTIONS)
            if any(given.get(b) is not None for b in BUDGETS):
                for budget in BUDGETS:
                    merged[section].pop(budget, None)
            merged[section].update(given)
    return merged


def read_config_file(path: str) -> Layer:
    """The sections of a config file.

    Raises:
        OptionError: It is missing, cannot be read, or holds something else than sections.
    """
    file = Path(path)
    reader = FORMATS[file.suffix.lower()].factory
    try:
        content = reader(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise OptionError(f"There is no config file {path}.") from error
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise OptionError(
            f"{path} is not a readable {file.suffix} file ({reason}): correct it."
        ) from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        raise OptionError(
            f"{path} must hold the sections {', '.join(SECTIONS)}, each with its settings."
        )
    return {str(section): dict(given) for section, given in content.items()}


@FORMATS.register(".yaml")
@FORMATS.register(".yml")
def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


@FORMATS.register(".toml")
def _toml(text: str) -> Any:
    import tomllib

    return tomllib.loads(text)


@FORMATS.register(".json")
def _json(text: str) -> Any:
    import json

    return json.loads(text)


def _from_set(text: str) -> Layer:
    name, equals, value = text.partition("=")
    section, dot, key = name.strip().partition(".")
    if not equals or not dot:
        raise OptionError(
            f"-s {text}: expected section.key=value with a section of {', '.join(SECTIONS)}, such "
            f"as {_guess(section)}."
        )
    return {section: {key: values.parse(value)}}


def _guess(key: str) -> str:
    """An example with the key that was meant, where it is a known one."""
    return f"{FLAGS[key]}.{key}=..." if key in FLAGS else "training.lr=1e-3"


def _from_flags(flags: Mapping[str, Any]) -> Layer:
    given = {name: value for name, value in flags.items() if value is not None}
    if all(given.get(budget) is not None for budget in BUDGETS):
        raise OptionError("Both --epochs and --minutes were given: choose one budget.")
    layer: Layer = {section: {} for section in SECTIONS}
    for name, value in given.items():
        layer[FLAGS[name]][name] = value
    return layer


def _refuse_model(given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        raise OptionError(
            f"model.{key} is an option of one model, and compare trains several: give it with its "
            f"name, as in --models pca,beta-vae:{key}={value}."
        )


def _own_options(data: str) -> dict[str, Callable[[str, Any], Any]]:
    if data not in DATASETS:
        return {}
    parameters = inspect.signature(DATASETS[data].factory).parameters
    return dict.fromkeys(parameters, values.as_it_is)


def _converted(
    section: str,
    given: Mapping[str, Any],
    known: Mapping[str, Callable[[str, Any], Any]],
    also: Iterable[str] = (),
) -> dict[str, Any]:
    for key in given:
        if key not in known:
            raise did_you_mean(f"setting of {section}:", key, {*known, *also})
    return {
        key: None if value is None else known[key](f"{section}.{key}", value)
        for key, value in given.items()
    }
