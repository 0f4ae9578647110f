"""From data and options to a run: what is refused, what is stored, what is read again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import isthmus
from isthmus.data import DataSpec, load
from isthmus.errors import DataError, OptionError, RunError, UnknownNameError
from isthmus.fitting import Run, Split, divide_options, fit
from isthmus.likelihoods import GaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import MLPDecoder, MLPEncoder
from isthmus.objectives import Elbo, Reconstruction
from isthmus.posteriors import Deterministic, DiagonalGaussian
from isthmus.priors import StandardNormal
from isthmus.training import LAST

OPTIONS = {"hidden": (8,), "latent_dim": 2, "epochs": 2, "batch_size": 64, "threads": 1}


@pytest.fixture(scope="module")
def x():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(150, 2, generator=generator) @ torch.randn(2, 5, generator=generator)
    x[:, 4] = 3.0
    return x.numpy()


@pytest.fixture(scope="module")
def finished(x, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "vae"
    return fit(x, "vae", folder=folder, seed=5, **OPTIONS)


def by_hand(posterior=DiagonalGaussian, activation="silu", size=5):
    encoder = MLPEncoder((size,), (8,), activation)
    likelihood = GaussianLikelihood((size,))
    return LatentModel(
        encoder,
        posterior(encoder.features, (2,)),
        StandardNormal((2,)),
        MLPDecoder((2,), likelihood.parameter_shape(), (8,)),
        likelihood,
    )


def test_a_run_is_read_as_it_was_written(finished, x):
    read = Run.read(finished.folder)
    assert read.spec == finished.spec
    assert read.settings == finished.settings
    assert (read.recipe, read.split, read.history) == ("vae", finished.split, finished.history)
    assert {k: tuple(v) if isinstance(v, list) else v for k, v in read.options.items()} == {
        "hidden": (8,),
        "latent_dim": 2,
    }
    assert read.notes == finished.notes
    assert sum("constant" in note or "same" in note for note in read.notes) >= 1
    codes = finished.model.encode(torch.from_numpy(x))
    assert read.model.encode(torch.from_numpy(x)).equal(codes)


def test_what_is_said_of_a_run_is_of_the_weights_that_were_kept(finished, tmp_path):
    losses = {r["step"]: r["validation/loss"] for r in finished.history if "validation/loss" in r}
    assert finished.kept_step == min(losses, key=losses.__getitem__)
    assert Run.read(finished.folder).kept_step == finished.kept_step
    said = []
    # A critic moves: its losses do not compare, and the last weights are kept, not the best.
    folder = tmp_path / "critic"
    images = np.random.default_rng(0).uniform(size=(24, 8, 8, 1)).astype(np.float32)
    run = fit(
        images, "kl-gan", folder=folder, say=said.append, hidden=(4,), latent_dim=2, width=2,
        groups=2, batch_size=8, epochs=2, threads=1, lr=1e-9, start=0.5, adversarial=0.5,
    )  # fmt: skip
    last = max(r["step"] for r in run.history)
    stored = json.loads((folder / "metrics.json").read_text())["training"]
    assert run.kept_step == last == stored["step"] == Run.read(folder).kept_step
    assert said == list(run.notes)


def test_a_run_folder_holds_json_and_tensors_alone(finished):
    files = {str(p.relative_to(finished.folder)) for p in finished.folder.rglob("*") if p.is_file()}
    assert files == {
        "README.md",
        "config.json",
        "history.jsonl",
        "metrics.json",
        "model.safetensors",
        str(LAST),
    }
    config = json.loads((finished.folder / "config.json").read_text())
    assert config["settings"]["seed"] == 5
    assert config["objective"]["part"] == "objective/elbo"
    metrics = json.loads((finished.folder / "metrics.json").read_text())
    held_out = [r["validation/loss"] for r in finished.history if "validation/loss" in r]
    assert metrics["training"]["validation/loss"] == min(held_out)
    card = (finished.folder / "README.md").read_text()
    assert "`vae` (hidden=(8,), latent_dim=2)" in card


def test_without_a_folder_nothing_is_written(x, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert fit(x, "ae", **OPTIONS).folder is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"latent_dim": 3}, "with other options (latent_dim was 2, now 3)"),
        ({"hidden": (8, 8)}, "with other options (hidden was [8], now [8, 8])"),
        ({"seed": 6}, "with other settings (seed was 5, now 6)"),
        ({"epochs": 3}, "with other settings (epochs was 2, now 3)"),
        ({"lr": 0.5}, "with other settings (lr was 0.002, now 0.5)"),
        ({"kl_warmup": 0.5}, "with other options (kl_warmup was left out, now 0.5)"),
        ({"recipe": "ae"}, "with another recipe (was 'vae', now 'ae')"),
        ({"split": Split(seed=1)}, "with another split (seed was 0, now 1)"),
        (
            {"data": np.random.default_rng(0).normal(size=(90, 5))},
            "with other data (length was 150",
        ),
    ],
)
def test_another_run_is_not_resumed_and_the_difference_is_named(change, difference, finished, x):
    asked = {"data": x, "recipe": "vae", "seed": 5, **OPTIONS, **change}
    before = {p: p.read_bytes() for p in finished.folder.rglob("*") if p.is_file()}
    with pytest.raises(RunError) as caught:
        fit(folder=finished.folder, resume=True, **asked)
    assert difference in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {p: p.read_bytes() for p in finished.folder.rglob("*") if p.is_file()} == before


def test_a_run_is_not_overwritten(finished, x, tmp_path):
    with pytest.raises(RunError, match="holds a run already: add --resume"):
        fit(x, "vae", folder=finished.folder, **OPTIONS)
    isthmus.save(by_hand(), tmp_path / "model")
    content = (tmp_path / "model" / "model.safetensors").read_bytes()
    with pytest.raises(RunError, match="holds a run already"):
        fit(x, "vae", folder=tmp_path / "model", **OPTIONS)
    with pytest.raises(RunError, match="was begun with another recipe"):
        fit(x, "vae", folder=tmp_path / "model", resume=True, **OPTIONS)
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == content
    with pytest.raises(RunError, match="bare model without a data spec"):
        Run.read(tmp_path / "model")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file, and a run needs a folder"):
        fit(x, "vae", folder=tmp_path / "file", **OPTIONS)


def test_resuming_where_no_run_was_begun_begins_it(x, finished, tmp_path):
    fresh = fit(x, "vae", folder=tmp_path / "new", resume=True, seed=5, **OPTIONS)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "notes.txt").write_text("mine")
    other = fit(x, "vae", folder=tmp_path / "kept", resume=True, seed=5, **OPTIONS)
    expected = (finished.folder / "model.safetensors").read_bytes()
    for run in (fresh, other):
        assert (run.folder / "model.safetensors").read_bytes() == expected
    assert (tmp_path / "kept" / "notes.txt").read_text() == "mine"


def test_another_model_composed_by_hand_is_not_resumed(x, tmp_path):
    options = {k: v for k, v in OPTIONS.items() if k not in ("hidden", "latent_dim")}
    fit(x, by_hand(), folder=tmp_path, **options)
    with pytest.raises(
        RunError, match=r"another model \(encoder\.activation was 'silu', now 'relu'"
    ):
        fit(x, by_hand(activation="relu"), folder=tmp_path, resume=True, **options)
    with pytest.raises(RunError, match=r"another objective \(beta"):
        fit(x, by_hand(), objective=Elbo(2.0), folder=tmp_path, resume=True, **options)


def test_a_model_by_hand_gets_the_objective_that_its_posterior_allows(x, tmp_path):
    options = {k: v for k, v in OPTIONS.items() if k not in ("hidden", "latent_dim")}
    for posterior, objective in ((DiagonalGaussian, Elbo), (Deterministic, Reconstruction)):
        folder = tmp_path / posterior.__name__
        run = fit(x, by_hand(posterior), folder=folder, **options)
        config = json.loads((folder / "config.json").read_text())
        assert config["objective"]["part"] == f"objective/{objective.registered_as[1]}"
        assert run.recipe == "by-hand"


def test_what_does_not_fit_is_refused_in_a_line(x, tmp_path):
    cases = [
        (
            lambda: fit(x, by_hand(size=7)),
            OptionError,
            "built for data of shape .7,. and these are",
        ),
        (lambda: fit(x, "vae", objective=Elbo()), OptionError, "brings its own objective"),
        (lambda: fit(x, "va"), UnknownNameError, "Did you mean 'vae'"),
        (lambda: fit(x, "vae", latent_dims=2), OptionError, "Did you mean 'latent_dim'"),
        (lambda: fit(x, "vae", epoch=2), OptionError, "Did you mean 'epochs'"),
        (lambda: fit(x, by_hand(), latent_dim=2), OptionError, "latent_dim"),
        (lambda: fit(x, "vae", epochs=2, minutes=1.0), OptionError, "choose one budget"),
        (lambda: fit(x, "vae", latent_dim=0), OptionError, "at least 1, got 0"),
        (lambda: fit("digitz"), DataError, "Did you mean 'digits'"),
        (lambda: fit(x[:1], "vae"), DataError, "one row; at least 3 are needed"),
    ]
    for call, error, said in cases:
        with pytest.raises(error, match=said) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_options_that_cannot_be_written_leave_no_folder(x, tmp_path):
    with pytest.raises(OptionError, match=r"cannot be written to config\.json"):
        fit(x, "vae", folder=tmp_path / "run", **{**OPTIONS, "hidden": (np.int64(8),)})
    assert not (tmp_path / "run").exists()


def test_options_are_divided_between_recipe_and_training():
    own, settings = divide_options("beta-vae", {"beta": 2.0, "lr": 1e-3, "latent_dim": 4})
    assert own == {"beta": 2.0, "latent_dim": 4}
    assert settings.lr == 1e-3


def test_a_split_has_three_parts_that_share_nothing(x):
    source = load(x)
    parts = Split(3, (0.6, 0.2, 0.2)).of(source)
    assert [len(part) for part in parts] == [90, 30, 30]
    rows = torch.cat([torch.cat([b.x for b in part.chunks(64)]) for part in parts])
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, x.tolist()))
    again = Split(3, (0.6, 0.2, 0.2)).of(source)
    assert again[0].x.equal(parts[0].x)
    assert not Split(4, (0.6, 0.2, 0.2)).of(source)[0].x.equal(parts[0].x)


def test_the_spec_of_a_run_is_that_of_its_data(finished):
    assert isinstance(finished.spec, DataSpec)
    assert (finished.spec.kind, finished.spec.shape, finished.spec.length) == ("table", (5,), 150)


def test_what_is_counted_by_a_recipe_are_the_training_data(x, tmp_path):
    """The weights of beta-tcvae are those of the data that batches are drawn from."""
    run = fit(x, "beta-tcvae", folder=tmp_path / "run", split=Split(0, (0.6, 0.2, 0.2)), **OPTIONS)
    config = json.loads((run.folder / "config.json").read_text())
    assert config["objective"]["length"] == 90
    assert config["data"]["length"] == run.spec.length == 150
