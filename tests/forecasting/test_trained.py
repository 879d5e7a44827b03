"""What a run keeps of its rows: enough for a forecast and the pictures, and exactly as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load

from lstm_forecast.data.calendars import infer_frequency
from lstm_forecast.data.dates import TimeFormat
from lstm_forecast.data.panel import Panel
from lstm_forecast.data.scaling import Scaling, fit_scaling
from lstm_forecast.data.splits import Splits
from lstm_forecast.data.transform import Transform
from lstm_forecast.errors import ArtifactRejected
from lstm_forecast.forecasting.trained import (
    Preprocess,
    pack_context,
    pack_weights,
    unpack_context,
    unpack_weights,
)
from lstm_forecast.model.architecture import Architecture
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.networks import networks_with
from tests.data.panels import random_walks


def scaling_of(panel: Panel, transform: Transform = "none") -> Scaling:
    return fit_scaling(
        panel,
        method="minmax",
        scaled_range=(0.0, 1.0),
        per="series",
        normalize="diff",
        transform=transform,
        season=3,
    )


def preprocess_of(panel: Panel, *, held_out: bool = False) -> Preprocess:
    return Preprocess(
        panel.series_ids,
        panel.columns,
        "date",
        "id",
        TimeFormat("date", "%Y-%m-%d"),
        infer_frequency([panel.times[panel.rows(0)]]),
        3,
        scaling_of(panel, "log1p"),
        scaling_of(panel.until(panel.offsets[:-1] + 20), "log1p") if held_out else None,
    )


@pytest.mark.parametrize("held_out", [False, True])
def test_names_rhythm_season_and_units_come_back_to_the_last_bit(*, held_out: bool) -> None:
    made = preprocess_of(random_walks(40, 30, columns=2), held_out=held_out)
    read = Preprocess.from_bytes(made.to_bytes(), where="x")
    assert read.to_bytes() == made.to_bytes()
    assert (read.season, read.scaling.transform) == (3, "log1p")
    assert (read.held_out_scaling is None) == (not held_out)
    for name in ("series_ids", "columns", "time_name", "series_name", "time_format", "frequency"):
        assert getattr(read, name) == getattr(made, name), name
    if made.held_out_scaling is not None and read.held_out_scaling is not None:
        assert np.array_equal(read.held_out_scaling.unit, made.held_out_scaling.unit)
        assert not np.array_equal(read.held_out_scaling.unit, read.scaling.unit)


@pytest.mark.parametrize("at_least", [1, 5, 12, 100])
def test_rows_are_kept_from_the_end_of_training_or_so_many_before_test_and_end(at_least: int) -> None:
    """Flat row of the first that is kept, by a slow loop; borders point at the same times as before."""
    panel = random_walks(40, 30, columns=2)
    splits = Splits(np.array([30, 62]), np.array([35, 66]))
    scores = {"scores": np.arange(6.0).reshape(3, 2, 1), "series": np.array([0, 1, 1])}
    data = pack_context(panel, splits, scores, at_least=at_least)
    kept, found, back = unpack_context(data, preprocess_of(panel), where="x")
    for s, (begin, end) in enumerate(((0, 40), (40, 70))):
        wanted = min(splits.train_end[s], splits.validation_end[s] - at_least, end - at_least)
        first = max(int(wanted), begin)
        rows = kept.rows(s)
        assert np.array_equal(kept.values[rows], panel.values[first:end])
        assert np.array_equal(kept.times[rows], panel.times[first:end])
        for ends, before in (
            (found.train_end, splits.train_end),
            (found.validation_end, splits.validation_end),
        ):
            assert kept.times[ends[s]] == panel.times[before[s]]
    assert {name: array.tobytes() for name, array in back.items()} == {
        name: array.tobytes() for name, array in scores.items()
    }


def test_a_run_without_intervals_keeps_no_scores() -> None:
    panel = random_walks(40)
    splits = Splits(np.array([30]), np.array([35]))
    data = pack_context(panel, splits, {}, at_least=5)
    assert unpack_context(data, preprocess_of(panel), where="x")[2] == {}


MADE = Architecture(input_size=1, hidden_size=3, num_layers=2, output_size=2, num_quantiles=3)


def networks(count: int, *, seed: int = 0) -> list[RegLSTM]:
    torch.manual_seed(seed)
    return [RegLSTM(1, 3, 2, output_size=2, num_quantiles=3) for _ in range(count)]


def test_the_weights_of_every_network_stand_under_its_number() -> None:
    final, tested = networks(2), networks(2, seed=1)
    data = pack_weights(final, tested)
    names = {name.rsplit(".", 2)[0] if "head" in name else name for name in load(data)}
    assert {".".join(name.split(".")[:2]) for name in names} == {
        "network.0",
        "network.1",
        "held_out.0",
        "held_out.1",
    }
    weights = unpack_weights(data, MADE, count=2, held_out=2, where="x")
    back, back_tested = (networks_with(MADE, part) for part in weights)
    for got, wanted in zip([*back, *back_tested], [*final, *tested], strict=True):
        assert not got.training
        assert all(torch.equal(got.state_dict()[name], value) for name, value in wanted.state_dict().items())
    assert pack_weights(back, back_tested) == data


@pytest.mark.parametrize(("count", "held_out"), [(1, 0), (3, 0), (2, 1), (1, 1), (2, 2)])
def test_another_number_of_networks_than_was_kept_is_refused(count: int, held_out: int) -> None:
    data = pack_weights(networks(2), ())
    with pytest.raises(ArtifactRejected) as caught:
        unpack_weights(data, MADE, count=count, held_out=held_out, where="x")
    assert caught.value.id == "artifact.tensor"
