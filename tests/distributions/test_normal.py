"""The KL of diagonal normals."""

from __future__ import annotations

import torch
from torch.distributions import Independent, Normal, kl_divergence

from isthmus.distributions import DiagonalNormal


def test_kl_is_torchs_for_a_batch_against_a_prior() -> None:
    loc, other = torch.randn(5, 3).double(), torch.randn(3).double()
    scale, other_scale = torch.rand(5, 3).double() + 0.1, torch.rand(3).double() + 0.1
    ours = kl_divergence(DiagonalNormal(loc, scale), DiagonalNormal(other, other_scale))
    twin = Independent(Normal(other.expand(5, 3), other_scale.expand(5, 3)), 1)
    assert ours.shape == (5,)
    torch.testing.assert_close(ours, kl_divergence(Independent(Normal(loc, scale), 1), twin))


def test_kl_to_a_standard_normal_takes_the_same_value_by_the_short_way() -> None:
    q = DiagonalNormal(torch.randn(5, 2, 3), torch.rand(5, 2, 3) + 0.1, event_dims=2)
    zeros = torch.zeros(2, 3)
    short = DiagonalNormal(zeros, torch.tensor(1.0), event_dims=2, is_standard=True)
    long = DiagonalNormal(zeros, torch.tensor(1.0), event_dims=2)
    torch.testing.assert_close(kl_divergence(q, short), kl_divergence(q, long))
    torch.testing.assert_close(kl_divergence(q, short.expand((5,))), kl_divergence(q, long))


def test_a_prior_expands_to_a_batch() -> None:
    prior = DiagonalNormal(torch.zeros(3), torch.ones(3))
    assert prior.batch_shape == ()
    wide = prior.expand((4, 2))
    assert wide.rsample((6,)).shape == (6, 4, 2, 3)
    torch.testing.assert_close(wide.entropy(), prior.entropy().expand(4, 2))


def test_kl_gradients() -> None:
    loc = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    log_scale = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    prior = DiagonalNormal(
        torch.zeros(3, dtype=torch.float64), torch.ones((), dtype=torch.float64), is_standard=True
    )
    assert torch.autograd.gradcheck(
        lambda m, s: kl_divergence(DiagonalNormal(m, s.exp()), prior), (loc, log_scale)
    )
