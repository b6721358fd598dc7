"""Create and resolve links that scroll to a quote: text directives in URLs (``#:~:text=``).

Specification: https://wicg.github.io/scroll-to-text-fragment/
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote

from ragkit.citations.source import Quotation, SourceDocument
from ragkit.citations.urls import encode_url, is_web_url, percent_encode
from ragkit.citations.verification import is_combining, verified_span
from ragkit.text.spans import Span

__all__ = ["UNSPACED", "deep_link", "resolve_link"]

# The specification advises to spell out quotes of at most 300 characters.
_MAX_SPELLED_OUT = 300
_WORD_COUNTS = (1, 2, 4, 8, 16, 32)  # words in a term, tried in this order
_MAX_LOOKBACK = 4000  # code points searched for those words; bounds the time without spaces


class _Terms(NamedTuple):
    """The terms of one text directive, decoded; ``""`` where one is absent."""

    start: str
    end: str = ""
    prefix: str = ""
    suffix: str = ""


def deep_link(
    citation: Quotation, document: SourceDocument, *, span: Span | None = None
) -> str | None:
    """Return the document's URL, which makes a browser scroll to the citation and highlight it.

    A ``#fragment`` of the URL is kept in front of the directive, as the browser's fallback; an
    existing directive is replaced. The terms are whole words (a span that begins inside a word is
    widened) of one line each, and match nowhere else in the document's text. The page may contain
    more than that text, such as a menu, which is unknown here.

    Args:
        citation: the citation.
        document: the document that it quotes.
        span: a part of the citation to scroll to, in code points of the document's text.

    Returns:
        The link; the page's URL alone if no directive matches only this place; None if the
        document has no http(s) URL.

    Raises:
        InputError: the citation does not hold, or ``span`` lies outside it.

    """
    place = verified_span(citation, document, span)
    if not is_web_url(document.url):
        return None
    address, _, fragment = encode_url(document.url or "").partition("#")
    fragment = fragment.partition(":~:")[0]
    page = _page(document.text)
    visible = _visible_span(page, place)
    if visible:
        for terms in _candidates(document.text, page, visible):
            if list(islice(_find(page, terms), 2)) == [visible]:
                return f"{address}#{fragment}:~:text={_encode(terms)}"
    return f"{address}#{fragment}" if fragment else address


def resolve_link(link: str, text: str) -> list[Span]:
    """Return every place in ``text`` that the text directives of ``link`` match.

    Follows the specification and takes each line for a block: ignores case and accents, folds white
    space, matches whole words; prefix and suffix adjoin the match except for white space, and a
    range reaches to the next end. List bullets and the ``=`` of headings are not text.

    Args:
        link: a URL with a fragment.
        text: the text of the page.

    Returns:
        Spans in code points, in the order of the text; a browser highlights the first.

    """
    directives = link.partition("#")[2].partition(":~:")[2].split("&")
    terms = [_decode(d.removeprefix("text=")) for d in directives if d.startswith("text=")]
    page = _page(text)
    return sorted({span for each in terms if each for span in _find(page, each)})


def _encode(terms: _Terms) -> str:
    """Encode all punctuation, because Markdown and HTML do not allow what the grammar allows."""
    start, end, prefix, suffix = (percent_encode(t).replace("-", "%2D") for t in terms)
    parts = [f"{prefix}-" if prefix else "", start, end, f"-{suffix}" if suffix else ""]
    return ",".join(part for part in parts if part)


def _decode(directive: str) -> _Terms | None:
    """Follow the specification's "parse a text directive"; return None if it is malformed."""
    tokens = directive.split(",")
    if not all(tokens):
        return None
    prefix = tokens.pop(0)[:-1] if tokens[0].endswith("-") else ""
    suffix = tokens.pop()[1:] if tokens and tokens[-1].startswith("-") else ""
    if len(tokens) not in {1, 2}:
        return None
    start, end = unquote(tokens[0]), unquote(tokens[1]) if len(tokens) == 2 else ""
    return _Terms(start, end, unquote(prefix), unquote(suffix))


# A "page" is a text as a browser compares it, with the same offsets: white space is " ", a line end
# "\n", accents and invisible characters are _MARK, letters have no case or accent, and bullets and
# heading marks are blank.

