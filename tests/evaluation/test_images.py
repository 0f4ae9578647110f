"""Measures of pictures: of learned models and baselines, with and without maps as codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from isthmus.data import Resident, Scaling
from isthmus.data.spec import DataSpec
from isthmus.evaluation.candidates import Candidate, classical, learned
from isthmus.evaluation.evaluate import Evaluation
from isthmus.evaluation.measures import MEASURES, ask
from isthmus.evaluation.measures.tables import IMAGES
from isthmus.evaluation.subject import Answers, Question, Subject
from isthmus.evaluation.units import Units
from isthmus.fitting import Run, Split
from isthmus.metrics import frechet_distance, latent_statistics, ms_ssim, psnr, ssim
from isthmus.perceptual import LPIPS, TRUNKS
from isthmus.recipes import build_recipe
from isthmus.training import TrainingSettings

NAMES = [entry.name for entry in MEASURES if entry.about["table"] == IMAGES]
N, SHAPE = 24, (3, 16, 16)
MAP = {"network": "map", "hidden": (8,)}


def data(support: str = "unit") -> np.ndarray:
    x = np.random.default_rng(0).random((N, *SHAPE))
    return x if support == "unit" else 4.0 * x - 1.0


def subject_of(
    recipe: str = "vae", support: str = "unit", kind: str = "image", **given: object
) -> Subject:
    x = data(support)
    x = x if kind == "image" else x.reshape(N, -1)
    spec = DataSpec(kind, x.shape[1:], support, N, "made")
    features = given.pop("features", None)
    question = Question(Units(spec), x, x, x, None, None, features=features)  # type: ignore[arg-type]
    return Subject(candidate(recipe, spec, x, given), question)


def candidate(recipe: str, spec: DataSpec, x: np.ndarray, options: dict[str, object]) -> Candidate:
    if recipe == "pca":
        source = Resident(torch.as_tensor(x, dtype=torch.float32), spec)
        return classical("pca", 4, source, Scaling(spec.shape, "none"))
    torch.manual_seed(0)
    model = build_recipe(recipe, spec, latent_dim=3, **options).model
    return learned(Run(model, spec, recipe, {}, TrainingSettings(), Split(), [], ()), 2)


def measured(subject: Subject, *names: str) -> Answers:
    return ask(subject, names or NAMES)


@pytest.mark.parametrize("recipe", ["vae", "ae", "pca"])
def test_fidelity_is_of_pictures_cut_off_at_black_and_white(recipe: str) -> None:
    subject = subject_of(recipe)
    found = measured(subject, "fidelity").values
    rebuilt = np.clip(subject.rebuilt, 0.0, 1.0)
    for key, by in (("psnr", psnr), ("ssim", ssim), ("ms_ssim", ms_ssim)):
        values = by(data(), rebuilt, 1.0)
        assert found[key].value == pytest.approx(values.mean())
        assert found[key].error == pytest.approx(values.std(ddof=1) / np.sqrt(N))
    assert found["psnr_spread"].value == pytest.approx(psnr(data(), rebuilt, 1.0).std())


def test_pictures_of_no_stated_range_have_that_of_the_training_data() -> None:
    subject = subject_of(support="real")
    x = data("real")
    answers = measured(subject, "fidelity")
    rebuilt = np.clip(subject.rebuilt, x.min(), x.max())
    expected = psnr(x, rebuilt, x.max() - x.min())
    assert answers.values["psnr"].value == pytest.approx(expected.mean())
    assert "from -0.9997 to 3" in answers.words[0]


def test_images_that_come_back_exactly_have_no_mean_ratio() -> None:
    subject = subject_of()
    subject.rebuilt = subject.question.clean.copy()
    answers = measured(subject, "fidelity")
    assert "24 of 24 images come back exactly" in answers.why_missing["psnr"]
    assert answers.values["ssim"].value == pytest.approx(1.0)
    assert "psnr" not in answers.values


@pytest.mark.parametrize("recipe", ["vae", "pca"])
def test_what_is_no_picture_says_so(recipe: str) -> None:
    answers = measured(subject_of(recipe, kind="table"))
    assert answers.values == {}
    assert set(answers.why_missing.values()) == {"the data are no pictures"}


def test_a_pixel_costs_its_share_of_the_rate() -> None:
    subject = subject_of(**MAP)
    rate = measured(subject, "likelihood").values["rate"]
    found = measured(subject, "pixel-rate").values["pixel_rate"]
    assert found.value == pytest.approx(rate.value / 256)
    assert found.error == pytest.approx(rate.error / 256)
    whole = subject_of("vq-vae")
    assert whole.candidate.code_bits is not None
    bits = measured(whole, "pixel-rate").values["pixel_rate"].value
    assert bits == pytest.approx(whole.candidate.code_bits / 256)
    assert "no density" in measured(subject_of("ae"), "pixel-rate").why_missing["pixel_rate"]
    linear = subject_of("pca")
    rate = measured(linear, "likelihood").values["rate"]
    found = measured(linear, "pixel-rate").values["pixel_rate"]
    assert found.value == pytest.approx(rate.value / 256)


def test_the_scale_of_codes_is_that_of_draws() -> None:
    subject = subject_of(**MAP)
    found = measured(subject, "latent-scale").values
    x = torch.as_tensor(data(), dtype=torch.float32)
    with torch.no_grad():
        q = subject.model.infer(subject.model.scaling(x))
    # Over all numbers: the variance of the means, and the mean of the variances.
    variance = float(q.mean.var(correction=0) + q.variance.mean())
    assert found["code_std"].value == pytest.approx(variance**0.5, rel=0.05)
    assert found["scaling_factor"].value == pytest.approx(1.0 / found["code_std"].value)
    codes = measured(subject_of("pca"), "latent-scale").values
    assert codes["code_std"].value == pytest.approx(
        latent_statistics(subject_of("pca").codes).deviation
    )


@pytest.mark.parametrize("recipe", ["vae", "vq-vae"])
def test_channels_of_a_map_have_statistics_and_pictures(recipe: str) -> None:
    subject = subject_of(recipe, **({} if recipe == "vq-vae" else MAP))
    arrays = measured(subject, "channel-pictures").arrays
    shape = subject.model.latent_shape
    table, rows = arrays["channels"], arrays["channel_rows"]
    assert table.shape == (shape[0], 6)
    assert table[:, 4].sum() == pytest.approx(1.0)
    assert (np.diff(table[rows, 4].astype(float)) <= 0).all()
    codes = subject.codes.reshape(N, *shape)
    np.testing.assert_allclose(arrays["channel_pictures"], codes[:6][:, rows], rtol=1e-5)
    if recipe == "vae":
        assert subject.density.rate_per_dimension is not None
        nats = subject.density.rate_per_dimension(subject.question.test)
        by_channel = nats.reshape(shape[0], -1).sum(1) / np.log(2.0)
        np.testing.assert_allclose(table[:, 5], by_channel)
        assert table[:, 5].sum() == pytest.approx(measured(subject, "likelihood").values["rate"][0])
    else:
        assert np.isnan(table[:, 5]).all()
        np.testing.assert_allclose(table[:, 0], latent_statistics(codes).means, atol=1e-5)


@pytest.mark.parametrize("recipe", ["ae", "pca"])
def test_codes_that_are_no_map_have_no_channels(recipe: str) -> None:
    assert measured(subject_of(recipe), "channel-pictures").arrays == {}


def test_the_reconstruction_fid_is_in_the_features_asked_for() -> None:
    assert "--features" in measured(subject_of(), "rfid").why_missing["rfid"]

    def features(x: np.ndarray) -> np.ndarray:
        return x.mean((2, 3))

    subject = subject_of(features=features)
    answers = measured(subject, "rfid")
    rebuilt = features(np.clip(subject.rebuilt, 0.0, 1.0))
    expected = frechet_distance(features(data()), rebuilt)
    assert answers.values["rfid"].value == pytest.approx(expected)
    assert "24 images in 3 features (features)" in answers.words[0]


def test_lpips_is_taken_where_its_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ISTHMUS_WEIGHTS", raising=False)
    answers = measured(subject_of(), "lpips")
    assert "vgg16.safetensors" in answers.why_missing["lpips"]
    assert "lpips" not in answers.values
    monkeypatch.setenv("ISTHMUS_WEIGHTS", str(tmp_path))
    assert "not at hand" in measured(subject_of(), "lpips").why_missing["lpips"]
    weights(tmp_path, "alexnet")
    # Its least picture is larger than these.
    assert "16 × 16" in measured(subject_of(), "lpips").why_missing["lpips"]


def test_lpips_of_pictures_that_are_large_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isthmus.evaluation.likeness import lpips_at_hand

    monkeypatch.setenv("ISTHMUS_WEIGHTS", str(tmp_path))
    weights(tmp_path, "alexnet")
    name, distance = lpips_at_hand()
    x, y = np.random.default_rng(0).random((2, 3, 3, 70, 64))
    expected = LPIPS("alexnet")(*(torch.as_tensor(2 * v - 1, dtype=torch.float32) for v in (x, y)))
    assert name == "alexnet"
    np.testing.assert_allclose(distance(x, y), expected.numpy(), rtol=1e-5)


def weights(folder: Path, net: str) -> None:
    """Made weights of LPIPS, as its files hold them."""
    torch.manual_seed(0)
    trunk = TRUNKS.create(net)
    layers = trunk.layers.state_dict()
    save_file({f"features.{k}": t for k, t in layers.items()}, folder / f"{net}.safetensors")
    learned = {f"lin{i}.model.1.weight": torch.rand(1, w, 1, 1) for i, w in enumerate(trunk.widths)}
    save_file(learned, folder / f"lpips-{net}.safetensors")


def test_figures_of_pictures_go_into_json(tmp_path: Path) -> None:
    answers = measured(subject_of("vq-vae"))
    Evaluation(answers.values, answers.why_missing, answers.words).write(tmp_path)
    stored = json.loads((tmp_path / "metrics.json").read_text())["evaluation"]
    assert {"psnr", "ssim", "pixel_rate", "scaling_factor"} <= stored["values"].keys()
    assert {"lpips", "rfid"} <= stored["why_missing"].keys()
