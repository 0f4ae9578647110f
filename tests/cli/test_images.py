"""Image autoencoders at the command line, against the library's own answers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.autoencoder_kl.cache import LatentCache
from isthmus.errors import DataError
from isthmus.pretrained import KLConfig

SIZES = {"a.png": (16, 24), "b/c.jpg": (17, 9), "d.png": (16, 24)}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder of diffusers' format, untrained."""
    torch.manual_seed(0)
    config = KLConfig(
        block_out_channels=(8, 16), norm_num_groups=4, latent_channels=3, shift_factor=0.5
    )
    return AutoencoderKL(config).save_pretrained(tmp_path_factory.mktemp("vae"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of RGB pictures of two sizes, one in a folder of its own."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name, (height, width) in SIZES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(path)
    return folder


def _image(path):
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float() / 127.5 - 1.0


def test_a_cache_holds_every_image_s_latent_by_size_and_name(weights, pictures, isthmus, tmp_path):
    target = tmp_path / "z.safetensors"
    said = isthmus("encode", weights, pictures, "--mode", "argmax", "-o", target).stdout
    assert "3 images of 2 sizes" in said
    model, tensors = AutoencoderKL.from_pretrained(weights), load_file(target)
    assert {k: tuple(t.shape) for k, t in tensors.items()} == {
        "latents/16x24": (2, 3, 8, 12),
        "latents/17x9": (1, 3, 9, 5),
    }
    with safe_open(target, "pt") as file:
        names = json.loads(file.metadata()["images"])
    assert names == {"16x24": ["a.png", "d.png"], "17x9": ["b/c.jpg"]}
    for size, own in names.items():
        for row, name in enumerate(own):
            expected = model.encode(_image(pictures / name), "argmax")
            torch.testing.assert_close(tensors[f"latents/{size}"][row : row + 1], expected)


def test_moments_are_kept_and_drawn_from_anew(weights, pictures, isthmus, tmp_path):
    target = tmp_path / "z.safetensors"
    isthmus("encode", weights, pictures, "--mode", "moments", "-o", target)
    cache, model = LatentCache(target), AutoencoderKL.from_pretrained(weights)
    mean, log_variance = model.moments(_image(pictures / "d.png"))
    draws = torch.cat([cache.sample((16, 24), [1], seed) for seed in range(400)])
    error = (draws.mean(0) - mean[0]) / (0.5 * log_variance[0]).exp() * 400**0.5
    # Standard normal numbers, were the draws right: 288 of them.
    assert error.abs().max() < 4.5
    assert abs(float(error.std()) - 1.0) < 0.15
    assert torch.equal(cache.sample((16, 24), [1], 7), draws[7:8])
    ((names, means),) = cache.batches((17, 9), 4)
    assert names == ("b/c.jpg",)
    torch.testing.assert_close(means, model.moments(_image(pictures / "b/c.jpg"))[0])
    with pytest.raises(DataError, match="has no images of 8x8 pixels; it has 16x24, 17x9"):
        cache.sample((8, 8), [0])


def test_scaled_latents_say_so_and_decode_as_the_unscaled_do(weights, pictures, isthmus, tmp_path):
    plain, scaled = tmp_path / "plain.safetensors", tmp_path / "scaled.safetensors"
    isthmus("encode", weights, pictures, "-o", plain)
    isthmus("encode", weights, pictures, "--scaled", "-o", scaled)
    config = AutoencoderKL.from_pretrained(weights).config
    for key, z in load_file(plain).items():
        expected = (z - config.shift_factor) * config.scaling_factor
        torch.testing.assert_close(load_file(scaled)[key], expected)
    for cache in (plain, scaled):
        isthmus("decode", weights, cache, "-o", tmp_path / cache.stem)
    for name, (height, width) in SIZES.items():
        one, other = (
            np.asarray(Image.open((tmp_path / c / name).with_suffix(".png")), np.int16)
            for c in ("plain", "scaled")
        )
        assert one.shape == (height, width, 3)
        assert np.abs(one - other).max() <= 1


@pytest.mark.parametrize("whole", [False, True])
def test_scale_writes_the_scaling_that_gives_unit_variance(
    whole, weights, pictures, isthmus, tmp_path
):
    folder = tmp_path / "deep" / "scaled"
    more = ["--whole"] if whole else []
    said = isthmus("scale", weights, pictures, *more, "-o", folder).stdout
    assert "3 images of 2 sizes" in said
    before, after = (AutoencoderKL.from_pretrained(f) for f in (weights, folder))
    # The moments of the mixture of all q(z|x), a position counting as one draw.
    every = [before.moments(_image(pictures / name)) for name in SIZES]
    mean, variance = (
        torch.cat([f(m).flatten(2)[0] for m in every], 1).double().detach().numpy()
        for f in (lambda m: m[0], lambda m: m[1].exp())
    )
    axis = None if whole else 1
    middle = mean.mean(axis)
    spread = np.sqrt(variance.mean(axis) + np.square(mean).mean(axis) - middle**2)
    config = after.config
    if whole:
        assert config.latents_mean is None
        assert config.shift_factor == pytest.approx(middle, abs=1e-5)
        assert config.scaling_factor == pytest.approx(1 / spread, rel=1e-4)
        assert f"scaling_factor: {1 / spread:.4g}"[:-1] in said
    else:
        np.testing.assert_allclose(config.latents_mean, middle, atol=1e-5)
        np.testing.assert_allclose(config.latents_std, spread, rtol=1e-4)
        assert "latents_std: " in said
    for name, own in before.state_dict().items():
        assert torch.equal(own, after.state_dict()[name])


def test_scale_by_means_leaves_out_the_posterior_s_variance(weights, pictures, isthmus, tmp_path):
    isthmus("scale", weights, pictures, "--whole", "--means", "-o", tmp_path / "a")
    model = AutoencoderKL.from_pretrained(weights)
    means = np.concatenate(
        [model.encode(_image(pictures / name)).detach().numpy().ravel() for name in SIZES]
    )
    found = AutoencoderKL.from_pretrained(tmp_path / "a").config.scaling_factor
    assert found == pytest.approx(1 / means.std(), rel=1e-4)


def test_scale_refuses_what_is_there_and_other_models(
    weights, pictures, digits_run, refused, tmp_path
):
    there, new = tmp_path / "there", tmp_path / "new"
    there.mkdir()
    assert "exists already" in refused("scale", weights, pictures, "-o", there).stderr
    assert "no image autoencoder" in refused("scale", digits_run, "digits", "-o", new).stderr
    assert not new.exists()


def test_reconstructions_keep_size_and_name(weights, pictures, isthmus, tmp_path):
    said = isthmus("reconstruct", weights, pictures, "-o", tmp_path / "again").stdout
    model = AutoencoderKL.from_pretrained(weights)
    squared = n = 0.0
    for name in SIZES:
        x = _image(pictures / name)
        expected = model.reconstruct(x).clamp(-1.0, 1.0)
        found = _image((tmp_path / "again" / name).with_suffix(".png"))
        torch.testing.assert_close(found, expected, atol=1.01 / 255.0, rtol=0.0)
        squared, n = squared + float((expected - x).square().sum()), n + x.numel()
    assert f"{-10 * np.log10(squared / n / 4):.2f} dB" in said


def test_arrays_take_one_size(weights, pictures, isthmus, tmp_path):
    isthmus("encode", weights, pictures, "--image-size", "16", "-o", tmp_path / "z.npy")
    z = np.load(tmp_path / "z.npy")
    assert z.shape == (3, 3, 8, 8)
    isthmus("decode", weights, tmp_path / "z.npy", "-o", tmp_path / "x.npy")
    expected = AutoencoderKL.from_pretrained(weights).decode(torch.from_numpy(z))
    np.testing.assert_allclose(
        np.load(tmp_path / "x.npy"), (expected / 2 + 0.5).clamp(0, 1).numpy(), atol=1e-5
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "z.npy"], "takes images of one size, and these have 2"),
        (["-o", "z.csv"], "are no rows of a table"),
        (["--mode", "moments", "-o", "z.npy"], "write them to .safetensors"),
        (["--mode", "mode", "-o", "z.safetensors"], "Unknown encode mode 'mode'"),
        (["--precision", "float8", "-o", "z.safetensors"], "expected one of float32"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    weights, pictures, refused, tmp_path, monkeypatch, options, said
):
    monkeypatch.chdir(tmp_path)
    size = ["--image-size", "16"] if "csv" in options[-1] else []
    assert said in refused("encode", weights, pictures, *size, *options).stderr
    assert not list(tmp_path.iterdir())


def test_a_cache_of_other_latents_and_no_cache_are_refused(weights, refused, tmp_path):
    for place, said in (
        (weights / "diffusion_pytorch_model.safetensors", "is no cache of latents"),
        (tmp_path / "cut.safetensors", "is cut or no safetensors file"),
        (tmp_path / "none.safetensors", "There is no file"),
        (tmp_path / "none.npy", "There is no file"),
    ):
        if "cut" in place.name:
            place.write_bytes(b"\x10\0\0")
        result = refused("decode", weights, place, "-o", tmp_path / "x")
        assert said in result.stderr


def test_options_of_image_models_are_refused_for_others(digits_run, refused, tmp_path):
    for option in (["--scaled"], ["--memory", "1GB"], ["--variant", "fp16"]):
        result = refused("encode", digits_run, "digits", *option, "-o", tmp_path / "z.npy")
        assert f"{option[0]} is for image autoencoders" in result.stderr
    result = refused("encode", digits_run, "digits", "-o", tmp_path / "z.safetensors")
    assert ".safetensors is for the latents of an image autoencoder" in result.stderr


def test_scaled_latents_of_a_run_without_a_scaling_say_so(weights, isthmus, pictures, tmp_path):
    options = ["--recipe", "autoencoder-kl", "--epochs", "1", "-s", "training.threads=1"]
    small = ["-s", "model.channels=4,8", "-s", "model.groups=2"]
    began = ["-s", f"model.pretrained={weights}", "-s", "training.train=decoder"]
    data = [pictures, "--crop", "8x9"]
    made = isthmus("fit", *data, *options, *small, "-o", tmp_path / "own")
    assert "-o latents.safetensors" in made.stdout
    isthmus("fit", *data, *options, *began, "-o", tmp_path / "tuned")
    words = ["--scaled", "-o"]
    said = isthmus("encode", tmp_path / "own", pictures, *words, tmp_path / "z.safetensors").stderr
    assert "scaling factor 1" in said
    said = isthmus("encode", tmp_path / "tuned", pictures, *words, tmp_path / "t.safetensors")
    assert "scaling factor 1" not in said.stderr
    isthmus("encode", weights, pictures, *words, tmp_path / "w.safetensors")
    tuned, published = (load_file(tmp_path / f"{name}.safetensors") for name in "tw")
    assert tuned.keys() == published.keys()
    assert all(torch.allclose(tuned[k], published[k], atol=1e-6) for k in tuned)
