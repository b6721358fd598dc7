"""Values as the JSON of the HTTP API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ragkit.answering.answer import Answer, Passage
from ragkit.answering.confidence import in_words
from ragkit.api import Index
from ragkit.errors import InputError
from ragkit.integrations.common import passage_id
from ragkit.text.sentences import paragraphs
from ragkit.text.spans import Span, trim
from ragkit.types import Citation, Document, Section

__all__ = [
    "answer_json",
    "citation_of",
    "document_json",
    "document_line",
    "link_of",
    "passage_json",
]

_PASSAGE = re.compile(r"(?P<document>.+)#(?P<start>\d{1,12})-(?P<end>\d{1,12})", re.DOTALL)


def answer_json(answer: Answer, index: Index, *, explain: bool = False) -> dict[str, Any]:
    """``Answer.to_dict`` with what a page needs besides: ids, links, confidence in words."""
    content = answer.to_dict()
    given = zip(answer.passages, content["passages"], strict=True)
    return {
        **content,
        "confidence_words": in_words(answer.confidence),
        "index_generation": index.generation,
        "passages": [_linked(p, shown, index, explain=explain) for p, shown in given],
    }


def passage_json(passage: Passage, index: Index, *, explain: bool = False) -> dict[str, Any]:
    """``Passage.to_dict`` with its id and a link to the highlight; the signals on demand."""
    return _linked(passage, passage.to_dict(), index, explain=explain)


def link_of(passage: Passage, index: Index) -> str | None:
    """The address that scrolls to the passage's highlight, if its document has one."""
    document = index.document(passage.citation.document_id)
    highlight = passage.highlights[0] if passage.highlights else None
    return passage.citation.deep_link(document, span=highlight)


def _linked(
    passage: Passage, content: dict[str, Any], index: Index, *, explain: bool
) -> dict[str, Any]:
    if not explain:
        del content["signals"], content["matches"]
    return {**content, "id": passage_id(passage), "link": link_of(passage, index)}


def document_line(document: Document) -> dict[str, Any]:
    """A document without its text."""
    return {
        "id": document.id,
        "title": document.title,
        "url": document.url,
        "characters": len(document.text),
    }


def document_json(document: Document) -> dict[str, Any]:
    """A document whole, and as the blocks to show it by."""
    return {
        **document_line(document),
        "text": document.text,
        "blocks": list(_blocks(document)),
    }


def citation_of(name: str, index: Index) -> Citation:
    """The citation that a passage's id stands for. Raises InputError if it is none here."""
    match = _PASSAGE.fullmatch(name)
    if match is None:
        raise InputError(f"{name!r} is no passage's id; expected 'document#start-end'.")
    document = index.document(match["document"])
    return document.cite(Span(int(match["start"]), int(match["end"])))


def _blocks(document: Document) -> Iterator[dict[str, Any]]:
    """The headings and paragraphs, in reading order."""
    before: tuple[str, ...] = ()
    position = 0
    for section in document.sections:
        yield from _headings(document, section, before, position)
        for start, end in paragraphs(document.text, Span(section.start, section.end)):
            text = document.text[start:end]
            yield {"kind": "paragraph", "level": 0, "start": start, "end": end, "text": text}
        before, position = section.path, section.end


def _headings(
    document: Document, section: Section, before: Sequence[str], position: int
) -> Iterator[dict[str, Any]]:
    """What of a section's heading path the reader has not seen yet, standing in the gap before."""
    path = section.path
    shared = 0
    while shared < min(len(path), len(before)) and path[shared] == before[shared]:
        shared += 1
    if shared == len(path) and before and path:
        shared -= 1  # two sections of one name, one after the other
    gap = trim(document.text, Span(position, section.start)) or Span(position, position)
    for depth in range(shared, len(path)):
        yield {"kind": "heading", "level": depth + 2, "start": gap.start, "end": gap.end,
               "text": path[depth]}  # fmt: skip
