"""The reference's measures as loops over points, written from their description.

One batch is drawn at a time, encoded, and appended; each pair of a latent and a factor is a call of
scikit-learn. A representation is a function from factors (n, F) to codes (n, Z).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from scipy.stats import entropy, spearmanr
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.metrics import mutual_info_score, roc_auc_score
from sklearn.preprocessing import StandardScaler, label_binarize
from sklearn.svm import LinearSVC

Array = NDArray[np.float64]
Encode = Callable[[NDArray[np.int64]], Array]
BATCH, GROUP, BINS = 16, 64, 20


class Loops:
    """The measures of one representation.

    Args:
        encode: The representation.
        sizes: Of the factors.
        seed: Of all draws.
    """

    def __init__(self, encode: Encode, sizes: Sequence[int], seed: int = 0) -> None:
        self.encode, self.sizes, self.seed = encode, sizes, seed

    def factors(self, random: RandomState, n: int) -> NDArray[np.int64]:
        return np.stack([random.randint(size, size=n) for size in self.sizes], 1)

    def batches(self, random: RandomState, n: int) -> tuple[Array, NDArray[np.int64]]:
        codes, factors = np.empty((0, 0)), np.empty((0, len(self.sizes)), np.int64)
        for first in range(0, n, BATCH):
            f = self.factors(random, min(BATCH, n - first))
            z = self.encode(f)
            codes = z if not first else np.vstack([codes, z])
            factors = np.vstack([factors, f])
        return codes, factors

    def halves(self, train: int, test: int) -> tuple[Array, Array, Array, Array]:
        random = RandomState(self.seed)
        return (*self.batches(random, train), *self.batches(random, test))

    def beta_vae(self, train: int, test: int) -> float:
        random = RandomState(self.seed)

        def points(n: int) -> tuple[Array, list[int]]:
            found, labels = [], []
            for _ in range(n):
                k = random.randint(len(self.sizes))
                one, other = self.factors(random, GROUP), self.factors(random, GROUP)
                other[:, k] = one[:, k]
                found.append(np.abs(self.encode(one) - self.encode(other)).mean(0))
                labels.append(k)
            return np.array(found), labels

        fitted = LogisticRegression(random_state=random).fit(*points(train))
        return float(fitted.score(*points(test)))

    def factor_vae(self, train: int, test: int) -> float:
        random = RandomState(self.seed)
        everything = self.encode(self.factors(random, 10_000)).var(0, ddof=1)
        active = np.sqrt(everything) >= 0.05

        def votes(n: int) -> NDArray[np.int64]:
            found = np.zeros((int(active.sum()), len(self.sizes)), np.int64)
            for _ in range(n):
                k = random.randint(len(self.sizes))
                f = self.factors(random, GROUP)
                f[:, k] = f[0, k]
                spread = self.encode(f).var(0, ddof=1)[active] / everything[active]
                found[spread.argmin(), k] += 1
            return found

        winners, scored = votes(train).argmax(1), votes(test)
        return float(scored[np.arange(len(scored)), winners].sum() / scored.sum())

    def mig(self, train: int, test: int) -> float:
        z, f = self.batches(RandomState(self.seed), train)
        m = information(binned(z), f)
        top = np.sort(m, 0)[::-1]
        return float(np.mean((top[0] - top[1]) / np.diag(information(f, f))))

    def dci(self, train: int, test: int) -> float:
        z, f, _, _ = self.halves(train, test)
        columns = [GradientBoostingClassifier().fit(z, c).feature_importances_ for c in f.T]
        R = np.stack(columns, 1)
        apart = 1 - entropy(R.T + 1e-11, base=R.shape[1])
        return float((apart * R.sum(1) / R.sum()).sum())

    def sap(self, train: int, test: int) -> float:
        z, f, z2, f2 = self.halves(train, test)
        scores = np.zeros((z.shape[1], f.shape[1]))
        for i in range(z.shape[1]):
            for j in range(f.shape[1]):
                fitted = LinearSVC(C=0.01, class_weight="balanced").fit(z[:, [i]], f[:, j])
                scores[i, j] = fitted.score(z2[:, [i]], f2[:, j])
        top = np.sort(scores, 0)[::-1]
        return float(np.mean(top[0] - top[1]))

    def modularity(self, train: int, test: int) -> float:
        z, f = self.batches(RandomState(self.seed), train)
        m = information(binned(z), f) ** 2
        most = m.max(1)
        return float(np.mean(1 - (m.sum(1) - most) / (most * (m.shape[1] - 1))))

    def explicitness(self, train: int, test: int) -> float:
        z, f, z2, f2 = self.halves(train, test)
        mean, scale = z.mean(0), z.std(0)
        found = []
        for k in range(f.shape[1]):
            fitted = LogisticRegression().fit((z - mean) / scale, f[:, k])
            truth = label_binarize(f2[:, k], classes=fitted.classes_)
            found.append(roc_auc_score(truth, fitted.predict_proba((z2 - mean) / scale)))
        return float(np.mean(found))

    def irs(self, train: int, test: int) -> float:
        z, f = self.batches(RandomState(self.seed), train)
        furthest = np.abs(z - z.mean(0)).max(0)
        strays = np.zeros((z.shape[1], f.shape[1]))
        for k, column in enumerate(binned(f).T):
            for value in np.unique(column):
                part = z[column == value]
                strays[:, k] += np.quantile(np.abs(part - part.mean(0)), 0.99, axis=0)
            strays[:, k] /= len(np.unique(column))
        return float(np.average((1 - strays / furthest[:, None]).max(1), weights=furthest))

    def unsupervised(self, train: int, test: int) -> float:
        z, _ = self.batches(RandomState(self.seed), train)
        s = np.cov(z.T)
        2 * np.trace(s) - 2 * np.trace(sqrtm(s * np.diag(s)[:, None]))
        information(binned(z), binned(z))
        return float(0.5 * (np.log(np.diag(s)).sum() - np.linalg.slogdet(s)[1]))

    def downstream(self, train: int, test: int) -> float:
        """From 1,000 rows."""
        z, f, z2, f2 = self.halves(1000, test)
        fitted = [GradientBoostingClassifier().fit(z, c) for c in f.T]
        return float(np.mean([m.score(z2, c) for m, c in zip(fitted, f2.T, strict=True)]))


def binned(values: NDArray[np.generic]) -> NDArray[np.int64]:
    edges = [np.histogram(c, BINS)[1][:-1] for c in values.T]
    return np.stack([np.digitize(c, e) for c, e in zip(values.T, edges, strict=True)], 1)


def information(a: NDArray[np.int64], b: NDArray[np.int64]) -> Array:
    return np.array([[mutual_info_score(y, x) for y in b.T] for x in a.T])


def udr(codes: Sequence[Array], similarity: str) -> Array:
    """The score of each model."""
    rows = [StandardScaler().fit_transform(z) for z in codes]
    pairs = np.zeros((len(rows), len(rows)))
    for i, a in enumerate(rows):
        for j, b in enumerate(rows):
            if i == j:
                continue
            if similarity == "lasso":
                R = np.abs(Lasso(alpha=0.1).fit(a, b).coef_).T
            else:
                R = np.abs([[spearmanr(x, y)[0] for y in b.T] for x in a.T])
            with np.errstate(invalid="ignore"):
                halves = [np.nan_to_num(R.max(k) ** 2 / R.sum(k)).mean() for k in (0, 1)]
            pairs[i, j] = np.mean(halves)
    return np.array([np.median(np.delete(pairs[:, i], i)) for i in range(len(rows))])
