"""What decoders of codes from other spaces read: of the usual prior, mean 0 and unit spread."""

import pytest
import torch
from scipy import stats

from isthmus.data import DataSpec
from isthmus.distributions import WrappedNormal
from isthmus.errors import OptionError
from isthmus.networks import MLPDecoder, StandardisedDecoder, TangentDecoder
from isthmus.recipes import build_recipe

SPEC = DataSpec("table", (5,), "real", 20)


class Reader(torch.nn.Module):
    """Keeps what it is given."""

    def forward(self, z):
        self.read = z
        return z


def what_is_read(recipe, codes, **options):
    """What the network behind a recipe's decoder reads of these codes (N, *Z)."""
    decoder = build_recipe(recipe, SPEC, **options).model.decoder
    decoder.decoder = Reader()
    decoder(codes.float())
    return decoder.decoder.read.double()


def assert_standard(read):
    """Mean 0 and variance 1 of each number over codes that stand for the whole prior."""
    zero, one = torch.zeros(read.shape[1:]).double(), torch.ones(read.shape[1:]).double()
    torch.testing.assert_close(read.mean(0), zero, atol=1e-6, rtol=0)
    torch.testing.assert_close(read.square().mean(0), one, atol=1e-6, rtol=0)


@pytest.mark.parametrize("categories", [2, 7])
def test_every_one_hot_vector_once_has_mean_0_and_variance_1(categories):
    codes = torch.eye(categories)[:, None].expand(-1, 3, -1)
    read = what_is_read("categorical-vae", codes, latent_dim=3, n_categories=categories)
    assert_standard(read)


def test_the_numbers_of_a_joint_code_are_read_as_they_are():
    numbers = torch.randn(6, 2)
    codes = torch.cat([numbers, torch.eye(6), torch.eye(6).flip(0)], 1)
    read = what_is_read("joint-vae", codes, latent_dim=2, n_choices=2, n_categories=6)
    torch.testing.assert_close(read[:, :2], numbers.double())
    assert_standard(read[:, 2:])


@pytest.mark.parametrize("dimension", [2, 9])
def test_the_ends_of_the_axes_which_stand_for_the_sphere_have_mean_0_and_variance_1(dimension):
    # First and second moments over these 2 d points are those over the whole sphere.
    codes = torch.cat([torch.eye(dimension), -torch.eye(dimension)])
    assert_standard(what_is_read("svae", codes, latent_dim=dimension))


@pytest.mark.parametrize("curvature", [0.5, 1.0, 3.0])
def test_the_ball_is_read_by_the_distance_from_its_centre(curvature):
    z = 0.3 * torch.nn.functional.normalize(torch.randn(8, 4), dim=1) * torch.rand(8, 1)
    z = z.double()
    decoder = TangentDecoder(Reader(), curvature)
    read = decoder(z)
    # The ball's distance in its other form, by arcosh.
    norm = curvature * z.square().sum(1)
    distance = torch.acosh(1.0 + 2.0 * norm / (1.0 - norm)) / curvature**0.5
    torch.testing.assert_close(read.norm(dim=1), distance)
    torch.testing.assert_close(
        torch.cosine_similarity(read, z), torch.ones(8).double(), rtol=1e-9, atol=0
    )


def test_draws_of_the_ball_s_prior_are_read_as_standard_normal_ones():
    torch.manual_seed(0)
    prior = build_recipe("poincare-vae", SPEC, latent_dim=3, curvature=2.0).model.prior()
    assert isinstance(prior, WrappedNormal)
    read = what_is_read("poincare-vae", prior.sample((4000,)), latent_dim=3, curvature=2.0)
    for column in read.T:
        assert stats.kstest(column.numpy(), "norm").pvalue > 0.01


def test_the_centre_and_the_edge_of_the_ball_have_gradients():
    z = torch.tensor([[0.0, 0.0], [1.0 - 1e-6, 0.0]], requires_grad=True)
    TangentDecoder(MLPDecoder((2,), (1, 5), (4,)))(z).sum().backward()
    assert z.grad.isfinite().all()
    assert (z.grad[0] != 0).any()


def test_a_spread_of_0_is_refused():
    with pytest.raises(OptionError, match="positive"):
        StandardisedDecoder(MLPDecoder((2,), (1, 5)), spread=0.0)
