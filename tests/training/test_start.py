"""Where decoders begin: at the mean of the data, once, and only where nothing was learned yet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import isthmus
from isthmus.data import DataSpec, load
from isthmus.data.resident import Resident
from isthmus.likelihoods import LIKELIHOODS, Likelihood, ObservedLikelihood
from isthmus.networks import ConvDecoder, Decoder, LeadingDecoder, MLPDecoder
from isthmus.recipes import build_recipe
from isthmus.training.start import look, start_at_mean

N, SHAPE = 400, (2, 3, 4)
OPTIONS: dict[str, dict[str, Any]] = {"categorical": {"n_categories": 3}}
DRAWS: dict[str, Any] = {
    "binary": lambda rng, p: rng.random((N, *SHAPE)) < 0.1 + 0.8 * p,
    "count": lambda rng, p: rng.poisson(8.0 * p + 0.5, (N, *SHAPE)),
    "category": lambda rng, p: (
        (rng.random((N, *SHAPE)) < p).astype(int) + (rng.random(SHAPE) < 0.5)
    ),
    "real": lambda rng, p: rng.normal(6.0 * p, 1.0, (N, *SHAPE)),
    "unit": lambda rng, p: rng.beta(1.0 + 4.0 * p, 2.0, (N, *SHAPE)),
}


def made(name: str) -> tuple[Likelihood, Tensor]:
    likelihood = LIKELIHOODS.create(name, shape=SHAPE, **OPTIONS.get(name, {}))
    rng = np.random.default_rng(0)
    support = likelihood.supports[-1]
    data = DRAWS[support](rng, rng.random(SHAPE))
    return likelihood, torch.as_tensor(np.asarray(data), dtype=torch.float32)


def slope(likelihood: Likelihood, output: Tensor, x: Tensor) -> Tensor:
    """The gradient by the decoder's output of the mean log p(x), element by element."""
    output = output.clone().requires_grad_()
    p = likelihood.eval()(output.expand(1, 1, *output.shape))
    p.log_prob(x).mean().backward()
    assert output.grad is not None
    return output.grad


@pytest.mark.parametrize("name", [e.name for e in LIKELIHOODS if e.name != "laplace"])
def test_the_start_is_the_best_constant(name: str) -> None:
    likelihood, x = made(name)
    output = likelihood.start(x.split(150))
    assert output.shape == likelihood.parameter_shape()
    given = ~output.isnan()
    found = slope(likelihood, output.nan_to_num(0.0), x)
    # By different amounts: a softmax does not see a common one.
    moved = output.nan_to_num(0.0) + 0.3 * (1 + torch.arange(len(output)).view(-1, 1, 1, 1))
    elsewhere = slope(likelihood, moved, x)
    # Half a datum of either kind more moves a frequency by half of one in N.
    close = 2.0 * x.mean(0).max().item() / N if likelihood.is_mass else 1e-5
    assert found[given].abs().max() < close
    assert elsewhere[given].abs().max() > 5 * close
    assert given.sum() == x[0].numel() * (1 if name == "gaussian-datum" else len(output))


def test_laplace_starts_at_the_mean_too() -> None:
    likelihood, x = made("laplace")
    torch.testing.assert_close(likelihood.start([x])[0], x.mean(0))


def test_what_is_missing_is_left_out() -> None:
    inner, x = made("gaussian")
    gone = torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) < 0.3
    x[gone] = torch.nan
    found = ObservedLikelihood(inner).start(x.split(64))[0]
    np.testing.assert_allclose(found, np.nanmean(x.numpy(), 0), rtol=1e-5)


def test_a_frequency_of_none_is_no_infinity() -> None:
    never = torch.zeros(10, 4)
    for name, expected in (("bernoulli", np.log(0.5 / 10.5)), ("poisson", np.log(0.5 / 11))):
        found = LIKELIHOODS.create(name, shape=(4,)).start([never])
        np.testing.assert_allclose(found, np.full((1, 4), expected), rtol=1e-5)


def silent(decoder: Decoder, z: Tensor) -> Tensor:
    """What a decoder puts out where its last layer reads nothing."""
    with torch.no_grad():
        decoder.last_layer().zero_()
        return decoder(z)


def source_of(x: Tensor, support: str) -> Any:
    return Resident(x, DataSpec("array", tuple(x.shape[1:]), support, len(x)))


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_bias_of_its_own_for_every_output(wrapped: bool) -> None:
    likelihood, x = made("bernoulli")
    decoder: Decoder = MLPDecoder((5,), likelihood.parameter_shape(), (7,))
    if wrapped:
        decoder = LeadingDecoder(decoder, 5)
    start_at_mean(decoder, likelihood, source_of(x, "binary"), lambda t: t)
    mean = silent(decoder, torch.randn(6, 5))[:, 0].sigmoid()
    torch.testing.assert_close(mean, ((x.sum(0) + 0.5) / (N + 1)).expand(6, *SHAPE))
    assert not decoder.fresh


def test_a_bias_that_positions_share_gets_the_mean_over_them() -> None:
    x = torch.zeros(N, 2, 8, 8)
    x[:, 0, :, :2], x[:, 1, :4] = 1.0, 1.0  # a quarter and a half of each channel
    likelihood = LIKELIHOODS.create("bernoulli", shape=(2, 8, 8))
    decoder = ConvDecoder((5,), likelihood.parameter_shape(), (4, 6))
    start_at_mean(decoder, likelihood, source_of(x, "binary"), lambda t: t)
    mean = silent(decoder, torch.randn(3, 5))[:, 0].sigmoid()
    expected = torch.tensor([0.25, 0.5]).view(2, 1, 1).expand(3, 2, 8, 8)
    torch.testing.assert_close(mean, expected, atol=1e-3, rtol=0)


def test_the_scale_of_each_datum_starts_where_it_was_drawn() -> None:
    likelihood, x = made("gaussian-datum")
    decoder = MLPDecoder((5,), likelihood.parameter_shape(), (7,))
    bias = decoder.last_bias()
    assert bias is not None
    before = bias.detach().clone().view(2, -1)
    start_at_mean(decoder, likelihood, source_of(x, "real"), lambda t: 2.0 * t)
    after = bias.detach().view(2, -1)
    torch.testing.assert_close(after[0], 2.0 * x.mean(0).flatten())
    assert after[1].equal(before[1])


def test_a_trained_decoder_is_left_alone(tmp_path: Any) -> None:
    source = load("digits")
    run = isthmus.fit(source, "vae", latent_dim=2, hidden=(8,), epochs=1, folder=tmp_path / "run")
    for model in (run.model, isthmus.load(tmp_path / "run")):
        built = build_recipe("vae", source.spec, latent_dim=2, hidden=(8,))
        assert built.model.decoder.fresh
        assert not model.decoder.fresh
        before = [p.clone() for p in model.decoder.parameters()]
        look(model, built.objective, source)
        assert all(p.equal(q) for p, q in zip(model.decoder.parameters(), before, strict=True))
        built.model.load_state_dict(model.state_dict())
        assert not built.model.decoder.fresh


def test_training_begins_at_the_mean_image_in_the_data_s_units() -> None:
    source = load("digits")
    built = build_recipe("vae", source.spec, latent_dim=2, hidden=(8,))
    look(built.model, built.objective, source)
    silent(built.model.decoder, torch.zeros(1, 2))
    found = built.model.decode(torch.randn(3, 2))
    rows = next(source.epoch(1024, seed=0, epoch=0)).x
    torch.testing.assert_close(found, rows.mean(0).expand(3, *rows.shape[1:]), atol=1e-5, rtol=0)
