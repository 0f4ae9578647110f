"""The dictionary, the median that it starts at, and its directions."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import minimize

from isthmus.data import load
from isthmus.maths import geometric_median
from isthmus.networks import CentredEncoder, Dictionary


def test_the_geometric_median_has_the_least_sum_of_distances(float64):
    points = torch.randn(60, 4).exp()
    found = minimize(
        lambda m: np.linalg.norm(points.numpy() - m, axis=1).sum(), np.zeros(4), tol=1e-12
    )
    np.testing.assert_allclose(geometric_median(points).numpy(), found.x, atol=1e-5)


def test_the_median_of_one_point_and_of_mostly_one_point_is_that_point(float64):
    one = torch.tensor([1.0, -2.0])
    torch.testing.assert_close(geometric_median(one[None]), one)
    most = torch.cat([one.expand(5, 2), torch.randn(3, 2)])
    torch.testing.assert_close(geometric_median(most), one, atol=1e-8, rtol=0)


def test_a_datum_is_the_bias_and_a_sum_of_unit_directions(float64):
    dictionary = Dictionary((5,), (1, 2, 3))
    dictionary.weight.data.mul_(torch.rand(5, 1) * 7)
    dictionary.bias.data.normal_()
    z = torch.randn(4, 5)
    for n in range(4):
        expected = dictionary.bias.clone()
        for i in range(5):
            direction = dictionary.weight[i] / dictionary.weight[i].pow(2).sum().sqrt()
            expected += z[n, i] * direction
        torch.testing.assert_close(dictionary(z)[n], expected.view(1, 2, 3))


def test_centre_and_bias_start_at_the_median_of_the_scaled_data():
    rows = np.random.default_rng(0).gamma(0.5, size=(300, 3)).astype(np.float32)
    source = load(rows)
    encoder, decoder = CentredEncoder((3,)), Dictionary((4,), (1, 3))
    for part in (encoder, decoder):
        assert part.see(source, lambda x: 2.0 * x) == []
    scaled = 2.0 * rows.astype(float)
    found = minimize(lambda m: np.linalg.norm(scaled - m, axis=1).sum(), scaled.mean(0)).x
    np.testing.assert_allclose(encoder.centre.numpy(), found, atol=1e-3)
    np.testing.assert_allclose(decoder.bias.detach().numpy(), found, atol=1e-3)
    x = torch.from_numpy(rows)
    torch.testing.assert_close(encoder(x), x - encoder.centre)
