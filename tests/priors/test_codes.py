"""Priors over integer codes: entropies of known processes."""

import itertools
import math

import numpy as np
import pytest
import torch

from isthmus.errors import OptionError
from isthmus.networks import CausalTransformer
from isthmus.priors import AutoregressiveCodes, UniformCodes

TRANSITION = np.array([[0.9, 0.1, 0.0], [0.2, 0.2, 0.6], [0.5, 0.0, 0.5]])
START = np.array([0.5, 0.3, 0.2])
T = 6


def markov(n, seed):
    random = np.random.default_rng(seed)
    rows = np.zeros((n, T), dtype=np.int64)
    for row in rows:
        row[0] = random.choice(3, p=START)
        for t in range(1, T):
            row[t] = random.choice(3, p=TRANSITION[row[t - 1]])
    return torch.as_tensor(rows)


def entropy():
    """Of the chain in nats, by adding up the conditional entropies."""
    total, p = 0.0, START
    logs = np.log(np.where(TRANSITION > 0, TRANSITION, 1.0))
    total -= (START * np.log(START)).sum()
    for _ in range(T - 1):
        total -= (p[:, None] * TRANSITION * logs).sum()
        p = p @ TRANSITION
    return total


@pytest.fixture(scope="module")
def fitted():
    torch.manual_seed(0)
    prior = AutoregressiveCodes((2, 3), 3, width=32, steps=250)
    prior.fit(markov(3000, 0).view(-1, 2, 3))
    return prior


def test_uniform_codes_cost_exactly_their_bits():
    prior = UniformCodes((4, 2), 8)
    k = torch.randint(8, (5, 4, 2))
    torch.testing.assert_close(prior().log_prob(k), torch.full((5,), -8 * math.log(8)))
    drawn = prior().sample((4000,))
    assert drawn.shape == (4000, 4, 2)
    torch.testing.assert_close(
        torch.bincount(drawn.flatten(), minlength=8) / drawn.numel(),
        torch.full((8,), 1 / 8),
        atol=0.01,
        rtol=0,
    )


def test_it_is_uniform_until_it_is_fitted():
    prior = AutoregressiveCodes((4,), 8)
    k = torch.randint(8, (5, 4))
    torch.testing.assert_close(prior().log_prob(k), torch.full((5,), -4 * math.log(8)))


def test_no_integer_sees_itself_or_what_follows():
    torch.manual_seed(0)
    network = CausalTransformer(5, 6)
    torch.nn.init.normal_(network.logits.weight)
    past = torch.randint(5, (3, 5))
    before = network(past)
    for t in range(5):
        changed = past.clone()
        changed[:, t] = (changed[:, t] + 1) % 5
        after = network(changed)
        assert after[:, : t + 1].equal(before[:, : t + 1]) or torch.allclose(
            after[:, : t + 1], before[:, : t + 1], atol=1e-6
        )
        assert not torch.allclose(after[:, t + 1], before[:, t + 1], atol=1e-3)


def test_the_probabilities_of_all_sequences_sum_to_one(fitted):
    every = torch.tensor(list(itertools.product(range(3), repeat=T))).view(-1, 2, 3)
    assert float(fitted().log_prob(every).logsumexp(0)) == pytest.approx(0.0, abs=1e-4)


def test_fitted_to_a_markov_chain_it_comes_close_to_the_entropy(fitted):
    held_out = markov(3000, 1).view(-1, 2, 3)
    cost = -float(fitted().log_prob(held_out).mean())
    # The chain's own cost on the same draws takes the luck of the draw out of the comparison.
    rows = held_out.view(-1, T).numpy()
    chain = np.log(START[rows[:, 0]]) + np.log(TRANSITION[rows[:, :-1], rows[:, 1:]]).sum(1)
    assert -chain.mean() == pytest.approx(entropy(), abs=0.1)
    assert 0.0 < cost + chain.mean() < 0.06


def test_its_draws_follow_the_chain(fitted):
    torch.manual_seed(0)
    drawn = fitted().sample((3000,)).view(-1, T).numpy()
    for before, after in itertools.product(range(3), repeat=2):
        at = drawn[:, :-1] == before
        share = (drawn[:, 1:][at] == after).mean()
        assert share == pytest.approx(TRANSITION[before, after], abs=0.05)


def test_two_fits_are_alike_and_leave_the_global_chance_alone():
    torch.manual_seed(0)
    one = AutoregressiveCodes((3,), 3, width=16, steps=10)
    two = AutoregressiveCodes((3,), 3, width=16, steps=10)
    two.load_state_dict(one.state_dict())
    k = torch.randint(3, (50, 3))
    state = torch.get_rng_state()
    one.fit(k)
    assert torch.get_rng_state().equal(state)
    with torch.no_grad():
        two.fit(k)
    assert one().log_prob(k).equal(two().log_prob(k))
    assert not any(p.requires_grad for p in one.parameters())


@pytest.mark.parametrize("make", [UniformCodes, AutoregressiveCodes])
def test_a_posterior_without_integers_is_refused(make):
    with pytest.raises(OptionError, match="'vq'"):
        make()
