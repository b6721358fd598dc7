"""HTML → the text a reader sees, with h1–h6 as headings.

Read token by token (https://html.spec.whatwg.org/multipage/parsing.html#tokenization), without
building a tree: the standard's tree construction copies unclosed elements and searches the open
ones at every tag, so a hostile page makes any tree parser take quadratic time and memory. What a
tree would say is kept in one stack: which element is open, which ends because another begins.
Nothing is fetched and nothing runs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.base import Read, extra
from ragkit.corpus.blocks import Blocks
from ragkit.corpus.decoding import decode_html, read_whole, refuse_unusable
from ragkit.corpus.headings import LONGEST_HEADING, sections_between, with_title
from ragkit.errors import SourceError
from ragkit.types import MetadataValue

__all__ = ["Page", "read", "tokens", "web_address", "write_page"]

Attributes = Mapping[str, str | None]
Token = tuple[str, str, Attributes]
"""``("start" | "end" | "text", name or text, attributes)``."""

_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())
_LISTS = frozenset("ul ol dl menu dir".split())
# https://html.spec.whatwg.org/multipage/rendering.html#flow-content-3: what begins a new line.
_BLOCKS = _HEADINGS | _LISTS | frozenset(
    "address article aside blockquote body caption center dd details dialog div dt fieldset "
    "figcaption figure footer form head header hgroup hr html legend li listing main nav optgroup "
    "option p plaintext pre search section summary table tbody td tfoot th thead tr xmp".split()
)  # fmt: skip
_VOID = frozenset(
    "area base basefont bgsound br col embed frame hr image img input keygen link meta param "
    "source track wbr".split()
)
_PREFORMATTED = frozenset("pre listing xmp plaintext".split())
_CELLS = frozenset({"td", "th"})
# Neither text of the page nor its subject: programs, controls, pictures, what leads elsewhere.
_DROPPED = frozenset(
    "annotation annotation-xml applet aside audio button canvas datalist embed iframe label legend "
    "nav noembed noframes noscript object option optgroup rp script select style svg template "
    "textarea video".split()
)
_DROPPED_ROLES = frozenset("banner complementary contentinfo navigation search".split())
_HIDING = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
# A header or footer inside one of these belongs to it; another belongs to the site.
_SECTIONING = ("article", "main", "section")
# A form around one of these is the page's wrapper, as some servers write it.
_CONTENT = _HEADINGS | {"article", "main"}
# What begins → (what it ends, what keeps it from ending anything further out).
_ENDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "li": (frozenset({"li"}), frozenset("ul ol menu dir table".split())),
    "dt": (frozenset({"dt", "dd"}), frozenset({"dl", "table"})),
    "dd": (frozenset({"dt", "dd"}), frozenset({"dl", "table"})),
    "td": (_CELLS, frozenset({"tr", "table"})),
    "th": (_CELLS, frozenset({"tr", "table"})),
    "tr": (_CELLS | {"tr"}, frozenset({"table"})),
} | {
    part: (_CELLS | frozenset("tr thead tbody tfoot caption".split()), frozenset({"table"}))
    for part in ("thead", "tbody", "tfoot")
}
_PARAGRAPH = frozenset({"p"})
# How far out such an element is looked for; none stands deeper inside inline elements than this.
_REACH = 64
_MOST_TOKENS = 5_000_000
"""Tags and texts of one page, which are all held at once; the HTML standard has a third of it."""

_NO_ATTRIBUTES: Attributes = {}

_SPACE = re.compile(r"[ \t\n\f\r]+")
# An XML parser takes <title/> as closed, an HTML one as open to the end of the page.
_SELF_CLOSED = re.compile(r"<([a-zA-Z][\w:.-]*)((?:\s[^<>]*)?)/>")
_SELF_CLOSED_FOREIGN = re.compile(r"<(svg|math)((?:\s[^<>]*)?)/>", re.IGNORECASE)
_DATES = ("article:published_time", "date", "dc.date", "dcterms.date", "dcterms.created")


def read(file: BinaryIO, path: Path) -> Iterator[Read]:
    """One document."""
    source = decode_html(read_whole(file, str(path)), str(path))
    written = Blocks()
    xml = path.suffix.lower() == ".xhtml" or source.lstrip().startswith("<?xml")
    page = write_page(written, tokens(source, path, xml=xml))
    text = written.text()
    refuse_unusable(text, f"{path}, without its markup,")
    headings, main = with_title(written.headings)
    first = written.headings[0].title if written.headings else None
    yield Read(
        text,
        sections_between(text, headings),
        # "Article - Site", where the page says that it is called "Article".
        title=main if main and main in page.title else page.title or main or first,
        url=page.url,
        metadata=page.metadata,
    )


def tokens(source: str, path: Path, *, xml: bool, extra_name: str = "html") -> list[Token]:
    """The page's tags and texts, entities decoded, comments left out."""
    with extra(extra_name, path):
        from justhtml import stream
    foreign = _SELF_CLOSED if xml else _SELF_CLOSED_FOREIGN
    found: list[Token] = []
    for event in stream(foreign.sub(r"<\1\2></\1>", source)):
        if event[0] == "start":
            name, attributes = event[1]
            found.append(("start", name, attributes or _NO_ATTRIBUTES))
        elif event[0] in ("end", "text"):
            found.append((event[0], str(event[1]), _NO_ATTRIBUTES))
        if len(found) > _MOST_TOKENS:
            raise SourceError(
                f"{path} has more than {_MOST_TOKENS:,} tags and texts between them; expected a "
                f"page. Split it, if it is one."
            )
    return found


