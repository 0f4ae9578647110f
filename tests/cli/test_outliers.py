"""`isthmus outliers` against brute force, of tables, images and conditional models."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from isthmus.data import load
from isthmus.fitting import Run
from isthmus.screening import Screen

COLUMNS = ("width", "height", "weight")


def write(path: Path, rows: np.ndarray, labels: list[str] | None = None) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *(["odd"] if labels else [])])
        for i, row in enumerate(rows.tolist()):
            writer.writerow([*row, *([labels[i]] if labels else [])])
    return path


def usual_rows(n: int, seed: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    z = chance.normal(size=(n, 1))
    x = z @ [[1.0, 1.0, -1.0]] + 0.3 * chance.normal(size=(n, 3))
    return (x * [1, 100, 0.01] + [0, 500, 3]).astype(np.float32)


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "known.csv", usual_rows(300, 0))


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Path:
    rows = usual_rows(40, 1)
    rows[30:, 1] += 400.0
    labels = ["no"] * 30 + ["yes"] * 10
    return write(tmp_path_factory.mktemp("data") / "asked.csv", rows, labels)


@pytest.fixture(scope="module")
def run_of_table(known, tmp_path_factory) -> Path:
    from .conftest import QUICK, run_well

    folder = tmp_path_factory.mktemp("runs") / "table"
    run_well("fit", known, "--latent-dim", 1, "--hidden", 8, *QUICK, "-o", folder)
    return folder


def x_of(*sources) -> torch.Tensor:
    return torch.cat([batch.x for source in sources for batch in source.chunks(100)])


def levels(known: np.ndarray, asked: np.ndarray, there: np.ndarray) -> np.ndarray:
    """log(1 + d / mean d) over its spread, d the mean city-block distance to the five nearest."""
    own = cdist(known, there, "cityblock")
    np.fill_diagonal(own, np.inf)
    every = (own, cdist(asked, there, "cityblock"))
    of_known, of_asked = (np.sort(d, axis=1)[:, :5].mean(1) for d in every)
    mean = of_known.mean()
    return np.log(1 + of_asked / mean) / np.log(1 + of_known / mean).std()


def by_brute_force(folder: Path, own: Path, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far asked and held-out rows are from training rows and from their reconstructions."""
    run = Run.read(folder)
    training, *held_out = run.split.of(load(own))
    x = x_of(training)
    mean, spread = (f(x.double().numpy(), 0) for f in (np.mean, np.std))
    rows = x.double().numpy()
    places = [(p - mean) / spread for p in (rows, run.model.reconstruct(x).double().numpy())]

    def far(asked: np.ndarray) -> np.ndarray:
        return sum(levels((rows - mean) / spread, (asked - mean) / spread, p) for p in places)

    return far(asked), far(x_of(*held_out).double().numpy())


