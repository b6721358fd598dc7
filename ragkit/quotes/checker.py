"""The verbatim gate: does each quotation of a text really stand in the corpus?

The text may be anything, a language model's answer above all. What is looked up is not characters
but tokens (words, numbers, punctuation marks), each folded: Unicode NFC, one spelling of quotation
marks, dashes, ellipses and white space. Words keep their case. A token is whole or it is not there:
"5 percent" does not stand in "3.5 percent", nor "aggression pact" in "non-aggression pact".

Each distinct token is given a character, so the corpus becomes one string and an exact search is
``str.find``. All work is linear in the text; what could grow faster has a limit named below.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum
from functools import lru_cache, partial
from heapq import nlargest
from itertools import islice, pairwise
from math import log
from typing import Any, NamedTuple

from ragkit.answering.answer import Passage
from ragkit.errors import InputError
from ragkit.text.spans import Span
from ragkit.types import Document

__all__ = [
    "Marker",
    "Place",
    "QuoteCheck",
    "QuoteChecker",
    "QuoteReport",
    "QuoteStatus",
]

MIN_WORDS = 3  # a quotation with fewer, and fewer characters than the next, is a scare quote
MIN_CHARACTERS = 12
MIN_SIMILARITY = 0.6
RUN_WORDS = 4  # a run this long says where it is from; a shorter one stands everywhere
MAX_RUNS = 4
MAX_PLACES = 100  # places listed of one quotation
MAX_PIECES = 32  # pieces between ellipses that are looked for one by one when not all stand
_VOTES = 2_000  # pairs of a quotation's word and a place of it, rarest words first …
_VOTES_EACH = 100  # … and not more for each token of the quotation
_REFUSED = 1_000  # places inside hyphenated words that are passed over
_CANDIDATES = 3  # neighbourhoods compared word by word
_BLOCK = 100  # tokens compared at a time: keeps the comparison linear
_SHOWN = 24  # words of a diff's part; of a longer one, both ends are shown


class QuoteStatus(StrEnum):
    """What became of a quotation; ``QuoteReport.ok`` forgives the first three."""

    VERBATIM = "verbatim"
    STITCHED = "stitched"
    SHORT = "short"
    ALTERED = "altered"
    MISATTRIBUTED = "misattributed"
    ABSENT = "absent"


FAILURES = frozenset({QuoteStatus.ALTERED, QuoteStatus.MISATTRIBUTED, QuoteStatus.ABSENT})


@dataclass(frozen=True, slots=True)
class Place:
    """Where words stand: a span in code points of the document's text."""

    document_id: str
    span: Span

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready."""
        return {"document_id": self.document_id, "start": self.span.start, "end": self.span.end}


@dataclass(frozen=True, slots=True)
class Marker:
    """A ``[number]`` that follows no quotation; ``start`` and ``end`` bound its brackets.

    ``beyond``: passages were given and there is none of that number.
    """

    number: int
    start: int
    end: int
    beyond: bool

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready."""
        return {
            "number": self.number,
            "start": self.start,
            "end": self.end,
            "beyond": self.beyond,
        }


@dataclass(frozen=True, slots=True)
class QuoteCheck:
    """One quotation and what became of it. ``text == checked[start:end]``, without its marks.

    ``status`` and what ``spans`` are then:

    - verbatim: it stands exactly; each place in corpus order, 100 at most. Forgiven are the case
      of the first letter, a comma or full stop at the end, and ellipses at either end;
    - stitched: what stands between its ellipses, its sentences, or two to four runs of at least 4
      words each stand exactly, but not as one; the place of each, in the quotation's order;
    - short: fewer than 3 words and 12 characters, a scare quote; not looked up, no spans;
    - altered: near to a place, not equal; the nearest, with ``diff`` and ``similarity``;
    - misattributed: it stands, but not inside the passages that ``markers`` name; where it does;
    - absent: nothing like it stands there; no spans.

    ``similarity``: 0–1, twice the words in common over the words of both, case ignored; None
    unless altered. ``diff``: ``signed in [-1922-]{+1923+} by``, first what the document says.
    ``reason``: for people, why the status is not verbatim, and which markers name no passage.
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
        """All fields, JSON-ready."""
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
        cited = "".join(f"[{number}]" for number in self.markers)
        head = f"{self.status} [{self.start}:{self.end}] “{_shown(self.text)}” {cited}".rstrip()
        places = (f"{p.document_id} [{p.span.start}:{p.span.end}]" for p in self.spans[:3])
        more = f"and {len(self.spans) - 3} more" if len(self.spans) > 3 else ""
        notes = [self.reason, self.diff, ", ".join(places), more]
        return "\n    ".join([head, *filter(None, notes)])


@dataclass(frozen=True, slots=True)
class QuoteReport:
    """The quotations of a text in its order, and the ``markers`` that follow none."""

    checks: tuple[QuoteCheck, ...] = ()
    markers: tuple[Marker, ...] = ()

    @property
    def ok(self) -> bool:
        """No quotation is altered, misattributed or absent."""
        return not any(check.status in FAILURES for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-ready (``json.dumps`` takes it as it is)."""
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


