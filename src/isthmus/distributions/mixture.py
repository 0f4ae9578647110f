"""Mixtures: of diagonal normals by matrix products, and of any components."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import Distribution

from isthmus.distributions.normal import DiagonalNormal
from isthmus.maths import gaussian_kl

_LOG_TAU = math.log(2.0 * math.pi)


@final
class NormalMixture(Distribution):
    """Σ_k π_k Normal(loc_k, diag(scale_k²)), its K densities from two matrix products.

    Σ_j (z_j − μ_kj)² τ_kj is multiplied out, with the precisions τ, in double precision where the
    device has it: narrow components would lose it in single, and neither autocast nor TF32 touches
    it.

    Args:
        logits: (K,), or (B, K) for weights by datum; the weights' logarithms up to a constant.
        loc: (K, *Z).
        scale: (K, *Z), standard deviations.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, logits: Tensor, loc: Tensor, scale: Tensor) -> None:
        self.logits = logits
        self.loc = loc
        self.scale = scale
        super().__init__(logits.shape[:-1], loc.shape[1:], validate_args=False)

    @cached_property
    def log_weights(self) -> Tensor:
        """Log π, (K,) or (B, K)."""
        return self.logits.log_softmax(-1)

    def component_log_prob(self, value: Tensor) -> Tensor:
        """Log Normal(z; loc_k, scale_k) (..., K) of values (..., *Z)."""
        wide = torch.float32 if value.device.type == "mps" else torch.float64
        size = len(self._event_shape)
        z = value.flatten(value.ndim - size).to(wide)
        loc, scale = (t.flatten(1).to(wide) for t in (self.loc, self.scale))
        precision = scale.pow(-2)
        quadratic = (
            z.square() @ precision.T
            - 2.0 * (z @ (loc * precision).T)
            + (loc.square() * precision).sum(-1)
        )
        volume = scale.log().sum(-1) + 0.5 * _LOG_TAU * loc.shape[1]
        return (-0.5 * quadratic - volume).to(value.dtype)

    def component_kl(self, q: DiagonalNormal) -> Tensor:
        """KL(q ‖ Normal(loc_k, scale_k)) (B, K) of q with batch (B,), in closed form."""
        mean, scale = (t.unsqueeze(1) for t in (q.loc, q.scale.expand_as(q.loc)))
        return gaussian_kl(mean, scale, self.loc, self.scale).flatten(2).sum(-1)

    def log_joint(self, value: Tensor) -> Tensor:
        """Log p(z, k) (..., K) of values (..., *Z)."""
        return self.log_weights + self.component_log_prob(value)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.log_joint(value).logsumexp(-1)

    def responsibilities(self, value: Tensor) -> Tensor:
        """p(k|z) (..., K) of values (..., *Z)."""
        return self.log_joint(value).softmax(-1)

    @property
    def mean(self) -> Tensor:
        return torch.tensordot(self.log_weights.exp(), self.loc, 1)

    @property
    def variance(self) -> Tensor:
        second = self.loc.square() + self.scale.square()
        return torch.tensordot(self.log_weights.exp(), second, 1) - self.mean.square()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            p = torch.distributions.Categorical(logits=self.logits, validate_args=False)
            k = p.sample(sample_shape)
            return torch.normal(self.loc[k], self.scale[k])


@final
class EqualMixture(Distribution):
    """1/K Σ_k c_k with the components c as the batch (K,) of a distribution.

    Args:
        components: Batch (K,), event Z.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, components: Distribution) -> None:
        self.components = components
        super().__init__(torch.Size(), components.event_shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        among = self.components.log_prob(value.unsqueeze(value.ndim - len(self._event_shape)))
        return among.logsumexp(-1) - math.log(among.shape[-1])

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = torch.Size(sample_shape)
        n, count = shape.numel(), self.components.batch_shape[0]
        with torch.no_grad():
            drawn = self.components.sample(torch.Size((1,)))
            chosen, order = torch.randint(count, (n,), device=drawn.device).sort()
            # The j-th draw of a component comes from round j, in which all are drawn once.
            rounds = torch.arange(n, device=drawn.device) - torch.searchsorted(chosen, chosen)
            if n and (more := int(rounds.max())):
                drawn = torch.cat([drawn, self.components.sample(torch.Size((more,)))])
            values = torch.empty_like(drawn[rounds, chosen])
            values[order] = drawn[rounds, chosen]
        return values.unflatten(0, shape) if shape else values[0]
