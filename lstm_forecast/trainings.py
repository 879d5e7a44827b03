"""One training, from its plan to a complete run on disk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lstm_forecast import champions, recording, signals
from lstm_forecast.boards import finish_boards, open_boards
from lstm_forecast.champions import Contest
from lstm_forecast.errors import Worse
from lstm_forecast.evaluation.verdict import Verdict
from lstm_forecast.events import Events
from lstm_forecast.falling_back import fall_back
from lstm_forecast.fitting import Plan
from lstm_forecast.judging import Judged, fit_and_test
from lstm_forecast.opening import opened
from lstm_forecast.resuming import say_taken_up
from lstm_forecast.runs.run import Run, make_current, publish

if TYPE_CHECKING:
    from lstm_forecast.training.checkpoints import Checkpoints


@dataclass(frozen=True)
class TrainResult:
    """What a training leaves.

    Attributes:
        run: where it lies.
        current: whether its name now means it.
        judged: what the held-out rows said: verdict, test forecasts, intervals.
        test: number of test windows and the time of the first and last origin.
        refitted: whether the forecast comes from networks trained again on all rows.
        failed: whether ``evaluation.fail_if_worse`` makes this an error.
        elapsed_s: wall time.
        start: handle of the run whose weights it began with; None for first weights of its own.
        contest: how it did against the run that was current, under ``run.promote: if_better``; else None.
    """

    run: Run
    current: bool
    judged: Judged
    test: Mapping[str, Any]
    refitted: bool
    failed: bool
    elapsed_s: float
    start: str | None = None
    contest: Contest | None = None

    @property
    def verdict(self) -> Verdict:
        """Model against the best simple baseline."""
        return self.judged.verdict


def train_into(
    run: Run, plan: Plan, checkpoints: Checkpoints, *, events: Events, argv: Sequence[str]
) -> TrainResult:
    """Trains, tests and publishes into a run whose name is locked.

    Args:
        run: new, or interrupted.
        plan: what is trained.
        checkpoints: where its trainings begin, and where they are kept.
        events: told of everything that happens.
        argv: the command line, for the record.
    """
    began, start, config = datetime.now(UTC), time.monotonic(), plan.config
    with recording.recorded(run, events, argv) as outcome:
        say_taken_up(run, checkpoints, events)
        boards = [] if plan.shortfall else open_boards(config, run.path / "tensorboard")
        if plan.shortfall:
            trained = fall_back(plan, events)
        else:
            with checkpoints.saving():
                trained = fit_and_test(plan, events, boards=boards, keep=checkpoints.part)
        finish_boards(boards, plan, trained)
        worse = trained.judged.verdict.worse
        failed = worse and config.evaluation.fail_if_worse
        outcome.exit_code = Worse.code if failed else 0
        decision = champions.decide(run, plan, trained, events, failed=failed)
        elapsed_s = time.monotonic() - start
        files = recording.run_files(
            plan, trained, argv=argv, began=began, elapsed_s=elapsed_s, champion=decision.document
        )
        with signals.deferred():  # complete and current, or neither
            publish(run, files)
            if decision.why_not:
                otherwise = f"to make this run current all the same: {champions.promote_command(run)}"
                message = f"{run.name} means what it meant before: {decision.why_not}; {otherwise}"
                events.warn("run.not_promoted", message)
            else:
                make_current(run)
        recording.write_predictions(run, plan, trained, events)
        recording.write_rejects(run, plan)
        if config.run.plots:
            _draw(run, events)
        if not failed:
            recording.remove_older(run, config.run.keep, events)
    test = recording.test_document(plan.table, trained.judged.test)
    elapsed_s = time.monotonic() - start
    return TrainResult(
        run,
        run.current,
        trained.judged,
        test,
        trained.refitted,
        failed,
        elapsed_s,
        plan.start.run if plan.start else None,
        decision.contest,
    )


def _draw(run: Run, events: Events) -> None:
    from lstm_forecast.drawing import draw_all

    draw_all(opened(run), events)
