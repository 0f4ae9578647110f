"""What a model says of a batch: the one record that every objective and every estimate reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import final

from torch import Tensor, nn
from torch.distributions import Distribution, kl_divergence

from isthmus.distributions import EventDistribution, LadderNormal
from isthmus.errors import UnsupportedError


@final
@dataclass(frozen=True)
class Evidence:
    """x, q(z|x), p(z), z and p(x|z) of one batch, and what follows from them, in nats.

    Args:
        x: (B, *D) the target that p(x|z) is asked about, in the model's scaled units.
        q: q(z|x), batch (B,), event Z.
        p: p(z), batch () or (B,), event Z.
        z: (S, B, *Z) draws from q; S is always there and always first.
        has_density: Whether q has a density: a point mass or a quantised code has none.
        infer: x -> q(z|x), for an objective that looks where the batch did not.
        generate: z (S, B, *Z) -> p(x|z), likewise.
        penalties: Per-datum terms (B,) that the posterior itself asks to be minimised: a codebook's
            commitment, a sparse code's penalty.
        condition: (B, C) what everything is conditioned on, or None.
        last_layer: The decoder's last weight, for an objective that balances gradients there.
    """

    x: Tensor
    q: Distribution
    p: Distribution
    z: Tensor
    has_density: bool
    infer: Callable[[Tensor], Distribution]
    generate: Callable[[Tensor], Distribution]
    penalties: dict[str, Tensor] = field(default_factory=dict)
    condition: Tensor | None = None
    last_layer: Callable[[], nn.Parameter] | None = None

    @cached_property
    def px(self) -> Distribution:
        """p(x|z), batch (S, B), event D; decoded once, when it is first asked for."""
        return self.generate(self.z)

    @cached_property
    def distortion(self) -> Tensor:
        """(S, B) −log p(x|z)."""
        return -self.px.log_prob(self.x)

    @property
    def mean_distortion(self) -> Tensor:
        """(B,) the distortion averaged over S."""
        distortion = self.distortion
        return distortion.squeeze(0) if len(distortion) == 1 else distortion.mean(0)

    @cached_property
    def log_prior(self) -> Tensor:
        """(S, B) log p(z); a one-sample estimate where the prior is itself a latent model."""
        return self.p.log_prob(self.z)

    @cached_property
    def log_posterior(self) -> Tensor:
        """(S, B) log q(z|x).

        Raises:
            UnsupportedError: The posterior has no density.
        """
        self._need_density()
        return self.q.log_prob(self.z)

    @cached_property
    def log_weights(self) -> Tensor:
        """(S, B) log p(x, z) − log q(z|x): their mean exponential estimates p(x) without bias."""
        return self.log_prior - self.log_posterior - self.distortion

    @cached_property
    def rate(self) -> Tensor:
        """(B,) KL(q(z|x) ‖ p(z)): in closed form where torch knows one, else averaged over S.

        Where both are ladders it is that of each level given the level above, averaged over S.
        """
        self._need_density()
        if isinstance(self.q, LadderNormal) and isinstance(self.p, LadderNormal):
            return self.rate_per_dimension.sum(1)
        try:
            return kl_divergence(self.q, self.p)
        except NotImplementedError:
            return (self.log_posterior - self.log_prior).mean(0)

    @cached_property
    def rate_per_dimension(self) -> Tensor:
        """(B, G) the rate by latent dimension, or by level of a ladder.

        One group G = 1 where q or p does not factorise.
        """
        self._need_density()
        if isinstance(self.q, LadderNormal) and isinstance(self.p, LadderNormal):
            return self.q.level_rates(self.p, self.z).mean(0)
        if not (isinstance(self.q, EventDistribution) and isinstance(self.p, EventDistribution)):
            return self.rate.unsqueeze(-1)
        q, p = self.q.elementwise(), self.p.elementwise()
        try:
            return kl_divergence(q, p).flatten(1)
        except NotImplementedError:
            return (q.log_prob(self.z) - p.log_prob(self.z)).mean(0).flatten(1)

    def _need_density(self) -> None:
        if not self.has_density:
            raise UnsupportedError(
                "The rate KL(q(z|x) || p(z)) needs a posterior with a density, and "
                f"{type(self.q).__name__} "
                "has none: use the posterior 'diagonal' (recipe vae), or the objective "
                "'reconstruction'."
            )
