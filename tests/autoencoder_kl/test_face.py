"""Modes, sizes, slices and units of the image autoencoder's face."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.autoencoder_kl import AutoencoderKL
from isthmus.autoencoder_kl.images import PIXELS
from isthmus.data import load as load_data
from isthmus.errors import (
    DataError,
    OptionError,
    UnknownNameError,
    UnsupportedError,
)
from isthmus.likelihoods import BernoulliLikelihood, DatumGaussianLikelihood
from isthmus.model import LatentModel
from isthmus.objectives import Elbo
from isthmus.pretrained import KLConfig
from isthmus.priors import StandardNormal
from isthmus.recipes import build_recipe
from isthmus.store import save
from isthmus.training.start import look

TINY = KLConfig(block_out_channels=(8, 8, 16), norm_num_groups=4, layers_per_block=1)


def tiny(config: KLConfig = TINY) -> AutoencoderKL:
    model = AutoencoderKL(config).eval()
    for parameter in model.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.fixture
def model() -> AutoencoderKL:
    return tiny()


def images(n: int = 3, height: int = 20, width: int = 24) -> Tensor:
    return 2.0 * torch.rand(n, 3, height, width) - 1.0


def test_training_begins_where_loaded_weights_are(model: AutoencoderKL, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "stored")
    source = load_data(torch.rand(20, 3, 12, 12).numpy())
    moved = {}
    for name, face in (
        ("new", AutoencoderKL(TINY)),
        ("loaded", AutoencoderKL.from_pretrained(tmp_path / "stored")),
    ):
        latent = face.model((3, 12, 12))
        bias = latent.decoder.last_bias()
        assert bias is not None
        before = bias.clone()
        look(latent, Elbo(), source)
        moved[name] = not bias.equal(before)
    assert moved == {"new": True, "loaded": False}


@pytest.mark.parametrize(
    ("config", "parameters", "tensors"),
    [
        ({}, 83_653_863, 248),
        (
            {"latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False},
            83_819_683,
            244,
        ),
    ],
)
def test_published_sizes(config: dict[str, Any], parameters: int, tensors: int) -> None:
    with torch.device("meta"):
        model = AutoencoderKL(
            KLConfig(block_out_channels=(128, 256, 512, 512), layers_per_block=2, **config)
        )
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert len(model.state_dict()) == tensors


def test_modes_are_those_of_the_posterior(model: AutoencoderKL) -> None:
    x = images()
    mean, log_variance = model.moments(x)
    assert torch.equal(model.encode(x), mean)
    assert torch.equal(model.encode(x, "argmax"), mean)
    torch.manual_seed(3)
    noise = torch.randn(mean.shape)
    torch.manual_seed(3)
    expected = mean + (0.5 * log_variance).exp() * noise
    torch.testing.assert_close(model.encode(x, "sample"), expected)
    with pytest.raises(UnknownNameError, match="Did you mean 'argmax'"):
        model.encode(x, "argmx")
    with pytest.raises(UnsupportedError, match="softmax"):
        model.encode(x, "softmax")


def test_a_seed_decides_the_sample_and_nothing_else(model: AutoencoderKL) -> None:
    x, generator = images(), torch.Generator().manual_seed(7)
    before = torch.get_rng_state()
    first = model.encode(x, "sample", generator=generator)
    assert torch.equal(before, torch.get_rng_state())
    torch.testing.assert_close(first, model.encode(x, "sample", generator=7, batch_size=1))
    second = model.encode(x, "sample", generator=generator)
    assert not torch.equal(first, second)
    # The generator went on as if the caller had drawn with it.
    own = torch.Generator().manual_seed(7)
    torch.randn(first.shape, generator=own)
    mean, log_variance = model.moments(x)
    expected = mean + (0.5 * log_variance).exp() * torch.randn(first.shape, generator=own)
    torch.testing.assert_close(second, expected)


def test_argmax_of_a_deterministic_autoencoder_is_refused_with_the_reason() -> None:
    source = load_data(np.random.default_rng(0).random((20, 3, 8, 8), dtype=np.float32))
    built = build_recipe("ae", source.spec, latent_dim=2)
    x = next(source.chunks(4)).x
    with pytest.raises(UnsupportedError, match=r"has no density.*mode='mean'"):
        built.model.encode(x, "argmax")
    with pytest.raises(UnsupportedError, match="recipe 'autoencoder-kl'"):
        AutoencoderKL.from_model(built.model)


@pytest.mark.parametrize("size", [(20, 24), (21, 23), (1, 1), (3, 17)])
def test_any_size_comes_back(model: AutoencoderKL, size: tuple[int, int]) -> None:
    x = images(2, *size)
    cells = tuple(math.ceil(side / 4) for side in size)
    over = (4 * cells[1] - size[1], 4 * cells[0] - size[0])
    padded = F.pad(x, (0, over[0], 0, over[1]), mode="replicate")
    z = model.encode(x)
    assert tuple(z.shape) == (2, 4, *cells)
    assert torch.equal(z, model.encode(padded))
    whole = model.decode(z)
    assert tuple(whole.shape[2:]) == (4 * cells[0], 4 * cells[1])
    assert torch.equal(model.decode(z, size=size), whole[..., : size[0], : size[1]])
    assert torch.equal(model.reconstruct(x), model.decode(z, size=size))


@pytest.mark.parametrize("size", [(16, 24), (25, 24), (20, 20), (20,)])
def test_a_size_that_the_latents_cannot_have(model: AutoencoderKL, size: Any) -> None:
    z = torch.randn(1, 4, 6, 6)
    with pytest.raises(DataError, match="height of 21 to 24 and a width of 21 to 24"):
        model.decode(z, size=size)


def test_slices_give_the_same(model: AutoencoderKL) -> None:
    x = images(5)
    for batch_size in (1, 2, 5, 100):
        torch.testing.assert_close(model.encode(x, batch_size=batch_size), model.encode(x))
        torch.testing.assert_close(
            model.reconstruct(x, batch_size=batch_size), model.reconstruct(x), atol=1e-5, rtol=1e-5
        )
    with pytest.raises(DataError, match="batch_size"):
        model.encode(x, batch_size=0)


def test_passes_are_bounded_by_their_pixels(
    model: AutoencoderKL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.autoencoder_kl.images.PIXELS", 2 * 20 * 24)
    seen: list[int] = []
    model.encoder.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    model.encode(images(5))
    assert seen == [2, 2, 1]
    assert PIXELS == 4 * 512**2


def test_bounded_memory_gives_the_same(model: AutoencoderKL) -> None:
    x = images(2, 90, 61)
    for memory in ("200KB", 10**9):
        torch.testing.assert_close(model.encode(x, memory=memory), model.encode(x), **CLOSE)
        z = model.encode(x)
        torch.testing.assert_close(model.decode(z, memory=memory), model.decode(z), **CLOSE)
        again = model.reconstruct(x, memory=memory)
        torch.testing.assert_close(again, model.reconstruct(x), rtol=1e-4, atol=1e-4)
    with pytest.raises(OptionError, match="too little"):
        model.encode(x, memory=1000)


def test_half_precision_neither_overflows_nor_strays(tmp_path: Path) -> None:
    model = tiny(KLConfig(block_out_channels=(16, 16), norm_num_groups=4, use_quant_conv=False))
    for part in (model.encoder, model.decoder):
        # A stream of some 1e6, which float16 cannot hold and a norm does not see.
        for name, parameter in part.named_parameters():
            if "conv_in" in name:
                parameter.data.mul_(2.0**20)
    x = images(2)
    z, y = model.encode(x), model.reconstruct(x)
    model.save_pretrained(tmp_path / "single")
    for dtype, error in ((torch.float16, 5e-3), (torch.bfloat16, 4e-2)):
        narrow = AutoencoderKL.from_pretrained(tmp_path / "single", dtype=dtype)
        assert {p.dtype for p in narrow.parameters()} == {dtype}
        assert narrow.encode(x).dtype == torch.float32
        assert float((narrow.encode(x) - z).norm() / z.norm()) < error
        assert float((narrow.reconstruct(x) - y).norm() / y.norm()) < 2.0 * error
    # Saved in the units of the published weights.
    narrow = AutoencoderKL.from_pretrained(tmp_path / "single")
    assert narrow.half(x=x) is narrow
    assert narrow.encoder.stream_scale > 1.0
    narrow.save_pretrained(tmp_path / "half")
    again = AutoencoderKL.from_pretrained(tmp_path / "half")
    assert again.encoder.stream_scale == 1.0
    assert float((again.encode(x) - z).norm() / z.norm()) < 5e-3


def test_half_precision_leaves_a_shared_model_as_it_is(model: AutoencoderKL) -> None:
    latent = model.model((3, 16, 16))
    AutoencoderKL.from_model(latent).half()
    assert {p.dtype for p in latent.parameters()} == {torch.float32}


def test_no_images_give_no_latents(model: AutoencoderKL) -> None:
    z = model.encode(images(0))
    assert tuple(z.shape) == (0, 4, 5, 6)
    assert tuple(model.decode(z).shape) == (0, 3, 20, 24)


def test_it_answers_without_gradients_and_trains_with_them(model: AutoencoderKL) -> None:
    model.train()
    x = images(1)
    assert not model.encode(x).requires_grad
    assert not model.reconstruct(x).requires_grad
    assert model.training
    y = model(x)
    torch.testing.assert_close(y, model.reconstruct(x))
    y.square().mean().backward()
    for part in (model.encoder, model.decoder):
        gradient = part.conv_in.weight.grad
        assert gradient is not None
        assert float(gradient.abs().sum()) > 0.0


REFUSED: dict[str, tuple[Any, str]] = {
    "channels": (torch.zeros(1, 4, 8, 8), r"expected \(B, 3, H, W\)\."),
    "an array": (np.zeros((1, 3, 8, 8)), r"torch.as_tensor"),
    "channels last": (torch.zeros(1, 8, 8, 3), r"permute\(0, 3, 1, 2\)"),
    "one image": (torch.zeros(3, 8, 8), r"x\[None\]"),
    "axes": (torch.zeros(8, 8), r"expected \(B, 3, H, W\)\."),
    "bytes": (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), r"x / 127\.5 - 1"),
    "whole numbers": (torch.zeros(1, 3, 8, 8, dtype=torch.int64), r"x / 127\.5 - 1"),
    "bytes as floats": (torch.full((1, 3, 8, 8), 255.0), r"as large as 255; .* x / 127\.5 - 1"),
    "NaN": (torch.zeros(2, 3, 8, 8).index_put((torch.tensor(1),), torch.tensor(math.nan)), "nan"),
    "infinity": (torch.full((1, 3, 8, 8), math.inf), r"inf at \(0, 0, 0, 0\)"),
    "no pixels": (torch.zeros(1, 3, 0, 8), "do not fit"),
}


@pytest.mark.parametrize(("x", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_images_that_are_refused(model: AutoencoderKL, x: Tensor, said: str) -> None:
    for call in (model.encode, model.moments, model.reconstruct):
        with pytest.raises(DataError, match=said):
            call(x)


@pytest.mark.parametrize(
    ("z", "said"),
    [
        (torch.zeros(1, 3, 2, 2), r"expected \(B, 4, h, w\)\."),
        (torch.zeros(4, 2, 2), r"z\[None\]"),
        (torch.zeros(1, 4, 2, 2, dtype=torch.int64), "floating"),
        (torch.full((1, 4, 2, 2), math.nan), "nan"),
    ],
)
def test_latents_that_are_refused(model: AutoencoderKL, z: Tensor, said: str) -> None:
    with pytest.raises(DataError, match=said):
        model.decode(z)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"scaling_factor": 1.5305, "shift_factor": 0.0609}, lambda z: (z - 0.0609) * 1.5305),
        ({"scaling_factor": 0.13025}, lambda z: z * 0.13025),
        (
            {
                "scaling_factor": 0.5,
                "shift_factor": 9.0,
                "latents_mean": [1.0, 2.0, 3.0, 4.0],
                "latents_std": [0.5, 1.0, 2.0, 4.0],
            },
            lambda z: (
                (z - torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None, None])
                / torch.tensor([0.5, 1.0, 2.0, 4.0])[:, None, None]
                * 0.5
            ),
        ),
    ],
)
def test_scaled_latents(config: dict[str, Any], expected: Any) -> None:
    model = tiny(KLConfig.from_json({**TINY.to_json(), **config}))
    x = images()
    z, scaled = model.encode(x), model.encode(x, scaled=True)
    torch.testing.assert_close(scaled, expected(z))
    torch.testing.assert_close(
        model.decode(scaled, scaled=True), model.decode(z), atol=1e-4, rtol=1e-4
    )


def test_estimated_scaling_gives_each_channel_unit_variance(model: AutoencoderKL) -> None:
    x = images(6, 21, 24)
    config = model.estimate_scaling(list(x.split(4)), samples=False, batch_size=1)
    assert config is model.config
    assert config.scaling_factor == 1.0
    z = model.encode(x, scaled=True).double()
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(4).double(), atol=1e-5, rtol=0.0)
    variance = z.var((0, 2, 3), correction=0)
    torch.testing.assert_close(variance, torch.ones(4).double(), atol=1e-5, rtol=0.0)


def test_estimated_scaling_of_samples(model: AutoencoderKL) -> None:
    x = images(8)
    model.estimate_scaling(x)
    # Which the diffusion model reads in place of x: 24,000 cells, so an error of .01.
    draws = model.encode(x.repeat(100, 1, 1, 1), "sample", scaled=True, generator=0)
    torch.testing.assert_close(draws.mean((0, 2, 3)), torch.zeros(4), atol=0.04, rtol=0.0)
    torch.testing.assert_close(draws.var((0, 2, 3)), torch.ones(4), atol=0.04, rtol=0.0)


def test_one_factor_for_all_channels(model: AutoencoderKL) -> None:
    x = images(6)
    config = model.estimate_scaling(x, per_channel=False, samples=False)
    assert config.latents_mean is None
    z = model.encode(x).double()
    assert config.scaling_factor == pytest.approx(1.0 / float(z.std(correction=0)), rel=1e-6)
    assert config.shift_factor == pytest.approx(float(z.mean()), abs=1e-6)


def test_scaling_is_estimated_from_a_source(model: AutoencoderKL, tmp_path: Path) -> None:
    unit = np.random.default_rng(0).random((70, 3, 8, 8), dtype=np.float32)
    source = load_data(unit, support="unit")
    from_source = model.estimate_scaling(source)
    from_tensor = model.estimate_scaling(2.0 * torch.from_numpy(unit) - 1.0)
    assert from_source.latents_mean == pytest.approx(from_tensor.latents_mean, rel=1e-5)
    assert from_source.latents_std == pytest.approx(from_tensor.latents_std, rel=1e-5)
    model.save_pretrained(tmp_path)
    assert AutoencoderKL.from_pretrained(tmp_path).config == model.config


def test_scaling_cannot_be_estimated(model: AutoencoderKL) -> None:
    with pytest.raises(DataError, match="no images"):
        model.estimate_scaling([])
    for parameter in model.encoder.parameters():
        parameter.data.zero_()
    with pytest.raises(DataError, match=r"channels \[0, 1, 2, 3\] do not vary"):
        model.estimate_scaling(images(), samples=False)


def test_a_model_on_the_six_axes_shares_the_weights(model: AutoencoderKL) -> None:
    latent = model.model((3, 21, 24))
    unit = torch.rand(2, 3, 21, 24)
    x = 2.0 * unit - 1.0
    torch.testing.assert_close(latent.encode(unit), model.encode(x))
    torch.testing.assert_close(latent.reconstruct(unit), 0.5 * model.reconstruct(x) + 0.5)
    assert torch.isfinite(latent.log_likelihood(unit, samples=2)).all()
    ours = {id(p) for p in model.parameters()}
    assert ours <= {id(p) for p in latent.parameters()}
    with pytest.raises(OptionError, match="3 channels"):
        model.model((1, 8, 8))


def test_there_and_back_through_a_run_folder(model: AutoencoderKL, tmp_path: Path) -> None:
    latent = model.model((3, 16, 16), likelihood="laplace")
    save(latent, tmp_path)
    again = AutoencoderKL.from_run(tmp_path)
    assert again.config.scaling == model.config.scaling
    x = images(1, 20, 24)
    assert torch.equal(again.encode(x), model.encode(x))
    assert torch.equal(again.reconstruct(x), model.reconstruct(x))
    assert again.config.sample_size == 16
    kept = KLConfig(scaling_factor=0.3611, shift_factor=0.1159)
    assert AutoencoderKL.from_run(tmp_path, scaling=kept).config.shift_factor == 0.1159
    shared = AutoencoderKL.from_model(latent)
    assert shared.encoder is latent.encoder
    assert shared.notes == ()


def test_models_of_other_outputs_or_units_are_refused(model: AutoencoderKL) -> None:
    latent = model.model((3, 16, 16))
    other = latent.encoder, latent.posterior, StandardNormal((4, 4, 4)), latent.decoder
    bernoulli = LatentModel(*other, BernoulliLikelihood((3, 16, 16)))
    with pytest.raises(UnsupportedError, match="use the likelihood 'gaussian'"):
        AutoencoderKL.from_model(bernoulli)
    with pytest.raises(UnsupportedError, match="DatumGaussianLikelihood"):
        AutoencoderKL.from_model(LatentModel(*other, DatumGaussianLikelihood((3, 16, 16))))
    unscaled = LatentModel(*other, latent.likelihood)
    assert "not scaled" in AutoencoderKL.from_model(unscaled).notes[0]


def test_new_weights_load_without_a_trace_of_the_meta_device(
    model: AutoencoderKL, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path)
    read = AutoencoderKL.from_pretrained(tmp_path, dtype=torch.float64)
    assert not read.training
    assert {(p.dtype, p.device.type) for p in read.parameters()} == {(torch.float64, "cpu")}
    assert all(p.requires_grad for p in read.parameters())
    assert not any(b.is_meta for b in read.buffers())
    x = images(1).double()
    torch.testing.assert_close(read.encode(x).float(), model.encode(x.float()), **CLOSE)


CLOSE = {"rtol": 0.0, "atol": 1e-5}


def test_people_find_the_scaling_where_they_look() -> None:
    for method in (AutoencoderKL, AutoencoderKL.encode, AutoencoderKL.decode):
        text = inspect.getdoc(method) or ""
        assert "scaled" in text
        assert "estimate_scaling" in text or "scaling_factor" in text
