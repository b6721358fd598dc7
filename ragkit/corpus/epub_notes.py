"""Footnotes of an EPUB: each is put after the paragraph that refers to it, wherever it is written.

https://www.w3.org/TR/epub-33/#sec-epub-type-attribute; in EPUB 2, which has no such types, a link
in superscript is a reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ragkit.corpus.epub_toc import resolved
from ragkit.corpus.html_elements import VOID, Attributes, Token, types_of

__all__ = ["with_notes"]

_REFERENCES = frozenset({"noteref", "doc-noteref"})
_BACK = frozenset({"backlink", "doc-backlink"})
_HOLDERS = frozenset("aside li p div section dd td".split())
"""Elements that may be a note."""
_BLOCKS = frozenset("p li dd dt td th h1 h2 h3 h4 h5 h6 blockquote figcaption pre div".split())
"""Elements after which the notes stand that they refer to."""
_MAX_MARK = 5
"""Characters of the mark of a note in superscript, with brackets."""
_BACK_SIGNS = frozenset("↩ ↩︎ ↵ ⏎ ↑ ⤴ ^ ←".split())
_MAX_NOTE_TOKENS = 2_000

_Target = tuple[str, str]
"""A page, and the id of an element on it."""


class _Reference(NamedTuple):
    """A link to a note: the first and the last of its tokens, its mark, and its target."""

    first: int
    last: int
    mark: str
    target: _Target


def with_notes(pages: Mapping[str, Sequence[Token]]) -> dict[str, list[Token]]:
    """Return the tokens of each page with notes moved to where they are referred to.

    A mark is in brackets, as in ``at dawn[1]``, and in front of its note, too.
    """
    references = {name: list(_references(tokens, name)) for name, tokens in pages.items()}
    targets = {reference.target for own in references.values() for reference in own}
    spans = {
        (name, anchor): (name, span)
        for name, tokens in pages.items()
        for anchor, span in _elements(tokens, {a for page, a in targets if page == name})
    }
    moved: dict[_Target, list[Token]] = {}
    for own in references.values():
        for reference in own:
            if reference.target in spans and reference.target not in moved:
                name, (first, last) = spans[reference.target]
                moved[reference.target] = _note(pages[name][first : last + 1], reference.mark)
    removed: dict[str, set[int]] = {}
    for target in moved:
        name, (first, last) = spans[target]
        removed.setdefault(name, set()).update(range(first, last + 1))
    placed: set[_Target] = set()
    return {
        name: list(_page(tokens, references[name], moved, removed.get(name, set()), placed))
        for name, tokens in pages.items()
    }


def _references(tokens: Sequence[Token], name: str) -> Iterator[_Reference]:
    raised = 0
    link: tuple[int, Attributes, bool] | None = None
    words: list[str] = []
    for number, (kind, content, attributes) in enumerate(tokens):
        if kind == "text":
            words.append(content)
        elif content == "sup":
            raised += 1 if kind == "start" else -1
            if link:
                link = (link[0], link[1], True)
        elif content == "a" and kind == "start":
            link, words = (number, attributes, raised > 0), []
        elif content == "a" and link:
            mark = "".join("".join(words).split())
            first, link_attributes, is_raised = link
            link = None
            target = resolved(link_attributes.get("href") or "", name)
            is_named = bool(types_of(link_attributes) & _REFERENCES)
            if mark and target[1] and (is_named or (is_raised and len(mark) <= _MAX_MARK)):
                yield _Reference(first, number, mark.strip("[]()"), target)


def _elements(tokens: Sequence[Token], anchors: set[str]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield where the elements with these ids begin and end; of a mark, the element around it."""
    if not anchors:
        return
    open_elements: list[tuple[str, int, list[str]]] = []
    for number, (kind, content, attributes) in enumerate(tokens):
        if kind == "start":
            own = [anchor for anchor in (attributes.get("id"),) if anchor in anchors]
            if content not in VOID:
                open_elements.append((content, number, [a for a in own if a]))
        elif kind == "end" and any(name == content for name, _, _ in open_elements):
            while True:
                name, first, ids = open_elements.pop()
                if name in _HOLDERS and number - first <= _MAX_NOTE_TOKENS:
                    yield from ((anchor, (first, number)) for anchor in ids)
                elif open_elements:
                    open_elements[-1][2].extend(ids)
                if name == content:
                    break


def _note(tokens: Sequence[Token], mark: str) -> list[Token]:
    """Return a note as blocks of its own, with its mark once and without links back."""
    inside = list(_without_links_back(tokens[1:-1]))
    words = [n for n, token in enumerate(inside) if token[0] == "text" and token[1].strip()]
    if not words:
        return []
    first = words[0]
    text = inside[first][1].lstrip()
    bare = text.lstrip("[(")
    rest = bare[len(mark) :] if bare.startswith(mark) else None
    if rest is not None and not rest[:1].isalnum():
        text = rest.lstrip(")].: \u00a0")
    inside[first] = ("text", f"[{mark}] {text}", {})
    return [("start", "div", {}), *inside, ("end", "div", {})]


def _without_links_back(tokens: Sequence[Token]) -> Iterator[Token]:
    held: list[Token] | None = None
    for token in tokens:
        kind, content, _ = token
        if held is None and kind == "start" and content == "a":
            held = [token]
        elif held is None:
            yield token
        else:
            held.append(token)
            if kind == "end" and content == "a":
                text = "".join(one[1] for one in held if one[0] == "text").strip()
                is_back = types_of(held[0][2]) & _BACK or text in _BACK_SIGNS
                yield from [] if is_back else held
                held = None
    yield from held or []


def _page(
    tokens: Sequence[Token],
    references: Sequence[_Reference],
    moved: Mapping[_Target, Sequence[Token]],
    removed: set[int],
    placed: set[_Target],
) -> Iterator[Token]:
    """Yield the tokens of a page with marks in brackets, and its notes where they now stand."""
    links = {number: one for one in references for number in range(one.first, one.last + 1)}
    waiting: list[_Target] = []
    open_blocks: list[str] = []
    for number, token in enumerate(tokens):
        if number in removed:
            continue
        reference = links.get(number)
        if reference:
            if number == reference.first:
                yield ("text", f"[{reference.mark}]", {})
                if reference.target in moved and reference.target not in placed:
                    placed.add(reference.target)
                    waiting.append(reference.target)
            continue
        yield token
        kind, content, _ = token
        if kind == "start" and content in _BLOCKS:
            open_blocks.append(content)
        elif kind == "end" and content in open_blocks:
            while open_blocks.pop() != content:
                pass
            while waiting:
                yield from moved[waiting.pop(0)]
    for target in waiting:
        yield from moved[target]
