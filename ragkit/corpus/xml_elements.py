"""Parses small XML files, such as the package lists inside archives, with expat.

A DOCTYPE that declares entities is refused, since every XML bomb needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from ragkit.errors import SourceError

__all__ = ["Element", "parse_elements"]

_MAX_ELEMENTS = 200_000
"""Size limit; the package list of a 10,000-file EPUB uses a tenth of it."""


@dataclass(slots=True)
class Element:
    """An XML element.

    Attributes:
        name: local name, without a namespace prefix.
        attributes: by local name.
        parts: pieces of the text directly inside, children left out.
        depth: number of elements around it.

    """

    name: str
    attributes: Mapping[str, str]
    parts: list[str] = field(default_factory=list)
    depth: int = 0

    @property
    def text(self) -> str:
        """The text directly inside, white space collapsed."""
        return " ".join("".join(self.parts).split())


def parse_elements(data: bytes, name: str) -> list[Element]:
    """Parse XML into a flat list of its elements in document order.

    Args:
        data: the XML.
        name: what an error calls it.

    Raises:
        SourceError: the XML is not well-formed, declares entities, or has too many elements.

    """
    collector = _Collector(name)
    parser = expat.ParserCreate()
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.characters
    parser.EntityDeclHandler = collector.refuse_entity
    try:
        parser.Parse(data, True)
    except SourceError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise SourceError(
            f"{name} is not well-formed XML: {error}. Create the file again."
        ) from error
    return collector.elements


class _Collector:
    """Expat's handlers, which collect elements and hold a stack of those still open."""

    def __init__(self, name: str) -> None:
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self._name = name

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.elements) == _MAX_ELEMENTS:
            raise SourceError(
                f"{self._name} has more than {_MAX_ELEMENTS:,} elements; expected a short list."
            )
        local = {_local_name(key): value for key, value in attributes.items()}
        self._open.append(Element(_local_name(tag), local, depth=len(self._open)))
        self.elements.append(self._open[-1])

    def end(self, _: str) -> None:
        self._open.pop()

    def characters(self, text: str) -> None:
        self._open[-1].parts.append(text)

    def refuse_entity(self, *_: object) -> None:
        raise SourceError(f"{self._name} declares XML entities; expected none. Remove its DOCTYPE.")


def _local_name(name: str) -> str:
    return name.rpartition(":")[2]
