"""Paired tests against scipy, and Holm's adjustment against its definition."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from isthmus.evaluation.pairs import holm, paired_tests


def test_a_pair_is_students_paired_test():
    random = np.random.default_rng(0)
    a, b = random.normal(size=200), random.normal(0.2, 1.0, size=200)
    (pair,) = paired_tests([("a", {"nll": a}), ("b", {"nll": b})])
    theirs = ttest_rel(b, a)
    assert (pair.better, pair.worse) == ("a", "b")
    assert pair.difference == pytest.approx((b - a).mean())
    assert pair.p == pytest.approx(theirs.pvalue)
    assert pair.difference / pair.error == pytest.approx(theirs.statistic)


def test_each_figure_is_adjusted_for_its_own_pairs():
    random = np.random.default_rng(1)
    models = [(name, {"r2": random.normal(size=50)}) for name in "abc"]
    models[0][1]["nll"] = models[1][1]["nll"] = random.normal(size=50)
    found = paired_tests(models)
    assert [pair.figure for pair in found] == ["r2"] * 3 + ["nll"]
    values = {name: figures["r2"] for name, figures in models}
    raw = [ttest_rel(values[p.worse], values[p.better]).pvalue for p in found[:3]]
    assert [p.p for p in found[:3]] == pytest.approx(holm(raw))
    # The same values datum by datum: nothing speaks for a difference.
    assert found[3].p == 1.0


def test_holm_multiplies_the_least_by_the_number_of_tests():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
