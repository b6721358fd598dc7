"""Builds the text of a document from the blocks of a format with markup."""

from __future__ import annotations

from ragkit.corpus.headings import TITLE_LEVEL, Heading

__all__ = ["TextBuilder"]


class TextBuilder:
    """Joins blocks: by a blank line, or by a line end inside a group such as a list.

    Attributes:
        headings: the headings so far, with their spans in the text.

    """

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self._parts: list[str] = []
        self._length = 0
        self._group: int | None = None

    def add_block(self, text: str, group: int | None = None) -> None:
        """Append a block of visible text; ``group``: number of the group that it is part of."""
        if self._parts:
            self._append("\n" if group is not None and group == self._group else "\n\n")
        self._append(text)
        self._group = group

    def add_heading(self, level: int, title: str) -> None:
        """Append a heading as a block of its own."""
        self.add_block(title)
        self.headings.append(Heading(level, title, self._length - len(title), self._length))

    def close_sections(self) -> None:
        """Put all that follows outside the sections so far, for instance at a new page."""
        self.headings.append(Heading(TITLE_LEVEL, "", self._length, self._length))
        self._group = None

    def text(self) -> str:
        """Return all blocks joined."""
        return "".join(self._parts)

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
