"""What a forecast needs, to and from the bytes of a run's files. No pickle: JSON and safetensors.

A run directory is untrusted: names, shapes, types and finiteness are checked before anything is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.calendars import DAY, EVERY_DAY, Frequency
from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.holidays import NO_DAYS, days_from_text, days_text
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import FLAGS, NUMBERS, Normalize, Scaling
from lstm_forecast.data.splits import Splits
from lstm_forecast.data.table import RowsAhead
from lstm_forecast.data.transform import Transform
from lstm_forecast.errors import ArtifactRejected
from lstm_forecast.forecasting.packed_ahead import packed_ahead
from lstm_forecast.model.architecture import Architecture, weight_shapes
from lstm_forecast.model.arguments import check_arguments
from lstm_forecast.runs.storage import json_bytes, parse_json

if TYPE_CHECKING:
    from lstm_forecast.model.reglstm import RegLSTM

Arrays = dict[str, NDArray[Any]]
Weights = dict[str, NDArray[np.float32]]  # of one network
NETWORK, HELD_OUT = "network", "held_out"  # prefixes of the weights
SCORES = "calibration."  # prefix of the calibration's arrays among the context's
MOST_SEASON = 100_000  # as the configuration has it
MOST_DAYS = 366 * 1900  # from 1970 back to the year 70 and on to 3870; the calendars end at 1 and 9999


@dataclass(frozen=True)
class Preprocess:
    """The names, rhythm and units that stand between a CSV and the network.

    Attributes:
        series_ids: S names, in the order of the scaling's rows.
        columns: the user's names of target, past and future covariates, then the calendar's columns.
        time_name: header of the time column.
        series_name: header of the id column.
        time_format: how times are written in the input.
        frequency: the rhythm of the rows.
        season: steps per season, 1 for none.
        scaling: units of the networks that forecast.
        held_out_scaling: units of the networks that were tested, where those that forecast were trained again
            on all rows; else None.
        holidays: the days that training knew as holidays and those soon after, for the calendar's columns.
    """

    series_ids: tuple[str, ...]
    columns: tuple[str, ...]
    time_name: str
    series_name: str
    time_format: TimeFormat
    frequency: Frequency
    season: int
    scaling: Scaling
    held_out_scaling: Scaling | None
    holidays: NDArray[np.int64] = field(default_factory=lambda: NO_DAYS)

    def to_bytes(self) -> bytes:
        """``preprocess.json``."""
        return json_bytes(
            {
                "series_ids": list(self.series_ids),
                "columns": list(self.columns),
                "time_name": self.time_name,
                "series_name": self.series_name,
                "time_format": self.time_format.to_json(),
                "frequency": self.frequency.to_json(),
                "season": self.season,
                "scaling": self.scaling.to_json(),
                "held_out_scaling": self.held_out_scaling.to_json() if self.held_out_scaling else None,
                **({"holidays": days_text(self.holidays)} if len(self.holidays) else {}),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str) -> Preprocess:
        """The inverse of :meth:`to_bytes`.

        Raises:
            ArtifactRejected: a part is missing, of another shape, or not finite.
        """
        fields = parse_json(data, where=where)
        try:
            read = cls(
                tuple(map(str, fields["series_ids"])),
                tuple(map(str, fields["columns"])),
                str(fields["time_name"]),
                str(fields["series_name"]),
                TimeFormat.from_json(fields["time_format"]),
                Frequency.from_json(fields["frequency"]),
                int(fields["season"]),
                Scaling.from_json(fields["scaling"]),
                Scaling.from_json(fields["held_out_scaling"]) if fields["held_out_scaling"] else None,
                days_from_text(fields.get("holidays", [])),
            )
            _check_pair(read.scaling, read.held_out_scaling)
            _check_frequency(read.frequency)
            _check_season(read.season)
            for scaling in filter(None, (read.scaling, read.held_out_scaling)):
                _check_scaling(scaling, (len(read.series_ids), len(read.columns)))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ArtifactRejected("artifact.preprocess", f"cannot be read: {error}", where=where) from error
        return read


def _check_frequency(frequency: Frequency) -> None:
    """A rhythm in which there is a next time."""
    longest = {"row": 1, "time": 366 * 100 * DAY, "month": 1200}[frequency.unit]
    fields = (frequency.step, frequency.day, *frequency.weekdays, *frequency.clock)
    if not (
        all(type(number) is int for number in fields)
        and 1 <= frequency.step <= longest
        and 0 <= frequency.day <= 31
        and set(frequency.weekdays) <= set(EVERY_DAY)
        and frequency.weekdays
        and all(0 <= time < DAY for time in frequency.clock)
    ):
        raise ValueError("frequency makes no sense")


def _check_season(season: int) -> None:
    if not 1 <= season <= MOST_SEASON:
        raise ValueError(f"season is {season}")


def _check_pair(scaling: Scaling, held_out: Scaling | None) -> None:
    """The networks that forecast and those that were tested have inputs of one kind."""
    if held_out is None:
        return
    kinds = [(s.ahead, s.statics.columns if s.statics else ()) for s in (scaling, held_out)]
    if kinds[0] != kinds[1]:
        raise ValueError("held_out_scaling has other covariates than scaling")


def _check_scaling(scaling: Scaling, shape: tuple[int, int]) -> None:
    for name in (*NUMBERS, *FLAGS):
        array = getattr(scaling, name)
        by_series = name in ("mase_scale", "rmsse_scale", *FLAGS)
        expected = shape[:1] if by_series else shape
        if array.shape != expected or not np.isfinite(array).all():
            raise ValueError(f"scaling.{name} is not {' x '.join(map(str, expected))} finite numbers")
    if not all((getattr(scaling, name) >= 0).all() for name in ("mase_scale", "rmsse_scale")):
        raise ValueError("scaling.mase_scale or rmsse_scale is below 0")
    if not 0 <= scaling.ahead < shape[1]:
        raise ValueError(f"scaling.ahead is {scaling.ahead} of {shape[1]} columns")
    if scaling.normalize not in get_args(Normalize) or scaling.transform not in get_args(Transform):
        raise ValueError(f"scaling is {scaling.normalize!r} of {scaling.transform!r}")


def pack_context(
    panel: Panel,
    splits: Splits,
    scores: Mapping[str, NDArray[Any]],
    *,
    at_least: int,
    ahead: RowsAhead | None = None,
) -> bytes:
    """``context.safetensors``: the rows a forecast and the pictures need, in original units.

    Args:
        panel: all rows.
        splits: where training and validation end.
        scores: arrays of the intervals' calibration, kept beside the rows under ``calibration.``.
        at_least: rows kept of each series at its end, and before its first test row, where it has them.
        ahead: future covariates of rows after the last targets, kept under ``ahead.``; None: there are none.
    """
    from safetensors.numpy import save

    lengths = panel.offsets[1:]
    first = np.minimum(splits.train_end, np.minimum(lengths, splits.validation_end) - at_least)
    first = np.maximum(first, panel.offsets[:-1])
    keep = np.zeros(len(panel.times), dtype=bool)
    for start, stop in zip(first, lengths, strict=True):
        keep[start:stop] = True
    context = panel.take(keep)
    shift = context.offsets[:-1] - first
    arrays: Arrays = {
        "values": context.values,
        "observed": context.observed.astype(np.uint8),
        "times": context.times,
        "offsets": context.offsets,
        "train_end": splits.train_end + shift,
        "validation_end": splits.validation_end + shift,
    }
    arrays |= {SCORES + name: array for name, array in scores.items()}
    if ahead is not None:
        arrays |= packed_ahead(ahead)
    return bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def unpack_context(data: bytes, preprocess: Preprocess, *, where: str) -> tuple[Panel, Splits, Arrays]:
    """The inverse of :func:`pack_context`; the arrays of the calibration are as they were found.

    Raises:
        ArtifactRejected: a tensor is missing, of another shape or type, or not finite.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ArtifactRejected("artifact.safetensors", f"cannot be read: {error}", where=where) from error
    count, columns = len(preprocess.series_ids), len(preprocess.columns)
    rows = arrays["times"].shape[0] if "times" in arrays and arrays["times"].ndim == 1 else -1
    expected = {
        "values": ((rows, columns), np.float64),
        "observed": ((rows, columns), np.uint8),
        "times": ((rows,), np.int64),
        "offsets": ((count + 1,), np.int64),
        "train_end": ((count,), np.int64),
        "validation_end": ((count,), np.int64),
    }
    for name, (shape, kind) in expected.items():
        array = arrays.get(name)
        if array is None or array.shape != shape or array.dtype != kind or rows < 0:
            found = "nothing" if array is None else f"{array.dtype} {list(array.shape)}"
            message = f"tensor {name!r}: expected {np.dtype(kind)} {list(shape)}, got {found}"
            raise ArtifactRejected("artifact.tensor", message, where=where)
    _check_borders(arrays, rows, furthest_time(preprocess.frequency), where)
    panel = Panel(
        arrays["values"],
        arrays["observed"].astype(bool),
        arrays["times"],
        arrays["offsets"],
        preprocess.series_ids,
        preprocess.columns,
    )
    scores = {name.removeprefix(SCORES): array for name, array in arrays.items() if name.startswith(SCORES)}
    return panel, Splits(arrays["train_end"], arrays["validation_end"]), scores


