"""MediaWiki markup → visible text, in which ``== heading ==`` lines stay as they are.

One pass over the markup with a stack, then one over the lines: linear in time, whatever is not
closed. Links become their labels. References, files, categories, comments, tags and templates are
left out, except templates that only set or measure their text. A row of a table becomes a line, an
item of a list ``- item``. A line without markup stays as it is. Grammar:
https://www.mediawiki.org/wiki/Help:Formatting, …/Help:Links, …/Help:Tables and
https://www.mediawiki.org/wiki/Preprocessor_ABNF.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.decoding import decode, read_all, refuse_unusable
from ragkit.corpus.headings import BOM, Heading, page_sections, parse_heading
from ragkit.corpus.parser import ParsedDocument
from ragkit.corpus.table_rows import Cell, RowSpans, row_line, span_size
from ragkit.corpus.wiki_namespaces import MEDIA_NAMESPACES
from ragkit.corpus.wiki_templates import ARGUMENT_BAR, MAX_NESTED, template_text, without_variants
from ragkit.text.languages import primary_language
from ragkit.text.spans import Span, lines

__all__ = ["page_text", "parse", "plain_text"]

# Marks in the intermediate text. No source contains a NUL, so they are unambiguous: where
# something was removed; where text begins, or a line of it, in which markup has no meaning.
_REMOVED, _VERBATIM = "\0d", "\0n"

# Tags whose content is not parsed: it is text, or it is removed.
_VERBATIM_TAGS = frozenset("nowiki pre syntaxhighlight source math chem".split())
_REMOVED_TAGS = frozenset(
    "ref references gallery timeline score imagemap graph templatestyles templatedata mapframe "
    "maplink indicator hiero inputbox categorytree dynamicpagelist style".split()
)
_PLAIN_TAGS = frozenset(
    "abbr b bdi bdo big blockquote br caption center cite code col colgroup data dd del dfn div dl "
    "dt em font h1 h2 h3 h4 h5 h6 hr i includeonly ins kbd li mark noinclude ol onlyinclude p poem "
    "q rb rp rt rtc ruby s samp section small span strike strong sub sup table tbody td tfoot th "
    "thead time tr tt u ul var wbr".split()
)
_MARKUP = re.compile(
    r"<!--|</?(?P<tag>[a-zA-Z][a-zA-Z0-9]*+)(?=[\s/>])[^<>]*+>"
    r"|\{{2,}+|\}{2,}+|\[\[|\]\]?|\|"
    r"|\[(?:(?:https?:|ftp:)?//|mailto:)[^\s\[\]]++(?=[^\[\]\n]*+\])[ \t]*+"
    r"|__[A-Z]{3,}?__"
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_QUOTES = re.compile("'{2,}")
_EMPTY_PARENTHESES = re.compile(rf" ?\([,;\s]*+(?:{_REMOVED}[,;\s]*+)++\)")
_ATTRIBUTES = re.compile(r"[^|\[\]=]*+=[^|\[\]]*+\|(?!\|)")
_SPAN = re.compile(r"""\b(colspan|rowspan)\s*=\s*["']?\s*(\d+)""", re.IGNORECASE)
_CELL_SEPARATOR = {"|": re.compile(r"\|\|"), "!": re.compile(r"\|\||!!")}
_LIST_MARKS = re.compile(r"[*#:;]+[ \t]*")
_RULE = re.compile(r"-{4,}\s*\Z")


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    text, headings = page_text(decode(read_all(file, str(path)), str(path)))
    refuse_unusable(text, f"{path}, without its markup,")
    sections, title = page_sections(text, headings)
    yield ParsedDocument(text, sections, title=title)


def plain_text(source: str, media_namespaces: Set[str] = MEDIA_NAMESPACES) -> str:
    """Remove the markup from a page; arguments as for ``page_text``."""
    return page_text(source, media_namespaces)[0]


