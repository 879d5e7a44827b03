"""From a trained network to numbers in original units, directly or block by block.

There is one way from rows to a forecast, and everybody takes it: the test, the calibration of intervals, the
backtest and ``predict``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.ahead import rows_ahead
from lstm_forecast.data.findings import plural
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import (
    Anchor,
    Scaling,
    ahead_inputs,
    network_inputs,
    outside_range,
    window_frame,
)
from lstm_forecast.data.transform import restored
from lstm_forecast.data.windows import season_rows
from lstm_forecast.errors import UsageError
from lstm_forecast.forecasting.answers import answers_of_arrays, answers_of_torch
from lstm_forecast.forecasting.engines import PART

if TYPE_CHECKING:
    from lstm_forecast.model.numpy_forward import ArrayNetwork
    from lstm_forecast.model.reglstm import RegLSTM

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
# Windows forecast at once. On the CPU small parts go to one thread per core; the parts do not depend on the
# number of cores, so neither do the bits. Many windows take larger parts, and so does another device.
SMALL, LARGE, MANY = 32, 1024, 16_384


@dataclass(frozen=True)
class Outlook:
    """Forecasts of W windows.

    Attributes:
        point: [W, H] in original units; the median where the head gives quantiles.
        quantiles: [W, H, Q], never crossing; None for a point head.
    """

    point: Floats
    quantiles: Floats | None


@dataclass(frozen=True)
class Forecaster:
    """Trained networks with their units: all that stands between rows and their forecast.

    Attributes:
        networks: in evaluation mode, on one device; the mean of their answers is the forecast. Empty where
            ``arrays`` are them.
        scaling: units of all series.
        lookback: L.
        anchor: what the answer is added to: nothing, the last value, or that of the season before.
        season: steps per season, m.
        minimum: lowest value a forecast may have, by series [S]; -inf for none.
        levels: quantile levels of the head, ascending, 0.5 among them; empty for a point head.
        arrays: the networks in NumPy, which then give the forecast, without torch; else empty.
    """

    networks: tuple[RegLSTM, ...]
    scaling: Scaling
    lookback: int
    anchor: Anchor
    season: int
    minimum: Floats
    levels: tuple[float, ...] = ()
    arrays: tuple[ArrayNetwork, ...] = ()

    @property
    def horizon(self) -> int:
        """H, the steps ahead that the networks were trained for."""
        return self.arrays[0].output_size if self.arrays else self.networks[0].output_size

    def members(self) -> list[Forecaster]:
        """One forecaster for each network alone."""
        return [replace(self, networks=(network,)) for network in self.networks]

    def furthest(self, columns: int) -> int | None:
        """Steps that can be forecast from ``columns`` value columns: H with past covariates, else any."""
        return self.horizon if columns - self.scaling.ahead > 1 else None

    def at(
        self, panel: Panel, rows: Rows, series: Rows, *, horizon: int, ahead: Floats | None = None
    ) -> Outlook:
        """Forecasts after the flat rows ``rows`` [W], each with the L - 1 rows before it: [W, horizon].

        Nothing after a row is looked at but the columns known ahead, where ``ahead`` [W, horizon, P] does not
        give them.
        """
        if ahead is None:
            ahead = rows_ahead(panel, rows, steps=horizon, count=self.scaling.ahead)
        on_cpu = not self.arrays and next(self.networks[0].parameters()).device.type == "cpu"
        size = PART if self.arrays else LARGE
        if on_cpu and len(rows) <= MANY:
            size = max(SMALL // 2, min(SMALL, -(-len(rows) // 2)))

        def forecast(first: int) -> Outlook:
            mine = slice(first, first + size)
            return self.after(
                self._windows(panel, rows[mine]), series[mine], horizon=horizon, ahead=ahead[mine]
            )

        firsts = range(0, len(rows), size)
        parts = list(map(forecast, firsts) if self.arrays else _on_threads(forecast, firsts, on_cpu=on_cpu))
        if not parts:
            quantiles = np.empty((0, horizon, len(self.levels))) if self.levels else None
            return Outlook(np.empty((0, horizon)), quantiles)
        spread = [part.quantiles for part in parts if part.quantiles is not None]
        return Outlook(
            np.concatenate([part.point for part in parts]), np.concatenate(spread) if spread else None
        )

    def after(self, values: Floats, series: Rows, *, horizon: int, ahead: Floats | None = None) -> Outlook:
        """The next ``horizon`` steps after the given rows, in original units: [B, horizon].

        Direct up to the trained horizon; beyond it each block of forecasts is read as if it had been
        observed.

        Args:
            values: the last L rows of each series, [B, L, C] in original units, the target first.
            series: which series of the run the B rows are.
            horizon: steps ahead.
            ahead: the columns known ahead at those steps, [B, horizon, P] in original units; None: there are
                none.

        Raises:
            UsageError: a horizon beyond the trained one with past covariates, whose future nobody knows.
        """
        furthest = self.furthest(values.shape[2])
        if furthest is not None and horizon > furthest:
            raise _no_future(horizon, furthest)
        window, points, spreads = values, [], []
        known = np.empty((len(values), horizon, 0)) if ahead is None else ahead
        # The last block is a whole one, too; what it gives beyond the horizon is cut off.
        known = np.pad(known, ((0, 0), (0, -horizon % self.horizon), (0, 0)), mode="edge")
        for first in range(0, horizon, self.horizon):
            mine = known[:, first : first + self.horizon]
            block = self._block(window, series, mine)
            points.append(block.point)
            if block.quantiles is not None:
                spreads.append(block.quantiles)
            if horizon > self.horizon:
                following = np.concatenate([block.point[:, :, None], mine], axis=2)
                longer = np.concatenate([window, following], axis=1)
                window = longer[:, -values.shape[1] :]
        quantiles = np.concatenate(spreads, axis=1)[:, :horizon] if spreads else None
        return Outlook(np.concatenate(points, axis=1)[:, :horizon], quantiles)

    def outside(
        self, panel: Panel, rows: Rows, series: Rows, *, ahead: Floats | None = None
    ) -> tuple[int, int]:
        """Of the numbers the network receives at ``rows`` [W]: (those outside its trained range, all).

        ``ahead`` [W, horizon, P] count where they are given.
        """
        found = 0
        for i in range(0, len(rows), LARGE):
            window, mine = self._windows(panel, rows[i : i + LARGE]), series[i : i + LARGE]
            found += int(outside_range(network_inputs(window, self.scaling, mine), self.scaling, mine).sum())
        whole = len(rows) * self.lookback * panel.values.shape[1]
        if ahead is not None and self.scaling.ahead:
            found += int(outside_range(ahead_inputs(ahead, self.scaling, series), self.scaling, series).sum())
            whole += ahead.size
        return found, whole

    def lowest(self, panel: Panel, rows: Rows, series: Rows) -> Floats:  # noqa: ARG002
        """The lowest value of a forecast made at each of these rows, [W]; -inf for none."""
        return self.minimum[series]

    def _windows(self, panel: Panel, rows: Rows) -> Floats:
        windows: Floats = panel.values[rows[:, None] + np.arange(1 - self.lookback, 1)]
        return windows

    def _block(self, window: Floats, series: Rows, ahead: Floats) -> Outlook:
        """The H steps after a window [B, L, C] with columns ahead [B, H, P]: one answer of the networks."""
        inputs = network_inputs(window, self.scaling, series)
        if self.arrays:
            answer = answers_of_arrays(self.arrays, inputs, self.scaling, series, ahead)
        else:
            answer = answers_of_torch(self.networks, inputs, self.scaling, series, ahead)
        if not self.levels:
            return Outlook(self._original(answer, window, series), None)
        each = [self._original(answer[:, :, q], window, series) for q in range(len(self.levels))]
        # Sorting quantiles that cross never makes them worse (Chernozhukov, Fernandez-Val & Galichon 2010).
        quantiles = np.sort(np.stack(each, axis=-1), axis=-1)
        return Outlook(quantiles[:, :, self.levels.index(0.5)], quantiles)

    def _original(self, answers: Floats, window: Floats, series: Rows) -> Floats:
        """The networks' answers [B, H] to a window [B, L, C], in original units.

        The anchor is added in float64 from the unscaled rows: an answer of zero is the value itself, bit for
        bit, which a way through the scaler and back would not give.
        """
        scaling, last = self.scaling, window[:, -1:, 0]
        zero, unit = window_frame(window, scaling, series)
        changed, base = answers * unit[:, None], last
        if self.anchor == "seasonal":
            base = window[:, season_rows(answers.shape[1], self.season) - 1, 0]
        anchored = self.anchor != "none" or scaling.normalize == "last"
        if not anchored:
            changed = changed + zero[:, None]
        values = restored(changed, base, scaling.transform, anchored=anchored)
        values = np.where(scaling.still[series, None], last, values)
        return np.asarray(np.maximum(values, self.minimum[series, None]), dtype=np.float64)


def _on_threads(
    forecast: Callable[[int], Outlook], firsts: Iterable[int], *, on_cpu: bool
) -> Iterator[Outlook]:
    """The parts that begin at these windows, by torch: one part per core at a time, each on one thread."""
    import torch

    workers = (os.cpu_count() or 1) if on_cpu else 1
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.map(forecast, firsts)


def lowest_values(minimum: float | str | None, scaling: Scaling) -> Floats:
    """The lowest value a forecast may have, by series [S].

    ``auto``: 0 where no training value is negative, else none; a number for all; None: none.
    """
    if minimum == "auto":
        return np.where(scaling.negative, -np.inf, 0.0)
    return np.full(len(scaling.negative), -np.inf if minimum is None else float(minimum))


def _no_future(horizon: int, trained: int) -> UsageError:
    return UsageError(
        "predict.horizon",
        f"{plural(horizon, 'step')} asked, {trained:,} trained, and the run uses past covariates",
        where="--horizon",
        details=["past covariates are not known beyond the last row, so a forecast cannot be fed back"],
        hint=f"train with --horizon {horizon}, or predict --horizon {trained}",
    )
