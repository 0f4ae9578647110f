"""The encoder's Gaussian, refined for each datum by steps on its own bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast, final

import torch
from torch import Tensor
from torch.distributions import Distribution

from isthmus.distributions import DiagonalNormal
from isthmus.errors import OptionError
from isthmus.posteriors.base import POSTERIORS, RefinedPosterior
from isthmus.posteriors.diagonal import DiagonalGaussian

# A step of the log scale is at most this: no posterior shrinks to nothing at once.
LARGEST_STEP = 1.0
LONGER, SHORTER = 1.5, 0.3

LogJoint = Callable[[Tensor], Tensor]


class _State(NamedTuple):
    """A guess (B, *Z) of mean and log scale, its bound (B,), and the bound's gradients."""

    mean: Tensor
    log_scale: Tensor
    bound: Tensor
    by_mean: Tensor
    by_log_scale: Tensor


@final
@POSTERIORS.register("semi-amortised")
class SemiAmortised(RefinedPosterior):
    """A diagonal Gaussian whose mean and scale start at the encoder's and climb each datum's bound.

    A step moves the mean by s² ∂ELBO/∂m and log s by ½ ∂ELBO/∂log s, the natural gradient, times a
    length of the datum's own: it grows after a step that raised the bound and shrinks after one
    that did not, which is not taken. So the bound that is climbed never falls. It is averaged over
    z = m ± s e for a set of sign vectors e: fixed ones in evaluation, the rows of a Hadamard
    matrix, whose mean is exact where log p(x, z) is quadratic in z and `pairs` reaches the power of
    two from Z on; others for each batch while training. In training the encoder learns through the
    steps.

    Args:
        features: H.
        latent_shape: Z.
        steps: Gradient steps for each datum; 0 leaves the encoder's.
        pairs: Of sign vectors e and −e.

    Raises:
        OptionError: No pairs, or fewer than no steps.

    Reference:
        Kim et al., Semi-Amortized Variational Autoencoders, arXiv 1802.02550; Cremer et al.,
        Inference Suboptimality in Variational Autoencoders, arXiv 1801.03558.
    """

    has_density = True
    has_mode = True

    def __init__(
        self, features: int, latent_shape: Sequence[int], steps: int = 5, pairs: int = 2
    ) -> None:
        super().__init__()
        if steps < 0 or pairs < 1:
            raise OptionError(
                f"The posterior 'semi-amortised' needs steps of 0 or more and pairs of 1 or more; "
                f"got steps={steps} and pairs={pairs}."
            )
        self.latent_shape = tuple(latent_shape)
        self.steps = steps
        self.pairs = pairs
        self.start = DiagonalGaussian(features, latent_shape)
        self.register_buffer("signs", hadamard_signs(pairs, self.latent_shape), persistent=False)

    def forward(self, h: Tensor) -> DiagonalNormal:
        """The encoder's own guess."""
        q: DiagonalNormal = self.start(h)
        return q

    def refine(self, q: Distribution, log_joint: LogJoint) -> DiagonalNormal:
        """The guess after the steps."""
        start = cast(DiagonalNormal, q)
        signs = self.get_buffer("signs").to(start.loc.dtype)
        if self.training:
            drawn = torch.randint(0, 2, (self.pairs, *start.loc.shape), device=start.loc.device)
            signs = _both(2.0 * drawn - 1.0).to(start.loc.dtype)
        else:
            signs = signs.unsqueeze(1)
        return refined(start, log_joint, signs, self.steps, through=torch.is_grad_enabled())


def refined(
    q: DiagonalNormal, log_joint: LogJoint, signs: Tensor, steps: int, *, through: bool = False
) -> DiagonalNormal:
    """A diagonal Gaussian after steps that raise E[log p(x, z)] + entropy for each datum.

    Args:
        q: Where to start, batch (B,).
        log_joint: z (S, B, *Z) -> log p(x, z) (S, B).
        signs: (S, 1 or B, *Z) of −1 and 1, each with its opposite.
        steps: How many.
        through: Whether gradients pass through the steps to q and the model.
    """
    if not steps:
        return q
    with torch.enable_grad():
        mean, log_scale = q.loc, q.scale.expand_as(q.loc).log()
        if not through:
            mean, log_scale = mean.detach(), log_scale.detach()
        now = _look(mean, log_scale, log_joint, signs, through)
        length = torch.ones_like(now.bound)
        for _ in range(steps):
            now, length = _step(now, length, log_joint, signs, through)
    mean, scale = now.mean, now.log_scale.exp()
    if not through:
        mean, scale = mean.detach(), scale.detach()
    return DiagonalNormal(mean, scale, q.event_dims)


def _look(
    mean: Tensor, log_scale: Tensor, log_joint: LogJoint, signs: Tensor, through: bool
) -> _State:
    if not mean.requires_grad:
        mean, log_scale = mean.requires_grad_(), log_scale.requires_grad_()
    axes = tuple(range(1, mean.dim()))
    expected = log_joint(mean + signs * log_scale.exp()).mean(0)
    bound = expected + log_scale.sum(axes)
    gradients = torch.autograd.grad(bound.sum(), (mean, log_scale), create_graph=through)
    return _State(mean, log_scale, bound, *gradients)


def _step(
    now: _State, length: Tensor, log_joint: LogJoint, signs: Tensor, through: bool
) -> tuple[_State, Tensor]:
    """One step for each datum, taken where its bound rises, and the next step's length."""
    by = length.view(-1, *[1] * (now.mean.dim() - 1))
    mean = now.mean + by * (2.0 * now.log_scale).exp() * now.by_mean
    log_scale = now.log_scale + (by * 0.5 * now.by_log_scale).clamp(-LARGEST_STEP, LARGEST_STEP)
    if not through:
        mean, log_scale = mean.detach(), log_scale.detach()
    then = _look(mean, log_scale, log_joint, signs, through)
    better = then.bound.detach() > now.bound.detach()
    shaped = better.view(by.shape)
    kept = [
        torch.where(better if new.dim() == 1 else shaped, new, old)
        for new, old in zip(then, now, strict=True)
    ]
    return _State(*kept), length * torch.where(better, LONGER, SHORTER)


def hadamard_signs(pairs: int, latent_shape: Sequence[int]) -> Tensor:
    """(2 · pairs, *Z) rows of a Hadamard matrix of −1 and 1, each with its opposite.

    Any two columns of the whole matrix are orthogonal, so that the rows' second moments are those
    of independent signs.
    """
    size = torch.Size(latent_shape).numel()
    matrix = torch.ones(1, 1)
    while len(matrix) < max(size, pairs):
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    rows = matrix[: min(pairs, len(matrix)), :size]
    return _both(rows).unflatten(1, tuple(latent_shape))


def _both(signs: Tensor) -> Tensor:
    return torch.cat([signs, -signs])
