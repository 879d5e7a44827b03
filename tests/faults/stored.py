"""Writes a run of nonsense files and makes it current: storage and manifest alone, without torch."""

from __future__ import annotations

import sys
from pathlib import Path

from lstm_forecast.errors import ForecastError
from lstm_forecast.runs.run import FILES, create_run, promote, publish, write_status
from lstm_forecast.runs.storage import append_line

CONTENT = {name: f'{{"name": "{name}"}}\n'.encode() for name in FILES}


def main(runs_dir: Path) -> None:
    run = create_run(runs_dir, "a")
    append_line(run.path / "log.jsonl", '{"event": "begin"}')
    publish(run, CONTENT)
    promote(run)
    append_line(run.path / "log.jsonl", '{"event": "end"}')
    write_status(run, "complete", exit_code=0)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except ForecastError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.code)
