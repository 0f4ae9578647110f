"""All measures of codes with known factors at once, as one row of a table."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from isthmus.metrics.disentanglement.beta_vae import beta_vae_score
from isthmus.metrics.disentanglement.dci import dci
from isthmus.metrics.disentanglement.downstream import downstream
from isthmus.metrics.disentanglement.factor_vae import factor_vae_score
from isthmus.metrics.disentanglement.inputs import TEST, TRAIN, halves, paired
from isthmus.metrics.disentanglement.interventions import Interventions, Rows
from isthmus.metrics.disentanglement.irs import irs
from isthmus.metrics.disentanglement.mig import mig
from isthmus.metrics.disentanglement.modularity import explicitness, modularity
from isthmus.metrics.disentanglement.sap import sap
from isthmus.metrics.disentanglement.unsupervised import dependence


def measures(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    seed: int,
    sampler: Interventions | None = None,
    train: int = TRAIN,
    test: int = TEST,
    sizes: Sequence[int] = (100, 1000),
) -> dict[str, float]:
    """Every supervised measure of one code, and the unsupervised ones.

    Args:
        codes: (N, Z) posterior means.
        factors: (N, F) whole numbers, at least two factors of at least two values.
        seed: Of all draws.
        sampler: For the interventional scores; `Rows(codes, factors)` by default.
        train: Rows, points and votes to fit on, at most.
        test: Rows, points and votes to score, at most.
        sizes: Rows that the downstream classifiers learn from; one above `train` is left out.

    Returns:
        By name. Gaussian total correlation and latent information are in nats and better low; the
        others lie from 0 to 1 and are better high.

    Raises:
        DataError: The arrays do not fit, or cannot be measured so.
    """
    z, f = paired(codes, factors)
    sampler = Rows(z, f) if sampler is None else sampler
    data = halves(z, f, seed=seed, train=train, test=test)
    trees = dci(*data, seed=seed)
    latent = dependence(z, seed=seed, rows=train)
    votes = {"seed": seed, "train": train, "test": test}
    found = {
        "beta_vae": beta_vae_score(sampler, **votes),
        "factor_vae": factor_vae_score(sampler, **votes),
        "mig": mig(z, f, seed=seed, rows=train).score,
        "dci_disentanglement": trees.disentanglement,
        "dci_completeness": trees.completeness,
        "dci_informativeness": trees.informativeness,
        "sap": sap(*data).score,
        "modularity": modularity(z, f, seed=seed, rows=train),
        "explicitness": explicitness(*data),
        "irs": irs(z, f, seed=seed, rows=train).score,
        "total_correlation": latent.total_correlation,
        "wasserstein": latent.wasserstein,
        "wasserstein_normalised": latent.wasserstein_normalised,
        "latent_information": latent.mutual_information,
    }
    for size, accuracy in downstream(*data, seed=seed, sizes=sizes).items():
        found[f"downstream_{size}"] = accuracy.mean
    return found
