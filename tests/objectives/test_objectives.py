"""Objectives against closed forms, brute force, and one another."""

import math

import pytest
import torch
from torch.distributions import kl_divergence

from isthmus.errors import UnsupportedError
from isthmus.likelihoods import GaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import MLPDecoder, MLPEncoder
from isthmus.objectives import (
    Constant,
    Cyclical,
    Elbo,
    FreeBits,
    Iwae,
    Reconstruction,
    WarmUp,
    denoising,
)
from isthmus.posteriors import Deterministic, DiagonalGaussian
from isthmus.priors import StandardNormal

pytestmark = pytest.mark.usefixtures("float64")
SHAPE, LATENT = (5,), (2,)


def small_model(posterior=DiagonalGaussian):
    encoder = MLPEncoder(SHAPE, (8,))
    likelihood = GaussianLikelihood(SHAPE, scale=0.7)
    return LatentModel(
        encoder,
        posterior(encoder.features, LATENT),
        StandardNormal(LATENT),
        MLPDecoder(LATENT, likelihood.parameter_shape(), (8,)),
        likelihood,
    )


def test_elbo_is_distortion_plus_beta_times_closed_form_rate():
    model, x = small_model(), torch.randn(6, 5)
    evidence = model.evidence(x, samples=3)
    loss = Elbo(beta=2.5).eval()(evidence)
    mean, scale = evidence.q.mean, evidence.q.stddev
    rate = 0.5 * (scale.square() + mean.square() - 1.0 - 2.0 * scale.log()).sum(-1)
    x_hat = model.decoder(evidence.z.flatten(0, 1)).view(3, 6, 5)
    distortion = (0.5 * ((x - x_hat) / 0.7) ** 2 + math.log(0.7) + 0.5 * math.log(2 * math.pi)).sum(
        -1
    )
    torch.testing.assert_close(loss.terms["rate"], rate)
    torch.testing.assert_close(loss.terms["distortion"], distortion.mean(0))
    torch.testing.assert_close(loss.total, distortion.mean() + 2.5 * rate.mean())


def test_iwae_with_one_sample_has_the_elbo_s_mean_and_more_samples_are_tighter():
    model, x = small_model(), torch.randn(4, 5)
    draws = 4000
    with torch.no_grad():
        evidence = model.evidence(x, samples=draws)
        elbo = -(evidence.rate + evidence.distortion.mean(0))
        one = evidence.log_weights.mean(0)
        error = evidence.log_weights.std(0) / math.sqrt(draws)
        assert ((one - elbo).abs() < 4 * error).all()
        bounds = [
            torch.logsumexp(evidence.log_weights.view(-1, k, 4), 1).mean(0) - math.log(k)
            for k in (1, 5, 50)
        ]
    assert (bounds[0] < bounds[1]).all()
    assert (bounds[1] < bounds[2]).all()


def test_iwae_averages_over_the_sample_axis():
    model, x = small_model(), torch.randn(4, 5)
    evidence = model.evidence(x, samples=7)
    loss = Iwae(samples=7)(evidence)
    weights = evidence.log_weights.exp().mean(0)  # over S, one for each datum
    torch.testing.assert_close(loss.terms["bound"], -weights.log())


def test_free_bits_charges_each_dimension_only_beyond_its_allowance():
    model, x = small_model(), torch.randn(6, 5)
    with torch.no_grad():
        evidence = model.evidence(x)
    per_dimension = 0.5 * (
        evidence.q.stddev**2 + evidence.q.mean**2 - 1 - 2 * evidence.q.stddev.log()
    ).mean(0)
    allowance = float(per_dimension.mean())
    expected = sum(max(allowance, float(k)) for k in per_dimension)
    objective = FreeBits(nats=allowance)
    assert objective.train()(evidence).terms["rate"].mean().item() == pytest.approx(expected)
    plain = kl_divergence(evidence.q, evidence.p).mean().item()
    assert objective.eval()(evidence).terms["rate"].mean().item() == pytest.approx(plain)
    assert plain < expected


def test_a_density_is_refused_where_there_is_none():
    evidence = small_model(Deterministic).evidence(torch.randn(3, 5))
    with pytest.raises(UnsupportedError, match=r"needs a posterior with a density.*'diagonal'"):
        Elbo()(evidence)
    assert Reconstruction()(evidence).total.isfinite()


def test_denoising_corrupts_the_input_and_not_the_target():
    model, x = small_model(Deterministic), torch.randn(4000, 5)
    objective = denoising(sigma=0.5)
    seen = []
    model.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    evidence = model.evidence(x, 1, objective.train().corruption)
    assert evidence.x is x
    assert (seen[0] - x).std().item() == pytest.approx(0.5, rel=0.05)
    model.evidence(x, 1, objective.eval().corruption)
    torch.testing.assert_close(seen[1], x)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Constant(3.0), {0.0: 3.0, 0.5: 3.0, 1.0: 3.0}),
        (WarmUp(2.0, share=0.5), {0.0: 0.0, 0.25: 1.0, 0.5: 2.0, 1.0: 2.0}),
        (WarmUp(1.0, share=0.2, start=0.2), {0.0: 0.2, 0.1: 0.6, 0.2: 1.0}),
        (WarmUp(1.0, share=0.0), {0.5: 1.0}),
        (WarmUp(2.0, share=0.2, wait=0.3), {0.0: 0.0, 0.3: 0.0, 0.4: 1.0, 0.5: 2.0, 1.0: 2.0}),
        (Cyclical(4.0, cycles=2), {0.0: 0.0, 0.125: 2.0, 0.25: 4.0, 0.5: 0.0, 0.75: 4.0, 1.0: 4.0}),
    ],
)
def test_schedules_go_where_they_say(schedule, expected):
    for progress, value in expected.items():
        assert float(schedule(torch.tensor(progress))) == pytest.approx(value)


def test_held_out_data_are_judged_by_the_final_beta():
    model, x = small_model(), torch.randn(6, 5)
    evidence = model.evidence(x)
    objective = Elbo(WarmUp(1.0, share=0.5))
    objective.progress.fill_(0.1)
    early, final = objective.train()(evidence).total, objective.eval()(evidence).total
    torch.testing.assert_close(final - early, 0.8 * evidence.rate.mean())
