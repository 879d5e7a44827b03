"""What a forecast needs, to and from the bytes of a run's files. No pickle: JSON and safetensors.

A run directory is untrusted: names, shapes, types and finiteness are checked before anything is built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.data.calendars import DAY, EVERY_DAY, Frequency
from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Scaling
from lstm_forecast.data.splits import Splits
from lstm_forecast.errors import ArtifactRejected
from lstm_forecast.runs.storage import json_bytes, parse_json

if TYPE_CHECKING:
    import torch

    from lstm_forecast.model.reglstm import RegLSTM

Arrays = dict[str, NDArray[Any]]
MOST_DAYS = 366 * 1900  # from 1970 back to the year 70 and on to 3870; the calendars end at 1 and 9999


@dataclass(frozen=True)
class Preprocess:
    """The names, rhythm and units that stand between a CSV and the network.

    Attributes:
        series_ids: S names, in the order of the scaling's rows.
        columns: the user's names of target and past covariates.
        time_name: header of the time column.
        series_name: header of the id column.
        time_format: how times are written in the input.
        frequency: the rhythm of the rows.
        scaling: units, fitted on the training rows.
    """

    series_ids: tuple[str, ...]
    columns: tuple[str, ...]
    time_name: str
    series_name: str
    time_format: TimeFormat
    frequency: Frequency
    scaling: Scaling

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
                "scaling": self.scaling.to_json(),
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
                Scaling.from_json(fields["scaling"]),
            )
            _check_frequency(read.frequency)
            _check_scaling(read)
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


def _check_scaling(read: Preprocess) -> None:
    scaling, shape = read.scaling, (len(read.series_ids), len(read.columns))
    for name in ("offset", "unit", "step_unit"):
        array = getattr(scaling, name)
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"scaling.{name} is not {shape[0]} x {shape[1]} finite numbers")
    for name in ("mase_scale", "trained", "negative", "still"):
        if getattr(scaling, name).shape != shape[:1]:
            raise ValueError(f"scaling.{name} is not {shape[0]} numbers")
    if scaling.normalize not in ("none", "diff"):
        raise ValueError(f"scaling.normalize is {scaling.normalize!r}")


def pack_context(panel: Panel, splits: Splits, *, at_least: int) -> bytes:
    """``context.safetensors``: the rows a forecast and the pictures need, in original units.

    Args:
        panel: all rows.
        splits: where training and validation end.
        at_least: rows kept of each series at its end, and before its first test row, where it has them.
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
    return bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def unpack_context(data: bytes, preprocess: Preprocess, *, where: str) -> tuple[Panel, Splits]:
    """The inverse of :func:`pack_context`.

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
    furthest = 2**53 if preprocess.frequency.unit == "row" else MOST_DAYS * DAY
    _check_borders(arrays, rows, furthest, where)
    panel = Panel(
        arrays["values"],
        arrays["observed"].astype(bool),
        arrays["times"],
        arrays["offsets"],
        preprocess.series_ids,
        preprocess.columns,
    )
    return panel, Splits(arrays["train_end"], arrays["validation_end"])


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


def pack_weights(model: RegLSTM) -> bytes:
    """``model.safetensors``: the weights, on the CPU."""
    from safetensors.torch import save

    weights = {name: value.detach().to("cpu").contiguous() for name, value in model.state_dict().items()}
    return bytes(save(weights))


def unpack_weights(data: bytes, build: Callable[[], RegLSTM], *, where: str) -> RegLSTM:
    """The model that ``build`` describes, with these weights, on the CPU and in evaluation mode.

    The description is built without memory first and compared with the file, so a hostile description
    allocates nothing.

    Raises:
        ArtifactRejected: naming the first tensor that is missing, extra, of another shape or not finite.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        weights = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ArtifactRejected("artifact.safetensors", f"cannot be read: {error}", where=where) from error
    try:
        with torch.device("meta"):
            model = build()
    except ValueError as error:
        raise ArtifactRejected("artifact.config", str(error), where=where) from error
    expected = model.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        want = _shape(expected.get(name))
        got = _shape(weights.get(name))
        if want != got:
            message = f"tensor {name!r}: expected {want}, got {got}"
            raise ArtifactRejected("artifact.tensor", message, where=where)
        if not torch.isfinite(weights[name]).all():
            raise ArtifactRejected("artifact.tensor", f"tensor {name!r} is not finite", where=where)
    model.load_state_dict(weights, assign=True)
    model.eval()
    return model


def _shape(tensor: torch.Tensor | None) -> str:
    return "nothing" if tensor is None else f"{tensor.dtype} {list(tensor.shape)}".replace("torch.", "")
