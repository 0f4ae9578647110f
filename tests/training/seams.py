"""An objective with a critic, and a model as another model's prior.

Loaded by path: in the tests by a fixture, and by `apart.py` in processes of their own.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import nn

from isthmus.likelihoods import GaussianLikelihood
from isthmus.model import LatentModel
from isthmus.networks import MLPDecoder, MLPEncoder
from isthmus.objectives import OBJECTIVES, Critic, Elbo, Objective
from isthmus.posteriors import Deterministic, DiagonalGaussian
from isthmus.priors import LatentModelPrior, Prior, StandardNormal
from isthmus.recipes import Built, assemble
from isthmus.registry import pick


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
    return assemble(spec, axes, Adversarial(axes.latent_dim), posterior=pick("delta"))


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
        return linear_gaussian(size, latent, 0.7, LatentModelPrior((latent,), inner)), Elbo()
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
