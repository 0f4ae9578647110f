"""The estimators: any recipe by name, and short names for the best known ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from numpy.random import RandomState

from isthmus.estimators.base import LatentEstimator
from isthmus.estimators.parameters import check_weight, check_whole


@final
class Autoencoder(LatentEstimator):
    """Any recipe as a scikit-learn transformer.

    Training is in float32; afterwards float64 data are answered in float64 and float32 data in
    float32. Where `likelihood` is "auto", rows of zeros and ones get a Bernoulli likelihood, sparse
    matrices of whole numbers from 0 up one for counts, and anything else a Gaussian.

    Args:
        recipe: As `isthmus recipes` lists it.
        latent_dim: Z, the width of the code.
        epochs: Passes over the data; None takes as many as make about 6,000 steps (10 to 100).
        minutes: In place of epochs, a wall-clock budget.
        batch_size: Rows per step.
        lr: The peak learning rate.
        network: auto, mlp, conv, residual or linear.
        hidden: Widths of the hidden layers; None leaves them to the network.
        likelihood: p(x|z) by name; auto takes the one that fits the values.
        shape: What a row is an image of, (channels, height, width), so that convolutions apply;
            None for a table.
        options: Further options of the recipe and settings of the training, such as
            {"beta": 2.0, "clip": 1.0}.
        encode_mode: What `transform` returns: the posterior's "mean", "argmax" or a "sample".
        n_samples: Importance samples per row of `score` and `score_samples`.
        validation_fraction: Share of the rows that chooses the best weights and when to stop; where
            that is fewer than 5 rows, all rows do both.
        device: auto, cpu, cuda, cuda:1, mps.
        threads: CPU threads; auto measures. A fixed number gives the same bits on the same machine
            every time.
        verbose: 1 shows progress on standard error.
        random_state: Of initialisation, split, order and noise.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> X = load_digits().data / 16
        >>> codes = Autoencoder("vae", latent_dim=8, epochs=2, random_state=0).fit_transform(X)
        >>> codes.shape
        (1797, 8)
    """

    def __init__(
        self,
        recipe: str = "vae",
        latent_dim: int = 16,
        *,
        epochs: int | None = None,
        minutes: float | None = None,
        batch_size: int = 128,
        lr: float = 2e-3,
        network: str = "auto",
        hidden: Sequence[int] | None = None,
        likelihood: str = "auto",
        shape: Sequence[int] | None = None,
        options: dict[str, Any] | None = None,
        encode_mode: str = "mean",
        n_samples: int = 100,
        validation_fraction: float = 0.1,
        device: str = "auto",
        threads: int | str = "auto",
        verbose: int = 0,
        random_state: int | RandomState | None = None,
    ) -> None:
        super().__init__(
            latent_dim,
            epochs=epochs,
            minutes=minutes,
            batch_size=batch_size,
            lr=lr,
            network=network,
            hidden=hidden,
            likelihood=likelihood,
            shape=shape,
            options=options,
            encode_mode=encode_mode,
            n_samples=n_samples,
            validation_fraction=validation_fraction,
            device=device,
            threads=threads,
            verbose=verbose,
            random_state=random_state,
        )
        self.recipe = recipe

    def _choice(self) -> tuple[str, dict[str, Any]]:
        return self.recipe, {}


@final
class AE(LatentEstimator):
    """A plain autoencoder: the best reconstruction at a given width; `score` is its R².

    The parameters are those of `Autoencoder` without the recipe.

    Reference:
        Hinton & Salakhutdinov, Reducing the dimensionality of data with neural networks,
        Science 313.
    """

    def _choice(self) -> tuple[str, dict[str, Any]]:
        return "ae", {}


@final
class VAE(LatentEstimator):
    """A variational autoencoder: codes that fill the space, new data, and log p(x) of old ones.

    The parameters are those of `Autoencoder` without the recipe.

    Reference:
        Kingma & Welling, Auto-Encoding Variational Bayes, arXiv 1312.6114.
    """

    def _choice(self) -> tuple[str, dict[str, Any]]:
        return "vae", {}


@final
class BetaVAE(LatentEstimator):
    """A VAE whose rate is weighed by beta: fewer nats in the code, each dimension more its own.

    The other parameters are those of `Autoencoder` without the recipe.

    Args:
        beta: The weight; 1 is the VAE.

    Reference:
        Higgins et al., beta-VAE, ICLR 2017.
    """

    def __init__(
        self,
        latent_dim: int = 16,
        *,
        beta: float = 4.0,
        epochs: int | None = None,
        minutes: float | None = None,
        batch_size: int = 128,
        lr: float = 2e-3,
        network: str = "auto",
        hidden: Sequence[int] | None = None,
        likelihood: str = "auto",
        shape: Sequence[int] | None = None,
        options: dict[str, Any] | None = None,
        encode_mode: str = "mean",
        n_samples: int = 100,
        validation_fraction: float = 0.1,
        device: str = "auto",
        threads: int | str = "auto",
        verbose: int = 0,
        random_state: int | RandomState | None = None,
    ) -> None:
        super().__init__(
            latent_dim,
            epochs=epochs,
            minutes=minutes,
            batch_size=batch_size,
            lr=lr,
            network=network,
            hidden=hidden,
            likelihood=likelihood,
            shape=shape,
            options=options,
            encode_mode=encode_mode,
            n_samples=n_samples,
            validation_fraction=validation_fraction,
            device=device,
            threads=threads,
            verbose=verbose,
            random_state=random_state,
        )
        self.beta = beta

    def _choice(self) -> tuple[str, dict[str, Any]]:
        check_weight("beta", self.beta)
        return "beta-vae", {"beta": self.beta}


@final
class IWAE(LatentEstimator):
    """A VAE trained on the tighter bound of several importance samples: the best likelihood.

    The other parameters are those of `Autoencoder` without the recipe.

    Args:
        importance_samples: Samples of the training bound; time grows in proportion.

    Reference:
        Burda et al., Importance Weighted Autoencoders, arXiv 1509.00519.
    """

    def __init__(
        self,
        latent_dim: int = 16,
        *,
        importance_samples: int = 5,
        epochs: int | None = None,
        minutes: float | None = None,
        batch_size: int = 128,
        lr: float = 2e-3,
        network: str = "auto",
        hidden: Sequence[int] | None = None,
        likelihood: str = "auto",
        shape: Sequence[int] | None = None,
        options: dict[str, Any] | None = None,
        encode_mode: str = "mean",
        n_samples: int = 100,
        validation_fraction: float = 0.1,
        device: str = "auto",
        threads: int | str = "auto",
        verbose: int = 0,
        random_state: int | RandomState | None = None,
    ) -> None:
        super().__init__(
            latent_dim,
            epochs=epochs,
            minutes=minutes,
            batch_size=batch_size,
            lr=lr,
            network=network,
            hidden=hidden,
            likelihood=likelihood,
            shape=shape,
            options=options,
            encode_mode=encode_mode,
            n_samples=n_samples,
            validation_fraction=validation_fraction,
            device=device,
            threads=threads,
            verbose=verbose,
            random_state=random_state,
        )
        self.importance_samples = importance_samples

    def _choice(self) -> tuple[str, dict[str, Any]]:
        check_whole("importance_samples", self.importance_samples)
        return "iwae", {"samples": self.importance_samples}
