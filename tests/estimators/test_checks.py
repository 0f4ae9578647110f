"""scikit-learn's own checks, none of them expected to fail."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from isthmus.estimators import AE, IWAE, VAE, Autoencoder, BetaVAE

QUICK: dict[str, Any] = {
    "latent_dim": 2,
    "epochs": 3,
    "hidden": (16,),
    "n_samples": 4,
    "threads": 1,
}


@parametrize_with_checks(
    [
        Autoencoder("sigma-vae", **QUICK),
        AE(**QUICK),
        VAE(**QUICK),
        BetaVAE(**QUICK),
        IWAE(**QUICK),
    ]
)
def test_scikit_learn_check(estimator: Any, check: Any) -> None:
    check(estimator)
