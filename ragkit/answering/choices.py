"""The readings of a question that has several.

"When was the Treaty of Berlin signed?" has two where the passages speak of the Treaty of Berlin
(1918) and of the Treaty of Berlin (1926): a name of the question that they tell apart by what
stands in brackets after it. A question without such a name has two where two documents answer it
equally well, each with another date or number, as two handbooks do. Anything vaguer is left alone:
a wrong offer costs more than a missing one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from ragkit.answering.answer import Choice, Passage
from ragkit.answering.phrases import phrase_of
from ragkit.text.spans import Span

__all__ = ["choices_of"]

_CAPITALISED = r"[A-ZÀ-ÖØ-Þ][\w'’-]*"
_NAMED = re.compile(
    rf"(?<!\w)(?P<name>{_CAPITALISED}(?:[ -](?:(?:of|the|and|de|von) ){{0,2}}{_CAPITALISED})*) "
    r"\((?P<which>[^()\n]{1,40})\)"
)
_TITLED = re.compile(r"(?P<name>.+?) \((?P<which>[^()\n]{1,40})\)")
_YEAR = re.compile(r"\b(?:1\d{3}|20\d{2})\b")
_MOST = 4
_LIKE = 0.9
"""Share of the first passage's score that another reading's must have."""
_MET = 0.2
"""By how much less similar than in the first passage a word of the question may be met."""


def choices_of(question: str, passages: Sequence[Passage], *, answered: bool) -> tuple[Choice, ...]:
    """Return the readings of a question, best first; empty if it has one.

    Args:
        question: the question by itself.
        passages: what was retrieved for it, best first.
        answered: whether the first passage answers it; if not, other documents do not either.

    """
    choices = _named(question, passages)
    if len(choices) < 2 and answered:
        choices = _by_document(question, passages)
    return choices[:_MOST] if len(choices) > 1 else ()


def _named(question: str, passages: Sequence[Passage]) -> tuple[Choice, ...]:
    """A name of the question that passages qualify in several ways."""
    choices: dict[str, dict[str, Choice]] = defaultdict(dict)
    for passage in passages:
        for name, which in _qualified(passage):
            at = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", question, re.IGNORECASE)
            if at is None:
                continue
            year = _YEAR.search(which)
            key = (year[0] if year else which).casefold()
            if re.search(rf"(?<!\w){re.escape(key)}(?!\w)", question.casefold()):
                return ()
            asked = f"{question[: at.end()]} ({which}){question[at.end() :]}"
            one = Choice(f"{name} ({which})", asked, passage.rank)
            choices[name.casefold()].setdefault(key, one)
    return max(map(tuple, map(dict.values, choices.values())), key=len, default=())


def _qualified(passage: Passage) -> Iterator[tuple[str, str]]:
    """Names with what qualifies them; in running text a year does, in titles anything."""
    citation = passage.citation
    for heading in (citation.title, *citation.section):
        if match := _TITLED.fullmatch(heading):
            yield match["name"], match["which"]
    for match in _NAMED.finditer(passage.text):
        if _YEAR.search(match["which"]):
            yield match["name"], match["which"]


def _by_document(question: str, passages: Sequence[Passage]) -> tuple[Choice, ...]:
    """The first passage and those like it of other documents, each with another phrase."""
    choices: dict[str, Choice] = {}
    documents: set[str] = set()
    for passage in passages:
        citation, phrase = passage.citation, _phrase(question, passage)
        is_named = citation.title.casefold() in question.casefold()
        is_new = citation.document_id not in documents
        if phrase and is_new and not is_named and _answers_as_well(passage, passages[0]):
            asked = f"{question.rstrip('?. ')} ({citation.title})?"
            label = f"{citation.title}: {phrase}"
            choices.setdefault(phrase.casefold(), Choice(label, asked, passage.rank))
        documents.add(citation.document_id)
    return tuple(choices.values())


def _phrase(question: str, passage: Passage) -> str | None:
    """The date or number in the best sentence, by rule: a reader may mark the first alone."""
    start, sentence = passage.citation.start, passage.highlights[0]
    span = phrase_of(question, passage.text, Span(sentence.start - start, sentence.end - start))
    return span and passage.text[slice(*span)]


def _answers_as_well(passage: Passage, first: Passage) -> bool:
    """Whether a passage's score is like the first one's, and so is how it meets each word."""
    return passage.score >= _LIKE * first.score and all(
        own.similarity >= best.similarity - _MET
        for own, best in zip(passage.matches, first.matches, strict=True)
    )
