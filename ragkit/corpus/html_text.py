"""Extracts the visible text, and the properties, of a page from its HTML tokens.

In place of a tree, a stack of open elements and the rules for end tags that may be left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ragkit.corpus.headings import MAX_HEADING_LENGTH
from ragkit.corpus.text_builder import TextBuilder
from ragkit.types import MetadataValue

__all__ = ["Attributes", "PageProperties", "Token", "add_page"]

Attributes = Mapping[str, str | None]
Token = tuple[str, str, Attributes]
"""``("start" | "end" | "text", name or text, attributes)``."""

_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())
_LISTS = frozenset("ul ol dl menu dir".split())
# Elements that begin a new line:
# https://html.spec.whatwg.org/multipage/rendering.html#flow-content-3
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
# Left out with all that they contain: scripts, controls, pictures, navigation.
_SKIPPED = frozenset(
    "annotation annotation-xml applet aside audio button canvas datalist embed iframe label legend "
    "nav noembed noframes noscript object option optgroup rp script select style svg template "
    "textarea video".split()
)
_SKIPPED_ROLES = frozenset("banner complementary contentinfo navigation search".split())
_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
# A header or footer inside one of these is part of the text; any other is the site's.
_SECTIONING = ("article", "main", "section")
# A form that contains one of these wraps the whole page, as some servers do.
_CONTENT = _HEADINGS | {"article", "main"}
# Start tag → (open elements that it closes, elements that it does not look beyond).
_IMPLIED_ENDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
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
_MAX_SEARCH_DEPTH = 64
"""How many open elements are searched for one that a start tag closes."""

_SPACE = re.compile(r"[ \t\n\f\r]+")
_DATES = ("article:published_time", "date", "dc.date", "dcterms.date", "dcterms.created")


def add_page(builder: TextBuilder, tokens: list[Token]) -> PageProperties:
    """Append the visible text and headings of a page to ``builder``; return its properties."""
    writer = _PageWriter(builder, _layout_elements(tokens))
    for number, (kind, content, attributes) in enumerate(tokens):
        if kind == "text":
            writer.text(content)
        elif kind == "start":
            writer.start(number, content, attributes)
        else:
            writer.end(content)
    writer.finish()
    return writer.properties


@dataclass(slots=True)
class PageProperties:
    """The title, address and ``<meta>`` values of a page, collected tag by tag."""

    title: str = ""
    canonical_url: str | None = None
    meta: dict[str, list[str]] = field(default_factory=dict)

    def add_tag(self, name: str, attributes: Attributes) -> None:
        """Collect what a start tag says about the page."""
        if name == "link" and "canonical" in (attributes.get("rel") or "").lower().split():
            self.canonical_url = self.canonical_url or _web_address(attributes.get("href"))
        if name == "meta":
            key = attributes.get("name") or attributes.get("property") or ""
            content = " ".join((attributes.get("content") or "").split())
            if content:
                self.meta.setdefault(key.strip().lower(), []).append(content)

    @property
    def url(self) -> str | None:
        """The page's own address."""
        return self.canonical_url or _web_address(self.meta.get("og:url", [None])[0])

    @property
    def metadata(self) -> dict[str, MetadataValue]:
        """``date`` and ``tags``, if the page has them."""
        metadata: dict[str, MetadataValue] = {}
        dates = [self.meta[name][0] for name in _DATES if name in self.meta]
        keywords = ",".join(self.meta.get("keywords", [])).split(",")
        words = [*keywords, *self.meta.get("article:tag", [])]
        tags = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
        if dates:
            metadata["date"] = dates[0]
        if tags:
            metadata["tags"] = tags
        return metadata


def _web_address(value: str | None) -> str | None:
    address = (value or "").strip()
    return address if re.match(r"https?://[^\s/]", address, re.IGNORECASE) else None


