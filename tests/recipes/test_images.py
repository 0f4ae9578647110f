"""The recipes of images: their sizes, what they start from, and what may move."""

import math
from unittest.mock import patch

import numpy as np
import pytest
import torch

import isthmus
from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.data import DataSpec, load
from isthmus.data.resident import Resident
from isthmus.errors import OptionError, UnknownNameError
from isthmus.objectives import KlGan
from isthmus.perceptual import Structural
from isthmus.perceptual.weights import FOLDER_VARIABLE
from isthmus.pretrained import KLConfig, write_checkpoint
from isthmus.priors.descent import Descent
from isthmus.recipes import build_recipe
from isthmus.registry import describe

SPEC = DataSpec("image", (3, 16, 16), "unit", 24)
SMALL = {"hidden": (8,), "latent_dim": 2}


def source():
    return load(np.random.default_rng(0).uniform(size=(24, 16, 16, 3)).astype(np.float32))


@pytest.mark.parametrize(
    ("size", "channels", "code"),
    [
        ("tiny", (32, 64, 64), (4, 64, 64)),
        ("f4", (128, 256, 512), (3, 64, 64)),
        ("f8", (128, 256, 512, 512), (4, 32, 32)),
        ("f16", (128, 128, 256, 256, 512), (16, 16, 16)),
        ("sd", (128, 256, 512, 512), (4, 32, 32)),
    ],
)
def test_sizes_are_the_published_ones(size, channels, code):
    spec = DataSpec("image", (3, 256, 256), "unit", 9)
    with torch.device("meta"):
        model = build_recipe("autoencoder-kl", spec, size=size).model
    made = describe(model.decoder)
    assert tuple(made["channels"]) == channels
    assert made["layers"] == (1 if size == "tiny" else 2)
    assert model.latent_shape == code
    if size == "sd":
        parts = (model.encoder, model.posterior, model.decoder)
        assert sum(p.numel() for part in parts for p in part.parameters()) == 83_653_863


def test_options_override_the_size():
    built = build_recipe(
        "kl-gan", SPEC, channels=(8, 16), layers=2, groups=4, attention=False, latent_dim=5,
        checkpointing=True, distance="structural", perceptual=0.5, adversarial=0.2, start=0.1,
    )  # fmt: skip
    made = describe(built.model.encoder)
    assert tuple(made["channels"]) == (8, 16)
    assert (made["layers"], made["groups"]) == (2, 4)
    assert (made["attention"], made["checkpointing"]) == (False, True)
    assert built.model.latent_shape == (5, 8, 8)
    assert isinstance(built.objective, KlGan)
    assert isinstance(built.objective.distance, Structural)
    assert built.objective.weights == {"perceptual": 0.5 * 768}
    assert (built.objective.adversarial, built.objective.start) == (0.2, 0.1)
    assert built.notes == ()
    with pytest.raises(UnknownNameError, match="size"):
        build_recipe("kl-gan", SPEC, size="f5")


def test_a_model_starts_the_same_with_and_without_a_critic():
    torch.manual_seed(1)
    first = build_recipe("kl-gan", SPEC, **SMALL).model.state_dict()
    torch.manual_seed(1)
    second = build_recipe("kl-gan", SPEC, adversarial=0.0, **SMALL).model.state_dict()
    assert all(first[name].equal(second[name]) for name in first)


def test_pixels_are_seen_between_minus_one_and_one():
    model = build_recipe("autoencoder-kl", SPEC, **SMALL).model
    assert model.scaling(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-1.0, 0.0, 1.0]
    assert not any(p.requires_grad for p in model.likelihood.parameters())
    assert build_recipe("autoencoder-kl", SPEC, likelihood="gaussian", **SMALL).model.shape


