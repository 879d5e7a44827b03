"""What to type instead of a value that does not fit its key."""

from collections.abc import Sequence
from zoneinfo import available_timezones

from lstm_forecast.config.kinds import SIMPLE_BASELINES, trimmed
from lstm_forecast.config.models import SECTIONS
from lstm_forecast.config.scalars import Odd, resolve
from lstm_forecast.config.wording import choices, fits, kinds, shown
from lstm_forecast.config.writing import yaml_text
from lstm_forecast.config.yaml_reader import ListNode, Node, Scalar, plain
from lstm_forecast.errors import nearest

# Above this a float no longer holds every whole number.
_LARGEST_WHOLE = 2**53


def hint(key: str, value: object, node: Node | None) -> str:
    """The remedy for one value, or an empty text; ``node`` is its YAML where it was read as YAML."""
    reading = _odd_reading(node) or _truth_reading(key, value, node) or _text_reading(key, node)
    return reading or _number_remedy(key, value, node) or _list_remedy(key, value) or _word_remedy(key, value)


def section_hint(section: str, node: Node) -> str:
    """The key of an inner section that takes the value given for the section itself, or an empty text.

    The section may be one that other programs have as a single key, where no, off or null means none.
    """
    if "." not in section:
        return ""
    value = plain(node)
    meant = "none" if value is None or value is False else value
    keys = [f"{section}.{name}" for name in SECTIONS[section].model_fields]
    for key, fitting in [(key, fit) for key in keys for fit in (meant, (meant,))]:
        if not isinstance(meant, bool) and fits(key, fitting):
            return f"write {key}: {yaml_text(fitting)}"
    return ""


def _odd_reading(node: Node | None) -> str:
    for scalar in _scalars(node):
        if isinstance(scalar.value, Odd):
            odd = scalar.value
            remedy = "write a number in plain decimal digits, and text in quotes"
            return f"YAML reads `{odd.text}` as {odd.reading}; {remedy}"
    return ""


def _truth_reading(key: str, value: object, node: Node | None) -> str:
    """For ``clip_norm: no`` and the like, where no text is meant."""
    if not isinstance(value, bool) or str in kinds(key):
        return ""
    word = node.text if isinstance(node, Scalar) else shown(value)
    reading = f"YAML reads `{word}` as {shown(value)}" if word != shown(value) else ""
    nothing = "none" if "none" in choices(key) else "null" if type(None) in kinds(key) else ""
    remedy = f"write {nothing}" if nothing and value is False else ""
    return "; ".join(part for part in (reading, remedy) if part)


def _text_reading(key: str, node: Node | None) -> str:
    """For ``name: no`` and ``target: 600519``, where YAML made something else of a text."""
    if str not in kinds(key) or kinds(key) & {int, float}:
        return ""
    for scalar in _scalars(node):
        if not scalar.quoted and isinstance(scalar.value, bool | int | float):
            kind = shown(scalar.value) if isinstance(scalar.value, bool) else "a number"
            return f'YAML reads `{scalar.text}` as {kind}; write it in quotes: "{scalar.text}"'
    return ""


def _number_remedy(key: str, value: object, node: Node | None) -> str:
    wanted = kinds(key)
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST_WHOLE
    if number and key == "data.max_input_age":
        return f"give the unit: {shown(value)}d for days, {shown(value)}h for hours"
    if number and key == "training.max_time":
        return f"give the unit: {shown(value)}s for seconds, {shown(value)}m for minutes"
    if (
        isinstance(value, int)
        and key in {"split.validation", "split.test"}
        and len(str(value)) == 8
        and value > 0
    ):
        digits = str(value)
        return f"for a date write {digits[:4]}-{digits[4:6]}-{digits[6:]}"
    if number and isinstance(value, float) and value.is_integer() and int in wanted and float not in wanted:
        return f"write {int(value)}"
    if isinstance(value, str) and isinstance(node, Scalar) and node.quoted:
        meant = resolve(value)
        if isinstance(meant, bool | int | float) and (type(meant) in wanted or float in wanted):
            return f"write {value} without quotes"
    return ""


def _list_remedy(key: str, value: object) -> str:
    """The list that was meant by one of its items, by one with doubles, or by levels in another unit."""
    items = value if isinstance(value, tuple) else (value,)
    candidates: list[tuple[object, ...]] = [items]
    if all(isinstance(item, str) for item in items):
        once = tuple(dict.fromkeys(items))
        candidates += [once, (SIMPLE_BASELINES[0], *once)] if key == "evaluation.baselines" else [once]
    numbers = _numbers(items)
    if numbers and key == "model.quantiles":
        candidates.append(_whole_quantiles(numbers))
    if numbers and key == "forecast.intervals.levels":
        candidates.append(_percentages(numbers))
    return next((f"write {yaml_text(meant)}" for meant in candidates if fits(key, meant)), "")


def _numbers(items: tuple[object, ...]) -> list[float]:
    """The items as numbers, ``80%`` too; empty where one of them is no number between 0 and 100."""
    read = [resolve(item.rstrip(" %")) if isinstance(item, str) else item for item in items]
    plain_numbers = [item for item in read if isinstance(item, int | float) and not isinstance(item, bool)]
    numbers = [number for number in plain_numbers if 0 < number < 100]
    return numbers if len(numbers) == len(items) else []


def _percentages(levels: Sequence[float]) -> tuple[float, ...]:
    """The levels in order, each once; shares are made percentages."""
    return tuple(sorted({trimmed(round(level * 100, 9)) if max(levels) < 1 else level for level in levels}))


def _whole_quantiles(levels: Sequence[float]) -> tuple[float, ...]:
    """The levels in order, each with the one opposite, and the median; percentages are made shares."""
    shares = [level / 100 if max(levels) > 1 else level for level in levels]
    return tuple(sorted({round(q, 9) for share in shares for q in (share, 1 - share)} | {0.5}))


def _word_remedy(key: str, value: object) -> str:
    words = choices(key)
    if value is None and "none" in words:
        return "write none"
    if isinstance(value, str) and value.lower() == "none" and type(None) in kinds(key):
        return "write null"
    if key == "data.timezone" and isinstance(value, str):
        close = nearest(value[:60], sorted(available_timezones()))
        return f"did you mean {close}?" if close else ""
    items = value if isinstance(value, tuple) else (value,)
    free = [word for word in words if word not in items]
    for item in items:
        if isinstance(item, str) and item not in words and (close := nearest(item[:60], free)):
            return f"did you mean {close}?"
    return ""


def _scalars(node: Node | None) -> list[Scalar]:
    if isinstance(node, Scalar):
        return [node]
    if isinstance(node, ListNode):
        return [item for item in node.items if isinstance(item, Scalar)]
    return []
