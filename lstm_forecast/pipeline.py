"""The verbs. Read this module first: each verb is a list of the stages it is made of.

What only one of them is made of is imported there: a forecast does not wait for the modules of a training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstm_forecast.ages import ANY_AGE, MostAge, require_fresh_input, require_fresh_run
from lstm_forecast.cold_starts import with_cold_starts
from lstm_forecast.coming import found_ahead, known_ahead
from lstm_forecast.config import Loaded
from lstm_forecast.dated import Forecast
from lstm_forecast.errors import UsageError
from lstm_forecast.events import Events
from lstm_forecast.interval_levels import chosen_levels, interval_list
from lstm_forecast.latest import CONTEXT, latest_panel
from lstm_forecast.naming import open_reference, run_name, runs_folder
from lstm_forecast.predicting import chosen_series, dated_rows
from lstm_forecast.runs.run import Run, claim_name

if TYPE_CHECKING:
    from lstm_forecast.auditing import Audit
    from lstm_forecast.drawing import Kind
    from lstm_forecast.evaluating import Backtest, Evaluation
    from lstm_forecast.fitting import Plan
    from lstm_forecast.trainings import TrainResult

MOST_STEPS = 100_000  # longest horizon of a forecast


def train(
    loaded: Loaded,
    *,
    runs_dir: Path | None = None,
    events: Events | None = None,
    argv: Sequence[str] = (),
    wait_s: float = 0.0,
    resume: str | None = None,
    start_from: str | Path | None = None,
) -> TrainResult:
    """Fits, evaluates on the test split, and writes a complete run that its name then means.

    Args:
        loaded: the configuration, from :func:`load_config`.
        runs_dir: folder of all runs; None: ``run.dir``, the environment, else ``runs``.
        events: told of everything that happens.
        argv: the command line, for the record.
        wait_s: how long another training of this name is waited for.
        resume: None for a new run; ``newest`` for the newest interrupted one with this data and this
            configuration, else a new one; or the id of a run to go on with.
        start_from: run whose weights the networks begin with, as for :func:`predict`; None: first weights.

    Raises:
        AlreadyComplete: the run to go on with is complete; nothing was done.
        ForecastError: of the class that says what is wrong; the name then means what it meant before.
    """
    from lstm_forecast import signals
    from lstm_forecast.boards import require_extras
    from lstm_forecast.choices import with_name
    from lstm_forecast.fitting import plan_training
    from lstm_forecast.resuming import begin_run, locked_name, with_stored_threads
    from lstm_forecast.room import require_room
    from lstm_forecast.training.allocator import keep_freed_memory
    from lstm_forecast.trainings import train_into
    from lstm_forecast.warm_starts import with_start

    events = events or Events()
    folder, name = runs_folder(runs_dir, loaded), run_name(loaded)
    keep_freed_memory()
    with signals.caught(lambda number: events.emit("signal", {"signal": number}, level="warning")):
        claim_name(folder, name, loaded.config.data.path)
        plan = plan_training(loaded, events)
        plan = replace(plan, config=with_name(plan.config, name))
        plan = with_start(plan, start_from, folder, events)
        require_extras(plan.config)
        with locked_name(folder, name, wait_s=wait_s, events=events):
            claim_name(folder, name, loaded.config.data.path)  # whoever was waited for may have taken it
            require_room(folder, name, plan, events)
            run, checkpoints = begin_run(folder, name, plan, resume=resume, events=events)
            if loaded.config.training.threads == "auto":
                plan = with_stored_threads(plan, checkpoints)
            return train_into(run, plan, checkpoints, events=events, argv=argv)


def predict(
    run: str | Path,
    *,
    runs_dir: Path | None = None,
    data: str | None = None,
    horizon: int | None = None,
    series: str | None = None,
    levels: Sequence[float] | None = None,
    most_age: MostAge = ANY_AGE,
    future: str | None = None,
    events: Events | None = None,
) -> Forecast:
    """The next dated steps after the newest rows there are, in original units.

    Args:
        run: a name, ``name@id-prefix``, a run's path, or the configuration that trained it.
        runs_dir: folder of all runs.
        data: CSV to continue; None: the recorded file as it is now, else the run's own rows.
        horizon: steps ahead; None: ``forecast.horizon``, else the trained one.
        series: only this series.
        levels: of the intervals, in percent; None: those the run was trained with.
        most_age: of the newest row and of the run.
        future: CSV with the future covariates of the steps; None: ``data.future_path``, else the rows of the
            input after its last target.
        events: told of everything that happens.

    Raises:
        ForecastError: of the class that says what is wrong.
    """
    events, now = events or Events(), datetime.now(UTC)
    chosen = open_reference(run, runs_dir, events)
    require_fresh_run(chosen.about, most_s=most_age.model_s, now=now, where=str(chosen.run.path))
    usual = chosen.config.forecast.horizon or chosen.config.window.horizon
    steps = usual if horizon is None else horizon
    if not 1 <= steps <= MOST_STEPS:
        raise UsageError("predict.horizon", f"got {steps}, expected 1 to {MOST_STEPS:,}", where="--horizon")
    panel, source, sha256, in_input = latest_panel(chosen, data, events)
    chosen = with_cold_starts(chosen, panel)
    write = chosen.preprocess.time_format.format
    newest, trained = panel.times.max(), chosen.context.times.max()
    form, most_s = chosen.preprocess.time_format, most_age.input_s or chosen.config.data.max_input_age
    where = str(chosen.run.path) if source == CONTEXT else source
    require_fresh_input(int(newest), form, most_s=most_s, now=now, where=where, remedy="--max-input-age 30d")
    as_of, known = write(np.array([newest, trained]))
    if newest <= trained:
        events.warn(
            "predict.no_new_rows", f"nothing newer than {known}, the last row the run was trained with"
        )
    wanted = chosen_levels(chosen, levels)
    asked = chosen_series(chosen, panel, series)
    given = found_ahead(chosen, panel, in_input, source=source, future=future, events=events)
    ahead = known_ahead(chosen, panel, given, horizon=steps, series=asked, events=events)
    rows = dated_rows(chosen, panel, horizon=steps, chosen=asked, levels=wanted, known=ahead, events=events)
    names = chosen.preprocess.series_name, chosen.preprocess.time_name
    origin = chosen.run.path.parent.parent, chosen.preprocess.columns[0], as_of, source, sha256
    behind = interval_list(chosen, wanted, steps, series=asked)
    gate = chosen.gate.to_document() if chosen.gate else None
    engine = chosen.engine_for(windows=len(chosen.able(panel)), horizon=steps)
    return Forecast(chosen.run.handle, *origin, *names, rows, behind, gate, engine)


@dataclass(frozen=True)
class EvaluateResult:
    """What ``evaluate`` found.

    Attributes:
        run: the run.
        evaluation: forecasts, verdict and intervals.
        document: everything measured, as plain JSON.
        files: what is kept under ``predictions`` of the run, by name: the table, the summary, the arrays.
        audit: what the leak audit found; None where it was not asked for.
        failed: whether the verdict is to be an error.
    """

    run: Run
    evaluation: Evaluation
    document: Mapping[str, Any]
    files: Mapping[str, bytes]
    audit: Audit | None
    failed: bool


def evaluate(
    run: str | Path,
    *,
    backtest: Backtest,
    runs_dir: Path | None = None,
    data: str | None = None,
    audit: bool = False,
    fail_if_worse: bool = False,
    events: Events | None = None,
) -> EvaluateResult:
    """Forecasts from many past origins with the tested networks, and compares with what came.

    Args:
        run: as for :func:`predict`.
        backtest: the origins; what it leaves open is taken from the run's ``evaluation`` section.
        runs_dir: folder of all runs.
        data: CSV to test on; None: the run's own file, which has to be as it was.
        audit: whether the leak audit runs too.
        fail_if_worse: whether a model worse than the best simple baseline is an error.
        events: told of everything that happens.

    Raises:
        ForecastError: of the class that says what is wrong.
    """
    from lstm_forecast import backtests
    from lstm_forecast.documents import tidy_csv
    from lstm_forecast.evaluating import evaluate_run, evaluation_document
    from lstm_forecast.runs.storage import json_bytes

    events = events or Events()
    chosen = open_reference(run, runs_dir, events)
    settings = chosen.config.evaluation
    plan = replace(
        backtest,
        origins=backtest.origins or settings.origins,
        refit_every=backtest.refit_every or settings.refit_every,
    )
    found = evaluate_run(chosen, plan, data=data, events=events)
    checked = None
    if audit:
        from lstm_forecast.auditing import audit as audit_run

        checked = audit_run(chosen, data=data, events=events)
    failed = found.verdict.worse and (fail_if_worse or settings.fail_if_worse)
    document = evaluation_document(chosen, found)
    table = tidy_csv(found.held, found.bounds, found.panel, chosen.preprocess.time_format)
    files = {
        backtests.TABLE: b"".join(table),
        backtests.ARRAYS: backtests.pack_backtest(found.held, found.bounds, found.panel),
        backtests.SUMMARY: json_bytes(document),
    }
    return EvaluateResult(chosen.run, found, document, files, checked, failed)


def plot(
    run: str | Path,
    kind: Kind = "forecast",
    *,
    form: Literal["png", "svg", "pdf"] = "png",
    series: str | None = None,
    runs_dir: Path | None = None,
    events: Events | None = None,
) -> bytes:
    """A picture of a run, from its own files alone, as the bytes of a file.

    Args:
        run: as for :func:`predict`.
        kind: ``forecast`` (history, test predictions, future), ``test`` (actual and predicted), ``loss``;
            ``error`` (by step), ``residuals`` and ``backtest`` of the last ``evaluate``, or of the test rows;
            ``gates`` (what they do over the newest window); ``track`` (the recorded forecasts, judged).
        form: kind of picture file.
        series: only this series.
        runs_dir: folder of all runs.
        events: told of warnings.

    Raises:
        ForecastError: of the class that says what is wrong.
    """
    from lstm_forecast.drawing import picture

    events = events or Events()
    chosen = open_reference(run, runs_dir, events)
    if kind == "track":
        from lstm_forecast import tracking

        only = tracking.one_run(run, chosen)
        return tracking.track_picture(chosen, only=only, form=form, series=series, events=events)
    return picture(chosen, kind, form=form, series=series, events=events)


def plan(
    loaded: Loaded,
    *,
    runs_dir: Path | None = None,
    events: Events | None = None,
    start_from: str | Path | None = None,
) -> Plan:
    """What :func:`train` would do, found out without training and without writing.

    Raises:
        ForecastError: what ``train`` would raise before its first epoch.
    """
    from lstm_forecast.fitting import plan_training
    from lstm_forecast.warm_starts import with_start

    folder, events = runs_folder(runs_dir, loaded), events or Events()
    claim_name(folder, run_name(loaded), loaded.config.data.path)
    return with_start(plan_training(loaded, events), start_from, folder, events)