_MARK = "\u0300"
_BULLET = re.compile(r"(?<![^\r\n])[ \t\ufeff]*(?:[-*#•–]|\(?\d{1,3}[.)])[ \t]+")
_HEADING = re.compile(r"(?<![^\r\n])[ \t\ufeff]*=[^\r\n]*")
_WORD = re.compile(r"[^ \n]+")
_BLANK = re.compile(rf"[ \n{_MARK}]*")
# Scripts without spaces between words.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_UNSPACED_CHARACTER = re.compile(f"[{UNSPACED}]")


class _Folding(dict[int, int]):
    """A table for ``str.translate`` from a code point to its folded form, filled on demand."""

    def __missing__(self, code: int) -> int:
        self[code] = ord(_folded(chr(code)))
        return self[code]


def _folded(character: str) -> str:
    if character in "\r\n":
        return "\n"
    if character.isspace():
        return " "
    if _is_ignored(character):
        return _MARK
    base = (c for c in unicodedata.normalize("NFD", character) if not unicodedata.combining(c))
    folded = "".join(base).casefold()
    return folded if len(folded) == 1 else character


def _is_ignored(character: str) -> bool:
    """Whether primary-level comparison (UTS #10) ignores a character."""
    if unicodedata.combining(character):
        return True
    return unicodedata.category(character) in {"Cc", "Cf", "Cs"}


_FOLDING = _Folding()


@lru_cache(maxsize=4)  # most answers cite one document
def _page(text: str) -> str:
    text = _BULLET.sub(lambda match: " " * len(match[0]), text)
    return _HEADING.sub(lambda match: _without_marks(match[0]), text).translate(_FOLDING)


def _without_marks(line: str) -> str:
    """Replace the marks of a ``== heading ==`` by spaces; return other lines unchanged."""
    content = line.strip(" \t\ufeff")
    title = content.strip("=")
    if not (content.endswith("=") and title):
        return line
    start = line.index(title)
    return " " * start + title + " " * (len(line) - start - len(title))


def _visible_span(page: str, place: Span) -> Span | None:
    """Strip invisible characters at both ends of ``place``, then widen it to whole words."""
    start = _skip_blank(page, place.start)
    end = place.start + len(page[place.start : place.end].rstrip(f" \n{_MARK}"))
    if start >= end:
        return None
    while not _is_word_boundary(page, start):
        start -= 1
    while not _is_word_boundary(page, end):
        end += 1
    return Span(start, end)


def _skip_blank(page: str, position: int) -> int:
    gap = _BLANK.match(page, position)
    return gap.end() if gap else position


def _is_word_boundary(page: str, position: int) -> bool:
    """Whether a word may begin or end here, by a simplified form of UAX #29's default rules.

    ``can't``, ``U.S`` and ``3.5`` are one word each; an accent belongs to its letter.
    """
    if not 0 < position < len(page):
        return True
    after = page[position]
    if is_combining(after):
        return False
    base = position - 1
    while base > 0 and is_combining(page[base]):
        base -= 1
    before = page[base]
    if _is_word_character(before) and _is_word_character(after):
        return bool(_UNSPACED_CHARACTER.match(before) or _UNSPACED_CHARACTER.match(after))
    if _is_word_character(after):
        return not _joins_word(page[base - 1 : base], before, after)
    return not _joins_word(before, after, page[position + 1 : position + 2])


def _is_word_character(character: str) -> bool:
    return character.isalnum() or character == "_"


def _joins_word(left: str, middle: str, right: str) -> bool:
    """Whether punctuation between two letters, or two digits, is part of their word."""
    if left.isdigit() and right.isdigit():
        return middle in ".,;'’‘"
    return left.isalpha() and right.isalpha() and middle in ".'’‘·‧"


def _candidates(text: str, page: str, place: Span) -> Iterator[_Terms]:
    """Yield directives that match ``place``, the most readable first."""
    bodies = list(_bodies(page, place))
    for start, end in bodies:
        yield _Terms(_term(text, start), _term(text, end))
    start, end = bodies[-1]
    body = _Terms(_term(text, start), _term(text, end))
    # Context of the same line first, because a page may insert "[edit]" or advertisements between.
    for across in (False, True):
        for count in _WORD_COUNTS:
            prefix = _term(text, _before(page, place.start, count, across=across))
            suffix = _term(text, _after(page, place.end, count, across=across))
            yield body._replace(prefix=prefix)
            yield body._replace(suffix=suffix)
            yield body._replace(prefix=prefix, suffix=suffix)


