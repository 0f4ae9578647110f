"""The history file, and TensorBoard's events read back."""

from __future__ import annotations

import json

import pytest

from isthmus.fitting import fit
from isthmus.training import read_history
from isthmus.training.events import Audience, History, TensorBoard


def test_the_history_holds_every_record_as_a_line(table, tiny, tmp_path):
    run = fit(table, "vae", folder=tmp_path / "run", **tiny)
    lines = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == run.history
    assert {"step", "epoch", "progress", "seconds"} <= run.history[0].keys()
    kinds = {next(k for k in r if "/" in k).split("/")[0] for r in run.history}
    assert kinds == {"train", "validation"}


def test_a_resumed_history_drops_what_comes_after_the_checkpoint(tmp_path):
    path = tmp_path / "history.jsonl"
    lines = [json.dumps({"step": step}) for step in (5, 10, 10, 15)]
    path.write_text("\n".join(lines) + '\n{"step": 2')
    assert len(read_history(path)) == 4
    history = History(path, until=10)
    history.hear({"step": 15, "again": True})
    history.close()
    assert [r["step"] for r in read_history(path)] == [5, 10, 10, 15]
    History(path).close()
    assert read_history(path) == []
    assert read_history(tmp_path / "none") == []


def test_tensorboard_reads_what_was_heard(table, tiny, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = fit(table, "vae", folder=tmp_path / "run", tensorboard=True, **tiny)
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "events"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert {"train/loss", "validation/loss", "train/rate", "validation/distortion"} <= tags
    for tag in ("train/loss", "validation/loss"):
        expected = [(r["step"], r[tag]) for r in run.history if tag in r]
        found = [(e.step, e.value) for e in events.Scalars(tag)]
        assert found == [(step, pytest.approx(value, rel=1e-6)) for step, value in expected]


def test_events_of_an_overtaken_life_are_purged(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    first = TensorBoard(tmp_path)
    for step in (10, 20, 30):
        first.hear({"step": step, "train/loss": float(step)})
    first.close()
    second = TensorBoard(tmp_path, until=10)
    second.hear({"step": 20, "train/loss": 21.0})
    second.close()
    events = accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [(10, 10.0), (20, 21.0)]


def test_only_the_leading_process_speaks():
    class Loud:
        def __init__(self):
            self.heard, self.closed = [], 0

        def hear(self, record):
            self.heard.append(record)

        def close(self):
            self.closed += 1

    for leads in (True, False):
        listener, heard = Loud(), []
        with Audience([listener], heard, None, 0, False, leads) as audience:
            audience.hear({"step": 1})
        assert len(heard) == 1
        assert len(listener.heard) == leads
        assert listener.closed == 1