def page_text(
    source: str, media_namespaces: Set[str] = MEDIA_NAMESPACES
) -> tuple[str, list[Heading]]:
    """Remove the markup from a page.

    Args:
        source: the page as MediaWiki stores it.
        media_namespaces: prefixes, in lower case, of links that are not text.

    Returns:
        The visible text, with headings as ``== heading ==`` lines; and the headings.

    """
    marked = _MarkupRemover(without_variants(source), media_namespaces).remove()
    page = _LineWriter()
    for line in lines(marked):
        page.add(marked[line.start : line.end])
    return page.finish()


# [[de:Köln]] shows beside the page, [[:de:Köln]] in its text; [[re:publica]] is a page.
_WIKIPEDIAS = frozenset(
    "alt ary atj avk bat-smg be-tarask be-x-old bug cbk-zam eml fiu-vro gcr hyw lld map-bms mni nb "
    "nds-nl nn nrm pih roa-rup roa-tara sh shi simple skr smn zh-classical zh-min-nan "
    "zh-yue".split()
)
"""Those that are not named by one of the codes that ``primary_language`` gives."""


@dataclass(slots=True)
class _OpenMarkup:
    """Markup that is not closed yet.

    Attributes:
        kind: ``{`` a template, ``[[`` a link, ``[`` an address with a label.
        position: which piece of the output is its opening mark.
        label: which piece begins a link's label, if it has one.
        is_broken: whether a link contains a link in its target, so that it is not a link.

    """

    kind: str
    position: int
    label: int | None = None
    is_broken: bool = False


class _MarkupRemover:
    """Output in pieces, and a stack of open markup; each piece is removed at most once."""

    def __init__(self, source: str, media_namespaces: Set[str]) -> None:
        self._source = source
        self._media_namespaces = media_namespaces
        self._out: list[str] = []
        self._stack: list[_OpenMarkup] = []
        self._open_templates = 0
        self._never_closed: set[str] = set()

    def remove(self) -> str:
        """Return the source without inline markup; line markup stays."""
        offset = 0
        while markup := _MARKUP.search(self._source, offset):
            self._out.append(self._source[offset : markup.start()])
            offset = self._handle(markup)
        self._out.append(self._source[offset:])
        return "".join(self._out).replace(ARGUMENT_BAR, "|")

    def _handle(self, markup: re.Match[str]) -> int:
        """Handle one match, and return the offset at which to go on."""
        mark = markup[0]
        if mark == "<!--":
            self._out.append(_REMOVED)
            end = self._source.find("-->", markup.end())
            return len(self._source) if end < 0 else end + 3
        if mark.startswith("<"):
            return self._handle_tag(markup)
        if mark.startswith("{"):
            self._open_braces(len(mark))
        elif mark.startswith("}"):
            self._close_braces(len(mark))
        elif mark.startswith("]"):
            return markup.start() + self._close_bracket(mark)
        elif mark.startswith("["):
            kind = "[[" if mark == "[[" else "["
            self._stack.append(_OpenMarkup(kind, len(self._out)))
            self._out.append(mark if kind == "[[" else _REMOVED)
        elif mark.startswith("__"):
            self._out.append(_REMOVED)
        else:
            self._out.append(mark if self._innermost != "{" else ARGUMENT_BAR)
            if self._innermost == "[[" and self._stack[-1].label is None:
                self._stack[-1].label = len(self._out)
        return markup.end()

    @property
    def _innermost(self) -> str:
        return self._stack[-1].kind if self._stack else ""

    def _handle_tag(self, markup: re.Match[str]) -> int:
        name, tag = markup["tag"].lower(), markup[0]
        if name not in _VERBATIM_TAGS | _REMOVED_TAGS | _PLAIN_TAGS:
            self._out.append("<")
            return markup.start() + 1
        opens = not tag.startswith("</") and not tag.endswith("/>")
        is_plain = name in _PLAIN_TAGS
        end_tag = self._find_end_tag(name, markup.end()) if opens and not is_plain else None
        if end_tag and name in _VERBATIM_TAGS:
            self._out.append(_verbatim(self._source[markup.end() : end_tag.start()]))
        else:
            self._out.append("\n" if name == "br" else _REMOVED)
        return end_tag.end() if end_tag else markup.end()

    def _find_end_tag(self, name: str, offset: int) -> re.Match[str] | None:
        # After one search without result, there is none further on either.
        if name in self._never_closed:
            return None
        end_tag = re.compile(rf"</{name}\s*+>", re.IGNORECASE).search(self._source, offset)
        if end_tag is None:
            self._never_closed.add(name)
        return end_tag

    def _open_braces(self, number: int) -> None:
        while number >= 2:
            size = 3 if number == 3 else 2
            self._stack.append(_OpenMarkup("{", len(self._out)))
            self._out.append("{" * size)
            self._open_templates += 1
            number -= size

    def _close_braces(self, number: int) -> None:
        while number >= 2 and self._open_templates:
            while self._innermost != "{":
                self._stack.pop()
            template = self._stack.pop()
            self._open_templates -= 1
            number -= min(number, len(self._out[template.position]))
            # Templates in more others are removed: their text would be copied for each of these.
            text = None
            if self._open_templates < MAX_NESTED and self._out[template.position] == "{{":
                text = template_text(self._out[template.position + 1 :], removed=_REMOVED)
            del self._out[template.position :]
            self._out.append(_REMOVED if text is None else text)
        self._out.append("}" * number)

    def _close_bracket(self, mark: str) -> int:
        """Handle ``]`` or ``]]``, and return how many of the brackets it used."""
        if self._innermost == "[":
            self._stack.pop()
            return 1
        if mark == "]]" and self._innermost == "[[":
            self._close_link(self._stack.pop())
        else:
            self._out.append(mark)
        return len(mark)

    def _close_link(self, link: _OpenMarkup) -> None:
        out, label = self._out, link.label
        if self._innermost == "[[" and self._stack[-1].label is None:
            self._stack[-1].is_broken = True
        target = "" if link.is_broken else "".join(out[link.position + 1 : label and label - 1])
        target = target.replace(_REMOVED, "").strip()
        namespace, colon, _ = target.partition(":")
        if not target or "\n" in target:
            out.append("]]")
        elif colon and (
            namespace.strip().lower() in self._media_namespaces or _is_language(namespace)
        ):
            del out[link.position :]
            out.append(_REMOVED)
        elif label is None or (len(out) == label + 1 and not out[label]):
            out[link.position :] = [target.removeprefix(":")]
        else:
            out[link.position : label] = [""] * (label - link.position)


