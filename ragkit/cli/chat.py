"""The command ``chat``: a conversation in a terminal, or by lines of standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import ragkit
from ragkit.cli.options import (
    fresh_option,
    index_option,
    json_option,
    language_model,
    llm_options,
    opened,
    reader_option,
    setting_option,
    threshold_option,
)

if TYPE_CHECKING:
    from ragkit.grounding import Policy

__all__ = ["chat"]

_K_TO_WRITE_FROM = 5


@click.command()
@setting_option("chat.k", "-k")
@index_option
@fresh_option
@reader_option
@threshold_option
@llm_options
@setting_option("chat.history", "remembers")
@click.option(
    "--continue",
    "saved",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Continue the talk that /save wrote to FILE, as .json or .jsonl.",
)
@json_option
def chat(
    *, k: int | None, index_path: Path | None, require_fresh: bool, reads: bool,
    threshold: float | None, llm_name: str | None, llm_url: str | None, unsupported: Policy,
    remembers: bool, saved: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Hold a conversation: each question may refer to the ones before it.

    Citations are numbered through the whole talk. /help lists the commands, such as /sources,
    /open and /save; /quit or Ctrl-D leaves.

    If standard input or output is not a terminal, each line of the input is a question or a
    command. With --json, print one JSON object a line.
    """
    from ragkit.catalogue import catalogue
    from ragkit.cli.chat_screen import JsonLines, TextScreen
    from ragkit.cli.chat_session import Chat
    from ragkit.cli.output import reader_messages

    index = opened(index_path, reads=reads, require_fresh=require_fresh)
    llm = language_model(llm_name, llm_url)
    messages = catalogue("en") if as_json else reader_messages()
    transcript = ragkit.Transcript.load(saved) if saved else ragkit.Transcript()
    options: dict[str, Any] = {
        "llm": llm, "unsupported": unsupported, "language": messages.language,
    }  # fmt: skip
    conversation = (
        ragkit.Conversation.load(saved, index, **options)
        if saved
        else ragkit.Conversation(index, **options)
    )
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    writer = llm.name if llm else None
    screen = (
        JsonLines(index, transcript)
        if as_json
        else TextScreen(index, transcript, messages, interactive=interactive, writer=writer)
    )
    session = Chat(
        conversation,
        transcript,
        index,
        screen,
        messages,
        k=k if k is not None else _K_TO_WRITE_FROM if llm else 1,
        threshold=threshold,
        interactive=interactive,
    )
    session.run(
        _edited_lines(messages.text("terminal.leave"), remembers=remembers)
        if interactive
        else _piped_lines()
    )


def _edited_lines(leave: str, *, remembers: bool) -> Iterator[str]:
    """Yield the lines that a person enters; ``leave`` tells them how to."""
    from ragkit.cli.chat_lines import edited_lines, history_path
    from ragkit.cli.chat_session import COMMANDS

    history = history_path() if remembers else None
    return edited_lines(list(COMMANDS), leave=leave, history=history)


def _piped_lines() -> Iterator[str]:
    """Yield the lines of standard input; bytes that are not UTF-8 as lone surrogates.

    A question that has these is refused, and the next one can still be answered.
    """
    for line in sys.stdin.buffer:
        yield line.decode(errors="surrogateescape").strip()
