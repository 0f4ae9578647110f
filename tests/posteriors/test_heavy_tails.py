"""Heavy-tailed posteriors and priors against scipy, and their rates by latent dimension."""

import pytest
import torch
from scipy import stats

from isthmus.distributions import DiagonalNormal
from isthmus.errors import OptionError
from isthmus.evidence import Evidence
from isthmus.posteriors import LaplacePosterior, StudentPosterior
from isthmus.priors import StandardLaplace, StandardStudent

pytestmark = pytest.mark.usefixtures("float64")
B, H, Z = 4, 6, 3


def parts(posterior, h):
    out = posterior.head(h).detach()
    return out[:, :Z].numpy(), (0.5 * out[:, Z:]).exp().numpy()


def test_the_laplace_posterior_is_scipys():
    posterior, h = LaplacePosterior(H, (Z,)), torch.randn(B, H)
    loc, scale = parts(posterior, h)
    z = torch.randn(5, B, Z)
    expected = torch.as_tensor(stats.laplace(loc, scale).logpdf(z.numpy())).sum(-1)
    torch.testing.assert_close(posterior(h).log_prob(z).detach(), expected)


def test_the_student_posterior_is_scipys_at_the_degrees_of_freedom_asked_for():
    posterior, h = StudentPosterior(H, (Z,), df=3.5), torch.randn(B, H)
    loc, scale = parts(posterior, h)
    z = torch.randn(5, B, Z)
    expected = torch.as_tensor(stats.t(3.5, loc, scale).logpdf(z.numpy())).sum(-1)
    torch.testing.assert_close(posterior(h).log_prob(z).detach(), expected)


def test_priors_are_scipys():
    z = 3.0 * torch.randn(5, B, Z)
    laplace = torch.as_tensor(stats.laplace(0.0, 0.7).logpdf(z.numpy())).sum(-1)
    student = torch.as_tensor(stats.t(4.0).logpdf(z.numpy())).sum(-1)
    torch.testing.assert_close(StandardLaplace((Z,), 0.7)().log_prob(z), laplace)
    torch.testing.assert_close(StandardStudent((Z,), 4.0)().log_prob(z), student)


@pytest.mark.parametrize("prior", [StandardStudent((Z,)), StandardLaplace((Z,))])
@pytest.mark.parametrize("posterior", [StudentPosterior(H, (Z,)), LaplacePosterior(H, (Z,))])
def test_rates_by_dimension_add_up_to_the_rate(posterior, prior):
    q, p = posterior.double()(torch.randn(B, H)), prior.double()()
    z = q.rsample((6,))
    px = DiagonalNormal(torch.zeros(6, B, 2), torch.ones(()))
    evidence = Evidence(
        torch.zeros(B, 2), q, p, z, has_density=True, infer=lambda _: q, generate=lambda _: px
    )
    assert evidence.rate_per_dimension.shape == (B, Z)
    torch.testing.assert_close(evidence.rate_per_dimension.sum(-1), evidence.rate)


@pytest.mark.parametrize(
    "make",
    [
        lambda: StudentPosterior(H, (Z,), df=2.0),
        lambda: StandardStudent((Z,), df=0.0),
        lambda: StandardLaplace((Z,), scale=0.0),
    ],
)
def test_parameters_without_meaning_are_refused(make):
    with pytest.raises(OptionError):
        make()
