"""Verify a citation against its document, and express its place for other programs.

Nothing is fetched. Web Annotation: https://www.w3.org/TR/annotation-model/
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from ragkit.citations.source import Quotation, SourceDocument
from ragkit.citations.urls import encode_url, percent_encode
from ragkit.errors import InputError
from ragkit.text.spans import Span

__all__ = [
    "Offsets",
    "Verification",
    "annotation",
    "is_combining",
    "offsets",
    "verified_span",
    "verify",
]


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a verification.

    Attributes:
        ok: whether the document has the quote at the span.
        reason: one sentence: where the quote is, or what was found and what was expected.

    """

    ok: bool
    reason: str


def verify(citation: Quotation, document: SourceDocument) -> Verification:
    """Check that ``document.text[start:end] == quote`` and that the ids are equal.

    Args:
        citation: the citation to check.
        document: the document that it claims to quote.

    """
    text, (start, end) = document.text, citation.span
    if citation.document_id != document.id:
        return Verification(
            False, f"the document is {document.id!r}; expected {citation.document_id!r}."
        )
    if end > len(text):
        return Verification(
            False,
            f"the span [{start}, {end}) ends outside {document.id!r}, which has "
            f"{len(text)} code points; expected {_snippet(citation.quote, 0)} there.",
        )
    actual = text[start:end]
    if actual != citation.quote:
        pairs = enumerate(zip(actual, citation.quote, strict=True))
        first = next(i for i, (one, other) in pairs if one != other)
        return Verification(
            False,
            f"{document.id!r} has {_snippet(actual, first)} at {start + first}; "
            f"expected {_snippet(citation.quote, first)}.",
        )
    return Verification(True, f"{document.id!r} has the quote at [{start}, {end}).")


def _snippet(text: str, position: int) -> str:
    """Return about 60 code points around ``position``, with control characters escaped."""
    start, end = max(0, position - 20), position + 40
    before = "…" if start else ""
    after = "…" if end < len(text) else ""
    return repr(before + text[start:end] + after)


def verified_span(citation: Quotation, document: SourceDocument, span: Span | None) -> Span:
    """Verify a citation and return its span, or the ``span`` inside it.

    Raises:
        InputError: the citation does not hold, or ``span`` is empty or outside it.

    """
    verification = verify(citation, document)
    if not verification.ok:
        raise InputError(
            f"the citation does not hold: {verification.reason} If the source was edited, "
            f"citation.reanchor(document) finds the passage again."
        )
    if span is None:
        return citation.span
    if not citation.span.start <= span.start < span.end <= citation.span.end:
        start, end = citation.span
        raise InputError(
            f"the span [{span.start}, {span.end}) is empty or outside the citation; expected one "
            f"inside [{start}, {end})."
        )
    return span


@dataclass(frozen=True, slots=True)
class Offsets:
    """One place as half-open ``(start, end)`` in three units.

    Attributes:
        code_points: Unicode code points: Python's ``str``, Rust's ``char``.
        utf16: 16-bit code units: JavaScript, Java, C#, the Language Server Protocol.
        utf8: bytes of the UTF-8 text without a byte order mark.

    """

    code_points: tuple[int, int]
    utf16: tuple[int, int]
    utf8: tuple[int, int]


def offsets(citation: Quotation, document: SourceDocument) -> Offsets:
    """Return the citation's span in each unit.

    Args:
        citation: the citation.
        document: the document that it quotes.

    Raises:
        InputError: the citation does not hold.

    """
    start, end = verified_span(citation, document, None)
    before, inside = document.text[:start], document.text[start:end]
    utf16 = _utf16_length(before)
    utf8 = _utf8_length(before)
    return Offsets(
        (start, end),
        (utf16, utf16 + _utf16_length(inside)),
        (utf8, utf8 + _utf8_length(inside)),
    )


# Python strings may contain lone surrogates; in JavaScript each counts as one unit.
def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _utf8_length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


_CONTEXT = 32  # code points of context on either side of a quote, where that makes it unique


def annotation(
    citation: Quotation, document: SourceDocument, *, span: Span | None = None
) -> dict[str, Any]:
    """Return the citation, or ``span`` inside it, as a W3C Web Annotation (JSON-LD).

    Two selectors point at the same text. The position selector counts code points, as the model
    demands (4.2.4, 4.2.5). The quote selector has enough context to be unique in the document. The
    source is the citation's URL or, if it has none, ``urn:ragkit:`` and the document's id.

    Args:
        citation: the citation.
        document: the document that it quotes.
        span: a part of the citation, in code points of the document's text.

    Returns:
        A JSON-ready dictionary.

    Raises:
        InputError: the citation does not hold, or ``span`` lies outside it.

    """
    place = verified_span(citation, document, span)
    name = f"urn:ragkit:{percent_encode(document.id)}"
    return {
        "@context": "http://www.w3.org/ns/anno.jsonld",
        "id": f"{name}:{place.start}-{place.end}",  # required by the model
        "type": "Annotation",
        "motivation": "highlighting",
        "target": {
            "source": encode_url(citation.url) if citation.url else name,
            "selector": _selectors(document.text, place),
        },
    }


def _selectors(text: str, place: Span) -> list[dict[str, Any]]:
    context = _unique_context(text, place)
    return [
        {"type": "TextPositionSelector", "start": place.start, "end": place.end},
        {
            "type": "TextQuoteSelector",
            "exact": text[place.start : place.end],
            "prefix": text[context.start : place.start],
            "suffix": text[place.end : context.end],
        },
    ]


def _unique_context(text: str, place: Span) -> Span:
    """Return ``place`` with context on both sides, doubled until it occurs once in ``text``."""
    reach = _CONTEXT
    while True:
        start, end = max(0, place.start - reach), min(len(text), place.end + reach)
        while start > 0 and is_combining(text[start]):
            start -= 1
        while end < len(text) and is_combining(text[end]):
            end += 1
        whole = text[start:end]
        # Ends, because the whole text occurs in itself once.
        if text.find(whole) == start and text.find(whole, start + 1) < 0:
            return Span(start, end)
        reach *= 2


def is_combining(character: str) -> bool:
    """Whether a character belongs to the one before it: an accent, a vowel sign, a joiner."""
    return character == "\u200d" or unicodedata.category(character).startswith("M")
