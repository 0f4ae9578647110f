"""The spike and slab against scipy, and its fit to codes."""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from isthmus.priors import FittedSpikeSlab, SpikeSlab


def test_density_moments_and_draws(float64):
    share, loc, scale = (
        torch.tensor([0.3, 1.0]),
        torch.tensor([1.5, -0.4]),
        torch.tensor([0.6, 2.0]),
    )
    p = SpikeSlab(share, loc, scale)
    z = torch.tensor([[0.0, 0.7], [1.1, 0.0], [-0.2, -3.0]])
    slab = stats.norm(loc.numpy(), scale.numpy()).logpdf(z.numpy())
    first = np.where(z[:, 0] == 0, np.log(0.7), np.log(0.3) + slab[:, 0])
    np.testing.assert_allclose(p.log_prob(z).numpy(), first + slab[:, 1])
    drawn = p.sample((200_000,))
    np.testing.assert_allclose((drawn != 0).double().mean(0), share, atol=0.005)
    np.testing.assert_allclose(drawn.mean(0), p.mean, atol=0.02)
    np.testing.assert_allclose(drawn.var(0), p.variance, rtol=0.02)


def test_it_is_the_standard_normal_until_it_is_fitted(float64):
    prior = FittedSpikeSlab((3,))
    z = torch.randn(5, 3)
    expected = stats.norm.logpdf(z.numpy()).sum(1)
    np.testing.assert_allclose(prior().log_prob(z).numpy(), expected)
    codes = torch.randn(500, 3).clamp(min=0) * torch.tensor([1.0, 2.0, 0.0])
    prior.fit(codes)
    for j in (0, 1):
        on = codes[:, j][codes[:, j] != 0].numpy()
        assert prior.share[j].item() == len(on) / 500
        np.testing.assert_allclose(prior.loc[j].item(), on.mean())
        np.testing.assert_allclose(prior.scale[j].item(), on.std())
    assert prior.share[2] == 0
    assert prior().sample((100,))[:, 2].abs().sum() == 0
