"""Split a text into tokens (words, numbers, punctuation marks) that are equal or not.

Two spellings of a token are equal if they differ in Unicode composition, or in the kind of
quotation mark, apostrophe, dash or ellipsis. White space between tokens does not count; the case of
a word does. A word, a hyphenated word, or a number with its sign, decimals and unit is never cut:
"5 percent" is not in "3.5 percent", nor "aggression pact" in "non-aggression pact".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

__all__ = [
    "SENTENCE_ENDS",
    "QuoteTokens",
    "Token",
    "inner_hyphens",
    "sentence_bounds",
    "tokenize",
    "word_bounds",
    "word_count",
]


class Token(NamedTuple):
    """A token of a text.

    Attributes:
        key: normalized spelling; tokens with equal keys are equal.
        start: first code point in the text.
        end: one past the last code point.
        kind: word (numbers too), ellipsis, dash, hyphen, quote or other.

    """

    key: str
    start: int
    end: int
    kind: str


SENTENCE_ENDS = frozenset(".!?")
_HYPHENS = "-‐‑–−"  # between two words without a space, they make one word of them
_APOSTROPHES = "'’‘ʼ＇"
_INVISIBLE = "\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_NOT_COMPARED = re.compile(rf"[\s\[\]{_INVISIBLE}]+")
_SAME_SPELLING = str.maketrans(dict.fromkeys(_APOSTROPHES, "'") | dict.fromkeys(_HYPHENS, "-"))
_KEY_OF_KIND = {"ellipsis": "…", "dash": "-", "hyphen": "-", "quote": '"'}


@lru_cache(maxsize=1)
def _token_pattern() -> re.Pattern[str]:
    r"""Compile the pattern of a token; ``\w`` lacks combining marks, so they are listed."""
    marks = "".join(c for c in map(chr, range(0x300, 0x20000)) if unicodedata.category(c)[0] == "M")
    run = rf"\w[\w{marks}{_INVISIBLE}]*"
    return re.compile(
        # A number with its sign, decimals and unit is one token, as is a word with [c]hanged case.
        rf"(?P<word>(?:\[[^\W\d_]\](?=\w)|(?<!\w)[\-–−$€£¥](?=\d))?"
        rf"{run}(?:(?:[{_APOSTROPHES}](?=\w)|(?<=\d)[.,:/](?=\d)){run})*(?:(?<=\d)\s*[%‰°])?)"
        rf"|(?P<ellipsis>[\[(]\s?(?:…|\.{{3,}})\s?[\])]|…|\.{{3,}}|\.(?:\s+\.){{2,}})"
        rf"|(?P<dash>-{{2,3}}|[‒—―])|(?P<hyphen>[{_HYPHENS}])"
        rf"|(?P<quote>''|[\"“”„‟«»‹›'‘’‚‛])"
        rf"|(?P<other>(?![{_INVISIBLE}])[^\w\s][{marks}]*)"
    )


def tokenize(text: str) -> Iterator[Token]:
    """Yield the tokens of a text, in order.

    >>> [token.key for token in tokenize("It isn’t 3.5 %…")]
    ['It', "isn't", '3.5%', '…']
    """
    for match in _token_pattern().finditer(text):
        kind = match.lastgroup or ""
        yield Token(_KEY_OF_KIND.get(kind) or _key(match[0]), *match.span(), kind)


def _key(token: str) -> str:
    if token.isalnum() and token.isascii():
        return token
    if len(token) > 1:
        token = _NOT_COMPARED.sub("", token).translate(_SAME_SPELLING)
    return unicodedata.normalize("NFC", token)


def word_count(tokens: Sequence[Token]) -> int:
    """Count the words and numbers among tokens."""
    return sum(token.kind == "word" for token in tokens)


def sentence_bounds(tokens: Sequence[Token]) -> list[int]:
    """Return the index of each sentence's first token, and the number of tokens.

    A sentence begins after a full stop, with a capital letter or a digit.
    """
    bounds = [0]
    for index, (last, first) in enumerate(pairwise(tokens), start=1):
        if last.key in SENTENCE_ENDS and (first.key[0].isupper() or first.key[0].isdigit()):
            bounds.append(index)
    return [*bounds, len(tokens)]


def word_bounds(tokens: Sequence[Token]) -> list[int]:
    """Return the indexes between two tokens, except those inside a hyphenated word."""
    inside = {index + side for index in inner_hyphens(tokens) for side in (0, 1)}
    return [bound for bound in range(len(tokens) + 1) if bound not in inside]


def inner_hyphens(tokens: Sequence[Token]) -> Iterator[int]:
    """Yield the indexes of hyphens that join two words."""
    triples = zip(tokens, tokens[1:], tokens[2:], strict=False)
    for index, (before, hyphen, after) in enumerate(triples, start=1):
        adjacent = before.end == hyphen.start and hyphen.end == after.start
        if adjacent and (before.kind, hyphen.kind, after.kind) == ("word", "hyphen", "word"):
            yield index


_OPTIONAL_AT_START = "…*"
_OPTIONAL_AT_END = frozenset(".,…*")  # the quoting author's punctuation and emphasis


class QuoteTokens(NamedTuple):
    """A quotation's tokens: ``core`` must be in the documents, ``head`` and ``tail`` need not."""

    head: Sequence[Token]
    core: Sequence[Token]
    tail: Sequence[Token]

    @classmethod
    def split(cls, tokens: Sequence[Token]) -> QuoteTokens:
        """Split off optional punctuation at both ends, and quotation marks around the whole."""
        start, end = _trim_optional(tokens, 0, len(tokens))
        if end - start > 1 and tokens[start].kind == tokens[end - 1].kind == "quote":
            start, end = _trim_optional(tokens, start + 1, end - 1)
        return cls(tokens[:start], tokens[start:end], tokens[end:])

    @property
    def has_ellipsis(self) -> bool:
        """Whether words are left out inside the quotation."""
        return any(token.kind == "ellipsis" for token in self.core)

    @property
    def pieces(self) -> list[QuoteTokens]:
        """The parts between ellipses that contain a word."""
        ellipses = [i for i, token in enumerate(self.core) if token.kind == "ellipsis"]
        bounds = pairwise([-1, *ellipses, len(self.core)])
        pieces = (QuoteTokens.split(self.core[before + 1 : after]) for before, after in bounds)
        return [piece for piece in pieces if word_count(piece.core)]


def _trim_optional(tokens: Sequence[Token], start: int, end: int) -> tuple[int, int]:
    while start < end and tokens[end - 1].key in _OPTIONAL_AT_END:
        end -= 1
    while start < end and tokens[start].key in _OPTIONAL_AT_START:
        start += 1
    return start, end
