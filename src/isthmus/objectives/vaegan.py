"""The objective that judges reconstructions in the features of a critic of data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus.evidence import Evidence
from isthmus.objectives.base import OBJECTIVES, Critic, Loss, Objective
from isthmus.objectives.critics import SLOPE, unconvincing
from isthmus.objectives.draws import prior_draws
from isthmus.objectives.requirements import drawable_codes

SMALLEST_SIDE = 4
STAGES = 3


@final
class DataCritic(nn.Module):
    """x (N, *D) -> logits (N,) that x is real, and features (N, F) of it.

    The features are normalised within each datum: what they differ by has a scale that the critic
    cannot move.

    Args:
        shape: D; images are convolved, everything else passes through fully connected layers.
        width: Channels of the first stage, or units of a layer.
    """

    def __init__(self, shape: Sequence[int], width: int) -> None:
        super().__init__()
        image = len(shape) == 3
        stages, size = _convolved(shape, width) if image else _connected(shape, width)
        self.stages = nn.Sequential(*stages)
        self.judge = nn.Sequential(nn.Flatten(), nn.Linear(size, 1), nn.Flatten(0))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h: Tensor = self.stages(x)
        return self.judge(F.leaky_relu(h, SLOPE)), h.flatten(1)


def _convolved(shape: Sequence[int], width: int) -> tuple[list[nn.Module], int]:
    depth, height, across = shape
    layers: list[nn.Module] = [nn.Conv2d(depth, width, 3, padding=1)]
    for _ in range(STAGES):
        if min(height, across) <= SMALLEST_SIDE:
            break
        layers += [nn.LeakyReLU(SLOPE), nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)]
        layers += [nn.GroupNorm(1, 2 * width, affine=False)]
        width, height, across = 2 * width, height // 2, across // 2
    return layers, width * height * across


def _connected(shape: Sequence[int], width: int) -> tuple[list[nn.Module], int]:
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(math.prod(shape), 4 * width)]
    layers += [nn.LeakyReLU(SLOPE), nn.Linear(4 * width, 4 * width)]
    return [*layers, nn.LayerNorm(4 * width, elementwise_affine=False)], 4 * width


def balance(real: Tensor, fake: Tensor, equilibrium: float, margin: float) -> tuple[Tensor, Tensor]:
    """Who moves, 0 or 1: the critic and the decoder, from the critic's two losses in nats.

    A player that wins by more than the margin waits; where that stops both, both move.

    Args:
        real: Mean loss on data.
        fake: Mean loss on what the decoder made.
        equilibrium: Where the game is even, about log 2.
        margin: How far a loss may be from there.

    Reference:
        Larsen et al., arXiv 1512.09300, and its code.
    """
    losses = torch.stack([real, fake]).detach()
    critic = (losses >= equilibrium - margin).all()
    decoder = (losses <= equilibrium + margin).all()
    stuck = ~(critic | decoder)
    return (critic | stuck).to(losses.dtype), (decoder | stuck).to(losses.dtype)


@final
@OBJECTIVES.register("vae-gan")
class VaeGan(Objective):
    """rate + pixels · distortion + features · error in a critic's features + adversarial term.

    A critic tells data from reconstructions and from decoded draws of the prior. The error in its
    features is half the mean squared difference, times the number of elements of a datum: what a
    unit Gaussian would charge if each element were a feature. The adversarial term, times that same
    number, moves the decoder alone, for the codes that it sees are cut off from the encoder. The
    player that wins by more than `margin` waits.

    Differences from the paper: features are normalised within a datum, so that the critic cannot
    shrink their error; a share of the pixels' own likelihood stays, so that p(x|z) is a density;
    reconstructions and decoded draws count half each against the data; and a decoder that waits
    leaves out its adversarial term alone.

    Args:
        shape: D.
        pixels: Weight of the distortion.
        features: Weight of the error in features.
        adversarial: Weight of the adversarial term, per element of a datum.
        width: Channels of the critic's first stage.
        lr: The critic's learning rate.
        equilibrium: The loss in nats at which the game is even.
        margin: How far a player may win before it waits.
        samples: S, draws of z per datum.

    Reference:
        Larsen et al., Autoencoding beyond Pixels Using a Learned Similarity Metric, arXiv
        1512.09300.
    """

    needs_mean = True
    comparable = False
    requires = (drawable_codes,)

    def __init__(
        self,
        shape: Sequence[int],
        pixels: float = 0.3,
        features: float = 1.0,
        adversarial: float = 0.03,
        width: int = 16,
        lr: float = 5e-4,
        equilibrium: float = 0.68,
        margin: float = 0.4,
        samples: int = 1,
    ) -> None:
        super().__init__(samples)
        elements = math.prod(shape)
        self.weights = {"distortion": pixels, "features": features * elements}
        self.adversarial = adversarial * elements
        self.equilibrium, self.margin = equilibrium, margin
        self.critics["critic"] = Critic(DataCritic(shape, width), lr, (0.5, 0.9))

    def forward(self, evidence: Evidence) -> Loss:
        critic = cast(Critic, self.critics["critic"]).network
        mean = evidence.px.mean
        samples, batch = mean.shape[:2]
        drawn = prior_draws(evidence)
        made = evidence.generate(torch.cat([evidence.z, drawn]).detach()).mean

        real, seen = critic(evidence.x)
        # One pass serves both players: each asks for the gradients of its own parameters alone.
        told, _ = critic(made.flatten(0, 1))
        on_real, on_made = F.softplus(-real).mean(), F.softplus(told).mean()
        # Every process judges the game by all that was played.
        real_score, made_score = self.together(torch.stack([on_real, on_made]))
        critic_moves, decoder_moves = balance(real_score, made_score, self.equilibrium, self.margin)

        _, rebuilt = critic(mean.flatten(0, 1))
        error = 0.5 * (rebuilt.unflatten(0, (samples, batch)) - seen.detach()).square().mean(2)
        fooled = unconvincing(told).view(2 * samples, batch).mean(0)
        terms = {
            "distortion": evidence.mean_distortion,
            "rate": evidence.rate,
            "features": error.mean(0),
            "adversarial": fooled,
        }
        weights: dict[str, float | Tensor] = {**self.weights}
        weights["adversarial"] = self.adversarial * decoder_moves
        apart = critic_moves * (on_real + on_made)
        return self.weigh(evidence, terms, {"critic": apart}, weights=weights)
