"""Text in pictures: no setting of the user's is seen, Chinese is shown or its absence said."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]
from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped]
from matplotlib import font_manager

import lstm_forecast
from lstm_forecast.errors import StorageError
from lstm_forecast.reporting import fonts
from lstm_forecast.reporting.plots import SeriesPlot, plot_test, render

SCRIPT = """
import hashlib, sys
import numpy as np
from lstm_forecast.reporting.plots import FORMATS, SeriesPlot, font_notice, plot_forecast, render
rows = np.arange(200)
one = SeriesPlot("$a_1", rows, rows * 1.5, rows[-20:], rows[-20:] * 1.4, np.arange(200, 203), np.ones(3))
figure = plot_forecast([one], title="\u5e73\u5b89", value_label="v_1", time_label="row")
font_notice(["\u5e73\u5b89"])
for form in FORMATS:
    with open(f"{sys.argv[1]}/picture.{form}", "wb") as file:
        file.write(render(figure, form))
"""
HOSTILE = b"""text.usetex: True
backend: nonsense
a line without a meaning
axes.formatter.use_locale: True
savefig.dpi: 7
lines.linewidth: 40
\xff\xfe not UTF-8
"""
FONTCONFIG = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>/usr/share/fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>"""


def draw_in_a_process(folder: Path, *, seed: str, environment: dict[str, str]) -> list[bytes]:
    folder.mkdir(exist_ok=True)
    package = str(Path(lstm_forecast.__file__).parents[1])
    plain = {
        "PATH": os.defpath,
        "PYTHONPATH": package,
        "PYTHONHASHSEED": seed,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        cwd=folder,
        env={**plain, **environment},
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    return [(folder / f"picture.{form}").read_bytes() for form in ("png", "svg", "pdf")]


def test_a_hostile_environment_changes_no_byte_and_prints_nothing(tmp_path: Path) -> None:
    usual = draw_in_a_process(tmp_path / "usual", seed="1", environment={"HOME": str(tmp_path)})
    folder = tmp_path / "hostile"
    folder.mkdir()
    (folder / "matplotlibrc").write_bytes(HOSTILE)
    (folder / "fonts.conf").write_text(FONTCONFIG)
    environment = {
        "HOME": "/nonexistent",
        "XDG_CACHE_HOME": "/dev/null/cache",  # nobody can make this folder, root neither
        "XDG_CONFIG_HOME": "/dev/null/config",
        "MPLBACKEND": "bogus",
        "MATPLOTLIBRC": str(folder),
        "FONTCONFIG_FILE": str(folder / "fonts.conf"),  # makes fc-list want a cache of its own
        "TMPDIR": str(folder),
        "LC_ALL": "C",
    }
    hostile = draw_in_a_process(folder, seed="2", environment=environment)
    assert hostile == usual
    assert [data[:4] for data in hostile] == [b"\x89PNG", b"<?xm", b"%PDF"]
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["fonts.conf", "matplotlibrc", "picture.pdf", "picture.png", "picture.svg"]


def test_without_any_folder_to_write_to_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(prefix: str) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    monkeypatch.setattr(tempfile, "TemporaryDirectory", refuse)
    monkeypatch.delitem(sys.modules, "matplotlib.font_manager")
    with pytest.raises(StorageError) as caught, fonts.drawing([]):
        pass
    assert (caught.value.id, caught.value.code, caught.value.errno) == ("storage.no_cache", 15, 2)
    assert caught.value.hint == "set TMPDIR or XDG_CACHE_HOME to a folder that can be written"


def test_settings_made_in_the_process_are_not_seen_and_not_changed() -> None:
    rows = np.arange(100)
    one = SeriesPlot("", rows, rows * 1.0, rows[50:], rows[50:] * 1.0, rows[:0], np.array([]))

    def picture() -> bytes:
        return render(plot_test([one], title="t", value_label="v", time_label="x"), "png")

    usual = picture()
    with mpl.rc_context({"lines.linewidth": 30, "axes.facecolor": "red", "savefig.transparent": True}):
        assert picture() == usual
        assert mpl.rcParams["lines.linewidth"] == 30
        assert mpl.rcParams["text.parse_math"] is True


def make_font(path: Path, family: str, characters: str) -> None:
    """A font whose every character is a square."""
    names = [".notdef", *(f"c{ord(character):x}" for character in characters)]
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 800), (900, 800), (900, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): name for c, name in zip(characters, names[1:], strict=True)})
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular", "psName": family.replace(" ", "")})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def machine_fonts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that stands for the machine's fonts, with no Chinese font known to matplotlib yet."""
    latin = [font for font in font_manager.fontManager.ttflist if font.name not in fonts.CJK_FAMILIES]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", latin)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(path) for path in tmp_path.iterdir()])
    return tmp_path


