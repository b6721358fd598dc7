"""Removes from a Markdown file what its page does not show as text.

That is comments, ``data:`` URLs, the addresses of links, and the marks around code and links.

Comments are ``<!-- … -->`` and ``[//]: # (…)``, and in MDX ``{/* … */}``. What stands in code is
text, comments too.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from ragkit.text.spans import Span, lines

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["without_invisible", "without_modules"]

_CODE = ("fence", "code_block")
# https://www.rfc-editor.org/rfc/rfc2397; what follows depends on the quotes around the URL.
_DATA = r"data:(?=[\w.+-]*+[/;])(?:[\w.+-]++/[\w.+*-]++)?+(?:;[\w.+-]++(?:=[\w.+-]*+)?+)*+,"
_PAYLOAD = r"""[^\s"'<>()\[\]]++"""
_LONG_PAYLOAD = r"""[^\s"'<>()\[\]]{16,}+"""
_INVISIBLE = re.compile(
    rf"""\\[\\`<!\[]
    |(?P<ticks>`++)
    |(?P<comment><!--|\{{/\*)
    |(?P<definition>^[ ]{{0,3}}\[[^\[\]\n]{{1,500}}+\]:[ \t]*+
        (?:<?{_DATA}{_PAYLOAD}[^\r\n]*+
        |(?:\#|<>)[ \t]++["'(](?:[^\n]|\n(?![ \t\r]*\n)){{0,500}}?["')][ \t]*+(?=[\r\n]|\Z))
        (?:\r\n|\r|\n)?)
    |!\[(?P<alt>[^\[\]\n]{{0,500}}+)\]\([ \t]*+<?{_DATA}{_PAYLOAD}>?
        (?:[ \t]++(?:"[^"\n]*+"|'[^'\n]*+'))?[ \t]*+\)
    |(?<![!\w])\[(?P<label>(?=[\w`"'(*$@./~])[^\[\]\n]{{1,500}}+)(?<!\\)\]\([ \t]*+
        (?:<[^<>\n]*+>|[^\s()<>]*+(?:\([^\s()<>]*+\))?[^\s()<>]*+)
        (?:[ \t]++(?:"[^"\n]*+"|'[^'\n]*+'))?[ \t]*+\)
    |(?P<url>(?<=")\s*+{_DATA}[^"\n]*+|(?<=')\s*+{_DATA}[^'\n]*+|(?<![\w"']){_DATA}{_LONG_PAYLOAD})""",
    re.MULTILINE | re.VERBOSE,
)
# What begins a paragraph of JavaScript in MDX (https://mdxjs.com/docs/what-is-mdx/), as "import
# duties" does not.
_MODULE = re.compile(
    r"import\s*[\"'][^\"'\n]*[\"'];?[ \t\r]*(?:\n|\Z)|import\("
    r"|import\s+(?:type\s+)?(?:[\w$]+\s*,?\s*)?(?:[{*][^;\"']*?)?\s*from\s*[\"']"
    r"|import\s*\{[^;\"']*\}\s*from|export\s*[*{]"
    r"|export\s+(?:default|const|let|var|function|async|class|type|interface|enum|abstract)\b"
)
_QUOTED = re.compile(r"""'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+"|`(?:[^`\\]|\\.)*+`|//[^\n]*+""")
_BRACKETS = {**dict.fromkeys("({[", 1), **dict.fromkeys(")}]", -1)}
_PLAIN = re.compile(r"(?=[^\W\d_]|[./~$@]\S|--?[^\W\d_])[^<>*\[\]&\\`|]+")
"""Code without what is markup outside of it, at the beginning of a line above all."""

_LOOK_BACK = 1_000
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")


def without_invisible(text: str, start: int, tokens: list[Token], *, is_mdx: bool = False) -> str:
    """Return the text without its comments and ``data:`` URLs.

    Args:
        text: the whole file.
        start: where its front matter ends.
        tokens: the blocks of what follows, from markdown-it.
        is_mdx: whether the file is MDX, which has comments of its own.

    """
    spans = lines(text, start)
    html = [_span_of(token, spans) for token in tokens if token.type == "html_block" and token.map]
    code = [_span_of(token, spans) for token in tokens if token.type in _CODE and token.map]
    ends = [Span(start, start), *code, Span(len(text), len(text))]
    parts: list[str] = []
    position = 0
    for before, after in pairwise(ends):
        prose = Span(before.end, after.start)
        for invisible in _ProseScanner(text, prose, html, is_mdx=is_mdx).invisible():
            parts.append(text[position : invisible.start])
            position = invisible.end
    return "".join([*parts, text[position:]])


def without_modules(text: str, start: int, tokens: list[Token]) -> str:
    """Return an MDX file's text without what it imports and exports, outside of code."""
    spans = lines(text, start)
    code = [_span_of(token, spans) for token in tokens if token.type == "fence" and token.map]
    parts = [text[:start]]
    ends = [Span(start, start), *code, Span(len(text), len(text))]
    for before, after in pairwise(ends):
        parts += [_prose_of(text[before.end : after.start]), text[slice(*after)]]
    return "".join(parts)


def _prose_of(text: str) -> str:
    """The paragraphs of a text that are no JavaScript; an open bracket goes on over blank lines."""
    prose: list[str] = []
    module: list[str] = []
    depth = 0
    for paragraph in re.split(r"(?<=\n)(?=[ \t]*\r?\n)", text):
        if not depth and not _MODULE.match(paragraph.lstrip()):
            prose.append(paragraph)
            continue
        module.append(paragraph)
        depth = max(
            0, depth + sum(_BRACKETS.get(character, 0) for character in _QUOTED.sub("", paragraph))
        )
        if not depth:
            module.clear()
    # A bracket that is never closed is left to its own paragraph.
    return "".join([*prose, *module[1:]])


def _span_of(token: Token, spans: list[Span]) -> Span:
    first, last = token.map or (0, 1)
    return Span(spans[first].start, spans[last - 1].end)


class _ProseScanner:
    """A part of the text between blocks of code, scanned once from its start to its end."""

    def __init__(self, text: str, span: Span, html: Sequence[Span], *, is_mdx: bool) -> None:
        self._text = text
        self._is_mdx = is_mdx
        self._span = span
        self._html = html
        self._comment_end = -1
        self._mdx_end = -1
        self._blank_line = -1
        self._ticks: dict[int, deque[int]] | None = None

    def invisible(self) -> Iterator[Span]:
        """Yield what is no text, in order."""
        offset = self._span.start
        while match := _INVISIBLE.search(self._text, offset, self._span.end):
            offset = match.end()
            if match["ticks"]:
                offset = self._end_of_code(match)
                if offset > match.end() and self._is_plain(Span(match.start(), offset)):
                    yield Span(*match.span())
                    yield Span(offset - len(match["ticks"]), offset)
            elif match["label"]:
                if match["label"].count("`") % 2 or self._html_block(match.start()):
                    continue
                yield Span(match.start(), match.start("label"))
                yield from _ticks(self._text, Span(*match.span("label")))
                yield Span(match.end("label"), match.end())
            elif match["comment"]:
                is_html = match["comment"] == "<!--"
                offset = self._end_of_comment(match) if is_html else self._end_of_mdx(match)
                if offset > match.end():
                    yield Span(match.start(), offset)
            elif match["alt"] is not None:
                yield Span(match.start(), match.start("alt"))
                yield Span(match.end("alt"), match.end())
            elif match["definition"] or match["url"]:
                yield Span(*match.span())

    def _end_of_code(self, ticks: re.Match[str]) -> int:
        """Return where a span of code ends, or only its backticks if it is none."""
        if self._ticks is None:
            self._ticks = defaultdict(deque)
            for run in re.compile("`+").finditer(self._text, *self._span):
                self._ticks[len(run[0])].append(run.start())
        closing = self._ticks[len(ticks[0])]
        while closing and closing[0] < ticks.end():
            closing.popleft()
        in_html = self._html_block(ticks.start()) is not None
        if in_html or not closing or closing[0] > self._paragraph_end(ticks.end()):
            return ticks.end()
        return closing[0] + len(ticks[0])

    def _is_plain(self, code: Span) -> bool:
        """Return whether code between backticks reads the same without them; not so in a table."""
        before = self._text[max(0, code.start - _LOOK_BACK) : code.start].rpartition("\n")[2]
        is_cell = "|" in before or self._text.startswith((" |", "|"), code.end)
        words = self._text[slice(*code)].strip("`")
        return bool(_PLAIN.fullmatch(words)) and "__" not in words and not is_cell

    def _end_of_comment(self, opening: re.Match[str]) -> int:
        """Return where a comment ends, or only its mark if it is none."""
        start = opening.start() + 2  # <!--> is a whole comment
        if self._comment_end < start:
            end = self._text.find("-->", start, self._span.end)
            self._comment_end = end if end >= 0 else len(self._text)
        is_closed = self._comment_end < len(self._text)
        block = self._html_block(opening.start())
        if block is not None:
            return self._comment_end + 3 if is_closed else min(block.end, self._span.end)
        in_paragraph = is_closed and self._comment_end < self._paragraph_end(start)
        return self._comment_end + 3 if in_paragraph else opening.end()

    def _end_of_mdx(self, opening: re.Match[str]) -> int:
        """Return where a comment of MDX ends, or only its mark if it is none."""
        if self._is_mdx and self._mdx_end < opening.end():
            end = self._text.find("*/}", opening.end(), self._span.end)
            self._mdx_end = end if end >= 0 else len(self._text)
        is_closed = opening.end() <= self._mdx_end < len(self._text)
        return self._mdx_end + 3 if is_closed else opening.end()

    def _html_block(self, offset: int) -> Span | None:
        number = bisect_right(self._html, offset, key=lambda block: block.start) - 1
        block = self._html[number] if number >= 0 else None
        return block if block and offset < block.end else None

    def _paragraph_end(self, offset: int) -> int:
        if self._blank_line < offset:
            blank = _BLANK_LINE.search(self._text, offset, self._span.end)
            self._blank_line = blank.start() if blank else self._span.end
        return self._blank_line


def _ticks(text: str, span: Span) -> Iterator[Span]:
    """Yield the marks of code in the words of a link."""
    for code in re.compile(r"(`+)[^`]+\1(?!`)").finditer(text, *span):
        yield Span(code.start(), code.end(1))
        yield Span(code.end() - len(code[1]), code.end())
