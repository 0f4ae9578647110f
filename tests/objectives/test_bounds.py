"""MIWAE, PIWAE, CIWAE and Rényi against their formulas, their limits and one another."""

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from isthmus.errors import OptionError
from isthmus.objectives import Ciwae, Elbo, Iwae, Miwae, Piwae, Renyi
from isthmus.objectives.renyi import renyi_bound

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture
def evidence(build):
    torch.manual_seed(3)
    return build().evidence(torch.randn(6, 5), samples=12)


def test_miwae_averages_bounds_that_each_normalise_over_their_own_k_samples(evidence):
    log_w = evidence.log_weights.detach().numpy()
    expected = np.zeros(6)
    for m in range(3):
        for b in range(6):
            expected[b] -= (logsumexp(log_w[4 * m : 4 * m + 4, b]) - math.log(4)) / 3
    found = Miwae(bounds=3, samples=4)(evidence).terms["bound"].detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_miwae_of_one_bound_is_iwae_and_of_single_samples_the_elbo(evidence):
    one = Miwae(bounds=1, samples=12)(evidence)
    torch.testing.assert_close(one.total, Iwae(12)(evidence).total)
    single = Miwae(bounds=12, samples=1)(evidence).terms["bound"]
    torch.testing.assert_close(single, -evidence.log_weights.mean(0))


def gradients(model, x, objective):
    torch.manual_seed(8)
    model.zero_grad()
    loss = objective(model.evidence(x, objective.samples))
    loss.total.backward()
    return loss, {name: p.grad.clone() for name, p in model.named_parameters()}


def test_piwae_s_encoder_has_miwae_s_gradient_and_its_decoder_iwae_s(build):
    model, x = build(), torch.randn(6, 5)
    loss, found = gradients(model, x, Piwae(bounds=3, samples=4))
    _, of_each = gradients(model, x, Miwae(bounds=3, samples=4))
    whole, of_all = gradients(model, x, Iwae(12))
    torch.testing.assert_close(loss.total, whole.total)
    for name, gradient in found.items():
        encodes = name.startswith(("encoder", "posterior"))
        torch.testing.assert_close(gradient, (of_each if encodes else of_all)[name])
        assert not torch.allclose(of_each[name], of_all[name])
    with torch.no_grad():
        held_out = model.evidence(x, 12)
        torch.testing.assert_close(Piwae(3, 4)(held_out).total, Iwae(12)(held_out).total)


@pytest.mark.parametrize(("share", "end"), [(1.0, Elbo()), (0.0, Iwae(12))])
def test_ciwae_is_the_elbo_at_one_end_and_iwae_at_the_other(evidence, share, end):
    torch.testing.assert_close(Ciwae(share, 12)(evidence).total, end(evidence).total)


def test_ciwae_weighs_the_two(evidence):
    elbo, bound = Elbo()(evidence).total, Iwae(12)(evidence).total
    torch.testing.assert_close(Ciwae(0.3, 12)(evidence).total, 0.3 * elbo + 0.7 * bound)


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 0.5, 0.9, 2.0])
def test_the_renyi_bound_is_its_formula(evidence, alpha):
    log_w = evidence.log_weights.detach().numpy()
    power = 1 - alpha
    expected = (logsumexp(power * log_w, axis=0) - math.log(12)) / power
    found = Renyi(alpha, 12)(evidence).terms["bound"].detach().numpy()
    np.testing.assert_allclose(found, -expected, rtol=1e-12)


def test_the_renyi_bound_has_its_limits(evidence):
    torch.testing.assert_close(Renyi(0.0, 12)(evidence).total, Iwae(12)(evidence).total)
    elbo = -evidence.log_weights.mean()
    torch.testing.assert_close(Renyi(1.0, 12)(evidence).total, elbo)
    # No digits are lost near the limit, in single precision either.
    log_w = evidence.log_weights.float()
    for alpha in (1 - 1e-6, 1 + 1e-6):
        near = renyi_bound(log_w, alpha)
        torch.testing.assert_close(near, log_w.mean(0), atol=1e-3, rtol=1e-5)


def test_the_renyi_gradient_is_that_of_weights_to_the_power():
    log_w = torch.randn(7, 3, requires_grad=True)
    renyi_bound(log_w, 0.25).sum().backward()
    torch.testing.assert_close(log_w.grad, (0.75 * log_w.detach()).softmax(0))


@pytest.mark.parametrize(
    "make", [lambda: Miwae(0, 4), lambda: Piwae(4, 0), lambda: Ciwae(share=1.2)]
)
def test_what_cannot_be_counted_or_shared_is_refused(make):
    with pytest.raises(OptionError, match=r"at least 1|between 0 and 1"):
        make()