def furthest_time(frequency: Frequency) -> int:
    """Every time of a run is nearer to 0 than this."""
    return 2**53 if frequency.unit == "row" else MOST_DAYS * DAY


def _check_borders(arrays: Arrays, rows: int, furthest: int, where: str) -> None:
    offsets, ends = arrays["offsets"], (arrays["train_end"], arrays["validation_end"])
    ordered = offsets[0] == 0 and offsets[-1] == rows and bool(np.all(np.diff(offsets) >= 0))
    inside = all(np.all((end >= offsets[:-1]) & (end <= offsets[1:])) for end in ends)
    times = arrays["times"]
    dated = bool(np.all((times > -furthest) & (times < furthest)))
    if not (ordered and inside and dated and np.isfinite(arrays["values"]).all()):
        raise ArtifactRejected(
            "artifact.tensor", "borders, times or values of the rows make no sense", where=where
        )


def pack_weights(networks: Sequence[RegLSTM], held_out: Sequence[RegLSTM]) -> bytes:
    """``model.safetensors``: the weights of the networks that forecast and of those tested, on the CPU."""
    from safetensors.torch import save

    weights = {}
    for kind, group in ((NETWORK, networks), (HELD_OUT, held_out)):
        for number, network in enumerate(group):
            for name, value in network.state_dict().items():
                weights[f"{kind}.{number}.{name}"] = value.detach().to("cpu").contiguous()
    return bytes(save(weights))


