"""Sparse codes that pay for what they use: by its size, or by the number of latents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from isthmus.distributions import SparseDelta
from isthmus.errors import OptionError
from isthmus.posteriors.base import POSTERIORS
from isthmus.posteriors.sparse import DEAD_AFTER, PRICE, SparsePosterior


@final
@POSTERIORS.register("sparse-l1")
class PricedBySize(SparsePosterior):
    r"""relu(W h + b), at a price of :math:`\sum_i z_i`.

    Over a dictionary of unit directions this is the code times the decoder's norm, so that it
    cannot be cheated by small codes and long directions.

    Args:
        features: H.
        latent_shape: Z, one axis.
        weight: Nats per unit of the code.
        dead_after: Steps of silence after which a latent is dead.

    Reference:
        Bricken et al., Towards Monosemanticity, 2023; Conerly et al., Update on how we train SAEs,
        2024 (the decoder's norm).
    """

    def activate(self, pre: Tensor) -> SparseDelta:
        value = F.relu(pre)
        return SparseDelta(value, value.sum(-1))


@final
class _Step(Function):
    """1 where v > t; for the gradient in t, the step is a ramp as wide as the bandwidth.

    d/dt = -K((v - t) / bandwidth) / bandwidth with K the rectangle of height 1 over [-1/2, 1/2];
    d/dv = 0.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
        ctx.save_for_backward(values, threshold)
        ctx.bandwidth = bandwidth
        return (values > threshold).to(values.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        values, threshold = ctx.saved_tensors
        near = ((values - threshold).abs() <= 0.5 * ctx.bandwidth).to(values.dtype)
        return None, -(near * gradients[0]).sum(0) / ctx.bandwidth, None


@final
@POSTERIORS.register("jumprelu")
class JumpReLU(SparsePosterior):
    r"""v where v = W h + b exceeds a threshold learned for each latent, else 0; a price per latent
    that is on.

    The price and the jump have no slope in the threshold t; their expectations over data have, and
    a kernel estimates it: :math:`-\frac{1}{\epsilon} K(\frac{v - t}{\epsilon})` for the step, t
    times that for the code.

    Args:
        features: H.
        latent_shape: Z, one axis.
        weight: Nats per latent that is on.
        bandwidth: epsilon, the width of the kernel.
        threshold: t at the start.
        dead_after: Steps of silence after which a latent is dead.

    Raises:
        OptionError: Bandwidth or threshold are not positive.

    Reference:
        Rajamanoharan et al., Jumping Ahead: JumpReLU Sparse Autoencoders, arXiv 2407.14435.
    """

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        weight: float = PRICE,
        bandwidth: float = 0.05,
        threshold: float = 0.05,
        dead_after: int = DEAD_AFTER,
    ) -> None:
        super().__init__(features, latent_shape, weight, dead_after)
        if min(bandwidth, threshold) <= 0:
            raise OptionError(
                f"bandwidth={bandwidth} and threshold={threshold} must both be positive: use 0.05."
            )
        self.bandwidth = bandwidth
        self.log_threshold = nn.Parameter(torch.full(self.latent_shape, math.log(threshold)))

    def activate(self, pre: Tensor) -> SparseDelta:
        threshold = self.log_threshold.exp()
        on: Tensor = _Step.apply(pre, threshold, self.bandwidth)
        # The second term is 0: it carries the gradient of the jump, which is t high.
        value = pre * on.detach() + threshold.detach() * (on - on.detach())
        return SparseDelta(value, on.sum(-1))


@final
@POSTERIORS.register("gated")
class Gated(SparsePosterior):
    r"""A gate that says which latents are on, and a magnitude that says how much, of one matrix.

    z = 1[v > 0] · relu(exp(r) (v - b) + c) with v = W h + b. The price is on relu(v) alone, so that
    it does not shrink z; the step has no slope, so the gate learns from rebuilding x by relu(v),
    which the objective 'sparse' adds.

    Args:
        features: H.
        latent_shape: Z, one axis.
        weight: Nats per unit of relu(v).
        dead_after: Steps of silence after which a latent is dead.

    Reference:
        Rajamanoharan et al., Improving Dictionary Learning with Gated Sparse Autoencoders, arXiv
        2404.16014.
    """

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        weight: float = PRICE,
        dead_after: int = DEAD_AFTER,
    ) -> None:
        super().__init__(features, latent_shape, weight, dead_after)
        self.log_ratio = nn.Parameter(torch.zeros(self.latent_shape))
        self.offset = nn.Parameter(torch.zeros(self.latent_shape))

    def activate(self, pre: Tensor) -> SparseDelta:
        magnitude = F.relu(self.log_ratio.exp() * (pre - self.linear.bias) + self.offset)
        gate = F.relu(pre)
        return SparseDelta(magnitude * (pre > 0), gate.sum(-1), gate)
