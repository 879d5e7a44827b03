"""How a training went: a line for people, an epoch as the fields of an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lstm_forecast.config import Config
from lstm_forecast.data.findings import plural
from lstm_forecast.fitting import Learned
from lstm_forecast.networks import Start

if TYPE_CHECKING:
    from lstm_forecast.training.course import Epoch


def course_line(learned: Learned, start: Start | None = None) -> str:
    """How the training went, in one line."""
    if len(learned.courses) > 1:
        kept = ", ".join(str(course.best_epoch) for course in learned.courses)
        elapsed_s = max(course.history[-1].elapsed_s for course in learned.courses)
        count = len(learned.courses)
        return f"trained {count} networks, the longest in {elapsed_s:.1f} s; kept epochs {kept}"
    course = learned.courses[0]
    last = course.history[-1]
    reasons = {
        "epochs": "all of them",
        "patience": "no further gain on validation",
        "max_time": "training.max_time reached",
    }
    untouched = (
        "the untrained model, which is the naive forecast"
        if start is None
        else f"the weights of {start.run} as they were"
    )
    chosen = untouched if course.best_epoch == 0 else f"epoch {course.best_epoch}"
    took = f"{plural(last.epoch, 'epoch')} in {last.elapsed_s:.1f} s"
    return f"trained {took} ({reasons[course.stopped]}); kept: {chosen}"


def epoch_fields(number: int, epoch: Epoch, best: int, config: Config) -> Mapping[str, object]:
    """An epoch of one network as event fields."""
    network = {"network": number + 1} if config.training.ensemble > 1 else {}
    return {
        **network,
        "epoch": epoch.epoch,
        "epochs": config.training.epochs,
        "train_loss": epoch.train_loss,
        "val_loss": epoch.val_loss,
        "val_score": epoch.val_score,
        "grad_norm": epoch.grad_norm,
        "best_epoch": best,
        "elapsed_s": round(epoch.elapsed_s, 3),
    }
