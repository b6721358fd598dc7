"""What the styles of a DOCX say about its paragraphs: headings, the title, and hidden text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element  # only a type: the tree is parsed elsewhere

from ragkit.corpus.omml import local_name

__all__ = ["TITLE", "Styles", "child", "heading_level", "is_on", "value"]

TITLE = 0
"""Level of the title's style."""
_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_FALSE = ("0", "false", "off")
_MAX_DEPTH = 20
"""Styles based on each other that are followed; Word allows 11."""


def child(element: Element | None, *names: str) -> Element | None:
    """Return a child of an element, or a child of that, and so on; None if there is none."""
    for name in names:
        if element is not None:
            element = next((one for one in element if local_name(one.tag) == name), None)
    return element


def value(element: Element | None) -> str | None:
    """Return the attribute ``w:val``."""
    if element is None:
        return None
    return next((text for name, text in element.items() if local_name(name) == "val"), None)


def is_on(element: Element | None) -> bool:
    """Return whether a property such as ``<w:vanish/>`` is present and not switched off."""
    return element is not None and (value(element) or "1").lower() not in _FALSE


@dataclass(frozen=True, slots=True)
class _Style:
    name: str
    based_on: str | None
    outline_level: str | None
    vanish: Element | None


class Styles:
    """The styles of a document, by id.

    Args:
        root: the part that defines them; None if there is none.

    """

    def __init__(self, root: Element | None) -> None:
        self._styles: Mapping[str, _Style] = {
            _attribute(one, "styleId"): _Style(
                name=value(child(one, "name")) or "",
                based_on=value(child(one, "basedOn")),
                outline_level=value(child(one, "pPr", "outlineLvl")),
                vanish=child(one, "rPr", "vanish"),
            )
            for one in (() if root is None else root)
            if local_name(one.tag) == "style"
        }

    def level(self, style_id: str | None) -> int | None:
        """Return the level from 1 of a heading's style, TITLE, or None for any other."""
        for style in self._chain(style_id):
            if style.outline_level is not None:
                return heading_level(style.outline_level)
            heading = _HEADING.fullmatch(style.name)
            if heading:
                return int(heading[1])
            if style.name.lower() == "title":
                return TITLE
        return None

    def is_hidden(self, style_id: str | None) -> bool:
        """Return whether text in a style is hidden."""
        vanish = (style.vanish for style in self._chain(style_id) if style.vanish is not None)
        return is_on(next(vanish, None))

    def _chain(self, style_id: str | None) -> Iterator[_Style]:
        """Yield a style and those it is based on."""
        for _ in range(_MAX_DEPTH):
            style = self._styles.get(style_id or "")
            if style is None:
                return
            yield style
            style_id = style.based_on


def heading_level(outline_level: str) -> int | None:
    """Return the level from 1 that ``w:outlineLvl`` sets; None for text, which is 9."""
    return int(outline_level) + 1 if outline_level in tuple("012345678") else None


def _attribute(element: Element, name: str) -> str:
    return next((text for key, text in element.items() if local_name(key) == name), "")
