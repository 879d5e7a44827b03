"""The jobs that a jobs file, or a configuration and many files, mean."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lstm_forecast.config.sources import absolute
from lstm_forecast.errors import Problem
from lstm_forecast.runs.run import name_from
from lstm_forecast.scale.checking import MOST_JOBS, checked
from lstm_forecast.scale.jobs import Batch, Job
from lstm_forecast.scale.jobs_file import MaxAge, PlotSpec, Spec, filled, read_specs

# What a job has where neither its configuration nor the environment says otherwise: nobody looks at a nightly
# run, its pictures would fill the disk, and its forecast should know the newest rows.
DEFAULTS: Mapping[str, object] = {
    "run.keep": 10,
    "run.plots": False,
    "run.promote": "if_better",
    "training.refit": "full",
}
_WILD = re.compile(r"[*?\[]")


def batch_from_file(path: Path, *, runs_dir: Path | None) -> Batch:
    """The jobs of a jobs file; relative paths in it are relative to its folder.

    Raises:
        ConfigError: every problem of the file and of each job's configuration.
    """
    specs, problems = read_specs(path)
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 - resolve() would follow a link of the file
    jobs = [job for spec in specs for job in _jobs_of(spec, folder, problems)]
    return checked(str(path.absolute()), jobs, problems, runs_dir)


def batch_from_words(
    config: Path | None,
    files: Sequence[str],
    *,
    sets: Sequence[str],
    horizon: int | None,
    output: str | None,
    excel: bool,
    runs_dir: Path | None,
) -> Batch:
    """One job per file, under one configuration or none.

    Args:
        config: the configuration; None trains each file as a bare CSV.
        files: paths, or patterns with wildcards.
        sets: texts ``training.epochs=5``.
        horizon: steps of each forecast.
        output: file that takes all forecasts as one table; ``-`` for stdout.
        excel: whether that table is for a spreadsheet.
        runs_dir: folder of all runs.

    Raises:
        ConfigError: every problem of every job.
    """
    problems: list[Problem] = []
    keys = {text.partition("=")[0].strip() for text in sets}
    if "data.path" in keys:
        message = "data.path is the file of each job"
        problems.append(Problem("jobs.duplicate", message, "--set", "leave out --set data.path"))
    chosen = None if config is None else str(config.absolute())
    base = dict(DEFAULTS)
    if horizon is not None:
        base["window.horizon"] = horizon
    jobs = []
    for given in files:
        found = _matching(given, Path.cwd())
        for path in found or [given]:
            more, flags = _input(path, given, bare=config is None)
            name = _stem(path) if found else given
            if found and "run.name" not in keys:
                flags["run.name"] = (given, name)
            missing = "" if found else given
            jobs.append(
                Job(name, given, chosen, base | more, flags, tuple(sets), horizon=horizon, missing=missing)
            )
    source = chosen or f"{' '.join(sorted(files))} in {Path.cwd()}"
    combined = output if output in (None, "-") else _below(Path.cwd(), output)
    return replace(checked(source, jobs, problems, runs_dir, combined=combined), excel=excel)


def _jobs_of(spec: Spec, folder: Path, problems: list[Problem]) -> list[Job]:
    """The jobs that one entry means: one, or one per file."""
    fields = spec.fields
    if fields.files is None:
        if fields.name is None:
            hint = "write `name:`; with `files:` it is the stem of each file"
            problems.append(Problem("jobs.missing", "the job has no name", spec.place(""), hint))
            return []
        return [job for job in [_job(spec, folder, None, problems)] if job is not None]
    if "data.path" in spec.sets:
        message = "files and set: data.path both name the input"
        problems.append(Problem("jobs.duplicate", message, spec.place("set.data.path"), "keep one of them"))
        return []
    paths: list[str | None] = list(_matching(fields.files, folder))
    found = [_job(spec, folder, path, problems) for path in paths or [None]]
    return [job for job in found if job is not None]


def _job(spec: Spec, folder: Path, path: str | None, problems: list[Problem]) -> Job | None:
    """The job of an entry on one of its files; without one it has no files, or none fits."""
    fields, retrain = spec.fields, spec.fields.retrain
    if path is None and fields.files is not None:
        base, flags = _keys(spec, folder, str(folder / fields.files), None)
        config = _below(folder, fields.config)
        return Job(fields.files, spec.place(""), config, base, flags, missing=fields.files)
    texts = _texts(spec, None if path is None else _stem(path), problems)
    if texts is None:
        return None
    base, flags = _keys(spec, folder, path, texts["name"])
    return Job(
        str(texts["name"]),
        spec.place(""),
        _below(folder, fields.config),
        base,
        flags,
        horizon=fields.horizon,
        levels=fields.levels,
        output=_below(folder, texts["output"]),
        excel=fields.excel,
        plot=_below(folder, texts["plot"]),
        kind=fields.plot.kind if isinstance(fields.plot, PlotSpec) else "forecast",
        retrain="max_age" if isinstance(retrain, MaxAge) else retrain,
        most_model_s=retrain.max_age if isinstance(retrain, MaxAge) else None,
        most_input_s=fields.max_input_age,
    )


def _texts(spec: Spec, stem: str | None, problems: list[Problem]) -> dict[str, str | None] | None:
    """Name, output and plot with their placeholders filled in; None where that is not possible."""
    fields = spec.fields
    plot = fields.plot.path if isinstance(fields.plot, PlotSpec) else fields.plot
    texts: dict[str, str | None] = {}
    for key, text in (("name", fields.name or "{stem}"), ("output", fields.output), ("plot", plot)):
        try:
            texts[key] = None if text is None else filled(text, stem=stem, name=texts.get("name"))
        except ValueError as error:
            known = "{stem}, and {name} in output and plot" if stem else "{name} in output and plot"
            hint = f"what is filled in here: {known}"
            problems.append(Problem("jobs.value", f"{key}: nothing fills {error} in", spec.place(key), hint))
            return None
    return texts


def _keys(
    spec: Spec, folder: Path, path: str | None, name: str | None
) -> tuple[dict[str, object], dict[str, tuple[str, object]]]:
    """Configuration keys of a job: those that others may change, and those above all others."""
    bare, sets = spec.fields.config is None, dict(spec.sets)
    base = dict(DEFAULTS)
    flags: dict[str, tuple[str, object]] = {}
    if path is not None:
        more, flags = _input(path, spec.place("files"), bare=bare)
        base |= more
    elif bare and "data.path" in sets:
        base["data.path"] = absolute("data.path", sets.pop("data.path"), folder)
    flags |= {key: (spec.place(f"set.{key}"), absolute(key, value, folder)) for key, value in sets.items()}
    if name is not None:
        flags.setdefault("run.name", (spec.place("name"), name))
    if spec.fields.horizon is not None:
        base["window.horizon"] = spec.fields.horizon
    return base, flags


def _input(path: str, origin: str, *, bare: bool) -> tuple[dict[str, object], dict[str, tuple[str, object]]]:
    """The input as a key: that of a bare CSV gets the choices that ``train CSV`` makes."""
    return ({"data.path": path}, {}) if bare else ({}, {"data.path": (origin, path)})


def _matching(pattern: str, folder: Path) -> list[str]:
    """Absolute paths of the files that a pattern fits, sorted; what has no wildcard is one file."""
    if not _WILD.search(pattern) or (folder / pattern).is_file():
        return [os.path.abspath(folder / pattern)]  # noqa: PTH100 - links are shown as they were named
    found = (folder / name for name in glob.iglob(pattern, root_dir=folder))  # noqa: PTH207 - pathlib's refuses absolute patterns
    files = itertools.islice((path for path in found if path.is_file()), MOST_JOBS + 1)
    return sorted(os.path.abspath(path) for path in files)  # noqa: PTH100


def _stem(path: str) -> str:
    """A file's name without its suffix, as a run may be called."""
    return name_from(Path(path.removesuffix(".gz")).stem)


def _below(folder: Path, path: str | None) -> str | None:
    return None if path is None else os.path.abspath(folder / path)  # noqa: PTH100
