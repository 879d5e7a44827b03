"""What `auto` becomes where the data decide: from the training rows alone, cheaply, and with the reason.

There are two recipes. Where the training rows have a strong season, the network reads the window a season at
a time, beside a linear map; a linear forecast of the training rows says how many seasons it sees, from what
it counts, and whether it sees logarithms. Else it reads the changes step by step, as the recipe for prices
does. What the numbers here rest on stands in the lab log.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstm_forecast.choices import BARE
from lstm_forecast.config import Config, Loaded, config_values, with_values, yaml_text
from lstm_forecast.config.left_open import CHOSEN
from lstm_forecast.data.calendars import Frequency
from lstm_forecast.data.flat import blocks
from lstm_forecast.data.panel import Panel, fill_missing
from lstm_forecast.data.season import find_season, season_strength
from lstm_forecast.data.table import Table
from lstm_forecast.data.transform import Transform
from lstm_forecast.errors import DataInvalid
from lstm_forecast.forecasting.linear import Base, Trial, linear_trials
from lstm_forecast.stages import splits_of

STRONG = 0.3  # of what moves around the trend repeats: above it the seasonal recipe did better throughout
SEASONS = (2, 3, 4, 5, 7, 10, 14, 20, 30)  # that a lookback may have
LONGEST = 1_000  # rows of a lookback that are tried
ROOM = 0.6  # of a series' training rows at most go into one window, so that there are windows to learn from
AS_GOOD = 1.01  # of the lowest error: one of the lookbacks within it is taken
GAIN = 0.99  # of the error without logarithms: less is no reason to take them
NEAR_ZERO = 0.01  # of the median: rows below it are too near to 0 for a logarithm
LEAST_ROWS, SHORTEST, USUAL = 64, 8, 60  # training rows of a chosen lookback; where nothing repeats
LONGEST_SEGMENT = 24
EPOCHS, DRAWS, DRAWS_PER_ROW = 20, 16_000, 3.5  # of the seasonal recipe; windows drawn in the whole training
MOST_STEP_ROWS = 2_000_000  # training rows times epochs, of a network that reads step by step
SMALL, LARGE = (
    2_000,
    100_000,
)  # training rows: up to the first a narrower network, and lower rates, did better
BATCHES = ((1_000, 16), (5_000, 32), (20_000, 64))  # windows up to so many: batch size; else LARGE_BATCH
LARGE_BATCH = 256

# Where the file is all that was given, these are chosen too.
SEASONAL_RECIPE: Mapping[str, object] = {
    "scaling.method": "standard",
    "model.num_layers": 1,
    "training.optimizer": "adamw",
    "training.schedule": "cosine",
    "training.warmup_steps": 50,
    "training.patience": EPOCHS,
}


@dataclass(frozen=True)
class _Facts:
    """What the choice rests on.

    Attributes:
        training: the training rows, filled as training fills them.
        season: m.
        strength: how much of it repeats.
        rows: of training, in all series.
        shortest: rows that nine of ten series have.
    """

    training: Panel
    season: int
    strength: float
    rows: int
    shortest: int


@dataclass(frozen=True)
class _Choice:
    value: object
    why: str


def with_choices(
    loaded: Loaded, panel: Panel, table: Table, frequency: Frequency
) -> tuple[Loaded, tuple[str, ...], list[str]]:
    """The configuration with what the data decide; its keys that take `auto`; and why, a line each.

    Decided is what says ``auto`` and, where a file is all that was given, what nobody has set. A value that
    was set stays, and the others are chosen to go with it.

    Args:
        loaded: not settled.
        panel: all rows, not filled. Only those of training are looked at, but for whether each has a
            logarithm.
        table: where they come from.
        frequency: their rhythm.
    """
    values = config_values(loaded.config)
    bare = loaded.origins["data.path"] == BARE
    free = {key for key in values if values[key] == "auto" or (bare and not loaded.was_set(key))}
    by_rule = {
        "model.normalize",
        "model.supervision",
    }  # auto there needs no data beside a segment that was set
    if not {key for key in free & set(CHOSEN) if values[key] == "auto" or bare} - by_rule:
        return loaded, (), []
    facts = _facts(loaded.config, panel, table, frequency)
    chosen = dict(_choices(loaded.config, facts, free, panel, bare=bare))
    lines = [f"{key}: {yaml_text(one.value)}, because {one.why}" for key, one in chosen.items() if one.why]
    config = with_values(loaded.config, {key: one.value for key, one in chosen.items()})
    origins = {**loaded.origins, **dict.fromkeys(chosen, "default")}  # so it gives way to what was set
    keys = tuple(key for key in CHOSEN if key in chosen)
    return replace(loaded, config=config, origins=origins), keys, lines


def _facts(config: Config, panel: Panel, table: Table, frequency: Frequency) -> _Facts:
    """Of the training rows; of no rows where they cannot be cut or filled, which training will say."""
    try:
        end = splits_of(config, panel, table).train_end
        training = panel.until(end)
        filled, _ = fill_missing(training, config.data.missing, train_end=training.offsets[1:])
    except DataInvalid:
        filled = panel.until(panel.offsets[:-1])
    season = find_season(filled, frequency, given=config.data.season).steps if len(filled.times) else 1
    lengths = filled.lengths[filled.lengths > 0]
    shortest = int(np.quantile(lengths, 0.1, method="lower")) if len(lengths) else 0
    return _Facts(filled, season, season_strength(filled, season), len(filled.times), shortest)


def _choices(
    config: Config, facts: _Facts, free: set[str], panel: Panel, *, bare: bool
) -> Iterator[tuple[str, _Choice]]:
    """A value for every free key of ``CHOSEN``, and for a bare file those of its recipe."""
    trials = list(_trials(config, facts, free, panel)) if facts.strength >= STRONG else []
    wanted = {"model.linear_skip": _Choice(False, ""), "model.segment": _Choice(1, "")}
    wanted |= _by_steps(config, facts, free)
    if trials:
        best = _one_of_the_best(trials, longest=facts.rows > SMALL)
        wanted |= _by_trial(best, trials)
    # Of a file alone, a segment that was set says no more than how much of a season is read at a time.
    by_segments = "model.segment" in free or (bare and config.model.segment > 1)
    if trials and by_segments and not _reads_steps(config, free):
        wanted |= _by_seasons(config, facts, best.lookback)
        wanted |= _seasonal_training(config, facts, best, free) if bare else {}
    elif bare:
        wanted["training.batch_size"] = _Choice(16, "smaller batches learned more of prices and rates")
    if config.data.transform == "diff":
        wanted["model.anchor"] = _Choice("none", "data.transform: diff already forecasts changes")
    for key, choice in wanted.items():
        if key in free:
            yield key, choice


def _trials(config: Config, facts: _Facts, free: set[str], panel: Panel) -> Iterator[Trial]:
    """Linear forecasts with every lookback, anchor and transform that may be chosen."""
    transforms = _transforms(config, facts, free, panel)
    for lookback in _lookbacks(config, facts, free):
        for transform in transforms:
            yield from linear_trials(
                facts.training,
                lookback=lookback,
                horizon=config.window.horizon,
                season=facts.season,
                anchors=_anchors(config, free) if facts.season <= lookback else ["last"],
                transform=transform,
            )


def _lookbacks(config: Config, facts: _Facts, free: set[str]) -> list[int]:
    """The lookback that was set, or whole seasons and segments that leave windows to learn from."""
    if "window.lookback" not in free:
        return [config.window.lookback]
    longest = min(LONGEST, int(ROOM * facts.shortest) - config.window.horizon)
    segment = 1 if "model.segment" in free else config.model.segment
    tried = [count * facts.season for count in (1, *SEASONS)]
    fitting = [steps for steps in tried if steps <= longest and steps % segment == 0]
    several = [steps for steps in fitting if steps > facts.season]
    return several or fitting  # one season, such as the week of hourly rows, is better than none


def _anchors(config: Config, free: set[str]) -> list[Base]:
    if "model.anchor" in free:
        return ["last", "seasonal"]
    return ["seasonal"] if config.model.anchor == "seasonal" else ["last"]


def _transforms(config: Config, facts: _Facts, free: set[str], panel: Panel) -> list[Transform]:
    """The transform that was set, or those that every row has; near 0 a logarithm says too much."""
    if "data.transform" not in free:
        return ["none" if config.data.transform == "diff" else config.data.transform]
    training = facts.training
    for block in blocks(training.offsets[:-1], training.lengths):
        values = block.of(training.values[:, 0])
        nearest = NEAR_ZERO * np.median(values, axis=1)
        if not ((values.min(axis=1) > nearest) & (nearest > 0)).all():
            return ["none"]
    return ["none", "log"] if np.nanmin(panel.values[:, 0]) > 0 else ["none"]


def _one_of_the_best(trials: list[Trial], *, longest: bool) -> Trial:
    """Of the lookbacks as good as the best the longest or shortest; no logarithms where they gain too little.

    Of many rows the linear maps are fitted to a part, which makes long lookbacks look worse than a network of
    all rows finds them. Of few, a longer lookback leaves fewer windows to learn from.
    """
    lowest = min(trial.error for trial in trials)
    plain = min((trial.error for trial in trials if trial.transform == "none"), default=math.inf)
    if lowest > GAIN * plain:
        trials, lowest = [trial for trial in trials if trial.transform == "none"], plain
    good = [trial for trial in trials if trial.error <= AS_GOOD * lowest]
    sign = -1 if longest else 1
    return min(good, key=lambda trial: (sign * trial.lookback, trial.error))


def _reads_steps(config: Config, free: set[str]) -> bool:
    """Whether keys that were set ask for a network that reads step by step."""
    fixed = "model.supervision" not in free and config.model.supervision == "every_step"
    return fixed or "diff" in (config.model.normalize, config.data.transform)


def _by_trial(best: Trial, trials: list[Trial]) -> dict[str, _Choice]:
    """What is seen and counted from, as the best linear forecast of the training rows has it."""
    alike = [trial for trial in trials if trial.lookback == best.lookback]
    same = [trial for trial in alike if trial.transform == best.transform]
    transforms = {trial.transform: trial.error for trial in alike if trial.anchor == best.anchor}
    anchors = {trial.anchor: trial.error for trial in same}
    lookbacks, lowest = {trial.lookback for trial in trials}, min(trial.error for trial in trials)
    found = f"linear forecasts of training rows err by {best.error:.3g} times the MASE scale with it"
    best_of = f"{lowest:.3g} is the least with {min(lookbacks)} to {max(lookbacks)} steps"
    return {
        "data.transform": _Choice(best.transform, _compared(transforms)),
        "window.lookback": _Choice(best.lookback, f"{found}; {best_of}"),
        "model.anchor": _Choice(best.anchor, _compared(anchors)),
    }


def _compared(errors: Mapping[Any, float]) -> str:
    """``linear forecasts of training rows err by 0.41 (seasonal), 0.47 (last)``; empty for one alone."""
    told = ", ".join(f"{error:.3g} ({name})" for name, error in sorted(errors.items(), key=lambda e: e[1]))
    return f"linear forecasts of training rows err by {told}" if len(errors) > 1 else ""


def _by_steps(config: Config, facts: _Facts, free: set[str]) -> dict[str, _Choice]:
    """What is seen where nothing repeats: a part of the training rows, and no more than a trading quarter."""
    steps, least = USUAL, 1
    if facts.shortest >= LEAST_ROWS:
        steps = min(USUAL, max(SHORTEST, facts.shortest // 8))
    if "model.anchor" not in free and config.model.anchor == "seasonal":
        fits = facts.season <= facts.shortest - config.window.horizon
        least = facts.season if fits else 1  # a season to count from lies within the lookback
    segment = 1 if "model.segment" in free else config.model.segment
    steps = max(steps // segment, -(-least // segment)) * segment
    strong = f"no strong season ({facts.strength:.2f} of 1)" if facts.season > 1 else "no season"
    why = f"there is {strong} and {facts.shortest:,} training rows"
    return {
        "data.transform": _Choice("none", ""),
        "window.lookback": _Choice(steps, why if steps != USUAL else ""),
        "model.anchor": _Choice("last", ""),
        "model.hidden_size": _Choice(50, ""),
        "training.epochs": _Choice(max(10, min(100, MOST_STEP_ROWS // max(facts.rows, 1))), ""),
    }


def _by_seasons(config: Config, facts: _Facts, lookback: int) -> dict[str, _Choice]:
    """The network that reads a season, or a whole part of one, at a time."""
    fitting = [n for n in range(1, LONGEST_SEGMENT + 1) if facts.season % n == 0 and lookback % n == 0]
    segment = max(fitting, default=1)
    narrow = facts.rows <= SMALL
    return {
        "model.segment": _Choice(
            segment, f"the season of {facts.season} steps is strong: {facts.strength:.2f} of 1"
        ),
        "model.linear_skip": _Choice(True, "much of a strong season is linear"),
        "model.normalize": _Choice("last", "a window is seen beside its last value"),
        "model.supervision": _Choice("last", "normalize: last looks at the end of the window"),
        "model.hidden_size": _Choice(64 if narrow else 128, _there_are(facts)),
        "training.epochs": _Choice(_epochs(config, facts, lookback), _there_are(facts)),
    }


def _there_are(facts: _Facts) -> str:
    return f"there are {facts.rows:,} training rows"


def _rate(facts: _Facts) -> float:
    """Learning rate of the seasonal recipe."""
    if facts.rows <= SMALL:
        return 0.001
    return 0.002 if facts.rows <= LARGE else 0.004


def _windows(config: Config, facts: _Facts, lookback: int) -> int:
    """Training windows of all series, by the stride that was set."""
    stride = 1 if config.window.stride == "auto" else config.window.stride
    counts = np.maximum(facts.training.lengths - lookback - config.window.horizon + 1, 0)
    return int(np.ceil(counts / stride).sum())


def _draws(facts: _Facts) -> float:
    """Windows that a whole training draws: more of many rows, each of few rows oftener."""
    return DRAWS + DRAWS_PER_ROW * facts.rows


def _epochs(config: Config, facts: _Facts, lookback: int) -> int:
    """Passes that draw as many windows, where the batches of a pass are given."""
    how = config.training
    each = how.steps_per_epoch * how.batch_size if how.steps_per_epoch else _windows(config, facts, lookback)
    return max(5, min(400, math.ceil(_draws(facts) / max(each, 1))))


def _loss(facts: _Facts, best: Trial) -> object:
    """Series of a panel differ in level and noise: each error is taken by the scale of its own series."""
    if np.count_nonzero(facts.training.lengths) == 1:
        return "mae"
    return ("smape", "mase") if best.transform == "log" else "mase"


def _seasonal_training(config: Config, facts: _Facts, best: Trial, free: set[str]) -> dict[str, _Choice]:
    """How the network that reads seasons is trained where nobody says otherwise."""
    windows = _windows(config, facts, best.lookback)
    usual = next((size for most, size in BATCHES if windows <= most), LARGE_BATCH)
    batch = usual if "training.batch_size" in free else config.training.batch_size
    epochs = EPOCHS if "training.epochs" in free else config.training.epochs
    steps = math.ceil(_draws(facts) / batch / EPOCHS)
    whole = {**SEASONAL_RECIPE, "training.loss": _loss(facts, best)}
    recipe = {key: value for key, value in whole.items() if key in free}
    if "quantile" in (config.model.head, config.forecast.intervals.method):
        recipe.pop("training.loss", None)  # that head has its own
    told = ", ".join(f"{key.partition('.')[2]} {yaml_text(value)}" for key, value in recipe.items())
    found = {key: _Choice(value, "") for key, value in recipe.items()}
    for key, value in list(recipe.items())[:1]:
        found[key] = _Choice(value, f"of the recipe for a strong season: {told}")
    found["training.lr"] = _Choice(_rate(facts), _there_are(facts))
    found["training.batch_size"] = _Choice(batch, f"there are {windows:,} training windows")
    if "window.stride" in free:  # a stride that was set takes every so many windows, not as many as wanted
        found["training.steps_per_epoch"] = _Choice(steps, f"that is {epochs * steps:,} steps in all")
        found["training.epochs"] = _Choice(EPOCHS, "the learning rate falls along a cosine to the last one")
    return found
