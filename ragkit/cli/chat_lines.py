"""The lines of a chat in a terminal: edited, completed and remembered."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.shortcuts import CompleteStyle

from ragkit.cli.output import use_colour

__all__ = ["edited_lines", "history_path"]


def edited_lines(commands: Sequence[str], *, leave: str, history: Path | None) -> Iterator[str]:
    """Prompt for lines until Ctrl-D; Ctrl-C cancels a line.

    Args:
        commands: what the Tab key completes at the beginning of a line.
        leave: how to leave, said when Ctrl-C is pressed on an empty line.
        history: file of the lines before, for the arrow keys; None remembers these alone.

    """
    session: PromptSession[str] = PromptSession(
        [("ansicyan", "> ")],
        history=_history(history),
        completer=_CommandCompleter(commands),
        complete_while_typing=False,
        complete_style=CompleteStyle.READLINE_LIKE,
    )
    while True:
        try:
            line = session.prompt()
        except KeyboardInterrupt:
            if not session.default_buffer.text:
                click.secho(leave, dim=True, color=use_colour())
            continue
        except EOFError:
            return
        yield line.strip()


def history_path() -> Path:
    """Return the file that remembers the lines of chats."""
    from platformdirs import user_state_path

    return user_state_path("ragkit", appauthor=False) / "chat-history"


class _CommandCompleter(Completer):
    """Completes commands at the beginning of a line, and file names after ``/save``."""

    def __init__(self, commands: Sequence[str]) -> None:
        self._commands = commands
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        if text.startswith("/save "):
            path = text.removeprefix("/save ").lstrip()
            yield from self._paths.get_completions(Document(path), event)
        elif text.startswith("/"):
            for command in self._commands:
                if command.startswith(text):
                    yield Completion(command, start_position=-len(text))


def _history(path: Path | None) -> History:
    """Return the history in a file that only its owner may read; in memory if it is unwritable."""
    if path is None:
        return InMemoryHistory()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)
