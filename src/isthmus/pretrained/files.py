"""Safetensors weights in diffusers' files: one or sharded, plain or a variant, read and written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from isthmus.errors import CheckpointError, OptionError
from isthmus.writing import replacing, write_bytes

STEM = "diffusion_pytorch_model"
SUFFIX = ".safetensors"
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
# Other readers ask a file for the framework that wrote it.
_METADATA = {"format": "pt"}


@final
@dataclass(frozen=True)
class Weights:
    """The tensors of one or several safetensors files, of which only those asked for are read.

    Args:
        place: The file or folder, as messages call it.
        shapes: Of every tensor.
        files: The file that each tensor lies in.
    """

    place: Path
    shapes: Mapping[str, tuple[int, ...]]
    files: Mapping[str, Path]

    @classmethod
    def of(cls, place: Path, variant: str | None = None) -> Weights:
        """What lies in a weights file, or in a folder of diffusers' format.

        Raises:
            CheckpointError: There is none, one is cut or a pickle, or a shard is missing.
        """
        shapes: dict[str, tuple[int, ...]] = {}
        files: dict[str, Path] = {}
        for path in weight_files(place, variant):
            for name, shape in _shapes(path).items():
                shapes[name], files[name] = shape, path
        return cls(place, shapes, files)

    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """The tensors of these names."""
        wanted: dict[Path, list[str]] = {}
        for name in names:
            wanted.setdefault(self.files[name], []).append(name)
        tensors: dict[str, Tensor] = {}
        for path, own in wanted.items():
            with safe_open(path, framework="pt") as file:
                tensors.update({name: file.get_tensor(name) for name in own})
        return tensors


def weight_files(place: Path, variant: str | None = None) -> list[Path]:
    """The safetensors files of a folder, or the one file that `place` is.

    Args:
        place: A weights file, or a folder with one or with shards and their index.
        variant: The word in the files' names, such as "fp16".

    Raises:
        CheckpointError: There is none, it is a pickle, or a shard is missing.
    """
    if place.suffix in PICKLES:
        raise refuse_pickle(place)
    if place.is_file():
        return [place]
    if place.suffix == SUFFIX:
        raise CheckpointError(f"There is no file {place}.")
    single = place / weights_name(variant)
    if single.is_file():
        return [single]
    for index in _index_names(variant):
        if (place / index).is_file():
            return _shards(place / index)
    raise _nothing_in(place, variant)


def weights_name(variant: str | None = None) -> str:
    """The name of the one weights file of a folder."""
    return f"{STEM}.{_checked(variant)}{SUFFIX}" if variant else f"{STEM}{SUFFIX}"


def wanted_files(variant: str | None = None) -> list[str]:
    """Patterns of the weight files of a folder, and of no other variant's."""
    digits = "[0-9]" * 5
    shards = f"{STEM}-{digits}-of-{digits}"
    if not variant:
        return [weights_name(), f"{STEM}{SUFFIX}.index.json", f"{shards}{SUFFIX}"]
    return [
        weights_name(variant),
        *_index_names(variant),
        f"{shards}.{variant}{SUFFIX}",
        f"{STEM}.{variant}-{digits}-of-{digits}{SUFFIX}",
    ]


def refuse_pickle(path: Path) -> CheckpointError:
    """The refusal of a file that reading would execute, with the line that converts it."""
    into = path.with_suffix(SUFFIX).name
    line = (
        "import torch; from safetensors.torch import save_file; "
        f"t = torch.load({path.name!r}, weights_only=True, map_location='cpu'); "
        "t = t.get('state_dict', t); "
        "save_file({k: v.clone().contiguous() for k, v in t.items() if torch.is_tensor(v)}, "
        f"{into!r})"
    )
    return CheckpointError(
        f"{path} is a pickle, which can run code when it is read, so it is not read here: convert "
        f"it once, where a stranger's code can do no harm, in Python: {line}"
    )


def write_weights(
    folder: Path,
    tensors: Mapping[str, Tensor],
    variant: str | None = None,
    max_shard_size: int | str | None = None,
) -> list[Path]:
    """Write weights as one safetensors file, or as shards with an index, each of them whole.

    Weights of another number of shards that stood in the folder are taken away.

    Args:
        folder: It exists.
        tensors: By the names to store.
        variant: The word in the files' names, such as "fp16".
        max_shard_size: In bytes, or such as "5GB"; None writes one file.

    Returns:
        The weight files.

    Raises:
        OptionError: The size or the variant cannot be read.
    """
    limit = None if max_shard_size is None else _bytes(max_shard_size)
    shards = _divided(tensors, limit)
    paths = [folder / name for name in _names(len(shards), variant)]
    before = _present(folder, variant)
    for path, names in zip(paths, shards, strict=True):
        with replacing(path) as temporary:
            save_file(
                {n: tensors[n].detach().cpu().contiguous() for n in names},
                temporary,
                metadata=_METADATA,
            )
    index = folder / _index_names(variant)[0]
    if len(paths) > 1:
        write_bytes(index, _index(tensors, shards, paths))
        before -= {index}
    for left in before - set(paths):
        left.unlink()
    return paths


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: tuple(file.get_slice(name).get_shape()) for name in names}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is cut or no safetensors file ({error}): fetch or copy it again."
        ) from error


