"""The capacities of a joint code, by hand."""

import math

import pytest
import torch

from isthmus.errors import OptionError
from isthmus.likelihoods import SharedGaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import MLPDecoder, MLPEncoder
from isthmus.objectives import JointCapacity
from isthmus.posteriors import DiagonalGaussian, JointPosterior
from isthmus.priors import JointPrior, StandardNormal


@pytest.fixture
def evidence(float64):
    likelihood = SharedGaussianLikelihood((4,))
    encoder = MLPEncoder((4,), (8,))
    posterior = JointPosterior(encoder.features, (2,), 2, 3)
    prior = JointPrior(posterior.latent_shape, 2, 3)
    decoder = MLPDecoder(posterior.latent_shape, likelihood.parameter_shape(), (8,))
    model = LatentModel(encoder, posterior, prior, decoder, likelihood)
    return model.evidence(3.0 * torch.randn(9, 4))


@pytest.mark.parametrize(
    ("progress", "training", "continuous", "discrete"),
    [(0.0, True, 0.0, 0.0), (0.25, True, 2.0, 0.5), (0.9, True, 4.0, 1.0), (0.1, False, 4.0, 1.0)],
)
def test_each_part_pays_for_its_distance_from_its_capacity(
    evidence, progress, training, continuous, discrete
):
    objective = JointCapacity(4.0, 1.0, gamma=7.0, share=0.5).train(training)
    objective.progress.fill_(progress)
    q = evidence.q
    normal = torch.distributions.Normal(q.continuous.loc, q.continuous.scale)
    standard = torch.distributions.Normal(torch.zeros(2), torch.ones(2))
    numbers = torch.distributions.kl_divergence(normal, standard).sum(-1)
    pi = q.discrete.logits.softmax(-1)
    choices = (pi * (3 * pi).log()).sum((-1, -2))
    by_hand = 7.0 * ((numbers.mean() - continuous).abs() + (choices.mean() - discrete).abs())
    loss = objective(evidence)
    torch.testing.assert_close(loss.total, evidence.distortion.mean() + by_hand)
    torch.testing.assert_close(loss.terms["rate"], numbers + choices)


def test_the_discrete_capacity_is_at_most_what_the_choices_carry(evidence):
    terms = JointCapacity(4.0, 50.0, gamma=1.0).eval()(evidence).terms
    expected = 2 * math.log(3) - terms["rate_discrete"].mean()
    torch.testing.assert_close(terms["discrete_gap"].mean(), expected)


def test_a_code_without_two_parts_is_refused():
    with pytest.raises(OptionError, match="posterior and the prior 'joint'"):
        JointCapacity().check(
            DiagonalGaussian(3, (2,)), StandardNormal((2,)), SharedGaussianLikelihood((4,))
        )
