import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from isthmus.errors import DataError
from isthmus.metrics.outliers import auc


def test_auc_is_the_area_under_the_roc_curve():
    random = np.random.default_rng(0)
    marks = random.random(200) < 0.1
    scores = np.round(random.normal(size=200) + marks, 1)
    assert auc(scores, marks) == pytest.approx(roc_auc_score(marks, scores), rel=1e-12)


def test_auc_at_its_fixed_points():
    marks = [0, 0, 1, 1]
    assert auc([0.1, 0.2, 0.3, 0.4], marks) == 1
    assert auc([0.4, 0.3, 0.2, 0.1], marks) == 0
    assert auc([1, 1, 1, 1], marks) == 0.5
    assert auc([0.1, 0.2, 0.3, 0.4] * 2, marks * 2) == 1


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(DataError, match="0 of 3 data"):
        auc([1, 2, 3], [0, 0, 0])
    with pytest.raises(DataError, match="3 and 2 rows"):
        auc([1, 2, 3], [0, 1])
    with pytest.raises(DataError, match="inf in row 0"):
        auc([np.inf, 2], [0, 1])
