"""A latent model as the prior of another: hierarchies of any depth, and second stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, cast, final

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.data.scaling import Scaling
from isthmus.errors import OptionError
from isthmus.evidence import Evidence
from isthmus.priors.after import AdamSteps, Units, mode_of_codes
from isthmus.priors.base import PRIORS, FittedPrior, Infer, Prior, one_axis


class Generative(Protocol):
    """What a prior asks of a latent model whose data are codes."""

    shape: tuple[int, ...]
    scaling: Scaling

    def evidence(self, x: Tensor, samples: int = 1) -> Evidence:
        """What it says of codes x (N, *Z)."""

    def sample(self, n: int, mode: str = "mean") -> Tensor:
        """Codes (n, *Z)."""


@final
class ModelMarginal(Distribution):
    """The marginal ∫ p(z, u) du of a latent model of z.

    `log_prob` is a new estimate at every call, log p(z|u) + log p(u) − log q(u|z) with one draw of
    u: its exponential is unbiased, so that importance weights made of it are those of the joint
    model, and its mean is the ELBO.

    Args:
        model: Of codes z.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, model: Generative) -> None:
        super().__init__(torch.Size(), torch.Size(model.shape), validate_args=False)
        self.model = model

    def log_prob(self, value: Tensor) -> Tensor:
        batch = value.shape[: value.ndim - len(self._event_shape)]
        flat = value.reshape(-1, *self._event_shape)
        weights = self.model.evidence(flat, 1).log_weights[0] - self.model.scaling.log_det()
        return weights.view(batch)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = torch.Size(sample_shape)
        return self.model.sample(shape.numel(), "sample").view(*shape, *self._event_shape)


@final
@PRIORS.register("latent-model")
class LatentModelPrior(Prior):
    """p(z) = ∫ p(z|u) p(u) du, the marginal of a latent model that is trained along.

    The prior of that model may again be one.

    Args:
        latent_shape: Z.
        model: A latent model whose data are codes of shape Z.

    Raises:
        OptionError: No model, or one of another shape.

    Reference:
        Burda et al., Importance Weighted Autoencoders, arXiv 1509.00519, section 5 (two layers).
    """

    def __init__(self, latent_shape: Sequence[int], model: nn.Module | None = None) -> None:
        super().__init__()
        self.model = of_codes("latent-model", latent_shape, model)

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> ModelMarginal:
        return ModelMarginal(cast(Generative, self.model))


@final
@PRIORS.register("fitted-model")
class FittedModel(FittedPrior):
    """p(z) = ∫ p(z|u) p(u) du, a second latent model fitted to the codes of the first.

    The codes are standardised by dimension, and the model maximises its ELBO by Adam.

    Args:
        latent_shape: Z, one axis.
        model: A latent model whose data are codes of shape Z, without scaling.
        steps: Of training.
        batch_size: Codes in one step.
        lr: Peak learning rate; it falls to 0 along a cosine.
        fitted_to: "sample" or "mean" codes.

    Raises:
        OptionError: No model, or one of another shape.

    Reference:
        Dai & Wipf, Diagnosing and Enhancing VAE Models, arXiv 1903.05789.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        model: nn.Module | None = None,
        steps: int = 2000,
        batch_size: int = 256,
        lr: float = 2e-3,
        fitted_to: str = "sample",
    ) -> None:
        super().__init__()
        width = one_axis("fitted-model", latent_shape)
        self.model = of_codes("fitted-model", latent_shape, model).requires_grad_(False)
        self.steps = AdamSteps(steps, batch_size, lr)
        self.units = Units(width)
        self.fitted_to = mode_of_codes(fitted_to)

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> Distribution:
        return self.units.restore(ModelMarginal(cast(Generative, self.model)))

    def fit(self, codes: Tensor) -> None:
        """Train the second model on codes (N, Z)."""
        self.steps.minimise(self.model, self._loss, self.units.learn(codes))

    def _loss(self, codes: Tensor) -> Tensor:
        evidence = cast(Generative, self.model).evidence(codes, 1)
        return (evidence.distortion.mean(0) + evidence.rate).mean()


def of_codes(prior: str, latent_shape: Sequence[int], model: nn.Module | None) -> nn.Module:
    """The model, if it is one of codes of this shape.

    Raises:
        OptionError: It is no model, or one of codes of another shape.
    """
    if model is None:
        raise OptionError(
            f"The prior {prior!r} is made of a latent model: take the recipe 'hierarchical-vae' or "
            "'two-stage-vae', or compose it in Python with model=LatentModel(...)."
        )
    if tuple(cast(Generative, model).shape) != tuple(latent_shape):
        raise OptionError(
            f"The prior {prior!r} needs a model of codes of the shape {tuple(latent_shape)}, and "
            f"got one of the shape {tuple(cast(Generative, model).shape)}."
        )
    return model
