"""What each measure costs on 10,000 held-out data with codes of 16 numbers.

A `vae` is trained for one epoch on MNIST (the measures' cost does not depend on how good it is) and
measured on the 10,000 test images. Factors are needed for disentanglement; the digit, and four bins
each of a picture's ink, width and height, stand in for them. Usage:

    ISTHMUS_DATA=FOLDER python benchmarks/measures.py [--threads 2] [--minutes]

`--minutes` measures those too that a report leaves out since they take minutes.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from measuring import finish, parsed, table

from isthmus.data import Resident, load
from isthmus.evaluation.candidates import learned
from isthmus.evaluation.measures import MEASURES, ask
from isthmus.evaluation.measures.base import MINUTES
from isthmus.evaluation.stage import question_on
from isthmus.evaluation.subject import Subject
from isthmus.evaluation.units import Units
from isthmus.fitting import fit

BINS = 4
SAMPLES = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--minutes", action="store_true", help="those that take minutes too")
    options = parsed(parser, rows=500)
    torch.set_num_threads(options.threads)
    rows = options.rows
    source = load("digits") if options.quick else load("mnist")
    run = fit(source, "vae", latent_dim=16, epochs=1, threads=options.threads)
    training, _, test = run.split.of(source)
    parts = [with_factors(part, n) for part, n in ((training, 2 * rows), (test, rows))]
    question = question_on(Units(run.spec), parts[0], parts[1], parts[1], seed=0)
    subject = Subject(learned(run, SAMPLES), question)
    lines, values = [], {}
    for entry in MEASURES:
        if entry.about["cost"] == MINUTES and not options.minutes:
            continue
        wall, cpu = time.perf_counter(), time.process_time()
        found = ask(subject, [entry.name])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        values[entry.name] = {"wall": wall, "cpu": cpu, "figures": len(found.values)}
        said = next(iter(found.why_missing.values()), "")
        figures = ", ".join(found.values) or (said and f"none: {said}") or "pictures"
        lines.append((entry.name, entry.about["cost"], f"{wall:.1f}", f"{cpu:.1f}", figures))
    total = [sum(value[clock] for value in values.values()) for clock in ("wall", "cpu")]
    lines.append(("all", "", f"{total[0]:.1f}", f"{total[1]:.1f}", "target: 120 s by the wall"))
    head = ["measure", "said to take", "seconds, wall", "seconds, processor", "figures"]
    text = f"{len(question.test):,} held-out data, {options.threads} threads\n\n"
    finish("measures", text + table(head, lines), {"measures": values}, options.quick)


def with_factors(source: Resident, rows: int) -> Resident:
    """The first data of a source of images, with factors that are read off the pictures."""
    batch = next(source.chunks(rows))
    ink = batch.x.flatten(2).mean(1)
    picture = batch.x[:, 0]
    spread = [(picture.sum(axis) > 0).sum(1).double() for axis in (1, 2)]
    binned = [bins(values.numpy()) for values in (ink.mean(1), *spread)]
    factors = torch.as_tensor(np.stack([batch.labels.numpy(), *binned], 1))
    return Resident(
        batch.x, source.spec.with_length(len(batch.x)), labels=batch.labels, factors=factors
    )


def bins(values: np.ndarray) -> np.ndarray:
    """The quarter in which each value lies."""
    edges = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.digitize(values, edges).astype(np.int64)


if __name__ == "__main__":
    main()
