"""Commands on a device that is not the CPU: data and model meet there, and the files are the same.

The device is that of `tests/elsewhere.py`, by the name of "meta".
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.pretrained import KLConfig

SMALL = ("--threads", 1, "--epochs", 1, "--hidden", 8, "--latent-dim", 2, "--batch-size", 16)
ROWS, NAMES = 40, ("width", "height", "weight")


def fit(isthmus, folder: Path, *arguments: object, device: str = "cpu") -> Path:
    isthmus("fit", *arguments, *SMALL, "--device", device, "-o", folder)
    return folder


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Data, and by their names runs that were fitted to them on the CPU."""
    from .conftest import run_well

    folder = tmp_path_factory.mktemp("devices")
    rng = np.random.default_rng(0)
    found = {name: folder / f"{name}.csv" for name in ("table", "gaps")}
    for name, path in found.items():
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*NAMES, "town"])
            for row in rng.normal(size=(ROWS, len(NAMES))):
                cells = ["" if name == "gaps" and rng.uniform() < 0.2 else v for v in row]
                writer.writerow([*cells, "Ulm" if row[0] > 0 else "Bonn"])
    told = ("--recipe", "cvae", "--condition", "town")
    imputes = ("--recipe", "miwae-imputation", "--drop", "town")
    found["run"] = fit(run_well, folder / "run", found["table"], "--label", "town")
    found["told"] = fit(run_well, folder / "told", found["table"], *told)
    found["imputes"] = fit(run_well, folder / "imputes", found["gaps"], *imputes)
    found["codes"] = folder / "codes.npy"
    np.save(found["codes"], rng.normal(size=(5, 2)).astype(np.float32))
    found["pictures"] = folder / "pictures"
    found["pictures"].mkdir()
    for i, side in enumerate((16, 16, 21)):
        pixels = rng.integers(0, 256, (16, side, 3), np.uint8)
        Image.fromarray(pixels).save(found["pictures"] / f"{i}.png")
    torch.manual_seed(0)
    made = AutoencoderKL(KLConfig(block_out_channels=(8, 8), norm_num_groups=4))
    found["weights"] = made.save_pretrained(folder / "weights")
    return found


def arrays(path: Path) -> dict[str, np.ndarray]:
    """What a command wrote: an array, arrays by name, or a folder of pictures."""
    if path.is_dir():
        return {p.name: np.asarray(Image.open(p)).astype(float) for p in sorted(path.iterdir())}
    return load_file(path) if path.suffix == ".safetensors" else {"": np.load(path)}


@pytest.mark.parametrize(
    "words",
    [
        ("encode", "run", "table", "--mode", "sample", ".npy"),
        ("decode", "run", "codes", ".npy"),
        ("reconstruct", "run", "table", "--mode", "sample", ".npy"),
        ("sample", "run", "-n", 5, "--mode", "sample", ".npy"),
        ("score", "run", "table", "--samples", 4, ".npy"),
        ("outliers", "run", "table", "--share", 0.3, ".npy"),
        ("interpolate", "run", "table", "--steps", 4, ".npy"),
        (
            "interpolate",
            "run",
            "table",
            "--pairs",
            "0-1",
            "--steps",
            3,
            "--path",
            "shortest",
            ".npy",
        ),
        ("traverse", "run", ".npy"),
        ("edit", "run", "table", "--towards", "town=Ulm", ".npy"),
        ("impute", "imputes", "gaps", "--samples", 4, ".npy"),
        ("encode", "told", "table", ".npy"),
        ("sample", "told", "-n", 5, "--condition", "town=Ulm", ".npy"),
        ("traverse", "told", "--condition", "town=Ulm", ".npy"),
        ("edit", "told", "table", "--towards", "height", ".npy"),
        ("outliers", "told", "table", "--share", 0.3, ".npy"),
        ("encode", "weights", "pictures", "--mode", "sample", "--memory", "64kB", ".safetensors"),
        ("encode", "weights", "pictures", "--mode", "moments", ".safetensors"),
        ("reconstruct", "weights", "pictures", "--mode", "sample", "/"),
    ],
    ids=lambda words: "-".join(map(str, words[:2])),
)
def test_what_is_written_is_what_the_cpu_writes(words, places, isthmus, tmp_path, away):
    here, there = (
        written(words, places, isthmus, tmp_path / device, away, device) for device in DEVICES
    )
    assert here.keys() == there.keys()
    for name, expected in here.items():
        # A grey between two levels may go to either.
        near = {"atol": 1.0} if expected.ndim == 3 and name.endswith("png") else {"atol": 1e-4}
        np.testing.assert_allclose(there[name], expected, rtol=1e-3, **near)