def _shards(index: Path) -> list[Path]:
    """The files that an index names."""
    try:
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{index} is no index of weight files ({error!r}).") from error
    for name in names:
        # A name with a folder in it could point anywhere.
        if Path(str(name)).name != name or not name.endswith(SUFFIX):
            raise CheckpointError(
                f"{index} names {name!r}, which is no safetensors file beside it."
            )
    lost = [name for name in names if not (index.parent / name).is_file()]
    if lost:
        raise CheckpointError(
            f"{index.parent} lacks {lost[0]}{_more(lost, 1)} of the {len(names)} weight files that "
            f"{index.name} names: fetch it again."
        )
    return [index.parent / name for name in names]


def _nothing_in(folder: Path, variant: str | None) -> CheckpointError:
    """Why no weights were found, with what stands there in their place."""
    if not folder.is_dir():
        return CheckpointError(f"There is no folder {folder}.")
    files = sorted(path for path in folder.iterdir() if path.is_file())
    pickles = [path for path in files if path.suffix in PICKLES]
    others = [path.name for path in files if path.suffix == SUFFIX]
    if pickles and not others:
        return refuse_pickle(pickles[0])
    wanted = weights_name(variant)
    if not others:
        return CheckpointError(f"{folder} holds no weights: expected {wanted}.")
    found = re.search(rf"{STEM}\.(\w+?)(?:-\d+-of-\d+)?{re.escape(SUFFIX)}$", others[0])
    way = f"variant={found[1]!r}" if found else "the path of the file itself"
    return CheckpointError(f"{folder} holds {others[0]} and no {wanted}: give {way}.")


def _index_names(variant: str | None) -> list[str]:
    if not variant:
        return [f"{STEM}{SUFFIX}.index.json"]
    _checked(variant)
    return [f"{STEM}{SUFFIX}.index.{variant}.json", f"{STEM}.{variant}{SUFFIX}.index.json"]


def _checked(variant: str) -> str:
    if re.fullmatch(r"\w+", variant):
        return variant
    raise OptionError(f"A variant is a word such as 'fp16'; got {variant!r}.")


def _names(n: int, variant: str | None) -> list[str]:
    if n == 1:
        return [weights_name(variant)]
    stem = weights_name(variant).removesuffix(SUFFIX)
    return [f"{stem}-{i:05}-of-{n:05}{SUFFIX}" for i in range(1, n + 1)]


def _present(folder: Path, variant: str | None) -> set[Path]:
    """The weight files of this variant that stand in a folder."""
    return {path for pattern in wanted_files(variant) for path in folder.glob(pattern)}


def _divided(tensors: Mapping[str, Tensor], limit: int | None) -> list[list[str]]:
    """Names by shard, in their order; a tensor larger than the limit has a shard of its own."""
    if limit is None:
        return [list(tensors)]
    shards: list[list[str]] = [[]]
    held = 0
    for name, tensor in tensors.items():
        if shards[-1] and held + tensor.nbytes > limit:
            shards.append([])
            held = 0
        shards[-1].append(name)
        held += tensor.nbytes
    return shards


def _index(tensors: Mapping[str, Tensor], shards: list[list[str]], paths: list[Path]) -> bytes:
    where = {n: path.name for names, path in zip(shards, paths, strict=True) for n in names}
    total = sum(tensor.nbytes for tensor in tensors.values())
    values = {"metadata": {"total_size": total}, "weight_map": where}
    return (json.dumps(values, indent=2, sort_keys=True) + "\n").encode()


def _bytes(size: int | str) -> int:
    found = re.fullmatch(r"(\d+)\s*([KMG]I?B)?", str(size).strip().upper())
    if not found or int(found[1]) < 1:
        raise OptionError(f"max_shard_size is a number of bytes or such as '5GB'; got {size!r}.")
    return int(found[1]) * _UNITS.get(found[2] or "", 1)


def _more(names: list[str], shown: int) -> str:
    return f" and {len(names) - shown} more" if len(names) > shown else ""


def compare_tensors(
    found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], place: Path
) -> None:
    """See that a file has exactly the tensors that its config asks for.

    Raises:
        CheckpointError: Tensors are missing, unknown or of another shape: the first of them, and
            how many.
    """
    wrong = [n for n in expected if n in found and found[n] != expected[n]]
    complaints = {
        "lacks {} ": sorted(expected.keys() - found.keys()),
        "has {} unknown ": sorted(found.keys() - expected.keys()),
        "has another shape for {} ": [
            f"{n} {found[n]} (expected {expected[n]})" for n in sorted(wrong)
        ],
    }
    said = [
        f"{verb.format(len(names))}tensor{'s' * (len(names) > 1)} ({', '.join(names[:3])}"
        f"{', ...' if len(names) > 3 else ''})"
        for verb, names in complaints.items()
        if names
    ]
    if said:
        raise CheckpointError(
            f"{place} {'; '.join(said)}: the weights are not those of the config beside them, or "
            "the file is damaged."
        )
