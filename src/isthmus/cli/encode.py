"""`isthmus encode`: data to codes."""

from __future__ import annotations

import click

from isthmus.cli import options


@click.command()
@options.run_argument
@options.data_argument
@click.option(
    "--mode",
    default="mean",
    metavar="mean|sample|argmax|softmax",
    help="What to take of q(z|x). [default: mean]",
)
@options.written_options
def encode(
    run: str,
    data: str,
    mode: str,
    output: str,
    overwrite: bool,
    label: str | None,
    image_size: str | None,
    seed: int,
    device: str,
) -> None:
    """Write the codes of DATA.

    RUN is a folder that `isthmus fit` wrote. The codes go to .npy, .csv or .parquet, there with the
    columns z0, z1, ... and the label where DATA have one.
    """
    from isthmus.cli import running
    from isthmus.cli.talk import with_progress, wrote
    from isthmus.cli.writers import Target

    target = Target.at(output, overwrite)
    trained, where, given = running.begin(run, data, label, image_size, device, seed)
    layout = running.code_layout(trained, len(given), bool(given.classes), mode)
    with target.open(layout) as sink:
        for batch in with_progress(given.chunks(running.CHUNK), len(given), "encoding"):
            there = batch.to(where)
            codes = trained.model.encode(there.x, mode, condition=there.condition)
            running.write_rows(sink, codes, running.label_names(batch, given.classes))
    wrote(target.path, f"{len(given):,} codes of {len(layout.names)} numbers (mode {mode})")
