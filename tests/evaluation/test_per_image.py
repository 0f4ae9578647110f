"""Images one by one: of any size by an image autoencoder, of its own by any run."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.data.sizes import by_size
from isthmus.data.spec import DataSpec
from isthmus.errors import DataError, OptionError, UnsupportedError
from isthmus.evaluation.per_image import (
    ImageTable,
    by_autoencoder,
    by_run,
    image_figures,
    pictures_in,
)
from isthmus.fitting import Run, Split
from isthmus.metrics import frechet_distance, psnr, ssim
from isthmus.pretrained import KLConfig
from isthmus.recipes import build_recipe
from isthmus.training import TrainingSettings

SIZES = {"a.png": (20, 33), "b.png": (17, 24), "deep/c.png": (20, 33)}


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISTHMUS_WEIGHTS", raising=False)


@pytest.fixture(scope="module")
def autoencoder() -> AutoencoderKL:
    torch.manual_seed(0)
    return AutoencoderKL(KLConfig(block_out_channels=(8, 8), norm_num_groups=4)).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, size in SIZES.items():
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return tmp_path / "pictures"


def table_of(autoencoder: AutoencoderKL, folder: Path, **given: object) -> ImageTable:
    found = image_figures(by_autoencoder(autoencoder), pictures_in(by_size(folder, 3)), **given)  # type: ignore[arg-type]
    found.images.sort(key=lambda image: image.name)
    return found


def read(path: Path) -> np.ndarray:
    return np.moveaxis(np.asarray(Image.open(path)), 2, 0)[None] / 255.0


def run_of(recipe: str = "vae", kind: str = "image", **options: object) -> Run:
    shape = (3, 20, 33) if kind == "image" else (9,)
    spec = DataSpec(kind, shape, "unit", 50, "made")
    torch.manual_seed(0)
    model = build_recipe(recipe, spec, latent_dim=3, hidden=(8,), **options).model
    return Run(model, spec, recipe, {}, TrainingSettings(), Split(), [], ())


def test_every_image_is_measured_at_its_own_size(autoencoder, folder):
    found = table_of(autoencoder, folder)
    assert {i.name: (i.height, i.width) for i in found.images} == SIZES
    for image in found.images:
        x = read(folder / image.name)
        given = torch.as_tensor(2.0 * x - 1.0, dtype=torch.float32)
        rebuilt = (autoencoder.reconstruct(given).double().numpy() / 2 + 0.5).clip(0, 1)
        assert image.values["psnr"] == pytest.approx(psnr(x, rebuilt, 1.0)[0], rel=1e-5)
        assert image.values["ssim"] == pytest.approx(ssim(x, rebuilt, 1.0)[0], rel=1e-4)
        mean, log_variance = (part.double() for part in autoencoder.moments(given))
        q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
        p = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
        bits = float(torch.distributions.kl_divergence(q, p).sum()) / np.log(2.0)
        assert image.values["bits"] == pytest.approx(bits, rel=1e-5)
        assert image.values["pixel_rate"] == pytest.approx(bits / x[0, 0].size, rel=1e-5)


def test_means_count_each_image_as_one_and_say_what_is_missing(autoencoder, folder):
    found = table_of(autoencoder, folder)
    values = [image.values["psnr"] for image in found.images]
    mean = found.mean("psnr")
    assert mean.value == pytest.approx(np.mean(values))
    assert mean.error == pytest.approx(np.std(values, ddof=1) / 3**0.5)
    assert [c.key for c in found.columns] == ["psnr", "ssim", "ms_ssim", "bits", "pixel_rate"]
    assert any("weights of LPIPS are not at hand" in words for words in found.words)
    assert any("3 of 3 images are too small" in words for words in found.words)


def test_features_hold_reconstructions_against_images(autoencoder, folder):
    seen: list[np.ndarray] = []

    def features(x: np.ndarray) -> np.ndarray:
        seen.append(x.mean((2, 3)))
        return seen[-1]

    found = table_of(autoencoder, folder, features=features)
    rows = np.concatenate(seen)
    assert found.overall["rfid"] == pytest.approx(frechet_distance(rows[::2], rows[1::2]))


def test_an_image_that_comes_back_exactly_is_infinitely_near(tmp_path):
    from isthmus.evaluation.per_image import Rebuilt

    x = torch.rand(1, 1, 8, 8)
    found = image_figures(lambda x: Rebuilt(x, None), [("x", x)])
    assert any("come back exactly" in words for words in found.words)
    stored = json.loads(found.write(tmp_path / "t.json").read_text())
    assert stored["images"][0]["psnr"] is None
    assert stored["mean"]["ssim"] == pytest.approx(1.0)
    assert "bits" not in stored["mean"]


def test_tables_are_written_as_csv_and_json(autoencoder, folder, tmp_path):
    found = table_of(autoencoder, folder)
    written = found.write(tmp_path / "new" / "t.csv").read_text()
    rows = list(csv.DictReader(written.splitlines()))
    assert [row["image"] for row in rows] == [*SIZES, "mean"]
    assert float(rows[-1]["psnr"]) == pytest.approx(found.mean("psnr").value, rel=1e-5)
    stored = json.loads(found.write(tmp_path / "t.json").read_text())
    assert stored["images"][1] | found.images[1].values == stored["images"][1]
    with pytest.raises(OptionError, match=r"\.csv or \.json"):
        found.write(tmp_path / "t.txt")


def test_any_run_measures_images_of_its_own_size(folder):
    run = run_of()
    name, x = next(iter(pictures_in(by_size(folder, 3))))
    image = image_figures(by_run(run), [(name, x)]).images[0]
    rebuilt = run.model.reconstruct(x).clamp(0, 1)
    expected = psnr(x.double().numpy(), rebuilt.double().numpy(), 1.0)[0]
    assert image.values["psnr"] == pytest.approx(expected, rel=1e-5)
    with torch.no_grad():
        rate = float(run.model.evidence(x).rate[0]) / np.log(2.0)
    assert image.values["bits"] == pytest.approx(rate, rel=1e-4)
    with pytest.raises(DataError, match="3 × 20 × 33 and got one of 3 × 17 × 24"):
        image_figures(by_run(run), pictures_in(by_size(folder, 3)))
    assert "bits" not in image_figures(by_run(run_of("ae")), [(name, x)]).images[0].values


def test_what_has_no_images_is_refused(tmp_path):
    with pytest.raises(UnsupportedError, match="one by one"):
        by_run(run_of(kind="table"))
    with pytest.raises(DataError, match="no images"):
        image_figures(by_run(run_of()), [])
