"""What is known of the steps to be forecast: where it is found, and what is said where it is not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lstm_forecast import pipeline
from lstm_forecast.dated import Forecast
from lstm_forecast.errors import DataInvalid, ForecastError, UsageError
from lstm_forecast.evaluating import Backtest
from lstm_forecast.events import Events
from lstm_forecast.opening import opened
from tests.conftest import Cli
from tests.training.decisive import promoted, promotions
from tests.training.jobs import days, momentum, trained, write_csv

ROWS = 120
MOVED = {"training.lr": "0.02", "training.patience": "null"}  # no untouched network, which looks at nothing
KEYS = {"data.target": "sales", "data.future_covariates": "[promo]", **MOVED}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one file without rows ahead: ``one``, and ``path`` with a file of what is to come."""
    folder = tmp_path_factory.mktemp("coming")
    file = promoted(folder, rows=ROWS)
    coming(folder / "path.csv", [0, 1, 0, 1])
    trained(file, {**KEYS, "run.name": "one"})
    trained(file, {**KEYS, "run.name": "path", "data.future_path": str(folder / "path.csv")})
    return folder


def coming(path: Path, promo: Sequence[float], *, first: int = ROWS, header: str = "promo") -> Path:
    """A file of the steps from row ``first`` on."""
    dates = days(first + len(promo))[first:]
    return write_csv(path, {"date": dates, header: np.array(promo, dtype=np.float64)})


def predict(folder: Path, run: str = "one", *, future: Path | None = None, **words: object) -> Forecast:
    given = None if future is None else str(future)
    return pipeline.predict(run, runs_dir=folder / "runs", future=given, **words)  # type: ignore[arg-type]


def values(forecast: Forecast) -> list[float]:
    return [row.forecast for row in forecast.rows]


def refused(folder: Path, run: str = "one", **words: object) -> ForecastError:
    with pytest.raises(ForecastError) as caught:
        predict(folder, run, **words)  # type: ignore[arg-type]
    return caught.value


def test_missing_ones_are_refused_with_what_to_give(folder: Path) -> None:
    assert str(refused(folder)) == (
        "error[predict.future_covariates]: no promo on 2024-04-30; every step needs its future covariates\n"
        "  missing: 2 steps of 1 series; the horizon ends on 2024-05-01\n"
        f"  looked in: {folder / 'promoted.csv'} after the last target\n"
        "  hint: give them: --future FILE.csv, with the header date,promo and a row a step"
    )
    assert refused(folder).code == 11


def test_a_step_without_one_ends_the_forecast_before_it(folder: Path, tmp_path: Path) -> None:
    error = refused(folder, future=coming(tmp_path / "f.csv", [1, 0, np.nan, 1]), horizon=4)
    assert error.message.startswith("no promo on 2024-05-02;")
    assert error.details[0] == "missing: 1 step of 1 series; the horizon ends on 2024-05-03"
    assert error.details[1] == (
        f"looked in: {tmp_path / 'f.csv'}, {folder / 'promoted.csv'} after the last target"
    )
    assert error.hint.endswith("or forecast fewer steps: --horizon 2")


def test_the_steps_that_it_offers_are_those_that_every_series_has(tmp_path: Path) -> None:
    lines = ["date,shop,sales,promo"]
    for shop, ahead in (("a", 5), ("b", 2)):
        for day, promo in zip(days(60 + ahead), promotions(60 + ahead), strict=True):
            sales = f"{100 + 10 * promo}" if day in days(60) else ""
            lines.append(f"{day},{shop},{sales},{promo}")
    file = tmp_path / "two.csv"
    file.write_text("\n".join(lines) + "\n")
    trained(file, {**KEYS, "data.series_id": "shop", "run.name": "a"})
    error = refused(tmp_path, "a", horizon=7)
    assert error.message.startswith("no promo of series 'a' on 2024-03-06;")
    assert error.hint.endswith("; or forecast fewer steps: --horizon 2")
    assert len(predict(tmp_path, "a", horizon=2).rows) == 4