class QuoteChecker:
    """Documents made ready for many texts to be checked against them. Immutable; share it freely.

    Raises InputError where ``documents`` are not Documents of different ids.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self._corpus = _Corpus(_checked_documents(documents))

    def check(self, text: str, passages: Sequence[Passage] = ()) -> QuoteReport:
        """What each quotation of ``text`` is worth.

        Quotations: “…”, "…", „…“, «…», ‘…’ inside one paragraph, and Markdown block quotes; of
        nested ones the outermost. ``[n]`` directly after one says that it is from
        ``passages[n - 1]``; without ``passages`` markers are listed and not judged.

        Raises InputError for a text that is no str, and passages that are not of these documents.
        """
        if not isinstance(text, str):
            raise InputError(
                f"text is a {type(text).__name__}; expected a str. Pass the text to be checked, "
                f"e.g. a model's answer."
            )
        ranges = _passage_ranges(self._corpus, passages)
        quotations = list(_quotations(text))
        checks = (_check(self._corpus, quotation, ranges) for quotation in quotations)
        return QuoteReport(tuple(checks), tuple(_lone_markers(text, quotations, len(ranges))))


# --- Reading the text: quotations and markers ----------------------------------------------------


class _Quotation(NamedTuple):
    """``content`` is ``text`` with what is not quoted (``>``, markers) blanked, equally long.

    ``after`` is where the quotation's own markers end.
    """

    text: str
    content: str
    start: int
    end: int
    after: int
    markers: tuple[int, ...]


_MARKER = r"\[[0-9]{1,6}(?:[,;]\s?[0-9]{1,6})*\]"
_MARKERS = re.compile(_MARKER)
_NUMBER = re.compile(r"[0-9]+")
_AFTER = re.compile(
    rf"[^\S\r\n]{{0,3}}[.,;:!?)*_]{{0,4}}[^\S\r\n]{{0,3}}((?:{_MARKER}[^\S\r\n]?)+)"
)
_AT_LINE_END = re.compile(rf"(?:{_MARKER}[^\S\r\n]?)+(?=[.,;:]?[^\S\r\n]{{0,4}}(?:[\r\n]|\Z))")
_QUOTED_LINE = r"(?<![^\r\n])[ ]{0,3}>[^\r\n]*(?:\r\n?|\n|\Z)"
_PREFIX = re.compile(r"(?<![^\r\n])[ ]{0,3}>[> ]*")
_SOURCE_LINE = re.compile(r"[\r\n][ ]{0,3}>[> ]*(?:—|–|--)[^\r\n]*\Z")  # > — Who, Where [1]
_SCAN = re.compile(
    rf"(?P<block>(?:{_QUOTED_LINE})+)"
    r"|(?P<break>(?:\r\n?|\n)[^\S\r\n]*(?:\r\n?|\n))"
    r"|(?P<mark>[\"“”„«»‘’‚])"
)
_CLOSES = {'"': '"“„', "“": "„", "”": "“„”", "«": "»", "»": "«", "‘": "‚", "’": "‘‚"}
_OPENS_ALWAYS = "“„«‘‚"  # the others open a quotation only where a word begins
_BEFORE_WORD = '([{/*_>—–-"“„«‘‚'
_AFTER_WORD = ".,;:!?)]}"


def _quotations(text: str) -> Iterator[_Quotation]:
    """The outermost quotations in order. Marks left open end with their paragraph, unused."""
    closed: list[Span] = []
    waiting: dict[str, list[int]] = {}
    for match in _SCAN.finditer(text):
        if match.lastgroup == "mark":
            _read_mark(text, match.start(), waiting, closed)
            continue
        yield from (_inline(text, span) for span in closed)
        closed, waiting = [], {}
        if match.lastgroup == "block":
            yield _block(text, Span(*match.span()))
    yield from (_inline(text, span) for span in closed)


def _read_mark(text: str, at: int, waiting: dict[str, list[int]], closed: list[Span]) -> None:
    """Open or close a quotation. Nothing is walked twice, so that no text takes quadratic time.

    ``waiting``: for each kind of mark, where it stands open, in order.
    """
    mark = text[at]
    before, after = text[at - 1 : at] or " ", text[at + 1 : at + 2] or " "
    if mark == "’" and before.isalnum() and after.isalnum():
        return  # an apostrophe
    begins = (before.isspace() and not after.isspace() and after not in _AFTER_WORD) or (
        before in _BEFORE_WORD and (after.isalnum() or after in "([…")
    )
    opens = mark != "’" and (begins or mark in _OPENS_ALWAYS)
    opener = max(
        (starts[-1] for kind in _CLOSES.get(mark, "") if (starts := waiting.get(kind))), default=-1
    )
    if opener >= 0 and not (opens and begins):
        for starts in waiting.values():
            while starts and starts[-1] >= opener:
                starts.pop()
        while closed and closed[-1].start > opener:
            closed.pop()
        if text[opener + 1 : at].strip():
            closed.append(Span(opener + 1, at))
    elif opens:
        waiting.setdefault(mark, []).append(at)


def _inline(text: str, span: Span) -> _Quotation:
    return _quotation(text, span, text[span.start : span.end], span.end + 1)


def _block(text: str, span: Span) -> _Quotation:
    """A block without its first ``>``, the end of its last line, and a line that names a source."""
    prefix = _PREFIX.match(text, span.start, span.end)
    start = prefix.end() if prefix else span.start
    end = start + len(text[start : span.end].rstrip())
    source = _SOURCE_LINE.search(text, start, end)
    named = _AT_LINE_END.search(source[0]) if source else None
    end = source.start() if source else end
    # The line end in front lets the first line be read as the others are.
    content = _PREFIX.sub(_blank, "\n" + text[start:end])[1:]
    read = _quotation(text, Span(start, end), content, span.end)
    return read._replace(markers=read.markers + (_numbers(named[0]) if named else ()))


def _quotation(text: str, span: Span, content: str, after: int) -> _Quotation:
    inside = [number for group in _AT_LINE_END.findall(content) for number in _numbers(group)]
    outside = _AFTER.match(text, after)
    return _Quotation(
        text[span.start : span.end],
        _AT_LINE_END.sub(_blank, content),
        span.start,
        span.end,
        outside.end() if outside else after,
        (*inside, *(_numbers(outside[1]) if outside else ())),
    )


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _numbers(group: str) -> tuple[int, ...]:
    return tuple(map(int, _NUMBER.findall(group)))


def _lone_markers(text: str, quotations: Sequence[_Quotation], passages: int) -> Iterator[Marker]:
    """The markers outside all quotations and not directly after one."""
    starts = [quotation.start for quotation in quotations]
    for match in _MARKERS.finditer(text):
        nearest = bisect_right(starts, match.start()) - 1
        if nearest >= 0 and match.start() < quotations[nearest].after:
            continue
        for number in _numbers(match[0]):
            beyond = passages > 0 and not 1 <= number <= passages
            yield Marker(number, *match.span(), beyond)


# --- Tokens --------------------------------------------------------------------------------------


class _Token(NamedTuple):
    """``key``: how it is compared; equal keys are the same word, whatever their spelling."""

    key: str
    start: int
    end: int
    kind: str


_HYPHENS = "-‐‑–−"  # those that, between two words without a space, make them one
_APOSTROPHES = "'’‘ʼ＇"
_INVISIBLE = "\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_INVISIBLES = re.compile(rf"[\s\[\]{_INVISIBLE}]+")
_SAME = str.maketrans(dict.fromkeys(_APOSTROPHES, "'") | dict.fromkeys(_HYPHENS, "-"))
_KEYS = {"ellipsis": "…", "dash": "-", "hyphen": "-", "quote": '"'}
_ENDS = frozenset(".!?")
_FORGIVEN = frozenset(".,…*")  # at a quotation's end: its author's punctuation and emphasis


@lru_cache(maxsize=1)
def _token_pattern() -> re.Pattern[str]:
    r"""Combining marks are no ``\w`` to ``re``, but belong to the character before them."""
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


def _tokens(text: str) -> Iterator[_Token]:
    for match in _token_pattern().finditer(text):
        kind = match.lastgroup or ""
        yield _Token(_KEYS.get(kind) or _key(match[0]), *match.span(), kind)


def _key(token: str) -> str:
    if token.isalnum() and token.isascii():
        return token
    if len(token) > 1:
        token = _INVISIBLES.sub("", token).translate(_SAME)
    return unicodedata.normalize("NFC", token)


def _words(tokens: Sequence[_Token]) -> int:
    return sum(token.kind == "word" for token in tokens)


def _sentence_cuts(tokens: Sequence[_Token]) -> list[int]:
    """Where the sentences begin, and the end: after a full stop, before a capital or number."""
    cuts = [0]
    for index, (last, first) in enumerate(pairwise(tokens), start=1):
        if last.key in _ENDS and (first.key[0].isupper() or first.key[0].isdigit()):
            cuts.append(index)
    return [*cuts, len(tokens)]


def _word_cuts(tokens: Sequence[_Token]) -> list[int]:
    """Every place between two tokens but those inside a hyphenated word."""
    inside = {at + side for at in _joins(tokens) for side in (0, 1)}
    return [cut for cut in range(len(tokens) + 1) if cut not in inside]


def _joins(tokens: Sequence[_Token]) -> Iterator[int]:
    """The hyphens between two words that they make one."""
    for at, (before, hyphen, after) in enumerate(zip(tokens, tokens[1:], tokens[2:], strict=False)):
        tight = before.end == hyphen.start and hyphen.end == after.start
        if tight and (before.kind, hyphen.kind, after.kind) == ("word", "hyphen", "word"):
            yield at + 1


class _Quote(NamedTuple):
    """A quotation's tokens: the ``core`` to be looked for, and what is forgiven around it."""

    head: Sequence[_Token]
    core: Sequence[_Token]
    tail: Sequence[_Token]

    @classmethod
    def of(cls, tokens: Sequence[_Token]) -> _Quote:
        """Without forgiven punctuation at the ends, and quotation marks around the whole."""
        start, end = _bare(tokens, 0, len(tokens))
        if end - start > 1 and tokens[start].kind == tokens[end - 1].kind == "quote":
            start, end = _bare(tokens, start + 1, end - 1)
        return cls(tokens[:start], tokens[start:end], tokens[end:])

    @property
    def pieces(self) -> list[_Quote]:
        """What stands between the ellipses; punctuation alone is no piece."""
        cuts = [i for i, token in enumerate(self.core) if token.kind == "ellipsis"]
        bounds = pairwise([-1, *cuts, len(self.core)])
        pieces = (_Quote.of(self.core[before + 1 : after]) for before, after in bounds)
        return [piece for piece in pieces if _words(piece.core)]


