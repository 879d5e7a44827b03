"""Static columns: read from files, turned into codes, and refused where they are none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lstm_forecast.data.many import read_input
from lstm_forecast.data.reader import ReadOptions, Table, read_table
from lstm_forecast.data.statics import StaticColumn, Statics, encoded, fit_statics
from lstm_forecast.data.table import cut_table
from lstm_forecast.errors import DataInvalid

OPTIONS = ReadOptions(target="sales", series_id="shop", static_covariates=("kind", "area"))


def read(folder: Path, text: str, options: ReadOptions = OPTIONS) -> Table:
    path = folder / "shops.csv"
    path.write_text(text, encoding="utf-8")
    return read_table(path, options)


GOOD = """date,shop,sales,kind,area
2024-01-01,b,1,mall,20.5
2024-01-02,b,2,,20.5
2024-01-01,a,3,,
2024-01-02,a,4,street,10
"""


def test_each_series_has_one_cell_and_empty_ones_are_filled_from_others(tmp_path: Path) -> None:
    table = read(tmp_path, GOOD)
    assert table.series_ids == ("b", "a")
    assert table.static == (("mall", "20.5"), ("street", "10"))
    assert table.columns == ("sales",)
    assert table.candidates == ("sales",)


def test_two_cells_of_one_series_are_refused_by_name_and_line(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid) as caught:
        read(tmp_path, GOOD.replace("a,4,street,10", "a,4,street,11").replace("a,3,,", "a,3,,10"))
    assert caught.value.id == "data.static"
    assert "'area'" in caught.value.message
    assert "series 'a' has '11' here and '10' before" in caught.value.message
    assert caught.value.where.endswith("shops.csv:5")


def test_a_series_without_a_cell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="'kind': series 'a' has no cell in it"):
        read(tmp_path, GOOD.replace("street", ""))


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        (
            "a,4,street,10",
            "a,4,street,10\n2024-01-03,a,5,mall,10",
            6,
            "series 'a' has 'mall' here and 'street'",
        ),
        ("street", "", 0, "static column 'kind': series 'a' has no cell in it"),
    ],
    ids=["two cells", "no cell"],
)
def test_such_a_series_can_be_skipped(tmp_path: Path, old: str, new: str, line: int, reason: str) -> None:
    skip = replace(OPTIONS, bad_series="skip")
    table = read(tmp_path, GOOD.replace(old, new), skip)
    alone = read(tmp_path, "\n".join(GOOD.splitlines()[:3]) + "\n", skip)
    assert (
        (table.series_ids, table.static) == (alone.series_ids, alone.static) == (("b",), (("mall", "20.5"),))
    )
    assert table.values.tolist() == alone.values.tolist()
    (left,) = table.left_out
    assert (left.series, left.line) == ("a", line)
    assert reason in left.reason


def test_where_no_series_would_be_left_the_first_fault_is_an_error(tmp_path: Path) -> None:
    text = GOOD.replace("mall", "").replace("street", "")
    with pytest.raises(DataInvalid, match="'kind': series 'b' has no cell in it"):
        read(tmp_path, text, replace(OPTIONS, bad_series="skip"))


def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid) as caught:
        read(tmp_path, GOOD, ReadOptions(target="sales", series_id="shop", static_covariates=("kinds",)))
    assert caught.value.message == "no column 'kinds' (data.static_covariates)"
    assert caught.value.hint == "did you mean 'kind'?"


def test_one_column_cannot_be_static_and_something_else(tmp_path: Path) -> None:
    options = ReadOptions(target="sales", series_id="shop", static_covariates=("shop",))
    with pytest.raises(DataInvalid, match="column 'shop' has two roles"):
        read(tmp_path, GOOD, options)


def test_a_suspended_day_has_its_future_and_static_cells_all_the_same(tmp_path: Path) -> None:
    options = ReadOptions(
        target="sales", series_id="shop", static_covariates=("area",), future_covariates=("promo",)
    )
    text = "date,shop,sales,promo,area\n2024-01-01,a,1,0,5\n2024-01-02,a,--,1,5\n2024-01-03,a,3,0,5\n"
    table = read(tmp_path, text, options)
    assert table.values.tolist() == [[1, 0], [3, 0]]


def test_several_files_have_a_cell_each(tmp_path: Path) -> None:
    folder = tmp_path / "shops"
    folder.mkdir()
    for name, kind in (("x", "mall"), ("y", "street")):
        (folder / f"{name}.csv").write_text(f"date,sales,kind\n2024-01-01,1,{kind}\n2024-01-02,2,{kind}\n")
    table = read_input(str(folder), ReadOptions(target="sales", static_covariates=("kind",)))
    assert (table.series_ids, table.static) == (("x", "y"), (("mall",), ("street",)))


def test_series_that_are_cut_away_take_their_cells_with_them(tmp_path: Path) -> None:
    text = GOOD.replace("2024-01-01,b", "2024-01-05,b").replace("2024-01-02,b", "2024-01-06,b")
    table = cut_table(read(tmp_path, text), "2024-01-03")
    assert (table.series_ids, table.static) == (("a",), (("street", "10"),))


def test_text_becomes_codes_and_numbers_are_scaled_over_those_that_train() -> None:
    cells = [("mall", "1"), ("street", "3"), ("kiosk", "8"), ("mall", "5")]
    found = fit_statics(("kind", "area"), cells, np.array([True, True, False, True]), decimal=".")
    assert found.columns[0] == StaticColumn("kind", ("mall", "street"))
    assert found.codes[:, 0].tolist() == [1, 2, 0, 1]  # no kiosk trains
    mean, deviation = 3.0, (8 / 3) ** 0.5  # of 1, 3, 5
    np.testing.assert_allclose(found.codes[:, 1], [(n - mean) / deviation for n in (1, 3, 8, 5)])
    assert found.sizes == (2, 0)


def test_numbers_follow_the_decimal_mark_of_the_file_and_equal_ones_have_a_unit() -> None:
    found = fit_statics(("area",), [("1,5",), ("1,5",)], np.array([True, True]), decimal=",")
    assert found.columns[0] == StaticColumn("area", (), 1.5, 1.0)
    assert found.codes.tolist() == [[0], [0]]


def test_new_cells_are_coded_by_what_training_knew() -> None:
    columns = (StaticColumn("kind", ("mall", "street")), StaticColumn("area", (), 3.0, 2.0))
    assert encoded(columns, [("street", "7"), ("pier", "3")], decimal=".").tolist() == [[2, 2], [0, 0]]
    with pytest.raises(ValueError, match="'area' holds numbers in the run, and here a text"):
        encoded(columns, [("street", "large")], decimal=".")


STATICS = Statics(
    (StaticColumn("kind", ("a", "b")), StaticColumn("area", (), 1.0, 2.0)), np.array([[1, 0.5]])
)


def test_statics_survive_json() -> None:
    back = Statics.from_json(json.loads(json.dumps(STATICS.to_json())), series=1)
    assert back.columns == STATICS.columns
    assert np.array_equal(back.codes, STATICS.codes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codes": [[1.0]]}, "not 1 x 2 finite numbers"),
        ({"codes": [[1.0, float("nan")]]}, "not 1 x 2 finite numbers"),
        ({"codes": [[3.0, 0.5]]}, "a code of 'kind' is none of 2"),
        ({"codes": [[0.5, 0.5]]}, "a code of 'kind' is none of 2"),
        ({"columns": []}, "not 1 x 0 finite numbers"),
        (
            {
                "columns": [{"name": "kind", "vocabulary": ["a", "a"], "offset": 0, "unit": 1}],
                "codes": [[1.0]],
            },
            "categories of 'kind'",
        ),
        ({"columns": [{"name": "n", "vocabulary": [], "offset": 0, "unit": 0}], "codes": [[1.0]]}, "unit"),
    ],
)
def test_what_a_run_says_of_its_series_is_checked(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Statics.from_json({**STATICS.to_json(), **change}, series=1)
