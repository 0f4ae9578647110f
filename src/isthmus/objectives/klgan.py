"""The objective of latent diffusion's autoencoder: likelihood, rate, looks, and a critic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast, final

import torch
from torch import Tensor

from isthmus.data import DataDriven, Source
from isthmus.errors import OptionError
from isthmus.evidence import Evidence
from isthmus.maths import full_precision
from isthmus.objectives.base import OBJECTIVES, Critic, Loss, Objective
from isthmus.objectives.extent import extent
from isthmus.objectives.patches import PatchCritic, hinge
from isthmus.perceptual import Perceptual, stand_in
from isthmus.schedules import Schedule, Staged

# As published: of the ratio of gradients, and what keeps its denominator from zero.
LARGEST_WEIGHT, TINY = 1e4, 1e-4


@final
@OBJECTIVES.register("kl-gan")
class KlGan(Objective, Staged, DataDriven):
    """distortion + kl_weight · rate + perceptual · elements · distance + adversarial term.

    The distance is that of x and E[x|z] as pictures. The adversarial term is −E[logit] of a critic
    of patches, which plays the hinge game on x and E[x|z]; it begins at `start`, and its weight is
    `adversarial` times the ratio of the norms of two gradients at the decoder's last layer: that of
    the terms of reconstruction, and its own. Until then the critic is not even asked. A posterior
    without a density, as a quantiser, has its own penalties in place of the rate.

    Held-out losses leave the adversarial term out. They do not choose the best weights, for what a
    critic adds costs in every other term: the weights from before it would always win.

    Args:
        shape: D = (channels, height, width).
        kl_weight: Of the rate, a number or a schedule.
        perceptual: Weight of the distance, per element of a datum; 0 leaves it out.
        adversarial: Weight of the adversarial term beside the balance of gradients; 0 leaves the
            critic out, and held-out losses choose.
        start: When the critic begins: a share of training up to 1, a number of steps beyond.
        distance: What compares pictures; None takes a distance that needs no weights.
        width: Channels of the critic's first layer.
        layers: Its strided convolutions.
        lr: Its learning rate.
        samples: S, draws of z per datum.

    Raises:
        OptionError: The data are no images, or too small for the distance or the critic.

    Reference:
        Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models, arXiv
        2112.10752; Esser et al., Taming Transformers, arXiv 2012.09841 (the adaptive weight).
    """

    needs_density = False
    needs_mean = True
    weighted = ("rate",)

    def __init__(
        self,
        shape: Sequence[int],
        kl_weight: float | Schedule = 1e-6,
        perceptual: float = 1.0,
        adversarial: float = 0.5,
        start: float = 0.3,
        distance: Perceptual | None = None,
        width: int = 64,
        layers: int = 3,
        lr: float = 1e-4,
        samples: int = 1,
    ) -> None:
        super().__init__(samples, kl_weight)
        self.distance = stand_in() if distance is None else distance
        if perceptual and (len(shape) != 3 or min(shape[1:]) < self.distance.smallest):
            least = self.distance.smallest
            raise OptionError(
                f"The perceptual term compares images (channels, height, width) of {least} × "
                f"{least} and more, and the data have the shape {tuple(shape)}: use perceptual=0, "
                "or another distance."
            )
        self.weights = {"perceptual": perceptual * math.prod(shape)} if perceptual else {}
        self.adversarial, self.start = adversarial, start
        self.comparable = not adversarial
        self.begun = False
        if adversarial:
            network = PatchCritic(shape, width, layers)
            self.critics["critic"] = Critic(network, lr, (0.5, 0.9))
            self.reach(0.0, 0)
        self.register_buffer("ends", torch.tensor([-1.0, 1.0]))

    def see(self, source: Source, scale: Callable[[Tensor], Tensor]) -> list[str]:
        """Take the range of the data as the model sees them."""
        ends = self.get_buffer("ends")
        ends.copy_(extent(source, scale, ends))
        return []

    def reach(self, progress: float, step: int) -> None:
        if "critic" in self.critics:
            self.begun = (progress if self.start <= 1.0 else step) >= self.start

    def forward(self, evidence: Evidence) -> Loss:
        mean = evidence.px.mean
        terms = {"distortion": evidence.mean_distortion}
        if self.weights:
            terms["perceptual"] = self._distances(evidence.x, mean)
        error = sum(self.weights.get(name, 1.0) * term.mean() for name, term in terms.items())
        if evidence.has_density:
            terms["rate"] = evidence.rate
        if "critic" not in self.critics:
            return self.weigh(evidence, terms, weights=self.weights)

        term, weight, apart = self._adversarial(evidence, mean, cast(Tensor, error))
        terms["adversarial"] = term
        weights: dict[str, float | Tensor] = {**self.weights, "adversarial": weight}
        shown = {"adversarial_weight": weight.expand_as(term)}
        return self.weigh(evidence, terms, {"critic": apart}, weights=weights, shown=shown)

    def _distances(self, x: Tensor, mean: Tensor) -> Tensor:
        """(B,) of x (B, *D) and E[x|z] (S, B, *D), both brought to [−1, 1]."""
        lowest, highest = self.get_buffer("ends").unbind()
        middle, half = 0.5 * (lowest + highest), (0.5 * (highest - lowest)).clamp(min=1e-6)
        pictures = ((t.flatten(0, 1) - middle) / half for t in (mean, x.expand_as(mean)))
        found: Tensor = self.distance(*pictures)
        return found.view(mean.shape[:2]).mean(0)

    def _adversarial(
        self, evidence: Evidence, mean: Tensor, error: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The term (B,), its weight, and what the critic minimises: zeros until it begins."""
        nothing = mean.new_zeros(())
        if not self.begun:
            return nothing.expand(len(evidence.x)), nothing, nothing
        critic = cast(Critic, self.critics["critic"])
        # One pass serves both players: each asks for the gradients of its own parameters alone.
        fake, real = critic(mean.flatten(0, 1)), critic(evidence.x)
        term = -fake.flatten(1).mean(1).view(mean.shape[:2]).mean(0)
        # Held-out data have no gradient to balance, and are judged without the critic.
        weight = nothing
        if self.training and torch.is_grad_enabled():
            layer = None if evidence.last_layer is None else evidence.last_layer()
            # A decoder that is held fixed is balanced at what it makes.
            at = layer if layer is not None and layer.requires_grad else mean
            balance = adaptive_weight(error, term.mean(), at, self.together)
            weight = self.adversarial * balance
        return term, weight, hinge(real, fake)


def adaptive_weight(
    error: Tensor,
    term: Tensor,
    at: Tensor,
    together: Callable[[Tensor], Tensor] = Tensor.detach,
) -> Tensor:
    """‖d error / d at‖ / (‖d term / d at‖ + 1e-4), at most 1e4 and without a gradient: ().

    Args:
        error: The loss of reconstruction, a scalar.
        term: The adversarial one, a scalar.
        at: A tensor that both depend on: a weight, or what each datum makes.
        together: The mean over processes. Slopes at a weight are averaged before their norms, which
            gives what one process finds on the joint batch; of data, squared norms are.

    Reference:
        Esser et al., Taming Transformers for High-Resolution Image Synthesis, arXiv 2012.09841.
    """
    slopes = torch.stack(
        [
            full_precision(torch.autograd.grad(loss, at, retain_graph=True)[0]).flatten()
            for loss in (error, term)
        ]
    )
    if at.is_leaf:
        ours, theirs = together(slopes).norm(dim=1)
    else:
        ours, theirs = together(slopes.square().sum(1)).sqrt()
    return (ours / (theirs + TINY)).clamp(max=LARGEST_WEIGHT)
