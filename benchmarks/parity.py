"""The same models in isthmus and in pythae: held-out loss and seconds of training.

Both sides get the same MNIST images (or small digits), the same nets (784-256-z with ReLU) with
the same weights at the start, Adam at a constant 1e-3 without decay, batches of 100 and as many
epochs; both keep the weights of the best epoch on the same held-out images. What they then give for
the test images (codes, and the decoder's last layer) is written to files, and the losses in the
table are computed from those here, by one function in float64 for both. Each side's own best
held-out loss stands beside it in the file of results. With --own-start isthmus first puts the
decoder's last bias at the mean of the data, as it does whenever nobody brings weights.

How pythae's settings are mapped, printed with the table: see MAPPING.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from measuring import CONTENDERS, Contender, finish, need_python, table
from numpy.typing import NDArray

from isthmus.data import load

sys.path.insert(0, str(CONTENDERS))
import parity_cases as shared

Floats = NDArray[np.float64]
DRAWS = 5
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ISTHMUS, PYTHAE = "isthmus", "pythae"

MAPPING = {
    "all": "z 16, Adam(1e-3), constant rate, no weight decay, no warm-up of the rate",
    "vae": "binary images; pythae reconstruction_loss='bce', isthmus likelihood bernoulli: "
    "the same sum over pixels in nats. Loss: -ELBO, 5 draws, rate in closed form",
    "beta-vae": "as vae with beta 4 on both sides. Loss: distortion + 4 rate",
    "wae-mmd": "grey images; pythae |x-x'|^2 + 10 MMD^2 (imq, 7 scales, bandwidth 1), isthmus a "
    "Gaussian of scale sqrt(1/2), so that -log p is |x-x'|^2 and a constant, scale 10; kernel and "
    "estimator are the same. Loss: |x-x'|^2 + 10 MMD^2 against as many fixed draws of N(0, I)",
    "vq-vae": "8 positions of width 8, 64 codes, EMA .99, to which isthmus rises from less, as is "
    "its default, and whose counts pythae starts at 0. pythae's commitment .25 is on a mean "
    "over a datum's 64 numbers, so isthmus gets .25/64 on the sum. isthmus starts from k-means and "
    "revives codes, as is its default; pythae can do neither. Loss: |x-x'|^2 + commitment",
    "vq-vae plain": "as vq-vae, isthmus without k-means and revival from the same codebook",
    "rae-l2": "beta 1e-4 on |z|^2/2 on both sides; decay of the decoder off on both. "
    "Loss: |x-x'|^2 + 1e-4 |z|^2/2",
    "rae-gp": "as rae-l2, and a slope at 1e-7: isthmus' is the decoder's squared Jacobian in z "
    "(one random direction), as in the paper; pythae's is the squared gradient of the sum of x' in "
    "x. Loss: as rae-l2, without the slope, which the two define differently",
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pythae-python", metavar="PYTHON", help="of an environment with pythae")
    parser.add_argument("--data", choices=("mnist", "digits"), default="mnist")
    parser.add_argument("--cases", nargs="+", choices=shared.CASES, default=list(shared.CASES))
    parser.add_argument("--rows", type=int, default=5000, help="to train on; half of it to test")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--own-start", action="store_true", help="isthmus begins as it does itself")
    parser.add_argument("--quick", action="store_true", help="a smoke run: it means nothing")
    found = parser.parse_args()
    if found.quick:
        found.data, found.rows, found.epochs, found.seeds = "digits", 800, 1, [0]
    return found


def write_data(folder: Path, name: str, rows: int) -> int:
    """Train, validation and test images, grey and binarised once; returns the pixels of one."""
    source = load(name)
    count = 2 * rows
    x = next(source.epoch(count, seed=0, epoch=0)).x[:count].flatten(1).numpy()
    if len(x) < count:
        raise SystemExit(f"{name} has {len(x)} images, and --rows {rows} takes {count}.")
    cuts = [rows, rows + rows // 2]
    rng = np.random.default_rng(0)
    grey = dict(zip(("train", "validation", "test"), np.split(x, cuts), strict=True))
    np.savez(folder / "grey.npz", **grey)
    binary = {k: (rng.random(v.shape) < v).astype(np.float32) for k, v in grey.items()}
    np.savez(folder / "binary.npz", **binary)
    shape = (DRAWS, len(grey["test"]), shared.LATENT)
    np.savez(folder / "noise.npz", noise=rng.standard_normal(shape, dtype=np.float32))
    return int(x.shape[1])


def held_out(case: str, x: Floats, found: dict[str, Floats], noise: Floats) -> dict[str, float]:
    """The loss of test data and its parts, by the same formulas for both sides.

    Args:
        case: Which model.
        x: (N, D).
        found: `mean` (N, Z), `out` (S, N, D), the decoder's last layer; `scale`, `codes`, `indices`
            where the case has them.
        noise: (S, N, Z) standard normal draws.
    """
    out, mean = found["out"], found["mean"]
    if case in shared.BINARY:
        distortion = float((np.logaddexp(0, out) - x * out).sum(-1).mean())
        scale = found["scale"]
        rate = float((0.5 * (mean**2 + scale**2 - 1) - np.log(scale)).sum(1).mean())
        beta = shared.BETA if case == "beta-vae" else 1.0
        return {"loss": distortion + beta * rate, "distortion": distortion, "rate": rate}
    error = float(((out[0] - x) ** 2).sum(1).mean())
    parts = {"error": error}
    if case in shared.QUANTISED:
        added = shared.COMMITMENT * float(((mean - found["codes"]) ** 2).mean())
        parts["codes used"] = float(len(np.unique(found["indices"])))
    elif case == "wae-mmd":
        parts["mmd"] = squared_mmd(mean, noise[0])
        added = shared.MMD_WEIGHT * parts["mmd"]
    else:
        added = shared.NORM_WEIGHT * 0.5 * float((mean**2).sum(1).mean())
    return {"loss": error + added, **parts}


def squared_mmd(a: Floats, b: Floats) -> float:
    """The unbiased estimate with inverse multiquadratic kernels, as both sides train on it."""

    def kernel(p: Floats, q: Floats) -> Floats:
        squared = (p**2).sum(1)[:, None] + (q**2).sum(1) - 2 * p @ q.T
        widths = [2.0 * p.shape[1] * s for s in SCALES]
        return np.sum([w / (w + squared) for w in widths], axis=0)

    def apart(k: Floats) -> float:
        return float((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)))

    return apart(kernel(a, a)) + apart(kernel(b, b)) - 2.0 * float(kernel(a, b).mean())


def judged(folder: Path, side: str, case: str, seed: int) -> dict[str, float]:
    def read(path: Path) -> dict[str, Floats]:
        return {name: array.astype(np.float64) for name, array in shared.arrays(path).items()}

    x = read(shared.files(folder, case, seed)[0])["test"]
    noise = read(folder / "noise.npz")["noise"]
    return held_out(case, x, read(folder / f"{side}-{case}-{seed}.npz"), noise)


def contest(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Every case and seed, one side after the other."""
    pixels = write_data(folder, options.data, options.rows)
    results = []
    with ExitStack() as stack:
        given = (folder, options.epochs, options.threads)
        python = {ISTHMUS: sys.executable}
        if options.pythae_python:
            python[PYTHAE] = need_python(options.pythae_python, "requirements-pythae.txt")
        sides = {
            side: stack.enter_context(Contender(path, f"parity_{side}.py", options.threads, *given))
            for side, path in python.items()
        }
        for contender in sides.values():
            # A first run in each process pays for what is loaded once.
            shared.write_start(shared.files(folder, "vae", 0)[1], "vae", pixels, 0)
            contender.measure({"case": "vae", "seed": 0, "epochs": 1})
        for case in options.cases:
            for seed in options.seeds:
                shared.write_start(shared.files(folder, case, seed)[1], case, pixels, seed)
                for side, contender in sides.items():
                    answer = contender.measure(
                        {"case": case, "seed": seed, "own_start": options.own_start}
                    )
                    figures = judged(folder, side, case, seed)
                    results.append({"case": case, "seed": seed, "side": side, **answer, **figures})
                    (folder / f"{side}-{case}-{seed}.npz").unlink()
            print(f"{case} done", flush=True)
    return results


