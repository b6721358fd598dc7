"""Transcript: the questions and answers of a talk, with citations numbered through all of it.

A conversation remembers what it needs to understand the next question; a transcript has everything
that was shown, so that it can be looked up, cited and saved.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ragkit.answering import render
from ragkit.answering.answer import Answer, Choice, Passage
from ragkit.answering.cited import cited_passages
from ragkit.answering.generated import GOOD, Sentence
from ragkit.answering.saved_answers import answer_from_dict
from ragkit.catalogue import catalogue
from ragkit.citations.urls import encode_url, is_web_url
from ragkit.commands import command
from ragkit.conversation.conversation import Conversation
from ragkit.conversation.saved_talks import load_talk
from ragkit.errors import InputError
from ragkit.types import Citation

__all__ = ["Source", "Transcript", "lettered"]


class Source(NamedTuple):
    """A cited passage and its number in the talk, from 1."""

    number: int
    citation: Citation


class Transcript:
    """The answers of a talk. The same passage has the same number in all of them.

    Example:
        >>> from ragkit import Conversation, Document, Index
        >>> bread = Document(id="bread", title="Bread", text="Bread is made of flour.")
        >>> talk, transcript = Conversation(Index.build([bread])), Transcript()
        >>> transcript.add(talk.ask("What is bread made of?"))
        >>> transcript.source(1).citation.quote
        'Bread is made of flour.'

    """

    def __init__(self) -> None:
        self._answers: list[Answer] = []
        self._numbers: dict[str, int] = {}
        self._citations: list[Citation] = []

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers, oldest first."""
        return tuple(self._answers)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The passages that were cited, by number."""
        return tuple(map(Source, self._numbers.values(), self._citations))

    def number(self, citation: Citation) -> int:
        """Return the citation's number: the one it has, or the next one."""
        number = self._numbers.setdefault(citation.passage_id, len(self._citations) + 1)
        if number > len(self._citations):
            self._citations.append(citation)
        return number

    def add(self, answer: Answer) -> None:
        """Add an answer; number the passages that it cites."""
        for passage in cited_passages(answer):
            self.number(passage.citation)
        self._answers.append(answer)

    def source(self, number: int) -> Source:
        """Return the source with a number.

        Raises:
            InputError: there is no such number.

        """
        if not self._citations:
            raise InputError(f"there is no source {number}: nothing is cited yet. Ask something.")
        if not 1 <= number <= len(self._citations):
            raise InputError(
                f"there is no source {number}; expected a number from 1 to {len(self._citations)}."
            )
        return Source(number, self._citations[number - 1])

    def choice(self, text: str) -> Choice | None:
        """Return the choice of the last answer that a letter names, such as ``b`` or ``b)``."""
        letter = text.strip().removesuffix(")").casefold()
        choices = self._answers[-1].choices if self._answers else ()
        return dict(lettered(choices)).get(letter)

    def clear(self) -> None:
        """Remove all answers, and number from 1 again."""
        self._answers.clear()
        self._numbers.clear()
        self._citations.clear()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Transcript:
        """Load a talk that ``save`` wrote: as JSON, with its numbers; as JSON Lines, numbered anew.

        ``Conversation.load`` continues its conversation.

        Raises:
            InputError: the file cannot be read, or is no saved talk.

        """
        transcript, talk = cls(), load_talk(path)
        for source in talk["sources"]:
            transcript.number(Citation.from_dict(source["citation"]))
        for content in talk["answers"]:
            transcript.add(answer_from_dict(content))
        return transcript

    def save(
        self, path: str | os.PathLike[str], conversation: Conversation, *, overwrite: bool = False
    ) -> None:
        """Write the talk to a file, in a format that its suffix names.

        ``.json`` has the answers, the sources and the state of the conversation; ``.jsonl`` one
        answer a line, to be read by other programs; any other file is Markdown, for people.
        ``Conversation.load`` and ``Transcript.load`` read the first two.

        Args:
            path: the file.
            conversation: the conversation that gave the answers.
            overwrite: whether to replace a file that exists.

        Raises:
            InputError: there is nothing to save, the file exists, or it cannot be written.

        """
        if not self._answers:
            raise InputError("there is nothing to save yet. Ask something.")
        path = Path(path)
        text = self._formatted(path.suffix.lower(), conversation)
        try:
            with path.open("w" if overwrite else "x", encoding="utf-8") as file:
                file.write(text.rstrip("\n") + "\n")
        except FileExistsError as error:
            raise InputError(
                f"{path} exists and is not overwritten. Use another name, or overwrite it: "
                f"{command('/save', path, end='--force')}"
            ) from error
        except OSError as error:
            raise InputError(
                f"{path} cannot be written: {error.strerror or error}. Use another path."
            ) from error

    def _formatted(self, suffix: str, conversation: Conversation) -> str:
        if suffix == ".json":
            content = {**conversation.to_dict(), **self.to_dict()}
            return json.dumps(content, ensure_ascii=False, indent=2)
        if suffix == ".jsonl":
            answers = map(self.numbered, self._answers)
            return "\n".join(json.dumps(answer, ensure_ascii=False) for answer in answers)
        return self.to_markdown()

    def to_dict(self) -> dict[str, Any]:
        """Return answers and sources, JSON-ready; each passage shown has its ``number``."""
        return {
            "answers": [self.numbered(answer) for answer in self._answers],
            "sources": [
                {"number": number, "citation": citation.to_dict()}
                for number, citation in self.sources
            ],
        }

    def numbered(self, answer: Answer) -> dict[str, Any]:
        """Return ``Answer.to_dict``; passages have the ``number`` of their citation, or None."""
        content = answer.to_dict()
        for passage, entry in zip(answer.passages, content["passages"], strict=True):
            entry["number"] = self._numbers.get(passage.citation.passage_id)
        return content

    def renumbered(self, sentence: Sentence, passages: Sequence[Passage]) -> Sentence:
        """Return a language model's sentence with numbers of the talk instead of ranks.

        A sentence that the passages do not support cites none.
        """
        citations = {passage.rank: passage.citation for passage in passages}
        ranks = sentence.passages if sentence.status in GOOD else ()
        numbers = [self.number(citations[rank]) for rank in ranks if rank in citations]
        return replace(sentence, passages=tuple(numbers))

    def to_markdown(self) -> str:
        """Return the talk as CommonMark: questions, answers, and the numbered citations."""
        parts = ["# Talk", *map(self._answer_markdown, self._answers)]
        if self._citations:
            parts += ["## Sources", *map(_source_markdown, self.sources)]
        return "\n\n".join(parts) + "\n"

    def _answer_markdown(self, answer: Answer) -> str:
        parts = [f"## {render.escape_markdown(answer.question)}"]
        if answer.standalone != answer.question:
            parts.append(f"*You asked about: {render.escape_markdown(answer.standalone)}*")
        parts += self._text_markdown(answer)
        parts += [
            f"- {letter}) {render.escape_markdown(choice.label)}"
            for letter, choice in lettered(answer.choices)
        ]
        return "\n\n".join(parts)

    def _text_markdown(self, answer: Answer) -> Iterator[str]:
        marks = [f"[{self.number(passage.citation)}]" for passage in cited_passages(answer)]
        if answer.reply:
            yield " ".join([render.escape_markdown(answer.reply), *marks])
            return
        if answer.generated is not None:
            yield from self._generated_markdown(answer)
        elif answer.answered:
            first, *others = marks
            yield f"{render.escape_markdown(answer.text)} {first}"
            if others:
                yield f"See also {' '.join(others)}"
        if not answer.answered:
            yield render.abstention(answer.reason, catalogue("en"))
            if marks:
                yield f"Nearest: {' '.join(marks)}"

    def _generated_markdown(self, answer: Answer) -> Iterator[str]:
        sentences = answer.generated.sentences if answer.generated else ()
        parts = [
            render.sentence_markdown(self.renumbered(sentence, answer.passages))
            for sentence in sentences
            if sentence.kept
        ]
        if parts:
            yield " ".join(parts)


def lettered(choices: Sequence[Choice]) -> Iterator[tuple[str, Choice]]:
    """Yield each choice after the letter that stands for it: a, b, c …"""
    yield from zip("abcdefghijklmnopqrstuvwxyz", choices, strict=False)


def _source_markdown(source: Source) -> str:
    number, citation = source
    label = render.escape_markdown(citation.label)
    url = encode_url(citation.url or "")
    place = f"[{label}](<{url}>)" if is_web_url(citation.url) else label
    where = f"{citation.start}–{citation.end}"
    return f"{number}. {place}, {where}\n\n   > {render.escape_markdown(citation.quote)}"
