"""Judge one quotation: verbatim, stitched, short, altered, misattributed or absent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ragkit.quotes.corpus import TokenIndex, TokenRange
from ragkit.quotes.exact import find_exact
from ragkit.quotes.nearest import find_nearest
from ragkit.quotes.parsing import Quotation
from ragkit.quotes.report import QuoteCheck, QuoteStatus
from ragkit.quotes.tokens import QuoteTokens, tokenize, word_count

__all__ = ["judge"]

# A quotation below both limits is short: a word in scare quotes, a title.
_MIN_WORDS = 3
_MIN_CHARACTERS = 12

_MARKDOWN_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
"""A character that Markdown takes literally."""


def judge(index: TokenIndex, quotation: Quotation, passages: Sequence[TokenRange]) -> QuoteCheck:
    """Look a quotation up and decide its status.

    Args:
        index: the tokens of the documents.
        quotation: the parsed quotation.
        passages: the tokens of each passage, by rank; if empty, markers are not judged.

    """
    verdict = _verdict(index, quotation, passages)
    if verdict.status in (QuoteStatus.ALTERED, QuoteStatus.ABSENT):
        # Markdown, which ragkit's own answers are as well, escapes punctuation of the corpus.
        plain = _MARKDOWN_ESCAPE.sub(r"\1", quotation.content)
        if plain != quotation.content:
            verdict = _verdict(index, quotation._replace(content=plain), passages)
    return QuoteCheck(
        text=quotation.text,
        start=quotation.start,
        end=quotation.end,
        markers=quotation.markers,
        status=verdict.status,
        spans=tuple(map(index.place, verdict.ranges)),
        diff=verdict.diff,
        similarity=verdict.similarity,
        reason="; ".join(filter(None, [verdict.reason, _unknown_markers(quotation, passages)])),
    )


class _Verdict(NamedTuple):
    """The part of a ``QuoteCheck`` that is decided here; ``ranges`` become its ``spans``."""

    status: QuoteStatus
    ranges: Sequence[TokenRange] = ()
    diff: str = ""
    similarity: float | None = None
    reason: str = ""


def _verdict(index: TokenIndex, quotation: Quotation, passages: Sequence[TokenRange]) -> _Verdict:
    quote = QuoteTokens.split(list(tokenize(quotation.content)))
    if _is_short(quotation.content, quote):
        return _Verdict(QuoteStatus.SHORT, reason="too short to look up")
    match = _exact_verdict(index, quotation, quote, passages, whole_sentences=True)
    if match:
        return match
    # Before parts of sentences: a word left out must be "altered", not two runs "stitched".
    nearest = find_nearest(index, quotation.content, quote)
    if nearest:
        return _Verdict(
            QuoteStatus.ALTERED,
            nearest.ranges,
            nearest.diff,
            round(nearest.similarity, 4),
            "it differs from the document",
        )
    match = _exact_verdict(index, quotation, quote, passages, whole_sentences=False)
    return match or _Verdict(QuoteStatus.ABSENT, reason="the documents contain nothing like it")


def _is_short(content: str, quote: QuoteTokens) -> bool:
    words = word_count(quote.core)
    return words == 0 or (words < _MIN_WORDS and len(" ".join(content.split())) < _MIN_CHARACTERS)


def _exact_verdict(
    index: TokenIndex,
    quotation: Quotation,
    quote: QuoteTokens,
    passages: Sequence[TokenRange],
    *,
    whole_sentences: bool,
) -> _Verdict | None:
    """Find the quotation in the documents, and then in the passages that its markers cite."""
    match = find_exact(index, quote, index.everything, whole_sentences=whole_sentences)
    if match is None:
        return None
    status, ranges = match
    if quotation.markers and passages:
        cited = _merge([passages[n - 1] for n in quotation.markers if 1 <= n <= len(passages)])
        cited_match = find_exact(index, quote, cited, whole_sentences=whole_sentences)
        if cited_match is None:
            markers = ", ".join(f"[{number}]" for number in quotation.markers)
            reason = f"it is in the documents, but not in {markers}"
            return _Verdict(QuoteStatus.MISATTRIBUTED, ranges, reason=reason)
        if status is QuoteStatus.STITCHED:
            ranges = cited_match.ranges
    stitched = status is QuoteStatus.STITCHED
    reason = "its parts are in the documents, but not as one run of text" if stitched else ""
    return _Verdict(status, ranges, reason=reason)


def _unknown_markers(quotation: Quotation, passages: Sequence[TokenRange]) -> str:
    """Return a reason that names the markers that cite no passage; empty if there are none."""
    last = len(passages)
    unknown = [f"[{n}]" for n in quotation.markers if last and not 1 <= n <= last]
    return f"no such passage: {', '.join(unknown)}; the last one is [{last}]" if unknown else ""


def _merge(ranges: Sequence[TokenRange]) -> list[TokenRange]:
    """Sort ranges and join those that touch, since a quotation may cross from one to the next."""
    merged: list[TokenRange] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1].end:
            merged[-1] = TokenRange(merged[-1].start, max(end, merged[-1].end))
        else:
            merged.append(TokenRange(start, end))
    return merged
