"""Parts that no shipped recipe has yet: a critic, and a model as another model's prior.

Loaded by path: in the tests by a fixture, and by `apart.py` in processes of their own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Distribution

from isthmus.likelihoods import GaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import MLPDecoder, MLPEncoder
from isthmus.objectives import OBJECTIVES, Critic, Elbo, Objective
from isthmus.posteriors import Deterministic, DiagonalGaussian
from isthmus.priors import PRIORS, Prior, StandardNormal
from isthmus.recipes import Built, assemble


@OBJECTIVES.register("test-adversarial")
class Adversarial(Objective):
    """Distortion, and a critic that tells codes from draws of the prior."""

    needs_density = False

    def __init__(self, latent_dim: int, lr: float = 1e-3) -> None:
        super().__init__()
        network = nn.Sequential(nn.Linear(latent_dim, 16), nn.SiLU(), nn.Linear(16, 1))
        self.critics["code"] = Critic(network, lr)

    def forward(self, evidence):
        critic = self.critics["code"]
        z = evidence.z.flatten(0, 1)
        fooled = F.softplus(-critic(z)).view(evidence.z.shape[:2]).mean(0)
        real = critic(evidence.p.sample(z.shape[:1]))
        told = F.softplus(-real).mean() + F.softplus(critic(z.detach())).mean()
        return self.weigh(
            evidence, {"distortion": evidence.distortion.mean(0), "fooled": fooled}, {"code": told}
        )


def adversarial(spec, axes) -> Built:
    """An adversarial autoencoder (arXiv 1511.05644), as a recipe would say it."""
    return assemble(spec, axes, Adversarial(axes.latent_dim), posterior="delta")


class OfModel(Distribution):
    """The marginal of a latent model, known by an unbiased one-sample estimate of its density."""

    def __init__(self, model: LatentModel) -> None:
        super().__init__(torch.Size(), torch.Size(model.shape), validate_args=False)
        self.model = model

    def log_prob(self, value):
        weights = self.model.evidence(value.flatten(0, 1), 1).log_weights
        return weights[0].unflatten(0, value.shape[:2])

    def sample(self, sample_shape=()):
        n = torch.Size(sample_shape).numel()
        return self.model.sample(n, "sample").unflatten(0, sample_shape)


@PRIORS.register("test-model")
class ModelPrior(Prior):
    """p(z) is the marginal of a latent model, trained along."""

    def __init__(self, model: LatentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, condition=None, infer=None):
        return OfModel(self.model)


def linear_gaussian(
    size: int, latent: int, scale: float, prior: Prior | None = None
) -> LatentModel:
    """A latent model without hidden layers."""
    encoder = MLPEncoder((size,), ())
    likelihood = GaussianLikelihood((size,), scale=scale)
    return LatentModel(
        encoder,
        DiagonalGaussian(encoder.features, (latent,)),
        prior or StandardNormal((latent,)),
        MLPDecoder((latent,), likelihood.parameter_shape(), ()),
        likelihood,
    )


def small(kind: str, size: int, latent: int = 2) -> tuple[LatentModel, Objective]:
    """A model of flat data by a word that the tests use."""
    if kind == "hierarchical":
        inner = linear_gaussian(latent, 1, 0.5)
        return linear_gaussian(size, latent, 0.7, ModelPrior(inner)), Elbo()
    encoder = MLPEncoder((size,), (8,))
    likelihood = GaussianLikelihood((size,))
    model = LatentModel(
        encoder,
        Deterministic(encoder.features, (latent,)),
        StandardNormal((latent,)),
        MLPDecoder((latent,), likelihood.parameter_shape(), (8,)),
        likelihood,
    )
    return model, Adversarial(latent)
