"""`isthmus evaluate` on images one by one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.pretrained import KLConfig


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISTHMUS_WEIGHTS", raising=False)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = AutoencoderKL(KLConfig(block_out_channels=(8, 8), norm_num_groups=4)).eval()
    return model.save_pretrained(tmp_path / "published")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for name, size in (("b.png", (20, 33)), ("a.png", (17, 24)), ("c.png", (20, 33))):
        picture = Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        picture.save(tmp_path / "pictures" / name)
    return tmp_path / "pictures"


def test_published_weights_measure_a_folder_of_any_sizes(isthmus, published, pictures, tmp_path):
    result = isthmus("evaluate", published, pictures, "-o", tmp_path / "table.json")
    stored = json.loads((tmp_path / "table.json").read_text())
    assert [image["name"] for image in stored["images"]] == ["a.png", "b.png", "c.png"]
    for word in ("17 × 24", "PSNR", "MS-SSIM", "mean", "± error", "Without lpips"):
        assert word in result.stdout
    assert f"{stored['mean']['psnr']:.2f}" in result.stdout


def test_a_run_measures_images_of_its_own_size_when_asked(isthmus, digits_run, tmp_path):
    from sklearn.datasets import load_digits

    np.save(tmp_path / "few.npy", load_digits().images[:50].astype(np.float32) / 16)
    table = tmp_path / "table.csv"
    result = isthmus("evaluate", digits_run, tmp_path / "few.npy", "--per-image", "-o", table)
    assert "trained on" in result.stderr
    assert len(table.read_text().splitlines()) == 50 + 2
    assert "and 10 more" in result.stdout


def test_what_makes_no_sense_is_refused(refused, digits_run, published, pictures, tmp_path):
    said = refused("evaluate", digits_run, "digits", "-o", tmp_path / "t.csv").stderr
    assert "--per-image" in said
    assert "leave it out" in refused("evaluate", published, pictures, "--measures", "mig").stderr
    assert ".csv or .json" in refused("evaluate", published, pictures, "-o", "t.txt").stderr


def test_the_figures_in_little_memory_are_the_same(
    isthmus, refused, digits_run, published, pictures, tmp_path
):
    found = []
    for options in ([], ["--memory", "60kB"]):
        target = tmp_path / f"{len(options)}.json"
        isthmus("evaluate", published, pictures, *options, "-o", target)
        found.append(json.loads(target.read_text())["mean"])
    assert found[1] == pytest.approx(found[0], rel=1e-4)
    said = refused("evaluate", published, pictures, "--memory", "1").stderr
    assert "is too little for one row" in said
    said = refused("evaluate", digits_run, "digits", "--memory", "1GB").stderr
    assert "--memory is for image autoencoders" in said