def test_chinese_without_a_font_is_said_and_drawn_without_a_warning(
    machine_fonts: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert fonts.font_notice(["开盘价(元)", "close"]) == (
        "no installed font has the characters 价元开盘: the picture shows boxes in their place; "
        "install a Chinese font, for example the package fonts-noto-cjk (Debian, Ubuntu), and draw again"
    )
    one = SeriesPlot("平安", *[np.arange(9), np.arange(9.0)] * 3)
    assert render(plot_test([one], title="t", value_label="开盘价", time_label="x"), "pdf").startswith(
        b"%PDF"
    )
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("texts", [[], ["close", "Größe €", "$x$ \n"], ["é" * 10_000]])
def test_text_without_chinese_needs_no_notice(machine_fonts: Path, texts: list[str]) -> None:
    assert fonts.font_notice(texts) is None


def test_a_chinese_font_installed_since_matplotlib_listed_the_fonts_is_found(machine_fonts: Path) -> None:
    assert fonts.font_notice(["开盘"]) is not None
    make_font(machine_fonts / "new.ttf", "Noto Sans CJK SC", "开盘价")
    (machine_fonts / "damaged.ttf").write_bytes(b"not a font")
    assert fonts.font_notice(["开盘"]) is None
    with fonts.drawing(["开盘"]):
        assert mpl.rcParams["font.family"] == ["DejaVu Sans", "Noto Sans CJK SC"]
    with fonts.drawing(["close"]):
        assert mpl.rcParams["font.family"] == ["DejaVu Sans"]


def test_the_font_with_most_of_the_characters_is_taken_and_the_rest_said(machine_fonts: Path) -> None:
    make_font(machine_fonts / "first.ttf", "Noto Sans CJK SC", "开")
    make_font(machine_fonts / "second.ttf", "SimHei", "开盘")
    notice = fonts.font_notice(["开盘한"])
    assert notice is not None
    assert notice.startswith("no installed font has the characters 한: ")
    with fonts.drawing(["开盘한"]):
        assert mpl.rcParams["font.family"] == ["DejaVu Sans", "SimHei"]


def test_a_font_that_was_uninstalled_counts_as_missing(
    machine_fonts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_font(machine_fonts / "gone.ttf", "SimHei", "开盘")
    assert fonts.font_notice(["开盘"]) is None

    def not_found(properties: font_manager.FontProperties, *, fallback_to_default: bool) -> str:
        assert not fallback_to_default
        raise ValueError("Failed to find font SimHei, and fallback to the default font was disabled")

    monkeypatch.setattr(font_manager, "findfont", not_found)
    assert fonts.font_notice(["开盘"]) is not None


@pytest.mark.parametrize(
    ("text", "length", "shown"),
    [
        ("abcdefghij", 10, "abcdefghij"),
        ("abcdefghij", 9, "abcd…ghij"),
        ("abcdefghij", 8, "abcd…hij"),
        ("abcdefghij", 3, "a…j"),
    ],
)
def test_a_text_loses_its_middle(text: str, length: int, shown: str) -> None:
    assert fonts.shorten(text, length=length) == shown


@pytest.mark.parametrize(
    ("ticks", "shown"),
    [
        ([0.0, 10_000.0, 20_000.0], ["0", "10,000", "20,000"]),
        ([-2.5, -1e-17, 2.5], ["−2.5", "0.0", "2.5"]),
        ([0.01, 0.0125, 0.015], ["0.0100", "0.0125", "0.0150"]),
        ([1e9, 1e9 + 0.05, 1e9 + 0.1], ["1,000,000,000.00", "1,000,000,000.05", "1,000,000,000.10"]),
        ([1e36, 1.5e36, 2e36], ["1.0e+36", "1.5e+36", "2.0e+36"]),
        ([0.0, 2.5e-9, 5e-9], ["0", "2.5e-09", "5.0e-09"]),
        ([7.0], ["7"]),
        ([], []),
    ],
)
def test_the_ticks_of_an_axis_have_the_same_decimals(ticks: list[float], shown: list[str]) -> None:
    assert [fonts.number_text(tick, ticks=ticks) for tick in ticks] == shown
