"""How data and a likelihood meet: what is taken, what is squeezed, what is refused."""

import numpy as np
import pytest
import torch

from isthmus.data import DataSpec, load
from isthmus.errors import OptionError
from isthmus.fitting import fit
from isthmus.likelihoods import BernoulliLikelihood, ContinuousBernoulliLikelihood
from isthmus.recipes.meeting import meet
from isthmus.registry import pick

TABLE = DataSpec("table", (4,), "real", 50)
GREY = DataSpec("image", (1, 4, 4), "unit", 50)
BINARY = DataSpec("table", (4,), "binary", 50)


def test_greys_are_no_coin_flips():
    meeting = meet(GREY, "bernoulli")
    assert isinstance(meeting.likelihood, ContinuousBernoulliLikelihood)
    assert "continuous-bernoulli takes its place" in meeting.notes[0]
    assert not meeting.scaling.active
    assert isinstance(meet(BINARY, "bernoulli").likelihood, BernoulliLikelihood)
    assert meet(BINARY, "bernoulli").notes == ()


def test_values_outside_the_unit_interval_are_squeezed_and_said():
    x = np.random.default_rng(0).normal(5.0, 100.0, size=(60, 4)).astype(np.float32)
    run = fit(load(x), "vae", likelihood="bernoulli", epochs=2, hidden=(8,), threads=1)
    assert any("squeezed into [0, 1]" in note for note in run.notes)
    again = run.model.reconstruct(torch.as_tensor(x))
    assert again.min() >= x.min()
    assert again.max() <= x.max()
    assert run.model.log_likelihood(torch.as_tensor(x), samples=5).isfinite().all()


def test_a_preferred_likelihood_gives_way_to_one_that_covers_the_data():
    assert type(meet(TABLE, "auto", "gaussian").likelihood).__name__ == "GaussianLikelihood"
    assert type(meet(BINARY, "auto", "gaussian").likelihood).__name__ == "BernoulliLikelihood"
    narrow = pick("gaussian", scale=0.1)
    assert meet(TABLE, "auto", narrow).likelihood.scale == pytest.approx(0.1)
    assert meet(TABLE, "gaussian", narrow).likelihood.scale == 1.0


def test_what_does_not_cover_the_data_is_refused_with_what_does():
    with pytest.raises(OptionError, match=r"covers count values.*likelihood='gaussian-shared'"):
        meet(TABLE, "poisson")
    with pytest.raises(OptionError, match="use likelihood='negative-binomial'"):
        meet(DataSpec("counts", (4,), "count", 50), "bernoulli")


@pytest.mark.parametrize(("kind", "per"), [("table", (4,)), ("image", ())])
def test_columns_have_scales_of_their_own_and_pixels_share_one(kind, per):
    assert meet(DataSpec(kind, (4,), "real", 9), "auto").scaling.shift.shape == per
