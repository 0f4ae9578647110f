"""The options, each written once, so that they read the same in every command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def stack(*decorators: Decorator) -> Decorator:
    """Several decorators as one, in the order in which `--help` shows them."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


data_argument = click.argument("data")
run_argument = click.argument("run")

label_option = click.option("--label", metavar="COLUMN", help="The column that is the label.")
image_size_option = click.option(
    "--image-size", metavar="N|HxW", help="Resize images to N by N, or to height by width."
)
condition_option = click.option(
    "--condition",
    metavar="VALUE|NAME=VALUE,...",
    help="Of a conditional model: the condition of what is written.",
)
data_options = stack(
    click.option(
        "--kind", metavar="table|image|counts", help="What a datum is, where it is not clear."
    ),
    label_option,
    click.option("--columns", metavar="A,B,...", help="The columns to learn from."),
    click.option("--drop", metavar="A,B,...", help="Columns to leave out."),
    click.option(
        "--condition",
        metavar="label|A,B,...",
        help="What the model is told of each datum, for recipes such as cvae.",
    ),
    click.option(
        "--missing", is_flag=True, default=None, help="Let gaps through: miwae-imputation, m2."
    ),
    image_size_option,
    click.option(
        "--crop", metavar="N|HxW", help="Train on random crops of images; elsewhere their centre."
    ),
    click.option("--flip", is_flag=True, default=None, help="Train on mirrored images too."),
    click.option("--grey/--colour", default=None, help="Read pictures as grey or as RGB."),
)

model_options = stack(
    click.option(
        "--recipe", metavar="NAME", help="The model; see `isthmus recipes`. [default: vae]"
    ),
    click.option("--latent-dim", type=int, metavar="Z", help="Numbers in a code. [default: 16]"),
    click.option("--posterior", metavar="NAME", help="q(z|x) of the recipe custom."),
    click.option("--prior", metavar="NAME", help="p(z) of the recipe custom."),
    click.option("--objective", metavar="NAME", help="What the recipe custom minimises."),
    click.option("--network", metavar="NAME", help="auto, mlp, conv, residual, linear, map or kl."),
    click.option("--hidden", metavar="512,256", help="Widths of the hidden layers."),
    click.option("--likelihood", metavar="NAME", help="p(x|z); auto takes what fits the data."),
)

machine_options = stack(
    click.option(
        "--device", metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps. [default: auto]"
    ),
    click.option("--threads", metavar="N|auto", help="CPU threads; auto measures what is fastest."),
    click.option("--precision", metavar="NAME", help="float32 or bfloat16."),
)
step_options = stack(
    click.option("--batch-size", type=int, metavar="N", help="Data in one step. [default: 128]"),
    click.option("--lr", type=float, help="The peak learning rate. [default: 0.002]"),
)
train_seed_option = click.option(
    "--seed", type=int, help="Of weights, order and noise. [default: 0]"
)

settings_options = stack(
    click.option(
        "-c", "--config", metavar="FILE", help="Settings from a .yaml, .toml or .json file."
    ),
    click.option(
        "-s",
        "--set",
        "sets",
        metavar="KEY=VALUE",
        multiple=True,
        help="Any setting, such as training.weight_decay=0, model.beta=4 or data.label=y.",
    ),
)

output_options = stack(
    click.option(
        "-o", "--output", required=True, metavar="FILE", help="What to write; its suffix says how."
    ),
    click.option("--overwrite", is_flag=True, help="Replace what is there."),
)
device_option = click.option(
    "--device",
    default="auto",
    metavar="NAME",
    help="auto, cpu, cuda, cuda:1 or mps. [default: auto]",
)
seed_option = click.option(
    "--seed", type=click.IntRange(0), default=0, help="The same seed, the same result. [default: 0]"
)
# What a command takes that writes something for every datum of DATA.
written_options = stack(output_options, label_option, image_size_option, seed_option, device_option)
# What a command takes that makes data.
made_options = stack(
    click.option(
        "--mode",
        default="mean",
        metavar="mean|sample|argmax",
        help="What to take of p(x|z). [default: mean]",
    ),
    condition_option,
    output_options,
    seed_option,
    device_option,
)
# Of image autoencoders: published weights, or runs of autoencoder-kl and kl-gan.
scaled_option = click.option(
    "--scaled", is_flag=True, help="Image latents in a diffusion model's units."
)
# What published weights are found by.
weights_options = stack(
    click.option("--revision", metavar="NAME", help="Published weights: branch, tag or commit."),
    click.option("--subfolder", metavar="NAME", help="Published weights: where the config lies."),
    click.option("--variant", metavar="NAME", help="Published weights: such as fp16."),
)
# What such a model is read and run by, whether its images are written or measured.
single_image_options = stack(
    click.option(
        "--memory", metavar="1GB", help="Image models: keep a pass within this, exactly the same."
    ),
    click.option("--precision", metavar="NAME", help="Image models: float32, float16 or bfloat16."),
    weights_options,
)
batch_size_option = click.option(
    "--batch-size", type=click.IntRange(1), metavar="N", help="Image models: images in a pass."
)
image_model_options = stack(single_image_options, batch_size_option)
