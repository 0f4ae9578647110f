"""The slopes of encoders and decoders against autograd's Jacobian, datum by datum."""

from __future__ import annotations

import pytest
import torch
from torch.autograd.functional import jacobian

from isthmus.errors import OptionError
from isthmus.likelihoods import BernoulliLikelihood
from isthmus.model import LatentModel
from isthmus.networks import MLPDecoder, MLPEncoder
from isthmus.objectives import Contractive, Regularised
from isthmus.posteriors import Deterministic, DiagonalGaussian
from isthmus.priors import StandardNormal

B, D, Z = 5, 6, 3


@pytest.fixture(params=[Deterministic, DiagonalGaussian])
def model(request, float64):
    encoder, likelihood = MLPEncoder((D,), (7,)), BernoulliLikelihood((D,))
    return LatentModel(
        encoder,
        request.param(encoder.features, (Z,)),
        StandardNormal((Z,)),
        MLPDecoder((Z,), likelihood.parameter_shape(), (7,)),
        likelihood,
    )


@pytest.fixture
def x(float64):
    return (torch.rand(B, D) < 0.4).double()


def encoder_slopes(model, x):
    """Differentiable in the parameters."""
    return torch.stack(
        [
            jacobian(lambda v: model.infer(v[None]).mean[0], one, create_graph=True).square().sum()
            for one in x
        ]
    )


def decoder_slopes(model, z):
    return torch.stack(
        [
            jacobian(lambda v: model.generate(v[None, None]).mean[0, 0], one, create_graph=True)
            .square()
            .sum()
            for one in z
        ]
    )


def equal_gradients(found, expected, parameters):
    options = {"allow_unused": True, "materialize_grads": True}
    for one, other in zip(
        torch.autograd.grad(found.sum(), parameters, **options),
        torch.autograd.grad(expected.sum(), parameters, **options),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_the_contraction_is_the_jacobians_squared_norm(model, x):
    loss = Contractive(beta=0.3)(model.evidence(x))
    expected = encoder_slopes(model, x)
    torch.testing.assert_close(loss.terms["contraction"], expected)
    torch.testing.assert_close(loss.total, (loss.terms["distortion"] + 0.3 * expected).mean())
    with torch.no_grad():
        judged = Contractive(beta=0.3)(model.evidence(x))
    torch.testing.assert_close(judged.terms["contraction"], expected.detach())
    assert not judged.terms["contraction"].requires_grad
    equal_gradients(loss.terms["contraction"], expected, list(model.encoder.parameters()))


def test_random_directions_estimate_it_without_bias(model, x):
    with torch.no_grad():
        judged = Contractive(probes=1000)(model.evidence(x)).terms["contraction"]
    torch.testing.assert_close(judged, encoder_slopes(model, x).detach(), rtol=0.1, atol=0)


def test_regularised_is_the_codes_norm_and_the_decoders_slope(model, x):
    evidence = model.evidence(x)
    loss = Regularised(beta=0.2, smoothness=0.7, probes=None)(evidence)
    z = evidence.z[0]
    norm, slope = 0.5 * (z * z).sum(1), decoder_slopes(model, z)
    torch.testing.assert_close(loss.terms["code_norm"], norm)
    torch.testing.assert_close(loss.terms["slope"], 0.7 * slope)
    expected = (loss.terms["distortion"] + 0.2 * norm + 0.7 * slope).mean()
    torch.testing.assert_close(loss.total, expected)
    equal_gradients(loss.terms["slope"] / 0.7, slope, list(model.decoder.parameters()))
    assert "slope" not in Regularised()(evidence).terms


def test_the_decoders_slope_from_random_directions(model, x):
    evidence = model.evidence(x)
    with torch.no_grad():
        found = Regularised(smoothness=1.0, probes=1000)(evidence).terms["slope"]
    expected = decoder_slopes(model, evidence.z[0]).detach()
    torch.testing.assert_close(found, expected, rtol=0.15, atol=0)


def test_no_probe_at_all_is_refused():
    for make in (Contractive, Regularised):
        with pytest.raises(OptionError, match="at least 1"):
            make(probes=0)
