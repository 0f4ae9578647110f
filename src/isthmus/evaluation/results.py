"""What a comparison found: figures by model, pictures as arrays, and the verdict in words."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np

from isthmus.data import DataSpec
from isthmus.errors import RunError
from isthmus.evaluation.pairs import Pair
from isthmus.store import read_json, write_bytes, write_json

FORMAT = 1
CUT = (KeyError, TypeError, OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)
METRICS = "metrics.json"
ARRAYS = "arrays.npz"


@final
@dataclass
class ModelResult:
    """One model at one code size.

    Args:
        name: The recipe or baseline.
        label: As tables show it.
        family: "baseline" or "learned".
        latent_dim: Z.
        main: Part of the main table; the rest belongs to the sweep over code sizes.
        metrics: By column key, the mean over seeds; a metric that the model cannot have is missing.
        errors: By column key, the standard error over held-out data (one seed) or the half-width
            of the 95 % interval over seeds.
        seeds: By column key, the value of each seed.
        why_missing: By column key, why a metric is missing, in words.
        notes: What was handled on the way.
        kept_step: The step whose weights were kept, of the first seed; None where not known.
        is_mass: Whether its likelihood is of probabilities of the data themselves, or bounds them;
            False of a density; None where it has none.
        given: What it is told of each datum: its likelihood is log p(x|c).
    """

    name: str
    label: str
    family: str
    latent_dim: int
    main: bool = True
    metrics: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    seeds: dict[str, list[float]] = field(default_factory=dict)
    why_missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    is_mass: bool | None = None
    kept_step: int | None = None
    given: list[str] = field(default_factory=list)


@final
@dataclass(frozen=True)
class Finding:
    """The verdict for one purpose.

    Args:
        purpose: "do I need an autoencoder", "compress", "generate", "features", "anomalies", "code
            size".
        winner: The model's label, or "" where none can be named.
        text: One or two plain sentences, with the figures that it is said from.
        within_noise: The lead over the next is smaller than its uncertainty.
    """

    purpose: str
    winner: str
    text: str
    within_noise: bool = False


@final
@dataclass
class Comparison:
    """Everything that a report shows.

    Arrays, by key (those that a kind of data cannot have are missing; images are float32 in [0,
    1], (n, C, H, W)):

    | key | shape | what |
    |---|---|---|
    | `originals` | (n, *D) | held-out data to reconstruct |
    | `reconstructions/LABEL` | (n, *D) | by model of the main table |
    | `samples/LABEL` | (n, *D) | by model that can sample |
    | `codes/LABEL` | (N, 2) | held-out codes on their two widest principal axes |
    | `labels` | (N,) | class indices of the held-out data |
    | `history/LABEL` | (n, 3) | step, training loss (NaN where not read), held-out loss |
    | `rates/LABEL` | (Z,) | bits by latent dimension, largest first |
    | `aggregate/LABEL` | (n, 2) | draws of q(z) on the two most telling dimensions |
    | `prior/LABEL` | (m, 2) | draws of p(z) on the same |
    | `axes/LABEL` | (2,) | which dimensions these are |
    | `traversals/LABEL` | (K, T, *D) | decoded along one dimension each, the most telling first |
    | `traversal_rows/LABEL` | (K, 2) | of each its name, and what it tells |
    | `interpolations/LABEL` | (K, T, *D) | a datum, the way in the code, another datum |
    | `attributes/LABEL` | (K, T, *D) | decoded along the direction of a label or column |
    | `attribute_rows/LABEL` | (K, 2) | of each its name, and how well a probe reads it |
    | `scores/LABEL` | (N,) | outlier scores of held-out data |
    | `score_unit/LABEL` | (1,) | nats of −ELBO, or squared error |
    | `extreme_places/LABEL` | (2E,) | rows of the E lowest scores, then of the E highest |
    | `extreme_numbers/LABEL` | (2E,) | which datum, from 0, each of these is |
    | `extreme_numbered/LABEL` | (1,) | of the data as they were read, or of the held-out ones |
    | `extremes/LABEL` | (2E, *D) | the data themselves |
    | `extremes_rebuilt/LABEL` | (2E, *D) | their reconstructions |
    | `channels/LABEL` | (Z, 6) | of a map: mean, std, ends, share of variance, bits (or NaN) |
    | `channel_scale/LABEL` | (2,) | mean and standard deviation of all its numbers |
    | `channel_pictures/LABEL` | (n, K, h, w) | maps of the first held-out data |
    | `channel_rows/LABEL` | (K,) | which channels these are, the widest first |

    Args:
        spec: The data.
        results: Models in the table's order.
        findings: The verdict.
        protocol: How it was measured: parts, seeds, samples, budget, in words by name.
        notes: What was handled on the way.
        arrays: As above.
        versions: Of isthmus, torch, Python.
        pairs: Paired tests between the models of the main table.
    """

    spec: DataSpec
    results: list[ModelResult]
    findings: list[Finding]
    protocol: dict[str, str]
    notes: list[str] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)

    def write(self, folder: Path) -> list[Path]:
        """Write `metrics.json` and `arrays.npz`; the report is drawn from them."""
        folder.mkdir(parents=True, exist_ok=True)
        values: dict[str, Any] = {
            "format": FORMAT,
            "data": self.spec.to_json(),
            "findings": [asdict(f) for f in self.findings],
            "models": [asdict(r) for r in self.results],
            "protocol": self.protocol,
            "notes": self.notes,
            "versions": self.versions,
            "pairs": [asdict(p) for p in self.pairs],
        }
        write_json(folder / METRICS, values)
        import io

        buffer = io.BytesIO()
        np.savez_compressed(buffer, **self.arrays)  # type: ignore[arg-type]
        write_bytes(folder / ARRAYS, buffer.getvalue())
        return [folder / METRICS, folder / ARRAYS]

    @classmethod
    def read(cls, folder: Path) -> Comparison:
        """Read what `write` wrote.

        Raises:
            RunError: A file is missing, cut or of another version.
        """
        values = read_json(folder / METRICS)
        try:
            # numpy would leave a file of its own open where the archive is cut.
            with (folder / ARRAYS).open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = dict(stored)
            return cls(
                spec=DataSpec.from_json(values["data"]),
                results=[ModelResult(**r) for r in values["models"]],
                findings=[Finding(**f) for f in values["findings"]],
                protocol=values["protocol"],
                notes=values["notes"],
                arrays=arrays,
                versions=values["versions"],
                pairs=[Pair(**p) for p in values.get("pairs", ())],
            )
        except CUT as error:
            raise RunError(
                f"{folder} holds no whole comparison ({error}): run `isthmus compare DATA -o "
                f"{folder}` again."
            ) from error
