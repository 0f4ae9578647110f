"""zuko's flows, imported so that torch's own settings stay as the user has them.

zuko switches the argument checks of every torch distribution off when it is imported, in the whole
process. That is for the user to decide: what is made here in a training step is made without
checks one by one.
"""

from __future__ import annotations

from torch.distributions import Distribution

_checks = Distribution._validate_args
try:
    from zuko.distributions import NormalizingFlow
    from zuko.flows import MAF, NSF
    from zuko.flows.autoregressive import MaskedAutoregressiveTransform
    from zuko.transforms import MonotonicRQSTransform
finally:
    Distribution.set_default_validate_args(_checks)

__all__ = [
    "MAF",
    "NSF",
    "MaskedAutoregressiveTransform",
    "MonotonicRQSTransform",
    "NormalizingFlow",
]
