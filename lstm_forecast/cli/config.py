"""``lstm-forecast config show|schema``."""

from __future__ import annotations

import typer

from lstm_forecast.cli import options
from lstm_forecast.cli.inputs import load_input
from lstm_forecast.cli.terminal import put, put_json

app = typer.Typer(help="Show the resolved configuration, or its JSON Schema.", rich_markup_mode=None)


@app.command("show")
def show(given: options.Input, sets: options.Set = None, json: options.Json = False) -> None:
    """Every key, its value, and where the value comes from: default, file, environment or flag.

    \b
    Examples:
      lstm-forecast config show configs/stock.yaml
    """
    from lstm_forecast.config import config_rows, yaml_text

    rows = config_rows(load_input(given, sets=sets, flags={}))
    if json:
        put_json({key: {"value": value, "origin": origin} for key, value, origin in rows})
        return
    texts = [(key, yaml_text(value), origin) for key, value, origin in rows]
    first, second = (max(len(row[column]) for row in texts) for column in (0, 1))
    put("".join(f"{key:<{first}}  {value:<{min(second, 40)}}  # {origin}\n" for key, value, origin in texts))


@app.command("schema")
def schema() -> None:
    """The JSON Schema of a configuration file, for editors.

    \b
    Examples:
      lstm-forecast config schema > lstm-forecast.schema.json
    """
    from lstm_forecast.config import config_schema

    put_json(config_schema())
