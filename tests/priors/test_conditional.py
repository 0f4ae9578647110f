"""The conditional prior against numpy and SciPy, and the bound that ivae makes of it."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import norm
from torch.distributions import MultivariateNormal, kl_divergence

from isthmus.data import DataSpec
from isthmus.data.spec import ConditionColumn
from isthmus.errors import OptionError
from isthmus.priors import ConditionalNormal
from isthmus.recipes import build_recipe

pytestmark = pytest.mark.usefixtures("float64")
B, C, D, Z, NOISE = 6, 3, 4, 2, 0.3
SPEC = DataSpec("table", (D,), "real", 50, condition=(ConditionColumn("segment", tuple("abc")),))


def by_hand(prior, given):
    """Mean and standard deviation (B, Z) from the network's own weights: silu between two maps."""
    first, second = (
        (layer.weight.detach().numpy(), layer.bias.detach().numpy())
        for layer in prior.layers
        if isinstance(layer, torch.nn.Linear)
    )
    a = given.numpy() @ first[0].T + first[1]
    out = (a * expit(a)) @ second[0].T + second[1]
    return out[:, :Z], np.exp(0.5 * out[:, Z:])


def test_every_condition_has_a_normal_of_its_own():
    torch.manual_seed(0)
    prior, given, z = ConditionalNormal((Z,), C), torch.randn(B, C), torch.randn(5, B, Z)
    mean, scale = by_hand(prior, given)
    expected = norm.logpdf(z.numpy(), mean, scale).sum(-1)
    np.testing.assert_allclose(prior(given).log_prob(z).detach().numpy(), expected, rtol=1e-10)
    # A map of codes is laid out like the flat code of its size.
    laid = prior.__class__((1, Z), C)
    laid.load_state_dict(prior.state_dict())
    found = laid(given).log_prob(z.unsqueeze(2)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    with pytest.raises(OptionError, match="needs data with a condition"):
        ConditionalNormal((Z,))


@pytest.mark.parametrize("posterior", ["full-covariance", "diagonal"])
def test_ivae_s_bound_is_its_formula(posterior):
    torch.manual_seed(1)
    built = build_recipe("ivae", SPEC, latent_dim=Z, hidden=(5,), posterior=posterior, noise=NOISE)
    model, objective = built.model.double().train(), built.objective
    x, given = torch.randn(B, D), torch.eye(C)[[0, 1, 2, 2, 1, 0]]
    evidence = model.evidence(x, 1, condition=given)
    mean, scale = (torch.from_numpy(part) for part in by_hand(model.prior, given))
    q, p = evidence.q, MultivariateNormal(mean, torch.diag_embed(scale**2))
    covariance = q.factor @ q.factor.mT if hasattr(q, "factor") else torch.diag_embed(q.variance)
    rate = kl_divergence(MultivariateNormal(q.mean, covariance), p)
    torch.testing.assert_close(evidence.rate, rate)
    # The decoder reads z alone, and the noise has its fixed scale.
    rebuilt = model.decoder(evidence.z[0])[:, 0]
    distortion = -norm.logpdf(x.numpy(), rebuilt.detach().numpy(), NOISE).sum(1)
    np.testing.assert_allclose(evidence.distortion[0].detach().numpy(), distortion, rtol=1e-6)
    expected = torch.from_numpy(distortion).mean() + rate.mean()
    torch.testing.assert_close(objective(evidence).total, expected, rtol=1e-6, atol=0)
    # The condition moves p(z|u) and q(z|x, u).
    other = model.evidence(x, 1, condition=given.roll(1, 1))
    assert not other.q.mean.allclose(q.mean)
    assert not other.p.loc.allclose(evidence.p.loc)
