"""What is wrong with the jobs of a batch, each alone and between two of them: found before the first runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lstm_forecast.config import Loaded
from lstm_forecast.errors import ConfigError, Problem
from lstm_forecast.naming import run_name, runs_folder
from lstm_forecast.scale.jobs import Batch, Job

MOST_JOBS = 10_000
MOST_PROBLEMS = 50
OUTPUTS = (".csv", ".json")
PICTURES = (".png", ".svg", ".pdf")


def checked(
    source: str,
    jobs: list[Job],
    problems: list[Problem],
    runs_dir: Path | None,
    *,
    combined: str | None = None,
) -> Batch:
    """The batch, if nothing is wrong with any job or between two of them.

    Raises:
        ConfigError: all problems.
    """
    if len(jobs) > MOST_JOBS:
        message = f"more than {MOST_JOBS:,} jobs"
        raise ConfigError([*problems, Problem("jobs.too_many", message, source, "make several batches")])
    loaded = [_loaded(job, problems) for job in jobs]
    folders = [runs_folder(runs_dir, one) for one in loaded]
    _check_names(jobs, loaded, folders, problems)
    read = {os.path.realpath(one.config.data.path) for one in loaded if one is not None}
    read |= {os.path.realpath(path) for path in (source, *(job.config for job in jobs)) if path is not None}
    _check_files(jobs, read, problems)
    if combined not in (None, "-"):
        _check_file(str(combined), (".csv",), read, Job("", "--output", None, {}, {}), problems)
    unique = list(dict.fromkeys(problems))
    if unique:
        shown = unique[:MOST_PROBLEMS]
        if len(unique) > MOST_PROBLEMS:
            rest = f"{len(unique) - MOST_PROBLEMS} more problems"
            shown.append(Problem("jobs.more", rest, source, "mend these first"))
        raise ConfigError(shown)
    return Batch(source, tuple(jobs), tuple(folders), combined)


def _loaded(job: Job, problems: list[Problem]) -> Loaded | None:
    try:
        loaded = job.load()
    except ConfigError as error:
        problems += [_without_input(job) if p.id == "config.missing" else p for p in error.problems]
        return None
    if loaded.config.data.path == "-":
        message = "data.path: standard input can be read by one program only"
        problems.append(Problem("jobs.value", message, job.where, "name a file"))
    return loaded


def _without_input(job: Job) -> Problem:
    hint = "write `files: FILE.csv`, `config: CONFIG.yaml` or `set: {data.path: FILE.csv}`"
    return Problem("jobs.missing", "the job has no input", job.where, hint)


def _check_names(
    jobs: Sequence[Job], loaded: Sequence[Loaded | None], folders: Sequence[Path], problems: list[Problem]
) -> None:
    """Two jobs may share neither their name nor that of their runs."""
    names: dict[object, Job] = {}
    for job, one, folder in zip(jobs, loaded, folders, strict=True):
        keys: list[object] = [job.name]
        if one is not None and not job.missing:
            keys.append((folder, run_name(one)))
        twins = [names[key] for key in keys if key in names]
        if twins:
            message = f"two jobs are called {job.name}; the first is at {twins[0].where}"
            if twins[0].name != job.name:
                message = f"{twins[0].name} and {job.name} train the same run name"
            hint = "give each a name of its own; in a jobs file with `name:`"
            problems.append(Problem("jobs.duplicate", message, job.where, hint))
        names |= {key: job for key in keys if key not in names}


def _check_files(jobs: Sequence[Job], read: set[str], problems: list[Problem]) -> None:
    """Each file that is written has a fitting suffix, is written by one job and read by none."""
    written: dict[str, Job] = {}
    for job in jobs:
        for path, suffixes in ((job.output, OUTPUTS), (job.plot, PICTURES)):
            if path is None or job.missing:
                continue
            _check_file(path, suffixes, read, job, problems)
            real = os.path.realpath(path)
            if real in written:
                message = f"{written[real].name} and {job.name} both write {path}"
                hint = "give each a file of its own, for example output: out/{name}.csv"
                problems.append(Problem("jobs.duplicate", message, job.where, hint))
            written.setdefault(real, job)


def _check_file(
    path: str, suffixes: Sequence[str], read: set[str], job: Job, problems: list[Problem]
) -> None:
    if Path(path).suffix.lower() not in suffixes:
        message = f"expected a file name that ends in {', '.join(suffixes)}, got {path}"
        problems.append(Problem("jobs.value", message, job.where))
    if os.path.realpath(path) in read:
        message = f"{path} is read by this batch and would be overwritten"
        problems.append(Problem("jobs.input", message, job.where, "write to another file"))
