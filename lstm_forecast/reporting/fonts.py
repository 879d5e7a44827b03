"""Text in pictures: matplotlib without the user's settings, fonts that have Chinese, plain labels."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_forecast.errors import StorageError, visible

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.text import Text

# Sans-serif families with Chinese characters, the most even-looking first; the Japanese and Korean ones
# stand behind because some Chinese characters have another shape in them.
CJK_FAMILIES = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
    "Heiti SC",
    "STHeiti",
    "Droid Sans Fallback",
    "Noto Sans CJK TC",
    "Noto Sans CJK HK",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Source Han Sans",
    "PingFang TC",
    "Heiti TC",
    "Hiragino Sans",
    "Yu Gothic",
    "Apple SD Gothic Neo",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Noto Serif CJK SC",
    "SimSun",
    "AR PL UMing CN",
    "Unifont",
)
CJK_CHARACTER = re.compile(
    "[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]"
)
LATIN_FAMILY = "DejaVu Sans"  # comes with matplotlib: the same picture on every machine
LONGEST_LABEL = 160  # characters; more than fits on one line of any picture here
SETTINGS: dict[str, Any] = {
    "text.parse_math": False,  # a series may be called $a_1$
    "font.size": 10.0,
    "svg.hashsalt": "lstm-forecast",  # without a salt the ids in an SVG are random
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8c8c8c",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.color": "#8c8c8c",
    "ytick.color": "#8c8c8c",
    "xtick.labelcolor": "#404040",
    "ytick.labelcolor": "#404040",
    "axes.labelcolor": "#404040",
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "legend.labelcolor": "#404040",
    "legend.borderaxespad": 0.0,
    "legend.borderpad": 0.2,
}


@contextlib.contextmanager
def drawing(texts: Iterable[str]) -> Iterator[None]:
    """A clean room: inside it matplotlib has this project's settings only, and fonts for ``texts``.

    Neither a ``matplotlibrc`` nor the environment is seen, nothing is logged, and a character that no font
    has is drawn as a box without a warning (`font_notice` says it once, in words).
    """
    load_matplotlib()
    import matplotlib as mpl

    family, _ = _cjk_family(texts)
    families = [LATIN_FAMILY, family] if family else [LATIN_FAMILY]
    with _silent(), mpl.rc_context():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", mpl.MatplotlibDeprecationWarning)  # of settings not ours
            settings: dict[Any, Any] = dict(mpl.rcParamsDefault.items())
            del settings["backend"]  # none is used: figures draw themselves
            mpl.rcParams.update(settings | SETTINGS | {"font.family": families})
        yield


def font_notice(texts: Iterable[str]) -> str | None:
    """The warning to give when ``texts`` hold Chinese, Japanese or Korean that no installed font can show."""
    load_matplotlib()
    _, missing = _cjk_family(texts)
    if not missing:
        return None
    some = "".join(missing[:10]) + ("…" if len(missing) > 10 else "")
    return (
        f"no installed font has the characters {visible(some)}: the picture shows boxes in their place; "
        "install a Chinese font, for example the package fonts-noto-cjk (Debian, Ubuntu), and draw again"
    )


def write(artist: Text, text: str, *, room_inches: float) -> None:
    """Put ``text`` on ``artist`` as one line of plain characters that is no longer than ``room_inches``.

    Control characters are spelled out; too long a text loses its middle, because names differ at both ends.
    """
    assert artist.figure is not None
    room = room_inches * artist.figure.dpi
    whole = visible(shorten(text, length=LONGEST_LABEL))
    length = len(whole)
    while True:
        artist.set_text(shorten(whole, length=length))
        box = artist.get_window_extent()
        size = max(box.width, box.height)
        if size <= room or length <= 8:
            return
        length = max(8, min(length - 1, int(length * room / size)))


def shorten(text: str, *, length: int) -> str:
    """At most ``length`` (at least 3) characters of ``text``: its middle gives way to an ellipsis."""
    if len(text) <= length:
        return text
    head = length // 2
    return f"{text[:head]}…{text[len(text) - (length - head - 1) :]}"


def plain_numbers(axis: Axis) -> None:
    """Tick labels like 12,000 and 0.05, all of an axis with the same number of decimals."""
    from matplotlib.ticker import FuncFormatter

    ticks: list[float] = []

    def text(value: float, position: int | None) -> str:
        if not position:  # labels are asked for in order; finding the ticks anew for each of them is slow
            ticks[:] = axis.get_majorticklocs().tolist()
        return number_text(value, ticks=ticks)

    axis.set_major_formatter(FuncFormatter(text))


def number_text(value: float, *, ticks: Sequence[float]) -> str:
    """A tick's label with as many decimals as the smallest distance between ``ticks`` needs."""
    step = min((abs(b - a) for a, b in pairwise(ticks) if a != b), default=math.inf)
    if not math.isfinite(step):
        return f"{value:,g}"
    if abs(value) < 1e-9 * step:  # where a tick at zero was computed as -1e-17
        value = 0.0
    largest = max(abs(tick) for tick in ticks)
    decimals = next((n for n in range(7) if math.isclose(round(step, n), step, rel_tol=1e-3)), None)
    if largest < 1e12 and decimals is not None:
        return f"{value:,.{decimals}f}".replace("-", "\N{MINUS SIGN}")
    power = math.floor(math.log10(step))
    whole = math.isclose(round(step / 10.0**power), step / 10.0**power, rel_tol=1e-3)  # 5e-9, not 2.5e-9
    digits = math.floor(math.log10(largest)) - power + (0 if whole else 1)
    return f"{value:.{digits}e}" if value else "0"


