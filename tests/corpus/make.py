"""Bad and odd CSV files and configurations, made the same way every time, with what reading them must give.

``python -m tests.corpus.make FOLDER`` writes all of them and an ``expected.json`` beside.
"""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from lstm_forecast.data.table import ReadOptions

DEFAULT = ReadOptions()


@dataclass(frozen=True)
class Case:
    """One file: the row of the fault matrix, its bytes, and the error that reading it must give."""

    name: str
    row: int
    content: bytes
    id: str  # empty: it must be read
    code: int
    line: int | None = None
    options: ReadOptions = DEFAULT
    column: int | None = None
    suffix: str = "csv"

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"{self.name}.{self.suffix}"


def days(count: int, start: int = 1) -> str:
    """Rows ``2024-03-01,1.5,10`` onwards: the close is the day and a half, the volume ten times the day."""
    return "".join(f"2024-03-{day:02d},{day}.5,{day * 10}\n" for day in range(start, start + count))


HEAD = "Date,Close,Volume\n"
GOOD = HEAD + days(9)


def _invalid(row: int, name: str, id: str, text: str | bytes, line: int | None = None) -> Case:
    return Case(name, row, text if isinstance(text, bytes) else text.encode(), id, 11, line)


def _values(cell: str) -> str:
    """A column of good numbers with one odd cell in line 4."""
    return f'Date,Close\n2024-03-01,1.5\n2024-03-02,2.5\n2024-03-03,"{cell}"\n2024-03-04,1234.5\n'


def _times(*cells: str) -> str:
    return "Date,Close\n" + "".join(f'"{cell}",{number}.5\n' for number, cell in enumerate(cells, start=1))


