"""Every error a user can meet: its id, its exit code, and what to type next.

The tree, with the exit code each class gives::

    ForecastError
    ├── UsageError        2   flags, environment or configuration
    │   └── ConfigError   2   several problems of one configuration, reported together
    ├── JobsFailed        3   some jobs of a batch failed; the code of all of them where every one did
    ├── DataMissing      10   no such input
    ├── DataInvalid      11   the input is there and cannot be used
    │   └── SeveralTargets   11   it has several columns to forecast, and none is named
    ├── RunMissing       12   no such run, an incomplete one, or one that is too old
    ├── ArtifactRejected 13   a run's file is damaged, foreign or unsafe
    ├── Diverged         14   the loss is not finite
    ├── StorageError     15   no space, read-only, input/output error
    ├── ResourceError    16   memory, device, missing extra
    ├── ExistsError      18   refuses to overwrite, or a name that belongs to other data
    ├── CheckFailed      19   verify, audit or --fail-on-warning found problems
    ├── Worse            20   the model does not reach the best simple baseline
    ├── Busy             75   locked, or the input changed while it was read
    └── AlreadyComplete   0   the run to resume was not interrupted: nothing to do
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ExitCode:
    """One row of the public table of exit codes."""

    code: int
    id: str
    meaning: str
    retry: str = ""


EXIT_CODES: tuple[ExitCode, ...] = (
    ExitCode(0, "ok", "done, or nothing to do; a verdict of 'ties' passes"),
    ExitCode(1, "internal", "a bug; the traceback is on stderr", "no"),
    ExitCode(2, "usage", "flags, environment or configuration wrong; nothing was written", "no"),
    ExitCode(3, "partial", "batch: some jobs succeeded and some failed; the good outputs are valid", "maybe"),
    ExitCode(10, "data missing", "the input does not exist or cannot be opened", "no"),
    ExitCode(11, "data invalid", "the input cannot be used as it is", "no"),
    ExitCode(12, "run missing", "no such run, an incomplete one, or one older than --max-model-age", "no"),
    ExitCode(13, "artifact rejected", "a file of the run is damaged, foreign or unsafe", "no"),
    ExitCode(14, "diverged", "the loss is not finite; no run was made current", "no"),
    ExitCode(15, "storage", "no space, read-only, input/output error, stdout not writable", "later"),
    ExitCode(16, "resource", "memory, device or an optional package not available", "maybe"),
    ExitCode(
        18, "exists", "output exists and no --overwrite, or a run name that belongs to other data", "no"
    ),
    ExitCode(19, "check failed", "verify, check, audit or --fail-on-warning found problems", "no"),
    ExitCode(
        20, "worse", "--fail-if-worse: worse than the best simple baseline; kept, not made current", "no"
    ),
    ExitCode(75, "busy", "locked, or the input changed while it was read", "yes"),
    ExitCode(129, "hangup", "stopped by SIGHUP; the last whole epoch is kept", "yes"),
    ExitCode(130, "interrupted", "stopped by Ctrl-C (SIGINT); the last whole epoch is kept", "yes"),
    ExitCode(141, "closed pipe", "the reader of stdout went away (| head)", "no"),
    ExitCode(143, "terminated", "stopped by SIGTERM; the last whole epoch is kept", "yes"),
)


class ForecastError(Exception):
    """What happened, where, got and expected, and what to type next.

    Args:
        id: stable dotted name, for example ``data.ragged``.
        message: one line: what, got, expected.
        where: file, line or key the message is about; stands before the message.
        details: further lines, each ``label: text``.
        hint: what to type next.
    """

    code: int = 1

    def __init__(
        self, id: str, message: str, *, where: str = "", details: Sequence[str] = (), hint: str = ""
    ) -> None:
        super().__init__(message)
        self.id = id
        self.message = message
        self.where = where
        self.details = tuple(details)
        self.hint = hint

    def __str__(self) -> str:
        """The error as it stands on the terminal, without colour."""
        place = f"{self.where}: " if self.where else ""
        lines = [f"error[{self.id}]: {place}{self.message}"]
        lines += [f"  {line}" for line in self.details]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(visible(line) for line in lines)


class UsageError(ForecastError):
    """Flags, environment or configuration are wrong; nothing was written."""

    code = 2


@dataclass(frozen=True)
class Problem:
    """One fault of a configuration: the id, the message, the place it came from, the remedy."""

    id: str
    message: str
    where: str = ""
    hint: str = ""


class ConfigError(UsageError):
    """All faults of one configuration at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.id, first.message, where=first.where, hint=first.hint)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        """Every problem in the common form, one after the other."""
        return "\n".join(
            str(ForecastError(p.id, p.message, where=p.where, hint=p.hint)) for p in self.problems
        )


