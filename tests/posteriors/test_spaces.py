"""Posteriors outside R^Z, by what the density they return is made of."""

import pytest
import torch

from isthmus.errors import OptionError, UnsupportedError
from isthmus.posteriors import (
    BallPosterior,
    CategoricalPosterior,
    DiagonalGaussian,
    JointPosterior,
    SpherePosterior,
    code,
)
from isthmus.priors import BallNormal, JointPrior, UniformSphere
from isthmus.schedules import Exponential

H = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("training", [True, False])
def test_the_sphere_s_concentration_is_one_more_than_a_softplus_in_training_and_after(training):
    posterior = SpherePosterior(8, (20,)).train(training)
    q = posterior(H)
    out = posterior.head(H)
    torch.testing.assert_close(q.kappa, 1.0 + (10.0 * out[:, -1]).exp().log1p())
    direction = out[:, :-1] / out[:, :-1].square().sum(-1, keepdim=True).sqrt()
    torch.testing.assert_close(q.mode, direction)


@pytest.mark.parametrize("curvature", [0.5, 1.0, 2.0])
def test_the_ball_s_centre_lies_at_the_end_of_the_tangent(curvature):
    posterior = BallPosterior(8, (3,), curvature)
    q = posterior(H)
    tangent = posterior.head(H)[:, :3]
    root = curvature**0.5
    far = 2 / root * torch.atanh(root * q.loc.norm(dim=-1))
    torch.testing.assert_close(far, tangent.norm(dim=-1), rtol=1e-4, atol=1e-5)
    along = torch.nn.functional.cosine_similarity(q.loc, tangent)
    torch.testing.assert_close(along, torch.ones(6))
    torch.testing.assert_close(q.scale.log(), 0.5 * posterior.head(H)[:, 3:])


def test_the_temperature_falls_with_progress_and_ends_in_one_hot_vectors():
    posterior = CategoricalPosterior(8, (2,), 4, Exponential(0.2, 1.0, 2.0)).train()
    for progress, expected in ((0.0, 1.0), (0.5, 0.36787944), (1.0, 0.2)):
        posterior.progress.fill_(progress)
        assert float(posterior(H).temperature) == pytest.approx(expected)
    relaxed = posterior(H).rsample((50,))
    assert ((relaxed > 0) & (relaxed < 1)).any()
    drawn = posterior.eval()(H).rsample((50,))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(drawn.sum(-1), torch.ones(50, 6, 2))


def test_the_temperature_is_renewed_at_every_step():
    cooling = Exponential(0.1, 1.0, 1.0, step=0.1)
    for progress, stair in ((0.0, 0.0), (0.09, 0.0), (0.1, 0.1), (0.3, 0.3), (0.37, 0.3)):
        expected = torch.exp(torch.tensor(-stair))
        torch.testing.assert_close(cooling(torch.tensor(progress)), expected)


def test_a_categorical_code_is_integers_probabilities_or_one_hot():
    posterior = CategoricalPosterior(8, (2,), 4).eval()
    q = posterior(H)
    logits = posterior.head(H).unflatten(1, (2, 4))
    torch.testing.assert_close(code(posterior, q, "softmax"), logits.softmax(-1))
    integers = code(posterior, q, "argmax")
    assert integers.equal(logits.argmax(-1))
    embedded = posterior.embed(integers)
    assert embedded.argmax(-1).equal(integers)
    assert embedded.sum(-1).eq(1).all()
    assert posterior.code_bits == pytest.approx(4.0)


def test_softmax_is_refused_where_there_are_no_categories():
    posterior = DiagonalGaussian(8, (2,))
    with pytest.raises(UnsupportedError, match="categorical-vae"):
        code(posterior, posterior(H), "softmax")


def test_sizes_that_make_no_space_are_refused():
    refused = [
        lambda: SpherePosterior(8, (1,)),
        lambda: UniformSphere((1,)),
        lambda: BallPosterior(8, (2,), 0.0),
        lambda: BallPosterior(8, (2, 2)),
        lambda: BallNormal((2,), -1.0),
        lambda: CategoricalPosterior(8, (2,), 1),
        lambda: JointPosterior(8, (2, 2)),
        lambda: JointPrior((10,)),
    ]
    for make in refused:
        with pytest.raises(OptionError):
            make()


def test_parts_agree_on_curvature_and_sizes_by_their_space():
    assert BallPosterior(8, (2,)).space == BallNormal((2,)).space == "ball"
    assert BallPosterior(8, (2,), 2.0).space == BallNormal((2,), 2.0).space != "ball"
    joint = JointPosterior(8, (3,), 2, 5)
    assert joint.space == JointPrior(joint.latent_shape, 2, 5).space
    assert joint.space != JointPrior(joint.latent_shape, 1, 10).space
