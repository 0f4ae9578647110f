"""Settings: one line for a mistake, and arithmetic of steps."""

from __future__ import annotations

import math

import pytest

from isthmus.errors import OptionError
from isthmus.training import TrainingSettings, training_settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "Unknown training setting 'epoch'. Did you mean 'epochs'?"),
        ({"learning_rate": 3}, "Unknown training setting 'learning_rate'."),
        ({"epochs": 3, "minutes": 1.0}, "Both epochs=3 and minutes=1.0 were given: choose one"),
        ({"epochs": 0}, "Training setting epochs=0: input should be greater than or equal to 1."),
        ({"epochs": 2.5}, "Training setting epochs=2.5: "),
        ({"minutes": 0}, "Training setting minutes=0: input should be greater than 0."),
        ({"minutes": math.inf}, "Training setting minutes=inf: input should be a finite number."),
        ({"lr": -1e-3}, "Training setting lr=-0.001: "),
        ({"lr": math.nan}, "Training setting lr=nan: "),
        ({"warmup": 1.5}, "Training setting warmup=1.5: "),
        ({"threads": 0}, "Training setting threads=0: "),
        ({"threads": "many"}, "Training setting threads='many': "),
        ({"precision": "float16"}, "Training setting precision='float16': "),
        ({"batch_size": 0}, "Training setting batch_size=0: "),
        ({"seed": -1}, "Training setting seed=-1: "),
    ],
)
def test_a_mistake_is_said_in_one_line(values, message):
    with pytest.raises(OptionError) as caught:
        training_settings(**values)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_steps_of_an_epoch_are_whole_batches_equal_for_all_processes():
    settings = training_settings(batch_size=32, epochs=3)
    assert settings.steps_per_epoch(100) == 3
    assert settings.total_steps(100) == 9
    assert settings.steps_per_epoch(100, processes=2) == 1
    assert settings.batch(100, processes=2) == 32


def test_fewer_data_than_a_batch_are_one_batch_shared_by_the_processes():
    settings = training_settings(batch_size=128, epochs=5)
    assert (settings.batch(100), settings.steps_per_epoch(100)) == (100, 1)
    assert (settings.batch(100, 2), settings.steps_per_epoch(100, 2)) == (50, 1)
    with pytest.raises(OptionError, match="4 processes cannot share 3 training data"):
        settings.batch(3, 4)


def test_unset_epochs_aim_at_6000_steps_within_10_and_100_epochs():
    settings = TrainingSettings(batch_size=100)
    assert settings.total_steps(10_000) == 60 * 100
    assert settings.total_steps(100) == 100
    assert settings.total_steps(1_000_000) == 10 * 10_000
