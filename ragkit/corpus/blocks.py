"""The stored text of a format with markup, written block by block."""

from __future__ import annotations

from ragkit.corpus.headings import TITLE, Heading

__all__ = ["Blocks"]


class Blocks:
    """Paragraphs parted by a blank line; blocks of one ``group``, such as a list, by a line end."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._group: int | None = None
        self.headings: list[Heading] = []

    def add(self, text: str, group: int | None = None) -> None:
        """A block of visible text."""
        if self._parts:
            self._write("\n" if group is not None and group == self._group else "\n\n")
        self._write(text)
        self._group = group

    def heading(self, level: int, title: str) -> None:
        """A heading, on a line of its own that belongs to no section."""
        self.add(title)
        self.headings.append(Heading(level, title, self._length - len(title), self._length))

    def border(self) -> None:
        """What follows stands under none of the headings before."""
        self.headings.append(Heading(TITLE, "", self._length, self._length))
        self._group = None

    def text(self) -> str:
        """All that was written."""
        return "".join(self._parts)

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
