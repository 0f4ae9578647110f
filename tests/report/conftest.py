"""Comparisons made up without training: images with labels, a table, counts, almost nothing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from isthmus.data.spec import Column, DataSpec
from isthmus.evaluation.pairs import Pair
from isthmus.evaluation.results import Comparison, Finding, ModelResult

SIZES = (2, 4, 8, 16)
BASELINES = ("pca", "factor-analysis", "ica", "nmf")
LEARNED = ("linear-ae", "ae", "vae", "beta-vae", "sigma-vae")
DENSE = ("vae", "beta-vae", "sigma-vae")
HOSTILE = '<script>alert("x")</script>'


def linear(x: np.ndarray, z: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes and reconstructions on the z widest principal axes."""
    mean = x.mean(0)
    _, _, axes = np.linalg.svd(x - mean, full_matrices=False)
    codes = (x - mean) @ axes[:z].T
    return codes, codes @ axes[:z] + mean


def blobs(
    rng: np.random.Generator, n: int, side: int, channels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, C, side, side) of one soft disc each, labelled by its quadrant."""
    at = rng.uniform(0.2, 0.8, (n, 2)) * side
    radius = rng.uniform(0.1, 0.25, (n, 1, 1)) * side
    y, x = np.mgrid[:side, :side]
    distance = np.hypot(y - at[:, 0, None, None], x - at[:, 1, None, None])
    disc = 1 / (1 + np.exp(np.minimum(4 * (distance - radius), 50)))
    images = np.repeat(disc[:, None], channels, 1).astype(np.float32)
    return images, (at > side / 2) @ np.array([1, 2])


def results(r2: dict[int, float]) -> Iterable[ModelResult]:
    """Models at every size around what PCA reaches, the largest size in the main table."""
    for z in SIZES:
        for i, name in enumerate((*BASELINES, *LEARNED)):
            family = "baseline" if name in BASELINES else "learned"
            gain = 0.0 if family == "baseline" else 0.35
            value = 1 - (1 - r2[z]) * (1 - gain) - 0.004 * i
            yield one_result(name, family, z, value, i)


def one_result(name: str, family: str, z: int, r2: float, i: int) -> ModelResult:
    result = ModelResult(name, name, family, z, main=z == SIZES[-1])
    result.metrics = {
        "r2": r2,
        "rmse": 4 * (1 - r2) ** 0.5,
        "seconds": 0.2 + 7.3 * i,
        "parameters": 900.0 * z,
    }
    result.metrics |= {
        "active": float(z),
        "bytes": 4.0 * z,
        "probe": 0.8 + 0.01 * i,
        "outlier_auc": 0.9,
    }
    result.errors = {"r2": 0.004, "probe": 0.009}
    if name in ("ae", "vae"):
        result.seeds = {"r2": [r2 - 0.004, r2, r2 + 0.004], "probe": [0.8, 0.83, 0.86]}
    if name in DENSE:
        k = DENSE.index(name)
        rate, distortion = 34.0 - 9 * k, 96.0 + 7 * k * k
        result.metrics |= {
            "rate": rate,
            "distortion": distortion,
            "elbo": -0.69 * (rate + distortion),
        }
        result.metrics |= {"nll": 0.67 * (rate + distortion), "sample_auc": 0.71 + 0.06 * k}
        result.errors |= {"elbo": 0.31, "nll": 0.3, "sample_auc": 0.02}
    else:
        for key in ("rate", "distortion", "elbo", "nll"):
            result.why_missing[key] = (
                f"{'This baseline' if family == 'baseline' else 'A plain autoencoder'} has no "
                "density."
            )
        result.why_missing["sample_auc"] = "It has no prior to sample from."
    return result


def history(rng: np.random.Generator, steps: int, overfit: float) -> np.ndarray:
    step = np.arange(50, steps + 1, 50, dtype=float)
    training = 60 + 120 * np.exp(-step / 600) + rng.normal(0, 0.6, len(step))
    held = 63 + 118 * np.exp(-step / 600) + overfit * np.maximum(step / steps - 0.4, 0)
    held[np.arange(len(step)) % 3 > 0] = np.nan
    return np.stack([step, training, held], 1)


def compare(spec: DataSpec, x: np.ndarray, labels: np.ndarray | None, shown: int) -> Comparison:
    """A whole comparison on x (n, *D) from principal components with noise."""
    rng = np.random.default_rng(1)
    flat = x.reshape(len(x), -1).astype(float)
    r2 = {
        z: 1 - ((linear(flat, z)[1] - flat) ** 2).sum() / ((flat - flat.mean(0)) ** 2).sum()
        for z in SIZES
    }
    comparison = Comparison(spec, list(results(r2)), findings(), protocol())
    comparison.notes = ["1 constant column was kept as it is."]
    comparison.versions = {"isthmus": "0.1.0", "torch": "2.13.0", "Python": "3.11.9"}
    comparison.pairs = [
        Pair("r2", "ae", "linear-ae", 0.1234, 0.0056, 0.00001),
        Pair("nll", "sigma-vae", "vae", 0.31, 0.4, 0.44),
    ]
    arrays = {"originals": x[:shown]}
    if labels is not None:
        arrays["labels"] = labels
    for i, name in enumerate((*BASELINES, *LEARNED)):
        codes, again = linear(flat, 3 * i + 4)
        arrays[f"reconstructions/{name}"] = (
            again[:shown].reshape(x[:shown].shape).astype(np.float32)
        )
        arrays[f"codes/{name}"] = codes[:, :2] * (1 if i < 4 else -1) + rng.normal(
            0, 0.2, codes[:, :2].shape
        )
        if name in LEARNED:
            arrays[f"history/{name}"] = history(rng, 3000, 3.0 * (name == "ae"))
        if name in DENSE:
            arrays[f"samples/{name}"] = again[rng.permutation(len(x))[:64]].reshape(-1, *spec.shape)
            arrays[f"rates/{name}"] = np.sort(rng.exponential(2.0, 16) * (np.arange(16) < 11))[::-1]
    comparison.arrays = arrays | pictures(rng, flat, x, labels)
    return comparison


def pictures(
    rng: np.random.Generator, flat: np.ndarray, x: np.ndarray, labels: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Strips, extremes and draws of every model, of the same kinds as the measures make them."""
    codes, _ = linear(flat, 4)
    low, high = flat.min(0), flat.max(0)
    found: dict[str, np.ndarray] = {}
    for i, name in enumerate((*BASELINES, *LEARNED)):
        strips = np.linspace(low, high, 7)[None] * np.linspace(1, 0.4, 3 + i % 3)[:, None, None]
        shape = (*strips.shape[:2], *x.shape[1:])
        notes = [(f"z{k}", f"{3.1 - k:.1f} bits") for k in range(len(strips))]
        found[f"traversals/{name}"] = strips.reshape(shape).astype(np.float32)
        found[f"traversal_rows/{name}"] = np.array(notes)
        found[f"interpolations/{name}"] = strips.reshape(shape)[:2].astype(np.float32)
        scores = rng.gamma(2.0, 5.0 + i, len(x))
        order = np.argsort(scores)
        places = np.concatenate([order[:4], order[::-1][:4]])
        found[f"scores/{name}"] = scores
        found[f"score_unit/{name}"] = np.array(["nats" if name in DENSE else "squared error"])
        found[f"extreme_places/{name}"] = places
        found[f"extremes/{name}"] = x[places]
        found[f"extremes_rebuilt/{name}"] = 0.9 * x[places]
        if name in LEARNED:
            sliders = [
                ("top left" if labels is not None else "measure 1", f"R² {0.9 - i / 40:.2f}")
            ]
            found[f"attributes/{name}"] = strips.reshape(shape)[:1].astype(np.float32)
            found[f"attribute_rows/{name}"] = np.array(sliders)
        if name in DENSE:
            found[f"aggregate/{name}"] = codes[:, :2] / codes[:, :2].std(0) * (0.6 + 0.2 * i)
            found[f"prior/{name}"] = rng.normal(size=(4000, 2))
            found[f"axes/{name}"] = np.array([1, 3])
    return found