def test_a_file_that_cannot_be_used_is_mended_and_no_key_of_the_run_changed(
    folder: Path, tmp_path: Path
) -> None:
    file = coming(tmp_path / "f.csv", [1, 0])
    file.write_text(file.read_text() + file.read_text().splitlines()[-1] + "\n")
    error = refused(folder, future=file)
    assert error.id == "data.duplicates"
    assert error.hint.startswith("mend the file, or train again with another key: ")


def test_rows_behind_the_cut_are_not_looked_at_and_it_is_said(tmp_path: Path) -> None:
    file = promoted(tmp_path, rows=ROWS)
    trained(file, {**KEYS, "run.name": "a", "data.until": 100})
    assert refused(tmp_path, "a").details[1] == (
        f"looked in: {file} after the last target, of the rows up to data.until 100"
    )
    assert len(predict(tmp_path, "a", future=file).rows) == 2


def test_a_file_gives_them_by_date_in_any_order_with_others_beside(folder: Path, tmp_path: Path) -> None:
    chosen = opened(pipeline.open_reference("one", folder / "runs", Events()).run)
    ahead = np.array([[[1.0], [0.0]]])
    expected = chosen.in_numpy.at(chosen.context, np.array([ROWS - 1]), np.array([0]), horizon=2, ahead=ahead)
    assert values(predict(folder, future=coming(tmp_path / "f.csv", [1, 0]))) == expected.point[0].tolist()
    lines = (tmp_path / "f.csv").read_text().splitlines()
    text = "\n".join(
        ["promo;date;note", "5;2030-01-01;x", *(";".join(x.split(",")[::-1]) + ";x" for x in lines[:0:-1])]
    )
    (tmp_path / "g.csv").write_text(text + "\n")
    assert values(predict(folder, future=tmp_path / "g.csv")) == expected.point[0].tolist()


def test_rows_of_the_input_after_the_last_target_give_them_too(folder: Path, tmp_path: Path) -> None:
    longer = promoted(tmp_path, rows=ROWS, ahead=6)
    forecast = predict(folder, data=str(longer), horizon=5)
    promo = promotions(ROWS + 6)[ROWS : ROWS + 5]
    assert values(forecast) == values(predict(folder, future=coming(tmp_path / "f.csv", promo), horizon=5))
    assert forecast.as_of == days(ROWS)[-1]
    assert refused(folder, data=str(longer), horizon=7).message.startswith("no promo on 2024-05-06")


def test_the_named_file_goes_before_the_recorded_one_and_that_before_the_input(
    folder: Path, tmp_path: Path
) -> None:
    longer = promoted(tmp_path, rows=ROWS, ahead=6)
    of_input = promotions(ROWS + 6)[ROWS : ROWS + 6]
    recorded = np.concatenate([[0, 1, 0, 1], of_input[4:]])
    first = coming(tmp_path / "f.csv", [1, 1])
    found = values(predict(folder, "path", data=str(longer), horizon=6, future=first))
    mixed = np.concatenate([[1, 1], recorded[2:]])
    assert found == values(predict(folder, "one", future=coming(tmp_path / "g.csv", mixed), horizon=6))
    without = values(predict(folder, "path", data=str(longer), horizon=6))
    assert without == values(predict(folder, "one", future=coming(tmp_path / "g.csv", recorded), horizon=6))


def test_a_recorded_file_that_is_gone_is_said_where_it_is_needed(tmp_path: Path) -> None:
    file, path = promoted(tmp_path, rows=ROWS), coming(tmp_path / "path.csv", [0, 1])
    trained(file, {**KEYS, "run.name": "a", "data.future_path": str(path)})
    expected = values(predict(tmp_path, "a"))
    path.rename(tmp_path / "other.csv")
    assert values(predict(tmp_path, "a", future=tmp_path / "other.csv")) == expected
    assert f"{path} (not there)" in refused(tmp_path, "a").details[1]


def test_a_misnamed_column_is_named_with_the_nearest(folder: Path, tmp_path: Path) -> None:
    error = refused(folder, future=coming(tmp_path / "f.csv", [1, 0], header="promos"))
    assert (error.id, error.message) == ("data.column", "no column 'promo' (data.future_covariates)")
    assert error.where.endswith("f.csv:1")
    assert error.hint == "did you mean 'promos'?"


