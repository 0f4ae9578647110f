"""Posteriors and the ways to take a code from one."""

import pytest
import torch

from isthmus.errors import UnknownNameError, UnsupportedError
from isthmus.posteriors import Deterministic, DiagonalGaussian, code

H = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))


def test_the_diagonal_gaussian_reads_mean_and_log_variance_from_its_head():
    posterior = DiagonalGaussian(8, (3,))
    q = posterior(H)
    out = H @ posterior.head.weight.T + posterior.head.bias
    torch.testing.assert_close(q.mean, out[:, :3])
    torch.testing.assert_close(q.variance, out[:, 3:].exp())
    reference = torch.distributions.Normal(out[:, :3], (0.5 * out[:, 3:]).exp())
    z = torch.randn(2, 5, 3)
    torch.testing.assert_close(q.log_prob(z), reference.log_prob(z).sum(-1))


def test_extreme_log_variances_stay_finite():
    posterior = DiagonalGaussian(8, (3,))
    q = posterior(1e6 * H)
    assert q.stddev.isfinite().all()
    assert (q.stddev > 0).all()


def test_modes_are_what_they_say():
    posterior = DiagonalGaussian(8, (3,))
    q = posterior(H)
    assert torch.equal(code(posterior, q, "mean"), q.mean)
    assert torch.equal(code(posterior, q, "argmax"), q.mean)
    draws = torch.stack([code(posterior, q, "sample") for _ in range(4000)])
    torch.testing.assert_close(draws.mean(0), q.mean, atol=0.1, rtol=0)
    torch.testing.assert_close(draws.std(0), q.stddev, atol=0.1, rtol=0.05)


def test_argmax_of_a_point_is_refused_with_recipes_that_have_one():
    posterior = Deterministic(8, (3,))
    q = posterior(H)
    assert torch.equal(code(posterior, q, "mean"), code(posterior, q, "sample"))
    with pytest.raises(UnsupportedError) as caught:
        code(posterior, q, "argmax")
    message = str(caught.value)
    assert "has no density" in message
    assert "mode='mean'" in message
    assert " vae," in message
    assert " ae" not in message.split("(")[-1]


def test_an_unknown_mode_says_the_nearest():
    posterior = DiagonalGaussian(8, (3,))
    with pytest.raises(UnknownNameError, match="Did you mean 'mean'"):
        code(posterior, posterior(H), "meen")


def test_codes_of_any_shape():
    q = DiagonalGaussian(8, (2, 3, 4))(H)
    assert q.sample((7,)).shape == (7, 5, 2, 3, 4)
    assert q.log_prob(q.sample((7,))).shape == (7, 5)
