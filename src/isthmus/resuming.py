"""Whether the run in a folder is the one that is to be resumed, and whether it was added to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from isthmus.errors import RunError
from isthmus.store import CONFIG, read_config

# What a config says of a density that was fitted to a finished run's codes: the sampler before it.
DENSITY = "density"
# Parts of a config that one speaks of as of several.
MANY = frozenset({"options", "settings", "data"})


def has_density(folder: Path) -> bool:
    """Whether a density was fitted to the folder's run after its training."""
    return (folder / CONFIG).exists() and DENSITY in read_config(folder)


def as_trained(config: dict[str, Any]) -> dict[str, Any]:
    """A stored config with the sampler that the training left."""
    if DENSITY not in config:
        return config
    return {**config, "model": {**config["model"], "sampler": config[DENSITY]["before"]}}


def refuse_another(stored: dict[str, Any], asked: dict[str, Any], folder: Path) -> None:
    """Refuse to resume a run under a config that differs from the stored one.

    Raises:
        RunError: With the first difference.
    """
    for key in ("recipe", "options", "objective", "settings", "split", "data", "model"):
        then, now = stored.get(key), _plain(asked[key])
        if then != now:
            other = "other" if key in MANY else "another"
            raise RunError(
                f"The run in {folder} was begun with {other} {key} ({_difference(then, now)}): "
                "resume it with the command that began it, or choose another -o."
            )


def _plain(value: Any) -> Any:
    """As it reads after a round trip through JSON."""
    return json.loads(json.dumps(value))


def _difference(then: Any, now: Any, path: str = "") -> str:
    """The first difference, by the path to it."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name in sorted(then.keys() | now.keys()):
            if then.get(name) != now.get(name):
                inner = f"{path}.{name}" if path else name
                return _difference(then.get(name), now.get(name), inner)
    return f"{path} was {_said(then)}, now {_said(now)}".lstrip()


def _said(value: Any) -> str:
    return "left out" if value is None else repr(value)
