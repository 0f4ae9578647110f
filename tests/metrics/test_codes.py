"""Codebook usage and perplexity at their fixed points and against scipy."""

import numpy as np
import pytest
from scipy.stats import entropy

from isthmus.errors import DataError
from isthmus.metrics import code_perplexity, code_usage


def test_one_code_alone_and_all_alike():
    assert code_usage(np.zeros(10, int), 8) == 1 / 8
    assert code_perplexity(np.zeros(10, int), 8) == 1.0
    every = np.tile(np.arange(8), 5)
    assert code_usage(every, 8) == 1.0
    assert code_perplexity(every, 8) == pytest.approx(8.0)


def test_perplexity_is_scipys_entropy():
    drawn = np.random.default_rng(0).geometric(0.3, size=(500, 4, 1)).clip(max=9) - 1
    counts = np.bincount(drawn.ravel(), minlength=9)
    assert code_perplexity(drawn, 9) == pytest.approx(np.exp(entropy(counts)))


def test_codebooks_of_their_own_are_averaged():
    both = np.stack([np.zeros(16, int), np.tile(np.arange(4), 4)], axis=1)
    assert code_usage(both, 4) == pytest.approx((1 / 4 + 1) / 2)
    assert code_perplexity(both, 4) == pytest.approx((1 + 4) / 2)


@pytest.mark.parametrize("wrong", [np.array([], int), np.array([0, 4]), np.array([-1])])
def test_codes_out_of_range_are_refused(wrong):
    with pytest.raises(DataError):
        code_usage(wrong, 4)