def _verbatim(content: str) -> str:
    """Guard text so that none of its quotes, headings and line beginnings is taken for markup."""
    guarded = re.sub("['=\n]", lambda mark: mark[0] + _VERBATIM, content)
    return _VERBATIM + guarded


class _LineWriter:
    """Handles the markup of lines: text and headings stay, lists become items, rows lines."""

    def __init__(self) -> None:
        self._written: list[str] = []
        self._ends_blank = True
        self._open_tables = 0
        self._cells: list[tuple[str, list[str]]] = []
        """Attributes and lines of each cell of the current row."""
        self._spans = RowSpans()
        self._headings: list[Heading] = []
        self._length = 0

    def add(self, line: str) -> None:
        """Handle one line with its line end."""
        body = line.rstrip("\r\n")
        content, line_end = _without_line_markup(body), line[len(body) :]
        trimmed = content.strip().strip(BOM).strip()
        if self._open_tables and parse_heading(trimmed, Span(0, 0)):
            self._end_row()
            self._open_tables = 0
        if trimmed.startswith("{|"):
            self._end_row()
            self._spans.end_group()
            self._open_tables += 1
        elif self._open_tables:
            self._add_in_table(trimmed, line_end)
        elif trimmed or body == content:
            self._write(content, line_end)
        elif not self._ends_blank:
            self._write("", line_end)

    def finish(self) -> tuple[str, list[Heading]]:
        """Return the text of all lines, and its headings."""
        self._end_row()
        return "".join(self._written), self._headings

    def _add_in_table(self, line: str, line_end: str) -> None:
        if line.startswith("|}"):
            self._end_row()
            self._open_tables -= 1
            if line[2:].strip():
                self._write(line[2:].strip(), line_end)
        elif line.startswith(("|-", "|+")):
            self._end_row()
            caption = _split_attributes(line[2:])[1]
            if line.startswith("|+") and caption:
                self._write(caption, line_end)
        elif line.startswith(("|", "!")):
            cells = _CELL_SEPARATOR[line[0]].split(line[1:])
            self._cells += [(a, [text]) for a, text in map(_split_attributes, cells)]
        elif self._cells:
            self._cells[-1][1].append(line)
        elif line:
            self._write(line, line_end)

    def _end_row(self) -> None:
        cells = [
            Cell(" ".join(part for part in parts if part), *_span(attributes))
            for attributes, parts in self._cells
        ]
        self._cells = []
        row = row_line(self._spans.row(cells)) if cells else ""
        if row:
            self._write(row, "\n")

    def _write(self, content: str, line_end: str) -> None:
        line = (content + line_end).replace(_REMOVED, "").replace(_VERBATIM, "")
        line = _ENTITY.sub(lambda entity: html.unescape(entity[0]), line)
        start, self._length = self._length, self._length + len(line)
        self._written.append(line)
        self._ends_blank = not content.strip()
        if content.lstrip().lstrip(BOM).lstrip().startswith("="):
            trimmed = content.strip().strip(BOM).strip()
            span = Span(start, self._length)
            if parse_heading(trimmed, span):
                heading = parse_heading(line.strip().strip(BOM).strip(), span)
                self._headings += [heading] if heading else []