def mean_and_deviation(values: list[float], digits: int) -> str:
    """Over the seeds."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {deviation:.{digits}f}"


def row(case: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[str]:
    """One case: loss and its first part of each side, the paired difference, seconds."""
    digits = 3 if ours[0]["loss"] < 10 else 2

    def seconds(results: list[dict[str, Any]]) -> str:
        return mean_and_deviation([r["cpu"] for r in results], 1)

    cells = [case, mean_and_deviation([r["loss"] for r in ours], digits)]
    if not theirs:
        return [*cells, "", "", "", seconds(ours), "", ""]
    apart = [a["loss"] - b["loss"] for a, b in zip(ours, theirs, strict=True)]
    error = statistics.stdev(apart) / len(apart) ** 0.5 if len(apart) > 1 else 0.0
    better = sum(d <= 0 for d in apart)
    ratio = [b["cpu"] / a["cpu"] for a, b in zip(ours, theirs, strict=True)]
    alone = [b["steps_cpu"] / a["cpu"] for a, b in zip(ours, theirs, strict=True)]
    return [
        *cells,
        mean_and_deviation([r["loss"] for r in theirs], digits),
        f"{statistics.mean(apart):+.{digits}f} ± {error:.{digits}f}",
        f"{better} of {len(apart)}",
        seconds(ours),
        seconds(theirs),
        f"{statistics.median(ratio):.2f} ({statistics.median(alone):.2f})",
    ]


HEAD = (
    "case",
    "isthmus, loss ± s.d.",
    "pythae, loss ± s.d.",
    "difference ± s.e.",
    "better",
    "isthmus, s",
    "pythae, s",
    "pythae / isthmus (its steps alone)",
)


def main() -> None:
    options = arguments()
    print("\n".join(f"{name}: {text}." for name, text in MAPPING.items()), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        results = contest(options, Path(folder))

    def of(side: str, case: str) -> list[dict[str, Any]]:
        return [r for r in results if r["side"] == side and r["case"] == case]

    text = table(HEAD, [row(case, of(ISTHMUS, case), of(PYTHAE, case)) for case in options.cases])
    settings = {k: v for k, v in vars(options).items() if k not in ("quick", "pythae_python")}
    values = {"settings": settings, "mapping": MAPPING, "results": results}
    name = f"parity-{options.data}" + ("-own-start" if options.own_start else "")
    finish(name, text, values, options.quick)


if __name__ == "__main__":
    main()
