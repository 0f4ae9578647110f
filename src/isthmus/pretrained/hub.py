"""Where a checkpoint lies: a folder, a file, or a name on the Hugging Face hub."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from isthmus.errors import CheckpointError
from isthmus.optional import need
from isthmus.pretrained.config import CLASS_NAME, CONFIG
from isthmus.pretrained.files import PICKLES, STEM, SUFFIX, wanted_files

# Where a pipeline keeps its autoencoder.
PIPELINE_FOLDER = "vae"

_HUB_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*")


def locate(
    place: str | os.PathLike[str],
    subfolder: str | None = None,
    revision: str | None = None,
    local_files_only: bool = False,
    variant: str | None = None,
) -> Path:
    """The file or folder of a checkpoint on this machine; a hub name is fetched first.

    What lies under that name here comes before the hub.

    Args:
        place: A folder, a weights file, or "owner/name" on the hub.
        subfolder: Where in it the config lies; None looks at its root, then in "vae".
        revision: Branch, tag or commit on the hub.
        local_files_only: Take what was fetched before and ask no server.
        variant: Of the weights, such as "fp16"; no other is fetched.

    Raises:
        CheckpointError: There is no such place, or it cannot be reached.
        MissingDependencyError: A hub name, without the package that reads the hub.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        return _within(path, subfolder)
    if path.exists() or path.suffix in (SUFFIX, *PICKLES):
        return path
    if not isinstance(place, str) or not _HUB_NAME.fullmatch(place):
        raise CheckpointError(
            f"There is no folder or file {path}, and it is no name on the hub either, which would "
            "be 'owner/name'."
        )
    return _fetched(place, subfolder, revision, local_files_only, variant)


def is_published(place: str) -> bool:
    """Whether `place` means a checkpoint rather than anything of this package's own.

    That is a weights file, a folder with diffusers' config or weights, or, where nothing lies here
    under its first word, a name on the hub.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        return any(_of_diffusers(folder) for folder in (path, path / PIPELINE_FOLDER))
    if path.suffix in (SUFFIX, *PICKLES):
        return True
    named = _HUB_NAME.fullmatch(place) is not None
    return named and not path.exists() and not Path(path.parts[0]).exists()


def _of_diffusers(folder: Path) -> bool:
    try:
        values = json.loads((folder / CONFIG).read_text("utf-8"))
    except FileNotFoundError:
        return any(folder.glob(f"*{STEM}*"))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and "_class_name" in values


def _within(folder: Path, subfolder: str | None) -> Path:
    """The folder of the config: the one named, else the root where it lies there, else "vae"."""
    if subfolder is not None:
        return folder / subfolder
    below = folder / PIPELINE_FOLDER
    return below if not _is_ours(folder) and (below / CONFIG).is_file() else folder


def _is_ours(folder: Path) -> bool:
    """Whether a folder's config may be an autoencoder's."""
    try:
        values = json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and values.get("_class_name", CLASS_NAME) == CLASS_NAME


def _fetched(
    name: str,
    subfolder: str | None,
    revision: str | None,
    local_files_only: bool,
    variant: str | None,
) -> Path:
    folders = ("", PIPELINE_FOLDER) if subfolder is None else (subfolder,)
    # A pipeline's root may hold gigabytes of other weights: first see where the config lies.
    configs = [_joined(folder, CONFIG) for folder in folders]
    root = _snapshot(name, revision, local_files_only, configs)
    place = _within(root, subfolder)
    inside = "" if place == root else place.relative_to(root).as_posix()
    patterns = [_joined(inside, pattern) for pattern in (CONFIG, *wanted_files(variant))]
    return _snapshot(name, revision, local_files_only, patterns) / inside


def _snapshot(name: str, revision: str | None, local_only: bool, patterns: list[str]) -> Path:
    hub = need("huggingface_hub", f"reading {name!r} from the hub")
    try:
        found = hub.snapshot_download(
            name, revision=revision, local_files_only=local_only, allow_patterns=patterns
        )
    # Its errors are its own, its HTTP library's and the system's, by release.
    except Exception as error:
        at = f" at revision {revision!r}" if revision else ""
        how = "was never fetched to this machine" if local_only else "cannot be fetched"
        said = str(error).strip().partition("\n")[0]
        raise CheckpointError(
            f"{name!r}{at} {how} ({type(error).__name__}: {said}): there is no such folder here "
            "either; see to the name, the network or HF_TOKEN, or give a folder that has it."
        ) from error
    return Path(found)


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
