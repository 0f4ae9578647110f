"""The posterior of semi-supervised models: a class, and a code that depends on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast, final

import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from isthmus.distributions import LabelledNormal
from isthmus.errors import OptionError
from isthmus.maths import full_precision
from isthmus.networks.conditioned import check_condition
from isthmus.posteriors.base import POSTERIORS, ClassifyingPosterior, ToldPosterior
from isthmus.posteriors.heads import location_scale, one_axis


@final
@POSTERIORS.register("labelled")
class LabelledGaussian(ToldPosterior, ClassifyingPosterior):
    """q(y, z|x) = q(y|x) q(z|x, y): a classifier, and a diagonal Gaussian for each class.

    A code is one vector: C numbers, then the class as a one-hot vector. The condition, where data
    have one, is the label as the same one-hot vector; zeros stand for a label that is not known.

    Args:
        features: H, the width of the encoder's features.
        latent_shape: C, the continuous part, one axis.
        n_categories: K; 0 takes the width of the condition, or 10 without one.
        condition_dim: The width of the data's condition, 0 without one.

    Raises:
        OptionError: The code has more than one axis, or the condition is no label of K classes.

    Reference:
        Kingma et al., Semi-Supervised Learning with Deep Generative Models, arXiv 1406.5298.
    """

    has_density = True
    has_mode = True
    has_probabilities = True
    space = "joint"

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        n_categories: int = 0,
        condition_dim: int = 0,
    ) -> None:
        super().__init__()
        one_axis("labelled", "a continuous part", latent_shape, "'diagonal' or 'categorical'")
        self.n_classes = n_categories or condition_dim or 10
        if condition_dim not in (0, self.n_classes) or self.n_classes < 2:
            raise OptionError(
                f"The posterior 'labelled' has {self.n_classes} classes, and the data are "
                f"conditioned on {condition_dim} numbers: load them with condition='label', a "
                "label of at least 2 classes."
            )
        self.width = latent_shape[0]
        self.latent_shape = (self.width + self.n_classes,)
        self.space = f"joint of 1 x {self.n_classes}"
        self.classifier = nn.Linear(features, self.n_classes)
        self.of_features = nn.Linear(features, features)
        self.of_class = nn.Linear(self.n_classes, features, bias=False)
        self.head = nn.Linear(features, 2 * self.width)

    def forward(self, h: Tensor) -> LabelledNormal:
        # W [h, y] for every one-hot y at once: its class part is a column of the weights.
        hidden = self.of_features(h).unsqueeze(1) + self.of_class.weight.T
        numbers = self.head(h.unsqueeze(1) + F.silu(hidden)).flatten(0, 1)
        loc, scale = location_scale(numbers, (self.width,))
        shape = (len(h), self.n_classes)
        logits = full_precision(self.classifier(h))
        return LabelledNormal(logits, loc.unflatten(0, shape), scale.unflatten(0, shape))

    def told(self, q: Distribution, condition: Tensor) -> LabelledNormal:
        known = check_condition(condition, self.n_classes, "posterior")
        return cast(LabelledNormal, q).given(known)

    def classes(self, q: Distribution) -> Tensor:
        return cast(LabelledNormal, q).classes
