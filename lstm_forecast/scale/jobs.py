"""A job and a batch of them, as they are handed from the file to the processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lstm_forecast.config import Loaded, load_config
from lstm_forecast.errors import UsageError, nearest


@dataclass(frozen=True)
class Job:
    """One job: what is trained on what, and what it leaves.

    Attributes:
        name: unique in the batch.
        where: the place it was written at, for messages.
        config: absolute path of the configuration; None takes the one of a bare CSV.
        base: configuration keys that the file and the environment may change.
        flags: configuration keys with their origin, above the file and the environment.
        sets: texts ``training.epochs=5``, of the same rank.
        horizon: steps of the forecast; None as configured.
        levels: of its intervals, in percent; None as trained.
        output: absolute path of the forecast; None makes none.
        excel: whether it is a CSV for a spreadsheet, in which no text is run.
        plot: absolute path of the picture; None draws none.
        kind: of the picture.
        retrain: ``never``, ``always``, ``if-changed`` or ``max_age``.
        most_model_s: with ``max_age``, the age above which is trained again.
        most_input_s: age of the newest row above which is refused; None as configured.
        missing: the pattern that no file fits; such a job fails without running.
    """

    name: str
    where: str
    config: str | None
    base: Mapping[str, object]
    flags: Mapping[str, tuple[str, object]]
    sets: tuple[str, ...] = ()
    horizon: int | None = None
    levels: tuple[float, ...] | None = None
    output: str | None = None
    excel: bool = False
    plot: str | None = None
    kind: str = "forecast"
    retrain: str = "if-changed"
    most_model_s: float | None = None
    most_input_s: float | None = None
    missing: str = ""

    def load(self) -> Loaded:
        """The configuration of the job.

        Raises:
            ConfigError: every problem of it.
        """
        path = None if self.config is None else Path(self.config)
        return load_config(path, sets=self.sets, flags=self.flags, base=self.base)

    def to_text(self) -> str:
        """The job as JSON, for the process that does it."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_text(text: str) -> Job:
        """The job back from :meth:`to_text`."""
        fields: dict[str, Any] = json.loads(text)
        fields["flags"] = {key: tuple(given) for key, given in fields["flags"].items()}
        fields["sets"] = tuple(fields["sets"])
        if fields["levels"] is not None:
            fields["levels"] = tuple(fields["levels"])
        return Job(**fields)


@dataclass(frozen=True)
class Batch:
    """Jobs that are run together.

    Attributes:
        source: what two batches may not run at the same time: a jobs file, a configuration, or patterns.
        jobs: each checked.
        folders: the folder of runs of each job.
        combined: file that takes all forecasts as one table, ``-`` for stdout; None has none.
        excel: whether that table is for a spreadsheet, in which no text is run.
    """

    source: str
    jobs: tuple[Job, ...]
    folders: tuple[Path, ...]
    combined: str | None = None
    excel: bool = False

    def only(self, names: Sequence[str]) -> Batch:
        """The batch with these jobs alone, in its order.

        Raises:
            UsageError: there is no such job, with the nearest.
        """
        known = [job.name for job in self.jobs]
        for name in names:
            if name not in known:
                close = nearest(name, known)
                hint = f"did you mean {close}?" if close else f"jobs here: {', '.join(known[:8])}"
                raise UsageError("batch.only", f"no job named {name!r}", where="--only", hint=hint)
        kept = [n for n, name in enumerate(known) if name in names]
        jobs, folders = [self.jobs[n] for n in kept], [self.folders[n] for n in kept]
        return replace(self, jobs=tuple(jobs), folders=tuple(folders))
