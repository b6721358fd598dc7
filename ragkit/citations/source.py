"""Protocols of the documents and citations that this package works on.

``ragkit.types.Document`` and ``Citation`` satisfy them. ``types`` imports this package, so this
package must not import ``types``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ragkit.text.spans import Span

__all__ = ["Quotation", "SourceDocument", "SourceSection"]


class SourceSection(Protocol):
    """A section's heading path and the span of its body."""

    @property
    def path(self) -> tuple[str, ...]: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


class SourceDocument(Protocol):
    """The document that a citation claims to quote."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def url(self) -> str | None: ...
    @property
    def sections(self) -> Sequence[SourceSection]: ...
    def page_at(self, offset: int) -> int | None:
        """The page, from 1, that a code point is on; None if the source has no pages."""
        ...


class Quotation(Protocol):
    """What a citation claims: that a document has ``quote`` at ``span``."""

    @property
    def document_id(self) -> str: ...
    @property
    def section(self) -> tuple[str, ...]: ...
    @property
    def quote(self) -> str: ...
    @property
    def url(self) -> str | None: ...
    @property
    def span(self) -> Span: ...
