"""Small XML files, such as those that say what an archive holds, by expat.

A document type is refused where it declares entities, the means of every XML bomb.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from ragkit.errors import SourceError

__all__ = ["Element", "elements"]

_MOST = 200_000
"""What lists a book of ten thousand files has a tenth."""


@dataclass(slots=True)
class Element:
    """Local name, attributes (by local name too) and the text directly inside."""

    name: str
    attributes: Mapping[str, str]
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())


def elements(data: bytes, name: str) -> list[Element]:
    """All elements in document order. ``name`` says in an error what was read."""
    found: list[Element] = []
    open_: list[Element] = []
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(found) == _MOST:
            raise SourceError(f"{name} has more than {_MOST:,} elements; expected a short list.")
        local = {_local(key): value for key, value in attributes.items()}
        open_.append(Element(_local(tag), local))
        found.append(open_[-1])

    def characters(text: str) -> None:
        open_[-1].parts.append(text)

    def refuse(*_: object) -> None:
        raise SourceError(f"{name} declares XML entities; expected none. Remove its DOCTYPE.")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: open_.pop()
    parser.CharacterDataHandler = characters
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except SourceError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise SourceError(f"{name} is no well-formed XML: {error}. Make the file again.") from error
    return found


def _local(name: str) -> str:
    return name.rpartition(":")[2]
