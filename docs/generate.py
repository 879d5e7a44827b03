"""Writes docs/reference/ from the code: configuration keys, commands, exit codes, events.

``python docs/generate.py`` writes the pages; ``--check`` fails if one of them is stale.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py (make docs); do not edit. -->\n"


def main() -> int:
    """Writes or checks every page; returns the exit code."""
    pages = {"configuration.md": configuration_page(), "cli.md": cli_page(), "events.md": events_page()}
    if "--check" in sys.argv[1:]:
        stale = [name for name, text in pages.items() if _read(REFERENCE / name) != text]
        for name in stale:
            print(f"docs/reference/{name} is stale: make docs", file=sys.stderr)
        return 1 if stale else 0
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages.items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
    return 0


def configuration_page() -> str:
    """Every key: its kind, default and effect."""
    from lstm_forecast.config import field_table

    lines = ["# Configuration", "", NOTE]
    lines += ["Only `data.path` is required. A key that is not listed here is refused.", ""]
    section = ""
    for row in field_table():
        head, _, _ = row.key.rpartition(".")
        if head != section or not lines[-1].startswith("|"):
            section = head
            lines += [
                "",
                f"## {section or 'top level'}",
                "",
                "| key | kind | default | what it does |",
                "|---|---|---|---|",
            ]
        cells = (f"`{row.key}`", row.type, f"`{row.default}`", row.description)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def cli_page() -> str:
    """Every command's help, and the exit codes."""
    os.environ["COLUMNS"] = "100"  # the help's width is the terminal's; a page has one of its own
    from typer.main import get_command

    from lstm_forecast.cli.app import exit_codes_text, program

    lines = ["# Commands", "", NOTE]
    for path, text in _helps(get_command(program()), "lstm-forecast"):
        lines += ["", f"## `{path}`", "", "```text", text.rstrip(), "```"]
    lines += ["", "## Exit codes", "", "```text", exit_codes_text().rstrip(), "```"]
    return "\n".join(lines) + "\n"


def events_page() -> str:
    """Every event, with its fields."""
    from lstm_forecast.events import EVENTS

    lines = ["# Events", "", NOTE]
    lines += [
        "A run's `log.jsonl` has one JSON object per line, and so has stderr with `--log-format json`, the",
        "error that ends the program included. Each line holds",
        "",
        "| field | what it is |",
        "|---|---|",
        "| `v` | version of this form: 1 |",
        "| `ts` | the moment, UTC: `2026-11-20T18:57:35.123Z` |",
        "| `t` | seconds since the program began, from a clock that is never set back |",
        "| `level` | `info`, `warning` or `error` |",
        "| `event` | one of the names below; names and fields may be added, never renamed |",
        "| `run` | `name@id`, as soon as it is known |",
        "",
        "Control characters are escaped. A number that is not finite is `null`, and its word stands beside",
        'it: `"train_loss": null, "train_loss_word": "nan"`; in a list the words have the places of their',
        "numbers. What looks like a secret, by its name (`token`, `secret`, `password`, `api_key`,",
        "`credential`) or in an address (`https://user:password@host`), is written as `[redacted]`.",
        "",
        "A log begins with `run.start`, then tells what was found before the run had a log, and ends with",
        "`run.end`, unless the process was killed (SIGKILL) or the disk is full; a resumed training goes on",
        "in the same file.",
        "",
        "| event | when, and its fields |",
        "|---|---|",
    ]
    lines += [f"| `{name}` | {text} |" for name, text in EVENTS.items()]
    return "\n".join(lines) + "\n"


def _helps(command: object, path: str) -> list[tuple[str, str]]:
    """(path, help text) of a command and of those below it."""
    context = command.make_context(path, [], resilient_parsing=True)  # type: ignore[attr-defined]
    context.max_content_width = 100
    context.terminal_width = 100
    found = [(path, command.get_help(context))]  # type: ignore[attr-defined]
    for name, below in getattr(command, "commands", {}).items():
        found += _helps(below, f"{path} {name}")
    return found


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