def _bare(tokens: Sequence[_Token], start: int, end: int) -> tuple[int, int]:
    while start < end and tokens[end - 1].key in _FORGIVEN:
        end -= 1
    while start < end and tokens[start].key in "…*":
        start += 1
    return start, end


# --- The corpus as one string of tokens ----------------------------------------------------------


class _Range(NamedTuple):
    """Half-open ``[start, end)`` in tokens of the corpus."""

    start: int
    end: int


_BORDER, _UNKNOWN, _FIRST = "\0", "\1", 2


class _Corpus:
    """All documents' tokens in one row, a border between two documents.

    ``exact`` has a character for each token, ``lower`` the same with case ignored. ``starts`` and
    ``ends`` are code points in the token's document. ``words[i]``: words before token ``i``.
    ``joins``: hyphens inside a word, where nothing may be cut. ``firsts`` and ``sections``: the
    first token of each document, and of each section.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents
        self.numbers = {document.id: number for number, document in enumerate(documents)}
        self.starts, self.ends, self.words = array("q"), array("q"), array("q", [0])
        self.joins: set[int] = set()
        self.firsts: list[int] = []
        self.sections: list[int] = []
        self._vocabulary: dict[str, str] = {}
        self._postings: dict[str, array[int]] = {}
        exact: list[str] = []
        lower: list[str] = []
        for document in documents:
            self._add(document, exact, lower)
        self.exact, self.lower = "".join(exact), "".join(lower)
        self.sentence_ends = {*self._known(*_ENDS, "="), _BORDER, ""}
        self._quote = "".join(self._known('"'))
        self.everything = (_Range(0, len(self.exact)),)

    def _add(self, document: Document, exact: list[str], lower: list[str]) -> None:
        first = len(exact)
        self.firsts.append(first)
        tokens = list(_tokens(document.text))
        for at, token in enumerate(tokens, start=first):
            exact.append(self._learn(token.key))
            lower.append(self._learn(token.key.casefold()))
            self.words.append(self.words[-1] + (token.kind == "word"))
            if token.kind == "word":
                self._postings.setdefault(lower[-1], array("q")).append(at)
        self.starts.extend(token.start for token in tokens)
        self.ends.extend(token.end for token in tokens)
        self.joins.update(first + at for at in _joins(tokens))
        sections = (bisect_left(self.starts, s.start, first) for s in document.sections)
        self.sections += [first, *sections]
        exact.append(_BORDER)
        lower.append(_BORDER)
        self.words.append(self.words[-1])
        self.starts.append(len(document.text))
        self.ends.append(len(document.text))

    def _known(self, *keys: str) -> list[str]:
        return [self._vocabulary[key] for key in keys if key in self._vocabulary]

    def _learn(self, key: str) -> str:
        try:
            return self._vocabulary[key]
        except KeyError:
            number = _FIRST + len(self._vocabulary)
        if number > 0x10FFFF:
            raise InputError(
                f"the documents hold more than {number - _FIRST:,} different words, as many as can "
                f"be told apart. Check against fewer documents at a time."
            )
        return self._vocabulary.setdefault(key, chr(number))

    def encode(self, tokens: Sequence[_Token]) -> str:
        """The tokens as ``exact`` has them; one that no document has becomes one that none has."""
        return "".join(self._vocabulary.get(token.key, _UNKNOWN) for token in tokens)

    def encode_lower(self, tokens: Sequence[_Token]) -> str:
        """The tokens as ``lower`` has them."""
        return "".join(self._vocabulary.get(t.key.casefold(), _UNKNOWN) for t in tokens)

    def spellings(self, tokens: Sequence[_Token]) -> tuple[str, ...]:
        """The tokens encoded, with the first letter as it is and in its other case."""
        written = self.encode(tokens)
        key = tokens[0].key
        other = self._vocabulary.get(key[0].swapcase() + key[1:], _UNKNOWN)
        return (written,) if other in (_UNKNOWN, written[0]) else (written, other + written[1:])

    def places(self, spellings: Sequence[str], scope: Sequence[_Range]) -> Iterator[_Range]:
        """Where they stand, in order, apart from each other, and in whole words."""
        length = len(spellings[0])
        for start, end in scope:
            at = self.find(spellings, start, end)
            while at >= 0:
                yield _Range(at, at + length)
                at = self.find(spellings, at + length, end)

    def find(self, spellings: Sequence[str], start: int, end: int) -> int:
        """The first place in ``[start, end)``, or -1."""
        found = (self._find(spelling, start, end) for spelling in spellings)
        return min((at for at in found if at >= 0), default=-1)

    def _find(self, tokens: str, start: int, end: int) -> int:
        at = start - 1
        for _ in range(_REFUSED):
            at = self.exact.find(tokens, at + 1, end)
            if at < 0 or not (at - 1 in self.joins or at + len(tokens) in self.joins):
                return at
        return -1

    def begins_sentence(self, token: int) -> bool:
        """After the end of another, quoted or not, or of a heading or document."""
        before = self.exact[max(0, token - 2) : token]
        return before[-1:] in self.sentence_ends or (
            before[-1:] == self._quote and before[0] in self.sentence_ends
        )

    def postings(self, word: str) -> Sequence[int]:
        """The tokens that are this word, as ``encode_lower`` has it, case ignored."""
        return self._postings.get(word, ())

    def section(self, token: int) -> _Range:
        return _around(self.sections, token, len(self.exact))

    def document(self, token: int) -> _Range:
        """The tokens of the document that holds this one, without the border."""
        start, end = _around(self.firsts, token, len(self.exact))
        return _Range(start, end - 1)

    def text(self, token: int) -> str:
        """The text of the document that holds this token."""
        return self.documents[bisect_right(self.firsts, token) - 1].text

    def place(self, found: _Range) -> Place:
        document = self.documents[bisect_right(self.firsts, found.start) - 1]
        return Place(document.id, Span(self.starts[found.start], self.ends[found.end - 1]))

    def inside(self, index: int, span: Span) -> _Range:
        """The tokens that lie wholly inside a span of the document of that number."""
        first, last = self.document(self.firsts[index])
        start = bisect_left(self.starts, span.start, first, last)
        return _Range(start, max(start, bisect_right(self.ends, span.end, first, last)))


def _around(starts: Sequence[int], token: int, end: int) -> _Range:
    index = bisect_right(starts, token)
    return _Range(starts[index - 1], starts[index] if index < len(starts) else end)


# --- Judging one quotation -----------------------------------------------------------------------


class _Standing(NamedTuple):
    status: QuoteStatus
    found: list[_Range]


def _check(corpus: _Corpus, quotation: _Quotation, ranges: Sequence[_Range]) -> QuoteCheck:
    """``ranges``: the tokens of each passage; none if markers are not to be judged."""
    check = QuoteCheck(
        quotation.text, quotation.start, quotation.end, quotation.markers, QuoteStatus.ABSENT
    )
    tokens = list(_tokens(quotation.content))
    quote = _Quote.of(tokens)
    if _is_short(quotation.content, quote):
        check = replace(check, status=QuoteStatus.SHORT, reason="too short to be looked up")
    else:
        check = _judge(corpus, quotation, quote, check, ranges)
    unknown = [f"[{n}]" for n in check.markers if ranges and not 1 <= n <= len(ranges)]
    if not unknown:
        return check
    beyond = f"{', '.join(unknown)} names none of the {len(ranges)} passages"
    return replace(check, reason="; ".join(filter(None, [check.reason, beyond])))


def _is_short(content: str, quote: _Quote) -> bool:
    words = _words(quote.core)
    return words == 0 or (words < MIN_WORDS and len(" ".join(content.split())) < MIN_CHARACTERS)


def _judge(
    corpus: _Corpus,
    quotation: _Quotation,
    quote: _Quote,
    check: QuoteCheck,
    ranges: Sequence[_Range],
) -> QuoteCheck:
    standing = _standing(corpus, quote, corpus.everything, whole_sentences=True)
    if standing:
        return _attributed(corpus, quote, check, standing, ranges, whole_sentences=True)
    # A word left out or put in must not pass as two runs: what is near to one place is altered.
    near = _nearest(corpus, quotation.content, quote)
    if near:
        return replace(
            check,
            status=QuoteStatus.ALTERED,
            spans=tuple(map(corpus.place, near.found)),
            diff=near.diff,
            similarity=round(near.similarity, 4),
            reason="it differs from the document",
        )
    standing = _standing(corpus, quote, corpus.everything, whole_sentences=False)
    if standing:
        return _attributed(corpus, quote, check, standing, ranges, whole_sentences=False)
    return replace(check, reason="it does not stand in the documents, nor anything near to it")


def _attributed(
    corpus: _Corpus,
    quote: _Quote,
    check: QuoteCheck,
    standing: _Standing,
    ranges: Sequence[_Range],
    *,
    whole_sentences: bool,
) -> QuoteCheck:
    """What stands in the corpus must stand in the passages that its markers name, if any."""
    status, found = standing
    reason = ""
    if status is QuoteStatus.STITCHED:
        reason = "its parts stand in the documents, but not as one"
    if check.markers and ranges:
        cited = _merged([ranges[n - 1] for n in check.markers if 1 <= n <= len(ranges)])
        inside = _standing(corpus, quote, cited, whole_sentences=whole_sentences)
        if inside is None:
            named = ", ".join(f"[{number}]" for number in check.markers)
            status = QuoteStatus.MISATTRIBUTED
            reason = f"it stands in the documents, but not in {named}"
        elif status is QuoteStatus.STITCHED:
            found = inside.found
    return replace(check, status=status, spans=tuple(map(corpus.place, found)), reason=reason)


def _standing(
    corpus: _Corpus, quote: _Quote, scope: Sequence[_Range], *, whole_sentences: bool
) -> _Standing | None:
    """Verbatim or stitched within ``scope``."""
    places = corpus.places(corpus.spellings(quote.core), scope)
    if found := [_grown(corpus, place, quote) for place in islice(places, MAX_PLACES)]:
        return _Standing(QuoteStatus.VERBATIM, found)
    if any(token.kind == "ellipsis" for token in quote.core):
        runs = _together(corpus, quote.pieces, scope)
    else:
        runs = _runs(corpus, quote.core, scope, whole_sentences=whole_sentences)
    return _Standing(QuoteStatus.STITCHED, runs) if runs else None


def _grown(corpus: _Corpus, place: _Range, quote: _Quote) -> _Range:
    """The place with as much of the forgiven ends as stands there too."""
    start, end = place
    for token in reversed(corpus.encode(quote.head)):
        if start == 0 or corpus.exact[start - 1] != token:
            break
        start -= 1
    for token in corpus.encode(quote.tail):
        if corpus.exact[end] != token:
            break
        end += 1
    return _Range(start, end)


def _together(corpus: _Corpus, pieces: Sequence[_Quote], scope: Sequence[_Range]) -> list[_Range]:
    """The pieces in order inside one section; if all are long, wherever they stand."""
    spellings = [corpus.spellings(piece.core) for piece in pieces]
    longest = max(spellings, key=lambda spelling: len(spelling[0]))
    areas: dict[_Range, None] = {}
    for bounds in scope:
        for place in islice(corpus.places(longest, [bounds]), MAX_PLACES):
            start, end = corpus.section(place.start)
            areas[_Range(max(start, bounds.start), min(end, bounds.end))] = None
    for area in areas:
        if found := _in_order(corpus, spellings, area):
            return found
    if min(_words(piece.core) for piece in pieces) < RUN_WORDS:
        return []
    places = [next(corpus.places(spelling, scope), None) for spelling in spellings]
    return [] if None in places else [place for place in places if place]


def _in_order(corpus: _Corpus, spellings: Sequence[Sequence[str]], area: _Range) -> list[_Range]:
    found: list[_Range] = []
    at = area.start
    for spelling in spellings:
        start = corpus.find(spelling, at, area.end)
        if start < 0:
            return []
        at = start + len(spelling[0])
        found.append(_Range(start, at))
    return found


def _runs(
    corpus: _Corpus, core: Sequence[_Token], scope: Sequence[_Range], *, whole_sentences: bool
) -> list[_Range]:
    """Two to four runs that make up all of the quotation, each as long as can be.

    ``whole_sentences``: a run begins and ends where a sentence does, here and in the document, but
    for the quotation's own start and end.
    """
    cuts = _sentence_cuts(core) if whole_sentences else _word_cuts(core)
    seams = [0]

    def place(start: int, end: int) -> _Range | None:
        part = core[start:end]
        if start == 0:
            return next(corpus.places(corpus.spellings(part), scope), None)
        places = corpus.places((corpus.encode(part),), scope)
        if whole_sentences:
            places = (p for p in islice(places, MAX_PLACES) if corpus.begins_sentence(p.start))
        return next(places, None)

    def misses(start: int, end: int) -> bool:
        return place(start, end) is None

    while seams[-1] < len(core) and len(seams) <= MAX_RUNS:
        start = seams[-1]
        first = bisect_right(cuts, start)
        # What stands is a prefix of all that stands there: halving finds the longest.
        end = bisect_left(cuts, True, first, key=partial(misses, start))
        if end == first:
            return []
        seams.append(cuts[end - 1])
    if seams[-1] < len(core):
        return []
    seams[-2] = _longer_last(core, cuts, seams)
    if any(_words(core[a:b]) < RUN_WORDS for a, b in pairwise(seams)):
        return []
    places = [place(a, b) for a, b in pairwise(seams)]
    return [] if None in places else [found for found in places if found]


def _longer_last(core: Sequence[_Token], cuts: Sequence[int], seams: Sequence[int]) -> int:
    """The last seam, moved back until the last run has words enough."""
    at = bisect_left(cuts, seams[-2])
    words = _words(core[cuts[at] :])
    while at > 0 and words < RUN_WORDS:
        at -= 1
        words += _words(core[cuts[at] : cuts[at + 1]])
    return cuts[at]


# --- The nearest place ---------------------------------------------------------------------------


class _Near(NamedTuple):
    """``similarity`` is that of the words, weighted where there are several pieces."""

    found: list[_Range]
    diff: str
    similarity: float
    changed: bool


class _Alignment(NamedTuple):
    """``pairs``: (token of the quotation, token of the corpus), equal but for case, ascending."""

    pairs: list[tuple[int, int]]
    found: _Range
    similarity: float


def _nearest(corpus: _Corpus, content: str, quote: _Quote) -> _Near | None:
    """The nearest place of each piece, or None if one has none near enough."""
    pieces = quote.pieces
    if len(pieces) > MAX_PIECES:
        return None
    nears: list[_Near] = []
    for piece in pieces:
        near = _nearest_piece(corpus, content, piece.core)
        if near is None:
            return None
        nears.append(near)
    if not any(near.changed for near in nears):
        return None  # Each piece stands somewhere, but they have nothing to do with each other.
    weights = [_words(piece.core) for piece in pieces]
    similarity = sum(n.similarity * w for n, w in zip(nears, weights, strict=True)) / sum(weights)
    found = [place for near in nears for place in near.found]
    return _Near(found, " … ".join(near.diff for near in nears), similarity, changed=True)


def _nearest_piece(corpus: _Corpus, content: str, core: Sequence[_Token]) -> _Near | None:
    lower = corpus.encode_lower(core)
    slack = 8 + min(len(core), _BLOCK) // 2
    best: _Alignment | None = None
    for start, document in _neighbourhoods(corpus, core, lower, slack):
        pairs = _align(corpus, lower, start, slack, document)
        alignment = _fit(corpus, core, pairs, document)
        if alignment and (best is None or alignment.similarity > best.similarity):
            best = alignment
    if best is None or best.similarity < MIN_SIMILARITY:
        return None
    same = _same(corpus, core, best)
    changed = not len(same) == len(core) == best.found.end - best.found.start
    return _Near(
        [best.found], _diff(corpus, content, core, same, best.found), best.similarity, changed
    )


def _neighbourhoods(
    corpus: _Corpus, core: Sequence[_Token], lower: str, slack: int
) -> list[tuple[int, _Range]]:
    """Where the quotation may begin, to within twice ``slack``, and the document's tokens.

    Each place of each word votes for where the quotation would begin; a rare word's vote weighs
    more, by the logarithm of how rare it is.
    """
    positions: dict[str, list[int]] = {}
    for index, token in enumerate(core):
        if token.kind == "word" and corpus.postings(lower[index]):
            positions.setdefault(lower[index], []).append(index)
    votes: dict[int, float] = {}
    voters: dict[int, int] = {}
    left = min(_VOTES, _VOTES_EACH * len(core))
    for word in sorted(positions, key=lambda word: len(corpus.postings(word))):
        places = corpus.postings(word)
        weight = log(1 + len(corpus.exact) / len(places))
        for index in positions[word]:
            for place in places[: max(0, left)]:
                bucket = (place - index) // slack
                votes[bucket] = votes.get(bucket, 0.0) + weight
                voters.setdefault(bucket, place)
            left -= len(places)
    # What was put in or left out moves the later votes to the next bucket.
    scores = {bucket: vote + votes.get(bucket + 1, 0) for bucket, vote in votes.items()}
    best = nlargest(_CANDIDATES, scores, key=scores.__getitem__)
    return [(bucket * slack, corpus.document(voters[bucket])) for bucket in best]


def _align(
    corpus: _Corpus, lower: str, start: int, slack: int, document: _Range
) -> list[tuple[int, int]]:
    """Pair equal tokens, a block at a time, each near where the block before it ended."""
    pairs: list[tuple[int, int]] = []
    floor, expected, reach = document.start, start, 2 * slack
    for at in range(0, len(lower), _BLOCK):
        block = lower[at : at + _BLOCK]
        low = max(floor, expected - slack)
        high = min(document.end, expected + len(block) + slack + reach)
        matcher = SequenceMatcher(None, block, corpus.lower[low:high], autojunk=False)
        matches = matcher.get_matching_blocks()[:-1]
        pairs += [(at + a + k, low + b + k) for a, b, size in matches for k in range(size)]
        expected += len(block)
        if matches:
            a, b, size = matches[-1]
            floor = low + b + size
            expected = floor + len(block) - a - size
        reach = 0
    return pairs


def _fit(
    corpus: _Corpus,
    core: Sequence[_Token],
    pairs: list[tuple[int, int]],
    document: _Range,
) -> _Alignment | None:
    """Without stray pairs far off, and with the words that those unpaired at the ends replace."""
    pairs = _without_strays(corpus, core, pairs)
    if not pairs:
        return None
    (first, start), (last, end) = pairs[0], pairs[-1]
    found = _widened(
        corpus,
        _Range(start, end + 1),
        document,
        before=_words(core[:first]),
        after=_words(core[last + 1 :]),
    )
    paired = sum(core[index].kind == "word" for index, _ in pairs)
    there = corpus.words[found.end] - corpus.words[found.start]
    return _Alignment(pairs, found, 2 * paired / (_words(core) + there))


def _without_strays(
    corpus: _Corpus, core: Sequence[_Token], pairs: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The stretch of pairs whose similarity is greatest: first its end is sought, then a start."""
    words = [pair for pair in pairs if core[pair[0]].kind == "word"]
    if not words:
        return []
    total = _words(core)

    def similarity(first: int, last: int) -> float:
        there = corpus.words[words[last][1] + 1] - corpus.words[words[first][1]]
        return 2 * (last - first + 1) / (total + there)

    last = max(range(len(words)), key=lambda index: similarity(0, index))
    first = max(range(last + 1), key=lambda index: similarity(index, last))
    start, end = bisect_left(pairs, words[first]), bisect_right(pairs, words[last])
    while start > 0 and _adjoin(pairs[start - 1], pairs[start]):
        start -= 1  # punctuation that is the same on both sides
    while end < len(pairs) and _adjoin(pairs[end - 1], pairs[end]):
        end += 1
    return pairs[start:end]


