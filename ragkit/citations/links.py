"""Links that scroll to a quote: text directives in URLs (``#:~:text=``).

Source: https://wicg.github.io/scroll-to-text-fragment/
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
from ragkit.citations.verification import URL_SAFE, extends, percent, place_of
from ragkit.text.spans import Span

__all__ = ["UNSPACED", "deep_link", "resolve_link"]

# The draft's advice: quotes below 300 characters whole, longer ones by their start and end.
_EXACT_LENGTH = 300
_COUNTS = (1, 2, 4, 8, 16, 32)  # of words in a term, tried in turn
_REACH = 4000  # code points searched for those words, so that a text without spaces stays cheap


class _Terms(NamedTuple):
    """The terms of one text directive, decoded; ``""`` where one is absent."""

    start: str
    end: str = ""
    prefix: str = ""
    suffix: str = ""


def deep_link(
    citation: Quotation, document: SourceDocument, *, span: Span | None = None
) -> str | None:
    """The document's URL, made to scroll to and highlight the citation, or ``span`` inside it.

    A ``#fragment`` of the URL stays in front of the directive, as the browser's fallback; a
    directive that it has already is replaced. The terms are whole words (a span that begins
    inside a word is widened), none crosses a line, and they match nowhere else in the document.
    What surrounds the article on its page is unknown here. Where no directive can single the
    place out, the link is the page's own.

    None where the document has no http(s) URL. Raises InputError if the citation does not hold,
    or ``span`` lies outside it.
    """
    place = place_of(citation, document, span)
    if not (document.url or "").lower().startswith(("https://", "http://")):
        return None
    address, _, fragment = percent(document.url or "", safe=URL_SAFE).partition("#")
    fragment = fragment.partition(":~:")[0]
    page = _page(document.text)
    shown = _shown(page, place)
    if shown:
        for terms in _candidates(document.text, page, shown):
            if list(islice(_find(page, terms), 2)) == [shown]:
                return f"{address}#{fragment}:~:text={_encode(terms)}"
    return f"{address}#{fragment}" if fragment else address


def resolve_link(link: str, text: str) -> list[Span]:
    """Every place in ``text`` that the text directives of ``link`` match, in reading order.

    By the draft's rules, each line being a block: without regard to case and accents, white space
    folded, word-bounded, prefix and suffix adjoining save for white space, a range up to the next
    end. List bullets and the ``=`` of headings are not text. (A browser takes the first place.)
    """
    directives = link.partition("#")[2].partition(":~:")[2].split("&")
    terms = [_decode(d.removeprefix("text=")) for d in directives if d.startswith("text=")]
    page = _page(text)
    return sorted({span for each in terms if each for span in _find(page, each)})


def _encode(terms: _Terms) -> str:
    """Percent-encoded whole: the grammar would allow some punctuation, Markdown and HTML not."""
    start, end, prefix, suffix = (percent(t, safe="").replace("-", "%2D") for t in terms)
    parts = [f"{prefix}-" if prefix else "", start, end, f"-{suffix}" if suffix else ""]
    return ",".join(part for part in parts if part)


def _decode(directive: str) -> _Terms | None:
    """The draft's "parse a text directive"; None where it is malformed."""
    tokens = directive.split(",")
    if not all(tokens):
        return None
    prefix = tokens.pop(0)[:-1] if tokens[0].endswith("-") else ""
    suffix = tokens.pop()[1:] if tokens and tokens[-1].startswith("-") else ""
    if len(tokens) not in {1, 2}:
        return None
    start, end = unquote(tokens[0]), unquote(tokens[1]) if len(tokens) == 2 else ""
    return _Terms(start, end, unquote(prefix), unquote(suffix))


# A text as a page shows it and a browser compares it, offset for offset: every white space is " ",
# every line end "\n", accents and invisible characters are _MARK, letters lose case and accent,
# bullets and heading marks are blank.

_MARK = "\u0300"
_BULLET = re.compile(r"(?<![^\r\n])[ \t\ufeff]*(?:[-*#•–]|\(?\d{1,3}[.)])[ \t]+")
_HEADING = re.compile(r"(?<![^\r\n])[ \t\ufeff]*=[^\r\n]*")
_WORD = re.compile(r"[^ \n]+")
_GAP = re.compile(rf"[ \n{_MARK}]*")
# Scripts that write no spaces: where their words end, only a dictionary knows.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_ISUNSPACED = re.compile(f"[{UNSPACED}]")


