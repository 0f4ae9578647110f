"""What is wrong with a code, in words, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.evaluation.units import Floats

# Bits under which a dimension carries nothing to speak of.
LEAST_BITS = 0.05


def collapse(rates: Floats, options: Mapping[str, Any]) -> str:
    """A sentence where dimensions carry next to nothing, and what to do by the recipe's options.

    Args:
        rates: (Z,) bits by dimension.
        options: Of the recipe; `beta` and `nats` (free bits) are read.

    Returns:
        "" where every dimension carries something.
    """
    idle, total = int((rates < LEAST_BITS).sum()), len(rates)
    if not idle:
        return ""
    carry = "carries" if idle == 1 else "carry"
    which = "The only dimension" if total == 1 else f"{idle} of {total} dimensions"
    said = f"{which} {carry} under {LEAST_BITS} bits: "
    beta, free = options.get("beta"), options.get("nats")
    if isinstance(beta, (int, float)) and beta > 1.0:
        return said + f"beta = {beta:g} is too high, or use free bits (recipe free-bits)."
    if isinstance(free, (int, float)):
        return said + f"the free bits are too few at nats = {free:g}; raise nats."
    if idle == total:
        return said + (
            "the decoder does without the code. Lower beta (recipe beta-vae), let the rate's "
            "weight climb more slowly (kl_warmup), or use free bits (recipe free-bits)."
        )
    return said + (
        f"{total - idle} may be all that the data need; if reconstructions are poor, lower beta "
        "(recipe beta-vae) or use free bits (recipe free-bits)."
    )
