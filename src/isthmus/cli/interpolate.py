"""`isthmus interpolate`: the way from one datum to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isthmus.cli import options

if TYPE_CHECKING:
    import numpy as np

SHORTEST = "shortest"


@click.command()
@options.run_argument
@options.data_argument
@click.option(
    "--pairs",
    metavar="A-B,C-D,...",
    help="Rows of DATA, from 0. [default: 0-1,2-3,... up to eight]",
)
@click.option(
    "--path",
    default="natural",
    metavar="natural|linear|spherical|shortest",
    help="natural is the straight line of the codes' own space; shortest is it in the decoded "
    "data. [default: natural]",
)
@click.option("--steps", type=click.IntRange(2), default=9, help="Codes on a path. [default: 9]")
@options.condition_option
@options.written_options
def interpolate(
    run: str,
    data: str,
    pairs: str | None,
    path: str,
    steps: int,
    condition: str | None,
    output: str,
    overwrite: bool,
    label: str | None,
    image_size: str | None,
    seed: int,
    device: str,
) -> None:
    """Write the way from one datum to another.

    Both of a pair are encoded, and the codes on the way between them decoded: a strip for each
    pair. A picture (.png) shows the data themselves at either end; .npy, .csv and .parquet have the
    decoded rows alone, a table with the columns `pair` and `t`. --path spherical suits Gaussian
    codes of many dimensions. A conditional model decodes under the condition of a pair's first
    datum, or the one given.
    """
    import torch

    from isthmus.cli import running, strips
    from isthmus.cli.talk import wrote
    from isthmus.cli.writers import Target
    from isthmus.conditions import for_each
    from isthmus.latent import Aggregate, shortest_paths
    from isthmus.latent import interpolate as between

    target = Target.at(output, overwrite)
    trained, where, given = running.begin(run, data, label, image_size, device, seed)
    model = trained.model
    rows = read_pairs(pairs, len(given))
    ends = [strips.gather(given, rows[:, i]).to(where) for i in (0, 1)]
    a, b = (strips.encode(model, end) for end in ends)
    told = ends[0].condition
    if condition is not None:
        told = for_each(running.one_condition(trained, condition, where), len(a), where)
    said = ""
    if path == SHORTEST:
        found = shortest_paths(model, a, b, steps, condition=told)
        codes = found.codes
        # A way of no length, as between equal data, cannot be shortened.
        left = torch.where(found.straight_length > 0, found.length / found.straight_length, 1.0)
        saved = 1.0 - float(left.mean())
        said = f"; in the data {strips.percent(saved)} shorter than the natural path on average"
    else:
        codes = between(model, a, b, steps, path)
    whole = None if told is None else told.repeat_interleave(steps, 0)
    decoded = model.decode(codes.flatten(0, 1), condition=whole).unflatten(0, (len(a), steps))
    if strips.shows_pictures(target):
        decoded = torch.cat([ends[0].x[:, None], decoded, ends[1].x[:, None]], 1)
    across = decoded.shape[1]
    sheet = strips.Strips(
        target, trained.spec, len(a), across, "interpolations", ("pair", "t"), (1, across - 1)
    )
    t = torch.linspace(0.0, 1.0, across)
    with target.open(sheet.layout) as sink:
        for pair, strip in enumerate(decoded):
            sheet.write(sink, strip, torch.stack([torch.full_like(t, pair), t], 1))
    paths = "path" if len(a) == 1 else "paths"
    wrote(target.path, f"{len(a):,} {paths} of {steps} codes ({path}){said}")
    known = strips.gather(given, strips.some_rows(given, seed)).to(where)
    if len(known) > 1:
        # An even number of codes has none half-way.
        around = codes[:, (steps - 1) // 2], codes[:, steps // 2]
        half_way = between(model, *around, 3, "natural" if path == SHORTEST else path)[:, 1]
        usual = Aggregate.of(model, strips.encode(model, known)).quantile(half_way)
        click.echo(
            f"half-way, {strips.percent(1 - float(usual.median()))} of the data's own codes lie "
            "further out"
        )


def read_pairs(text: str | None, total: int) -> np.ndarray:
    """(P, 2) rows from "A-B,C-D", or of the first data.

    Raises:
        OptionError: It is written in another way, or there are fewer than two data.
    """
    import re

    import numpy as np

    from isthmus.errors import OptionError

    if text is None:
        if total < 2:
            raise OptionError("Between fewer than two data there is no way; give DATA of two.")
        return np.arange(min(total // 2, 8) * 2).reshape(-1, 2)
    found = [re.fullmatch(r"\s*(\d+)-(\d+)\s*", part) for part in text.split(",")]
    if not all(found):
        raise OptionError(f"--pairs {text}: expected rows of DATA as A-B,C-D, such as 0-1,5-9.")
    return np.array([[int(m[1]), int(m[2])] for m in found if m])
