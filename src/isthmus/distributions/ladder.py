"""A chain of Gaussian levels, each given the one above, and what a datum adds to each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from isthmus.distributions.normal import DiagonalNormal
from isthmus.errors import OptionError

# The level above (..., W_l+1) -> location and scale (..., W_l).
Descent = Callable[[Tensor], tuple[Tensor, Tensor]]


@final
class LadderNormal(Distribution):
    r"""Levels z = (z_1, …, z_L) side by side, the lowest first, drawn from the top down,

    .. math:: p(z) = p(z_L) \prod_{l<L} N(z_l; \mu_l(z_{l+1}), \sigma_l(z_{l+1})^2),

    or, with what a datum says of every level, the same chain with each conditional multiplied by
    that level's Gaussian and normalised: precisions add, and means are weighted by them.

    The density of any value is exact. `mean` is the descent by the conditional means:
    deterministic, and the mean of the whole only where the descents are linear.

    Args:
        widths: W_1, …, W_L.
        top: p(z_L), event (W_L,), batch () or (B,).
        descents: Of the levels 1 to L − 1.
        seen: What a datum says, of all levels side by side: batch (B,), event (Z,).

    Reference:
        Sønderby et al., Ladder Variational Autoencoders, arXiv 1602.02282, equations 17 to 19.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    has_rsample = True

    def __init__(
        self,
        widths: Sequence[int],
        top: DiagonalNormal,
        descents: Sequence[Descent],
        seen: DiagonalNormal | None = None,
    ) -> None:
        self.widths = list(widths)
        self.top = top
        self.descents = list(descents)
        self.seen = seen
        if seen is not None:
            locs, scales = seen.loc, seen.scale.expand_as(seen.loc)
            parts = (t.split(self.widths, -1) for t in (locs, scales))
            self._said = list(zip(*parts, strict=True))
        batch = top.batch_shape if seen is None else seen.batch_shape
        super().__init__(batch, torch.Size((sum(widths),)), validate_args=False)

    def given(self, seen: DiagonalNormal) -> LadderNormal:
        """The chain with what a datum says of each level multiplied in."""
        return LadderNormal(self.widths, self.top, self.descents, seen)

    @property
    def mean(self) -> Tensor:
        """Each level's conditional mean at that of the level above."""
        return self._descend(lambda conditional: conditional.loc)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = torch.Size(sample_shape)
        drawn = self._conditional(len(self.widths) - 1, None).rsample(shape)
        return self._descend(lambda conditional: conditional.rsample(), drawn)

    def log_prob(self, value: Tensor) -> Tensor:
        levels = zip(self.conditionals(value), value.split(self.widths, -1), strict=True)
        return torch.stack([one.log_prob(z) for one, z in levels]).sum(0)

    def conditionals(self, value: Tensor) -> list[DiagonalNormal]:
        """The Gaussian of each level, the lowest first, given the level above in value (..., Z)."""
        above = [*value.split(self.widths, -1)[1:], None]
        return [self._conditional(level, z) for level, z in enumerate(above)]

    def level_rates(self, p: LadderNormal, value: Tensor) -> Tensor:
        """KL of each level's conditional from p's (..., L), given the levels above in `value`.

        Its mean over draws of this distribution is the KL of the levels, whose sum is the whole.
        """
        pairs = zip(self.conditionals(value), p.conditionals(value), strict=True)
        shape = value.shape[:-1]
        return torch.stack([kl_divergence(q, one).expand(shape) for q, one in pairs], -1)

    def _descend(self, take: Callable[[DiagonalNormal], Tensor], z: Tensor | None = None) -> Tensor:
        last = len(self.widths) - 1
        levels = [take(self._conditional(last, None)) if z is None else z]
        for level in reversed(range(last)):
            levels.append(take(self._conditional(level, levels[-1])))
        return torch.cat(levels[::-1], -1)

    def _conditional(self, level: int, above: Tensor | None) -> DiagonalNormal:
        if above is None:
            loc, scale = self.top.loc, self.top.scale
        else:
            loc, scale = self.descents[level](above)
        if self.seen is not None:
            said, spread = self._said[level]
            loc, scale = product(said, spread, loc, scale)
        return DiagonalNormal(loc, scale)


def product(loc: Tensor, scale: Tensor, other: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
    """Location and scale of the normalised product of N(loc, scale²) and N(other, spread²)."""
    ours, theirs = scale.square(), spread.square()
    both = ours + theirs
    return (loc * theirs + other * ours) / both, scale * spread * both.rsqrt()


def level_widths(
    owner: str, widths: Sequence[int] | None, latent_shape: Sequence[int]
) -> tuple[int, ...]:
    """The widths, or two levels of two thirds and one third of Z.

    Raises:
        OptionError: They are fewer than two levels, or Z has no room for them.
    """
    if widths is not None:
        if len(widths) < 2 or min(widths) < 1:
            raise OptionError(
                f"{owner} needs two levels or more, each of width 1 or more, and got the widths "
                f"{tuple(widths)}: one level is the recipe 'vae'."
            )
        return tuple(widths)
    if len(latent_shape) != 1 or latent_shape[0] < 2:
        raise OptionError(
            f"{owner} shares one axis of two numbers or more among its levels, and got the shape "
            f"{tuple(latent_shape)}: use the recipe 'vae', or a latent_dim of 2 or more."
        )
    upper = max(1, latent_shape[0] // 3)
    return (latent_shape[0] - upper, upper)
