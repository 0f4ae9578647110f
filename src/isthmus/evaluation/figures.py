"""How a figure is written."""

from __future__ import annotations

# From here on the digits before the point tell no more than their number does.
LARGE = 1e9


def figure(value: float, digits: int) -> str:
    """With so many decimals and thousands by commas; a huge one with decimals as a power of ten."""
    if digits and abs(value) >= LARGE:
        return f"{value:.1e}"
    return f"{value:,.{digits}f}"
