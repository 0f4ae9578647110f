"""When a run reads, evaluates, saves and ends."""

from __future__ import annotations

import time

import pytest

from isthmus.training import Position, training_settings
from isthmus.training.clock import Clock
from isthmus.training.devices import Processes


def clock_of(position, length=1000, **values):
    return Clock(training_settings(batch_size=10, **values), length, Processes(), position)


def test_by_steps_everything_depends_on_the_step_alone():
    position = Position()
    clock = clock_of(position, epochs=6, evaluations=6, log_every=30)
    beats, evaluations = [], []
    while not clock.over:
        position.step += 1
        if clock.beats():
            clock.tick()
            beats.append(position.step)
            if clock.evaluates():
                evaluations.append(position.step)
    assert beats == [1, *range(30, 601, 30)]
    assert evaluations == [90, 180, 270, 360, 450, 540, 600]
    assert clock.progress == 1.0


def test_a_short_run_reads_as_often_as_it_evaluates():
    assert clock_of(Position(), length=20, epochs=3, evaluations=60).beat == 1


def test_a_run_is_over_when_the_patience_is_spent_or_it_was_finished():
    assert not clock_of(Position(waited=2), epochs=1, patience=3).over
    assert clock_of(Position(waited=3), epochs=1, patience=3).over
    assert not clock_of(Position(waited=3), epochs=1, patience=0).over
    assert clock_of(Position(finished=True), epochs=1).over


def test_by_minutes_the_clock_goes_on_from_the_seconds_of_an_earlier_life():
    position = Position(seconds=30.0)
    clock = clock_of(position, minutes=1.0)
    assert clock.progress == pytest.approx(0.5)
    clock.tick()
    assert 30.0 <= position.seconds < 31.0


def test_saving_is_due_after_its_seconds():
    position = Position()
    clock = clock_of(position, epochs=1, checkpoint_seconds=0.05)
    assert not clock.saves()
    time.sleep(0.06)
    clock.tick()
    assert clock.saves()
    assert not clock.saves()


def test_a_record_holds_position_and_tagged_values():
    position = Position(step=50, seconds=1.23456)
    record = clock_of(position, epochs=2).record("train", {"loss": 3.0})
    assert record == {
        "step": 50,
        "epoch": 0.5,
        "progress": 0.25,
        "seconds": 1.235,
        "train/loss": 3.0,
    }