def test_a_run_without_future_covariates_takes_no_such_file(tmp_path: Path) -> None:
    trained(promoted(tmp_path, rows=ROWS), {"data.target": "sales", "run.name": "a"})
    error = refused(tmp_path, "a", future=coming(tmp_path / "f.csv", [1, 0]))
    assert (type(error), error.id) == (UsageError, "predict.future")


def test_the_run_keeps_what_its_file_knew(tmp_path: Path) -> None:
    file = promoted(tmp_path, rows=ROWS, ahead=4)
    result = trained(file, {**KEYS, "run.name": "a", "run.plots": "true"})
    expected = values(predict(tmp_path, "a", horizon=4))
    file.unlink()
    assert values(predict(tmp_path, "a", horizon=4)) == expected
    assert (result.run.path / "plots" / "forecast.png").is_file()


def test_the_picture_ends_with_the_rows_where_the_run_knows_no_more(folder: Path) -> None:
    said: list[str] = []
    events = Events([lambda event: said.append(str(event.fields))])
    assert pipeline.plot("one", runs_dir=folder / "runs", events=events).startswith(b"\x89PNG")
    assert any("the picture ends with the rows" in line for line in said)


SHOPS = ("a", "b")


def two_shops(path: Path, *, first: int = 0, rows: int = ROWS, sales: bool = True) -> Path:
    """A long file of two shops; without sales the rows to come."""
    columns: dict[str, list[str]] = {"date": [], "shop": [], "promo": []}
    sold: list[float] = []
    for number, shop in enumerate(SHOPS):
        promo = promotions(first + rows, seed=number)[first:]
        columns["date"] += days(first + rows)[first:]
        columns["shop"] += [shop] * rows
        columns["promo"] += [repr(float(value)) for value in promo]
        sold += (50 * promo + momentum(rows, seed=number)).tolist()
    return write_csv(path, {**columns, "sales": np.array(sold)} if sales else columns)


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shops")
    trained(two_shops(folder / "shops.csv"), {**KEYS, "data.series_id": "shop", "run.name": "one"})
    return folder


def test_each_series_has_its_own_by_its_id(shops: Path, tmp_path: Path) -> None:
    both = two_shops(tmp_path / "f.csv", first=ROWS, rows=2, sales=False)
    together = predict(shops, future=both)
    for shop in SHOPS:
        lines = both.read_text().splitlines()
        alone = tmp_path / f"{shop}.csv"
        alone.write_text("\n".join([lines[0], *(line for line in lines if f",{shop}," in line)]) + "\n")
        found = predict(shops, future=alone, series=shop)
        assert [(r.time, r.forecast) for r in found.rows] == [
            (r.time, r.forecast) for r in together.rows if r.series == shop
        ]
    error = refused(shops, future=tmp_path / "a.csv")
    assert error.message.startswith("no promo of series 'b' on 2024-04-30")
    assert error.details[0].startswith("missing: 2 steps of 1 series")
    assert "with the header date,shop,promo" in error.hint


def test_one_series_without_an_id_is_for_all(shops: Path, tmp_path: Path) -> None:
    alone = coming(tmp_path / "f.csv", [1, 0])
    lines = [f"{shop},{line}" for shop in SHOPS for line in alone.read_text().splitlines()[1:]]
    (tmp_path / "g.csv").write_text("\n".join(["shop,date,promo", *lines]) + "\n")
    with pytest.raises(DataInvalid, match=r"no column 'shop' \(data.series_id\)"):
        predict(shops, future=alone)  # an id column that the run names is asked for
    assert len(values(predict(shops, future=tmp_path / "g.csv"))) == 4


def test_series_that_the_run_has_not_are_refused_where_there_are_no_others(
    shops: Path, tmp_path: Path
) -> None:
    text = two_shops(tmp_path / "f.csv", first=ROWS, rows=2, sales=False).read_text()
    (tmp_path / "f.csv").write_text(text.replace(",a,", ",x,").replace(",b,", ",y,"))
    error = refused(shops, future=tmp_path / "f.csv")
    assert error.message == "none of its series is one of the run: x, y"
    assert error.details == ("series of the run: a, b",)