def findings() -> list[Finding]:
    return [
        Finding(
            "do I need an autoencoder",
            "ae",
            "Yes: at 16 numbers a datum ae keeps 91 % of the held-out variance and pca 84 %.",
        ),
        Finding("compress", "sigma-vae", "It needs 130.0 bits a datum, 4.1 fewer than vae."),
        Finding("generate", "vae", "Its samples are told from held-out data with AUC 0.71.", True),
        Finding(
            "features", "", "No model's codes lead: all linear probes lie between 0.80 and 0.88."
        ),
        Finding("anomalies", "ae", "Its error tells spoiled data from whole with AUC 0.95."),
        Finding("code size", "ae", "ae with 8 numbers keeps as much as pca with 16."),
    ]


def protocol() -> dict[str, str]:
    return {
        "split": "70 / 10 / 20 % for training, validation and test, seed 0",
        "budget": "the same 12 s for every learned model",
        "importance samples": "100",
        "seeds": "1",
    }


@pytest.fixture(scope="session")
def images() -> Comparison:
    x, labels = blobs(np.random.default_rng(0), 300, 8, 1)
    classes = ("top left", "bottom left", "top right", "bottom right")
    spec = DataSpec("image", (1, 8, 8), "unit", 300, "blobs", classes=classes, unit=16.0)
    found = compare(spec, x, labels, 20)
    found.arrays |= channels("vae") | channels("ae", bits=False)
    return found


