"""HTML: the visible text of a page, with h1–h6 as headings.

The page is parsed token by token
(https://html.spec.whatwg.org/multipage/parsing.html#tokenization) without building a tree: the
standard's tree construction copies unclosed elements and searches the open ones at every tag, so a
hostile page costs any tree parser quadratic time and memory. No link is followed and no script is
run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.decoding import decode_html, read_all, refuse_unusable
from ragkit.corpus.headings import sections_between, split_title
from ragkit.corpus.html_elements import Attributes, Token
from ragkit.corpus.html_text import add_page
from ragkit.corpus.parser import ParsedDocument, requires_extra
from ragkit.corpus.text_builder import TextBuilder
from ragkit.errors import SourceError

__all__ = ["html_tokens", "parse"]

_MAX_TOKENS = 5_000_000
"""Size limit, since all tokens are held at once; the HTML standard itself uses a third of it."""

_NO_ATTRIBUTES: Attributes = {}

# To an XML parser <title/> is a closed element, to an HTML parser it is open until </title>.
_SELF_CLOSED = re.compile(r"<([a-zA-Z][\w:.-]*)((?:\s[^<>]*)?)/>")
_SELF_CLOSED_IN_HTML = re.compile(r"<(svg|math)((?:\s[^<>]*)?)/>", re.IGNORECASE)


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    source = decode_html(read_all(file, str(path)), str(path))
    is_xml = path.suffix.lower() == ".xhtml" or source.lstrip().startswith("<?xml")
    builder = TextBuilder()
    page = add_page(builder, html_tokens(source, path, xml=is_xml))
    text = builder.text()
    refuse_unusable(text, f"{path}, without its markup,")
    # <title> is often "Article - Site", and the heading alone is the better title.
    headings, heading_title = split_title(builder.headings, page.title or None)
    first_heading = builder.headings[0].title if builder.headings else None
    yield ParsedDocument(
        text,
        sections_between(text, headings),
        title=heading_title or page.title or first_heading,
        url=page.url,
        metadata=page.metadata,
        language=page.language,
    )


def html_tokens(source: str, path: Path, *, xml: bool, extra: str = "html") -> list[Token]:
    """Split a page into tags and texts, entities decoded, comments left out.

    Args:
        source: the decoded page.
        path: its file, for messages.
        xml: whether it is XHTML.
        extra: the extra of the package that installs the parser, for messages.

    Raises:
        SourceError: the page has too many tokens.
        MissingExtraError: the parser is not installed.

    """
    with requires_extra(extra, path):
        from justhtml import stream
    self_closed = _SELF_CLOSED if xml else _SELF_CLOSED_IN_HTML
    tokens: list[Token] = []
    for event in stream(self_closed.sub(r"<\1\2></\1>", source)):
        if event[0] == "start":
            name, attributes = event[1]
            tokens.append(("start", name, attributes or _NO_ATTRIBUTES))
        elif event[0] in ("end", "text"):
            tokens.append((event[0], str(event[1]), _NO_ATTRIBUTES))
        if len(tokens) > _MAX_TOKENS:
            raise SourceError(
                f"{path} has more than {_MAX_TOKENS:,} tags and texts between them; expected a "
                f"page. If it is one, split it."
            )
    return tokens
