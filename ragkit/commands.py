"""Command lines in messages: what to run, so that it can be pasted into a shell as it stands."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

__all__ = ["arguments", "beside", "command"]


def command(words: str, *paths: object, end: str = "") -> str:
    """Return a command line for a message, between backquotes.

    Args:
        words: how it begins, taken as it is, so that it may have a placeholder such as ``SOURCE…``.
        paths: paths and addresses, which are quoted for the shell.
        end: what follows them, taken as it is.

    Example:
        >>> command("ragkit index update", "my index", end="--drop-missing")
        "`ragkit index update 'my index' --drop-missing`"

    """
    return f"`{' '.join(part for part in (words, arguments(*paths), end) if part)}`"


def arguments(*paths: object) -> str:
    """Return paths and addresses quoted for the shell, with blanks between them."""
    return " ".join(map(_quoted, paths))


def beside(path: Path, mark: str, *, suffix: str = "") -> Path:
    """Return a path next to ``path`` that nothing lies at: its stem, ``mark``, maybe a number.

    Example:
        >>> beside(Path("docs/notes"), "-index").as_posix()
        'docs/notes-index'

    """
    whole = path if path.name not in ("", "..") else path.resolve()
    name = whole.stem if whole.is_file() else whole.name
    number, free = 1, whole.parent / f"{name}{mark}{suffix}"
    while free.exists():
        number += 1
        free = whole.parent / f"{name}{mark}-{number}{suffix}"
    return free


def _quoted(argument: object) -> str:
    text = str(argument)
    if isinstance(argument, Path) and text.startswith("-"):  # it would be taken for an option
        text = f"./{text}"
    if os.name == "nt":
        from subprocess import list2cmdline

        return list2cmdline([text])
    return shlex.quote(text)