def write_page(blocks: Blocks, page: list[Token]) -> Page:
    """Write what a reader sees of the page; what it says of itself is returned."""
    writer = _Writer(blocks, _containers(page))
    for number, (kind, content, attributes) in enumerate(page):
        if kind == "text":
            writer.text(content)
        elif kind == "start":
            writer.start(number, content, attributes)
        else:
            writer.end(content)
    writer.finish()
    return writer.page


def web_address(value: str | None) -> str | None:
    """``value`` if it is an http(s) address."""
    found = (value or "").strip()
    return found if re.match(r"https?://[^\s/]", found, re.IGNORECASE) else None


@dataclass(slots=True)
class Page:
    """What a page says of itself, gathered tag by tag."""

    title: str = ""
    canonical: str | None = None
    said: dict[str, list[str]] = field(default_factory=dict)

    def note(self, name: str, attributes: Attributes) -> None:
        if name == "link" and "canonical" in (attributes.get("rel") or "").lower().split():
            self.canonical = self.canonical or web_address(attributes.get("href"))
        if name == "meta":
            key = attributes.get("name") or attributes.get("property") or ""
            content = " ".join((attributes.get("content") or "").split())
            if content:
                self.said.setdefault(key.strip().lower(), []).append(content)

    @property
    def url(self) -> str | None:
        return self.canonical or web_address(self.said.get("og:url", [None])[0])

    @property
    def metadata(self) -> dict[str, MetadataValue]:
        found: dict[str, MetadataValue] = {}
        dates = [self.said[name][0] for name in _DATES if name in self.said]
        words = [
            *",".join(self.said.get("keywords", [])).split(","),
            *self.said.get("article:tag", []),
        ]
        tags = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
        if dates:
            found["date"] = dates[0]
        if tags:
            found["tags"] = tags
        return found


def _containers(page: list[Token]) -> frozenset[int]:
    """Which tables and forms only arrange the page: those around headings, or other tables."""
    found: set[int] = set()
    tables: list[int] = []
    form: int | None = None
    for number, (kind, name, _) in enumerate(page):
        if kind == "start" and (name in _HEADINGS or name == "table"):
            found.update(tables[-1:])
        if kind == "start" and name in _CONTENT and form is not None:
            found.add(form)
        if name == "table" and kind == "start":
            tables.append(number)
        elif name == "table" and kind == "end" and tables:
            tables.pop()
        elif name == "form" and kind != "text":
            form = number if kind == "start" else None
    return frozenset(found)


