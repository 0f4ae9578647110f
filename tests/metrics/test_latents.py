"""Statistics of codes by channel, against loops over channels."""

import numpy as np
import pytest
import torch

from isthmus.errors import DataError
from isthmus.metrics import latent_statistics


@pytest.mark.parametrize("shape", [(50, 4), (20, 4, 6), (20, 4, 5, 3)])
def test_each_channel_is_over_all_data_and_cells(shape):
    rng = np.random.default_rng(0)
    scale = np.array([1.0, 3.0, 0.1, 2.0]).reshape(1, 4, *[1] * (len(shape) - 2))
    codes = rng.normal(size=shape) * scale + scale
    found = latent_statistics(codes)
    for k in range(4):
        channel = torch.as_tensor(codes[:, k]).flatten()
        assert found.means[k] == pytest.approx(float(channel.mean()))
        assert found.deviations[k] == pytest.approx(float(channel.std(correction=0)))
        assert (found.lowest[k], found.highest[k]) == (channel.min(), channel.max())
    variances = np.square(found.deviations)
    np.testing.assert_allclose(found.shares, variances / variances.sum())
    assert found.shares.argmax() == 1
    scaled = (codes - found.mean) * found.scaling_factor
    assert scaled.mean() == pytest.approx(0.0, abs=1e-12)
    assert scaled.std() == pytest.approx(1.0)


def test_constant_codes_have_no_scale():
    found = latent_statistics(np.full((5, 3), 2.0))
    assert np.isinf(found.scaling_factor)
    assert np.isnan(found.shares).all()


@pytest.mark.parametrize("codes", [np.zeros(3), np.zeros((0, 3)), np.full((2, 2), np.nan)])
def test_what_is_no_code_is_refused(codes):
    with pytest.raises(DataError):
        latent_statistics(codes)