def _layout_elements(tokens: list[Token]) -> frozenset[int]:
    """Return the tokens of tables and forms that only arrange the page.

    These are tables that contain headings or other tables, and forms that contain the content.
    """
    layout: set[int] = set()
    open_tables: list[int] = []
    open_form: int | None = None
    for number, (kind, name, _) in enumerate(tokens):
        if kind == "start" and (name in _HEADINGS or name == "table"):
            layout.update(open_tables[-1:])
        if kind == "start" and name in _CONTENT and open_form is not None:
            layout.add(open_form)
        if name == "table" and kind == "start":
            open_tables.append(number)
        elif name == "table" and kind == "end" and open_tables:
            open_tables.pop()
        elif name == "form" and kind != "text":
            open_form = number if kind == "start" else None
    return frozenset(layout)


class _PageWriter:
    """Tracks the open elements, and collects inline text until its block ends.

    Attributes:
        properties: the page's properties so far.

    """

    def __init__(self, builder: TextBuilder, layout_elements: frozenset[int]) -> None:
        self.properties = PageProperties()
        self._builder = builder
        self._layout_elements = layout_elements
        self._open: list[str] = []
        self._open_counts: Counter[str] = Counter()
        self._skipped_depth: int | None = None
        """Number of open elements around the skipped one; None outside of skipped elements."""
        self._inline: list[str] = []
        self._cells: list[str] | None = None
        """Cells of the current row of a data table."""
        self._are_data_tables: list[bool] = []
        """For each open table whether its rows become lines."""
        self._item_prefix = ""
        self._group = 0
        self._group_depth = 0
        """Number of open lists and data tables, whose blocks form a group."""

    def text(self, content: str) -> None:
        if self._open and self._open[-1] == "title":
            if self._skipped_depth is None and not self.properties.title:
                self.properties.title = " ".join(content.split())
        elif self._skipped_depth is None:
            is_verbatim = self._is_preformatted and self._cells is None
            self._inline.append(content if is_verbatim else _SPACE.sub(" ", content))

    def start(self, number: int, name: str, attributes: Attributes) -> None:
        if self._skipped_depth is None:
            self.properties.add_tag(name, attributes)
        self._close_implied(name)
        if name in _VOID:
            self._add_void(name)
            return
        is_skipped = self._is_skipped(number, name, attributes)
        if self._skipped_depth is None:
            if name in _BLOCKS:
                self._end_block()
            if is_skipped:
                self._skipped_depth = len(self._open)
            else:
                self._begin(number, name)
        self._open.append(name)
        self._open_counts[name] += 1

    def end(self, name: str) -> None:
        if name in _HEADINGS:  # the end tag of any heading closes the open one, of any level
            name = next((one for one in _HEADINGS if self._open_counts[one]), name)
        if name in _VOID or not self._open_counts[name]:
            if name in ("p", "br"):
                self._add_void(name)
            return
        while self._open[-1] != name:
            self._close_innermost()
        self._close_innermost()

    def finish(self) -> None:
        while self._open:
            self._close_innermost()
        self._end_block()

    @property
    def _is_preformatted(self) -> bool:
        return any(self._open_counts[name] for name in _PREFORMATTED)

    @property
    def _in_heading(self) -> bool:
        return any(self._open_counts[name] for name in _HEADINGS)

    def _add_void(self, name: str) -> None:
        if self._skipped_depth is None and name == "br":
            self._inline.append("\n")
        elif self._skipped_depth is None and name in _BLOCKS:
            self._end_block()

    def _close_implied(self, name: str) -> None:
        """Close what a start tag ends: ``<li>`` an ``<li>``, ``<div>`` a ``<p>``, and so on."""
        if name in _HEADINGS and self._in_heading:
            self.end(name)
        elif name in _IMPLIED_ENDS:
            self._close_outermost(*_IMPLIED_ENDS[name])
        elif name in _BLOCKS and self._open_counts["p"]:
            self._close_outermost(_PARAGRAPH, _BLOCKS - _PARAGRAPH)

    def _close_outermost(self, names: frozenset[str], barriers: frozenset[str]) -> None:
        """Close the outermost open element in ``names`` that is inside of all ``barriers``."""
        outermost: int | None = None
        innermost = len(self._open) - 1
        for depth in range(innermost, max(-1, innermost + 1 - _MAX_SEARCH_DEPTH), -1):
            if self._open[depth] in barriers:
                break
            if self._open[depth] in names:
                outermost = depth
        while outermost is not None and len(self._open) > outermost:
            self._close_innermost()

    def _is_skipped(self, number: int, name: str, attributes: Attributes) -> bool:
        if name == "button" and self._in_heading:
            return False  # the heading of an accordion is a button
        if name in _SKIPPED:
            return True
        if name in ("html", "body", "main"):
            return False
        if name == "form":
            return number not in self._layout_elements
        if name in ("header", "footer") and not any(self._open_counts[n] for n in _SECTIONING):
            return True
        return (
            "hidden" in attributes
            or (attributes.get("aria-hidden") or "").lower() == "true"
            or (attributes.get("role") or "").lower() in _SKIPPED_ROLES
            or bool(_HIDDEN_STYLE.search(attributes.get("style") or ""))
        )

    def _begin(self, number: int, name: str) -> None:
        if name == "table":
            self._are_data_tables.append(number not in self._layout_elements)
        if self._is_group(name):
            self._group += not self._group_depth
            self._group_depth += 1
        if name == "li":
            self._item_prefix = "- "
        if name == "tr" and self._are_data_tables and self._are_data_tables[-1]:
            self._cells = []

    def _close_innermost(self) -> None:
        name = self._open.pop()
        self._open_counts[name] -= 1
        if self._skipped_depth is not None:
            if len(self._open) <= self._skipped_depth:
                self._skipped_depth = None
            return
        self._end_content(name)
        if name == "li":
            self._item_prefix = ""
        if name == "tr" and self._cells is not None:
            self._end_row()
        if self._is_group(name):
            self._group_depth -= 1
        if name == "table":
            self._are_data_tables.pop()

    def _end_content(self, name: str) -> None:
        if name in _PREFORMATTED and self._cells is None:
            self._end_preformatted()
        elif name in _HEADINGS:
            self._end_heading(int(name[1]))
        elif name in _CELLS and self._cells is not None:
            self._end_cell()
        elif name in _BLOCKS:
            self._end_block()

    def _is_group(self, name: str) -> bool:
        return name in _LISTS or (name == "table" and self._are_data_tables[-1])

    def _take_inline(self) -> str:
        """Remove and return the inline text: one space between words, a line end for ``<br>``."""
        text = re.sub(" {2,}", " ", "".join(self._inline))
        self._inline.clear()
        return re.sub("\n{3,}", "\n\n", re.sub(" ?\n ?", "\n", text)).strip(" \n")

    def _end_block(self) -> None:
        if self._cells is not None:
            self._inline.append(" ")
        elif self._is_preformatted:
            self._end_preformatted()
        elif self._in_heading:
            self._inline.append(" ")
        else:
            self._add_block(self._take_inline())

    def _end_preformatted(self) -> None:
        text = "".join(self._inline).strip("\r\n")
        self._inline.clear()
        if text.strip():
            self._add_block(text)

    def _end_heading(self, level: int) -> None:
        title = " ".join(self._take_inline().split())
        if not title or self._cells is not None:
            return
        self._item_prefix = ""
        if len(title) > MAX_HEADING_LENGTH:
            self._builder.add_block(title)
        else:
            self._builder.add_heading(level, title)

    def _end_cell(self) -> None:
        cell = " ".join(self._take_inline().split())
        if cell and self._cells is not None:
            self._cells.append(cell)

    def _end_row(self) -> None:
        self._end_cell()
        cells, self._cells = self._cells or [], None
        self._add_block(" | ".join(cells))

    def _add_block(self, text: str) -> None:
        if text.strip():
            group = self._group if self._group_depth else None
            self._builder.add_block(self._item_prefix + text, group)
            self._item_prefix = ""