def _adjoin(pair: tuple[int, int], following: tuple[int, int]) -> bool:
    return (pair[0] + 1, pair[1] + 1) == following


def _widened(
    corpus: _Corpus, found: _Range, document: _Range, *, before: int, after: int
) -> _Range:
    """Wider by so many words, within the sentence, and never cutting a hyphenated word."""
    start, end = found
    while start > document.start and (
        start - 1 in corpus.joins
        or start in corpus.joins
        or (before > 0 and corpus.exact[start - 1] not in corpus.sentence_ends)
    ):
        start -= 1
        before -= corpus.words[start + 1] - corpus.words[start]
    while end < document.end and (
        end in corpus.joins
        or end - 1 in corpus.joins
        or (after > 0 and corpus.exact[end] not in corpus.sentence_ends)
    ):
        after -= corpus.words[end + 1] - corpus.words[end]
        end += 1
    return _Range(start, end)


def _same(corpus: _Corpus, core: Sequence[_Token], near: _Alignment) -> list[tuple[int, int]]:
    """The pairs that are equal in case too, but for the quotation's first letter."""
    exact = corpus.encode(core)
    first = {spelling[0] for spelling in corpus.spellings(core)}
    return [
        (i, j)
        for i, j in near.pairs
        if corpus.exact[j] == exact[i] or (i == 0 and corpus.exact[j] in first)
    ]