def unpack_weights(
    data: bytes, made: Architecture, *, count: int, held_out: int, where: str
) -> tuple[tuple[Weights, ...], tuple[Weights, ...]]:
    """The weights of the networks that forecast and of those tested, by their names in a network.

    The names and shapes that the architecture has are compared with the file, so a hostile description
    allocates nothing.

    Args:
        data: the file.
        made: what each network is made of.
        count: number of networks that forecast.
        held_out: number of networks that were tested, beside them.
        where: name of the file, for messages.

    Raises:
        ArtifactRejected: naming the first tensor that is missing, extra, of another shape or not finite.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        found = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ArtifactRejected("artifact.safetensors", f"cannot be read: {error}", where=where) from error
    try:
        check_arguments(made, made.head_layers)
    except ValueError as error:
        raise ArtifactRejected("artifact.config", str(error), where=where) from error
    shapes = weight_shapes(made)
    names = [f"{NETWORK}.{n}" for n in range(count)] + [f"{HELD_OUT}.{n}" for n in range(held_out)]
    expected = {f"{name}.{key}": f"float32 {list(shape)}" for name in names for key, shape in shapes.items()}
    for name in sorted(expected.keys() | found.keys()):
        array = found.get(name)
        want = expected.get(name, "nothing")
        got = "nothing" if array is None else f"{array.dtype} {list(array.shape)}"
        if want != got:
            message = f"tensor {name!r}: expected {want}, got {got}"
            raise ArtifactRejected("artifact.tensor", message, where=where)
        if not np.isfinite(found[name]).all():
            raise ArtifactRejected("artifact.tensor", f"tensor {name!r} is not finite", where=where)
    together = tuple({key: found[f"{name}.{key}"] for key in shapes} for name in names)
    return together[:count], together[count:]
