"""`isthmus score`: log p(x) of data."""

from __future__ import annotations

import math

import click

from isthmus.cli import options


@click.command()
@options.run_argument
@options.data_argument
@click.option(
    "--samples", type=click.IntRange(1), default=1000, help="Importance samples. [default: 1000]"
)
@options.written_options
def score(
    run: str,
    data: str,
    samples: int,
    output: str,
    overwrite: bool,
    label: str | None,
    image_size: str | None,
    seed: int,
    device: str,
) -> None:
    """Write log p(x) of DATA, in nats per datum.

    It is estimated by importance sampling, a lower bound in expectation that tightens with
    --samples. It goes to .npy, or to .csv or .parquet with the column log_p, and the label where
    DATA have one.
    """
    from isthmus.cli import running
    from isthmus.cli.sinks import Layout
    from isthmus.cli.talk import with_progress, wrote
    from isthmus.cli.writers import Target
    from isthmus.metrics import bits_per_dim

    target = Target.at(output, overwrite)
    trained, where, given = running.begin(run, data, label, image_size, device, seed)
    total = squares = 0.0
    layout = Layout("scores", len(given), (), ("log_p",), labels=bool(given.classes))
    with target.open(layout) as sink:
        for batch in with_progress(given.chunks(running.SCORED), len(given), "scoring"):
            running.check_support(trained, batch.x, data)
            nats = trained.model.log_likelihood(
                batch.x.to(where), samples, condition=batch.to(where).condition
            )
            total += float(nats.double().sum())
            squares += float(nats.double().square().sum())
            running.write_rows(sink, nats, running.label_names(batch, given.classes))
    mean = total / len(given)
    # In this order, for what is no number, beside a mean of -inf, is not to become 0.
    variance = max(squares / len(given) - mean**2, 0.0) / max(1, len(given) - 1)
    bits = bits_per_dim(mean, trained.spec.size, trained.spec.log_unit)
    wrote(target.path, f"log p(x) of {len(given):,} data by {samples:,} importance samples")
    click.echo(f"mean log p(x) {mean:.3f} ± {math.sqrt(variance):.3f} nats, {bits:.4f} bits/dim")
