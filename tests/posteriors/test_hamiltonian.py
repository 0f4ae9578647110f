"""The Hamiltonian posterior: where it starts, and the objectives that it refuses."""

import pytest
import torch

from isthmus.errors import OptionError
from isthmus.objectives import OBJECTIVES
from isthmus.posteriors import HamiltonianPosterior
from isthmus.priors import StandardNormal

pytestmark = pytest.mark.usefixtures("float64")


def test_it_starts_with_the_step_and_the_temperature_asked_for():
    posterior = HamiltonianPosterior(6, (3,), steps=2, step_size=0.05, inverse_heat=0.4)
    base = posterior(torch.randn(4, 6))
    q = posterior.refine(base, lambda z: -z.square().sum(-1))
    torch.testing.assert_close(q.step, torch.full((3,), 0.05))
    torch.testing.assert_close(q.start, torch.tensor(0.4**-0.5))
    assert q.base is base


@pytest.mark.parametrize("objective", ["stl", "dreg-iwae"])
def test_slopes_of_its_density_are_refused_with_choices_that_work(objective):
    posterior, prior = HamiltonianPosterior(6, (3,)), StandardNormal((3,))
    with pytest.raises(OptionError, match="'elbo' or 'iwae', or the posterior 'iaf'"):
        OBJECTIVES.create(objective).check(posterior, prior)
    for fine in ("elbo", "iwae"):
        OBJECTIVES.create(fine).check(posterior, prior)


@pytest.mark.parametrize("options", [{"steps": 0}, {"step_size": 0.5}, {"inverse_heat": 1.0}])
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        HamiltonianPosterior(6, (3,), **options)
