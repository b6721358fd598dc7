"""What a citation proves, outside ragkit: that it holds, and where it points.

Pure functions on values; nothing is fetched. Web Annotation:
https://www.w3.org/TR/annotation-model/
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ragkit.citations.source import Quotation, SourceDocument
from ragkit.errors import InputError
from ragkit.text.spans import Span

__all__ = [
    "URL_SAFE",
    "Offsets",
    "Verification",
    "annotation",
    "extends",
    "offsets",
    "percent",
    "place_of",
    "verify",
]


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether a document says what a citation quotes; ``reason`` is one sentence for people."""

    ok: bool
    reason: str


def verify(citation: Quotation, document: SourceDocument) -> Verification:
    """Whether ``document.text[start:end] == quote``; if not, what was found and what expected."""
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
    found = text[start:end]
    if found != citation.quote:
        pairs = enumerate(zip(found, citation.quote, strict=True))
        first = next(i for i, (here, there) in pairs if here != there)
        return Verification(
            False,
            f"{document.id!r} has {_snippet(found, first)} at {start + first}; "
            f"expected {_snippet(citation.quote, first)}.",
        )
    return Verification(True, f"{document.id!r} has the quote at [{start}, {end}).")


def _snippet(text: str, position: int) -> str:
    """About 60 code points around ``position``, with control characters escaped."""
    start, end = max(0, position - 20), position + 40
    before = "…" if start else ""
    after = "…" if end < len(text) else ""
    return repr(before + text[start:end] + after)


def place_of(citation: Quotation, document: SourceDocument, span: Span | None) -> Span:
    """The span that is meant; InputError unless the citation holds and has it inside."""
    verification = verify(citation, document)
    if not verification.ok:
        raise InputError(
            f"the citation does not hold: {verification.reason} If the source was edited, "
            f"citation.reanchor(document) finds the passage again."
        )
    if span is None:
        return citation.span
    if not citation.span.start <= span.start < span.end <= citation.span.end:
        raise InputError(f"{span} is empty or outside the citation's {citation.span}.")
    return span


@dataclass(frozen=True, slots=True)
class Offsets:
    """One place as ``(start, end)``, half-open, in the three units that programs count in.

    ``code_points``: Python, Rust's ``char``. ``utf16``: 16-bit code units, of JavaScript, Java, C#
    and the Language Server Protocol. ``utf8``: bytes of the UTF-8 text without a byte order mark.
    """

    code_points: tuple[int, int]
    utf16: tuple[int, int]
    utf8: tuple[int, int]


def offsets(citation: Quotation, document: SourceDocument) -> Offsets:
    """The citation's span in each unit.

    Raises InputError if the citation does not hold.
    """
    start, end = place_of(citation, document, None)
    before, inside = document.text[:start], document.text[start:end]
    utf16 = _utf16_length(before)
    utf8 = _utf8_length(before)
    return Offsets(
        (start, end),
        (utf16, utf16 + _utf16_length(inside)),
        (utf8, utf8 + _utf8_length(inside)),
    )


# Python strings may hold lone surrogates; JavaScript's may too, and count one unit for each.
def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _utf8_length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


_CONTEXT = 32  # code points of context on either side of a quote, where that makes it unique
# What a URL may hold as it is; "%" too, since an address comes encoded already.
URL_SAFE = "%:/?#[]@!$&'()*+,;=~"


def annotation(
    citation: Quotation, document: SourceDocument, *, span: Span | None = None
) -> dict[str, Any]:
    """The citation, or ``span`` inside it, as a W3C Web Annotation; ``json.dumps`` takes it.

    Two selectors point at the same text. The position counts code points from 0, the end
    excluded; the model says (4.2.4, 4.2.5) that a selection "MUST be in terms of unicode code
    points (the 'character number'), not in terms of code units". The quote comes with as much
    context as makes it unique in the document. The source is the citation's URL, or
    ``urn:ragkit:`` with the document's id where it has none.

    Raises InputError if the citation does not hold, or ``span`` lies outside it.
    """
    place = place_of(citation, document, span)
    text = document.text
    context = _unique_context(text, place)
    name = f"urn:ragkit:{percent(document.id, safe='')}"
    return {
        "@context": "http://www.w3.org/ns/anno.jsonld",
        "id": f"{name}:{place.start}-{place.end}",  # the model demands one
        "type": "Annotation",
        "motivation": "highlighting",
        "target": {
            "source": percent(citation.url, safe=URL_SAFE) if citation.url else name,
            "selector": [
                {"type": "TextPositionSelector", "start": place.start, "end": place.end},
                {
                    "type": "TextQuoteSelector",
                    "exact": text[place.start : place.end],
                    "prefix": text[context.start : place.start],
                    "suffix": text[place.end : context.end],
                },
            ],
        },
    }


def _unique_context(text: str, place: Span) -> Span:
    """``place`` with context on both sides, doubled until the whole stands in ``text`` once."""
    reach = _CONTEXT
    while True:
        start, end = max(0, place.start - reach), min(len(text), place.end + reach)
        while start > 0 and extends(text[start]):
            start -= 1
        while end < len(text) and extends(text[end]):
            end += 1
        whole = text[start:end]
        # The whole text stands in itself once, so this ends.
        if text.find(whole) == start and text.find(whole, start + 1) < 0:
            return Span(start, end)
        reach *= 2


def extends(character: str) -> bool:
    """Whether it belongs to the character before it: an accent, a vowel sign, a joiner."""
    return character == "\u200d" or unicodedata.category(character).startswith("M")


def percent(text: str, *, safe: str) -> str:
    return quote(text, safe=safe, errors="replace")
