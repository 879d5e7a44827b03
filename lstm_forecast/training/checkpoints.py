"""Checkpoints: whole trainings on disk, from which an interrupted one goes on to the same weights.

One is ``ckpt-000012.safetensors`` with the tensors and, written after it, ``ckpt-000012.json`` with the rest
and both hashes; ``LAST`` names the newest. No pickle.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from torch import Tensor

from lstm_forecast.errors import ArtifactRejected, StorageError
from lstm_forecast.events import Events
from lstm_forecast.runs.storage import (
    json_bytes,
    make_subdirectory,
    parse_json,
    read_file,
    sha256_of,
    write_atomic,
)
from lstm_forecast.signals import deferred
from lstm_forecast.training.course import Epoch, Kept, State

FORMAT_VERSION = 1
KEPT = 2  # so many are kept: one may be damaged
MOST_BYTES = 2**34
_NAME = re.compile(r"ckpt-(\d{6,9})\.(?:json|safetensors)")
_GROUPS = ("weights", "optimizer", "best")


@dataclass(frozen=True)
class Facts:
    """What the networks of a checkpoint depend on.

    Attributes:
        config: every key of the configuration, as plain JSON.
        data_sha256: of the input.
        threads: of the CPU; another number may change the last bits.
        start: the run whose weights they began with; None for first weights of their own.
        kernel: what computes LSTMs on the CPU; another one changes the last bits.
    """

    config: Mapping[str, Any]
    data_sha256: str
    threads: int
    start: str | None = None
    kernel: str = "torch"


@dataclass(frozen=True)
class Found:
    """A checkpoint that was read.

    Attributes:
        number: which one.
        facts: what it belongs to.
        parts: the state of every network begun so far: ``network.0``, ``again.0``.
        damaged: the newer ones that could not be read.
    """

    number: int
    facts: Facts
    parts: Mapping[str, State]
    damaged: tuple[ArtifactRejected, ...]


@dataclass
class Checkpoints:
    """Keeps the trainings of one run.

    Attributes:
        folder: where the checkpoints lie.
        facts: what they belong to.
        every_s: seconds from one to the next, at least; 0 keeps every epoch.
        events: told of each.
        found: the checkpoint that is gone on from; None in a new run.
    """

    folder: Path
    facts: Facts
    every_s: float
    events: Events
    found: Found | None = None
    _parts: dict[str, State] = field(default_factory=dict)
    _whole: list[int] = field(default_factory=list)  # the numbers of those that can be read, oldest first
    _saved_at: float = field(default_factory=time.monotonic)
    _changed: bool = False
    _one_at_a_time: threading.RLock = field(default_factory=threading.RLock)  # networks offer from threads

    def __post_init__(self) -> None:
        if self.found is not None:
            self._parts, self._whole = dict(self.found.parts), [self.found.number]

    def part(self, name: str) -> Kept:
        """Where one network begins, and who is offered its states."""
        return Kept(self._parts.get(name), partial(self._offer, name))

    def save(self) -> None:
        """Writes the states so far, unless they are on disk.

        Raises:
            StorageError: it cannot be written; the ones before are untouched.
        """
        with self._one_at_a_time:
            if self._changed:
                self._write()

    def _write(self) -> None:
        began = time.monotonic()
        number = max([*self._whole, *_numbers(self.folder)], default=0) + 1
        tensors, document = _packed(self._parts, self.facts)
        make_subdirectory(self.folder)
        with deferred():
            write_atomic(self.folder / f"{_stem(number)}.safetensors", tensors)
            write_atomic(self.folder / f"{_stem(number)}.json", document)
            write_atomic(self.folder / "LAST", f"{_stem(number)}\n".encode())
            self._whole = [*self._whole, number][-KEPT:]
            self._changed, self._saved_at = False, time.monotonic()
            self._remove_older()
        elapsed_s = round(self._saved_at - began, 4)
        epochs = {name: state.epoch for name, state in self._parts.items()}
        saved = {"checkpoint": number, "epochs": epochs, "size_bytes": len(tensors), "elapsed_s": elapsed_s}
        self.events.emit("checkpoint.saved", saved)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Saves the last whole epoch when the block ends early, whatever the reason."""
        try:
            yield
        except BaseException:
            with suppress(
                StorageError, MemoryError
            ):  # the reason to leave counts, and the ones before are there
                self.save()
            raise

    def _offer(self, name: str, state: Callable[[], State]) -> None:
        copied = state()
        with self._one_at_a_time:
            self._parts[name] = copied
            self._changed = True
            if time.monotonic() - self._saved_at >= self.every_s:
                self._write()

    def _remove_older(self) -> None:
        for path in list(self.folder.iterdir()):
            match = _NAME.fullmatch(path.name)
            if match and int(match[1]) not in self._whole:
                with suppress(OSError):  # a file too many harms nobody
                    path.unlink()