def test_a_file_for_a_wide_run_is_for_all_its_series(tmp_path: Path) -> None:
    promo = promotions(ROWS)
    columns = {name: 50 * promo + momentum(ROWS, seed=seed) for seed, name in enumerate(SHOPS)}
    file = write_csv(tmp_path / "w.csv", {"date": days(ROWS), **columns, "promo": promo})
    keys = {"data.target": "[a, b]", "data.future_covariates": "[promo]", "run.name": "w"}
    trained(file, keys)
    assert len(values(predict(tmp_path, "w", future=coming(tmp_path / "f.csv", [1, 0])))) == 4


def test_files_give_them_to_the_series_that_they_name(tmp_path: Path) -> None:
    """Or one file to all."""
    for folder, first, rows in (("sold", 0, ROWS), ("plans", ROWS, 2)):
        (tmp_path / folder).mkdir()
        for seed, shop in enumerate(SHOPS):
            promo = promotions(first + rows, seed=seed)[first:]
            sales = 50 * promo + momentum(rows, seed=seed)
            columns = {"date": days(first + rows)[first:], "sales": sales, "promo": promo}
            write_csv(
                tmp_path / folder / f"{shop}.csv",
                columns if folder == "sold" else {**columns, "sales": promo},
            )
    trained(tmp_path / "sold", {**KEYS, "run.name": "many"})
    both = predict(tmp_path, "many", future=tmp_path / "plans")
    for shop in SHOPS:
        alone = predict(tmp_path, "many", future=tmp_path / "plans" / f"{shop}.csv")
        mine = [[(r.time, r.forecast) for r in f.rows if r.series == shop] for f in (both, alone)]
        assert mine[0] == mine[1]
    assert {row.series for row in both.rows} == set(SHOPS)


def test_what_was_odd_in_the_file_is_told(folder: Path, tmp_path: Path) -> None:
    file = coming(tmp_path / "f.csv", [1, 0])
    file.write_text(file.read_text().rstrip("\n"))
    events = Events()
    predict(folder, future=file, events=events)
    assert [text.partition(":")[0] for id, text in events.warnings if id == "data.tail_cut"] == [str(file)]


def test_rows_without_times_follow_the_last_one(tmp_path: Path) -> None:
    promo = promotions(ROWS)
    file = write_csv(tmp_path / "n.csv", {"sales": 50 * promo + momentum(ROWS), "promo": promo})
    trained(file, {**KEYS, "run.name": "n"})
    assert "with the header promo and a row a step" in refused(tmp_path, "n").hint
    ahead = write_csv(tmp_path / "f.csv", {"promo": np.array([1.0, 0.0])})
    found = predict(tmp_path, "n", future=ahead)
    assert [row.time for row in found.rows] == ["121", "122"]


def test_a_backtest_takes_them_from_the_rows_themselves(folder: Path) -> None:
    result = pipeline.evaluate("one", backtest=Backtest(), runs_dir=folder / "runs")
    held, chosen = result.evaluation.held, opened(result.run)
    row = int(held.rows[3])
    panel = result.evaluation.panel
    ahead = panel.values[None, row + 1 : row + 3, 1:]
    alone = chosen.tested.at(panel, np.array([row]), np.array([0]), horizon=2, ahead=ahead)
    assert held.forecast[3].tolist() == alone.point[0].tolist()


def test_the_audit_finds_no_leak_in_what_is_known_ahead(folder: Path) -> None:
    result = pipeline.evaluate("one", backtest=Backtest(), runs_dir=folder / "runs", audit=True)
    assert result.audit is not None
    assert [check.name for check in result.audit.checks if not check.ok] == []


