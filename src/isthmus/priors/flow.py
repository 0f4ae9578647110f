"""A normalising flow as the prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast, final

import torch
from torch import Tensor, nn

from isthmus.distributions import DiagonalNormal, FullPrecision
from isthmus.priors.base import PRIORS, Infer, Prior, one_axis
from isthmus.registry import Registry
from isthmus.zuko import MAF, NSF, NormalizingFlow

FLOWS = Registry("flow")

FLOWS.register("affine")(MAF)
FLOWS.register("spline")(NSF)

# Of a last layer's weights at the start: the flow begins near the identity, but not at it.
NEARLY_IDENTITY = 0.1


@final
@PRIORS.register("flow")
class FlowPrior(Prior):
    """p(z) = Normal(f(z); 0, I) |det df/dz| with f a masked autoregressive flow, learned.

    A density takes one pass, a draw as many as there are dimensions. It starts near the standard
    normal.

    Args:
        latent_shape: Z, one axis.
        kind: "affine" (masked autoregressive flow) or "spline" (rational-quadratic, on [−5, 5]).
        transforms: How many, each in the reverse order of the one before.
        hidden: Widths of each transform's network.

    Reference:
        Papamakarios et al., Masked Autoregressive Flow for Density Estimation, arXiv 1705.07057.
        Durkan et al., Neural Spline Flows, arXiv 1906.04032.
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        kind: str = "affine",
        transforms: int = 3,
        hidden: Sequence[int] = (64, 64),
    ) -> None:
        super().__init__()
        width = one_axis("flow", latent_shape)
        self.flow = autoregressive(kind, width, transforms, hidden, NEARLY_IDENTITY)

    def forward(self, condition: Tensor | None = None, infer: Infer | None = None) -> FullPrecision:
        return FullPrecision(density(self.flow))


def autoregressive(
    kind: str, width: int, transforms: int, hidden: Sequence[int], last: float
) -> nn.Module:
    """A flow over R^width by its name, the last layers of its networks multiplied by `last`.

    Where `last` is 0 it is the identity, and the density the standard normal.
    """
    flow: nn.Module = FLOWS[kind].factory(
        width, transforms=transforms, hidden_features=tuple(hidden)
    )
    with torch.no_grad():
        for transform in cast(nn.ModuleList, cast(nn.Module, flow.transform).transforms):
            layers = [m for m in transform.modules() if isinstance(m, nn.Linear)]
            # In one dimension there is no network, only parameters.
            for parameter in (layers[-1] if layers else transform).parameters():
                parameter.mul_(last)
    return flow


def density(flow: nn.Module) -> NormalizingFlow:
    """The density of a flow of `autoregressive`, without torch's checks of its base."""
    loc, scale = cast(nn.Module, flow.base).buffers()
    return NormalizingFlow(cast(nn.Module, flow.transform)(), DiagonalNormal(loc, scale))