class JobsFailed(ForecastError):
    """Jobs of a batch failed; ``code`` is 3 where others succeeded, else that of the failures."""

    def __init__(self, message: str, *, code: int, details: Sequence[str] = (), hint: str = "") -> None:
        super().__init__("batch.failed", message, details=details, hint=hint)
        self.code = code


class DataMissing(ForecastError):
    """The input does not exist or cannot be opened."""

    code = 10


class DataInvalid(ForecastError):
    """The input is there and cannot be used as it is."""

    code = 11


class SeveralTargets(DataInvalid):
    """No column is the target more than another.

    Args:
        message: as for any error.
        where: as for any error.
        candidates: the names of the columns that could be it.
        details: as for any error.
        hint: as for any error.
    """

    def __init__(
        self, message: str, *, where: str, candidates: Sequence[str], details: Sequence[str], hint: str
    ) -> None:
        super().__init__("data.target", message, where=where, details=details, hint=hint)
        self.candidates = tuple(candidates)


class RunMissing(ForecastError):
    """No such run, an incomplete one, or one that is too old."""

    code = 12


class ArtifactRejected(ForecastError):
    """A file of a run is damaged, foreign or unsafe."""

    code = 13


class Diverged(ForecastError):
    """The loss or the gradient is not finite."""

    code = 14


class StorageError(ForecastError):
    """Writing failed; ``errno`` keeps the system's reason."""

    code = 15

    def __init__(
        self,
        id: str,
        message: str,
        *,
        where: str = "",
        details: Sequence[str] = (),
        hint: str = "",
        errno: int = 0,
    ) -> None:
        super().__init__(id, message, where=where, details=details, hint=hint)
        self.errno = errno


class ResourceError(ForecastError):
    """Memory or a device is not available."""

    code = 16


class ExistsError(ForecastError):
    """An output exists, or a run name belongs to other data."""

    code = 18


class CheckFailed(ForecastError):
    """A check found problems."""

    code = 19


class Worse(ForecastError):
    """The model does not reach the best simple baseline, and that was to be an error."""

    code = 20


class Busy(ForecastError):
    """Somebody else holds what is needed; trying again helps."""

    code = 75


class AlreadyComplete(ForecastError):
    """The run that was to be resumed is complete: nothing was done, and nothing is wrong."""

    code = 0


def as_known(error: BaseException) -> ForecastError | None:
    """The error in our own form: itself, or one for want of memory or files; None for a bug."""
    if isinstance(error, ForecastError):
        return error
    text = str(error)
    said = [f"system: {text.splitlines()[0] if text else type(error).__name__}"]
    memory = isinstance(error, RuntimeError) and any(sign in text for sign in _NO_MEMORY)
    if memory or isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        hint = "set a smaller training.batch_size, model.hidden_size or window.lookback"
        return ResourceError("resource.memory", "not enough memory", details=said, hint=hint)
    many = getattr(error, "errno", None) in (errno.EMFILE, errno.ENFILE)
    if many or (isinstance(error, ImportError | RuntimeError) and "Too many open files" in text):
        return StorageError("storage.files", "too many open files", details=said, hint="ulimit -n 256")
    if isinstance(error, OSError):
        where = str(error.filename) if error.filename is not None else ""
        return StorageError("storage.io", error.strerror or text, where=where, errno=error.errno or 0)
    return None


def trace_of(error: BaseException) -> list[str]:
    """Where an error came from, outermost first: files, lines and functions, no values of variables."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]


# What torch, CUDA and the C++ library say where memory ends; torch.OutOfMemoryError is a RuntimeError.
_NO_MEMORY = ("allocate memory", "out of memory", "ALLOC_FAILED", "bad_alloc")


def visible(text: str) -> str:
    r"""Text with its control characters spelled out (``\x1b``), so that no input can drive a terminal."""
    return "".join(c if c.isprintable() or c == " " else c.encode("unicode_escape").decode() for c in text)


def nearest(word: str, candidates: Sequence[str]) -> str | None:
    """The candidate that a mistyped word most likely meant, or None."""
    import difflib

    lowered = {c.lower(): c for c in candidates}
    found = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    return lowered[found[0]] if found else None