@pytest.mark.parametrize("recipe", ["kl-gan", "vq-gan"])
def test_a_stand_in_is_announced(recipe, monkeypatch):
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    assert "stands in" in " ".join(build_recipe(recipe, SPEC, **SMALL).notes)
    assert build_recipe(recipe, SPEC, perceptual=0.0, **SMALL).notes == ()
    with pytest.raises(OptionError, match=FOLDER_VARIABLE):
        build_recipe(recipe, SPEC, distance="lpips", **SMALL)


@pytest.mark.parametrize(
    ("shape", "network", "numbers"),
    # Of a code of width 2: in 4 · 4 cells, in the 5 · 5 that hold a picture with an edge, in one.
    [((3, 16, 16), "auto", 32), ((3, 18, 17), "auto", 50), ((3, 16, 16), "conv", 2)],
)
def test_the_commitment_is_per_element(shape, network, numbers):
    spec = DataSpec("image", shape, "unit", 24)
    options = {"latent_dim": 2, "network": network}
    if network == "auto":
        options |= {"channels": (8, 8, 8), "groups": 8}
    posterior = build_recipe("vq-gan", spec, commitment=0.5, **options).model.posterior
    assert math.prod(posterior.latent_shape) == numbers
    assert posterior.commitment == pytest.approx(0.5 * math.prod(shape) / numbers)


def test_what_is_no_image_is_refused():
    with pytest.raises(OptionError, match="recipe 'vae'"):
        build_recipe("autoencoder-kl", DataSpec("table", (4,), "real", 9))


@pytest.fixture
def folder(tmp_path):
    """A published checkpoint of a small network without 1 × 1 convolutions around the code."""
    config = KLConfig(
        block_out_channels=(8, 16), layers_per_block=1, latent_channels=3, norm_num_groups=4,
        use_quant_conv=False, use_post_quant_conv=False, mid_block_add_attention=False,
    )  # fmt: skip
    torch.manual_seed(7)
    own = isthmus.recipes.images.pick(
        "kl", channels=(8, 16), groups=4, attention=False, post_quant=False
    )
    built = isthmus.recipes.assemble(
        SPEC, isthmus.recipes.Axes(latent_dim=3), isthmus.objectives.Elbo(), network=own,
        posterior=isthmus.recipes.images.pick("spatial-gaussian", quant=False), downsample=2,
    )  # fmt: skip
    return write_checkpoint(tmp_path / "vae", config, built.model.state_dict()), built.model


def test_it_starts_from_published_weights(folder):
    at, stored = folder
    for recipe in ("autoencoder-kl", "kl-gan"):
        model = build_recipe(recipe, SPEC, pretrained=str(at)).model
        assert model.latent_shape == (3, 8, 8)
        for part in ("encoder", "posterior", "decoder"):
            mine, theirs = (getattr(m, part).state_dict() for m in (model, stored))
            assert mine.keys() == theirs.keys()
            assert all(mine[name].equal(theirs[name]) for name in mine)
    with pytest.raises(OptionError, match="leave it out"):
        build_recipe("autoencoder-kl", SPEC, pretrained=str(at), network="map")
    for other in ({"channels": (8, 24)}, {"layers": 2}, {"latent_dim": 5}, {"groups": 8}):
        with pytest.raises(OptionError, match=f"{next(iter(other))}=.* leave it out"):
            build_recipe("autoencoder-kl", SPEC, pretrained=str(at), **other)
    with pytest.raises(OptionError, match="3 channels, and these have 1: read colour"):
        build_recipe("kl-gan", DataSpec("image", (1, 16, 16), "unit", 24), pretrained=str(at))


def test_the_decoder_alone_is_trained_from_published_weights(folder):
    at, stored = folder
    run = isthmus.fit(
        source(), "kl-gan", pretrained=str(at), train=("decoder",), epochs=2, batch_size=8,
        threads=1, start=1.0 / 3.0, width=4, lr=1e-3,
    )  # fmt: skip
    for part in ("encoder", "posterior"):
        mine, theirs = (getattr(m, part).state_dict() for m in (run.model, stored))
        assert all(mine[name].equal(theirs[name]) for name in mine)
    mine, theirs = (m.decoder.state_dict() for m in (run.model, stored))
    assert not any(mine[n].equal(theirs[n]) for n in mine if n.endswith("weight"))