class _Folding(dict[int, int]):
    """For ``str.translate``: a code point → what it is compared as; filled as it is asked."""

    def __missing__(self, code: int) -> int:
        self[code] = ord(_folded(chr(code)))
        return self[code]


def _folded(character: str) -> str:
    if character in "\r\n":
        return "\n"
    if character.isspace():
        return " "
    if _invisible(character):
        return _MARK
    base = (c for c in unicodedata.normalize("NFD", character) if not unicodedata.combining(c))
    folded = "".join(base).casefold()
    return folded if len(folded) == 1 else character


def _invisible(character: str) -> bool:
    """Whether primary-level comparison (UTS #10) passes over it."""
    if unicodedata.combining(character):
        return True
    return unicodedata.category(character) in {"Cc", "Cf", "Cs"}


_FOLDING = _Folding()


@lru_cache(maxsize=4)  # an answer's passages are mostly of one article
def _page(text: str) -> str:
    text = _BULLET.sub(lambda match: " " * len(match[0]), text)
    return _HEADING.sub(lambda match: _without_marks(match[0]), text).translate(_FOLDING)


def _without_marks(line: str) -> str:
    """A ``== heading ==`` with spaces for its marks; any other line as it is."""
    content = line.strip(" \t\ufeff")
    title = content.strip("=")
    if not (content.endswith("=") and title):
        return line
    start = line.index(title)
    return " " * start + title + " " * (len(line) - start - len(title))


def _shown(page: str, place: Span) -> Span | None:
    """``place`` without what the page does not show at its ends, widened to whole words."""
    start = _gap_end(page, place.start)
    end = place.start + len(page[place.start : place.end].rstrip(f" \n{_MARK}"))
    if start >= end:
        return None
    while not _bounded(page, start):
        start -= 1
    while not _bounded(page, end):
        end += 1
    return Span(start, end)


def _gap_end(page: str, position: int) -> int:
    gap = _GAP.match(page, position)
    return gap.end() if gap else position


def _bounded(page: str, position: int) -> bool:
    """Whether a word may begin or end here: UAX #29's default rules, in brief.

    Inside a word are ``can't``, ``U.S`` and ``3.5``; an accent stays with its letter.
    """
    if not 0 < position < len(page):
        return True
    after = page[position]
    if extends(after):
        return False
    behind = position - 1
    while behind > 0 and extends(page[behind]):
        behind -= 1
    before = page[behind]
    if _wordlike(before) and _wordlike(after):
        return bool(_ISUNSPACED.match(before) or _ISUNSPACED.match(after))
    if _wordlike(after):
        return not _joined(page[behind - 1 : behind], before, after)
    return not _joined(before, after, page[position + 1 : position + 2])


def _wordlike(character: str) -> bool:
    return character.isalnum() or character == "_"


def _joined(left: str, middle: str, right: str) -> bool:
    """Whether punctuation between two letters, or two digits, is part of their word."""
    if left.isdigit() and right.isdigit():
        return middle in ".,;'’‘"
    return left.isalpha() and right.isalpha() and middle in ".'’‘·‧"


def _candidates(text: str, page: str, place: Span) -> Iterator[_Terms]:
    """Directives that match ``place``, the most readable first."""
    bodies = list(_bodies(page, place))
    for start, end in bodies:
        yield _Terms(_term(text, start), _term(text, end))
    start, end = bodies[-1]
    body = _Terms(_term(text, start), _term(text, end))
    # Context of the same line first: a page may put "[edit]" or an advertisement between lines.
    for across in (False, True):
        for count in _COUNTS:
            prefix = _term(text, _before(page, place.start, count, across=across))
            suffix = _term(text, _after(page, place.end, count, across=across))
            yield body._replace(prefix=prefix)
            yield body._replace(suffix=suffix)
            yield body._replace(prefix=prefix, suffix=suffix)


