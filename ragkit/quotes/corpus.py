"""The tokens of all documents as one string, in which ``str.find`` looks a quotation up.

Each distinct token key is assigned one character, so that a run of tokens is a substring.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ragkit.errors import InputError
from ragkit.quotes.report import Place
from ragkit.quotes.tokens import SENTENCE_ENDS, Token, inner_hyphens, tokenize
from ragkit.text.spans import Span
from ragkit.types import Document

__all__ = ["TokenIndex", "TokenRange"]

_MAX_REJECTED = 1_000  # matches inside hyphenated words that one search skips
_DOCUMENT_END, _NOT_IN_CORPUS = "\0", "\1"
_FIRST_CODE = 2


class TokenRange(NamedTuple):
    """A half-open range ``[start, end)`` of positions in a ``TokenIndex``."""

    start: int
    end: int


class TokenIndex:
    """All documents' tokens in one row, with an end mark after each document.

    Attributes:
        documents: the documents, in order.
        numbers: each document's number, by its id.
        exact: one character for each token.
        lower: the same, ignoring case.
        starts: first code point of each token in its document.
        ends: one past its last code point.
        words_before: number of words before each token; one entry more than there are tokens.
        hyphens: positions of hyphens inside a word, where nothing may be cut.
        sentence_ends: the characters in ``exact`` after which a sentence begins.
        everything: the whole index, as a scope to search in.

    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents
        self.numbers = {document.id: number for number, document in enumerate(documents)}
        self.starts, self.ends, self.words_before = array("q"), array("q"), array("q", [0])
        self.hyphens: set[int] = set()
        self._document_starts: list[int] = []
        self._section_starts: list[int] = []
        self._codes: dict[str, str] = {}
        self._postings: dict[str, array[int]] = {}
        exact: list[str] = []
        lower: list[str] = []
        for document in documents:
            self._add(document, exact, lower)
        self.exact, self.lower = "".join(exact), "".join(lower)
        self.sentence_ends = {*self._codes_of(*SENTENCE_ENDS, "="), _DOCUMENT_END, ""}
        self._quotation_mark = "".join(self._codes_of('"'))
        self.everything = (TokenRange(0, len(self.exact)),)

    def _add(self, document: Document, exact: list[str], lower: list[str]) -> None:
        first = len(exact)
        tokens = list(tokenize(document.text))
        for position, token in enumerate(tokens, start=first):
            exact.append(self._assign_code(token.key))
            lower.append(self._assign_code(token.key.casefold()))
            self.words_before.append(self.words_before[-1] + (token.kind == "word"))
            if token.kind == "word":
                self._postings.setdefault(lower[-1], array("q")).append(position)
        self.starts.extend(token.start for token in tokens)
        self.ends.extend(token.end for token in tokens)
        self.hyphens.update(first + index for index in inner_hyphens(tokens))
        sections = (bisect_left(self.starts, s.start, first) for s in document.sections)
        self._document_starts.append(first)
        self._section_starts += [first, *sections]
        self._end_document(document, exact, lower)

    def _end_document(self, document: Document, exact: list[str], lower: list[str]) -> None:
        exact.append(_DOCUMENT_END)
        lower.append(_DOCUMENT_END)
        self.words_before.append(self.words_before[-1])
        self.starts.append(len(document.text))
        self.ends.append(len(document.text))

    def _assign_code(self, key: str) -> str:
        try:
            return self._codes[key]
        except KeyError:
            number = _FIRST_CODE + len(self._codes)
        if number > 0x10FFFF:
            limit = number - _FIRST_CODE
            raise InputError(
                f"the documents contain more than {limit:,} different words; expected at most "
                f"{limit:,}. Check against fewer documents at a time."
            )
        return self._codes.setdefault(key, chr(number))

    def _codes_of(self, *keys: str) -> list[str]:
        return [self._codes[key] for key in keys if key in self._codes]

    def encode(self, tokens: Sequence[Token]) -> str:
        """Encode tokens as in ``exact``; a token of no document gets a code of its own."""
        return "".join(self._codes.get(token.key, _NOT_IN_CORPUS) for token in tokens)

    def encode_lower(self, tokens: Sequence[Token]) -> str:
        """Encode tokens as in ``lower``."""
        return "".join(self._codes.get(t.key.casefold(), _NOT_IN_CORPUS) for t in tokens)

    def encode_both_cases(self, tokens: Sequence[Token]) -> tuple[str, ...]:
        """Encode tokens as they are, and with the first letter's case swapped.

        The second one is left out where no document has such a first token.
        """
        as_written = self.encode(tokens)
        key = tokens[0].key
        swapped = self._codes.get(key[0].swapcase() + key[1:], _NOT_IN_CORPUS)
        if swapped in (_NOT_IN_CORPUS, as_written[0]):
            return (as_written,)
        return as_written, swapped + as_written[1:]

    def find_all(
        self, patterns: Sequence[str], scope: Sequence[TokenRange]
    ) -> Iterator[TokenRange]:
        """Yield the matches of any of the patterns inside the ranges, without overlaps, in order.

        Args:
            patterns: encoded tokens, all of one length.
            scope: the ranges to search; a match lies inside one of them.

        """
        length = len(patterns[0])
        for start, end in scope:
            position = self.find(patterns, start, end)
            while position >= 0:
                yield TokenRange(position, position + length)
                position = self.find(patterns, position + length, end)

    def find(self, patterns: Sequence[str], start: int, end: int) -> int:
        """Return the position of the first match in ``[start, end)``, or -1."""
        matches = (self._find(pattern, start, end) for pattern in patterns)
        return min((match for match in matches if match >= 0), default=-1)

    def _find(self, pattern: str, start: int, end: int) -> int:
        position = start - 1
        for _ in range(_MAX_REJECTED):
            position = self.exact.find(pattern, position + 1, end)
            if position < 0:
                break
            cuts_word = position - 1 in self.hyphens or position + len(pattern) in self.hyphens
            if not cuts_word:
                return position
        return -1

    def word_count(self, tokens: TokenRange) -> int:
        """Count the words in a range of tokens."""
        return self.words_before[tokens.end] - self.words_before[tokens.start]

    def begins_sentence(self, position: int) -> bool:
        """Whether a sentence, a heading or a document ends before this token."""
        before = self.exact[max(0, position - 2) : position]
        return before[-1:] in self.sentence_ends or (
            before[-1:] == self._quotation_mark and before[0] in self.sentence_ends
        )

    def postings(self, code: str) -> Sequence[int]:
        """Return the positions of a word, given by its character in ``lower``."""
        return self._postings.get(code, ())

    def section_around(self, position: int) -> TokenRange:
        """Return the tokens of the section that contains this token."""
        return _range_around(self._section_starts, position, len(self.exact))

    def document_around(self, position: int) -> TokenRange:
        """Return the tokens of the document that contains this token, without the end mark."""
        start, end = _range_around(self._document_starts, position, len(self.exact))
        return TokenRange(start, end - 1)

    def document_at(self, position: int) -> Document:
        """Return the document that contains this token."""
        return self.documents[bisect_right(self._document_starts, position) - 1]

    def place(self, tokens: TokenRange) -> Place:
        """Convert a range of tokens to a span of its document."""
        document = self.document_at(tokens.start)
        return Place(document.id, Span(self.starts[tokens.start], self.ends[tokens.end - 1]))

    def tokens_inside(self, number: int, span: Span) -> TokenRange:
        """Return the tokens that lie wholly inside a span of the document with this number."""
        first, last = self.document_around(self._document_starts[number])
        start = bisect_left(self.starts, span.start, first, last)
        return TokenRange(start, max(start, bisect_right(self.ends, span.end, first, last)))


def _range_around(starts: Sequence[int], position: int, end: int) -> TokenRange:
    index = bisect_right(starts, position)
    return TokenRange(starts[index - 1], starts[index] if index < len(starts) else end)