def channels(label: str, bits: bool = True) -> dict[str, np.ndarray]:
    """A code that is a map of three channels, of which the last is the widest."""
    widths = np.array([1.0, 0.01, 2.0])[:, None, None]
    maps = np.random.default_rng(0).normal(size=(6, 3, 2, 2)) * widths
    ends = [maps.min((0, 2, 3)), maps.max((0, 2, 3))]
    spread = maps.std((0, 2, 3))
    carried = np.array([3.0, 0.01, 9.5]) if bits else np.full(3, np.nan)
    table = [maps.mean((0, 2, 3)), spread, *ends, spread**2 / (spread**2).sum(), carried]
    rows = np.argsort(-spread)
    return {
        f"channels/{label}": np.stack(table, 1),
        f"channel_scale/{label}": np.array([maps.mean(), maps.std()]),
        f"channel_pictures/{label}": maps[:, rows].astype(np.float32),
        f"channel_rows/{label}": rows,
    }


@pytest.fixture(scope="session")
def table() -> Comparison:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5)) @ rng.normal(size=(5, 18)) + 0.3 * rng.normal(size=(400, 18))
    columns = (*(Column(f"measure {i}") for i in range(16)), Column("od280/od315_of_diluted_wines"))
    spec = DataSpec("table", (18,), "real", 400, "wine.csv", (*columns, Column(HOSTILE)))
    return compare(spec, x.astype(np.float32), None, 200)


@pytest.fixture(scope="session")
def counts() -> Comparison:
    rng = np.random.default_rng(0)
    x = rng.poisson(rng.gamma(0.3, 4.0, (300, 40)) * rng.gamma(1, 1, 40)).astype(np.float32)
    return compare(DataSpec("counts", (40,), "count", 300, "bags"), x, None, 60)


@pytest.fixture(scope="session")
def minimal() -> Comparison:
    only = ModelResult("ae", "ae", "learned", 2, metrics={"r2": 0.5, "nll": float("nan")})
    return Comparison(DataSpec("table", (4,), "real", 9), [only], [], {})
