"""A simple baseline in the place of networks: it is asked for a forecast in the same way, and answers so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Scaling
from lstm_forecast.forecasting.baselines import baseline_forecasts
from lstm_forecast.forecasting.forecast import Forecaster, Outlook, lowest_values

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SimpleForecaster:
    """One of the simple baselines: what :class:`Forecaster` is, without a network.

    Attributes:
        name: one of ``SIMPLE``.
        scaling: units of all series, in which errors are measured; the forecast has none.
        lookback: rows before a held-out forecast: those of the networks it stands for, so that both are
            measured from the same cutoffs. The forecast itself can be made after a single row.
        season: steps per season, m.
        minimum: lowest value of a forecast; ``auto``: 0 where no value of the series was negative so far.
    """

    name: str
    scaling: Scaling
    lookback: int
    season: int
    minimum: float | str | None

    @property
    def networks(self) -> tuple[()]:
        """None."""
        return ()

    @property
    def levels(self) -> tuple[float, ...]:
        """No quantiles."""
        return ()

    def members(self) -> Sequence[SimpleForecaster]:
        """Nothing it is the mean of."""
        return ()

    def furthest(self, columns: int) -> int | None:  # noqa: ARG002
        """Any number of steps: covariates are not looked at."""
        return None

    def at(
        self,
        panel: Panel,
        rows: Rows,
        series: Rows,
        *,
        horizon: int,
        ahead: Floats | None = None,  # noqa: ARG002
    ) -> Outlook:
        """Forecasts after the flat rows ``rows`` [W]: [W, horizon]; nothing after a row is looked at.

        Args:
            panel: the rows; its series may be numbered otherwise than the run's.
            rows: the cutoffs.
            series: which series of the run they are.
            horizon: steps ahead.
            ahead: not looked at.
        """
        found = baseline_forecasts(
            [self.name], panel, rows, _place(panel, rows), horizon=horizon, season=self.season
        )
        lowest = self.lowest(panel, rows, series)
        return Outlook(np.maximum(found[self.name], lowest[:, None]), None)

    def outside(
        self,
        panel: Panel,  # noqa: ARG002
        rows: Rows,  # noqa: ARG002
        series: Rows,  # noqa: ARG002
        *,
        ahead: Floats | None = None,  # noqa: ARG002
    ) -> tuple[int, int]:
        """Nothing is outside of what it was trained on, because it was not trained: (0, 0)."""
        return 0, 0

    def lowest(self, panel: Panel, rows: Rows, series: Rows) -> Floats:
        """The lowest value of a forecast made at each of these rows, [W]; -inf for none.

        A rule looks at all rows up to the cutoff, so with ``auto`` these count and not the training rows
        alone: the naive forecast of the first negative value is that value.
        """
        lowest = lowest_values(self.minimum, self.scaling)[series]
        if self.minimum != "auto":
            return lowest
        negative = np.concatenate([[0], np.cumsum(panel.values[:, 0] < 0)])
        so_far = negative[rows + 1] - negative[panel.offsets[_place(panel, rows)]]
        return np.where(so_far > 0, -np.inf, lowest)


Issuer = Forecaster | SimpleForecaster  # what the forecasts of a run come from


def _place(panel: Panel, rows: Rows) -> Rows:
    """The number of each row's series in this panel, [W]."""
    return np.asarray(np.searchsorted(panel.offsets, rows, side="right") - 1, dtype=np.int64)
