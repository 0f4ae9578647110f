import numpy as np
import pytest
from sklearn import decomposition
from sklearn.datasets import load_digits

from isthmus.baselines import NonNegativeFactors
from isthmus.errors import DataError

DIGITS = load_digits().data / 16


def test_it_is_scikit_learns():
    theirs = decomposition.NMF(6, init="nndsvda", max_iter=500, random_state=0).fit(DIGITS[:300])
    ours = NonNegativeFactors(6).fit(DIGITS[:300])
    codes = ours.encode(DIGITS[300:350])
    np.testing.assert_allclose(codes, theirs.transform(DIGITS[300:350]), rtol=1e-10)
    np.testing.assert_allclose(ours.decode(codes), codes @ theirs.components_, rtol=1e-10)
    assert codes.min() >= 0
    assert ours.n_parameters == 6 * 64


def test_it_recovers_what_is_a_sum_of_parts():
    random = np.random.default_rng(0)
    x = random.gamma(0.5, size=(200, 3)) @ random.gamma(0.5, size=(3, 10))
    ours = NonNegativeFactors(3).fit(x)
    error = ((x - ours.decode(ours.encode(x))) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()
    assert error < 0.002


def test_data_below_zero_are_refused():
    assert NonNegativeFactors.needs_non_negative
    x = DIGITS[:20].copy()
    ours = NonNegativeFactors(2).fit(x)
    x[3, 4] = -1.5
    with pytest.raises(
        DataError, match=r"-1\.5 in row 3, column 4; NMF needs values of zero or more"
    ):
        ours.encode(x)
    with pytest.raises(DataError, match="take PCA"):
        ours.fit(x)


def test_an_unfinished_fit_is_a_note_and_no_warning(monkeypatch):
    monkeypatch.setattr("isthmus.baselines.nmf.MAX_ITERATIONS", 2)
    ours = NonNegativeFactors(6).fit(DIGITS[:100])
    assert ours.notes == ("NMF stopped at its iteration limit before it had converged.",)
    assert ours.encode(DIGITS[:5]).shape == (5, 6)