def test_a_table_by_brute_force(run_of_table, known, asked, isthmus, tmp_path):
    arguments = ("outliers", run_of_table, asked, "--label", "odd", "--by", "neighbours")
    done = isthmus(*arguments, "-o", tmp_path / "o.csv")
    rows = list(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    assert list(rows[0]) == ["score", "tail", "outlier", "label"]
    assert [row["label"] for row in rows] == ["no"] * 30 + ["yes"] * 10
    x = x_of(load(asked, label="odd")).double().numpy()
    far, usual = by_brute_force(run_of_table, known, x)
    scores = np.array([float(row["score"]) for row in rows])
    np.testing.assert_allclose(scores, -far, rtol=1e-5)
    tails = [(1 + sum(u >= f for u in usual)) / (1 + len(usual)) for f in far]
    np.testing.assert_allclose([float(row["tail"]) for row in rows], tails, rtol=1e-6)
    assert [int(row["outlier"]) for row in rows] == [int(tail <= 0.05) for tail in tails]

    said = done.stdout
    # 90 are held out: of 91 ranks four are at most a twentieth.
    assert f"{sum(t <= 0.05 for t in tails)} of 40 are outliers at a share of 0.05" in said
    assert f"90 held-out data; of usual data about {40 * 4 / 91:.0f} would" in said
    area = roc_auc_score([row["label"] == "yes" for row in rows], far)
    assert f"for the 10 of label yes among 40: {area:.3f}" in said
    numbers = [int(n) for n in re.findall(r"^  (\d+): score", said, re.MULTILINE)]
    np.testing.assert_array_equal(numbers, np.argsort(scores)[:5])
    there = Run.read(run_of_table).model.reconstruct(torch.from_numpy(x[numbers[:1]]).float())
    off = np.abs(x[numbers[0]] - there[0].numpy()) / usual_rows(300, 0).std(0)
    worst = int(off.argmax())
    assert COLUMNS[worst] == "height"
    blamed = f"\n      height {x[numbers[0], 1]:,.0f} (expected {there[0, 1]:,.0f}), "
    assert blamed in said


def test_columns_of_numbers_are_judged_by_the_ensemble(run_of_table, asked, isthmus, tmp_path):
    arguments = ("outliers", run_of_table, asked, "--label", "odd")
    done = isthmus(*arguments, "-o", tmp_path / "o.npy")
    assert "40 scores by ensemble, higher for the more usual" in done.stdout
    isthmus(*arguments, "--by", "ensemble", "-o", tmp_path / "same.npy")
    isthmus(*arguments, "--by", "neighbours", "-o", tmp_path / "other.npy")
    kept, same, other = (np.load(tmp_path / f"{name}.npy") for name in ("o", "same", "other"))
    np.testing.assert_array_equal(kept, same)
    assert not np.array_equal(kept, other)


def test_other_files_and_shares(run_of_table, asked, isthmus, tmp_path):
    arguments = ("outliers", run_of_table, asked, "--label", "odd", "--by", "typicality")
    isthmus(*arguments, "-o", tmp_path / "o.npy")
    isthmus(*arguments, "-o", tmp_path / "o.parquet", "--share", 0.3)
    kept, table = np.load(tmp_path / "o.npy"), pq.read_table(tmp_path / "o.parquet")
    assert table.column_names == ["score", "tail", "outlier", "label"]
    for i, name in enumerate(("score", "tail")):
        np.testing.assert_array_equal(kept[:, i], table[name])
    np.testing.assert_array_equal(kept[:, 2], kept[:, 1] <= 0.05)
    np.testing.assert_array_equal(table["outlier"], kept[:, 1] <= np.float32(0.3))
    assert 0 < kept[:, 2].sum() < np.sum(table["outlier"])


def test_log_p_is_what_score_writes(run_of_table, asked, isthmus, tmp_path):
    many = ("--samples", 4000)
    isthmus("outliers", run_of_table, asked, "--by", "likelihood", *many, "-o", tmp_path / "a.npy")
    isthmus("score", run_of_table, asked, *many, "-o", tmp_path / "b.npy")
    ours, theirs = np.load(tmp_path / "a.npy")[:, 0], np.load(tmp_path / "b.npy")
    np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=0.1)


