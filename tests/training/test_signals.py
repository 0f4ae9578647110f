"""A first signal is noted, a second interrupts, and the handlers from before come back."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from isthmus.fitting import fit
from isthmus.training import Listener
from isthmus.training.signals import Interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish_and_the_second_an_order(number):
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert not interruption.wanted
        os.kill(os.getpid(), number)
        assert interruption.wanted
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_other_threads_are_left_alone(table, tiny):
    failed = []

    def run():
        try:
            fit(table, "ae", **tiny)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not failed


def test_without_a_folder_an_interrupted_model_has_its_best_weights(table, tiny, seams):
    model, objective = seams.small("hierarchical", 6)

    class Interrupts(Listener):
        def hear(self, record):
            if record["step"] == 4:
                os.kill(os.getpid(), signal.SIGINT)

        def close(self):
            pass

    options = {k: tiny[k] for k in ("threads", "epochs", "batch_size")}
    with pytest.raises(KeyboardInterrupt):
        fit(table, model, objective=objective, listeners=[Interrupts()], **options)
    assert not model.training
