"""Held-out data in an order whose first ones stand for all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus.cli.gallery import shown_first
from isthmus.data import Cropped, load
from isthmus.data.crops import Window
from isthmus.evaluation.candidate import Candidate, Density
from isthmus.evaluation.stage import in_memory, mixed, prepare, question_on
from isthmus.evaluation.subject import DENSITY_ROWS, Subject
from isthmus.evaluation.units import Units
from isthmus.fitting import Split


def by_label(n, labelled=True):
    """Rows in the order of three labels, each row its own number beside its label."""
    labels = np.repeat([0, 1, 2], n // 3)
    x = np.stack([np.arange(len(labels)), labels], 1).astype(np.float32)
    return load(x, labels=labels if labelled else None)


@pytest.mark.parametrize("labelled", [True, False])
def test_the_first_of_many_data_are_of_all_kinds(labelled):
    source = by_label(6000, labelled)
    stage = prepare(source, Split(), 0)
    question = stage.question
    first = question.clean[:DENSITY_ROWS, 1]
    # Without replacement: a share's standard deviation is below that of independent draws.
    off = np.abs(np.bincount(first.astype(int), minlength=3) / DENSITY_ROWS - 1 / 3)
    assert off.max() < 4 * np.sqrt(2 / 9 / DENSITY_ROWS)
    np.testing.assert_array_equal(question.test, question.clean)
    # Numbers are of the data as they were read, or of the held-out part of what stands for all.
    assert question.numbered == "of the data"
    np.testing.assert_array_equal(source.x[question.numbers], question.clean)
    part = prepare(source, Split(), 0, whole=False).question
    assert part.numbered == "of the held-out ones"
    held_out = Split().of(source)[2]
    rows = torch.cat([batch.x for batch in held_out.chunks(4096)]).double().numpy()
    np.testing.assert_array_equal(rows[part.numbers], question.clean)
    if labelled:
        np.testing.assert_array_equal(question.test_labels, question.clean[:, 1])


def test_few_data_stay_in_their_order_unless_that_is_their_labels():
    labels = np.array([0, 1, 0, 2, 1])
    np.testing.assert_array_equal(mixed(5, labels, 0), np.arange(5))
    np.testing.assert_array_equal(mixed(500, None, 0), np.arange(500))
    shuffled = mixed(5, np.sort(labels), 0)
    assert sorted(shuffled) == list(range(5))
    assert list(shuffled) != list(range(5))
    assert list(mixed(501, None, 0)) != list(range(501))


def test_conditions_and_factors_go_with_their_data():
    n = 600
    x = np.arange(2.0 * n, dtype=np.float32).reshape(n, 2)
    source = load(x, labels=np.repeat([0, 1], n // 2), condition="label")
    source.factors = torch.as_tensor(np.arange(n)[:, None] * [1, 2])
    question = question_on(Units(source.spec), source, source, source, 0)
    assert question.test_factors[0, 0] == question.test[0, 0] / 2
    np.testing.assert_array_equal(2 * question.test_factors[:, 0], question.test[:, 0])
    np.testing.assert_array_equal(question.test_condition.argmax(1), question.test_labels)
    np.testing.assert_array_equal(question.test_labels, question.test[:, 0] >= n)


def test_a_run_shows_data_of_all_labels():
    source = by_label(6000)
    batch, numbers = shown_first(source, 0)
    assert len(batch) == 1000
    assert set(batch.labels[:20].tolist()) == {0, 1, 2}
    np.testing.assert_array_equal(batch.x[:, 0], numbers)


def test_the_likelihood_of_sorted_data_is_that_of_all():
    """-log p(x) is known: 1,000 rows at 0 come before 1,000 at 9, and N(0, I) gives 40.5 more."""
    x = np.repeat([[0.0], [9.0]], 1000, axis=0).astype(np.float32)
    source = load(x, labels=np.repeat([0, 1], 1000))
    question = question_on(Units(source.spec), source, source, source, 0)
    known = Density(
        log_likelihood=lambda rows: -0.5 * (rows[:, 0] ** 2 + np.log(2 * np.pi)),
        rate=lambda rows, _=None: np.zeros(len(rows)),
        distortion=lambda rows, _=None: np.zeros(len(rows)),
    )
    candidate = Candidate(
        name="normal",
        family="baseline",
        latent_dim=1,
        parameters=0,
        seconds=0.0,
        encode=lambda x, _=None: x,
        decode=lambda z, _=None: z,
        draw=lambda n, seed, _=None: np.zeros((n, 1)),
        density=known,
    )
    found = -Subject(candidate, question).likely.log_likelihood
    truth = 0.5 * (40.5 + np.log(2 * np.pi))
    assert abs(found.mean() - truth) < 4 * found.std() / np.sqrt(len(found))


def test_a_test_part_of_the_data_s_own_judges_crops_too():
    images = np.broadcast_to(np.arange(40, dtype=np.uint8)[:, None, None, None], (40, 1, 6, 6))
    own = load(images.copy())
    own.test_from = 30
    source = in_memory(Cropped(own, Window(4, 4)))
    stage = prepare(source, Split(), 0)
    assert stage.question.numbers.tolist() == list(range(30, 40))
    assert (255 * stage.question.clean[:, 0, 0, 0]).round().tolist() == list(range(30, 40))
    assert stage.training.x.max() < 30.5 / 255
    assert in_memory(own).test_from == 30
