"""The program: its commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import atexit
import gc
import json
import sys
from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from lstm_forecast.cli.commands import NAMES, add_command
from lstm_forecast.cli.terminal import (
    prepare_streams,
    put,
    show_bug,
    show_error,
    show_interrupted,
    stdout_error,
    tell_warnings,
)
from lstm_forecast.errors import EXIT_CODES, ForecastError, UsageError, as_known


def program(names: Sequence[str] = NAMES) -> typer.Typer:
    """The program with these commands."""
    made = typer.Typer(
        name="lstm-forecast",
        help="A CSV in; an honest, dated forecast from a stacked LSTM out.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    made.callback(invoke_without_command=True)(root)
    for name in names:
        add_command(made, name)
    made.command("help")(show_help)
    return made


def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --version: as JSON.")] = False,
) -> None:
    """A CSV in; an honest, dated forecast from a stacked LSTM out.

    Start with: lstm-forecast train YOUR.csv

    Exit codes: lstm-forecast help exit-codes
    """
    if version:
        put(_version_text(as_json=as_json))
        raise typer.Exit
    if context.invoked_subcommand is None:
        put(context.get_help() + "\n")
        raise typer.Exit


def show_help(
    topic: Annotated[Literal["exit-codes", "environment"], typer.Argument(help="What to explain.")],
) -> None:
    """Explain the exit codes, or the environment variables.

    \b
    Examples:
      lstm-forecast help exit-codes
    """
    put(exit_codes_text() if topic == "exit-codes" else _ENVIRONMENT)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the program and leaves with the exit code of what happened."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Else Python looks through all that was imported before it ends, a quarter as long as importing took.
    atexit.register(gc.freeze)
    prepare_streams()
    events_only = _log_format(arguments) == "json"
    as_json = events_only or "--json" in arguments
    if events_only:
        tell_warnings()
    try:
        asked = tuple(arguments[:1]) if arguments and arguments[0] in NAMES else NAMES
        code = program(asked)(
            args=with_bare_resume(arguments), prog_name="lstm-forecast", standalone_mode=False
        )
        if code == 130:  # typer has caught Ctrl-C
            _interrupted(as_json=events_only)
        sys.exit(code if isinstance(code, int) else 0)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # typer's help, into a pipe nobody reads
            leaving.code = 141
        raise
    except (KeyboardInterrupt, typer.Abort):
        _interrupted(as_json=events_only)
    except Exception as error:  # noqa: BLE001 - the last line of defence: every error becomes a code
        known = in_our_form(error)
        if known is None:
            show_bug(error, as_json=as_json)
            sys.exit(1)
        show_error(known, as_json=as_json)
        sys.exit(known.code)


def with_bare_resume(arguments: Sequence[str]) -> list[str]:
    """The words with ``--resume`` alone spelled out: typer has no option whose value may be left out."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    return ["--resume=newest" if a == "--resume" and n < end else a for n, a in enumerate(arguments)]


def in_our_form(error: Exception) -> ForecastError | None:
    """The error in our own form, or None for a bug."""
    if hasattr(error, "format_message") and getattr(error, "exit_code", None) == 2:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "lstm-forecast"
        message = error.format_message()
        unquoted = "unexpected extra argument" in message and command.endswith((" train", " check", " init"))
        remedy = f"a pattern of files stands in quotes: {command} 'prices/*.csv'"
        return UsageError("usage", message, hint=remedy if unquoted else f"{command} --help")
    known = as_known(error)
    if (
        isinstance(error, OSError)
        and error.filename is None
        and known is not None
        and known.id == "storage.io"
    ):
        return stdout_error(error)  # typer's help into a closed or full stdout
    return known


def exit_codes_text() -> str:
    """The table of exit codes."""
    rows = [f"{row.code:>4}  {row.id:<18} {row.meaning}{_retry(row.retry)}" for row in EXIT_CODES]
    return "code  id                 meaning\n" + "\n".join(rows) + "\n"


def _retry(word: str) -> str:
    return f" (retry: {word})" if word not in ("", "no") else ""


def _interrupted(*, as_json: bool) -> None:
    show_interrupted(as_json=as_json)
    sys.exit(130)


def _log_format(arguments: Sequence[str]) -> str:
    joined = " ".join(arguments)
    return "json" if "--log-format json" in joined or "--log-format=json" in joined else "text"


def _version_text(*, as_json: bool) -> str:
    from lstm_forecast.version import __version__

    if not as_json:
        return f"lstm-forecast {__version__}\n"
    import platform
    from importlib.metadata import version

    packages = {name: version(name) for name in ("torch", "numpy", "pandas", "scipy", "safetensors")}
    document = {"lstm-forecast": __version__, "python": platform.python_version(), **packages}
    return json.dumps(document, indent=1) + "\n"


_ENVIRONMENT = """\
LSTM_FORECAST_RUNS_DIR               folder of all runs
LSTM_FORECAST_<SECTION>__<KEY>       any configuration key, for example LSTM_FORECAST_TRAINING__EPOCHS=5
NO_COLOR, TERM=dumb                  no colour, no progress bar
Precedence: flag, then environment, then file, then default.
"""