def _bodies(page: str, place: Span) -> Iterator[tuple[Span, Span | None]]:
    """The place itself; where it is long, or crosses lines, its first and last words instead."""
    first_line = page.find("\n", *place)
    whole = first_line < 0
    if not whole or place.end - place.start > _EXACT_LENGTH:
        head = Span(place.start, place.end if whole else first_line)
        tail = Span(page.rfind("\n", *place) + 1 or place.start, place.end)
        for count in _COUNTS[2:]:
            start, end = _first_words(page, head, count), _last_words(page, tail, count)
            if start and end and start.end <= end.start:
                yield start, end
    if whole:
        yield place, None


def _before(page: str, position: int, count: int, *, across: bool) -> Span | None:
    """The last words in front of ``position``: of its own line, or else of the one above."""
    if across:
        position = len(page[:position].rstrip(f" \n{_MARK}"))
    return _last_words(page, Span(page.rfind("\n", 0, position) + 1, position), count)


def _after(page: str, position: int, count: int, *, across: bool) -> Span | None:
    if across:
        position = _gap_end(page, position)
    line_end = page.find("\n", position)
    return _first_words(page, Span(position, line_end if line_end >= 0 else len(page)), count)


def _first_words(page: str, part: Span, count: int) -> Span | None:
    found = list(islice(_WORD.finditer(page, *part), count))
    return Span(found[0].start(), found[-1].end()) if found else None


def _last_words(page: str, part: Span, count: int) -> Span | None:
    found = list(_WORD.finditer(page, max(part.start, part.end - _REACH), part.end))[-count:]
    return Span(found[0].start(), found[-1].end()) if found else None


def _term(text: str, span: Span | None) -> str:
    """The words as a page would show them: white space folded, nothing that cannot be shown."""
    if span is None:
        return ""
    words = " ".join(text[span.start : span.end].split())
    return "".join(c for c in words if unicodedata.category(c) not in {"Cc", "Cs"})


def _find(page: str, terms: _Terms) -> Iterator[Span]:
    """The draft's "find a range from a text directive", going on after the first range."""
    marked = _MARK in page
    start, end, prefix, suffix = (_pattern(term, marked=marked) for term in terms)
    if start is None:
        return
    must_end = end is not None or suffix is None
    position = 0
    ending: re.Match[str] | None = None
    while True:
        found = _search(page, prefix or start, position, ends=prefix is None and must_end)
        if found is None:
            return
        position = found.start() + 1
        body = start.match(page, _gap_end(page, found.end())) if prefix else found
        if body is None or (must_end and not _bounded(page, body.end())):
            continue
        if end is None:
            if _adjoins(page, suffix, body.end()):
                yield Span(*body.span())
            continue
        # The end of the range before still serves while it lies ahead, so this stays linear.
        if ending is None or ending.start() < body.end():
            ending = _find_end(page, end, suffix, body.end())
        if ending is None:
            return
        yield Span(body.start(), ending.end())


def _find_end(
    page: str, end: re.Pattern[str], suffix: re.Pattern[str] | None, position: int
) -> re.Match[str] | None:
    while found := _search(page, end, position, ends=suffix is None):
        if _adjoins(page, suffix, found.end()):
            return found
        position = found.end()
    return None


def _search(
    page: str, pattern: re.Pattern[str], position: int, *, ends: bool
) -> re.Match[str] | None:
    """The next match at a word's beginning and, if ``ends``, also at a word's end."""
    while found := pattern.search(page, position):
        if _bounded(page, found.start()) and not (ends and not _bounded(page, found.end())):
            return found
        position = found.start() + 1
    return None


def _adjoins(page: str, suffix: re.Pattern[str] | None, position: int) -> bool:
    if suffix is None:
        return True
    found = suffix.match(page, _gap_end(page, position))
    return found is not None and _bounded(page, found.end())


def _pattern(term: str, *, marked: bool) -> re.Pattern[str] | None:
    """What finds a term in a page, or None for an empty term.

    Every part begins with another character than the one before can take: no backtracking.
    """
    mark = f"{_MARK}*" if marked else ""
    words = term.translate(_FOLDING).replace(_MARK, "").split()
    spelled = ("".join(re.escape(c) + mark for c in word) for word in words)
    return re.compile(f"(?: {mark})+".join(spelled)) if words else None
