"""Future covariates of rows without a target, beside the rows of a run; a run directory is untrusted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.table import RowsAhead
from lstm_forecast.errors import ArtifactRejected

AHEAD = "ahead."  # prefix of their names among the context's tensors


def packed_ahead(ahead: RowsAhead) -> dict[str, NDArray[Any]]:
    """The arrays as ``context.safetensors`` has them."""
    return {AHEAD + name: array for name, array in vars(ahead).items()}


def unpack_ahead(
    data: bytes, *, series_count: int, columns: int, furthest: int, where: str
) -> RowsAhead | None:
    """The future covariates that :func:`packed_ahead` kept; None where it kept none.

    Args:
        data: a file that :func:`trained.unpack_context` has read.
        series_count: of the run.
        columns: number of future covariates.
        furthest: every time is nearer to 0.
        where: name of the file, for messages.

    Raises:
        ArtifactRejected: a tensor is missing, of another shape or type, or makes no sense.
    """
    from safetensors.numpy import load

    found = {name.removeprefix(AHEAD): a for name, a in load(data).items() if name.startswith(AHEAD)}
    if not found:
        return None
    rows = len(found["times"]) if "times" in found and found["times"].ndim == 1 else -1
    kinds = {
        "series": ((rows,), np.int64),
        "times": ((rows,), np.int64),
        "values": ((rows, columns), np.float64),
    }
    got = {name: (array.shape, array.dtype) for name, array in found.items()}
    if got != {name: (shape, np.dtype(kind)) for name, (shape, kind) in kinds.items()}:
        raise ArtifactRejected("artifact.tensor", f"tensors of {AHEAD}: got {got}", where=where)
    series, times = found["series"], found["times"]
    known = bool(np.all((series >= 0) & (series < series_count)))
    if not known or np.any(np.abs(times) >= furthest) or np.isinf(found["values"]).any():
        raise ArtifactRejected("artifact.tensor", f"tensors of {AHEAD} make no sense", where=where)
    return RowsAhead(series, times, found["values"])
