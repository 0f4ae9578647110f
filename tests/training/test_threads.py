"""The number of threads is measured, remembered, and given back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from isthmus.fitting import fit
from isthmus.training import Position
from isthmus.training import threads as measuring


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves only when it is told: what else the machine does shall not count."""
    now = [0.0]
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: now[0])
    return now


@pytest.fixture
def many(monkeypatch):
    """A machine of four threads, and nothing measured before."""
    current = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: current[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda n: current.__setitem__(0, n))
    monkeypatch.setattr(measuring, "_measured", {})
    return current


def taking(seconds, current, calls, clock):
    def take(step):
        calls.append(current[0])
        clock[0] += seconds[current[0]]

    return take


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({1: 0.002, 2: 0.006, 4: 0.02}, 1),
        ({1: 0.008, 2: 0.004, 4: 0.001}, 4),
        ({1: 0.008, 2: 0.002, 4: 0.006}, 2),
        ({1: 0.0050, 2: 0.0049, 4: 0.0049}, 1),
    ],
)
def test_the_fastest_count_wins_and_more_threads_only_by_a_margin(seconds, chosen, many, clock):
    calls = []
    choice = measuring.choose_threads(nn.Linear(1, 1), taking(seconds, many, calls, clock), ("a",))
    assert choice.threads == chosen
    assert choice.alone == pytest.approx(seconds[1])
    assert set(calls) == {1, 2, 4}
    assert many == [4]


def test_what_was_measured_holds_for_the_process(many, clock):
    calls = []
    take = taking({1: 0.001, 2: 0.005, 4: 0.005}, many, calls, clock)
    first = measuring.choose_threads(nn.Linear(1, 1), take, ("net", 3))
    taken = len(calls)
    assert measuring.choose_threads(nn.Linear(1, 1), take, ("net", 3)) == first
    assert len(calls) == taken
    measuring.choose_threads(nn.Linear(1, 1), take, ("other", 3))
    assert len(calls) > taken


def test_a_slow_step_is_measured_in_one_round(many, clock, monkeypatch):
    monkeypatch.setattr(measuring, "ENOUGH_SECONDS", 0.0)
    calls = []
    take = taking({1: 0.001, 2: 0.005, 4: 0.005}, many, calls, clock)
    assert measuring.choose_threads(nn.Linear(1, 1), take, ("slow",)).threads == 1
    assert len(calls) == 3 * (measuring.WARM_UP + measuring.TIMED)


def test_measuring_changes_neither_the_model_nor_the_random_state(many):
    step = nn.Linear(3, 3)
    before, state = step.weight.clone(), torch.get_rng_state()

    def take(trial):
        trial.weight.data += torch.randn(3, 3)

    measuring.choose_threads(step, take, ("b",))
    assert step.weight.equal(before)
    assert torch.get_rng_state().equal(state)


def test_the_count_is_used_given_back_stored_and_kept(table, tiny, tmp_path, monkeypatch):
    from isthmus.training import loop

    used = []
    original = torch.set_num_threads
    monkeypatch.setattr(torch, "set_num_threads", lambda n: (used.append(n), original(n)))
    before = torch.get_num_threads()
    options = {**tiny, "threads": "auto", "checkpoint_seconds": 1e-3}
    monkeypatch.setattr(loop, "choose_threads", lambda step, take, key: measuring.Choice(2))

    class StopError(Exception):
        pass

    class Stops(loop.Listener):
        def hear(self, record):
            if record["step"] > 3:
                raise StopError

        def close(self):
            pass

    with pytest.raises(StopError):
        fit(table, "ae", folder=tmp_path / "run", listeners=[Stops()], **options)
    assert used == [2, before]
    monkeypatch.setattr(loop, "choose_threads", lambda step, take, key: pytest.fail("measured"))
    fit(table, "ae", folder=tmp_path / "run", resume=True, **options)
    assert used == [2, before] * 2
    assert torch.get_num_threads() == before
    fit(table, "ae", **{**tiny, "threads": 1})
    assert used[-2:] == [1, before]


def test_a_second_thread_that_has_become_hopeless_is_given_up(many, clock):
    position = Position(threads=2, alone=0.001)
    pace = measuring.Pace(position)
    for step, seconds in enumerate([0.001, 0.01, 0.001, 0.01, 0.01], start=1):
        clock[0] += seconds
        position.step = step
        pace.judge()
        pace.restart()
        # One slow reading is no trend; two on end are.
        assert position.threads == (1 if step == 5 else 2)
    assert many == [1]
    assert "From step 5 on one CPU thread in place of 2" in position.notes[0]
