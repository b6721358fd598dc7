"""MediaWiki text → the text a reader sees, with its ``== heading ==`` lines kept.

One pass over the marks with a stack, then one over the lines: linear, whatever is left unclosed.
Links become their labels; templates, references, files, categories, comments and tags are left
out; a table's row is a line, a list's item is ``- item``. A line without marks stays as it is.
Grammar: https://www.mediawiki.org/wiki/Help:Formatting, …/Help:Links, …/Help:Tables and
https://www.mediawiki.org/wiki/Preprocessor_ABNF.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.base import Read
from ragkit.corpus.decoding import decode, read_whole, refuse_unusable
from ragkit.corpus.headings import BOM
from ragkit.corpus.wikitext import heading_in, parse_sections, parse_title
from ragkit.text.lines import lines
from ragkit.text.spans import Span

__all__ = ["MEDIA", "read", "stored_text"]

MEDIA = frozenset({"file", "image", "media", "category"})
"""Prefixes of links that are no text: shown pictures and categories."""

# A source holds no NUL, so these cannot be met in it: what was left out here; here begins or goes
# on what is to be taken as it stands.
_LEFT_OUT, _AS_IT_IS = "\0d", "\0n"

# Their content is not read as wikitext; it is text all the same, or it is not.
_KEPT_TAGS = frozenset("nowiki pre syntaxhighlight source math chem".split())
_DROPPED_TAGS = frozenset(
    "ref references gallery timeline score imagemap graph templatestyles templatedata mapframe "
    "maplink indicator hiero inputbox categorytree dynamicpagelist style".split()
)
_PLAIN_TAGS = frozenset(
    "abbr b bdi bdo big blockquote br caption center cite code col colgroup data dd del dfn div dl "
    "dt em font h1 h2 h3 h4 h5 h6 hr i includeonly ins kbd li mark noinclude ol onlyinclude p poem "
    "q rb rp rt rtc ruby s samp section small span strike strong sub sup table tbody td tfoot th "
    "thead time tr tt u ul var wbr".split()
)
_MARK = re.compile(
    r"<!--|</?(?P<tag>[a-zA-Z][a-zA-Z0-9]*+)(?=[\s/>])[^<>]*+>"
    r"|\{{2,}+|\}{2,}+|\[\[|\]\]?|\|"
    r"|\[(?:(?:https?:|ftp:)?//|mailto:)[^\s\[\]]++(?=[^\[\]\n]*+\])[ \t]*+"
    r"|__[A-Z]{3,}?__"
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_QUOTES = re.compile("'{2,}")
_EMPTIED = re.compile(rf" ?\([,;\s]*+(?:{_LEFT_OUT}[,;\s]*+)++\)")
_ATTRIBUTES = re.compile(r"[^|\[\]=]*+=[^|\[\]]*+\|(?!\|)")
_CELL_BORDER = {"|": re.compile(r"\|\|"), "!": re.compile(r"\|\||!!")}
_LIST_MARKS = re.compile(r"[*#:;]+[ \t]*")
_RULE = re.compile(r"-{4,}\s*\Z")


def read(file: BinaryIO, path: Path) -> Iterator[Read]:
    """One document."""
    text = stored_text(decode(read_whole(file, str(path)), str(path)))
    refuse_unusable(text, f"{path}, without its markup,")
    yield Read(text, parse_sections(text), title=parse_title(text))


def stored_text(source: str, media: Set[str] = MEDIA) -> str:
    """The text of a page. ``media``: the namespaces, lower case, whose links are no text."""
    marked = _Marks(source, media).resolved()
    page = _Lines()
    for line in lines(marked):
        page.add(marked[line.start : line.end])
    text = page.text().replace(_LEFT_OUT, "").replace(_AS_IT_IS, "")
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text)


@dataclass(slots=True)
class _Frame:
    """Something open: ``{`` a template, ``[[`` a link, ``[`` an address with a label."""

    kind: str
    at: int
    """Which piece of the output is its opening mark."""
    label: int | None = None
    """Which piece begins a link's label."""
    broken: bool = False
    """A link inside a link's target: so it is no link."""


class _Marks:
    """Pieces of output, and a stack of what is open; each piece is taken back at most once."""

    def __init__(self, source: str, media: Set[str]) -> None:
        self._source = source
        self._media = media
        self._out: list[str] = []
        self._stack: list[_Frame] = []
        self._braces = 0
        self._never_closed: set[str] = set()

    def resolved(self) -> str:
        at = 0
        while mark := _MARK.search(self._source, at):
            self._out.append(self._source[at : mark.start()])
            at = self._mark(mark)
        self._out.append(self._source[at:])
        return "".join(self._out)

    def _mark(self, mark: re.Match[str]) -> int:
        """Take one mark; where to go on reading."""
        said = mark[0]
        if said == "<!--":
            self._out.append(_LEFT_OUT)
            end = self._source.find("-->", mark.end())
            return len(self._source) if end < 0 else end + 3
        if said.startswith("<"):
            return self._tag(mark)
        if said.startswith("{"):
            self._open_braces(len(said))
        elif said.startswith("}"):
            self._close_braces(len(said))
        elif said.startswith("]"):
            return mark.start() + self._close_bracket(said)
        elif said.startswith("["):
            self._stack.append(_Frame(said[:2] if said == "[[" else "[", len(self._out)))
            self._out.append(said if said == "[[" else _LEFT_OUT)
        elif said.startswith("__"):
            self._out.append(_LEFT_OUT)
        else:
            self._out.append(said)
            if self._top == "[[" and self._stack[-1].label is None:
                self._stack[-1].label = len(self._out)
        return mark.end()

    @property
    def _top(self) -> str:
        return self._stack[-1].kind if self._stack else ""

    def _tag(self, mark: re.Match[str]) -> int:
        name, said = mark["tag"].lower(), mark[0]
        if name not in _KEPT_TAGS | _DROPPED_TAGS | _PLAIN_TAGS:
            self._out.append("<")
            return mark.start() + 1
        opens = not said.startswith("</") and not said.endswith("/>")
        closing = self._closing(name, mark.end()) if opens and name not in _PLAIN_TAGS else None
        if closing and name in _KEPT_TAGS:
            self._out.append(_as_it_is(self._source[mark.end() : closing.start()]))
        else:
            self._out.append("\n" if name == "br" else _LEFT_OUT)
        return closing.end() if closing else mark.end()

    def _closing(self, name: str, at: int) -> re.Match[str] | None:
        # Once it was looked for in vain, there is none further on either.
        if name in self._never_closed:
            return None
        found = re.compile(rf"</{name}\s*+>", re.IGNORECASE).search(self._source, at)
        if found is None:
            self._never_closed.add(name)
        return found

    def _open_braces(self, number: int) -> None:
        while number >= 2:
            size = 3 if number == 3 else 2
            self._stack.append(_Frame("{", len(self._out)))
            self._out.append("{" * size)
            self._braces += 1
            number -= size

    def _close_braces(self, number: int) -> None:
        while number >= 2 and self._braces:
            while self._top != "{":
                self._stack.pop()
            frame = self._stack.pop()
            self._braces -= 1
            number -= min(number, len(self._out[frame.at]))
            # {{!}} is a bar that the template around it, if any, would not take for its own.
            bar = len(self._out) == frame.at + 2 and self._out[-1] == "!"
            del self._out[frame.at :]
            self._out.append("|" if bar else _LEFT_OUT)
        self._out.append("}" * number)

    def _close_bracket(self, said: str) -> int:
        """How many brackets of ``]`` or ``]]`` were taken."""
        if self._top == "[":
            self._stack.pop()
            return 1
        if said == "]]" and self._top == "[[":
            self._close_link(self._stack.pop())
        else:
            self._out.append(said)
        return len(said)

    def _close_link(self, link: _Frame) -> None:
        out, label = self._out, link.label
        if self._top == "[[" and self._stack[-1].label is None:
            self._stack[-1].broken = True
        target = "" if link.broken else "".join(out[link.at + 1 : label and label - 1])
        target = target.replace(_LEFT_OUT, "").strip()
        if not target or "\n" in target:
            out.append("]]")
        elif target.partition(":")[0].strip().lower() in self._media and ":" in target:
            del out[link.at :]
            out.append(_LEFT_OUT)
        elif label is None or (len(out) == label + 1 and not out[label]):
            out[link.at :] = [target.removeprefix(":")]
        else:
            out[link.at : label] = [""] * (label - link.at)


def _as_it_is(content: str) -> str:
    """Guarded, so that no quote and no line beginning in it is taken for a mark."""
    guarded = content.replace("'", f"'{_AS_IT_IS}").replace("\n", f"\n{_AS_IT_IS}")
    return _AS_IT_IS + guarded


class _Lines:
    """Line by line: headings and text as they stand, lists as items, tables as rows."""

    def __init__(self) -> None:
        self._written: list[str] = []
        self._blank = True
        self._tables = 0
        self._row: list[list[str]] = []

    def add(self, line: str) -> None:
        body = line.rstrip("\r\n")
        content, ending = _without_marks(body), line[len(body) :]
        bare = content.strip().strip(BOM).strip()
        if self._tables and heading_in(bare, Span(0, 0)):
            self._end_table(all_of_them=True)
        if bare.startswith("{|"):
            self._end_row()
            self._tables += 1
        elif self._tables:
            self._in_table(bare, ending)
        elif bare or body == content:
            self._write(content, ending)
        elif not self._blank:
            self._write("", ending)

    def text(self) -> str:
        self._end_row()
        return "".join(self._written)

    def _in_table(self, bare: str, ending: str) -> None:
        if bare.startswith("|}"):
            self._end_table()
            if bare[2:].strip():
                self._write(bare[2:].strip(), ending)
        elif bare.startswith(("|-", "|+")):
            self._end_row()
            caption = _without_attributes(bare[2:])
            if bare.startswith("|+") and caption:
                self._write(caption, ending)
        elif bare.startswith(("|", "!")):
            cells = _CELL_BORDER[bare[0]].split(bare[1:])
            self._row += [[_without_attributes(cell)] for cell in cells]
        elif self._row:
            self._row[-1].append(bare)
        elif bare:
            self._write(bare, ending)

    def _end_table(self, *, all_of_them: bool = False) -> None:
        self._end_row()
        self._tables = 0 if all_of_them else self._tables - 1

    def _end_row(self) -> None:
        cells = [" ".join(part for part in parts if part) for parts in self._row]
        self._row = []
        if any(cells):
            self._write(" | ".join(cell for cell in cells if cell), "\n")

    def _write(self, content: str, ending: str) -> None:
        self._written.append(content + ending)
        self._blank = not content.strip()


def _without_attributes(cell: str) -> str:
    """``width=1 | Text`` → ``Text``."""
    attributes = _ATTRIBUTES.match(cell)
    return cell[attributes.end() if attributes else 0 :].strip()


def _without_marks(body: str) -> str:
    """A line without quotes for bold and italic, list marks, and gaps where something was."""
    content = _without_quotes(body)
    if _LEFT_OUT in content:
        content = _EMPTIED.sub("", content).replace(_LEFT_OUT, "")
        content = re.sub(" {2,}", " ", content).strip(" \t")
    marks = _LIST_MARKS.match(content)
    if marks:
        item = "- " if "*" in marks[0] or "#" in marks[0] else ""
        rest = content[marks.end() :]
        return item + rest if rest.strip() else ""
    return "" if _RULE.match(content) else content


def _without_quotes(content: str) -> str:
    """``''italic''``, ``'''bold'''``; a fourth or sixth apostrophe is text, as MediaWiki has it."""
    runs = list(_QUOTES.finditer(content))
    if not runs:
        return content
    sizes = [len(run[0]) for run in runs]
    kept = ["'" if size == 4 else "'" * max(0, size - 5) for size in sizes]
    bold = sum(size != 2 for size in sizes)
    italic = sum(size == 2 or size >= 5 for size in sizes)
    if bold % 2 and italic % 2:
        # l'''avion'' is an apostrophe and italics: of the bold marks, the one that is
        # likeliest to follow an elided word.
        threes = [at for at, size in enumerate(sizes) if size in (3, 4)]
        if threes:
            kept[min(threes, key=lambda at: _elision(content, runs[at].start()))] += "'"
    found = iter(kept)
    return _QUOTES.sub(lambda _: next(found), content)


def _elision(content: str, at: int) -> int:
    """0 behind a word of one letter, 1 behind a longer one, 2 behind a space."""
    if at == 0 or content[at - 1] == " ":
        return 2
    return 0 if content[max(0, at - 2)] == " " or at == 1 else 1
