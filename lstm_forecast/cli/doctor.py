"""``lstm-forecast doctor``: what the program finds on this machine, and what is wrong with it."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from lstm_forecast.cli import options
from lstm_forecast.cli.check import disk_problems, problem_row
from lstm_forecast.cli.terminal import put, put_json
from lstm_forecast.data.findings import plural
from lstm_forecast.errors import CheckFailed, ForecastError, visible
from lstm_forecast.version import __version__

PACKAGES = ("torch", "numpy", "pandas", "scipy", "safetensors", "pydantic", "matplotlib", "filelock")
EXTRAS = {"baselines": "statsmodels", "holidays": "holidays", "tensorboard": "tensorboardX"}
LEAST_FREE_BYTES = 50_000_000  # a run of the default size takes about 2 MB; check knows what a job needs
USUAL_VALUES = 60 * 2 * 50  # hidden values of a row in the default network: steps, layers, units
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
JOURNALS = {
    "wal": "a write-ahead log, readers and a writer need not wait for each other",
    "delete": "a rollback journal, which needs no memory shared between processes",
}
NoTorch = Annotated[
    bool, typer.Option("--no-torch", help="Leave out device and threads: quicker, torch is not imported.")
]


def doctor(
    no_torch: NoTorch = False,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Versions, device, threads, runs, disk, locks, ledger, extras; exit 19 if one is wrong.

    Imports torch, to name the device; writes nothing.

    \b
    Examples:
      lstm-forecast doctor
      lstm-forecast doctor --no-torch --json
    """
    from lstm_forecast.naming import runs_folder

    folder = runs_folder(runs_dir)
    found = {
        "versions": _versions(),
        "cores": _cores(),
        "environment": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        "files": _files(),
        "torch": None if no_torch else _torch(),
        "runs": _place(folder),
        "locks": _locks(folder),
        "ledger": _ledger(folder),
        "extras": _extras(),
    }
    problems, warnings = _problems(found, folder), _warnings(folder)
    if json:
        put_json({"ok": not problems, "problems": problems, **found, "warnings": warnings})
    elif not quiet:
        lines = [*_lines(found), *(f"warning[{one['id']}]: {one['message']}" for one in warnings)]
        put("\n".join(visible(line) for line in lines) + "\n")
    if problems:
        first, others = problems[0], problems[1:]
        details = [f"{problem['where']}: {problem['message']}" for problem in others]
        raise CheckFailed(
            first["id"], first["message"], where=first["where"], details=details, hint=first["hint"]
        )
    if not json and not quiet:
        put("ok: nothing is wrong\n")


def _versions() -> dict[str, str | None]:
    own = {"lstm-forecast": __version__, "python": platform.python_version()}
    return {**own, **{name: _version(name) for name in PACKAGES}}


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cores() -> dict[str, int]:
    """Processor cores of the machine, those this process may use, and the threads they give a usual batch."""
    from lstm_forecast.config import TrainingConfig
    from lstm_forecast.cores import threads_for, usable_cores

    usual = TrainingConfig()
    threads = threads_for(usual.batch_size, networks=usual.ensemble, row_values=USUAL_VALUES)
    return {"machine": os.cpu_count() or 1, "usable": usable_cores(), "training_threads": threads}


def _files() -> dict[str, str]:
    """What finds cells and numbers in the bytes of a file, and why."""
    from lstm_forecast.data.cell_kernel import kernel_or_reason

    library, why = kernel_or_reason()
    if library is None:
        return {"kernel": "numpy", "why": f"numpy: {why}"}
    return {"kernel": "compiled", "why": "functions of our own, compiled at installation"}


def _torch() -> dict[str, Any]:
    """Device that ``auto`` takes, torch's threads, LSTM kernel; ``failed`` where torch or a GPU fails."""
    try:
        import torch

        from lstm_forecast.model.devices import choose_device
        from lstm_forecast.model.lstm_kernel import kernel

        _, line = choose_device("auto")
        about, found = line.removeprefix("device: "), {"kernel": kernel().name, "why": kernel().about}
        return {"device": about, "threads": torch.get_num_threads(), **found, "failed": "failed" in about}
    except (ImportError, OSError, RuntimeError) as error:  # a library of torch's that is not there
        none = {"threads": None, "kernel": None, "why": None}
        return {"device": f"none: {error}", **none, "failed": True}


def _place(folder: Path) -> dict[str, Any]:
    from lstm_forecast.runs.file_systems import file_system, nearest_existing
    from lstm_forecast.runs.pruning import leftovers
    from lstm_forecast.runs.run import all_runs

    found, existing = file_system(folder), nearest_existing(folder)
    runs = all_runs(folder)
    names = {run.path.parent for run in runs}
    return {
        "path": str(folder),
        "exists": folder.is_dir(),
        "writable": existing.is_dir() and os.access(existing, os.W_OK),
        "free_bytes": shutil.disk_usage(existing).free,
        "file_system": found.kind,
        "local": found.local,
        "runs": len(runs),
        "names": len(names),
        "leftovers": sum(len(leftovers(name)) for name in names),
    }


def _locks(folder: Path) -> list[dict[str, Any]]:
    from lstm_forecast.runs.places import name_locks

    return [{"name": lock.name, "held": lock.held, "by": lock.by} for lock in name_locks(folder)]


