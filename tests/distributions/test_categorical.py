"""The categorical over class indices."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Categorical as TorchCategorical

from isthmus.distributions import Categorical
from isthmus.errors import UnsupportedError


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(2, 3, 4, 5, 6, dtype=torch.float64)  # S, B, K, *D


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_log_prob_is_torchs(logits: torch.Tensor, dtype: torch.dtype) -> None:
    x = torch.randint(0, 4, (3, 5, 6))
    p = Categorical(logits, event_dims=2)
    assert (p.batch_shape, p.event_shape) == ((2, 3), (5, 6))
    twin = TorchCategorical(logits=logits.movedim(2, -1))
    torch.testing.assert_close(p.log_prob(x.to(dtype)), twin.log_prob(x).sum((-2, -1)))
    torch.testing.assert_close(p.entropy(), twin.entropy().sum((-2, -1)))
    torch.testing.assert_close(p.probs.sum(2), torch.ones_like(p.probs[:, :, 0]))


def test_samples_mode_and_expand(logits: torch.Tensor) -> None:
    p = Categorical(logits, event_dims=2)
    samples = p.sample((3000,))
    assert samples.shape == (3000, 2, 3, 5, 6)
    shares = torch.stack([(samples == k).double().mean(0) for k in range(4)], 2)
    torch.testing.assert_close(shares, p.probs, atol=0.045, rtol=0)
    assert torch.equal(p.mode, p.probs.argmax(2).double())
    x = torch.randint(0, 4, (3, 5, 6))
    wide = Categorical(logits[:1], event_dims=2).expand((2, 3))
    torch.testing.assert_close(wide.log_prob(x)[1], p.log_prob(x)[0])


def test_indices_have_no_mean(logits: torch.Tensor) -> None:
    p = Categorical(logits, event_dims=2)
    with pytest.raises(UnsupportedError, match="mode"):
        _ = p.mean
    with pytest.raises(UnsupportedError, match="mode"):
        _ = p.variance
