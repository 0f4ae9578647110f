"""Numbers and lists in words, as the report writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from isthmus.data import DataSpec
from isthmus.evaluation.figures import figure

NBSP = "\u00a0"


def fixed(value: float, digits: int) -> str:
    """A number with so many decimals, thousands by commas and a true minus sign."""
    text = figure(value, digits)
    if float(text.replace(",", "")) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "−")


def uncertainty(value: float, digits: int) -> str:
    """An error as "±0.012"; one that the decimals would hide keeps one figure; none for none."""
    if not (math.isfinite(value) and value > 0):
        return ""
    shown = fixed(value, digits)
    if float(shown.replace(",", "")) == 0:
        return "" if value < 1e-6 else f"±{fixed(value, -math.floor(math.log10(value)))}"
    return f"±{shown}"


def percent(share: float) -> str:
    """A share as "58 %", with a decimal near its ends."""
    digits = 1 if 0 < share < 0.1 or 0.99 < share < 1 else 0
    return f"{fixed(100 * share, digits)}{NBSP}%"


def listed(words: Sequence[str]) -> str:
    """Words as "a, b and c" in one string."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def counted(n: int, noun: str) -> str:
    """A number with its noun: "1 model", "1,200 models"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def short(name: str, most: int) -> str:
    """A name, cut to fit beside a plot."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def describe_data(spec: DataSpec) -> str:
    """What the data are, in one sentence."""
    n_classes = f", {len(spec.classes)} classes" if spec.classes else ""
    return f"{_what(spec)}{_values(spec)}{n_classes}."


def _what(spec: DataSpec) -> str:
    if spec.kind == "image" and len(spec.shape) == 3:
        channels, height, width = spec.shape
        colour = {1: "in grey", 3: "in colour"}.get(channels, f"with {channels} channels")
        return f"{counted(spec.length, 'image')} of {height} × {width} pixels {colour}"
    if spec.kind == "counts":
        return f"{counted(spec.length, 'bag')} of counts over {counted(spec.size, 'column')}"
    if spec.kind == "table":
        return f"{counted(spec.length, 'row')} of {counted(spec.size, 'number')}"
    shape = " × ".join(str(n) for n in spec.shape)
    return f"{spec.length:,} data of shape {shape}"


def _values(spec: DataSpec) -> str:
    values = {
        "unit": ", values between 0 and 1",
        "binary": ", values 0 or 1",
        "category": f", {spec.n_categories} categories a value",
    }.get(spec.support, "")
    if spec.unit != 1.0:
        values += f" (1 stands for {spec.unit:g} of the data's own units)"
    return values
