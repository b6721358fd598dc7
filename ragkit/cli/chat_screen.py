"""What a chat prints: as text for people, or as one JSON object a line for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import click

import ragkit
from ragkit.answering.answer import Answer
from ragkit.answering.cited import cited_passages
from ragkit.answering.generated import GOOD
from ragkit.answering.render import abstention
from ragkit.catalogue import Catalogue
from ragkit.cli.output import confidence_line, print_json_line, use_colour
from ragkit.cli.places import citation_json, place_of, with_paths
from ragkit.cli.wrapping import (
    Paragraph,
    printable,
    printable_lines,
    text_width,
    wrap,
    wrap_lines,
    wrap_quote,
)
from ragkit.conversation.transcript import Source, Transcript, lettered

if TYPE_CHECKING:
    from ragkit.answering.answer import Passage
    from ragkit.answering.generated import Sentence

__all__ = ["JsonLines", "Screen", "TextScreen"]

_INDENT = " " * 4


class Screen(Protocol):
    """Shows the answers of a chat and what its commands return."""

    def banner(self) -> None:
        """Say what this is and how to leave, if a person reads it."""

    def answer(self, events: Iterator[Answer | Sentence]) -> Answer:
        """Show an answer while its parts arrive, and return it."""

    def sources(self) -> None:
        """Show the passages that were cited."""

    def passage(self, source: Source) -> None:
        """Show a whole passage."""

    def notice(self, text: str) -> None:
        """Show what a command did."""

    def error(self, text: str) -> None:
        """Show why a line has no answer."""


class JsonLines:
    """One JSON object a line; notices on standard error."""

    def __init__(self, index: ragkit.Index, transcript: Transcript) -> None:
        self._index = index
        self._transcript = transcript

    def banner(self) -> None:
        """Say nothing: a program reads this."""

    def answer(self, events: Iterator[Answer | Sentence]) -> Answer:
        """Print the answer when all of it is there."""
        *_, last = events
        answer = cast("Answer", last)
        for passage in cited_passages(answer):
            self._transcript.number(passage.citation)
        print_json_line(with_paths(self._transcript.numbered(answer), answer, self._index))
        return answer

    def sources(self) -> None:
        """Print the numbered citations as one object."""
        print_json_line({"sources": self._transcript.to_dict()["sources"]})

    def passage(self, source: Source) -> None:
        """Print the citation, its number and id, and the path of its file."""
        number, citation = source
        print_json_line({"number": number, **citation_json(citation, self._index)})

    def notice(self, text: str) -> None:
        """Print on standard error."""
        click.echo(printable_lines(text), err=True)

    def error(self, text: str) -> None:
        """Print on standard error."""
        click.echo(printable_lines(text), err=True)


class TextScreen:
    """Text, wrapped at words.

    ``messages``: what it says by itself. ``writer``: name of the language model that writes the
    answers.
    """

    def __init__(
        self,
        index: ragkit.Index,
        transcript: Transcript,
        messages: Catalogue,
        *,
        interactive: bool,
        writer: str | None = None,
    ) -> None:
        self._index = index
        self._transcript = transcript
        self._messages = messages
        self._interactive = interactive
        self._writer = writer

    def banner(self) -> None:
        """Say what this is and how to leave, if a person reads it."""
        if not self._interactive:
            return
        count = self._index.counts["documents"]
        title = self._index.documents[0].title if count == 1 else None
        subject = title or self._messages.text("documents.count", count=count)
        self._say("terminal.name", version=ragkit.__version__, bold=True)
        self._say("terminal.about", subject=subject)
        if self._writer:
            self._say("terminal.writer", model=self._writer)
        self._say("terminal.commands", dim=True)
        click.echo()

    def answer(self, events: Iterator[Answer | Sentence]) -> Answer:
        """Print the answer, sentence by sentence where a language model writes it."""
        first = answer = cast("Answer", next(events))
        self._begin(first)
        paragraph = Paragraph(text_width())
        for event in events:
            if isinstance(event, Answer):
                answer = event
            elif event.kept:
                if paragraph.is_empty:
                    self._erase_waiting()
                self._print_sentence(paragraph, event, first.passages)
        if paragraph.is_empty:
            self._erase_waiting()
        else:
            click.echo()
        self._print_rest(answer, is_streamed=not paragraph.is_empty)
        return answer

    def sources(self) -> None:
        """Print the number, label and place of each source."""
        if not self._transcript.sources:
            self.notice(self._messages.text("terminal.uncited"))
            return
        self._leave_blank()
        for source in self._transcript.sources:
            self._print_place(source)
        click.echo()

    def passage(self, source: Source) -> None:
        """Print a passage after its number, label and place, its lines wrapped."""
        self._leave_blank()
        self._print_place(source)
        click.echo()
        click.echo(wrap_lines(source.citation.quote, text_width()))
        click.echo()

    def notice(self, text: str) -> None:
        """Print what the program itself says; on standard error if no person reads it."""
        self._leave_blank()
        shown = printable_lines(text)
        click.secho(shown, dim=True, color=use_colour(), err=not self._interactive)
        self._leave_blank()

    def error(self, text: str) -> None:
        """Print on standard error, wrapped if a person reads it."""
        self._leave_blank()
        shown = wrap(text, text_width()) if self._interactive else printable_lines(text)
        click.secho(shown, fg="red", color=use_colour(), err=True)
        self._leave_blank()

    def _say(self, key: str, *, bold: bool = False, dim: bool = False, **values: str | int) -> None:
        _print(self._messages.text(key, **values), bold=bold, dim=dim)

    def _leave_blank(self) -> None:
        """Set what is printed apart from what a person entered."""
        if self._interactive:
            click.echo()

    def _print_place(self, source: Source) -> None:
        _print_source(source)
        place = place_of(source.citation, self._index) or source.citation.passage_id
        click.secho(f"{_INDENT}{printable(place)}", dim=True, color=use_colour())

    def _begin(self, answer: Answer) -> None:
        """Say how the question was understood, and that the language model is at work."""
        self._leave_blank()
        if answer.standalone != answer.question:
            self._say("answer.understood", question=answer.standalone, dim=True)
            click.echo()
        if self._interactive and self._writer and answer.answered and not answer.reply:
            waiting = self._messages.text("terminal.writing", model=self._writer)
            click.secho(waiting, dim=True, nl=False, color=use_colour())

    def _erase_waiting(self) -> None:
        if self._interactive and self._writer:
            click.echo("\r\x1b[K", nl=False)

    def _print_sentence(
        self, paragraph: Paragraph, sentence: Sentence, passages: tuple[Passage, ...]
    ) -> None:
        """Print a language model's sentence, and what supports it or that nothing does."""
        numbered = self._transcript.renumbered(sentence, passages)
        is_good = sentence.status in GOOD
        text = click.style(paragraph.add(sentence.text), bold=is_good)
        marks = _marks(numbered.passages) if is_good else f"[{sentence.status}]"
        marked = click.style(paragraph.add(marks), fg="cyan" if is_good else "yellow")
        click.echo(text + marked, nl=False, color=use_colour())

    def _print_rest(self, answer: Answer, *, is_streamed: bool) -> None:
        if answer.reply:
            self._print_text(answer.reply, cited_passages(answer))
        elif answer.answered and not is_streamed:
            self._print_extract(answer)
        elif not answer.answered:
            _print(abstention(answer.reason, self._messages), bold=True)
        if not answer.reply:
            _print(confidence_line(answer, self._messages), dim=True)
        self._print_cited(answer)
        self._print_choices(answer)
        click.echo()

    def _print_extract(self, answer: Answer) -> None:
        """Print the sentences that answer, after their lead and the words that answer."""
        first = answer.passages[0]
        if answer.short:
            _print(answer.short.quote, fg="green", bold=True)
            click.echo()
        if first.lead:
            _print_quote(first.lead.quote, dim=True)
        self._print_text(answer.text, [first], bold=not answer.short)

    def _print_text(self, text: str, cited: Sequence[Passage], *, bold: bool = False) -> None:
        """Print a paragraph, or code, and after it the numbers of passages."""
        paragraph = Paragraph(text_width())
        marks = _marks([self._transcript.number(passage.citation) for passage in cited])
        code = wrap_quote(text, text_width())
        if code != wrap(text, text_width()):
            click.secho(code, bold=bold, color=use_colour())
            click.secho(marks, fg="cyan", color=use_colour())
            return
        body = click.style(paragraph.add(text), bold=bold)
        click.echo(body + click.style(paragraph.add(marks), fg="cyan"), color=use_colour())

    def _print_cited(self, answer: Answer) -> None:
        """Print what each number refers to, and the passage's words unless they are the answer."""
        cited = cited_passages(answer)
        if cited and not answer.answered:
            click.echo()
            self._say("terminal.nearest", dim=True)
        elif cited:
            click.echo()
        for passage in cited:
            _print_source(Source(self._transcript.number(passage.citation), passage.citation))
            is_answer = answer.answered and answer.generated is None and passage.rank == 1
            if not is_answer and not answer.reply:
                _print_quotes(passage)

    def _print_choices(self, answer: Answer) -> None:
        if not answer.choices:
            return
        click.echo()
        self._say("terminal.which_letter")
        for letter, choice in lettered(answer.choices):
            click.echo(wrap(choice.label, text_width(), indent=_INDENT, first=f" {letter}) "))


def _print(text: str, *, indent: str = "", **style: Any) -> None:
    click.secho(wrap(text, text_width(), indent=indent), color=use_colour(), **style)


def _print_quote(text: str, *, indent: str = "", **style: Any) -> None:
    click.secho(wrap_quote(text, text_width(), indent=indent), color=use_colour(), **style)


def _print_source(source: Source) -> None:
    """Print ``[1] Article § Section`` with a hanging indent."""
    mark = f"[{source.number}]".ljust(len(_INDENT))
    label = wrap(source.citation.label, text_width(), indent=_INDENT)
    click.echo(click.style(mark, fg="cyan") + label.removeprefix(_INDENT), color=use_colour())


def _print_quotes(passage: Passage) -> None:
    if passage.lead:
        _print_quote(passage.lead.quote, indent=_INDENT, dim=True)
    _print_quote(" … ".join(map(passage.quote, passage.highlights)), indent=_INDENT)


def _marks(numbers: Sequence[int]) -> str:
    return " ".join(f"[{number}]" for number in numbers)
