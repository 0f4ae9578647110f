"""`isthmus traverse`: what each dimension of the code changes."""

from __future__ import annotations

import click

from isthmus.cli import options

# Samples of the model that stand in for data.
STAND_INS = 2048


@click.command()
@options.run_argument
@click.argument("data", required=False)
@click.option(
    "--row",
    type=click.IntRange(0),
    metavar="N",
    help="Start from the code of this datum of DATA, from 0. [default: the prior's centre]",
)
@click.option(
    "--dimensions",
    type=click.IntRange(1),
    default=8,
    help="How many, the most telling first. [default: 8]",
)
@click.option("--steps", type=click.IntRange(2), default=9, help="Values of each. [default: 9]")
@options.condition_option
@options.written_options
def traverse(
    run: str,
    data: str | None,
    row: int | None,
    dimensions: int,
    steps: int,
    condition: str | None,
    output: str,
    overwrite: bool,
    label: str | None,
    image_size: str | None,
    seed: int,
    device: str,
) -> None:
    """Write what each dimension of the code changes.

    A strip for each dimension, which goes from the lower to the upper 1% of the codes of DATA and
    leaves the others as they are. The dimensions that carry most information come first. Without
    DATA the model's own samples stand in for them. A table has the columns `dimension` and `value`.
    A conditional model decodes under the condition given, or that of the datum of --row.
    """
    import numpy as np
    import torch

    from isthmus.cli import running, strips
    from isthmus.cli.given import data_for
    from isthmus.cli.talk import note, wrote
    from isthmus.cli.writers import Target
    from isthmus.conditions import for_each
    from isthmus.data import Batch
    from isthmus.errors import OptionError
    from isthmus.latent import traverse as moved

    target = Target.at(output, overwrite)
    trained, where = running.open_run(run, device)
    torch.manual_seed(seed)
    model = trained.model
    start, told = None, None
    if row is None or condition is not None:
        told = running.one_condition(trained, condition, where)
    if data is None:
        if row is not None:
            raise OptionError("--row is a row of DATA: give DATA too.")
        stand_ins = model.sample(STAND_INS, condition=told)
        known = Batch(stand_ins, condition=for_each(told, STAND_INS, where))
    else:
        given = data_for(trained, data, label, image_size)
        for text in given.notes:
            note(text)
        known = strips.gather(given, strips.some_rows(given, seed)).to(where)
        if row is not None:
            first = strips.gather(given, np.array([row])).to(where)
            start = strips.encode(model, first)
            told = first.condition if told is None else told
    found = moved(
        model, known.x, start, dimensions=dimensions, steps=steps, condition=known.condition
    )
    count = len(found.dimensions)
    sheet = strips.Strips(target, trained.spec, count, steps, "traversals", ("dimension", "value"))
    with target.open(sheet.layout) as sink:
        for number, values, codes in zip(
            found.dimensions.tolist(), found.values, found.codes[0], strict=True
        ):
            places = values.new_tensor([[number, v] for v in values.tolist()])
            sheet.write(sink, model.decode(codes, condition=told), places)
    wrote(target.path, f"{count} of {len(found.information.order)} dimensions, {steps} values each")
    for number, values in zip(found.dimensions.tolist(), found.values.tolist(), strict=True):
        amount = float(found.information.amount[number])
        click.echo(
            f"z{number}: {amount:.2f} {found.information.unit}, from {values[0]:.2f} to "
            f"{values[-1]:.2f}"
        )
