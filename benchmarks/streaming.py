"""Encoding and training from a Parquet file larger than what is held: speed and peak memory.

A file of --gigabytes of float32 columns is written into a temporary folder and removed afterwards.
`isthmus encode` and `isthmus fit` run on it as users run them, in processes of their own; their
peak memory is compared with that of the same command on a file of a few thousand rows. The disk's
speed is that of reading the file's bytes in order, after asking the system to forget them; that of
pyarrow is decoding its columns and nothing else.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measuring import HERE, finish, parsed, table

COLUMNS = 64
ROW_GROUP = 1 << 17
SMALL = 4096
SPARE_BYTES = 10 * 2**30
READ = 8 * 2**20


class Measured(NamedTuple):
    """Seconds of a command, and the most memory that it held, in MiB."""

    seconds: float
    peak: float


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--minutes", type=float, default=0.5, help="of training")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--folder", help="where the file goes; the system's temporary folder if left out"
    )
    return parsed(parser, gigabytes=0.1, minutes=0.05)


def write(path: Path, rows: int) -> None:
    """Correlated normal columns, uncompressed: a byte on the disk is a byte of data."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(8, COLUMNS)).astype(np.float32)
    schema = pa.schema([(f"c{i}", pa.float32()) for i in range(COLUMNS)])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for first in range(0, rows, ROW_GROUP):
            n = min(ROW_GROUP, rows - first)
            x = rng.standard_normal((n, 8), np.float32) @ mixing
            x += rng.standard_normal((n, COLUMNS), np.float32)
            arrays = [pa.array(column) for column in x.T.copy()]
            writer.write_table(
                pa.Table.from_arrays(arrays, schema=schema), row_group_size=ROW_GROUP
            )


def forget(path: Path) -> None:
    """Ask the system to drop the file from its cache, where it can."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_bytes(path: Path) -> float:
    """Seconds for reading the file in order."""
    start = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(READ)
        while file.readinto(buffer):
            pass
    return time.perf_counter() - start


def read_columns(path: Path) -> float:
    """Seconds for decoding the file's columns, row group by row group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_cpu_count(1)
    start = time.perf_counter()
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        file.read_row_group(group, use_threads=False)
    return time.perf_counter() - start


def isthmus(*words: object, threads: int) -> Measured:
    """One command, as a user gives it."""
    environment = os.environ | {
        "PYTHONPATH": str(HERE.parent / "src"),
        "OMP_NUM_THREADS": str(threads),
    }
    program = "from isthmus.cli.main import main; main()"
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"isthmus {' '.join(map(str, words))} failed:\n{said[-2000:]}")
    # Kilobytes on Linux, bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Measured(time.perf_counter() - start, usage.ru_maxrss / unit)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    small, large = folder / "small.parquet", folder / "large.parquet"
    rows = int(options.gigabytes * 1e9) // (4 * COLUMNS)
    write(small, SMALL)
    write(large, rows)

    def fit(data: Path, run: str, *more: object) -> Measured:
        threads = ("--threads", options.threads)
        words = ("fit", data, "--recipe", "vae", "--device", "cpu", *threads, "-o", folder / run)
        return isthmus(*words, *more, threads=options.threads)

    def encode(data: Path, run: str) -> Measured:
        codes = folder / "codes.npy"
        words = ("encode", folder / run, data, "-o", codes, "--overwrite", "--device", "cpu")
        found = isthmus(*words, threads=options.threads)
        codes.unlink()
        return found

    small_fit = fit(small, "mlp", "--epochs", 2)
    fit(small, "linear", "--epochs", 2, "--network", "linear")
    small_encode = encode(small, "mlp")
    forget(large)
    raw = read_bytes(large)
    forget(large)
    columns = read_columns(large)
    forget(large)
    linear_encode = encode(large, "linear")
    forget(large)
    large_encode = encode(large, "mlp")
    large_fit = fit(large, "large", "--minutes", options.minutes)
    return {
        "bytes": large.stat().st_size,
        "rows": rows,
        "raw_seconds": raw,
        "pyarrow_seconds": columns,
        "encode": large_encode._asdict(),
        "encode_linear": linear_encode._asdict(),
        "encode_small": small_encode._asdict(),
        "fit": large_fit._asdict(),
        "fit_small": small_fit._asdict(),
    }


def main() -> None:
    options = arguments()
    root = options.folder or tempfile.gettempdir()
    free = shutil.disk_usage(root).free
    if free < options.gigabytes * 1.2e9 + SPARE_BYTES:
        raise SystemExit(
            f"{root} has {free / 1e9:.0f} GB free, and {options.gigabytes:g} GB are to be "
            "written with "
            f"{SPARE_BYTES / 1e9:.0f} GB left over: give fewer --gigabytes, or another --folder."
        )
    with tempfile.TemporaryDirectory(dir=root) as folder:
        found = measure(options, Path(folder))
    size = found["bytes"] / 1e6
    # What starting the program and opening a file takes is no part of the speed of streaming.
    start_up = found["encode_small"]["seconds"]
    speeds = [
        ("reading the bytes", found["raw_seconds"]),
        ("decoding the columns with pyarrow", found["pyarrow_seconds"]),
        ("isthmus encode, a linear encoder", found["encode_linear"]["seconds"] - start_up),
        ("isthmus encode, the default 512-256", found["encode"]["seconds"] - start_up),
    ]
    head = [f"{size / 1e3:.1f} GB of Parquet, {found['rows']:,} rows", "seconds", "MB/s", "rows/s"]
    rows = [(n, f"{s:.1f}", f"{size / s:,.0f}", f"{found['rows'] / s:,.0f}") for n, s in speeds]
    text = table(head, rows)
    memory = []
    for name in ("encode", "fit"):
        peak, base = found[name]["peak"], found[f"{name}_small"]["peak"]
        memory.append(
            (f"isthmus {name}", f"{base:,.0f}", f"{peak:,.0f}", f"{peak - base:,.0f}", "< 1,536")
        )
    head = [
        "peak memory, MiB",
        f"{SMALL:,} rows",
        f"{found['rows']:,} rows",
        "difference",
        "target",
    ]
    text += "\n\n" + table(head, memory)
    values = {"threads": options.threads, "minutes": options.minutes, **found}
    finish("streaming", text, values, options.quick)


if __name__ == "__main__":
    main()
