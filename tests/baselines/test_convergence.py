import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning

from isthmus.baselines.convergence import noted


def warn(category):
    warnings.warn("a word", category, stacklevel=2)
    return 3


def test_a_convergence_warning_becomes_a_note():
    assert noted(lambda: 3, "It") == (3, ())
    result, notes = noted(lambda: warn(ConvergenceWarning), "It")
    assert result == 3
    assert notes == ("It stopped at its iteration limit before it had converged.",)


def test_other_warnings_go_on():
    with pytest.warns(UserWarning, match="a word"):
        noted(lambda: warn(UserWarning), "It")
