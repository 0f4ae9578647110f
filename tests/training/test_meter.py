"""Losses by name, and the step and term at which one broke."""

from __future__ import annotations

import math

import pytest
import torch

from isthmus.errors import TrainingError
from isthmus.objectives import Loss
from isthmus.training.devices import Processes
from isthmus.training.meter import Meter

ROWS = 64


def loss_of(distortion, rate=1.0, critic=0.0):
    terms = {"distortion": torch.tensor(distortion), "rate": torch.full((2,), rate)}
    total = sum(term.mean() for term in terms.values())
    return Loss(total, terms, {"code": torch.tensor(critic)})


def test_what_is_read_is_the_mean_since_the_last_reading():
    meter = Meter(Processes())
    for i in range(2 * ROWS + 3):
        meter.add(loss_of([float(i), 0.0]))
    means = meter.read(2 * ROWS + 3, "")
    assert means["distortion"] == pytest.approx((2 * ROWS + 2) / 4)
    assert means["loss"] == pytest.approx(means["distortion"] + 1.0)
    assert (means["rate"], means["code"]) == (1.0, 0.0)
    meter.add(loss_of([8.0, 0.0]))
    assert meter.read(2 * ROWS + 4, "")["distortion"] == 4.0
    assert meter.read(2 * ROWS + 4, "") == {}


@pytest.mark.parametrize(
    ("broken", "term"),
    [
        ({"distortion": [math.nan, 1.0]}, "The term 'distortion' became NaN at step 103."),
        ({"distortion": [1.0, 1.0], "rate": math.inf}, "The term 'rate' became inf at step 103."),
        ({"distortion": [1.0, 1.0], "critic": -math.inf}, "The term 'code' became -inf at step"),
    ],
)
def test_step_and_term_of_a_break_are_named(broken, term):
    meter = Meter(Processes())
    for i in range(5):
        meter.add(loss_of(**broken) if i >= 2 else loss_of([1.0, 1.0]))
    with pytest.raises(TrainingError) as caught:
        meter.read(105, "All is safe.")
    assert str(caught.value).startswith(term)
    assert "All is safe. Lower lr" in str(caught.value)


def test_unread_losses_survive_a_checkpoint():
    one, other = Meter(Processes()), Meter(Processes())
    one.add(loss_of([2.0, 2.0]))
    other.restore(one.unread().clone())
    assert other.unread().equal(one.unread())
    for meter in (one, other):
        meter.add(loss_of([5.0, 3.0]))
    assert one.check(2, "").shape == (2, 4)
    assert one.read(2, "") == other.read(2, "")
    assert one.unread().numel() == 0


def test_doubles_stay_doubles():
    meter = Meter(Processes())
    value = torch.tensor(1.0 + 2**-40, dtype=torch.float64)
    meter.add(Loss(value, {"distortion": value[None]}))
    assert meter.read(1, "")["loss"] == value.item()