def newest_checkpoint(folder: Path) -> Found | None:
    """The newest checkpoint that is whole, or None where there never was one.

    Raises:
        ArtifactRejected: there are some, and none is whole.
    """
    numbers = _numbers(folder)
    last = _last(folder)
    if last is not None:
        numbers.add(last)
    damaged: list[ArtifactRejected] = []
    for number in sorted(numbers, reverse=True):
        try:
            facts, parts = _read(folder / _stem(number))
        except ArtifactRejected as error:
            written = number <= last if last is not None else (folder / f"{_stem(number)}.json").exists()
            unfinished = not written  # killed while it was written: of the first one there is no LAST either
            damaged += [] if unfinished else [error]
            continue
        return Found(number, facts, parts, tuple(damaged))
    if damaged:
        raise damaged[0]
    return None


def _stem(number: int) -> str:
    return f"ckpt-{number:06d}"


def _numbers(folder: Path) -> set[int]:
    if not folder.is_dir():
        return set()
    matches = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return {int(match[1]) for match in matches if match}


def _last(folder: Path) -> int | None:
    """The number that LAST names; a damaged one names nothing."""
    try:
        text = read_file(folder / "LAST", limit=100).decode("ascii", "replace").strip()
    except ArtifactRejected:
        return None
    match = _NAME.fullmatch(f"{text}.json")
    return int(match[1]) if match else None


def _packed(parts: Mapping[str, State], facts: Facts) -> tuple[bytes, bytes]:
    """The bytes of both files."""
    from safetensors.torch import save

    tensors = {
        f"{part}/{group}/{name}": tensor.to("cpu").contiguous()
        for part, state in parts.items()
        for group in _GROUPS
        for name, tensor in getattr(state, group).items()
    }
    # The best weights of two moments may share their memory, which safetensors refuses.
    data = bytes(save({name: tensor.clone() for name, tensor in tensors.items()}))
    document = {
        "format_version": FORMAT_VERSION,
        "facts": asdict(facts),
        "tensors": {"size_bytes": len(data), "sha256": sha256_of(data)},
        "parts": {name: _plain_state(state) for name, state in parts.items()},
    }
    return data, json_bytes({"sha256": sha256_of(json_bytes(document)), "document": document})


def _read(stem: Path) -> tuple[Facts, dict[str, State]]:
    """One checkpoint.

    Raises:
        ArtifactRejected: it is missing, damaged, or of a newer form.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    where, path = stem.with_suffix(".json"), stem.with_suffix(".safetensors")
    whole = parse_json(read_file(where, limit=2**28), where=str(where))
    try:
        document = whole["document"]
        if sha256_of(json_bytes(document)) != whole["sha256"]:
            raise ArtifactRejected("artifact.hash", "does not match its own hash", where=str(where))
        if document["format_version"] > FORMAT_VERSION:
            raise ArtifactRejected("artifact.version", "is of a newer version", where=str(where))
        data = read_file(path, limit=MOST_BYTES)
        if sha256_of(data) != document["tensors"]["sha256"]:
            raise ArtifactRejected("artifact.hash", f"does not match {where.name}", where=str(path))
        tensors = load(data)
        parts = {name: _state(name, plain, tensors) for name, plain in document["parts"].items()}
        return Facts(**document["facts"]), parts
    except (KeyError, TypeError, ValueError, AttributeError, SafetensorError) as error:
        raise ArtifactRejected("artifact.checkpoint", f"cannot be read: {error}", where=str(where)) from error


def _plain_state(state: State) -> dict[str, Any]:
    return {
        "epoch": state.epoch,
        "waited": state.waited,
        "best_epoch": state.best_epoch,
        "best_score": _plain(state.best_score),
        "history": [{name: _plain(value) for name, value in vars(epoch).items()} for epoch in state.history],
    }


def _plain(value: Any) -> Any:
    """JSON has no number that is not finite: its word stands for it."""
    if isinstance(value, dict):
        return {name: _plain(number) for name, number in value.items()}
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def _state(part: str, plain: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> State:
    groups: dict[str, dict[str, Tensor]] = {group: {} for group in _GROUPS}
    for name, tensor in tensors.items():
        owner, group, key = name.split("/", 2)
        if owner == part:
            groups[group][key] = tensor
    history = tuple(_epoch(line) for line in plain["history"])
    score = float(plain["best_score"])
    numbers = int(plain["epoch"]), int(plain["waited"]), int(plain["best_epoch"])
    return State(*numbers, score, history, groups["weights"], groups["optimizer"], groups["best"])


def _epoch(line: Mapping[str, Any]) -> Epoch:
    numbers = {name: None if line[name] is None else float(line[name]) for name in line if name in _FLOATS}
    norms = {str(name): float(norm) for name, norm in line["layer_norms"].items()}
    return Epoch(epoch=int(line["epoch"]), layer_norms=norms, **numbers)  # type: ignore[arg-type]


_FLOATS = ("train_loss", "val_loss", "val_score", "lr", "grad_norm", "elapsed_s")
