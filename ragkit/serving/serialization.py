"""Answers, passages and documents as the JSON of the HTTP API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ragkit.answering.answer import Answer, Passage
from ragkit.answering.confidence import in_words
from ragkit.api import Index
from ragkit.text.blocks import Block, BlockKind, cells, pieces
from ragkit.text.properties import Properties, properties
from ragkit.text.spans import Span, filled_lines, lines, trim
from ragkit.types import Document, Section

__all__ = [
    "answer_json",
    "document_json",
    "document_summary",
    "link_of",
    "passage_json",
]


def answer_json(
    answer: Answer, index: Index, *, language: str = "en", explain: bool = False
) -> dict[str, Any]:
    """Return ``Answer.to_dict`` with ids, links, the generation, Markdown, confidence in words.

    The Markdown's own words are in ``language``. With ``explain``, each passage has its signals and
    matches.
    """
    content = answer.to_dict()
    passages = zip(answer.passages, content["passages"], strict=True)
    return {
        **content,
        "confidence_words": in_words(answer.confidence),
        "index_generation": index.generation,
        "markdown": answer.to_markdown(language=language),
        "passages": [
            _with_id_and_link(passage, fields, index, explain=explain)
            for passage, fields in passages
        ],
    }


def passage_json(passage: Passage, index: Index) -> dict[str, Any]:
    """Return ``Passage.to_dict`` with its id and link, without signals and matches."""
    return _with_id_and_link(passage, passage.to_dict(), index, explain=False)


def link_of(passage: Passage, index: Index) -> str | None:
    """Return the URL that scrolls to the passage's highlight, or None if it has no URL."""
    document = index.document(passage.citation.document_id)
    highlight = passage.highlights[0] if passage.highlights else None
    return passage.citation.deep_link(document, span=highlight)


def _with_id_and_link(
    passage: Passage, fields: dict[str, Any], index: Index, *, explain: bool
) -> dict[str, Any]:
    if not explain:
        del fields["signals"], fields["matches"]
    return {
        **fields,
        "id": passage.citation.passage_id,
        "link": link_of(passage, index),
        **_layout(passage, index.document(passage.citation.document_id).text),
    }


def _layout(passage: Passage, text: str) -> dict[str, Any]:
    """Return what the first highlight is part of; of a table, also names and highlighted rows."""
    kinds = {
        piece.kind
        for piece in pieces(text, passage.citation.span)
        if isinstance(piece, Block)
        and any(piece.span.start <= one.start < piece.span.end for one in passage.highlights[:1])
    }
    kind = next(iter(kinds), BlockKind.PARAGRAPH)
    if kind != BlockKind.TABLE:
        return {"kind": kind, "rows": None}
    lead = filled_lines(text, passage.lead.span) if passage.lead else []
    names = [_row(text, cells(text, line), names=True) for line in lead]
    rows = [
        _row(text, cells(text, line), names=False)
        for highlight in passage.highlights
        for line in filled_lines(text, highlight)
    ]
    return {"kind": kind, "rows": [*names, *rows]}


def document_summary(document: Document) -> dict[str, Any]:
    """Return a document's fields without its text."""
    return {
        "id": document.id,
        "title": document.title,
        "url": document.url,
        "characters": len(document.text),
    }


def document_json(document: Document) -> dict[str, Any]:
    """Return a document with its text, and with the same text as blocks to show on a page."""
    return {
        **document_summary(document),
        "text": document.text,
        "blocks": list(_blocks(document)),
    }


def _blocks(document: Document) -> Iterator[dict[str, Any]]:
    """Yield headings, paragraphs, tables and code in the document's order."""
    previous_path: tuple[str, ...] = ()
    position = 0
    for section in document.sections:
        yield from _new_headings(document, section, previous_path, position)
        for piece in pieces(document.text, Span(section.start, section.end)):
            yield _block(document.text, piece)
        previous_path, position = section.path, section.end


def _block(text: str, piece: Block | Span) -> dict[str, Any]:
    if isinstance(piece, Block) and piece.kind == BlockKind.TABLE:
        return _shown(text, piece.span, piece.kind) | {"rows": _rows(text, piece)}
    if isinstance(piece, Block):
        return _shown(text, _inside_fences(text, piece), piece.kind)
    if box := properties(text, piece):
        return _shown(text, piece, "properties") | {"rows": _property_rows(text, box)}
    return _shown(text, piece, BlockKind.PARAGRAPH)


def _inside_fences(text: str, code: Block) -> Span:
    """The lines of code between its fences, with their indentation."""
    _, first, *_ = lines(text, *code.span)
    return Span(first.start, code.sentences[-1].end)


def _shown(text: str, span: Span, kind: str) -> dict[str, Any]:
    start, end = span
    return {"kind": kind, "level": 0, "start": start, "end": end, "text": text[start:end]}


def _rows(text: str, table: Block) -> list[dict[str, Any]]:
    """The rows of a table, without rules between them; a caption is a row of one cell."""
    answers = {sentence.start for sentence in table.sentences}
    return [
        _row(text, cells(text, line), names=line.start not in answers)
        for line in filled_lines(text, table.span)
    ]


def _property_rows(text: str, box: Properties) -> list[dict[str, Any]]:
    """The rows of a box: its title, then the name and value of each property."""
    rows = [_row(text, pair, names=False) for pair in box.pairs]
    return [_row(text, [box.title], names=True), *rows]


def _row(text: str, spans: Sequence[Span], *, names: bool) -> dict[str, Any]:
    row = [{"start": start, "end": end, "text": text[start:end]} for start, end in spans]
    return {"names": names, "cells": row}


def _new_headings(
    document: Document, section: Section, previous_path: Sequence[str], position: int
) -> Iterator[dict[str, Any]]:
    """Yield the headings of a section that the previous section does not have.

    Their span is the text between the two sections; ``position`` is where the previous one ends.
    """
    path = section.path
    shared = 0
    while shared < min(len(path), len(previous_path)) and path[shared] == previous_path[shared]:
        shared += 1
    if shared == len(path) and previous_path and path:
        shared -= 1  # two consecutive sections with the same heading
    gap = trim(document.text, Span(position, section.start)) or Span(position, position)
    for depth in range(shared, len(path)):
        yield {"kind": "heading", "level": depth + 2, "start": gap.start, "end": gap.end,
               "text": path[depth]}  # fmt: skip
