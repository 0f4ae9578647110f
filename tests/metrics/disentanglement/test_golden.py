"""The reference's golden values on its own draws, or within its spread over seeds."""

import numpy as np
import pytest

from isthmus.metrics.disentanglement import (
    Grid,
    Rows,
    beta_vae_score,
    dci,
    dependence,
    explicitness,
    factor_vae_score,
    irs,
    mig,
    modularity,
    sap,
    sap_continuous,
)

# MIG, D, C, I, SAP, continuous SAP, modularity, explicitness, IRS, TC, Wasserstein, latent MI.
GOLDEN = {
    "identity": (0.9996, 1, 1, 1, 0.5143, 0.9998, 1, 1, 1, 0.0002, 0.0002, 0.0024),
    "rotated": (
        *(0.4411, 0.4567, 0.5777, 1, 0.152, 0.3353, 0.7227, 1, 0.6962, 0.0634, 0.0514, 0.5808),
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_measures_of_arrays_meet_the_golden_values_to_the_last_digit(name, reference):
    z, f, z2, f2 = reference.data(name)
    many = reference.drawn(np.random.RandomState(0), 10_000)
    trees = dci(z, f, z2, f2, seed=0)
    latent = dependence(z)
    found = (
        mig(reference.CODES[name](many), many).score,
        *trees[:3],
        sap(z, f, z2, f2).score,
        sap_continuous(z, f).score,
        modularity(z, f),
        explicitness(z, f, z2, f2),
        irs(z, f).score,
        *(latent.total_correlation, latent.wasserstein, latent.mutual_information),
    )
    assert found == pytest.approx(GOLDEN[name], abs=5.1e-5)


# Loops over points, drawn as the reference draws them, gave 0.961 to 0.978 with the seeds 0 to 19
# (0.962 with 0, its golden value) and 0.659 to 0.677 with 0 to 5 on the rotated code.
INTERVENTIONAL = {
    "identity": ((1.0, 0.0), (1.0, 0.0)),
    "rotated": ((0.97, 0.02), (0.67, 0.04)),
}


@pytest.mark.parametrize("name", INTERVENTIONAL)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("kind", ["rows", "grid"])
def test_interventional_scores_lie_within_the_reference_s_spread(name, seed, kind, reference):
    grid = reference.grid()
    encode = reference.CODES[name]
    sampler = Rows(encode(grid), grid) if kind == "rows" else Grid(encode, reference.SIZES)
    for score, (golden, spread) in zip(
        (beta_vae_score, factor_vae_score), INTERVENTIONAL[name], strict=True
    ):
        found = score(sampler, seed=seed, train=2000, test=1000)
        assert found == pytest.approx(golden, abs=spread)
        assert found == score(sampler, seed=seed, train=2000, test=1000)
