"""Builds the text of a document from the blocks of a format with markup."""

from __future__ import annotations

from ragkit.corpus.headings import TITLE_LEVEL, Heading

__all__ = ["TextBuilder"]


class TextBuilder:
    """Joins blocks: by a blank line, or by a line end inside a group such as a list.

    Attributes:
        headings: the headings so far, with their spans in the text.
        marks: where in the text marked places are; those at its end once it is complete.

    """

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self.marks: dict[str, int] = {}
        self._pending_marks: list[str] = []
        self._parts: list[str] = []
        self._length = 0
        self._group: int | None = None

    def add_block(self, text: str, group: int | None = None) -> None:
        """Append a block of visible text; ``group``: number of the group that it is part of."""
        if self._parts:
            self._append("\n" if group is not None and group == self._group else "\n\n")
        self._place_marks()
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

    def end_group(self) -> None:
        """Put a blank line before the next block, though it is of the same group."""
        self._group = None

    def mark(self, name: str) -> None:
        """Mark where the next block begins; the first place of a name counts."""
        self._pending_marks.append(name)

    def text(self) -> str:
        """Return all blocks joined."""
        self._place_marks()
        return "".join(self._parts)

    def _place_marks(self) -> None:
        for name in self._pending_marks:
            self.marks.setdefault(name, self._length)
        self._pending_marks.clear()

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
