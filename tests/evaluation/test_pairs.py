"""Paired tests against scipy, and Holm's adjustment against its definition."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from isthmus.evaluation.pairs import Pair, holm, paired_tests, winners
from isthmus.metrics import auc
from isthmus.metrics.ranking import placements


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


def test_the_winner_of_each_figure_stands_against_the_next():
    random = np.random.default_rng(2)
    base = random.normal(size=400)
    models = [
        ("worst", {"r2": base + 2.0 + 0.1 * random.normal(size=400)}),
        ("best", {"r2": base, "nll": base}),
        ("next", {"r2": base + 1.0 + 0.1 * random.normal(size=400)}),
        ("other", {"nll": base + 3.0 * random.normal(size=400)}),
    ]
    r2, nll = winners(paired_tests(models))
    assert (r2.better, r2.worse, r2.purpose) == ("best", "next", "reconstruction")
    assert r2.gap == f"{r2.difference:.4f} ± {r2.error:.4f}"
    assert r2.difference == pytest.approx(1.0, abs=0.02)
    assert (r2.chance, r2.within_noise) == ("p < 0.001", False)
    assert nll.within_noise
    assert nll.chance == f"p = {nll.p:.3f}"
    assert winners([]) == []
    assert Pair("r2", "a", "b", 0.0, 0.0, 1.0).gap == "0"
    assert Pair("r2", "a", "b", 3e-9, 2e-9, 1.0).gap == "3e-09 ± 2e-09"
    assert Pair("nll", "a", "b", 1234.4, 12.0, 0.0).gap == "1,234 ± 12"


def test_the_parts_of_an_auc_give_delongs_error():
    """Against the variance of the area over many drawn sets of pairs."""
    random = np.random.default_rng(3)

    def parts(n):
        normal = random.normal(size=n)
        spoiled = 0.5 * normal + random.normal(1.0, 1.0, size=n)
        scores, truth = np.concatenate([normal, spoiled]), np.repeat([False, True], n)
        found = auc(scores, truth)
        return found, 1.0 + found - np.add(*placements(scores, truth))

    areas = np.array([parts(200)[0] for _ in range(400)])
    found, missed = parts(200)
    assert 1.0 - missed.mean() == pytest.approx(found)
    assert missed.std(ddof=1) / np.sqrt(200) == pytest.approx(areas.std(), rel=0.15)


def test_what_differs_by_rounding_alone_is_the_same():
    values = np.random.default_rng(4).random(50)
    (pair,) = paired_tests([("a", {"r2": values}), ("b", {"r2": values * (1 + 1e-13)})])
    assert pair.alike
    assert (pair.difference, pair.error, pair.p) == (0.0, 0.0, 1.0)
    (pair,) = paired_tests([("a", {"r2": values}), ("b", {"r2": values + 1e-6})])
    assert not pair.alike