def _bodies(page: str, place: Span) -> Iterator[tuple[Span, Span | None]]:
    """Yield the place itself; if it is long or crosses lines, first its start and end alone."""
    first_line = page.find("\n", *place)
    whole = first_line < 0
    if not whole or place.end - place.start > _MAX_SPELLED_OUT:
        head = Span(place.start, place.end if whole else first_line)
        tail = Span(page.rfind("\n", *place) + 1 or place.start, place.end)
        for count in _WORD_COUNTS[2:]:
            start, end = _first_words(page, head, count), _last_words(page, tail, count)
            if start and end and start.end <= end.start:
                yield start, end
    if whole:
        yield place, None


def _before(page: str, position: int, count: int, *, across: bool) -> Span | None:
    """Return the last words before ``position``: of its line or, if ``across``, of one above."""
    if across:
        position = len(page[:position].rstrip(f" \n{_MARK}"))
    return _last_words(page, Span(page.rfind("\n", 0, position) + 1, position), count)


def _after(page: str, position: int, count: int, *, across: bool) -> Span | None:
    if across:
        position = _skip_blank(page, position)
    line_end = page.find("\n", position)
    return _first_words(page, Span(position, line_end if line_end >= 0 else len(page)), count)


def _first_words(page: str, part: Span, count: int) -> Span | None:
    words = list(islice(_WORD.finditer(page, *part), count))
    return Span(words[0].start(), words[-1].end()) if words else None


def _last_words(page: str, part: Span, count: int) -> Span | None:
    words = list(_WORD.finditer(page, max(part.start, part.end - _MAX_LOOKBACK), part.end))[-count:]
    return Span(words[0].start(), words[-1].end()) if words else None


def _term(text: str, span: Span | None) -> str:
    """Return the words with single spaces and without control characters."""
    if span is None:
        return ""
    words = " ".join(text[span.start : span.end].split())
    return "".join(c for c in words if unicodedata.category(c) not in {"Cc", "Cs"})


def _find(page: str, terms: _Terms) -> Iterator[Span]:
    """Follow the specification's "find a range from a text directive", but find every range."""
    marked = _MARK in page
    start, end, prefix, suffix = (_pattern(term, marked=marked) for term in terms)
    if start is None:
        return
    must_end = end is not None or suffix is None
    position = 0
    ending: re.Match[str] | None = None
    while True:
        match = _search(page, prefix or start, position, ends=prefix is None and must_end)
        if match is None:
            return
        position = match.start() + 1
        body = start.match(page, _skip_blank(page, match.end())) if prefix else match
        if body is None or (must_end and not _is_word_boundary(page, body.end())):
            continue
        if end is None:
            if _adjoins(page, suffix, body.end()):
                yield Span(*body.span())
            continue
        # Reuse the last end while it lies ahead, which keeps the time linear.
        if ending is None or ending.start() < body.end():
            ending = _find_end(page, end, suffix, body.end())
        if ending is None:
            return
        yield Span(body.start(), ending.end())


def _find_end(
    page: str, end: re.Pattern[str], suffix: re.Pattern[str] | None, position: int
) -> re.Match[str] | None:
    while match := _search(page, end, position, ends=suffix is None):
        if _adjoins(page, suffix, match.end()):
            return match
        position = match.end()
    return None


def _search(
    page: str, pattern: re.Pattern[str], position: int, *, ends: bool
) -> re.Match[str] | None:
    """Return the next match that begins a word and, if ``ends``, also ends one."""
    while match := pattern.search(page, position):
        if _is_word_boundary(page, match.start()) and not (
            ends and not _is_word_boundary(page, match.end())
        ):
            return match
        position = match.start() + 1
    return None


def _adjoins(page: str, suffix: re.Pattern[str] | None, position: int) -> bool:
    if suffix is None:
        return True
    match = suffix.match(page, _skip_blank(page, position))
    return match is not None and _is_word_boundary(page, match.end())


def _pattern(term: str, *, marked: bool) -> re.Pattern[str] | None:
    """Compile the pattern that finds a term in a page; return None for an empty term.

    It cannot backtrack: no part begins with a character that the part before may match.
    """
    mark = f"{_MARK}*" if marked else ""
    words = term.translate(_FOLDING).replace(_MARK, "").split()
    spelled = ("".join(re.escape(c) + mark for c in word) for word in words)
    return re.compile(f"(?: {mark})+".join(spelled)) if words else None