def _diff(
    corpus: _Corpus,
    content: str,
    core: Sequence[_Token],
    same: Sequence[tuple[int, int]],
    found: _Range,
) -> str:
    """``signed in [-1922-]{+1923+} by``: the document's words, then the quotation's."""
    document = corpus.text(found.start)
    diff = ""
    i, j = 0, found.start
    for matched_i, matched_j, size in _stretches(same, (len(core), found.end)):
        removed = ""
        if j < matched_j:
            start, end = corpus.starts[j], corpus.ends[matched_j - 1]
            removed = _space(document, start, diff) + f"[-{_shown(document[start:end])}-]"
        added = ""
        if i < matched_i:
            start, end = core[i].start, core[matched_i - 1].end
            added = f"{{+{_shown(content[start:end])}+}}"
            added = added if removed else _space(content, start, diff) + added
        diff += removed + added
        i, j = matched_i + size, matched_j + size
        if size:
            start, end = core[matched_i].start, core[i - 1].end
            diff += _space(content, start, diff) + _shown(content[start:end])
    return diff


def _stretches(
    pairs: Sequence[tuple[int, int]], end: tuple[int, int]
) -> Iterator[tuple[int, int, int]]:
    """Pairs that follow each other directly, as (start, start, size); an empty one at the end."""
    size = 0
    for index, (i, j) in enumerate(pairs):
        size += 1
        if index + 1 == len(pairs) or not _adjoin((i, j), pairs[index + 1]):
            yield i - size + 1, j - size + 1, size
            size = 0
    yield *end, 0