DEVICES = ("cpu", "meta")


def written(
    words: Sequence[object],
    places: dict[str, Path],
    isthmus,
    folder: Path,
    away: ModuleType,
    device: str,
) -> dict[str, np.ndarray]:
    *arguments, suffix = words
    arguments = [places.get(word, word) if isinstance(word, str) else word for word in arguments]
    folder.mkdir()
    target = folder / ("out" if suffix == "/" else f"out{suffix}")
    with away.elsewhere(lambda what: None):
        isthmus(*arguments, "--device", device, "-o", target)
    return arrays(target)


def test_training_and_what_follows_it(places, isthmus, tmp_path, away):
    """A fit, a density beside its prior, and an evaluation: the weights are the CPU's."""
    options = (places["table"], "--label", "town")
    weights, figures = [], []
    for device in DEVICES:
        with away.elsewhere(lambda what: None):
            run = fit(isthmus, tmp_path / device, *options, device=device)
            isthmus("density", run, "--kind", "flow", "-s", "steps=3", "--device", device)
            isthmus("evaluate", run, places["table"], "--samples", 4, "--device", device)
        weights.append(load_file(run / "model.safetensors"))
        figures.append(json.loads((run / "metrics.json").read_text())["evaluation"]["values"])
    here, there = figures
    assert here.keys() == there.keys()
    for name in here.keys() - {"seconds"}:
        expected = pytest.approx(here[name]["value"], rel=1e-3, abs=1e-3)
        assert there[name]["value"] == expected, name
    here, there = weights
    assert here.keys() == there.keys()
    for name, expected in here.items():
        np.testing.assert_allclose(there[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_curve_is_drawn_there(places, isthmus, tmp_path, away):
    options = ("--label", "town", "--betas", 1, "--epochs", 1, "--hidden", 8, "--latent-dim", 2)
    for device in DEVICES:
        with away.elsewhere(lambda what: None):
            isthmus(
                *("rate-distortion", places["table"], *options, "--samples", 3, "--threads", 1),
                *("--device", device, "-o", tmp_path / device),
            )
    here, there = (
        list(csv.DictReader((tmp_path / device / "rd.csv").read_text().splitlines()))
        for device in DEVICES
    )
    assert here[0].keys() == there[0].keys()
    for key, value in here[0].items():
        assert float(there[0][key]) == pytest.approx(float(value), rel=1e-3, abs=1e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    "words",
    [
        ("fit", "digits"),
        ("compare", "digits"),
        ("rate-distortion", "digits"),
        ("sample", "run"),
        ("evaluate", "run", "table"),
        ("encode", "weights", "pictures"),
    ],
    ids=lambda words: "-".join(words),
)
def test_without_a_gpu_one_line_says_so(words, places, refused, tmp_path):
    command, *of = words
    target = tmp_path / ("z.safetensors" if command in ("encode", "evaluate") else "out")
    output = () if command == "evaluate" else ("-o", target)
    said = refused(
        command, *(places.get(name, name) for name in of), "--device", "cuda", *output
    ).stderr
    assert "device='cuda:0' is not to be had here" in said
    assert said.endswith("use auto or cpu.\n")
    assert not target.exists()
