"""The values that a check of quotations returns: report, checks, places and citation markers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ragkit.text.spans import Span

__all__ = ["Marker", "Place", "QuoteCheck", "QuoteReport", "QuoteStatus", "shorten"]

_MAX_WORDS_SHOWN = 24
_MAX_PLACES_SHOWN = 3


class QuoteStatus(StrEnum):
    """The verdict on a quotation; the last three make ``QuoteReport.ok`` false.

    Attributes:
        VERBATIM: the documents contain exactly these words.
        STITCHED: every part is in the documents, but not as one run of text.
        SHORT: too short to look up, such as a word in scare quotes.
        ALTERED: a passage of the documents is similar, but not equal.
        MISATTRIBUTED: the words are in the documents, but not in the cited passages.
        ABSENT: nothing in the documents is similar.

    """

    VERBATIM = "verbatim"
    STITCHED = "stitched"
    SHORT = "short"
    ALTERED = "altered"
    MISATTRIBUTED = "misattributed"
    ABSENT = "absent"


_FAILURES = frozenset({QuoteStatus.ALTERED, QuoteStatus.MISATTRIBUTED, QuoteStatus.ABSENT})


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a document.

    Attributes:
        document_id: id of the document.
        span: half-open range of code points of the document's text.

    """

    document_id: str
    span: Span

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as a JSON-ready dictionary."""
        return {"document_id": self.document_id, "start": self.span.start, "end": self.span.end}


@dataclass(frozen=True, slots=True)
class Marker:
    """A citation marker ``[number]`` that belongs to no quotation.

    Attributes:
        number: the cited passage, from 1.
        start: first code point of the bracket in the checked text.
        end: one past the closing bracket.
        beyond: passages were passed to the check, and none has this number.

    """

    number: int
    start: int
    end: int
    beyond: bool

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as a JSON-ready dictionary."""
        return {
            "number": self.number,
            "start": self.start,
            "end": self.end,
            "beyond": self.beyond,
        }


@dataclass(frozen=True, slots=True)
class QuoteCheck:
    """One quotation and the verdict on it.

    Attributes:
        text: the quotation without its quotation marks; equal to ``checked_text[start:end]``.
        start: first code point of the quotation in the checked text.
        end: one past the last code point.
        markers: numbers of the passages that the quotation cites.
        status: the verdict.
        spans: places in the documents, depending on the status.
            Verbatim or misattributed: every place that has the words, in corpus order, at most 100.
            Stitched: one place for each part, in the quotation's order.
            Altered: the most similar place. Short or absent: none.
        diff: for altered quotations ``signed in [-1922-]{+1923+} by``: first the document's words,
            then the quotation's. Otherwise empty.
        similarity: for altered quotations, 0–1: twice the number of words in common, divided by
            the number of words of both, ignoring case. Otherwise None.
        reason: why the status is not verbatim, and which markers cite no passage, in words.

    """

    text: str
    start: int
    end: int
    markers: tuple[int, ...]
    status: QuoteStatus
    spans: tuple[Place, ...] = ()
    diff: str = ""
    similarity: float | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as a JSON-ready dictionary."""
        return {
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "markers": list(self.markers),
            "status": self.status.value,
            "spans": [place.to_dict() for place in self.spans],
            "diff": self.diff,
            "similarity": self.similarity,
            "reason": self.reason,
        }

    def __str__(self) -> str:
        markers = "".join(f"[{number}]" for number in self.markers)
        head = f"{self.status} [{self.start}:{self.end}] “{shorten(self.text)}” {markers}".rstrip()
        listed = self.spans[:_MAX_PLACES_SHOWN]
        places = (f"{p.document_id} [{p.span.start}:{p.span.end}]" for p in listed)
        unlisted = len(self.spans) - len(listed)
        more = f"and {unlisted} more" if unlisted else ""
        notes = [self.reason, self.diff, ", ".join(places), more]
        return "\n    ".join([head, *filter(None, notes)])


@dataclass(frozen=True, slots=True)
class QuoteReport:
    """The result of checking a text.

    Attributes:
        checks: one for each quotation, in the order of the text.
        markers: the citation markers that belong to no quotation.

    """

    checks: tuple[QuoteCheck, ...] = ()
    markers: tuple[Marker, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no quotation is altered, misattributed or absent."""
        return not any(check.status in _FAILURES for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as a JSON-ready dictionary."""
        return {
            "ok": self.ok,
            "checks": [check.to_dict() for check in self.checks],
            "markers": [marker.to_dict() for marker in self.markers],
        }

    def __str__(self) -> str:
        counts = Counter(check.status for check in self.checks)
        kinds = ", ".join(f"{counts[status]} {status}" for status in QuoteStatus if counts[status])
        head = f"{'ok' if self.ok else 'not ok'}: {kinds or 'no quotation'}"
        beyond = sorted({marker.number for marker in self.markers if marker.beyond})
        tail = [f"no such passage: {', '.join(f'[{n}]' for n in beyond)}"] if beyond else []
        return "\n".join([head, *map(str, self.checks), *tail])


def shorten(text: str) -> str:
    """Return the text on one line, without the middle words of a long one."""
    words = text.split()
    if len(words) <= _MAX_WORDS_SHOWN:
        return " ".join(words)
    half = _MAX_WORDS_SHOWN // 2
    return " ".join([*words[:half], "…", *words[-half:]])
