"""How the bytes of a data file become text: the encoding that reads all of them."""

from __future__ import annotations

import codecs
import re

from lstm_forecast.data.source import RawFile, Text
from lstm_forecast.errors import DataInvalid, UsageError

_BLOCK = 2**20  # bytes decoded at once
_HANZI_PAIR = re.compile(rb"(?:[\xb0-\xd7][\xa1-\xfe]){2}")  # two common characters of GB2312, adjacent
_FIRST_BLOCK = 2**16
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(raw: RawFile, encoding: str | None) -> Text:
    """The text of a file: the named encoding, else by its mark, else UTF-8, else GB18030 on evidence.

    Raises:
        UsageError: no encoding of that name.
        DataInvalid: a byte that does not belong there, or a NUL.
    """
    found = _named(encoding, raw.name) if encoding else _marked(raw)
    if found in ("", "utf-8", "utf-8-sig") and b"\x00" not in raw.data and _is_utf8(raw.data):
        return Text(raw.name, raw.data, found or "utf-8")
    found = found or _recognised(raw)
    try:
        decoded = raw.data.decode(found)
    except UnicodeError as error:
        raise _undecodable(raw, found, error) from None
    zero = decoded.find("\x00")
    if zero >= 0:
        line = _line_number(decoded[:zero])
        raise DataInvalid(
            "data.encoding",
            "a NUL character, expected text",
            where=f"{raw.name}:{line}",
            hint="for UTF-16 without a mark set data.encoding: utf-16-le; else save the file as UTF-8",
        )
    return Text(raw.name, raw.data, found)


def _is_utf8(data: bytes) -> bool:
    """Whether all of it is; line by line, so that no second copy is made."""
    if data.isascii():
        return True
    begin = 0
    while begin < len(data):
        end = data.find(b"\n", begin + _BLOCK) + 1 or len(data)
        try:
            data[begin:end].decode("utf-8")
        except UnicodeDecodeError:
            return False
        begin = end
    return True


def _named(encoding: str, name: str) -> str:
    try:
        info = codecs.lookup(encoding)
        b"".decode(encoding)
    except LookupError:
        raise UsageError(
            "data.encoding",
            f"no text encoding is called {encoding!r}",
            where=name,
            hint="data.encoding: utf-8 | gb18030 | cp1252 | latin-1 | utf-16, or null to find it",
        ) from None
    return "utf-8-sig" if info.name == "utf-8" else info.name


def _marked(raw: RawFile) -> str:
    """The encoding that the first bytes name; empty: none."""
    return next((encoding for mark, encoding in _BOMS if raw.data.startswith(mark)), "")


def _recognised(raw: RawFile) -> str:
    try:
        raw.data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw.data[: error.start].decode("utf-8")
        is_utf8_so_far = any(c >= "\u0800" for c in before)  # three-byte characters do not come by chance
        if not is_utf8_so_far and _HANZI_PAIR.search(_around_first_high_byte(raw.data)):
            return "gb18030"
    return "utf-8"


def _around_first_high_byte(data: bytes) -> bytes:
    high = re.search(rb"[\x80-\xff]", data)
    start = high.start() if high else 0
    return data[start : start + _FIRST_BLOCK]


def _undecodable(raw: RawFile, encoding: str, error: UnicodeError) -> DataInvalid:
    if not isinstance(error, UnicodeDecodeError):
        return DataInvalid(
            "data.encoding", f"not {encoding}: {error}", where=raw.name, hint="set data.encoding"
        )
    line = _line_number(raw.data[: error.start].decode("latin-1"))
    byte = raw.data[error.start]
    wanted = "UTF-8" if encoding.startswith("utf-8") else encoding
    return DataInvalid(
        "data.encoding",
        f"byte 0x{byte:02x} at offset {error.start} is not {wanted}",
        where=f"{raw.name}:{line}",
        hint="save it as UTF-8, or name its encoding: data.encoding: cp1252 (Western), gb18030 (Chinese), …",
    )


def _line_number(before: str) -> int:
    return before.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
