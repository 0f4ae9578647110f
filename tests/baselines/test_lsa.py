import numpy as np

from isthmus.baselines import LatentSemanticAnalysis

COUNTS = (
    np.random.default_rng(0)
    .poisson(
        np.random.default_rng(1).gamma(0.3, 2, size=(120, 4))
        @ np.random.default_rng(2).gamma(0.3, 2, size=(4, 40))
    )
    .astype(np.float64)
)


def test_it_reconstructs_as_the_truncated_singular_value_decomposition():
    u, s, vt = np.linalg.svd(COUNTS, full_matrices=False)
    ours = LatentSemanticAnalysis(4).fit(COUNTS)
    codes = ours.encode(COUNTS)
    np.testing.assert_allclose(ours.decode(codes), (u[:, :4] * s[:4]) @ vt[:4], atol=1e-6)
    np.testing.assert_allclose(np.abs(codes), np.abs(u[:, :4] * s[:4]), atol=1e-6)
    assert ours.n_parameters == 4 * 40


def test_it_is_not_centred():
    ours = LatentSemanticAnalysis(1).fit(COUNTS)
    np.testing.assert_allclose(ours.decode(np.zeros((1, 1))), np.zeros((1, 40)))