def _split_attributes(cell: str) -> tuple[str, str]:
    """``width=1 | Text`` → ``width=1 |`` and ``Text``."""
    attributes = _ATTRIBUTES.match(cell)
    end = attributes.end() if attributes else 0
    return cell[:end], cell[end:].strip()


def _span(attributes: str) -> tuple[int, int]:
    """Return how many columns and rows a cell spans."""
    values = {name.lower(): value for name, value in _SPAN.findall(attributes)}
    return span_size(values.get("colspan"), values.get("rowspan"))


def _without_line_markup(body: str) -> str:
    """Remove bold and italic quotes, list marks, and the gaps where markup was removed."""
    content = _without_quotes(body)
    if _REMOVED in content:
        content = _EMPTY_PARENTHESES.sub("", content).replace(_REMOVED, "")
        content = re.sub(" {2,}", " ", content).strip(" \t")
    marks = _LIST_MARKS.match(content)
    if marks:
        prefix = "- " if "*" in marks[0] or "#" in marks[0] else ""
        item = content[marks.end() :]
        return prefix + item if item.strip() else ""
    return "" if _RULE.match(content) else content


def _without_quotes(content: str) -> str:
    """Remove the quotes of ``''italic''`` and ``'''bold'''``; a fourth or sixth one is text."""
    runs = list(_QUOTES.finditer(content))
    if not runs:
        return content
    sizes = [len(run[0]) for run in runs]
    apostrophes = ["'" if size == 4 else "'" * max(0, size - 5) for size in sizes]
    bold = sum(size != 2 for size in sizes)
    italic = sum(size == 2 or size >= 5 for size in sizes)
    if bold % 2 and italic % 2:
        # l'''avion'' is an apostrophe and italics. The bold mark that is most likely one follows
        # an elided word.
        candidates = [index for index, size in enumerate(sizes) if size in (3, 4)]
        if candidates:
            best = min(candidates, key=lambda index: _elision_rank(content, runs[index].start()))
            apostrophes[best] += "'"
    replacements = iter(apostrophes)
    return _QUOTES.sub(lambda _: next(replacements), content)


def _elision_rank(content: str, offset: int) -> int:
    """Return 0 after a word of one letter, 1 after a longer word, 2 after a space."""
    if offset == 0 or content[offset - 1] == " ":
        return 2
    return 0 if content[max(0, offset - 2)] == " " or offset == 1 else 1


def _is_language(prefix: str) -> bool:
    """Whether a prefix leads to the page of another language."""
    return primary_language(prefix) == prefix or prefix in _WIKIPEDIAS
