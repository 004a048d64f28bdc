"""The ``bertline`` command: collects the verbs and turns errors into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import TextIO

import typer

from bertline import __version__
from bertline.destination import is_full, remedy
from bertline.errors import BertlineError, BertlineWarning
from bertline.machine.threads import sleep_if_busy

TRAINING = ("train", "pretrain", "distill", "retrain")  # verbs whose threads wait for each other

# In the order of ``bertline --help``; each is a module of this package with a function ``register``.
VERBS = (
    *("train", "vocab", "pretrain", "generate", "context", "evaluate", "compare", "gate", "drift", "retrain"),
    *("distill", "optimize", "predict", "explain", "scan", "join", "index", "nearest", "similarity"),
    *("cluster", "duplicates", "plan"),
    *("serve", "auth", "tls", "models", "feedback", "observe", "top", "deploy"),
)


def application(verbs: Sequence[str] = VERBS) -> typer.Typer:
    """The command with some of its verbs: to import all of them takes several times as long as most of them run."""
    app = typer.Typer(
        name="bertline",
        help="The production line for BERT encoders: from labelled text to a fast, secure, monitored service.",
        epilog="Example: bertline train reviews.csv --out reviews && bertline serve reviews",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for verb in verbs:
        import_module(f"bertline.cli.{verb}").register(app)
    app.callback()(_options)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bertline {__version__}")
        raise typer.Exit


def _options(
    context: typer.Context,
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Options of every verb; ``--debug`` is read by ``main`` because an error ends the verb."""
    if context.invoked_subcommand in TRAINING:
        sleep_if_busy()  # here, because no verb has imported torch yet


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Ours as one sentence; those of libraries are for developers, who have ``python -W``."""
    if issubclass(category, BertlineWarning):
        typer.echo(f"warning: {message}", err=True)


def _full(error: OSError) -> str:
    """What no verb could foresee: standard output or a temporary directory is full."""
    _let_go(sys.stdout)
    place = error.filename or "standard output"
    return f"{place} cannot be written: {error.strerror}; {remedy(error)}"


def _let_go(stream: TextIO) -> None:
    """What is left in the buffer cannot be written, and the interpreter would complain once more when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 the work failed or a gate said no, 2 usage, 130 interrupted."""
    warnings.showwarning = _warn
    arguments = [one for one in sys.argv[1:] if one != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        try:
            app = application([one for one in arguments[:1] if one in VERBS] or VERBS)
            app(arguments, prog_name="bertline")
        finally:
            sys.stdout.flush()  # here, where an error can be said in a sentence
    except BertlineError as error:
        if debug:
            raise
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        if debug or not is_full(error):
            raise
        typer.echo(f"error: {_full(error)}", err=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
