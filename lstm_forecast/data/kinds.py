"""Files that are not CSV, known by their first bytes, and how each is made into one."""

from __future__ import annotations

import re

from lstm_forecast.errors import DataInvalid

_EXCEL = "open it and save the sheet as 'CSV UTF-8 (comma delimited)'"
_UNPACK = "unpack it first and give the file inside (only gzip is read directly)"
_PANDAS = (
    "write it as CSV: python -c \"import pandas; pandas.read_{0}('FILE').to_csv('data.csv', index=False)\""
)

_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", _EXCEL),
    (b"PAR1", "a Parquet file", _PANDAS.format("parquet")),
    (b"ARROW1", "an Arrow file", _PANDAS.format("feather")),
    (b"FEA1", "a Feather file", _PANDAS.format("feather")),
    (b"\x89HDF", "an HDF5 file", _PANDAS.format("hdf")),
    (b"%PDF", "a PDF", "export the table from its source as CSV"),
    (
        b"SQLite format 3\x00",
        "an SQLite database",
        "export the table: sqlite3 -header -csv FILE 'select * from TABLE'",
    ),
    (
        b"version https://git-lfs.github.com",
        "a git-LFS pointer, not the file itself",
        "fetch the file: git lfs pull",
    ),
    (b"\xfd7zXZ\x00", "an xz archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"\x1f\x8b", "gzip inside gzip", _UNPACK),
    (b"\x93NUMPY", "a NumPy array", "write it as CSV with column names"),
    (b"\x89PNG", "a PNG picture", "give the numbers it was drawn from"),
    (b"{\\rtf", "a rich text document", "save it as plain text"),
)
_BZIP2 = re.compile(rb"BZh[1-9]1AY&SY")
_HTML = re.compile(rb"\s*<(!doctype|html|head|body|table|div|script|\?xml|!--)", re.IGNORECASE)
_JSON = re.compile(rb"\s*(\{\s*[\"}]|\[\s*[\[{\"\]])")


def require_text(head: bytes, name: str) -> None:
    """Nothing for what may be a CSV.

    Raises:
        DataInvalid: ``data.kind``, naming what the bytes are and how to save them as CSV.
    """
    kind, remedy = _recognise(head[:4096].removeprefix(b"\xef\xbb\xbf"))
    if kind:
        raise DataInvalid(
            "data.kind", f"looks like {kind}, expected a CSV text file", where=name, hint=remedy
        )


def _recognise(head: bytes) -> tuple[str, str]:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        if b"xl/" in head or b"[Content_Types].xml" in head:
            return "an Excel workbook (.xlsx)", _EXCEL
        return "a zip archive", _UNPACK
    for magic, kind, remedy in _MAGIC:
        if head.startswith(magic):
            return kind, remedy
    if _BZIP2.match(head):
        return "a bzip2 archive", _UNPACK
    if _HTML.match(head):
        return "HTML or XML", "a web page was saved, perhaps a login page; download the CSV itself"
    if _JSON.match(head):
        return "JSON", _PANDAS.format("json")
    return "", ""
