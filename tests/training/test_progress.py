"""Progress is a bar on a terminal and plain lines elsewhere."""

from __future__ import annotations

import sys

import pytest

from isthmus.fitting import fit
from isthmus.training import ProgressBar, progress


def record(step, **values):
    return {"step": step, "epoch": step / 10, "progress": step / 100, "seconds": 1.0, **values}


def test_elsewhere_it_prints_plain_lines_now_and_then(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    bar = ProgressBar("vae on digits")
    for step in range(0, 100, 10):
        now[0] += 2.0
        bar.hear(record(step, **{"train/loss": 1.0}))
        bar.hear(record(step, **{"validation/loss": 12.3456}))
    bar.close()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "vae on digits: 20%  epoch 2.0  held-out loss 12.35 nats",
        "vae on digits: 50%  epoch 5.0  held-out loss 12.35 nats",
        "vae on digits: 80%  epoch 8.0  held-out loss 12.35 nats",
    ]
    assert "\x1b" not in captured.err


def test_on_a_terminal_a_bar_appears_with_the_first_record_and_goes_again(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    bar = ProgressBar("vae")
    assert capsys.readouterr().err == ""
    bar.hear(record(40, **{"validation/loss": 3.0}))
    bar.close()
    assert "vae" in capsys.readouterr().err
    ProgressBar("never heard of").close()


@pytest.mark.parametrize("lively", [True, False])
def test_a_run_may_have_one(lively, table, tiny, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: lively)
    fit(table, "ae", listeners=[ProgressBar()], **tiny)
