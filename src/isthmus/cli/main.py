"""The command `isthmus`: which commands there are, and how their errors are said.

Only click is imported here. A command's module is imported when the command is called, and the
lines of `--help` are kept in a table, so that asking for help costs no more than click does.
"""

from __future__ import annotations

import errno
import importlib
import sys
import warnings
from typing import Any, NamedTuple, final

import click

from isthmus.errors import IsthmusError, UsageError
from isthmus.registry import did_you_mean
from isthmus.version import __version__

INTERRUPTED = 130


class Lazy(NamedTuple):
    """A command that is not imported yet.

    Args:
        target: "module:name" of the click command.
        help: Its line in `isthmus --help`.
    """

    target: str
    help: str


COMMANDS = {
    "compare": Lazy("isthmus.cli.compare:compare", "Find out which model DATA need, and why."),
    "fit": Lazy("isthmus.cli.fit:fit", "Train one model on DATA."),
    "encode": Lazy("isthmus.cli.encode:encode", "Write the codes of DATA."),
    "decode": Lazy("isthmus.cli.decode:decode", "Write the data that CODES stand for."),
    "reconstruct": Lazy(
        "isthmus.cli.reconstruct:reconstruct",
        "Write DATA encoded and decoded again.",
    ),
    "impute": Lazy("isthmus.cli.impute:impute", "Write DATA with their gaps filled in."),
    "sample": Lazy("isthmus.cli.sample:sample", "Write new data drawn from a model."),
    "interpolate": Lazy(
        "isthmus.cli.interpolate:interpolate", "Write the way from one datum to another."
    ),
    "traverse": Lazy(
        "isthmus.cli.traverse:traverse", "Write what each dimension of the code changes."
    ),
    "edit": Lazy("isthmus.cli.edit:edit", "Write DATA moved towards a label or a larger column."),
    "density": Lazy("isthmus.cli.density:density", "Fit a density to a run's codes, for `sample`."),
    "scale": Lazy(
        "isthmus.cli.scale:scale", "Write an image autoencoder with the scaling of its latents."
    ),
    "score": Lazy("isthmus.cli.score:score", "Write log p(x) of DATA, in nats per datum."),
    "outliers": Lazy(
        "isthmus.cli.outliers:outliers",
        "Write how unusual each of DATA is, and which are outliers.",
    ),
    "evaluate": Lazy("isthmus.cli.evaluate:evaluate", "Measure a run: every figure by its name."),
    "rate-distortion": Lazy(
        "isthmus.cli.rate_distortion:rate_distortion", "Draw what a bit of code buys on DATA."
    ),
    "recipes": Lazy("isthmus.cli.recipes:recipes", "List the models there are, or explain one."),
    "report": Lazy("isthmus.cli.report:report", "Draw report.html of a folder again."),
}


@final
class Commands(click.Group):
    """The group of all commands, each imported when it is called, and all errors in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command.

        Raises:
            UnknownNameError: There is none of this name.
        """
        if cmd_name not in COMMANDS:
            raise did_you_mean("command", cmd_name, COMMANDS)
        module, _, name = COMMANDS[cmd_name].target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, as `--help` shows it; nothing is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in COMMANDS.items()])

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run, and end the process with the exit code; an error is said in one line."""
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            # Its message is the whole help, which is no error to be put on one line.
            click.echo(error.format_message(), err=True)
            sys.exit(error.exit_code)
        except click.ClickException as error:
            fail(one_line(error), error.exit_code)
        except click.Abort:
            fail("stopped.", INTERRUPTED)
        except IsthmusError as error:
            fail(str(error), error.exit_code)
        except OSError as error:
            if error.strerror is None:
                raise
            fail(of_the_system(error), UsageError.exit_code)
        sys.exit(code if isinstance(code, int) else 0)


def one_line(error: click.ClickException) -> str:
    """A mistake on the command line with the way to its help, as one line."""
    text = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    return text if context is None else f"{text} See: {context.command_path} --help"


def of_the_system(error: OSError) -> str:
    """What the system refused, such as writing to a full disk, and where."""
    where = "" if error.filename is None else f": {error.filename}"
    todo = {
        errno.ENOSPC: "make room, or choose another -o",
        errno.EDQUOT: "make room, or choose another -o",
        errno.EACCES: "change its permissions, or choose another",
        errno.EPERM: "change its permissions, or choose another",
        errno.EROFS: "choose a place that can be written to",
    }
    return f"{error.strerror}{where}; {todo.get(error.errno or 0, 'see that the path is right')}."


def fail(message: str, code: int) -> None:
    """End with an error of one line."""
    click.echo("Error: " + " ".join(message.split()), err=True)
    sys.exit(code)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="DATA is a file (.npy, .npz, .csv, .parquet), a folder of images, or the name of a data "
    "set (digits, shapes, mnist, fashion-mnist, cifar10). Start with: isthmus compare digits",
)
@click.version_option(__version__, "--version", prog_name="isthmus")
def cli() -> None:
    """Compose, train, measure and compare autoencoders."""


def main() -> None:
    """The console's entry."""
    if not sys.warnoptions:
        # What a library has to say to programmers is noise to somebody at a terminal.
        warnings.simplefilter("ignore")
    cli(prog_name="isthmus")


if __name__ == "__main__":  # torchrun -m isthmus.cli.main
    main()
