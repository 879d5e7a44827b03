"""What a person at a terminal sees while a training runs."""

from __future__ import annotations

import io

import pytest

from lstm_forecast.cli.terminal import listening


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_bar_shows_the_epochs_and_takes_no_line_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", screen)
    with listening(quiet=False, log_format="text") as events:
        for epoch in (1, 2, 3):
            events.emit("epoch.end", {"epoch": epoch, "epochs": 3, "val_loss": 0.25, "best_epoch": 1})
        events.say(["trained 3 epochs"])
        events.warn("data.constant", "nothing moves")
    shown = screen.getvalue()
    assert "3/3" in shown
    assert "validation loss 0.25  best epoch 1" in shown
    kept = shown.rsplit("\x1b[2K", 1)[1]  # what stands below the last line that was wiped
    assert "  trained 3 epochs\n" in kept
    assert "warning[data.constant]: nothing moves\n" in kept


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_dumb_terminal_or_a_quiet_run_gets_no_bar(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("sys.stderr", screen)
    with listening(quiet=term == "xterm", log_format="text") as events:
        events.emit("epoch.end", {"epoch": 1, "epochs": 3, "val_loss": 0.25, "best_epoch": 1})
    assert screen.getvalue() == ""
