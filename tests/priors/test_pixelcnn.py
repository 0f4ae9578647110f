"""The prior over grids of codes: what it sees, that it sums to one, and what it learns."""

import itertools
import math

import numpy as np
import pytest
import torch

from isthmus.errors import OptionError
from isthmus.networks import PixelCNN
from isthmus.priors import PixelCNNPrior


def opened(n_codes, shape, **options):
    """A network whose logits are not zero."""
    torch.manual_seed(0)
    network = PixelCNN(n_codes, shape, **options).double()
    for head in network.logits:
        torch.nn.init.normal_(head.weight)
    return network


@pytest.mark.parametrize("shape", [(1, 6, 1), (5, 1, 1), (4, 9, 1), (7, 7, 1), (3, 4, 3)])
@pytest.mark.parametrize("layers", [1, 6])
def test_a_logit_depends_on_all_that_comes_before_it_and_on_nothing_else(shape, layers):
    network = opened(3, shape, width=4, layers=layers)
    k = torch.randint(3, (1, *shape))
    inputs = {}

    def catch(table, given, found):
        # Each look-up as a leaf of its own, so that its slope can be asked for.
        return inputs.setdefault(table, found.detach().requires_grad_())

    hooks = [m.register_forward_hook(catch) for m in (network.token, *network.within)]
    logits = network(k)
    for hook in hooks:
        hook.remove()
    size = math.prod(shape)
    flat = logits.flatten(0, -2)
    chance = torch.randn_like(flat)
    stages = shape[-1]
    seen = torch.zeros(size, size, dtype=torch.bool)
    for i in range(size):
        grads = torch.autograd.grad(
            (flat[i] * chance[i]).sum(), list(inputs.values()), retain_graph=True, allow_unused=True
        )
        seen[i] = (grads[0] != 0).any(-1).flatten()
        for s, grad in enumerate(grads[1:]):
            if grad is not None:
                seen[i, s::stages] |= (grad != 0).any(-1).flatten()
    assert seen.equal(torch.ones(size, size).tril(-1).bool())


def test_no_digit_of_a_logit_is_moved_by_what_comes_later():
    network = opened(4, (4, 5, 2), width=8)
    k = torch.randint(4, (2, 4, 5, 2))
    before = network(k).flatten(1, 3)
    for i in range(40):
        changed = k.clone().flatten(1)
        changed[:, i] = (changed[:, i] + 1) % 4
        after = network(changed.view_as(k)).flatten(1, 3)
        assert after[:, : i + 1].equal(before[:, : i + 1])


@pytest.mark.parametrize(("shape", "n_codes"), [((2, 3), 3), ((2, 2, 2), 2), ((3, 2, 1), 3)])
def test_the_probabilities_of_all_grids_sum_to_one_and_draws_follow_them(shape, n_codes):
    prior = PixelCNNPrior(shape, n_codes, width=6, layers=2)
    cells = shape if len(shape) == 3 else (*shape, 1)
    prior.network = opened(n_codes, cells, width=6, layers=2)
    size = math.prod(shape)
    every = torch.tensor(list(itertools.product(range(n_codes), repeat=size))).view(-1, *shape)
    log_p = prior().log_prob(every).detach()
    assert float(log_p.logsumexp(0)) == pytest.approx(0.0, abs=1e-10)
    n = 5000
    torch.manual_seed(1)
    drawn = prior().sample((n,)).view(n, size)
    place = n_codes ** torch.arange(size - 1, -1, -1)
    counts = torch.bincount((drawn * place).sum(1), minlength=len(every)).double()
    p = log_p.exp()
    # Pearson's statistic over grids that are likely enough, within six of its own spreads.
    likely = n * p > 5
    degrees = int(likely.sum())
    statistic = float(((counts - n * p).square() / (n * p))[likely].sum())
    assert degrees > 10
    assert abs(statistic - degrees) < 6 * math.sqrt(2 * degrees)


def corners(n, seed):
    """(n, 4, 4): the first row by chance, a cell below the sum of the two diagonal ones above it,
    modulo 3, but for one in ten by chance.
    """
    random = np.random.default_rng(seed)
    k = random.integers(3, size=(n, 4, 4))
    for row in range(1, 4):
        for column in range(4):
            left, right = k[:, row - 1, max(column - 1, 0)], k[:, row - 1, min(column + 1, 3)]
            ruled = random.random(n) < 0.9
            k[:, row, column] = np.where(ruled, (left + right) % 3, k[:, row, column])
    return torch.as_tensor(k)


def test_fitted_to_a_process_that_reads_both_diagonals_it_comes_close_to_the_entropy():
    torch.manual_seed(0)
    prior = PixelCNNPrior((4, 4), 3, width=24, steps=350, layers=3, lr=1e-2)
    k = corners(4000, 0)
    uniform = 16 * math.log(3)
    assert -float(prior().log_prob(k[:50]).mean()) == pytest.approx(uniform, rel=1e-5)
    prior.fit(k)
    held_out = corners(1000, 1)
    p = np.array([0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3])
    entropy = 4 * math.log(3) - 12 * float((p * np.log(p)).sum())
    cost = -float(prior().log_prob(held_out).mean())
    assert entropy - 0.3 < cost < entropy + 0.5 < 0.6 * uniform
    assert not any(q.requires_grad for q in prior.parameters())


def test_codes_that_lie_in_no_grid_are_refused():
    with pytest.raises(OptionError, match="'vq'"):
        PixelCNNPrior()
    with pytest.raises(OptionError, match="autoregressive-codes"):
        PixelCNNPrior((8,), 16)
