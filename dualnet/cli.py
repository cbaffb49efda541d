"""The program: parse, run one command, turn what fails into one line.

Heavy parts are imported inside the commands, so that `--help` answers at once.
Exit status: 0 done, 1 a failure, 2 bad input with one line on standard error.
"""

import logging
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import dualnet
from dualnet.commands.datasets import (
    download,
    explore,
    export_folders,
    phantom,
    prepare,
)
from dualnet.commands.explaining import explain
from dualnet.commands.judging import compare, evaluate, judge
from dualnet.commands.models import embedding, train, visualize
from dualnet.errors import DualNetError

app = typer.Typer(
    name="dualnet",
    help="Train, judge and look inside classifiers that read a chest radiograph "
    "together with the patient's record. Not a medical device.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _dualnet(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    del debug  # read in `main`, before anything can fail
    if version:
        typer.echo(f"dualnet {dualnet.__version__}")
        raise typer.Exit


# as `--help` lists them: in the order they are used
COMMANDS = (
    phantom,
    download,
    prepare,
    explore,
    export_folders,
    train,
    evaluate,
    judge,
    compare,
    visualize,
    explain,
    embedding,
)
for _command in COMMANDS:
    app.command()(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The words after the program's name; none: those it was called with.

    Returns:
        The exit status: 0 done, 1 a failure, 2 bad input, 130 interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    _show_log_lines()
    try:
        status = app(words or ["--help"], standalone_mode=False, prog_name="dualnet")
    except (DualNetError, typer.TyperException) as error:
        return _fail(error, status=2, debug=debug)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("stopped", err=True)
        return 130
    except Exception as error:  # noqa: BLE001 - the last door: one line, not a traceback
        return _fail(error, status=1, debug=debug)
    return status if isinstance(status, int) else 0


def _fail(error: Exception, *, status: int, debug: bool) -> int:
    if debug:
        logging.getLogger("dualnet").exception("traceback", exc_info=error)
    if isinstance(error, typer.TyperException):
        said = getattr(error, "format_message", error.__str__)().rstrip(".")
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "dualnet"
        text = f"{command}: {said}. See `{command} --help`."
    elif isinstance(error, DualNetError):
        text = str(error)
    else:
        text = f"dualnet: {type(error).__name__}: {error}. Say --debug for a traceback."
    typer.echo(" ".join(text.split()), err=True)
    return status


def _show_log_lines() -> None:
    """Sends dualnet's log lines to standard error, plainly."""
    # TensorFlow says on every start which instructions it was built for.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logger = logging.getLogger("dualnet")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