def test_a_future_covariate_that_knows_tomorrow_is_no_finding(tmp_path: Path) -> None:
    """It is known ahead by definition; as a past covariate the same column is one."""
    walk = momentum(ROWS + 1)
    file = write_csv(tmp_path / "a.csv", {"date": days(ROWS), "v": walk[:-1], "next": walk[1:]})
    found = {}
    for role in ("past", "future"):
        events = Events()
        trained(
            file, {"data.target": "v", f"data.{role}_covariates": "[next]", "run.name": role}, events=events
        )
        found[role] = [id for id, _ in events.warnings]
    assert "data.leak" in found["past"]
    assert "data.leak" not in found["future"]


def test_a_series_that_is_not_what_it_was_is_refused(tmp_path: Path) -> None:
    text = two_shops(tmp_path / "a.csv").read_text().splitlines()
    kinds = {"a": "mall", "b": "street"}
    lines = [f"{text[0]},kind", *(f"{line},{kinds[line.split(',')[1]]}" for line in text[1:])]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    keys = {"data.target": "sales", "data.series_id": "shop", "data.static_covariates": "[kind]"}
    trained(tmp_path / "a.csv", {**keys, "run.name": "one"})
    assert len(values(predict(tmp_path))) == 4
    (tmp_path / "b.csv").write_text((tmp_path / "a.csv").read_text().replace("street", "pier"))
    error = refused(tmp_path, data=str(tmp_path / "b.csv"))
    assert error.code == 11
    assert error.message == "static column 'kind': series 'b' has 'pier', another than in training"


def test_numbered_rows_have_no_calendar(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "a.csv", {"v": momentum(ROWS)})
    with pytest.raises(DataInvalid) as caught:
        trained(file, {"data.calendar_features": "[dayofweek]"})
    assert caught.value.id == "data.calendar_features"


def test_a_run_knows_its_holidays_without_their_file(tmp_path: Path) -> None:
    """Of the file as it is now, where it is there; and says where they end."""
    off = tmp_path / "off.txt"
    off.write_text("".join(f"{day}\n" for day in days(ROWS + 20)[::6]))
    file = write_csv(tmp_path / "a.csv", {"date": days(ROWS), "v": momentum(ROWS)})
    trained(file, {"data.holidays": str(off), "run.name": "one", **MOVED})
    expected = values(predict(tmp_path, horizon=6))
    off.write_text("".join(f"{day}\n" for day in (*days(ROWS)[::6], days(ROWS + 3)[-1])))
    assert values(predict(tmp_path, horizon=6)) != expected
    off.unlink()
    events = Events()
    assert values(predict(tmp_path, horizon=6, events=events)) == expected
    assert not [id for id, _ in events.warnings if id == "predict.holidays_end"]
    predict(tmp_path, horizon=300, events=events)
    ends = f"the last holiday of {off} lies in 2024, and the forecast reaches into 2025"
    said = [text for id, text in events.warnings if id == "predict.holidays_end"]
    assert said == [f"{ends}: no step there counts as one"]


def test_a_run_knows_a_countrys_holidays_for_ten_years_without_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_csv(tmp_path / "a.csv", {"date": days(ROWS), "v": momentum(ROWS)})
    result = trained(file, {"data.holidays": "DE", "run.name": "one", **MOVED})
    assert opened(result.run).preprocess.columns == ("v", "holiday")
    monkeypatch.setitem(sys.modules, "holidays", None)
    assert len(values(predict(tmp_path, horizon=300))) == 300
    error = refused(tmp_path, horizon=365 * 12)
    assert (error.code, error.id) == (16, "resource.extra")


def test_the_command_takes_the_file(folder: Path, tmp_path: Path, cli: Cli) -> None:
    future = coming(tmp_path / "f.csv", [1, 0])
    result = cli("predict", "one", "--runs-dir", folder / "runs", "--future", future)
    assert result.code == 0
    assert len(result.out.splitlines()) == 3
    missing = cli("predict", "one", "--runs-dir", folder / "runs", "--future", tmp_path / "gone.csv")
    assert missing.code == 10
    assert "gone.csv" in missing.err
    none = cli("predict", "one", "--runs-dir", folder / "runs", "--output", tmp_path / "out.csv")
    assert none.code == 11
    assert not (tmp_path / "out.csv").exists()
