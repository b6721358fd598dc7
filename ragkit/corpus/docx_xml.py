"""Prepares the XML of a DOCX for mammoth, which knows neither outline levels nor equations.

Headings get a style that says their level, hidden text is removed, equations become text, and a
note stands after the paragraph that refers to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ragkit.corpus.docx_styles import TITLE, Styles, child, heading_level, is_on, value
from ragkit.corpus.omml import linear_text, local_name

__all__ = ["HEADING_STYLE", "prepare"]

HEADING_STYLE = "RagkitHeading"
"""Id of the styles of headings, without the number of their level."""
_PART = re.compile(r"(?:.*/)?(document|footnotes|endnotes|styles)\d*\.xml", re.IGNORECASE)
_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes"}
_MAX_LEVEL = 6


def prepare(parts: Mapping[str, bytes]) -> tuple[dict[str, bytes], bool]:
    """Return the parts of a document, prepared, and whether a paragraph is its title.

    Args:
        parts: content of each part, by name.

    Raises:
        ParseError: a part is not well-formed.
        RecursionError: elements are nested too deeply.

    """
    names = {
        match[1].lower(): name for name in parts if (match := _PART.fullmatch(name)) is not None
    }
    roots = {kind: ElementTree.fromstring(parts[name]) for kind, name in names.items()}  # noqa: S314 - no DOCTYPE, hence no entities
    if "document" not in roots:
        return dict(parts), False
    preparation = _Preparation(roots)
    prepared = {
        names[kind]: ElementTree.tostring(root, encoding="utf-8")
        for kind, root in roots.items()
        if kind != "styles"
    }
    return {**parts, **prepared}, preparation.has_title


class _Preparation:
    """Changes the trees in place.

    Attributes:
        has_title: whether a paragraph has the style of the title.

    """

    def __init__(self, roots: Mapping[str, Element]) -> None:
        self._styles = Styles(roots.get("styles"))
        self._notes = {
            kind: {_id(note): note for note in root}
            for kind, root in roots.items()
            if kind in _NOTES.values()
        }
        self._note_count = 0
        for kind in ("footnotes", "endnotes", "document"):
            if kind in roots:
                self._remove_hidden(roots[kind])
                _replace_equations(roots[kind])
        document = roots["document"]
        self._add_notes(document)
        self.has_title = self._mark_headings(document)

    def _remove_hidden(self, root: Element) -> None:
        for parent in list(root.iter()):
            for run in [one for one in parent if local_name(one.tag) == "r"]:
                paragraph_style = value(child(parent, "pPr", "pStyle"))
                if self._is_hidden(run, paragraph_style):
                    parent.remove(run)

    def _is_hidden(self, run: Element, paragraph_style: str | None) -> bool:
        vanish = child(run, "rPr", "vanish")
        if vanish is not None:
            return is_on(vanish)
        style = value(child(run, "rPr", "rStyle"))
        return self._styles.is_hidden(style) or self._styles.is_hidden(paragraph_style)

    def _add_notes(self, document: Element) -> None:
        """Put the text of each note after the paragraph that refers to it."""
        for parent in list(document.iter()):
            paragraphs = [one for one in parent if local_name(one.tag) == "p"]
            for paragraph in paragraphs:
                notes = list(self._notes_of(paragraph))
                if notes:
                    place = list(parent).index(paragraph) + 1
                    parent[place:place] = notes

    def _notes_of(self, paragraph: Element) -> Iterator[Element]:
        """Yield the paragraphs of a paragraph's notes, and number its references."""
        for run in list(paragraph.iter()):
            for reference in [one for one in run if local_name(one.tag) in _NOTES]:
                kind = _NOTES[local_name(reference.tag)]
                note = self._notes.get(kind, {}).pop(_id(reference), None)
                if note is None:
                    continue
                self._note_count += 1
                label = f"[{self._note_count}]"
                _become_text(reference, label)
                paragraphs = [one for one in note if local_name(one.tag) == "p"]
                for first in paragraphs[:1]:
                    _put_first(first, f"{label} ")
                yield from paragraphs

    def _mark_headings(self, document: Element) -> bool:
        """Give each heading the style of its level; return whether the first is a title."""
        headings = [
            (paragraph, level)
            for paragraph in document.iter()
            if local_name(paragraph.tag) == "p" and (level := self._level(paragraph)) is not None
        ]
        title = next((paragraph for paragraph, level in headings if level == TITLE), None)
        for paragraph, level in headings:
            marked = 1 if paragraph is title else max(level, 1) + (title is not None)
            _set_style(paragraph, f"{HEADING_STYLE}{min(marked, _MAX_LEVEL)}")
        return title is not None

    def _level(self, paragraph: Element) -> int | None:
        own = value(child(paragraph, "pPr", "outlineLvl"))
        if own is not None:
            return heading_level(own)
        return self._styles.level(value(child(paragraph, "pPr", "pStyle")))


def _id(element: Element) -> str:
    return next((text for name, text in element.items() if local_name(name) == "id"), "")


def _replace_equations(root: Element) -> None:
    for parent in list(root.iter()):
        for equation in [one for one in parent if local_name(one.tag) == "oMath"]:
            text = " ".join(linear_text(equation).split())
            equation.clear()
            equation.tag = f"{_namespace(root)}r"
            _add_text(equation, text)
    for paragraph in list(root.iter()):  # an equation on a line of its own is a group of them
        if local_name(paragraph.tag) == "oMathPara":
            runs = [one for one in paragraph if local_name(one.tag) == "r"]
            paragraph.clear()
            paragraph.tag = f"{_namespace(root)}ins"  # which groups runs, too
            paragraph.extend(runs)


def _namespace(element: Element) -> str:
    return element.tag.rpartition("}")[0] + "}" if "}" in element.tag else ""


def _add_text(run: Element, text: str) -> None:
    added = ElementTree.SubElement(run, f"{_namespace(run)}t")
    added.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    added.text = text


def _become_text(element: Element, text: str) -> None:
    element.tag = f"{_namespace(element)}t"
    element.clear()
    element.text = text


def _put_first(paragraph: Element, text: str) -> None:
    run = Element(f"{_namespace(paragraph)}r")
    _add_text(run, text)
    paragraph.insert(1 if child(paragraph, "pPr") is not None else 0, run)


def _set_style(paragraph: Element, style: str) -> None:
    properties = child(paragraph, "pPr")
    namespace = _namespace(paragraph)
    if properties is None:
        properties = Element(f"{namespace}pPr")
        paragraph.insert(0, properties)
    for name in ("pStyle", "numPr"):  # mammoth takes a numbered heading for an item of a list
        old = child(properties, name)
        if old is not None:
            properties.remove(old)
    added = Element(f"{namespace}pStyle", {f"{namespace}val": style})
    properties.insert(0, added)