def _cjk_family(texts: Iterable[str]) -> tuple[str | None, list[str]]:
    """The installed family that has most of the CJK characters in ``texts``, and the characters it lacks."""
    wanted = sorted({character for text in texts for character in CJK_CHARACTER.findall(text)})
    if not wanted:
        return None, []
    best: tuple[str | None, list[str]] = (None, wanted)
    with _undisturbed():
        for family in _installed_families() or _new_families():
            missing = _missing(family, wanted)
            if len(missing) < len(best[1]):
                best = (family, missing)
            if not missing:
                break
    return best


def _installed_families() -> list[str]:
    """The families of `CJK_FAMILIES` that matplotlib knows on this machine, in that order."""
    from matplotlib import font_manager

    names = {font.name for font in font_manager.fontManager.ttflist}
    return [family for family in CJK_FAMILIES if family in names]


def _new_families() -> list[str]:
    """As `_installed_families`, after a search: matplotlib's list of fonts misses those installed later."""
    from matplotlib import font_manager

    known = {font.fname for font in font_manager.fontManager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # a damaged font file is no font
            font_manager.fontManager.addfont(path)
    return _installed_families()


def _missing(family: str, wanted: list[str]) -> list[str]:
    """Those of the characters ``wanted`` for which a family has no glyph."""
    from matplotlib import font_manager

    try:
        path = font_manager.findfont(font_manager.FontProperties(family=[family]), fallback_to_default=False)
        font = font_manager.get_font(path)
    except (OSError, RuntimeError, ValueError):  # uninstalled since the list was written
        return wanted
    return [character for character in wanted if font.get_char_index(ord(character)) == 0]


def load_matplotlib() -> None:
    """Import matplotlib and its list of fonts, once, without being disturbed."""
    if "matplotlib.font_manager" not in sys.modules:
        with _undisturbed():
            import matplotlib.font_manager  # noqa: F401


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep matplotlib's import and search for fonts away from the user's settings, and off stderr.

    Importing it fails with an unknown MPLBACKEND or an unreadable ``matplotlibrc`` of the working directory,
    which it reads before any other; without a home it logs a warning, and fontconfig's ``fc-list`` complains.

    Raises:
        StorageError: ``storage.no_cache``, there is not even a folder for temporary files.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_silent())
        stack.enter_context(_environment({"MPLBACKEND": None, "MATPLOTLIBRC": os.devnull}))
        if not _has_cache_folder():
            stack.enter_context(_environment({"XDG_CACHE_HOME": stack.enter_context(_temporary_folder())}))
        if os.access("matplotlibrc", os.F_OK):
            stack.enter_context(contextlib.chdir(Path(__file__).parent))
        yield


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for the list of fonts, where the user has none that can be written."""
    try:
        return tempfile.TemporaryDirectory(prefix="lstm-forecast-fonts-")
    except OSError as error:
        raise StorageError(
            "storage.no_cache",
            "no folder can be written in which matplotlib could keep its list of fonts",
            hint="set TMPDIR or XDG_CACHE_HOME to a folder that can be written",
            errno=error.errno or 0,
        ) from error


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """No log lines of matplotlib, no warnings about characters that a font lacks."""
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"Glyph \d+ ", category=UserWarning)
            yield
    finally:
        log.setLevel(level)


@contextlib.contextmanager
def _environment(changes: dict[str, str | None]) -> Iterator[None]:
    """Environment variables set, or with None removed, for a while."""
    before = {name: os.environ.get(name) for name in changes}
    _set_environment(changes)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(values: dict[str, str | None]) -> None:
    """Set or, with None, remove environment variables."""
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _has_cache_folder() -> bool:
    """Whether the user's folder for caches can be written, or made where the home is."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        place = folder if folder.exists() else folder.parent
        return place.is_dir() and os.access(place, os.W_OK)
    except (OSError, RuntimeError):  # no permission to look; no home at all
        return False