def _ledger(folder: Path) -> dict[str, Any]:
    """The forecast ledger; ``problem`` where it cannot be used as it is, else None."""
    from lstm_forecast.runs.file_systems import file_system
    from lstm_forecast.runs.ledger import NAME
    from lstm_forecast.runs.ledger_file import journal_mode, ledger_facts

    path, place = folder / NAME, file_system(folder)
    journal = journal_mode(path)
    about = {True: "is local", False: "is not local", None: "may not be local"}[place.local]
    why = f"{place.kind} {about}: {JOURNALS[journal]}"
    found: dict[str, Any] = {"path": str(path), "exists": False, "journal": journal, "why": why}
    found |= {"schema": None, "forecasts": None, "problem": None}
    try:
        facts = ledger_facts(path)
    except ForecastError as error:
        problem = problem_row(error.id, error.message, error.where, error.hint)
        return found | {"exists": True, "journal": None, "problem": problem}
    if facts is None:
        return found
    found |= {"exists": True, "journal": facts.journal, "schema": facts.version, "forecasts": facts.forecasts}
    if (facts.journal, journal) == ("wal", "delete"):
        message = f"keeps a write-ahead log, and {place.kind} {about}: two writers may damage it"
        hint = "the next lstm-forecast predict --record or track mends it; let nothing else write meanwhile"
        found["problem"] = problem_row("ledger.journal", message, str(path), hint)
    return found


def _extras() -> list[dict[str, Any]]:
    return [
        {
            "extra": extra,
            "package": package,
            "version": _version(package),
            "install": f"pip install 'lstm-forecast[{extra}]'",
        }
        for extra, package in EXTRAS.items()
    ]


def _problems(found: dict[str, Any], folder: Path) -> list[dict[str, str]]:
    from lstm_forecast.runs.places import Need

    problems = disk_problems(folder, Need(LEAST_FREE_BYTES))
    missing = [name for name in PACKAGES if found["versions"][name] is None]
    if missing:
        message = f"not installed: {', '.join(missing)}"
        problems.append(problem_row("packages.missing", message, "Python", "pip install lstm-forecast"))
    if found["ledger"]["problem"] is not None:
        problems.append(found["ledger"]["problem"])
    about = found["torch"]
    if about is not None and about["failed"]:
        hint = "mend the driver or install another torch; --device cpu trains meanwhile"
        problems.append(problem_row("device.failed", about["device"], "torch", hint))
    return problems


def _warnings(folder: Path) -> list[dict[str, str]]:
    """What is not wrong, but should be known."""
    from lstm_forecast.runs.places import open_to_others

    told = open_to_others(folder)
    return [] if told is None else [{"id": "storage.writable_by_others", "message": told}]


def _lines(found: dict[str, Any]) -> list[str]:
    versions, cores, about = found["versions"], found["cores"], found["torch"]
    own, place = ("lstm-forecast", "python"), found["runs"]
    lines = [f"versions:  {', '.join(f'{name} {versions[name]}' for name in own)}"]
    packages = ", ".join(f"{name} {versions[name] or 'missing'}" for name in PACKAGES)
    lines += [f"packages:  {packages}"]
    split = f"a batch of the default size is split over {cores['training_threads']} (training.threads)"
    lines += [f"cores:     {cores['usable']} usable of {cores['machine']}; {split}"]
    lines += [f"files:     {found['files']['why']}"]
    if about is not None:
        lines += [f"device:    {about['device']}"]
        settings = "".join(f"; {name}={value}" for name, value in found["environment"].items())
        lines += [f"threads:   {about['threads']} (torch){settings}"]
        lines += [f"kernel:    {about['why'] or 'none'}"]
    lines += [f"runs:      {place['path']}: {_contents(place)}"]
    where = {True: ", local", False: ", over the network", None: ""}[place["local"]]
    lines += [f"disk:      {place['free_bytes'] / 1e9:,.1f} GB free on {place['file_system']}{where}"]
    held = [f"{lock['name']} held by {lock['by']}" for lock in found["locks"] if lock["held"]]
    lines += [f"locks:     {'; '.join(held) or 'none held'}"]
    lines += [f"ledger:    {_recorded(found['ledger'])}"]
    for extra in found["extras"]:
        state = f"{extra['package']} {extra['version']}"
        lines += [f"extra:     {extra['extra']}: {state if extra['version'] else extra['install']}"]
    return lines


def _recorded(ledger: dict[str, Any]) -> str:
    if not ledger["exists"]:
        return "none yet (predict --record begins one)"
    if ledger["journal"] is None:
        return f"{ledger['path']}: {ledger['problem']['message']}"
    rows = f"{plural(ledger['forecasts'], 'forecast')}, schema {ledger['schema']}"
    return f"{ledger['path']}: {rows}; journal {ledger['journal']} ({ledger['why']})"


def _contents(place: dict[str, Any]) -> str:
    if not place["exists"]:
        return "not there yet"
    left = f", {place['leftovers']} removed but not yet deleted (runs prune)" if place["leftovers"] else ""
    return f"{plural(place['runs'], 'run')} of {plural(place['names'], 'name')}{left}"
