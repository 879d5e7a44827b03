"""``lstm-forecast init``: the first configuration of a file, ready to train and to be changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_forecast.cli import options
from lstm_forecast.cli.inputs import YAML_SUFFIXES, load_input
from lstm_forecast.cli.terminal import ask, can_ask, listening, put, put_json, show_error, warning_list
from lstm_forecast.data.findings import plural
from lstm_forecast.errors import ExistsError, ForecastError, SeveralTargets, UsageError, visible
from lstm_forecast.events import Events
from lstm_forecast.runs.storage import require_new, write_new

if TYPE_CHECKING:
    from lstm_forecast.config import Loaded
    from lstm_forecast.fitting import Plan
    from lstm_forecast.initialising import Draft

MOST_NAMED = 20  # columns in a question
MOST_STEPS = 100_000  # longest horizon, as window.horizon has it

Csv = Annotated[
    str, typer.Argument(metavar="CSV", help="A CSV file, or a folder or 'pattern*' of CSV files.")
]
Output = Annotated[
    str | None,
    typer.Option("--output", metavar="FILE", help="A .yaml file (default: the CSV's name); - for stdout."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Ask nothing; take what was found.")]


@dataclass(frozen=True)
class Words:
    """What the user said, on the command line and in answers."""

    given: str
    sets: Sequence[str]
    flags: Mapping[str, tuple[str, object]]

    def with_answer(self, key: str, flag: str, value: object) -> Words:
        """The same with an answer, which counts as its flag would."""
        return replace(self, flags={**self.flags, key: (flag, value)})


@dataclass(frozen=True)
class Found:
    """What a file means, as the words have it, and the events that planning it gave."""

    words: Words
    loaded: Loaded
    plan: Plan
    events: Events


def init(
    given: Csv,
    target: options.Target = None,
    time: options.Time = None,
    series_id: options.SeriesId = None,
    horizon: options.Horizon = None,
    output: Output = None,
    overwrite: options.Overwrite = False,
    yes: Yes = False,
    sets: options.Set = None,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    log_format: options.LogFormat = "text",
) -> None:
    """Write a commented configuration for a CSV, ready to train.

    Training it gives what train gives for the bare CSV. On a terminal it shows what it found and asks at most
    three questions; --yes, --json and --quiet ask nothing.

    \b
    Examples:
      lstm-forecast init prices.csv
      lstm-forecast init prices.csv --yes --target Close --horizon 5 --output close.yaml
      lstm-forecast init 'prices/*.csv' --output - | less
    """
    _check_words(given, output, overwrite=overwrite)
    flags = {
        "data.target": ("--target", target),
        "data.time": ("--time", time),
        "data.series_id": ("--series-id", series_id),
        "window.horizon": ("--horizon", horizon),
    }
    words = Words(given, sets or (), flags)
    with listening(quiet=quiet, log_format=log_format) as events:
        if yes or json or quiet or not can_ask():
            found = _look(words, events)
            file = None if output == "-" else Path(output or _usual_file(found.loaded))
        else:
            found = _ask_about_data(words, events)
            file = None if output == "-" else _ask_for_file(output, found, overwrite=overwrite)
    if file is not None:
        _require_usable(file, found, overwrite=overwrite)
    written = _drafted(found, file)
    if file is not None and not dry_run:
        write_new(file, written.text.encode(), overwrite=overwrite)
    if json:
        put_json(_document(written, file, dry_run=dry_run) | {"warnings": warning_list(found.events)})
    elif file is None:
        put(written.text)
    elif not quiet:
        put(_said(written, file, dry_run=dry_run))


def _check_words(given: str, output: str | None, *, overwrite: bool) -> None:
    """Refuses, before anything is read, an input that is no file and an output that cannot be written."""
    if given == "-":
        hint = "save it as a file: the configuration names the file it is for"
        raise UsageError("init.input", "standard input cannot be read again by train", where="-", hint=hint)
    if given.lower().endswith(YAML_SUFFIXES):
        hint = "to see every value: lstm-forecast config show FILE"
        raise UsageError(
            "init.input", "is a configuration already; expected a CSV file", where=given, hint=hint
        )
    if output is not None and output != "-":
        _check_file(Path(output), overwrite=overwrite)


def _check_file(file: Path, *, overwrite: bool) -> None:
    if file.suffix.lower() not in YAML_SUFFIXES:
        raise UsageError(
            "init.output",
            f"got {str(file)!r}; expected a name that ends in .yaml",
            where="--output",
            hint=f"--output {file}.yaml",
        )
    require_new(file, overwrite=overwrite)


def _look(words: Words, events: Events) -> Found:
    """What the file means, told as it is found.

    Raises:
        ForecastError: what ``check`` would raise before it looks at runs and disk.
    """
    loaded = load_input(words.given, sets=words.sets, flags=words.flags)
    from lstm_forecast.fitting import plan_training

    own = Events(events.readers)
    return Found(words, loaded, plan_training(loaded, own), own)


def _ask_about_data(words: Words, events: Events) -> Found:
    """The same with at most two questions: the target where several columns could be it, and the horizon."""
    try:
        found = _look(words, events)
    except SeveralTargets as unclear:
        events.say([f"{unclear.where}: {unclear.message}"])
        words = words.with_answer("data.target", "--target", _ask_target(unclear.candidates, found=""))
        found = _look(words, events)
    else:
        candidates = found.plan.table.candidates
        if len(candidates) > 1 and not found.loaded.was_set("data.target"):
            target = _ask_target(candidates, found=found.plan.table.columns[0])
            if target != found.plan.table.columns[0]:
                words = words.with_answer("data.target", "--target", target)
                found = _look_again(words, found, events)
    if not found.loaded.was_set("window.horizon"):
        usual = found.plan.config.window.horizon
        steps = _ask_horizon(usual)
        if steps != usual:
            found = _look_again(words.with_answer("window.horizon", "--horizon", steps), found, events)
    return found


def _look_again(words: Words, before: Found, events: Events) -> Found:
    """The file with an answer; only what is new is told."""
    found = _look(words, Events())
    events.say([line for line in found.plan.account if line not in before.plan.account])
    for id, message in found.events.warnings:
        if (id, message) not in before.events.warnings:
            events.warn(id, message)
    return found


def _ask_target(candidates: Sequence[str], *, found: str) -> str:
    listed = ", ".join(candidates[:MOST_NAMED]) + (" …" if len(candidates) > MOST_NAMED else "")
    while True:
        answer = ask(f"Column to forecast ({listed})", found=found)
        if answer in candidates:
            return answer
        if answer:
            _object(f"no column of numbers is called {answer!r}")


def _ask_horizon(usual: int) -> int:
    while True:
        answer = ask("Steps to forecast", found=str(usual))
        number = int(answer) if answer.isascii() and answer.isdecimal() and len(answer) < 10 else 0
        if 1 <= number <= MOST_STEPS:
            return number
        _object(f"got {answer!r}; expected a number from 1 to {MOST_STEPS:,}")


def _ask_for_file(output: str | None, found: Found, *, overwrite: bool) -> Path:
    """Where the configuration is written to; asked for where no flag says it."""
    if output is not None:
        return Path(output)
    usual = _usual_file(found.loaded)
    while True:
        file = Path(ask("Write to", found=usual))
        try:
            _check_file(file, overwrite=overwrite)
            _require_usable(file, found, overwrite=overwrite)
        except ForecastError as error:
            show_error(error, as_json=False)
            continue
        return file


def _object(why: str) -> None:
    show_error(UsageError("init.answer", why), as_json=False)


def _usual_file(loaded: Loaded) -> str:
    from lstm_forecast.naming import run_name

    return f"{run_name(loaded)}.yaml"


def _require_usable(file: Path, found: Found, *, overwrite: bool) -> None:
    """Refuses a file that cannot be written, and one whose training would be refused for its name.

    Raises:
        UsageError: it is the input itself, under a second name.
        ExistsError: it exists, or its run's name belongs to other data.
        StorageError: its folder does not exist.
    """
    from lstm_forecast.naming import runs_folder
    from lstm_forecast.runs.run import claim_name

    require_new(file, overwrite=overwrite)
    source = Path(found.plan.table.source.path)
    if file.exists() and source.exists() and file.samefile(source):
        raise UsageError("init.output", "is the input itself", where=f"--output {file}")
    try:
        claim_name(runs_folder(None, found.loaded), _run_name(found, file), found.plan.config.data.path)
    except ExistsError as taken:
        hint = "write to another file (--output OTHER.yaml), or name the run: --set run.name=OTHER"
        raise ExistsError(taken.id, taken.message, where=taken.where, hint=hint) from None


def _run_name(found: Found, file: Path | None) -> str:
    """The name of the run that training the file gives."""
    from lstm_forecast.naming import run_name

    return run_name(found.loaded if file is None else replace(found.loaded, path=file))


def _drafted(found: Found, file: Path | None) -> Draft:
    from lstm_forecast.initialising import draft

    return draft(
        found.loaded,
        found.plan,
        warnings=found.events.warnings,
        file=file or Path(_usual_file(found.loaded)),
        given=found.words.given,
        name=_run_name(found, file),
    )


def _document(written: Draft, file: Path | None, *, dry_run: bool) -> dict[str, Any]:
    """The JSON document: where the text is, the text, and the keys that it gives a value."""
    return {
        "config": None if file is None else str(file.absolute()),
        "dry_run": dry_run,
        "text": written.text,
        "found": {key: {"value": entry.value, "why": entry.why} for key, entry in written.found.items()},
    }


def _said(written: Draft, file: Path, *, dry_run: bool) -> str:
    """What was done, and what to type next."""
    from lstm_forecast.cli.rendering import quoted

    if dry_run:
        return f"Would write {plural(written.text.count(chr(10)), 'line')} to {visible(str(file))}\n"
    return f"Wrote {visible(str(file))}\nNext: lstm-forecast train {visible(quoted(str(file)))}\n"
