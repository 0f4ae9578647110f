"""Sparse codes against plain loops, and the gradients of what has none against the papers'."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from isthmus.errors import OptionError
from isthmus.posteriors import BatchTopK, Gated, JumpReLU, PricedBySize, TopK

B, H, Z = 7, 4, 10


@pytest.fixture
def h(float64):
    return torch.randn(B, H)


def pre_of(posterior, h):
    return h @ posterior.linear.weight.T + posterior.linear.bias


def test_topk_keeps_the_k_largest_positive_latents_of_each_datum(h):
    posterior = TopK(H, (Z,), k=3).train()
    pre, code = pre_of(posterior, h), posterior(h).mean
    for n in range(B):
        largest = sorted(range(Z), key=lambda i: -pre[n, i].item())[:3]
        for i in range(Z):
            expected = max(pre[n, i].item(), 0.0) if i in largest else 0.0
            assert code[n, i].item() == pytest.approx(expected)
    assert posterior.penalties(posterior(h)) == {}


def test_batch_topk_keeps_k_per_datum_over_the_batch_and_then_a_threshold(h):
    posterior = BatchTopK(H, (Z,), k=2).train()
    pre = pre_of(posterior, h).detach()
    kept = sorted(pre.flatten().tolist(), reverse=True)[: 2 * B]
    expected = torch.where(pre >= kept[-1], pre, 0.0)
    torch.testing.assert_close(posterior(h).mean, expected)
    assert posterior.threshold.item() == pytest.approx(kept[-1])

    other = torch.randn(B, H)
    least = sorted(pre_of(posterior, other).flatten().tolist(), reverse=True)[2 * B - 1]
    posterior(other)
    assert posterior.threshold.item() == pytest.approx(0.99 * kept[-1] + 0.01 * least)

    posterior.eval()
    code = posterior(h).mean
    torch.testing.assert_close(code, pre * (pre > posterior.threshold))
    torch.testing.assert_close(torch.cat([posterior(one[None]).mean for one in h]), code)


def test_the_price_by_size_is_the_l1_norm_and_climbs_early_in_training(h):
    posterior = PricedBySize(H, (Z,), weight=0.3)
    code = pre_of(posterior, h).clamp(min=0)
    for progress, share in ((0.0, 0.0), (0.025, 0.5), (0.05, 1.0), (1.0, 1.0)):
        posterior.train().progress.fill_(progress)
        found = posterior.penalties(posterior(h))["sparsity"]
        torch.testing.assert_close(found, share * 0.3 * code.abs().sum(1))
    posterior.eval().progress.fill_(0.0)
    torch.testing.assert_close(
        posterior.penalties(posterior(h))["sparsity"], 0.3 * code.abs().sum(1)
    )


def test_jumprelu_jumps_and_pays_for_each_latent_that_is_on(h):
    posterior = JumpReLU(H, (Z,), weight=0.2, threshold=0.3).eval()
    pre, q = pre_of(posterior, h), posterior(h)
    torch.testing.assert_close(q.mean, torch.where(pre > 0.3, pre, 0.0))
    count = torch.tensor([sum(v > 0.3 for v in row) for row in pre.tolist()])
    torch.testing.assert_close(posterior.penalties(q)["sparsity"], 0.2 * count.double())


def test_the_gradient_of_a_jump_is_the_papers(h):
    """Equations 11 and 12 of arXiv 2407.14435, element by element."""
    bandwidth, level = 0.4, 0.3
    posterior = JumpReLU(H, (Z,), weight=1.0, bandwidth=bandwidth, threshold=level)
    pre = pre_of(posterior, h).detach().requires_grad_()
    slope_code, slope_price = torch.randn(B, Z), torch.randn(B)
    q = posterior.activate(pre)
    ((slope_code * q.value).sum() + (slope_price * q.price).sum()).backward()
    for i in range(Z):
        expected = 0.0
        for n in range(B):
            kernel = float(abs(pre[n, i].item() - level) / bandwidth <= 0.5)
            expected -= level / bandwidth * kernel * slope_code[n, i].item()
            expected -= 1.0 / bandwidth * kernel * slope_price[n].item()
        # d t / d log t = t.
        assert posterior.log_threshold.grad[i].item() == pytest.approx(level * expected)
    torch.testing.assert_close(pre.grad, slope_code * (pre > level))


def test_the_thresholds_gradient_is_that_of_the_expected_loss(float64):
    """On v ~ N(0, 1): d/dt E[(v 1[v > t] - a)^2 / 2 + c 1[v > t]], by quadrature."""
    level, target, price, bandwidth = 0.4, 1.3, 0.25, 0.05

    def expected_loss(t):
        def density(v):
            return np.exp(-0.5 * v * v) / np.sqrt(2 * np.pi)

        on = quad(lambda v: (0.5 * (v - target) ** 2 + price) * density(v), t, 12, epsabs=1e-13)
        off = quad(lambda v: 0.5 * target**2 * density(v), -12, t, epsabs=1e-13)
        return on[0] + off[0]

    difference = (expected_loss(level + 1e-4) - expected_loss(level - 1e-4)) / 2e-4
    n = 400_000
    posterior = JumpReLU(1, (1,), 1.0, bandwidth, level)
    grid = (torch.arange(n) + 0.5) / n
    v = torch.special.ndtri(grid).unsqueeze(1)
    q = posterior.activate(v)
    loss = 0.5 * (q.value[:, 0] - target).square() + price * q.price
    loss.mean().backward()
    found = posterior.log_threshold.grad.item() / level
    # Near the jump half the data see the slope (t - a), half (0 - a): their mean is right.
    assert found == pytest.approx(difference, rel=0.02)


def test_gated_codes_are_magnitudes_where_the_gate_is_open(h):
    posterior = Gated(H, (Z,), weight=0.3).eval()
    for parameter in (posterior.log_ratio, posterior.offset, posterior.linear.bias):
        parameter.data.normal_()
    q, weight = posterior(h), posterior.linear.weight
    for n in range(B):
        for i in range(Z):
            gate = (weight[i] @ h[n] + posterior.linear.bias[i]).item()
            size = posterior.log_ratio[i].exp() * (weight[i] @ h[n]) + posterior.offset[i]
            expected = max(size.item(), 0.0) if gate > 0 else 0.0
            assert q.mean[n, i].item() == pytest.approx(expected)
            assert q.gate[n, i].item() == pytest.approx(max(gate, 0.0))
    torch.testing.assert_close(posterior.penalties(q)["sparsity"], 0.3 * q.gate.sum(1))


def test_a_latent_is_dead_after_steps_of_silence_and_then_says_what_it_would(h):
    posterior = TopK(H, (Z,), k=1, dead_after=3).train()
    silent = np.zeros(Z, dtype=int)
    for _ in range(4):
        x = torch.randn(2, H)
        code = posterior(x).mean
        silent = np.where((code != 0).any(0).numpy(), 0, silent + 1)
    assert posterior.silent.tolist() == silent.tolist()
    dead = silent + 1 >= 3
    q = posterior(h)
    still = dead & ~(q.mean != 0).any(0).numpy()
    assert posterior.dead.numpy().tolist() == still.tolist()
    assert still.any()
    said = pre_of(posterior, h).clamp(min=0) * torch.from_numpy(still)
    for n in range(B):
        # Half as many as the data have elements: 2 of them.
        largest = said[n].sort(descending=True).values[:2]
        torch.testing.assert_close(q.revival[n].sort(descending=True).values[:2], largest)
        assert (q.revival[n] != 0).sum() <= 2
    before = posterior.silent.clone()
    posterior.eval()(h)
    assert posterior.silent.equal(before)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TopK(H, (Z,), k=11),
        lambda: BatchTopK(H, (Z,), k=0),
        lambda: TopK(H, (2, 5)),
        lambda: JumpReLU(H, (Z,), bandwidth=0.0),
    ],
)
def test_what_cannot_be_is_refused(make):
    with pytest.raises(OptionError, match=r"use|give"):
        make()
