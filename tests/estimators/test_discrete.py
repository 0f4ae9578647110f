"""Estimators whose codes are choices: integers, probabilities, and the way back."""

import numpy as np
import pytest

from isthmus.estimators import Autoencoder


@pytest.mark.parametrize(("mode", "width"), [("argmax", 2), ("softmax", 8), ("sample", 8)])
def test_choices_are_as_wide_as_the_mode_makes_them(mode, width):
    X = np.random.default_rng(0).normal(size=(40, 3))
    estimator = Autoencoder(
        recipe="categorical-vae",
        latent_dim=2,
        hidden=(8,),
        epochs=1,
        options={"n_categories": 4},
        encode_mode=mode,
        random_state=0,
    ).fit(X)
    codes = estimator.transform(X)
    assert codes.shape == (40, width)
    assert len(estimator.get_feature_names_out()) == width
    if mode == "argmax":
        assert set(np.unique(codes)) <= {0, 1, 2, 3}
        one_hot = np.eye(4)[codes].reshape(40, 8)
        other = Autoencoder(encode_mode="softmax").set_params(latent_dim=2)
        other.__dict__.update({k: v for k, v in vars(estimator).items() if k.endswith("_")})
        other._seed = estimator._seed
        np.testing.assert_allclose(
            estimator.inverse_transform(codes), other.inverse_transform(one_hot)
        )
