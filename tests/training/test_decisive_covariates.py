"""Each role of a covariate works: where it decides, the network that is told it wins, the other does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.decisive import DECISIVE, FAIR
from tests.training.jobs import trained


@pytest.mark.parametrize("role", DECISIVE)
def test_who_knows_what_decides_forecasts_it(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a path of --set is relative to the working directory
    data = DECISIVE[role]
    csv = data.make(tmp_path)
    errors, best = {}, 0.0
    for name, told in (("without", {}), ("with", data.told)):
        metrics = trained(csv, {**FAIR, **data.keys, **told, "run.name": name}).verdict.metrics
        errors[name] = metrics["model"]["mae"]
        best = min(found["mae"] for rule, found in metrics.items() if rule != "model")
    assert errors["with"] < 0.5 * errors["without"]
    assert errors["with"] < best
    assert errors["without"] > 0.85 * best
