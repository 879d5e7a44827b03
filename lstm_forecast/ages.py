"""How old the newest row of an input, or a run, may be: what an unattended job refuses to forecast from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.errors import ArtifactRejected, DataInvalid, RunMissing

_CLOCKED = ("epoch_s", "epoch_ms")  # counted in UTC whatever the machine's zone


@dataclass(frozen=True)
class MostAge:
    """Limits in seconds; None has none.

    Attributes:
        input_s: of the newest row; None takes ``data.max_input_age`` of the run.
        model_s: of the run, counted from when its training began.
    """

    input_s: float | None = None
    model_s: float | None = None


ANY_AGE = MostAge()


def require_fresh_input(
    newest: int, form: TimeFormat, *, most_s: float | None, now: datetime, where: str, remedy: str
) -> None:
    """Refuses an input whose newest row is too old.

    A date counts from its midnight. Times without a zone are taken for the machine's local time.

    Args:
        newest: the newest time, microseconds since the epoch.
        form: the form of the input's times.
        most_s: the limit; None has none.
        now: the time with its zone.
        where: the input, for the message.
        remedy: what allows more.

    Raises:
        DataInvalid: ``data.too_old``, or ``data.no_clock`` where rows are numbered.
    """
    if most_s is None:
        return
    if form.kind == "row":
        raise DataInvalid(
            "data.no_clock",
            "the rows have numbers and no times, so their age is not known",
            where=where,
            hint="name the column of times (data.time), or leave the limit out",
        )
    absolute = form.kind in _CLOCKED or form.zone or form.timezone
    local = now if absolute else now.astimezone().replace(tzinfo=UTC)
    age_s = local.timestamp() - newest / 1e6
    if age_s > most_s:
        shown = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=newest)
        zone = "UTC" if local is now else "local time"
        raise DataInvalid(
            "data.too_old",
            f"the newest row is {span(age_s)} old, allowed are {span(most_s)}",
            where=where,
            details=[f"newest row: {_clock(shown)} {zone}", f"now: {_clock(local.astimezone(UTC))} {zone}"],
            hint=f"bring the file up to date, or allow more: {remedy}",
        )


def require_fresh_run(about: dict[str, Any], *, most_s: float | None, now: datetime, where: str) -> None:
    """Refuses a run that was trained too long ago.

    Args:
        about: its ``run.json``.
        most_s: the limit; None has none.
        now: the time with its zone.
        where: the run's folder, for the message.

    Raises:
        RunMissing: ``run.too_old``.
        ArtifactRejected: the run does not say when it was trained.
    """
    if most_s is None:
        return
    try:
        created = datetime.fromisoformat(about["created"])
        age_s = (now - created).total_seconds()
    except (KeyError, TypeError, ValueError) as error:
        message = "does not say when the run was trained"
        raise ArtifactRejected("artifact.json", message, where=where) from error
    if age_s > most_s:
        raise RunMissing(
            "run.too_old",
            f"the run was trained {span(age_s)} ago, allowed are {span(most_s)}",
            where=where,
            details=[
                f"trained: {_clock(created.astimezone(UTC))} UTC",
                f"now: {_clock(now.astimezone(UTC))} UTC",
            ],
            hint="train again: lstm-forecast train CONFIG; or allow more: --max-model-age 30d",
        )


def span(seconds: float) -> str:
    """A length of time in the largest unit that fits: ``3.5 days``."""
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= unit:
            return f"{seconds / unit:,.1f} {name}"
    return f"{seconds:.0f} seconds"


def _clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
