"""The arithmetic of the accuracy benchmark, on numbers worked out by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy import etth1, m4, prices, small
from benchmarks.accuracy.program import Row, Spent


@pytest.mark.parametrize(
    ("figures", "said"), [((0.45,), "must"), ((0.44,), "goal"), ((0.47,), "missed"), ((0.41,), "moonshot")]
)
def test_a_row_says_the_best_limit_it_keeps(figures: tuple[float, ...], said: str) -> None:
    row = Row("M4", "OWA", Spent(61.2, 500.0), figures, ((0.46, 0.44, 0.42),))
    assert row.reached() == said
    assert row.text() == f"| M4 | OWA | 0.46, 0.44, 0.42 | {said} | 61 | 500 |"


def test_of_two_figures_both_must_keep_a_limit() -> None:
    limits = ((0.37, 0.36), (0.40, 0.39))
    assert Row("", "", None, (0.35, 0.395), limits).reached() == "must"
    assert Row("", "", None, (0.35, 0.41), limits).reached() == "missed"
    assert Row("a", "b").text() == "| a | b |  |  |  |  |"


def test_three_origins_a_horizon_apart_see_nothing_later() -> None:
    found = list(small.origins(np.arange(20.0), 4))
    assert [(known.tolist()[-1], actual.tolist()) for known, actual in found] == [
        (7.0, [8.0, 9.0, 10.0, 11.0]),
        (11.0, [12.0, 13.0, 14.0, 15.0]),
        (15.0, [16.0, 17.0, 18.0, 19.0]),
    ]


def test_mase_is_over_the_seasonal_differences() -> None:
    assert small.mase_scale(np.array([1.0, 5.0, 4.0, 4.0]), 2) == 2.0  # |4 - 1| and |4 - 5|


def test_m4_measures_by_hand(tmp_path: Path) -> None:
    known = {"H1": np.concatenate([np.zeros(24), np.full(24, 2.0)])}  # seasonal differences of 2
    output = tmp_path / "forecast.csv"
    output.write_text("series,step,forecast\nH1,2,6.0\nH1,1,3.0\n")
    smape, mase = m4._scores(known, {"H1": np.array([1.0, 2.0])}, output)
    assert smape == pytest.approx((200 * 2 / 4 + 200 * 4 / 8) / 2)
    assert mase == pytest.approx((2 + 4) / 2 / 2)


def test_hours_of_a_bare_file_end_together(tmp_path: Path) -> None:
    m4._write({"a": np.array([1.0, 2.0]), "b": np.array([3.0])}, tmp_path / "long.csv", dated=True)
    lines = (tmp_path / "long.csv").read_text().splitlines()
    assert lines[1:] == ["a,2019-12-31 23:00,1.0", "a,2020-01-01 00:00,2.0", "b,2020-01-01 00:00,3.0"]


def test_deviations_are_of_the_training_rows(tmp_path: Path) -> None:
    path = tmp_path / "ETTh1.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["date", *etth1.COLUMNS])
        writer.writerows([row, *[value] * 7] for row, value in enumerate([1.0, 3.0, 1000.0]))
    assert etth1._deviations(path, 2) == dict.fromkeys(etth1.COLUMNS, 1.0)


def test_summary_of_prices_names_what_is_over_the_limit() -> None:
    found = [
        prices.Measured("a", 3000, 1.0, "model", 0.999, {80.0: 0.79, 95.0: 0.955}),
        prices.Measured("b", 900, 1.006, "naive", 1.001),
    ]
    bare, tuned, eighty, ninety_five = prices.summary(found)
    assert "median 1.0030" in bare
    assert bare.endswith("over it: b.")
    assert tuned.endswith("goal 1.002).")
    assert "79.0 to 79.0" in eighty
    assert "off by 1.0" in eighty
    assert "off by 0.5" in ninety_five
