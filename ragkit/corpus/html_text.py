"""Extracts the visible text, and the properties, of a page from its HTML tokens.

In place of a tree, a stack of open elements and the rules for end tags that may be left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from ragkit.corpus.headings import MAX_HEADING_LENGTH
from ragkit.corpus.html_elements import (
    BLOCKS,
    CELLS,
    HEADINGS,
    IMPLIED_ENDS,
    LISTS,
    PREFORMATTED,
    SKIPPED,
    VOID,
    Attributes,
    Token,
    is_heading_of_panel,
    is_hidden,
    is_never_text,
    is_permalink,
)
from ragkit.corpus.html_layout import PageLayout, layout_of
from ragkit.corpus.html_lists import ListMarks
from ragkit.corpus.html_properties import PageProperties
from ragkit.corpus.table_rows import TableCells
from ragkit.corpus.text_builder import TextBuilder

__all__ = ["add_page"]

# A header, footer or aside inside one of these is part of the text.
_SECTIONING = ("article", "main", "section")
_PARAGRAPH = frozenset({"p"})
_ROW_GROUPS = frozenset("table thead tbody tfoot".split())
_MARKS = frozenset({"a", "button"})
"""What may be no text, which its text tells."""
_MAX_SEARCH_DEPTH = 64
"""How many open elements are searched for one that a start tag closes."""

_NAME = re.compile(r"(?<=\S)\s+\{:?\s*[#.][\w:.-]+(?:\s+[#.][\w:.-]+)*\s*\}\Z")
"""``{#id}`` at the end of a heading, which some generators leave there."""

_SPACE = re.compile(r"[ \t\n\f\r]+")
_MAX_MARK_PIECES = 8
"""A link with more pieces of text is no permalink; a button with more is no control."""


def add_page(
    builder: TextBuilder, tokens: list[Token], anchors: Mapping[str, str] | None = None
) -> PageProperties:
    """Append the visible text and headings of a page to ``builder``; return its properties.

    Args:
        builder: gets the text.
        tokens: of the page.
        anchors: id of an element → the name of the mark to set where it begins.

    """
    writer = _PageWriter(builder, layout_of(tokens), anchors or {})
    for number, (kind, content, attributes) in enumerate(tokens):
        if kind == "text":
            writer.text(number, content)
        elif kind == "start":
            writer.start(number, content, attributes)
        else:
            writer.end(content)
    writer.finish()
    return writer.properties


class _PageWriter:
    """Tracks the open elements, and collects inline text until its block ends.

    Attributes:
        properties: the page's properties so far.

    """

    def __init__(
        self, builder: TextBuilder, layout: PageLayout, anchors: Mapping[str, str]
    ) -> None:
        self.properties = PageProperties()
        self._builder = builder
        self._layout = layout
        self._anchors = anchors
        self._open: list[str] = []
        self._open_counts: Counter[str] = Counter()
        self._skipped_depth: int | None = None
        """Number of open elements around the skipped one; None outside of skipped elements."""
        self._inline: list[str] = []
        self._blocks_ended = 0
        self._marks: list[tuple[int, int, Attributes]] = []
        """For each open link and button: ``_blocks_ended``, length of ``_inline``, attributes."""
        self._cells = TableCells()
        self._list_marks = ListMarks()
        self._are_data_tables: list[bool] = []
        """For each open table whether its rows become lines."""
        self._last_ended = ""
        """The last part of a list of definitions that ended."""
        self._item_prefix = ""
        self._group = 0
        self._group_depth = 0
        """Number of open lists and data tables, whose blocks form a group."""

    def text(self, number: int, content: str) -> None:
        if self._open and self._open[-1] == "title":
            if self._skipped_depth is None and not self.properties.title:
                self.properties.title = " ".join(content.split())
        elif self._skipped_depth is None and number in self._layout.text:
            if self._is_power(content):
                self._inline.append("^")
            self._inline.append(content if self._is_preformatted else _SPACE.sub(" ", content))

    def start(self, number: int, name: str, attributes: Attributes) -> None:
        if self._skipped_depth is None:
            self.properties.add_tag(name, attributes)
        self._close_implied(name)
        if name in VOID:
            self._add_void(name)
            return
        is_skipped = self._is_skipped(number, name, attributes)
        if self._skipped_depth is None:
            if name in BLOCKS:
                self._end_block()
            self._mark(name, attributes)
            if is_skipped:
                self._skipped_depth = len(self._open)
            else:
                self._begin(number, name, attributes)
        self._open.append(name)
        self._open_counts[name] += 1

    def end(self, name: str) -> None:
        if name in HEADINGS:  # the end tag of any heading closes the open one, of any level
            name = next((one for one in HEADINGS if self._open_counts[one]), name)
        if name in VOID or not self._open_counts[name]:
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
        return any(self._open_counts[name] for name in PREFORMATTED)

    @property
    def _in_heading(self) -> bool:
        return any(self._open_counts[name] for name in HEADINGS)

    def _add_void(self, name: str) -> None:
        if self._skipped_depth is None and name == "br":
            self._inline.append("\n")
        elif self._skipped_depth is None and name in BLOCKS:
            self._end_block()

    def _is_power(self, content: str) -> bool:
        """Return whether a text is raised above a number, which it would be taken for a part of."""
        is_raised = "sup" in self._open[-2:]
        is_number = content.strip().lstrip("+-−–").isdecimal()
        return is_raised and is_number and "".join(self._inline[-1:])[-1:].isdecimal()

    def _close_implied(self, name: str) -> None:
        """Close what a start tag ends: ``<li>`` an ``<li>``, ``<div>`` a ``<p>``, and so on."""
        if name in HEADINGS and self._in_heading:
            self.end(name)
        elif name in IMPLIED_ENDS:
            self._close_outermost(*IMPLIED_ENDS[name])
        elif name in BLOCKS and self._open_counts["p"]:
            self._close_outermost(_PARAGRAPH, BLOCKS - _PARAGRAPH)

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

    def _mark(self, name: str, attributes: Attributes) -> None:
        for key in ("id", "name") if name == "a" else ("id",):
            mark = self._anchors.get(attributes.get(key) or "")
            if mark:
                self._builder.mark(mark)

    def _is_skipped(self, number: int, name: str, attributes: Attributes) -> bool:
        if name in SKIPPED or number in self._layout.navigation:
            return True
        if name in ("html", "body", "main"):
            return False
        if name == "form":
            return number not in self._layout.arranging
        in_section = any(self._open_counts[one] for one in _SECTIONING)
        if name in ("header", "footer") and not in_section:
            return True
        if name == "aside" and self._layout.has_article and not in_section:
            return True
        return is_never_text(name, attributes) or is_hidden(attributes, self._layout.controlled_ids)

    def _begin(self, number: int, name: str, attributes: Attributes) -> None:
        if name == "table":
            self._are_data_tables.append(number not in self._layout.arranging)
        if self._is_group(name):
            self._group += not self._group_depth
            self._group_depth += 1
        if name in _ROW_GROUPS:
            self._cells.end_group()
        if name == "dt" and self._last_ended == "dd":
            self._builder.end_group()  # the next term, apart from the definition before
        if name in LISTS:
            self._list_marks.open(name, attributes, self._layout.items.get(number, 0))
        elif name == "li":
            self._item_prefix = self._list_marks.item(attributes)
        elif name == "tr" and self._are_data_tables and self._are_data_tables[-1]:
            self._cells.begin_row()
        elif name in CELLS and self._cells.in_row:
            self._cells.begin_cell(attributes.get("colspan"), attributes.get("rowspan"))
        elif name in PREFORMATTED and self._cells.in_row:
            self._cells.add(self._take_inline())
        elif name in _MARKS:
            self._marks.append((self._blocks_ended, len(self._inline), attributes))
        elif name == "label":
            self._inline.append(" ")

    def _close_innermost(self) -> None:
        name = self._open.pop()
        self._open_counts[name] -= 1
        if name in ("dt", "dd", "dl"):
            self._last_ended = name
        if self._skipped_depth is not None:
            if len(self._open) <= self._skipped_depth:
                self._skipped_depth = None
            return
        self._end_content(name)
        if name == "li":
            self._item_prefix = ""
        if name in LISTS:
            self._list_marks.close()
        if name == "tr" and self._cells.in_row:
            self._cells.add(self._take_inline())
            self._add_block(self._cells.end_row())
        if name in _ROW_GROUPS:
            self._cells.end_group()
        if self._is_group(name):
            self._group_depth -= 1
        if name == "table":
            self._are_data_tables.pop()

    def _end_content(self, name: str) -> None:
        if name in PREFORMATTED:
            self._end_preformatted()
        elif name in CELLS and self._cells.in_row:
            self._cells.add(self._take_inline())
            self._cells.end_cell()
        elif name in HEADINGS and not self._cells.in_row:
            self._end_heading(int(name[1]))
        elif name in _MARKS:
            self._end_mark(name)
        elif name in BLOCKS:
            self._end_block()
        elif name == "label":
            self._inline.append(" ")

    def _end_mark(self, name: str) -> None:
        """Remove a permalink, and a button that does not stand over text that it opens."""
        blocks_ended, start, attributes = self._marks.pop()
        if blocks_ended != self._blocks_ended or len(self._inline) - start > _MAX_MARK_PIECES:
            return
        pieces = self._inline[start:]
        text = " ".join("".join(pieces).split())
        if name == "a" and is_permalink(text, attributes):
            del self._inline[start:]
        elif name == "button" and not self._in_heading and not self._is_in_sentence(start):
            del self._inline[start:]
            if is_heading_of_panel(text, attributes):
                self._end_block()
                self._inline += pieces
                self._end_block()

    def _is_in_sentence(self, start: int) -> bool:
        """Return whether a button is named in a paragraph: ``Press <button>Start</button>``."""
        before = self._inline[max(0, start - _MAX_MARK_PIECES) : start]
        return bool(self._open_counts["p"]) and any(piece.strip() for piece in before)

    def _is_group(self, name: str) -> bool:
        return name in LISTS or (name == "table" and self._are_data_tables[-1])

    def _take_inline(self) -> str:
        """Remove and return the inline text: one space between words, a line end for ``<br>``."""
        text = re.sub(" {2,}", " ", "".join(self._inline))
        self._clear_inline()
        return re.sub("\n{3,}", "\n\n", re.sub(" ?\n ?", "\n", text)).strip(" \n")

    def _clear_inline(self) -> None:
        self._inline.clear()
        self._blocks_ended += 1

    def _end_block(self) -> None:
        if self._cells.in_row:
            self._inline.append("\n" if self._is_preformatted else " ")
        elif self._is_preformatted:
            self._end_preformatted()
        elif self._in_heading or self._open_counts["button"]:
            self._inline.append(" ")
        else:
            self._add_block(self._take_inline())

    def _end_preformatted(self) -> None:
        text = "".join(self._inline).strip("\r\n")
        self._clear_inline()
        if self._cells.in_row:
            self._cells.add(text, is_preformatted=True)
        elif text.strip():
            self._add_block(text)

    def _end_heading(self, level: int) -> None:
        title = _NAME.sub("", " ".join(self._take_inline().split()))
        if not title:
            return
        self._item_prefix = ""
        if len(title) > MAX_HEADING_LENGTH:
            self._builder.add_block(title)
        else:
            self._builder.add_heading(level, title)

    def _add_block(self, text: str) -> None:
        if text.strip():
            group = self._group if self._group_depth else None
            self._builder.add_block(self._item_prefix + text, group)
            self._item_prefix = ""