def test_the_scaling_of_published_weights_stays_with_what_is_trained_from_them(folder, tmp_path):
    at, _ = folder
    config = AutoencoderKL.from_pretrained(at).config
    config = config.with_scaling(0.37, 0.05)
    write_checkpoint(tmp_path / "scaled", config, AutoencoderKL.from_pretrained(at).state_dict())
    run = isthmus.fit(
        source(), "autoencoder-kl", pretrained=str(tmp_path / "scaled"), train="decoder",
        epochs=1, batch_size=8, threads=1, folder=tmp_path / "run",
    )  # fmt: skip
    for found in (AutoencoderKL.from_model(run.model), AutoencoderKL.from_run(tmp_path / "run")):
        assert (found.config.scaling_factor, found.config.shift_factor) == (0.37, 0.05)
    # The face's own numbers go with the model that it makes.
    again = found.model(SPEC.shape)
    found.estimate_scaling(source())
    assert AutoencoderKL.from_model(again).config.scaling_factor == 0.37
    assert AutoencoderKL.from_model(found.model(SPEC.shape)).config.scaling == found.config.scaling


@pytest.mark.parametrize("shape", [(2, 17), (1, 5, 6, 7)])
def test_sequences_and_volumes_are_learned_from_a_source(shape):
    spec = DataSpec("image", shape, "unit", 24)
    x = torch.rand(24, *shape, generator=torch.Generator().manual_seed(0))
    small = {**SMALL, "channels": (4, 8), "groups": 2}
    run = isthmus.fit(
        Resident(x, spec), "autoencoder-kl", epochs=1, batch_size=8, threads=1, **small
    )
    assert run.model.latent_shape == (2, *(-(-side // 2) for side in shape[1:]))
    assert run.model.decode(run.model.encode(x[:2], "argmax")).shape == (2, *shape)
    with pytest.raises(OptionError, match="'autoencoder-kl' for sequences and volumes"):
        build_recipe("kl-gan", spec, **small)


def test_the_density_of_integers_is_announced_before_it_is_fitted():
    said = []
    options = {**SMALL, "n_codes": 4, "width": 4, "epochs": 1, "batch_size": 8, "threads": 1}
    with patch.object(Descent, "minimise") as fitted:
        isthmus.fit(source(), "vq-gan", say=said.append, **options)
    assert fitted.call_count == 1
    assert "by steps of its own" in said[-1]


@pytest.mark.parametrize("killed", [2, 5])
def test_a_run_begins_its_critic_and_resumes_to_the_bit(killed, stopping, tmp_path):
    options = {
        **SMALL, "width": 4, "start": 3, "batch_size": 6, "threads": 1, "log_every": 1,
        "epochs": 4, "checkpoint_seconds": 1e-9,
    }  # fmt: skip
    whole = isthmus.fit(source(), "kl-gan", **options)
    trained = [r for r in whole.history if "train/loss" in r]
    assert len(trained) == 8
    for record in trained:
        begun = record["step"] > 3
        for name in ("critic", "adversarial_weight"):
            assert (record[f"train/{name}"] > 0) == begun
        assert (record["train/adversarial"] != 0) == begun
    with pytest.raises(KeyboardInterrupt):
        isthmus.fit(
            source(), "kl-gan", folder=tmp_path / "run", listeners=[stopping(killed)], **options
        )
    run = isthmus.fit(source(), "kl-gan", folder=tmp_path / "run", resume=True, **options)
    mine, theirs = run.model.state_dict(), whole.model.state_dict()
    assert all(mine[name].equal(theirs[name]) for name in mine)
