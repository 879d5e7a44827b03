"""Which rows a forecast continues, and that they are read as the run's were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lstm_forecast.errors import DataInvalid
from lstm_forecast.events import Events
from lstm_forecast.latest import CONTEXT, latest_panel, read_for_run
from lstm_forecast.opening import Opened, opened
from tests.conftest import Tiny
from tests.training.jobs import days, momentum, trained, write_csv


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """A run of the logarithms of three series."""
    folder = tmp_path_factory.mktemp("latest")
    file = write_shops(folder / "shops.csv", "abc")
    return opened(
        trained(file, {"data.series_id": "id", "data.transform": "log", "data.missing": "ffill"}).run
    )


def write_shops(
    path: Path, names: str, *, rows: int = 120, values: dict[str, np.ndarray] | None = None
) -> Path:
    each = {name: (values or {}).get(name, momentum(rows, seed=ord(name))) for name in names}
    columns = {
        "date": [day for _ in names for day in days(rows)],
        "id": [name for name in names for _ in range(rows)],
        "v": np.concatenate(list(each.values())),
    }
    return write_csv(path, columns)


def test_the_file_is_read_as_it_is_now_and_without_it_the_runs_own_rows(tmp_path: Path) -> None:
    file = write_shops(tmp_path / "shops.csv", "ab")
    chosen = opened(trained(file, {"data.series_id": "id"}).run)
    write_shops(file, "ab", rows=125)
    panel, source, *_ = latest_panel(chosen, None, Events())
    assert (source, len(panel.times)) == (str(file), 250)
    file.unlink()
    said: list[str] = []
    panel, source, *_ = latest_panel(
        chosen, None, Events([lambda event: said.extend(event.fields.get("lines", []))])
    )
    assert source == CONTEXT
    assert panel is chosen.context
    assert said == [f"input: the run's own rows ({file} is not there to be read again)"]


def test_series_stand_in_the_order_of_the_run_and_absent_ones_are_empty(
    shops: Opened, tmp_path: Path
) -> None:
    file = write_shops(tmp_path / "new.csv", "ca", rows=130)
    panel, source, *_ = read_for_run(shops, str(file), Events())
    assert source == str(file)
    assert panel.series_ids == ("a", "b", "c")
    assert panel.lengths.tolist() == [130, 0, 130]
    for place, name in ((0, "a"), (2, "c")):
        assert panel.values[panel.rows(place), 0].tolist() == momentum(130, seed=ord(name)).tolist()


def test_one_series_may_be_called_otherwise(tiny: Tiny, tmp_path: Path) -> None:
    file = tmp_path / "named.csv"
    lines = tiny.csv.read_text().splitlines()
    file.write_text("\n".join(["date,id,value", *(line.replace(",", ",x,") for line in lines[1:])]) + "\n")
    chosen = opened(tiny.run)
    panel, *_ = read_for_run(chosen, str(file), Events())
    assert panel.series_ids == chosen.preprocess.series_ids == ("value",)


def test_series_the_run_never_saw_are_refused(shops: Opened, tmp_path: Path) -> None:
    file = write_shops(tmp_path / "new.csv", "axyb")
    with pytest.raises(DataInvalid) as caught:
        read_for_run(shops, str(file), Events())
    assert (caught.value.id, caught.value.where) == ("predict.unknown_series", str(file))
    assert caught.value.message == "series not seen in training: x, y"


def test_a_value_without_a_logarithm_is_refused_and_the_hint_is_not_to_change_the_run(
    shops: Opened, tmp_path: Path
) -> None:
    values = momentum(120)
    values[110] = -1.0
    file = write_shops(tmp_path / "new.csv", "abc", values={"b": values})
    with pytest.raises(DataInvalid) as caught:
        read_for_run(shops, str(file), Events())
    assert caught.value.id == "data.transform"
    assert caught.value.message == "1 of the target's values has no log; the lowest is -1"
    assert caught.value.where == f"{file}, series b"
    assert caught.value.hint.startswith("mend the file, or train again with another key: ")


def test_empty_cells_are_filled_forward_also_where_training_interpolated(tmp_path: Path) -> None:
    """Between two known values the later one would have to be looked at."""
    values = momentum(120)
    values[60] = np.nan
    file = write_csv(tmp_path / "a.csv", {"date": days(120), "v": values})
    chosen = opened(trained(file, {"data.missing": "interpolate", "split.test": "0.4"}).run)
    panel, *_ = read_for_run(chosen, str(file), Events())
    assert panel.values[60, 0] == values[59]
    assert not panel.observed[60, 0]


def test_rows_too_few_for_one_window_are_refused_with_the_arithmetic(shops: Opened, tmp_path: Path) -> None:
    file = write_shops(tmp_path / "new.csv", "ab", rows=7)
    with pytest.raises(DataInvalid) as caught:
        latest_panel(shops, str(file), Events())
    assert (caught.value.id, caught.value.message) == (
        "data.too_short",
        "need at least 8 rows of a series, got 7",
    )
    assert latest_panel(shops, str(write_shops(tmp_path / "new.csv", "ab", rows=8)), Events())[1] == str(file)


def test_other_columns_than_those_trained_on_are_refused(shops: Opened, tmp_path: Path) -> None:
    file = write_shops(tmp_path / "new.csv", "abc")
    file.write_text(file.read_text().replace("date,id,v", "date,id,w"))
    with pytest.raises(DataInvalid) as caught:
        read_for_run(shops, str(file), Events())
    assert caught.value.id == "data.column"
