"""A run opened for use: every file checked against the manifest, then read; not trusted before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lstm_forecast.config import Config, config_values, parse_config
from lstm_forecast.config.left_open import CHOSEN
from lstm_forecast.covariates import ahead_columns, past_columns
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.splits import Splits
from lstm_forecast.data.table import RowsAhead
from lstm_forecast.errors import ArtifactRejected, ConfigError
from lstm_forecast.forecasting.baselines import SIMPLE
from lstm_forecast.forecasting.calibration import Calibration
from lstm_forecast.forecasting.engines import Engine, engine_for
from lstm_forecast.forecasting.packed_ahead import unpack_ahead
from lstm_forecast.forecasting.trained import (
    Preprocess,
    Weights,
    furthest_time,
    unpack_context,
    unpack_weights,
)
from lstm_forecast.gating import MODEL, Gate, read_gate
from lstm_forecast.model.architecture import Architecture
from lstm_forecast.model.numpy_forward import ArrayNetwork
from lstm_forecast.networks import (
    architecture_of,
    forecaster_of,
    networks_with,
    simple_forecaster_of,
    static_sizes,
)
from lstm_forecast.runs.run import Run, find_run
from lstm_forecast.runs.storage import parse_json
from lstm_forecast.runs.verifying import open_run

if TYPE_CHECKING:
    from lstm_forecast.evaluation.held_out import HeldOut
    from lstm_forecast.forecasting.forecast import Forecaster
    from lstm_forecast.forecasting.simple import Issuer


@dataclass(frozen=True)
class Opened:
    """A complete, verified run.

    Attributes:
        run: where it lies.
        config: the resolved configuration it was trained with.
        preprocess: names, rhythm and units.
        context: the rows kept for a forecast and the pictures.
        splits: where training and validation end in them.
        scores: arrays of the intervals' calibration.
        files: the verified bytes.
        cold: series whose units are those of rows read for this forecast: see :mod:`cold_starts`.
        new: how many series, the last ones, the run never saw.
    """

    run: Run
    config: Config
    preprocess: Preprocess
    context: Panel
    splits: Splits
    scores: dict[str, NDArray[Any]]
    files: dict[str, bytes]
    cold: tuple[int, ...] = ()
    new: int = 0

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """``metrics.json``."""
        return self._document("metrics.json")

    @cached_property
    def about(self) -> dict[str, Any]:
        """``run.json``: when, with what and on which file it was trained."""
        return self._document("run.json")

    @property
    def data_sha256(self) -> str:
        """Hash of the input it was trained on, as ``run.json`` has it; empty where it has none."""
        data = self.about.get("data")
        return str(data.get("sha256")) if isinstance(data, dict) else ""

    @property
    def chosen_keys(self) -> tuple[str, ...]:
        """The keys of its configuration that the data decided."""
        listed = self.about.get("chosen")
        return tuple(key for key in CHOSEN if key in listed) if isinstance(listed, list) else ()

    @property
    def trained(self) -> bool:
        """Whether there is a trained network; else a baseline forecasts, because the rows were too few."""
        return self.metrics.get("network") is not False

    @cached_property
    def gate(self) -> Gate | None:
        """What validation decided; None where ``evaluation.gate`` was none.

        Raises:
            ArtifactRejected: the record of it makes no sense.
        """
        try:
            return read_gate(self.metrics.get("gate"))
        except (ValueError, TypeError, KeyError) as error:
            where = str(self.run.path / "metrics.json")
            raise ArtifactRejected("artifact.gate", f"cannot be read: {error!r}", where=where) from error

    @property
    def issued(self) -> str:
        """What ``predict`` gives: ``model``, or the name of a simple baseline."""
        if self.trained:
            return self.gate.issued if self.gate else MODEL
        name = self.metrics.get("baseline")
        return str(name) if name in SIMPLE else "naive"

    @cached_property
    def issuer(self) -> Issuer:
        """What ``predict`` uses: the networks, in NumPy, or the baseline that stands in their place."""
        if self.issued == MODEL:
            return self.in_numpy
        return simple_forecaster_of(self.config, self.issued, self.preprocess.scaling)

    def able(self, panel: Panel) -> NDArray[np.int64]:
        """The series of a panel that what the run issues can be made for."""
        if self.issued != MODEL:
            return np.flatnonzero(panel.lengths)
        long = panel.lengths >= self.config.window.lookback
        return np.flatnonzero(long & self.preprocess.scaling.trained)

    def issuer_for(self, *, windows: int, horizon: int) -> Issuer:
        """The same, with the networks in torch where so many windows and steps are much work."""
        engine = self.engine_for(windows=windows, horizon=horizon)
        return self.forecaster if engine == "torch" else self.issuer

    def engine_for(self, *, windows: int, horizon: int) -> Engine | None:
        """What computes forecasts from so many windows; None where no network does."""
        if self.issued != MODEL or not windows:
            return None
        count, lookback = self.config.training.ensemble, self.config.window.lookback
        return engine_for(self._made, networks=count, lookback=lookback, windows=windows, horizon=horizon)

    @cached_property
    def tested_issuer(self) -> Issuer:
        """The same as the test rows and the intervals were met: its networks never saw the test rows."""
        if self.issued == MODEL:
            return self.tested
        scaling = self.preprocess.held_out_scaling or self.preprocess.scaling
        return simple_forecaster_of(self.config, self.issued, scaling)

    def tested_issuer_for(self, *, windows: int, horizon: int) -> Issuer:
        """The same, with the networks in NumPy where so many windows and steps are little work."""
        engine = self.engine_for(windows=windows, horizon=horizon)
        return self.tested_in_numpy if engine == "numpy" else self.tested_issuer

    @cached_property
    def forecaster(self) -> Forecaster:
        """The networks that ``predict`` uses: trained on all rows where ``training.refit`` is full."""
        networks = networks_with(self._made, self._weights[0])
        return forecaster_of(self.config, networks, self.preprocess.scaling)

    @cached_property
    def in_numpy(self) -> Forecaster:
        """The same without torch."""
        arrays = [ArrayNetwork(self._made, weights) for weights in self._weights[0]]
        return forecaster_of(self.config, (), self.preprocess.scaling, arrays=arrays)

    @cached_property
    def tested(self) -> Forecaster:
        """The networks that the verdict is about: they never saw the test rows."""
        held_out = self.preprocess.held_out_scaling
        if held_out is None:
            return self.forecaster
        return forecaster_of(self.config, networks_with(self._made, self._weights[1]), held_out)

    @cached_property
    def tested_in_numpy(self) -> Forecaster:
        """The same without torch."""
        held_out = self.preprocess.held_out_scaling
        if held_out is None:
            return self.in_numpy
        arrays = [ArrayNetwork(self._made, weights) for weights in self._weights[1]]
        return forecaster_of(self.config, (), held_out, arrays=arrays)

    @cached_property
    def one_step_tests(self) -> dict[tuple[int, ...], HeldOut]:
        """What :func:`backtests.one_step_test` has made so far, by the series."""
        return {}

    @cached_property
    def ahead(self) -> RowsAhead | None:
        """Future covariates of rows after the last targets of the input, as it was in training."""
        name = "context.safetensors"
        columns = len(self.config.data.future_covariates)
        if not columns:
            return None
        return unpack_ahead(
            self.files[name],
            series_count=len(self.preprocess.series_ids),
            columns=columns,
            furthest=furthest_time(self.preprocess.frequency),
            where=str(self.run.path / name),
        )

    @cached_property
    def calibration(self) -> Calibration | None:
        """The measure of the intervals; None where the run has none."""
        where = str(self.run.path / "metrics.json")
        fields = self.metrics.get("calibration")
        if fields is None:
            return None
        try:
            count = len(self.preprocess.series_ids)
            return Calibration.from_parts(self.scores, fields, series_count=count)
        except (ValueError, TypeError, KeyError) as error:
            raise ArtifactRejected("artifact.calibration", str(error), where=where) from error

    def _document(self, name: str) -> dict[str, Any]:
        where = str(self.run.path / name)
        found = parse_json(self.files[name], where=where)
        if not isinstance(found, dict):
            raise ArtifactRejected("artifact.json", "is not a JSON object", where=where)
        return found

    @cached_property
    def _made(self) -> Architecture:
        """What each network is made of."""
        sizes = static_sizes(self.preprocess.scaling.statics)
        return architecture_of(self.config, features=len(self.preprocess.columns), static_sizes=sizes)

    @cached_property
    def _weights(self) -> tuple[tuple[Weights, ...], tuple[Weights, ...]]:
        """Those of the networks that forecast, and of those that were tested apart."""
        count = self.config.training.ensemble
        return unpack_weights(
            self.files["model.safetensors"],
            self._made,
            count=count,
            held_out=count if self.preprocess.held_out_scaling is not None else 0,
            where=str(self.run.path / "model.safetensors"),
        )


def open_reference(reference: str, runs_dir: Path) -> Opened:
    """Opens the run that a name, ``name@id`` or path means."""
    return opened(find_run(reference, runs_dir))


def opened(run: Run) -> Opened:
    """Reads a run's files.

    Raises:
        ArtifactRejected: naming the file that is damaged or makes no sense.
    """
    files = open_run(run)
    where = {name: str(run.path / name) for name in files}
    config = _config(files["config.yaml"], where["config.yaml"])
    preprocess = Preprocess.from_bytes(files["preprocess.json"], where=where["preprocess.json"])
    _check_covariates(config, preprocess, where["preprocess.json"])
    context, splits, scores = unpack_context(
        files["context.safetensors"], preprocess, where=where["context.safetensors"]
    )
    return Opened(run, config, preprocess, context, splits, scores, files)


def _check_covariates(config: Config, preprocess: Preprocess, where: str) -> None:
    """Refuses units that are of other covariates than the configuration names."""
    scaling, count = preprocess.scaling, ahead_columns(config).count
    names = tuple(column.name for column in scaling.statics.columns) if scaling.statics else ()
    known = past_columns(config) + count
    fits = scaling.ahead == count and len(preprocess.columns) == known
    if not (fits and names == config.data.static_covariates):
        message = "its covariates are others than those of config.yaml"
        raise ArtifactRejected("artifact.preprocess", message, where=where)


def _config(data: bytes, where: str) -> Config:
    """The resolved configuration of a run; a fault in it is the artifact's, not the user's."""
    try:
        config = parse_config(data, where=where).config
    except ConfigError as error:
        raise ArtifactRejected("artifact.config", error.problems[0].message, where=where) from error
    values = config_values(config)
    if left_open := [key for key in (*CHOSEN, "window.stride") if values[key] == "auto"]:
        message = f"{left_open[0]}: expected the value it was trained with, got auto"
        raise ArtifactRejected("artifact.config", message, where=where)
    return config
