"""The diagonal Gaussian over a map, whose features are its moments already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

from torch import Tensor, nn

from isthmus.distributions import DiagonalNormal
from isthmus.errors import OptionError
from isthmus.maths import full_precision
from isthmus.posteriors.base import POSTERIORS, Posterior
from isthmus.posteriors.heads import LOG_VARIANCE_RANGE

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@final
@POSTERIORS.register("spatial-gaussian")
class SpatialGaussian(Posterior):
    """q(z|x) = Normal(mean(x), diag(variance(x))) in every cell of a map.

    The features (B, 2 Z, *map) are the mean and then the log-variance, as the encoder of latent
    diffusion gives them. Maps of another size than the one it is built for are read as well.

    Args:
        features: H = 2 Z.
        latent_shape: Z and the map's size, (Z, *map).
        grid: The map's size.
        quant: Whether a 1 × 1 convolution reads the features first, as in Stable Diffusion 1 and 2.
        scaling: How a diffusion model scales the code, by the keys of a published config, where
            the weights came with it. Nothing here applies it; it is kept with the weights.

    Raises:
        OptionError: The features are no map, or are not twice as wide as the code.

    Reference:
        Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models,
        arXiv 2112.10752.
    """

    has_density = True
    has_mode = True
    factorised = True

    def __init__(
        self,
        features: int,
        latent_shape: Sequence[int],
        grid: Sequence[int] = (),
        quant: bool = True,
        scaling: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if tuple(latent_shape[1:]) != tuple(grid) or len(grid) not in _CONVOLUTIONS:
            raise OptionError(
                "The posterior 'spatial-gaussian' reads feature maps laid out like its code, and "
                f"got features of the size {tuple(grid)} for codes {tuple(latent_shape)}: use "
                "network='kl', or the posterior 'diagonal'."
            )
        if features != 2 * latent_shape[0]:
            raise OptionError(
                "The posterior 'spatial-gaussian' reads the mean and the log-variance of "
                f"{latent_shape[0]} channels, {2 * latent_shape[0]} features, and got {features}: "
                "use network='kl', or the posterior 'diagonal'."
            )
        self.latent_shape = tuple(latent_shape)
        self.scaling = None if scaling is None else dict(scaling)
        self.quant_conv = _CONVOLUTIONS[len(grid)](features, features, 1) if quant else None

    def moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (B, Z, *map) of features (B, 2 Z, *map), at least float32."""
        h = h if self.quant_conv is None else self.quant_conv(h)
        mean, log_variance = full_precision(h).chunk(2, 1)
        return mean, log_variance.clamp(*LOG_VARIANCE_RANGE)

    def forward(self, h: Tensor) -> DiagonalNormal:
        mean, log_variance = self.moments(h)
        return DiagonalNormal(mean, (0.5 * log_variance).exp(), len(self.latent_shape))