def test_images_without_columns_to_blame(digits_run, isthmus, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    x = load("digits").x[:6, 0].numpy().copy()
    x[4] = 1 - x[4]
    for i, picture in enumerate(x):
        Image.fromarray((picture * 255).astype(np.uint8)).save(folder / f"{i}.png")
    by = ("--by", "reconstruction")
    said = isthmus("outliers", digits_run, folder, *by, "-o", tmp_path / "o.npy").stdout
    given = np.stack([np.asarray(Image.open(folder / f"{i}.png")) for i in range(6)]) / 255
    model = Run.read(digits_run).model
    rebuilt = model.reconstruct(torch.from_numpy(given[:, None]).float()).numpy()[:, 0]
    found = np.load(tmp_path / "o.npy")
    np.testing.assert_allclose(found[:, 0], -np.square(given - rebuilt).sum((1, 2)), rtol=1e-4)
    assert found[:, 0].argmin() == 4
    assert re.search(r"^  4: score -[\d.]+, tail 0\.\d+$", said, re.MULTILINE)
    # 1,797 digits: 180 and 359 are held out.
    assert "judged by 539 held-out data" in said
    assert "expected" not in said
    assert "ROC" not in said


def test_the_most_unusual_of_many_chunks(run_of_table, isthmus, tmp_path):
    rows = usual_rows(1300, 4)
    for place, number in enumerate((5, 1290, 600, 700, 1)):
        rows[number] = [0, 500 + 1000 * (9 - place), 3]
    many = write(tmp_path / "many.csv", rows)
    by = ("--by", "reconstruction", "-o", tmp_path / "o.npy")
    said = isthmus("outliers", run_of_table, many, *by).stdout
    assert re.findall(r"^  (\d+): score", said, re.MULTILINE) == ["5", "1290", "600", "700", "1"]
    assert len(np.load(tmp_path / "o.npy")) == 1300
    assert " of 1,300 are outliers" in said


def test_a_run_on_its_own_data_is_told(digits_run, isthmus, tmp_path):
    done = isthmus("outliers", digits_run, "digits", "-o", tmp_path / "o.csv")
    assert "trained on, which looks more usual" in done.stderr
    assert "ROC" not in done.stdout  # Ten classes.


def test_without_the_runs_own_data(run_of_table, known, asked, isthmus, refused, tmp_path):
    moved = tmp_path / "known.csv"
    folder = tmp_path / "run"
    shutil.copytree(run_of_table, folder)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace(str(known), str(tmp_path / "gone.csv")))
    refusal = refused("outliers", folder, asked, "-o", tmp_path / "o.npy").stderr
    assert "gone.csv, which is not here: give --against DATA" in refusal
    assert not (tmp_path / "o.npy").exists()
    shutil.copy(known, moved)
    isthmus("outliers", folder, asked, "--against", moved, "-o", tmp_path / "o.npy")
    isthmus("outliers", run_of_table, asked, "-o", tmp_path / "p.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), np.load(tmp_path / "p.npy"))
    fewer = write(tmp_path / "fewer.csv", usual_rows(100, 5))
    again = ("--against", fewer, "-o", tmp_path / "q.npy")
    said = isthmus("outliers", folder, asked, *again).stderr
    assert "these are 100 data and the run was trained on 300" in said


def test_a_conditional_run_reads_each_condition(isthmus, tmp_path):
    chance, towns = np.random.default_rng(0), ["Ulm", "Bonn"] * 60
    x = chance.normal(size=(120, 3)).astype(np.float32)
    x[::2] += 4.0
    own = write(tmp_path / "own.csv", x, towns)
    options = ("--condition", "odd", "--latent-dim", 1, "--hidden", 8, "--epochs", 30)
    quick = ("--recipe", "cvae", "--threads", 1, "--device", "cpu", "-o", tmp_path / "run")
    isthmus("fit", own, *options, *quick)
    turned = write(tmp_path / "turned.csv", x, towns[::-1])
    found = {}
    for data in (own, turned):
        target = data.with_suffix(".npy")
        isthmus("outliers", tmp_path / "run", data, "--by", "reconstruction", "-o", target)
        found[data.stem] = np.load(target)
    run = Run.read(tmp_path / "run")
    batch = next(load(own, condition=("odd",), label=None).chunks(200))
    spread = x_of(run.split.of(load(own, condition=("odd",)))[0]).numpy().std(0)
    there = run.model.reconstruct(batch.x, condition=batch.condition)
    expected = -np.square((batch.x - there).numpy() / spread).sum(1)
    np.testing.assert_allclose(found["own"][:, 0], expected, rtol=1e-3)
    assert found["turned"][:, 2].sum() > found["own"][:, 2].sum() + 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--by", "neighbors"), "Did you mean 'neighbours'"),
        (("--share", "0.01"), "share of at least 0.011"),
        (("--share", "1"), "--share"),
        (("--against", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(arguments, said, run_of_table, asked, refused, here):
    line = refused("outliers", run_of_table, asked, *arguments, "-o", "o.csv").stderr
    assert said in line
    assert list(here.iterdir()) == []


def test_bad_data_and_models_are_refused_and_nothing_is_left(
    run_of_table, plain_run, asked, refused, here
):
    line = refused("outliers", plain_run, "digits", "--by", "likelihood", "-o", "o.csv").stderr
    assert "no probability: use neighbours, ensemble, latent, reconstruction." in line
    assert "nowhere.csv" in refused("outliers", run_of_table, "nowhere.csv", "-o", "o.csv").stderr
    picture = ("--label", "odd", "-o", "o.png")
    assert "as pictures" in refused("outliers", run_of_table, asked, *picture).stderr
    assert list(here.iterdir()) == []
    bad = write(here / "bad.csv", usual_rows(5, 2))
    bad.write_text(bad.read_text().replace("weight", "wait"))
    assert "lacks the column 'weight'" in refused("outliers", run_of_table, bad, "-o", "o").stderr
    assert list(here.iterdir()) == [bad]


def test_gaps_are_refused_and_nothing_is_left(known, isthmus, refused, here):
    options = ("--recipe", "miwae-imputation", "--missing", "--hidden", 8, "--epochs", 1)
    rows = usual_rows(600, 3)
    rows[599, 1] = np.nan
    write(here / "holes.csv", rows)
    (here / "holes.csv").write_text((here / "holes.csv").read_text().replace("nan", ""))
    isthmus("fit", "holes.csv", *options, "--threads", 1, "--device", "cpu", "-o", "run")
    write_to = ("-o", "o.csv")
    assert "gaps" in refused("outliers", "run", known, *write_to).stderr
    # Row 599 is of the second chunk.
    against = ("--by", "kl", "--against", known)
    from .conftest import run

    done = run("outliers", "run", "holes.csv", *against, *write_to)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("Error: There are gaps")
    assert sorted(p.name for p in here.iterdir()) == ["holes.csv", "run"]


def test_a_file_of_the_wrong_kind_is_refused_before_anything_is_scored(
    run_of_table, asked, refused, tmp_path, monkeypatch
):
    monkeypatch.setattr(Screen, "fit", lambda *_: pytest.fail("it was scored"))
    line = refused("outliers", run_of_table, asked, "-o", tmp_path / "o.png").stderr
    # None of the kinds that it offers is refused in its turn.
    assert line.strip().endswith("the suffixes .npy, .parquet, .csv.")
    line = refused("outliers", run_of_table, asked, "-o", tmp_path / "o.safetensors").stderr
    assert "scores go to .npy, .csv or .parquet" in line
    assert list(tmp_path.iterdir()) == []