_EMPTY = (
    _invalid(2, "zero_bytes", "data.empty", ""),
    _invalid(2, "blank_lines", "data.empty", "\n\n  \n\n"),
    _invalid(2, "header_only", "data.empty", HEAD, 1),
)
_RAGGED = (
    _invalid(3, "every_row_one_longer", "data.ragged", "a,b\n1,2,3\n4,5,6\n7,8,9\n", 2),
    _invalid(
        3, "every_row_ends_with_a_comma", "data.ragged", "Date,Close\n2024-03-01,2,\n2024-03-02,5,\n", 2
    ),
    _invalid(3, "every_row_one_shorter", "data.ragged", "Date,Close,Open\n2024-03-01,2\n2024-03-02,5\n", 2),
    _invalid(4, "one_long_row", "data.ragged", GOOD + "2024-03-10,1,234,5\n" + days(3, 11), 11),
    _invalid(4, "one_short_row", "data.ragged", GOOD + "2024-03-10,1\n" + days(3, 11), 11),
    _invalid(4, "first_row_long", "data.ragged", HEAD + "2024-03-01,1,2,3\n" + days(8, 2), 2),
)
_DIALECT = (
    _invalid(5, "aligned_by_blanks", "data.dialect", "date close\n2024-03-01   1.5\n2024-03-02   2.5\n"),
    _invalid(5, "decimal_comma_cut_by_comma", "data.ragged", "value\n1,5\n2,5\n3,5\n", 2),
    _invalid(
        5, "comma_could_group_or_be_decimal", "data.decimal", "d;y\n2024-03-01;1,500\n2024-03-02;2,500\n"
    ),
    _invalid(5, "dot_could_group_or_be_decimal", "data.decimal", "d;y\n2024-03-01;1.500\n2024-03-02;2.500\n"),
)
_ENCODING = (
    _invalid(6, "latin_1", "data.encoding", "Datum,Größe\n2024-03-01,1\n".encode("latin-1"), 1),
    _invalid(6, "nul", "data.encoding", GOOD.replace("3.5", "3\x00.5"), 4),
    _invalid(6, "invalid_byte", "data.encoding", GOOD.encode() + b"2024-03-10,1\xff,2\n", 11),
    _invalid(
        6,
        "chinese_utf8_with_a_bad_byte",
        "data.encoding",
        "日期,收盘价\n2024-03-01,1\n".encode() + b"\xb0\xa1\xb0\xa1",
    ),
)
_QUOTES = (
    _invalid(
        7, "unclosed_quote", "data.quote", HEAD + days(1) + '2024-03-02,"2.5,20\n' + days(9) * 10_000, 3
    ),
    _invalid(7, "unclosed_quote_at_the_end", "data.quote", GOOD + '2024-03-10,"2.5,20\n', 11),
    _invalid(7, "text_after_a_quote", "data.quote", HEAD + days(1) + '2024-03-02,"2"5,20\n', 3),
    _invalid(7, "cell_without_end", "data.long_cell", GOOD + f"2024-03-10,{'7' * 140_000},2\n", 11),
)
_VALUES = tuple(
    _invalid(8, name, "data.value", _values(cell), line)
    for name, cell, line in (
        ("mixed_thousands", "1,234.5", 4),
        ("currency", "$5", 4),
        ("percent", "5%", 4),
        ("typographic_minus", "−5", 4),
        ("hexadecimal", "0x10", 4),
        ("underscore", "1_000", 4),
        ("arabic_digits", "٣", 4),
        ("full_width_digits", "１２", 4),
        ("truth", "True", 4),
        ("capital_truth", "TRUE", 4),
        ("parentheses", "(5)", 4),
        ("two_dots", "1.2.3", 4),
        ("two_numbers", "1 2", 4),
        ("wrong_groups", "12,34", 4),
        ("dashes_within", "1-2", 4),
        ("letters", "abc", 4),
    )
)
_RANGE = (
    _invalid(9, "infinite", "data.range", _values("inf"), 4),
    _invalid(9, "minus_infinity", "data.range", _values("-Infinity"), 4),
    _invalid(9, "beyond_float64", "data.range", _values("1e400"), 4),
    _invalid(20, "beyond_float32", "data.range", _values("3.5e38"), 4),
    _invalid(20, "large_double", "data.range", _values("-1e308"), 4),
)
_TIMES = (
    _invalid(10, "duplicate", "data.duplicates", GOOD + days(1), 11),
    _invalid(
        10,
        "hour_twice",
        "data.duplicates",
        _times("2024-10-27 01:00", "2024-10-27 02:00", "2024-10-27 02:00", "2024-10-27 03:00"),
        4,
    ),
    _invalid(10, "mixed_zones", "data.zones", _times("2024-03-01T00:00+01:00", "2024-04-01T00:00+02:00"), 3),
    _invalid(10, "ambiguous", "data.date_format", _times("01/02/2024", "02/02/2024", "03/02/2024"), 2),
    _invalid(10, "two_digit_years", "data.time", _times("01/02/24", "02/02/24")),
    _invalid(10, "day_and_month_change_places", "data.time", _times("13/02/2024", "02/14/2024"), 3),
    _invalid(10, "mixed_formats", "data.time", _times("2024-03-01", "2024-03-02", "03.03.2024"), 4),
    _invalid(10, "date_then_clock", "data.time", _times("2024-03-01", "2024-03-02", "2024-03-03 12:00"), 4),
    _invalid(
        10,
        "zone_then_none",
        "data.time",
        _times("2024-03-01T00:00Z", "2024-03-02T00:00Z", "2024-03-03T00:00"),
        4,
    ),
    _invalid(10, "no_such_day", "data.time", _times("2024-02-28", "2024-02-30"), 3),
    _invalid(10, "no_such_hour", "data.time", _times("2024-02-28 23:00", "2024-02-28 24:00"), 3),
    _invalid(10, "empty_cell", "data.time", _times("2024-02-28", "", "2024-02-29"), 3),
    _invalid(10, "excel_day_numbers", "data.time", _times("45352", "45353")),
    _invalid(10, "words", "data.time", _times("first", "second")),
)
_KINDS = tuple(
    _invalid(11, name, "data.kind", head)
    for name, head in (
        ("html", b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n"),
        ("xml", b'<?xml version="1.0"?>\n<a/>\n'),
        ("lfs_pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
        ("xlsx", b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml\x00"),
        ("zip", b"PK\x03\x04\x14\x00\x00\x00prices.csv"),
        ("xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 100),
        ("parquet", b"PAR1\x15\x04\x15"),
        ("pdf", b"%PDF-1.7\n"),
        ("sqlite", b"SQLite format 3\x00\x10\x00"),
        ("json_list", b'[{"Date": "2024-03-01", "Close": 1}]'),
        ("json_object", b'{"Date": ["2024-03-01"]}'),
        ("xz", b"\xfd7zXZ\x00\x00\x04"),
        ("bzip2", b"BZh91AY&SY\x00"),
        ("gzip_in_gzip", gzip.compress(gzip.compress(b"x", mtime=0), mtime=0)),
    )
)
_CUT = (
    _invalid(11, "repeated_header", "data.repeated_header", GOOD + GOOD, 11),
    _invalid(11, "duplicate_columns", "data.duplicate_column", "Date,Close,Close\n2024-03-01,1,2\n", 1),
    _invalid(11, "cut_row", "data.ragged", GOOD + "2024-03-10,1", 11),
    _invalid(11, "cut_date", "data.time", GOOD + "2024-03-,1,2", 11),
    _invalid(11, "cut_gzip", "data.gzip", gzip.compress(GOOD.encode() * 50, mtime=0)[:-12]),
)

_LIMITS = (
    Case("long_line", 67, gzip.compress(b"0" * (3 * 2**20), mtime=0), "data.limit", 11, suffix="csv.gz"),
    _invalid(69, "escape_sequence", "data.value", _values("\x1b[31mred"), 4),
    _invalid(69, "markup", "data.value", _values("[red]1[/red]"), 4),
)


def _config(row: int, name: str, id: str, text: str | bytes, line: int | None, column: int | None) -> Case:
    content = text if isinstance(text, bytes) else text.encode()
    return Case(name, row, content, id, 2, line, column=column, suffix="yaml")


DATA = "data:\n  path: prices.csv\n"
_CONFIGS = (
    _config(12, "unknown_key", "config.unknown_key", f"{DATA}training:\n  epoch: 3\n", 4, 3),
    _config(12, "unknown_section", "config.unknown_key", f"{DATA}trainig:\n  epochs: 3\n", 3, 1),
    _config(13, "key_twice", "config.duplicate", f"{DATA}run:\nrun:\n", 4, 1),
    _config(13, "clock", "config.type", f"{DATA}training:\n  epochs: 12:30:00\n", 4, 3),
    _config(13, "yes_for_a_number", "config.type", f"{DATA}training:\n  epochs: yes\n", 4, 3),
    _config(14, "no_epochs", "config.range", f"{DATA}training:\n  epochs: -1\n", 4, 3),
    _config(14, "half_an_epoch", "config.type", f"{DATA}training:\n  epochs: 1.5\n", 4, 3),
    _config(14, "no_lookback", "config.range", f"{DATA}window:\n  lookback: 0\n", 4, 3),
    _config(14, "rate_that_is_none", "config.range", f"{DATA}training:\n  lr: .nan\n", 4, 3),
    _config(15, "empty_file", "config.empty", "", None, None),
    _config(15, "list_at_the_top", "config.not_mapping", "- a\n- b\n", None, None),
    _config(15, "two_documents", "config.documents", f"{DATA}---\n{DATA}", 3, 1),
    _config(15, "tab", "config.syntax", "data:\n\tpath: prices.csv\n", 2, 1),
    _config(15, "latin_1_comment", "config.encoding", f"{DATA}# Größe\n".encode("latin-1"), 3, None),
    _config(15, "utf_16", "config.encoding", DATA.encode("utf-16"), 1, None),
    _config(15, "ten_megabytes", "config.unsafe", "a: 1\n" * 2_000_000, None, None),
    _config(16, "aliases", "config.unsafe", f"{DATA}run: &a {{name: x}}\nmodel: *a\n", 3, 6),
    _config(16, "merge_key", "config.unsafe", f"{DATA}run:\n  <<: {{name: x}}\n", 4, 3),
    _config(16, "deep_brackets", "config.unsafe", "[" * 5000, 1, 21),
    _config(16, "runs_code", "config.unsafe", "!!python/object/apply:os.system ['touch marker']\n", 1, 1),
    _config(17, "newer_form", "config.newer", f"schema_version: 2\n{DATA}", 1, 1),
    _config(
        68, "remote_input", "data.remote_disabled", "data:\n  path: http://169.254.169.254/x\n", None, None
    ),
)

CASES = (
    *_EMPTY,
    *_RAGGED,
    *_DIALECT,
    *_ENCODING,
    *_QUOTES,
    *_VALUES,
    *_RANGE,
    *_TIMES,
    *_KINDS,
    *_CUT,
    *_LIMITS,
)
CONFIGS = _CONFIGS


def cases(row: int) -> list[Case]:
    """The cases of one row of the matrix."""
    return [case for case in CASES if case.row == row]


def write(folder: Path) -> None:
    """Every case as a file, and ``expected.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for case in (*CASES, *CONFIGS):
        (folder / case.file).write_bytes(case.content)
        place = {"line": case.line, "column": case.column}
        expected[case.file] = {"row": case.row, "code": case.code, "id": case.id, **place}
    (folder / "expected.json").write_text(json.dumps(expected, indent=1), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
