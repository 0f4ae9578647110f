"""Noise: its moments, only in training, and its description."""

from __future__ import annotations

import pytest
import torch

from isthmus.data import CORRUPTIONS
from isthmus.errors import OptionError
from isthmus.registry import build, describe

X = torch.full((200, 1000), 0.5)
N = X.numel()
NAMES = [entry.name for entry in CORRUPTIONS]


def test_the_names() -> None:
    assert NAMES == ["identity", "gaussian", "masking", "salt-and-pepper"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_happens_outside_training(name: str) -> None:
    noise = CORRUPTIONS.create(name)
    noise.eval()
    assert noise(X) is X


@pytest.mark.parametrize("name", NAMES)
def test_a_description_builds_the_same(name: str) -> None:
    noise = CORRUPTIONS.create(name)
    again = build(describe(noise))
    torch.manual_seed(1)
    one = noise(X)
    torch.manual_seed(1)
    assert torch.equal(one, again(X))
    assert one.dtype == X.dtype
    assert bool((X == 0.5).all())


def test_gaussian_has_its_standard_deviation() -> None:
    e = (CORRUPTIONS.create("gaussian", sigma=0.3)(X) - X).double()
    # Five standard errors of a mean and of a variance.
    assert abs(float(e.mean())) < 5 * 0.3 / N**0.5
    assert float(e.var()) == pytest.approx(0.09, abs=5 * 0.09 * (2 / N) ** 0.5)


def test_masking_has_its_rate() -> None:
    x = CORRUPTIONS.create("masking", rate=0.25)(X)
    assert set(x.unique().tolist()) == {0.0, 0.5}
    assert float((x == 0).double().mean()) == pytest.approx(0.25, abs=5 * (0.1875 / N) ** 0.5)


def test_salt_and_pepper_has_its_rate_on_both_sides() -> None:
    x = CORRUPTIONS.create("salt-and-pepper", rate=0.1, low=-1.0, high=2.0)(X)
    for value, rate in ((-1.0, 0.05), (2.0, 0.05), (0.5, 0.9)):
        share = float((x == value).double().mean())
        assert share == pytest.approx(rate, abs=5 * (rate * (1 - rate) / N) ** 0.5)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_rates_at_their_ends(rate: float) -> None:
    masked = CORRUPTIONS.create("masking", rate=rate)(X)
    assert bool((masked == (0.0 if rate else 0.5)).all())
    specked = CORRUPTIONS.create("salt-and-pepper", rate=rate)(X)
    assert bool(((specked == 0.5) == (rate == 0)).all())


def test_refusals() -> None:
    with pytest.raises(OptionError, match="sigma"):
        CORRUPTIONS.create("gaussian", sigma=-1.0)
    for name in ("masking", "salt-and-pepper"):
        with pytest.raises(OptionError, match="no probability"):
            CORRUPTIONS.create(name, rate=1.5)
