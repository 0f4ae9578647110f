"""The model's face: shapes, units, refusals, and log p(x) where the marginal is known."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from isthmus.data import Scaling
from isthmus.errors import DataError, OptionError, UnknownNameError, UnsupportedError
from isthmus.likelihoods import BernoulliLikelihood, GaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import MLPDecoder, MLPEncoder
from isthmus.posteriors import Deterministic, DiagonalGaussian
from isthmus.priors import StandardNormal

D, Z, NOISE = 4, 2, 0.5


def linear_model(scaling=None, posterior=DiagonalGaussian):
    """x = W z + b + noise, with an encoder that is near the true posterior but not it."""
    encoder, likelihood = MLPEncoder((D,), ()), GaussianLikelihood((D,), scale=NOISE)
    model = LatentModel(
        encoder,
        posterior(encoder.features, (Z,)),
        StandardNormal((Z,)),
        MLPDecoder((Z,), likelihood.parameter_shape(), ()),
        likelihood,
        scaling,
    )
    with torch.no_grad():
        generator = torch.Generator().manual_seed(3)
        w = torch.randn(D, Z, generator=generator)
        b = torch.randn(D, generator=generator)
        model.decoder.layers[1].weight.copy_(w)
        model.decoder.layers[1].bias.copy_(b)
        precision = torch.eye(Z) + w.T @ w / NOISE**2
        gain = torch.linalg.solve(precision, w.T) / NOISE**2
        if posterior is DiagonalGaussian:
            model.posterior.head.weight.copy_(torch.cat([gain, torch.zeros(Z, D)]))
            spread = 1.2 * torch.linalg.inv(precision).diagonal()
            model.posterior.head.bias.copy_(torch.cat([-gain @ b, spread.log()]))
    return model, MultivariateNormal(b, w @ w.T + NOISE**2 * torch.eye(D))


@pytest.mark.usefixtures("float64")
def test_log_likelihood_meets_the_known_marginal_within_its_error():
    model, marginal = linear_model()
    x = marginal.sample((200,))
    samples = 4000
    ours = model.log_likelihood(x, samples=samples)
    with torch.no_grad():
        weights = model.evidence(x, samples=samples).log_weights
    spread = (weights - weights.logsumexp(0) + math.log(samples)).exp().std(0)
    error = (spread / math.sqrt(samples)).square().mean().sqrt() / math.sqrt(len(x))
    assert (ours - marginal.log_prob(x)).mean().abs() < max(4 * error, 2e-3)
    assert (ours - marginal.log_prob(x)).abs().max() < 0.3


@pytest.mark.usefixtures("float64")
def test_log_likelihood_is_a_density_in_the_data_s_own_units():
    scaling = Scaling((D,), "column")
    scaling.shift.copy_(torch.tensor([1.0, -2.0, 0.0, 5.0]))
    scaling.scale.copy_(torch.tensor([10.0, 0.1, 3.0, 1.0]))
    model, marginal = linear_model(scaling)
    u = marginal.sample((100,))
    x = scaling.inverse(u)
    truth = marginal.log_prob(u) - scaling.scale.log().sum()
    ours = model.log_likelihood(x, samples=4000)
    assert (ours - truth).mean().abs() < 0.02


@pytest.mark.usefixtures("float64")
def test_chunks_of_samples_change_nothing(monkeypatch):
    model, marginal = linear_model()
    x = marginal.sample((7,))
    torch.manual_seed(0)
    whole = model.log_likelihood(x, samples=50)
    monkeypatch.setattr("isthmus.importance.CHUNK_ELEMENTS", 1)
    drawn = []
    original = type(model.posterior).forward

    def counted(self, h):
        q = original(self, h)
        rsample = q.rsample
        q.rsample = lambda shape: (drawn.append(shape[0]), rsample(shape))[1]
        return q

    monkeypatch.setattr(type(model.posterior), "forward", counted)
    torch.manual_seed(0)
    assert (model.log_likelihood(x, samples=50) - whole).abs().max() < 1.0
    assert sum(drawn) == 50


def test_encode_is_deterministic_unless_a_sample_is_asked_for():
    model, marginal = linear_model()
    x = marginal.sample((9,))
    model.train()
    assert torch.equal(model.encode(x), model.encode(x))
    assert torch.equal(model.encode(x, "argmax"), model.encode(x))
    assert not torch.equal(model.encode(x, "sample"), model.encode(x, "sample"))
    assert model.training
    assert not model.encode(x).requires_grad


def test_passes_in_batches_equal_one_pass():
    model, marginal = linear_model()
    x = marginal.sample((10,))
    torch.testing.assert_close(model.encode(x, batch_size=3), model.encode(x))
    torch.testing.assert_close(model.reconstruct(x, batch_size=4), model.reconstruct(x))


def test_reconstruct_is_decode_of_encode_in_the_data_s_units():
    scaling = Scaling((D,), "datum")
    scaling.shift.fill_(100.0)
    scaling.scale.fill_(7.0)
    model, marginal = linear_model(scaling)
    x = scaling.inverse(marginal.sample((5,)))
    torch.testing.assert_close(model.reconstruct(x), model.decode(model.encode(x)))
    w, b = model.decoder.layers[1].weight, model.decoder.layers[1].bias
    torch.testing.assert_close(
        model.decode(model.encode(x)), (model.encode(x) @ w.T + b) * 7.0 + 100.0
    )


def test_samples_follow_the_marginal():
    model, marginal = linear_model()
    x = model.sample(40_000, mode="sample")
    torch.testing.assert_close(x.mean(0), marginal.mean, atol=0.05, rtol=0)
    torch.testing.assert_close(torch.cov(x.T), marginal.covariance_matrix, atol=0.15, rtol=0.05)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda m: m.encode(torch.zeros(2, 5)), r"shape \(2, 5\) do not fit.*expected \(N, 4\)"),
        (lambda m: m.decode(torch.zeros(2, 3)), r"Codes of shape \(2, 3\).*expected \(N, 2\)"),
        (lambda m: m.log_likelihood(torch.zeros(2, 5)), "do not fit"),
    ],
)
def test_a_wrong_shape_says_got_and_expected(ask, message):
    with pytest.raises(DataError, match=message):
        ask(linear_model()[0])


def test_what_a_model_lacks_is_refused():
    model, _ = linear_model(posterior=Deterministic)
    with pytest.raises(UnsupportedError, match="needs a posterior with a density"):
        model.log_likelihood(torch.zeros(2, D))
    with pytest.raises(UnsupportedError, match="argmax"):
        model.encode(torch.zeros(2, D), "argmax")
    with pytest.raises(UnknownNameError, match="Did you mean 'mean'"):
        model.decode(torch.zeros(2, Z), "men")
    with pytest.raises(OptionError, match="at least one importance sample"):
        linear_model()[0].log_likelihood(torch.zeros(2, D), samples=0)


def test_a_bounded_likelihood_refuses_a_scaling():
    encoder, likelihood = MLPEncoder((D,), ()), BernoulliLikelihood((D,))
    with pytest.raises(OptionError, match="fixed support"):
        LatentModel(
            encoder,
            DiagonalGaussian(encoder.features, (Z,)),
            StandardNormal((Z,)),
            MLPDecoder((Z,), likelihood.parameter_shape(), ()),
            likelihood,
            Scaling((D,), "column"),
        )
