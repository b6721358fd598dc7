"""The history of a question set: a file to which each evaluation appends one line, oldest first.

A line has what a trend needs: when, of which commit, with which index and questions, and each
figure with its interval. The file can be committed: lines are only ever appended.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ragkit.errors import InputError
from ragkit.evaluation.gate import GATED
from ragkit.evaluation.measures import DIGITS
from ragkit.evaluation.report import Report
from ragkit.evaluation.separation import separation
from ragkit.evaluation.significance import mean_interval

__all__ = ["Figure", "History", "HistoryEntry", "load_history", "record_run"]

FORMAT = 1
_TEXTS = ("time", "name", "library", "encoder", "index", "questions", "chatbot")


@dataclass(frozen=True, slots=True)
class Figure:
    """The value of a measure.

    Attributes:
        value: the mean over the questions, or the AUROC; higher is better.
        low: lower end of its 95 % interval.
        high: upper end of that interval.

    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One run, as the history has it.

    Attributes:
        time: when it was recorded, in UTC, such as ``2025-03-01T12:00:00Z``.
        commit: commit that was checked out in the working directory, with ``-dirty`` if files
            differed from it; empty outside a repository.
        name: name of the question set.
        n: number of its questions.
        library: version of ragkit.
        encoder: digest of the encoder's fingerprint.
        index: generation of the index.
        questions: checksum of the question set.
        chatbot: name of the chatbot that was asked in place of the index; empty if none was.
        figures: the gated measures and AUROC by name, those that apply.

    """

    time: str
    commit: str
    name: str
    n: int
    library: str
    encoder: str
    index: str
    questions: str
    chatbot: str
    figures: Mapping[str, Figure] = field(hash=False)

    @classmethod
    def of(cls, report: Report, *, time: datetime, commit: str) -> HistoryEntry:
        """Return what the history has of a run."""
        c = report.configuration
        return cls(
            time=time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            commit=commit,
            name=report.name,
            n=len(report.outcomes),
            library=c.library,
            encoder=c.encoder,
            index=c.index,
            questions=c.questions,
            chatbot=c.chatbot,
            figures=_figures(report),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, JSON-ready, for ``from_dict``; a figure is ``[value, low, high]``."""
        figures = {name: list(astuple(figure)) for name, figure in self.figures.items()}
        return {"format": FORMAT, **asdict(self), "figures": figures}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> HistoryEntry:
        """Return the entry that ``to_dict`` described.

        Raises:
            KeyError: a field is missing.
            TypeError: a field has another type.
            ValueError: the entry has another format, or a figure has no interval.

        """
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}, expected {FORMAT}")
        texts = {name: content[name] for name in (*_TEXTS, "commit")}
        if not all(isinstance(text, str) for text in texts.values()):
            raise TypeError(f"{', '.join(texts)} must be strings")
        datetime.fromisoformat(texts["time"])
        figures = {name: Figure(*map(float, figure)) for name, figure in content["figures"].items()}
        return cls(**texts, n=int(content["n"]), figures=figures)


@dataclass(frozen=True, slots=True)
class History:
    """The runs of a history file.

    Attributes:
        entries: the runs, oldest first.
        skipped: for each line that is no run, its number and the reason.

    """

    entries: tuple[HistoryEntry, ...] = ()
    skipped: tuple[str, ...] = ()


def load_history(path: Path) -> History:
    """Load a history file; one that does not exist is empty.

    A broken line, such as a mark of a merge conflict, is skipped and reported, since the other
    lines are still true.

    Raises:
        InputError: the file cannot be read, or no line of it is a run: it is another file.

    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}. {_EXPECTED}") from error
    entries, skipped = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entries.append(HistoryEntry.from_dict(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            skipped.append(f"line {number} ({type(error).__name__}: {error})")
    if skipped and not entries:
        raise InputError(f"{path} is not a history: {skipped[0]}. {_EXPECTED}")
    return History(tuple(entries), tuple(skipped))


def record_run(report: Report, path: Path) -> History:
    """Append a run to a history file, which is created if there is none.

    Args:
        report: the run.
        path: the file.

    Returns:
        The history, with this run as its last one.

    Raises:
        InputError: the file is another one, or cannot be read or written. It is unchanged.

    """
    history = load_history(path)
    entry = HistoryEntry.of(report, time=datetime.now(UTC), commit=_commit(path))
    line = json.dumps(entry.to_dict(), ensure_ascii=False).encode() + b"\n"
    try:
        with path.open("a+b") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 1))
            # The end of a line that was cut off must not take this one with it.
            file.write(b"\n" + line if file.read(1) not in (b"", b"\n") else line)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}. {_EXPECTED}"
        ) from error
    return History((*history.entries, entry), history.skipped)


_EXPECTED = (
    "Expected the file that `ragkit eval --history` writes; for a new history, name a file that "
    "does not exist yet, in a folder that does."
)


def _figures(report: Report) -> dict[str, Figure]:
    values = {name: list(report.values(name).values()) for name in GATED}
    figures = {
        name: (sum(some) / len(some), *mean_interval(some)) for name, some in values.items() if some
    }
    auroc = separation(report)
    figures |= {"AUROC": (auroc.auroc, auroc.low, auroc.high)} if auroc else {}
    return {
        name: Figure(*(round(end, DIGITS) for end in figure)) for name, figure in figures.items()
    }


def _commit(history: Path) -> str:
    """Return the commit of the working directory's repository; the history may differ from it."""
    git = shutil.which("git")
    if git is None:
        return ""
    commit = _output(git, "rev-parse", "HEAD").strip()
    if not commit:
        return ""
    others = _without(git, history)
    changed = _output(git, "status", "--porcelain", "--untracked-files=no", "--", ":/", *others)
    return f"{commit}-dirty" if changed.strip() else commit


def _without(git: str, history: Path) -> list[str]:
    """The pathspec that leaves the history out, if it lies in the repository."""
    top, path = Path(_output(git, "rev-parse", "--show-toplevel").strip()), history.resolve()
    is_inside = path.is_relative_to(top)
    return [f":(exclude,top,literal){path.relative_to(top).as_posix()}"] if is_inside else []


def _output(git: str, *arguments: str) -> str:
    """Return what git prints; nothing if it fails, as it does outside a repository."""
    done = subprocess.run(  # noqa: S603 - fixed arguments
        [git, *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else ""
