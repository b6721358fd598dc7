"""Tells the text of a page from what lies around it, in one pass before the text is extracted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from ragkit.corpus.html_elements import HEADINGS, SKIPPED, VOID, Attributes, Token, class_names

__all__ = ["PageLayout", "layout_of"]

# A form that contains one of these wraps the whole page, as some servers do.
_CONTENT = HEADINGS | {"article", "main"}
_INVISIBLE_INPUTS = frozenset({"hidden", "submit", "reset", "button", "image"})
_MAX_OUTSIDE = 4
"""A ``<main>`` is not the whole text if this many times as much text is outside it."""
_FIELDS = frozenset({"textarea", "select"})
# Classes and ids of lists of links, which can also be text: the menu of a restaurant.
_LINK_LISTS = frozenset(
    "menu nav toc contents sidebar pagination pager related links share social topbar".split()
)
_LINKED_SHARE = 0.8
"""A part of the page with such a name is navigation if this share of its text, apart from headings,
is in links."""
# Text in these does not count. The end tags of the others may be left out.
_UNCOUNTED = SKIPPED - VOID - frozenset("option optgroup rp rt rtc".split())
_AROUND_MAIN = frozenset({"header", "footer", "aside"})
_WHOLE_PAGE = frozenset({"html", "body", "article"})


@dataclass(frozen=True, slots=True)
class PageLayout:
    """Which tokens of a page are not what their names say.

    Attributes:
        arranging: start tags of the tables and forms that only arrange the page: tables with
            headings outside their header cells or with other tables in them; forms without a
            field, or with a heading or most of the page's text.
        navigation: start tags of other elements that are lists of links, by their names.
        text: the tokens whose text is the page's: those of its ``<main>``, if it has one.
        items: start tag of a list → number of its items.
        controlled_ids: ids of the elements that tabs and headings show when they are clicked.
        has_article: whether the page marks its article, so that an aside elsewhere is the site's.

    """

    arranging: frozenset[int]
    navigation: frozenset[int]
    text: range
    items: Mapping[int, int]
    controlled_ids: frozenset[str]
    has_article: bool


def layout_of(tokens: list[Token]) -> PageLayout:
    """Return what is text in a page."""
    scan = _Scan()
    for number, (kind, content, attributes) in enumerate(tokens):
        if kind == "text":
            scan.text(content)
        elif kind == "start":
            scan.start(number, content, attributes)
        else:
            scan.end(number, content)
    return scan.finish(len(tokens))


@dataclass(slots=True)
class _Part:
    """An open element, and what the page had before it.

    Attributes:
        number: its start tag.
        depth: number of open elements of its name around it.
        counts: characters before it: ``text``; ``linked``, in links; ``prose``, outside controls.
        has_field: for a form, whether it can be filled in.
        has_content: for a form, whether it contains a heading or the page's main part.

    """

    number: int
    depth: int
    counts: Counter[str]
    has_field: bool = False
    has_content: bool = False


@dataclass(slots=True)
class _Table:
    """An open table; ``in_head``: in ``<thead>``; ``in_header``: in a header cell or caption."""

    number: int
    in_head: bool = False
    in_header: bool = False


@dataclass(slots=True)
class _Scan:
    """Counts the text of the open parts, without a tree."""

    depths: Counter[str] = field(default_factory=Counter)
    uncounted: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    parts: defaultdict[str, list[_Part]] = field(default_factory=lambda: defaultdict(list))
    main: list[tuple[int, int, int]] = field(default_factory=list)
    """Start, end and length of the prose of each ``<main>``."""
    form: _Part | None = None
    forms: list[tuple[int, int]] = field(default_factory=list)
    tables: list[_Table] = field(default_factory=list)
    lists: list[int] = field(default_factory=list)
    items: Counter[int] = field(default_factory=Counter)
    arranging: set[int] = field(default_factory=set)
    link_lists: list[tuple[int, int]] = field(default_factory=list)
    """Start and length of each list of links."""
    has_article: bool = False
    open_mains: int = 0
    controlled_ids: set[str] = field(default_factory=set)
    titles: Counter[bool] = field(default_factory=Counter)
    """Number of ``<h1>`` in ``<main>``, and outside."""

    def text(self, content: str) -> None:
        length = len("".join(content.split()))
        if self.uncounted:
            return
        self.counts["text"] += length
        if self.depths["a"]:
            self.counts["linked"] += length
        elif any(self.depths[name] for name in HEADINGS):
            self.counts["named"] += length
        if not (self.depths["label"] or self.depths["legend"] or self.depths["button"]):
            self.counts["prose"] += length
            if not self.open_mains and any(self.depths[name] for name in _AROUND_MAIN):
                self.counts["around"] += length

    def start(self, number: int, name: str, attributes: Attributes) -> None:
        self.controlled_ids.update((attributes.get("aria-controls") or "").split())
        self._start_in_table(number, name)
        self._start_in_form(number, name, attributes)
        if name == "li" and self.lists:
            self.items[self.lists[-1]] += 1
        if name in ("ul", "ol"):
            self.lists.append(number)
        if name == "h1":
            self.titles[self.open_mains > 0] += 1
        if name in VOID:
            return
        is_main = name == "main" or (attributes.get("role") or "").lower() == "main"
        if is_main or (name not in _WHOLE_PAGE and _is_named_as_links(attributes)):
            counts = Counter(self.counts)
            self.parts[name].append(_Part(number, self.depths[name], counts, has_content=is_main))
        self.open_mains += is_main
        self.has_article |= is_main or name == "article"
        self.depths[name] += 1
        self.uncounted += name in _UNCOUNTED

    def end(self, number: int, name: str) -> None:
        if name == "table" and self.tables:
            self.tables.pop()
        elif name == "form":
            self._end_form()
        elif name in ("ul", "ol") and self.lists:
            self.lists.pop()
        elif name in ("th", "caption", "thead") and self.tables:
            self.tables[-1].in_header = False
            self.tables[-1].in_head &= name != "thead"
        if self.depths[name]:
            self.depths[name] -= 1
            self.uncounted -= name in _UNCOUNTED
        parts = self.parts.get(name, [])
        while parts and parts[-1].depth >= self.depths[name]:
            self._end_part(parts.pop(), number)

    def finish(self, length: int) -> PageLayout:
        self._end_form()
        for part in [part for parts in self.parts.values() for part in reversed(parts)]:
            self._end_part(part, length)
        prose, text = self.counts["prose"], self.counts["text"]
        self.arranging.update(number for number, inside in self.forms if 2 * inside > prose)
        return PageLayout(
            frozenset(self.arranging),
            frozenset(number for number, inside in self.link_lists if 2 * inside <= text),
            self._text_range(length),
            self.items,
            frozenset(self.controlled_ids),
            self.has_article,
        )

    def _start_in_table(self, number: int, name: str) -> None:
        """Find the tables that only arrange: with a table, or a heading that names no column."""
        table = self.tables[-1] if self.tables else None
        names_columns = table is not None and table.in_header and name != "h1"
        if table and (name == "table" or (name in HEADINGS and not names_columns)):
            self.arranging.add(table.number)
        if name == "table":
            self.tables.append(_Table(number))
        elif table and name in ("td", "th", "caption"):
            table.in_header = table.in_head or name != "td"
        elif table and name in ("thead", "tbody", "tfoot"):
            table.in_head, table.in_header = name == "thead", False

    def _start_in_form(self, number: int, name: str, attributes: Attributes) -> None:
        if name == "form":
            self._end_form()
            self.form = _Part(number, 0, Counter(self.counts))
        if self.form is None:
            return
        kind = (attributes.get("type") or "").lower()
        self.form.has_field |= name in _FIELDS or (
            name == "input" and kind not in _INVISIBLE_INPUTS
        )
        self.form.has_content |= name in _CONTENT

    def _end_form(self) -> None:
        form, self.form = self.form, None
        if form is None:
            return
        if form.has_content or not form.has_field:
            self.arranging.add(form.number)
        self.forms.append((form.number, self.counts["prose"] - form.counts["prose"]))

    def _end_part(self, part: _Part, end: int) -> None:
        inside = self.counts - part.counts
        if part.has_content:
            self.open_mains -= 1
            self.main.append((part.number, end, inside["prose"]))
        elif inside["linked"] and inside["linked"] >= _LINKED_SHARE * (
            inside["text"] - inside["named"]
        ):
            self.link_lists.append((part.number, inside["text"]))

    def _text_range(self, length: int) -> range:
        """Return the tokens of ``<main>``, unless there are several or most text is elsewhere."""
        whole = range(length)
        if len(self.main) != 1 or (self.titles[False] and not self.titles[True]):
            return whole
        [(start, end, inside)] = self.main
        outside = self.counts["prose"] - self.counts["around"] - inside
        return range(start, end) if _MAX_OUTSIDE * inside >= outside else whole


def _is_named_as_links(attributes: Attributes) -> bool:
    names = class_names(attributes)
    return any(_LINK_LISTS.intersection(one.lower().split("-")) for one in names)