class _Writer:
    """The stack of open elements, and the text since the last border of a block."""

    def __init__(self, blocks: Blocks, containers: frozenset[int]) -> None:
        self.page = Page()
        self._blocks = blocks
        self._containers = containers
        self._stack: list[str] = []
        self._open: Counter[str] = Counter()
        self._dropped_at: int | None = None
        """How many elements were open when one began that is dropped with all in it."""
        self._inline: list[str] = []
        self._row: list[str] | None = None
        """The cells of the row being read, where a row is a line."""
        self._row_tables: list[bool] = []
        self._prefix = ""
        self._groups = 0
        self._grouped = 0

    def text(self, content: str) -> None:
        if self._stack and self._stack[-1] == "title":
            if self._dropped_at is None and not self.page.title:
                self.page.title = " ".join(content.split())
        elif self._dropped_at is None:
            kept = self._preformatted and self._row is None
            self._inline.append(content if kept else _SPACE.sub(" ", content))

    def start(self, number: int, name: str, attributes: Attributes) -> None:
        if self._dropped_at is None:
            self.page.note(name, attributes)
        self._end_implied(name)
        if name in _VOID:
            self._void(name)
            return
        dropped = self._is_dropped(number, name, attributes)
        if self._dropped_at is None:
            if name in _BLOCKS:
                self._border()
            if dropped:
                self._dropped_at = len(self._stack)
            else:
                self._opened(number, name)
        self._stack.append(name)
        self._open[name] += 1

    def end(self, name: str) -> None:
        if name in _HEADINGS:  # any end tag of a heading ends the open one, whatever its level
            name = next((one for one in _HEADINGS if self._open[one]), name)
        if name in _VOID or not self._open[name]:
            if name in ("p", "br"):
                self._void(name)
            return
        while self._stack[-1] != name:
            self._pop()
        self._pop()

    def finish(self) -> None:
        while self._stack:
            self._pop()
        self._border()

    @property
    def _preformatted(self) -> bool:
        return any(self._open[name] for name in _PREFORMATTED)

    @property
    def _in_heading(self) -> bool:
        return any(self._open[name] for name in _HEADINGS)

    def _void(self, name: str) -> None:
        if self._dropped_at is None and name == "br":
            self._inline.append("\n")
        elif self._dropped_at is None and name in _BLOCKS:
            self._border()

    def _end_implied(self, name: str) -> None:
        """``<li>`` ends an open ``<li>``, ``<div>`` an open ``<p>``, a heading another one."""
        if name in _HEADINGS and self._in_heading:
            self.end(name)
        elif name in _ENDS:
            self._truncate(*_ENDS[name])
        elif name in _BLOCKS and self._open["p"]:
            self._truncate(_PARAGRAPH, _BLOCKS - _PARAGRAPH)

    def _truncate(self, ended: frozenset[str], barriers: frozenset[str]) -> None:
        outermost: int | None = None
        for at in range(len(self._stack) - 1, max(-1, len(self._stack) - _REACH), -1):
            if self._stack[at] in barriers:
                break
            if self._stack[at] in ended:
                outermost = at
        while outermost is not None and len(self._stack) > outermost:
            self._pop()

    def _is_dropped(self, number: int, name: str, attributes: Attributes) -> bool:
        if name == "button" and self._in_heading:
            return False  # an accordion's heading is its button
        if name in _DROPPED:
            return True
        if name in ("html", "body", "main"):
            return False
        if name == "form":
            return number not in self._containers
        if name in ("header", "footer") and not any(self._open[one] for one in _SECTIONING):
            return True
        return (
            "hidden" in attributes
            or (attributes.get("aria-hidden") or "").lower() == "true"
            or (attributes.get("role") or "").lower() in _DROPPED_ROLES
            or bool(_HIDING.search(attributes.get("style") or ""))
        )

    def _opened(self, number: int, name: str) -> None:
        if name == "table":
            self._row_tables.append(number not in self._containers)
        if self._groups_blocks(name):
            self._groups += not self._grouped
            self._grouped += 1
        if name == "li":
            self._prefix = "- "
        if name == "tr" and self._row_tables and self._row_tables[-1]:
            self._row = []

    def _pop(self) -> None:
        name = self._stack.pop()
        self._open[name] -= 1
        if self._dropped_at is not None:
            if len(self._stack) <= self._dropped_at:
                self._dropped_at = None
            return
        if name in _PREFORMATTED and self._row is None:
            self._preformatted_block()
        elif name in _HEADINGS:
            self._heading(int(name[1]))
        elif name in _CELLS and self._row is not None:
            self._cell()
        elif name in _BLOCKS:
            self._border()
        if name == "li":
            self._prefix = ""
        if name == "tr" and self._row is not None:
            self._end_row()
        if self._groups_blocks(name):
            self._grouped -= 1
        if name == "table":
            self._row_tables.pop()

    def _groups_blocks(self, name: str) -> bool:
        return name in _LISTS or (name == "table" and self._row_tables[-1])

    def _taken(self) -> str:
        """The inline text since the last border: one space between words, ``<br>`` a line end."""
        text = re.sub(" {2,}", " ", "".join(self._inline))
        self._inline.clear()
        return re.sub("\n{3,}", "\n\n", re.sub(" ?\n ?", "\n", text)).strip(" \n")

    def _border(self) -> None:
        if self._row is not None:
            self._inline.append(" ")
        elif self._preformatted:
            self._preformatted_block()
        elif self._in_heading:
            self._inline.append(" ")
        else:
            self._add(self._taken())

    def _preformatted_block(self) -> None:
        text = "".join(self._inline).strip("\r\n")
        self._inline.clear()
        if text.strip():
            self._add(text)

    def _heading(self, level: int) -> None:
        title = " ".join(self._taken().split())
        if not title or self._row is not None:
            return
        self._prefix = ""
        if len(title) > LONGEST_HEADING:
            self._blocks.add(title)
        else:
            self._blocks.heading(level, title)

    def _cell(self) -> None:
        cell = " ".join(self._taken().split())
        if cell and self._row is not None:
            self._row.append(cell)

    def _end_row(self) -> None:
        self._cell()
        cells, self._row = self._row or [], None
        self._add(" | ".join(cells))

    def _add(self, text: str) -> None:
        if text.strip():
            self._blocks.add(self._prefix + text, self._groups if self._grouped else None)
            self._prefix = ""
