"""Windows are indices, never copies: a window is the flat row it starts at.

A window of lookback L and horizon H that starts at row r has inputs ``r … r + L - 1`` and targets
``r + L … r + L + H - 1``, all of one series. It belongs to a split by its targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """W windows: ``start`` int64 [W], the first flat row of each, and ``series`` int64 [W]."""

    start: Rows
    series: Rows

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.start)

    def of(self, series: int) -> Windows:
        """The windows of one series."""
        mine = self.series == series
        return Windows(self.start[mine], self.series[mine])


def windows_in(first: Rows, end: Rows, *, offsets: Rows, lookback: int, horizon: int) -> Windows:
    """Every window whose targets all lie in rows ``first[s] … end[s] - 1``; its inputs may reach back.

    Args:
        first: first flat row a target may have, int64 [S].
        end: flat row after the last target, int64 [S].
        offsets: series borders, int64 [S + 1].
        lookback: L.
        horizon: H.
    """
    lowest = np.maximum(first - lookback, offsets[:-1])
    counts = np.maximum(end - horizon - lookback - lowest + 1, 0)
    series = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return Windows(lowest[series] + within, series)


def thin(windows: Windows, *, stride: int, phase: int) -> Windows:
    """Every ``stride``-th window of each series, beginning with the ``phase``-th (0 … stride - 1).

    A series with fewer windows than the phase gives its last one: no series is left out of an epoch.
    """
    if stride == 1 or len(windows) == 0:
        return windows
    counts = np.bincount(windows.series)
    begins = np.cumsum(counts) - counts
    within = np.arange(len(windows)) - begins[windows.series]
    shift = np.minimum(phase, counts - 1)[windows.series]
    keep = (within >= shift) & ((within - shift) % stride == 0)
    return Windows(windows.start[keep], windows.series[keep])


def season_rows(horizon: int, season: int) -> NDArray[np.int64]:
    """Rows from the last known one to that of the same season as each step ahead: [H], 0 or less."""
    steps = np.arange(1, horizon + 1)
    return steps - season * -(-steps // season)
