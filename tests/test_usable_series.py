"""``data.bad_series: skip``: the panel is that of the file without the broken series, and it is said."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from lstm_forecast import pipeline
from lstm_forecast.errors import DataInvalid, ForecastError
from lstm_forecast.events import Events
from lstm_forecast.fitting import Plan
from lstm_forecast.opening import opened
from tests.training.jobs import days, job, momentum, trained, write_csv

ROWS = 100
SKIP = {"data.series_id": "id", "data.bad_series": "skip", "data.time": "date"}
Rows = list[tuple[str, str, str]]


def rows_of(name: str, *, rows: int = ROWS) -> Rows:
    values = momentum(rows, seed=ord(name[0]))
    return [(day, name, f"{value:.3f}") for day, value in zip(days(rows), values, strict=True)]


def file_of(path: Path, *series: Rows) -> Path:
    lines = [",".join(row) for rows in series for row in rows]
    path.write_text("\n".join(["date,id,v", *lines]) + "\n", encoding="utf-8")
    return path


def with_row(rows: Rows, at: int, *, day: str | None = None, value: str | None = None) -> Rows:
    changed = list(rows)
    was = changed[at]
    changed[at] = (day or was[0], was[1], was[2] if value is None else value)
    return changed


B = rows_of("b")
BROKEN = {
    "empty": (
        with_row(B, 30, value=""),
        {},
        "1 empty cell, first in column 'v'; expected a number in every row",
        132,
    ),
    "text": (with_row(B, 30, value="x"), {}, "column 'v': 'x' cannot be read", 132),
    "range": (with_row(B, 30, value="1e39"), {}, "column 'v': '1e39' cannot be read", 132),
    "time": (with_row(B, 30, day="soon"), {}, "column 'date': 'soon' cannot be read", 132),
    "twice": (with_row(B, 30, day=days(5)[4]), {}, "several rows at 2024-01-05", 132),
    "hole": (
        B[:30] + B[31:],
        {},
        "1 time is missing from a series that is daily; the first is 2024-01-31",
        0,
    ),
    "log": (
        with_row(B, 30, value="-1"),
        {"data.transform": "log"},
        "1 of the target's values has no log; the lowest is -1",
        0,
    ),
    "weekly": (B[::7], {}, "84 times are missing from a series that is daily; the first is 2024-01-02", 0),
    "filled": (
        B[:30] + B[31:],
        {"data.gaps": "fill"},
        "1 empty cell in the rows that data.gaps: fill made",
        0,
    ),
}


def planned(path: Path, changes: dict[str, str], events: Events | None = None) -> Plan:
    return pipeline.plan(job(path, {**SKIP, **changes}), runs_dir=path.parent / "runs", events=events)


@pytest.mark.parametrize("fault", BROKEN)
def test_the_panel_is_that_of_the_file_without_it(fault: str, tmp_path: Path) -> None:
    broken, changes, reason, line = BROKEN[fault]
    file = file_of(tmp_path / "all.csv", rows_of("a"), broken, rows_of("c"))
    events = Events()
    found = planned(file, changes, events)
    good = planned(file_of(tmp_path / "good.csv", rows_of("a"), rows_of("c")), changes)
    for name in ("values", "observed", "times", "offsets"):
        assert np.array_equal(getattr(found.prepared.panel, name), getattr(good.prepared.panel, name)), name
    assert found.prepared.panel.series_ids == ("a", "c")
    assert found.frequency == good.frequency
    assert dict(events.warnings)["data.bad_series"] == f"1 of 3 series left out: b ({reason})"
    assert found.table.rejects == ({"series": "b", "line": line, "reason": reason, "rows": len(broken)},)
    told = f"1 of 3 series left out, with {len(broken)} rows (data.bad_series: skip)"
    assert told in found.account
    with pytest.raises(DataInvalid) as caught:
        planned(file, {**changes, "data.bad_series": "error"})
    if line == 0 or fault == "empty":
        assert caught.value.hint.endswith("; or go on without such series: data.bad_series: skip")


def test_the_rhythm_is_that_of_most_series(tmp_path: Path) -> None:
    """Rows between the days of one series would make all of them irregular."""
    odd = [(day + ("T12:00:00" if n % 3 else "T00:00:00"), "b", v) for n, (day, _, v) in enumerate(B)]
    plain = [[(day + "T00:00:00", *rest) for day, *rest in rows_of(name)] for name in "acd"]
    found = planned(file_of(tmp_path / "all.csv", plain[0], odd, *plain[1:]), {})
    assert str(found.frequency) == "daily"
    assert found.prepared.panel.series_ids == ("a", "c", "d")
    assert found.table.left_out[0].reason == "some rows lie between the steps of a series that is daily"


def test_a_weekday_pattern_is_not_broken_by_one_series_with_weekends(tmp_path: Path) -> None:
    """Rows beside a trading pattern are no fault; that the others have no weekends is none either."""
    trading = [[row for n, row in enumerate(rows_of(name)) if n % 7 < 5] for name in "acd"]
    found = planned(file_of(tmp_path / "all.csv", trading[0], B[:30] + B[40:], *trading[1:]), {})
    assert found.prepared.panel.series_ids == ("a", "b", "c", "d")
    assert str(found.frequency) == "daily, Mon-Fri"


def test_training_gives_the_bits_of_the_file_without_it_and_lists_it(tmp_path: Path) -> None:
    file = file_of(tmp_path / "all.csv", rows_of("a"), BROKEN["empty"][0], rows_of("c"))
    result = trained(file, SKIP)
    good = trained(file_of(tmp_path / "good.csv", rows_of("a"), rows_of("c")), SKIP)
    for name in ("model.safetensors", "preprocess.json", "context.safetensors"):
        assert (result.run.path / name).read_bytes() == (good.run.path / name).read_bytes()
    (line,) = (result.run.path / "rejects.jsonl").read_text().splitlines()
    reject = json.loads(line)
    assert [reject[key] for key in ("event", "series", "line", "rows")] == ["reject", "b", 132, ROWS]


def test_predict_leaves_out_what_is_broken_now(tmp_path: Path) -> None:
    file = file_of(tmp_path / "all.csv", rows_of("a"), B, rows_of("c"))
    run = trained(file, SKIP).run
    before = pipeline.predict(run.path)
    file_of(file, rows_of("a"), BROKEN["hole"][0], rows_of("c"))
    events = Events()
    after = pipeline.predict(run.path, events=events)
    assert after.rows == tuple(row for row in before.rows if row.series != "b")
    said = dict(events.warnings)
    assert said["data.bad_series"].startswith("1 of 3 series left out: b (1 time is missing")
    assert said["predict.series_gone"] == "1 series of the run without rows, and so without a forecast: b"
    file_of(file, *(rows_of(name)[:30] + rows_of(name)[31:] for name in "abc"))
    with pytest.raises(DataInvalid) as caught:
        pipeline.predict(run.path)
    assert caught.value.hint.startswith("mend the file, or train again with another key: ")
    assert caught.value.details == ("no other series could be used either (data.bad_series: skip)",)


def test_where_none_is_left_the_first_error_is_given(tmp_path: Path) -> None:
    for fault in BROKEN:
        broken, changes, *_ = BROKEN[fault]
        both = [broken, [(day, "a", value) for day, _, value in broken]]
        for file in (file_of(tmp_path / "both.csv", *both), file_of(tmp_path / "one.csv", broken)):
            if fault == "weekly":  # alone they are a good weekly file, but a short one
                continue
            with pytest.raises(DataInvalid) as caught:
                planned(file, changes)
            assert caught.value.code == 11
            with pytest.raises(DataInvalid) as usual:
                planned(file, {**changes, "data.bad_series": "error"})
            assert caught.value.id == usual.value.id


@pytest.mark.parametrize(
    ("line", "id"),
    [(f"{days(31)[30]},b,1,2", "data.ragged"), (f"{days(31)[30]},,1", "data.series_id")],
    ids=["ragged", "no id"],
)
def test_a_fault_of_no_series_is_an_error_still(line: str, id: str, tmp_path: Path) -> None:
    file = file_of(tmp_path / "all.csv", rows_of("a"), B)
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(DataInvalid) as caught:
        planned(file, {})
    assert caught.value.id == id


def test_bad_rows_go_before_bad_series(tmp_path: Path) -> None:
    """A row that is left out breaks no series; what is then missing may."""
    file = file_of(tmp_path / "all.csv", rows_of("a"), BROKEN["text"][0])
    rows = {"data.bad_rows": "skip", "data.max_bad_rows": "1"}
    assert planned(file, {**rows, "data.gaps": "keep"}).prepared.panel.lengths.tolist() == [ROWS, ROWS - 1]
    assert planned(file, rows).prepared.panel.series_ids == ("a",)


def test_a_column_of_a_wide_file_is_a_series(tmp_path: Path) -> None:
    values = {name: [f"{value:.3f}" for value in momentum(ROWS, seed=n)] for n, name in enumerate("abc")}
    good = write_csv(tmp_path / "good.csv", {"date": days(ROWS), "a": values["a"], "c": values["c"]})
    values["b"][30] = "x"
    file = write_csv(tmp_path / "all.csv", {"date": days(ROWS), **{name: values[name] for name in "abc"}})
    skip = {"data.series_id": "null", "data.target": "[a, b, c]"}
    found = planned(file, skip)
    assert found.table.rejects == (
        {"series": "b", "line": 32, "reason": "column 'b': 'x' cannot be read", "rows": ROWS},
    )
    kept = planned(good, {**skip, "data.target": "[a, c]"}).prepared.panel
    assert np.array_equal(found.prepared.panel.values, kept.values)
    file.write_text(file.read_text().replace(days(ROWS)[40], "soon"))
    with pytest.raises(DataInvalid) as caught:  # the time of all series
        planned(file, skip)
    assert caught.value.id == "data.time"


def test_a_strict_reader_makes_it_an_error(tmp_path: Path) -> None:
    file = file_of(tmp_path / "all.csv", rows_of("a"), BROKEN["empty"][0])
    with pytest.raises(DataInvalid) as caught:
        planned(file, {"data.strict": "true"})
    assert (caught.value.id, caught.value.hint) == (
        "data.bad_series",
        "correct the file, or set data.strict: false",
    )


def test_the_warning_explains_three_and_counts_the_others(tmp_path: Path) -> None:
    broken = [with_row(rows_of(name), 3, value="x") for name in "bcdef"]
    events = Events()
    planned(file_of(tmp_path / "all.csv", rows_of("a"), *broken), {}, events)
    reason = "column 'v': 'x' cannot be read"
    named = "; ".join(f"{name} ({reason})" for name in "bcd")
    assert dict(events.warnings)["data.bad_series"] == f"5 of 6 series left out: {named}; and 2 more"


def folder_of(path: Path, **changed: str) -> Path:
    """Files ``a`` to ``d`` of a series each, some with another text."""
    path.mkdir()
    for name in "abcd":
        lines = [f"{day},{value}" for day, _, value in rows_of(name)]
        text = changed.get(name, "\n".join(["date,v", *lines]) + "\n")
        (path / f"{name}.csv").write_text(text, encoding="utf-8")
    return path


FILES = {"data.series_id": "null", "data.bad_series": "skip"}


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize(
    "fault", ["text", "ragged", "empty file", "other column", "other dates", "binary", "hole"]
)
def test_a_file_that_cannot_be_read_is_left_out_also_the_first(fault: str, name: str, tmp_path: Path) -> None:
    plain = "\n".join(["date,v", *(f"{day},{value}" for day, _, value in rows_of(name))]) + "\n"
    texts = {
        "text": plain.replace(days(31)[30] + ",", days(31)[30] + ",x"),
        "ragged": plain + "2024-08-01,1,2\n",
        "empty file": "",
        "other column": plain.replace("date,v", "when,w").replace("2024-", "2023/"),
        "other dates": plain.replace("2024-", "2024/"),
        "binary": "\0\0\0",
        "hole": plain.replace(f"{days(31)[30]},", "#").replace("#" + rows_of(name)[30][2] + "\n", ""),
    }
    if fault == "other column" and name == "a":
        pytest.skip("columns are those of the first file that can be read")
    folder = folder_of(tmp_path / "files", **{name: texts[fault]})
    events = Events()
    found = planned(folder, FILES, events)
    (tmp_path / "good").mkdir()
    for other in set("abcd") - {name}:
        (tmp_path / "good" / f"{other}.csv").write_bytes((folder / f"{other}.csv").read_bytes())
    good = planned(tmp_path / "good", FILES).prepared.panel
    assert found.prepared.panel.series_ids == good.series_ids == tuple(sorted(set("abcd") - {name}))
    assert np.array_equal(found.prepared.panel.values, good.values)
    assert dict(events.warnings)["data.bad_series"].startswith(f"1 of 4 series left out: {name} (")
    (reject,) = found.table.rejects
    assert (reject["series"], reject["file"]) == (name, str(folder / f"{name}.csv"))
    with pytest.raises(ForecastError):
        planned(folder, {**FILES, "data.bad_series": "error"})


def test_files_that_cannot_be_opened_are_left_out_and_part_of_the_hash(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "files")
    whole = planned(folder, FILES).table.source.sha256
    packed = gzip.compress((folder / "b.csv").read_bytes())
    (folder / "b.csv.gz").write_bytes(packed[: len(packed) // 2])
    (folder / "b.csv").unlink()
    (folder / "e.csv").symlink_to(tmp_path / "nowhere")
    found = planned(folder, FILES)
    assert found.prepared.panel.series_ids == ("a", "c", "d")
    assert [one.series for one in found.table.left_out] == ["b", "e"]
    assert found.table.source.sha256 != whole
    assert planned(folder, FILES).table.source.sha256 == found.table.source.sha256


def test_a_series_of_a_file_with_several_keeps_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    file_of(folder / "one.csv", rows_of("a"), BROKEN["text"][0])
    file_of(folder / "two.csv", rows_of("c"), rows_of("d"))
    found = planned(folder, {})
    assert found.prepared.panel.series_ids == ("one/a", "two/c", "two/d")
    assert [(one.series, one.file) for one in found.table.left_out] == [("one/b", str(folder / "one.csv"))]


def test_the_run_says_how_many_series_it_has(tmp_path: Path) -> None:
    run = opened(trained(file_of(tmp_path / "all.csv", rows_of("a"), BROKEN["log"][0], rows_of("c")),
                         {**SKIP, "data.transform": "log"}).run)  # fmt: skip
    assert run.about["data"]["series"] == 2
