"""Markdown: the document's text is the file without what ``markdown_text`` removes.

All other markup stays. Sections come from ATX and setext headings at the outermost level (not in
code, HTML, mathematics, lists or quotations), as markdown-it-py finds them by CommonMark
(https://spec.commonmark.org/0.31.2/), with the tables of GitHub. Front matter becomes metadata and
lies in no section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ragkit.corpus.decoding import decode, read_all, refuse_unusable
from ragkit.corpus.front_matter import parse_front_matter
from ragkit.corpus.headings import (
    BOM,
    MAX_HEADING_LENGTH,
    Heading,
    sections_between,
    split_title,
)
from ragkit.corpus.markdown_text import without_invisible, without_modules
from ragkit.corpus.parser import ParsedDocument
from ragkit.text.spans import lines

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.token import Token

__all__ = ["parse"]

# {#id .class key=value}, {: #id} and {/* #id */} at the end of a heading name it, and do not show.
_ATTRIBUTES = re.compile(
    r"""[ \t]*+\{(?:/\*[^{}*]*+\*/
    |:?[ \t]*+(?:(?:[#.][^\s{}]++|-|[\w:-]+=(?:"[^"]*+"|'[^']*+'|[^\s{}"']*+))[ \t]*+)+
    )\}[ \t]*\Z""",
    re.VERBOSE,
)
# [¶](#id), [#](#id "Link") and [](#id) are links to the heading itself; [^1] is a footnote's mark.
_PERMALINKS = re.compile(r"\[[\s\u200b]*+[¶#§🔗]?[\s\u200b]*+\]\(#[^()]*+\)|\[\^[^\[\]\s]++\]")
_CLOSING_MARKS = re.compile(r"(?:\A|[ \t])#+[ \t]*\Z")
_BREAKS = frozenset({"softbreak", "hardbreak"})
_DECORATIONS = frozenset({"image", "link_open", "link_close", "html_inline"}) | _BREAKS


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    source = decode(read_all(file, str(path)), str(path))
    metadata, start = parse_front_matter(source, path)
    tokens, env = _blocks(source, start)
    text = source
    is_mdx = path.suffix.lower() == ".mdx"
    if is_mdx:
        text = without_modules(source, start, tokens)
        tokens, env = _blocks(text, start)
    text = without_invisible(text, start, tokens, is_mdx=is_mdx)
    if text != source:
        refuse_unusable(text, f"{path}, without its comments,")
        tokens, env = _blocks(text, start)
    headings, title = list(_headings(text, start, tokens, env)), None
    if _begins_with_title(tokens):
        headings, title = split_title(headings, metadata.title)
    yield ParsedDocument(
        text,
        sections_between(text, headings, start),
        title=metadata.title or title,
        url=metadata.url,
        id=metadata.id,
        metadata=metadata.properties,
        language=metadata.language,
    )


def _blocks(text: str, start: int) -> tuple[list[Token], dict[str, Any]]:
    """Return the blocks of a text, and what its link references lead to."""
    body = text[start:]
    env: dict[str, Any] = {}
    # A byte order mark becomes a space, so that a heading after it is found, at the same offset.
    source = " " + body[1:] if body.startswith(BOM) else body
    return _block_parser().parse(source, env), env


def _headings(text: str, start: int, tokens: list[Token], env: dict[str, Any]) -> Iterator[Heading]:
    spans = lines(text, start)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map:
            first, last = spans[opening.map[0]], spans[opening.map[1] - 1]
            title = _heading_title(inline.content, env)
            if 0 < len(title) <= MAX_HEADING_LENGTH:
                yield Heading(int(opening.tag[1:]), title, first.start, last.end)


def _heading_title(source: str, env: dict[str, Any]) -> str:
    """Remove the markup from a heading: ``*A* `b` [c](d) {#e}`` → ``A b c``."""
    if len(source) <= MAX_HEADING_LENGTH:
        plain = _ATTRIBUTES.sub("", source)
        if plain != source:
            plain = _CLOSING_MARKS.sub("", plain)
        source = "".join(
            " " if part.type in _BREAKS else part.content
            for part in _inline_parts(_PERMALINKS.sub("", plain), env)
            if part.type != "html_inline"
        )
    return " ".join(source.split())


def _begins_with_title(tokens: list[Token]) -> bool:
    """Return whether nothing but pictures and HTML stands before the first heading of level 1."""
    for token in tokens:
        if token.type == "heading_open":
            return token.tag == "h1"
        if token.type == "inline":
            if len(token.content) > MAX_HEADING_LENGTH:
                return False
            parts = _inline_parts(token.content, {})
            if any(part.type not in _DECORATIONS and part.content.strip() for part in parts):
                return False
        elif token.type not in ("html_block", "hr", "paragraph_open", "paragraph_close"):
            return False
    return False


def _inline_parts(source: str, env: dict[str, Any]) -> list[Token]:
    [inline] = _inline_parser().parseInline(source, env)
    return inline.children or []


@cache
def _block_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Inline markup is most of the work, and only headings need it.
    parser = MarkdownIt("commonmark").enable("table").disable("inline")
    interrupts = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("fence", "mathematics", _skip_mathematics, {"alt": interrupts})
    return parser


@cache
def _inline_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("strikethrough")


def _skip_mathematics(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse lines from ``$$`` to ``$$`` as one block, in which no line is a heading."""
    if state.is_code_block(start) or not _line(state, start).startswith("$$"):
        return False
    if start < state.env.get("no_mathematics_before", 0):
        return False
    for number in range(start, end):
        line = _line(state, number)
        if not line:
            break
        if line.endswith("$$") and (number > start or len(line) > 3):
            if not silent:
                state.line = number + 1
                state.push("math_block", "math", 0).map = [start, state.line]
            return True
    # A later line of the same paragraph does not find an end either.
    state.env["no_mathematics_before"] = number
    return False


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]].strip()