def _space(text: str, at: int, before: str) -> str:
    return " " if before and text[at - 1 : at].isspace() else ""


def _shown(text: str) -> str:
    """On one line, and of a long one both ends."""
    words = text.split()
    if len(words) <= _SHOWN:
        return " ".join(words)
    half = _SHOWN // 2
    return " ".join([*words[:half], "…", *words[-half:]])


# --- What was passed in --------------------------------------------------------------------------


def _checked_documents(documents: object) -> tuple[Document, ...]:
    if isinstance(documents, (str, Document, Mapping)) or not isinstance(documents, Sequence):
        raise InputError(
            f"documents is a {type(documents).__name__}; expected a sequence of Documents. Pass "
            f"[document], or index.documents."
        )
    seen: set[str] = set()
    for number, document in enumerate(documents):
        if not isinstance(document, Document):
            raise InputError(
                f"documents[{number}] is a {type(document).__name__}; expected a Document. Pass "
                f"Document(id=…, title=…, text=…)."
            )
        if document.id in seen:
            raise InputError(
                f"documents[{number}] has the id {document.id!r} of one before it; ids are unique "
                f"in a corpus. Leave one out or rename it."
            )
        seen.add(document.id)
    return tuple(documents)


def _passage_ranges(corpus: _Corpus, passages: object) -> list[_Range]:
    """The tokens of each passage."""
    if isinstance(passages, (str, Passage)) or not isinstance(passages, Sequence):
        raise InputError(
            f"passages is a {type(passages).__name__}; expected a sequence of Passages. Pass "
            f"answer.passages, or [passage]."
        )
    return [_passage_range(corpus, passage, n) for n, passage in enumerate(passages, start=1)]


def _passage_range(corpus: _Corpus, passage: object, number: int) -> _Range:
    if not isinstance(passage, Passage):
        raise InputError(
            f"passage [{number}] is a {type(passage).__name__}; expected a Passage. Pass "
            f"answer.passages."
        )
    citation = passage.citation
    index = corpus.numbers.get(citation.document_id, -1)
    if index < 0 or corpus.documents[index].text[slice(*citation.span)] != citation.quote:
        raise InputError(
            f"passage [{number}] cites {citation.document_id!r} at [{citation.start}, "
            f"{citation.end}), which is not what the documents say there. Pass the documents that "
            f"the passages were found in."
        )
    return corpus.inside(index, citation.span)


def _merged(ranges: Sequence[_Range]) -> list[_Range]:
    """In order, with those that touch made one: a quotation may run from one into the next."""
    merged: list[_Range] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1].end:
            merged[-1] = _Range(merged[-1].start, max(end, merged[-1].end))
        else:
            merged.append(_Range(start, end))
    return merged
