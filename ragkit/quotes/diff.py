"""Show how a quotation differs from the document, word by word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ragkit.quotes.corpus import TokenIndex, TokenRange
from ragkit.quotes.report import shorten
from ragkit.quotes.tokens import Token

__all__ = ["TokenPair", "adjacent", "word_diff"]


TokenPair = tuple[int, int]
"""The number of a token in the quotation, and the position of an equal token in the documents."""


def adjacent(pair: TokenPair, following: TokenPair) -> bool:
    """Whether one pair follows the other directly, on both sides."""
    return (pair[0] + 1, pair[1] + 1) == following


def word_diff(
    index: TokenIndex,
    content: str,
    core: Sequence[Token],
    equal: Sequence[TokenPair],
    document_range: TokenRange,
) -> str:
    """Return ``signed in [-1922-]{+1923+} by``: the document's words, then the quotation's.

    Args:
        index: the tokens of the documents.
        content: the text that contains the quotation's tokens.
        core: the quotation's tokens.
        equal: pairs of equal tokens, ascending on both sides.
        document_range: the place in the documents to compare with.

    """
    document = index.document_at(document_range.start).text
    diff = ""
    quoted, position = 0, document_range.start
    for run in _equal_runs(equal, (len(core), document_range.end)):
        removed = added = ""
        if position < run.position:
            start, end = index.starts[position], index.ends[run.position - 1]
            removed = _space(document, start, diff) + f"[-{shorten(document[start:end])}-]"
        if quoted < run.quoted:
            start, end = core[quoted].start, core[run.quoted - 1].end
            space = "" if removed else _space(content, start, diff)
            added = space + f"{{+{shorten(content[start:end])}+}}"
        diff += removed + added
        quoted, position = run.quoted + run.size, run.position + run.size
        if run.size:
            start, end = core[run.quoted].start, core[quoted - 1].end
            diff += _space(content, start, diff) + shorten(content[start:end])
    return diff


class _EqualRun(NamedTuple):
    """``size`` equal tokens, from these numbers on."""

    quoted: int
    position: int
    size: int


def _equal_runs(pairs: Sequence[TokenPair], end: TokenPair) -> Iterator[_EqualRun]:
    """Group pairs that follow each other directly; yield an empty run at the end."""
    first = 0
    for i, pair in enumerate(pairs):
        if i + 1 == len(pairs) or not adjacent(pair, pairs[i + 1]):
            yield _EqualRun(*pairs[first], i + 1 - first)
            first = i + 1
    yield _EqualRun(*end, 0)


def _space(text: str, start: int, diff: str) -> str:
    return " " if diff and text[start - 1 : start].isspace() else ""
