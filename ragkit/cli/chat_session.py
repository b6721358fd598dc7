"""A chat: each line is a question, the letter of a choice, or a command."""

from __future__ import annotations

import shlex
import webbrowser
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import click

import ragkit
from ragkit.catalogue import Catalogue
from ragkit.cli.chat_screen import Screen
from ragkit.cli.places import local_path
from ragkit.cli.wrapping import text_width, wrap
from ragkit.conversation.transcript import Transcript
from ragkit.errors import InputError, RagkitError

__all__ = ["COMMANDS", "Chat"]

_DEFAULT_FILE = "talk.md"


class Chat:
    """Answers lines until one leaves. An error of one line does not end it.

    ``messages``: what it says by itself. ``interactive``: a person is at a terminal, so that Ctrl-C
    cancels an answer and not the chat.
    """

    def __init__(
        self,
        conversation: ragkit.Conversation,
        transcript: Transcript,
        index: ragkit.Index,
        screen: Screen,
        messages: Catalogue,
        *,
        k: int,
        threshold: float | None,
        interactive: bool,
    ) -> None:
        self._conversation = conversation
        self._transcript = transcript
        self._index = index
        self._screen = screen
        self._messages = messages
        self._k = k
        self._threshold = threshold
        self._interactive = interactive
        self._is_over = False

    def run(self, lines: Iterable[str]) -> None:
        """Answer the lines in their order; blank ones are ignored."""
        self._screen.banner()
        if self._transcript.answers:
            *_, last = self._transcript.answers
            count = len(self._transcript.answers)
            self._notice("terminal.continued", count=count, question=last.question)
        for line in lines:
            if line:
                self._enter(line)
            if self._is_over:
                return

    def _enter(self, line: str) -> None:
        try:
            self._answer(line)
        except RagkitError as error:
            self._screen.error(f"ragkit: {error}")
        except KeyboardInterrupt:
            if not self._interactive:
                raise
            click.echo()
            self._notice("terminal.cancelled")

    def _answer(self, line: str) -> None:
        choice = self._transcript.choice(line)
        if choice is not None:
            self._ask(choice.question, standalone=choice.question)
        elif line.startswith("//"):
            self._ask(line.removeprefix("/"))
        elif line.startswith("/"):
            self._command(line)
        else:
            self._ask(line)

    def _ask(self, question: str, *, standalone: str | None = None) -> None:
        events = self._conversation.stream(
            question, k=self._k, threshold=self._threshold, standalone=standalone
        )
        self._transcript.add(self._screen.answer(events))

    def _command(self, line: str) -> None:
        try:
            name, *words = shlex.split(line)
        except ValueError as error:
            raise InputError(
                f"{line} has a quotation mark without its second ({error}). Add it."
            ) from error
        command = COMMANDS.get(name)
        if command is None:
            raise InputError(
                f"there is no command {name}; /help lists them. To ask a question that begins "
                f"with a slash, put a second one before it."
            )
        command.run(self, words)

    def _notice(self, key: str, **values: str | int) -> None:
        self._screen.notice(self._messages.text(key, **values))

    def _help(self, words: list[str]) -> None:
        _expect_none("/help", words)
        width, column = text_width(), max(len(one.usage) for one in COMMANDS.values())
        commands = [
            wrap(
                command.help,
                width,
                indent=" " * (column + 4),
                first=f"  {command.usage:{column}}  ",
            )
            for command in COMMANDS.values()
        ]
        hints = [wrap(hint, width) for hint in _HINTS]
        lines = ["Ask a question, or enter a command:", *commands, "", *hints]
        self._screen.notice("\n".join(lines))

    def _sources(self, words: list[str]) -> None:
        _expect_none("/sources", words)
        self._screen.sources()

    def _open(self, words: list[str]) -> None:
        numbers = [word for word in words if word != "--browser"]
        if len(numbers) != 1 or not numbers[0].isdecimal():
            raise InputError(
                f"/open expects the number of a source, such as /open 1; found "
                f"{' '.join(numbers) or 'nothing'}. /sources lists them."
            )
        source = self._transcript.source(int(numbers[0]))
        if "--browser" in words:
            self._browse(source.citation)
        else:
            self._screen.passage(source)

    def _browse(self, citation: ragkit.Citation) -> None:
        path = local_path(citation, self._index)
        link = citation.deep_link(self._index.document(citation.document_id))
        address = path.as_uri() if path else link
        if address is None:
            raise InputError(
                f"{citation.label} has neither a web address nor a file on this machine; /open "
                f"without --browser prints the passage."
            )
        if not self._interactive or not webbrowser.open(address):
            raise InputError(f"no browser can be opened here. Open {address} yourself.")
        self._notice("terminal.opened", address=address)

    def _save(self, words: list[str]) -> None:
        names = [word for word in words if word != "--force"]
        if len(names) > 1:
            raise InputError(
                f"/save expects one file, found {len(names)}: {', '.join(names)}. Put quotation "
                f"marks round a name with blanks."
            )
        path = Path(*names or [_DEFAULT_FILE]).expanduser()
        self._transcript.save(path, self._conversation, overwrite="--force" in words)
        self._notice("terminal.saved", count=len(self._transcript.answers), path=str(path))

    def _new(self, words: list[str]) -> None:
        _expect_none("/new", words)
        self._conversation.forget()
        self._transcript.clear()
        self._notice("terminal.forgotten")

    def _quit(self, words: list[str]) -> None:
        _expect_none("/quit", words)
        self._is_over = True


class Command(NamedTuple):
    """A command of the chat: what to enter, what it does, and the function that does it."""

    usage: str
    help: str
    run: Callable[[Chat, list[str]], None]


COMMANDS = {
    command.usage.split()[0]: command
    for command in (
        Command("/sources", "list the passages cited so far", Chat._sources),
        Command(
            "/open N [--browser]", "print passage N, or show its place in a browser", Chat._open
        ),
        Command(
            "/save [FILE] [--force]",
            f"save the talk ({_DEFAULT_FILE}); to go on later, as .json or .jsonl",
            Chat._save,
        ),
        Command("/new", "forget the talk and begin a new one", Chat._new),
        Command("/help", "print this", Chat._help),
        Command("/quit", "leave, as Ctrl-D does", Chat._quit),
    )
}
_HINTS = (
    "Tab completes a command, the arrow keys bring back earlier lines.",
    "Ctrl-C cancels a line or an answer.",
    "A question that begins with a slash needs a second one: //srv, what is it for?",
)


def _expect_none(name: str, words: list[str]) -> None:
    if words:
        raise InputError(f"{name} stands alone; found {' '.join(words)} after it. Remove that.")
