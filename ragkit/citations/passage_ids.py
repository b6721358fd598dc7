"""The id of a passage, ``DOCUMENT#START-END``: stable while its document does not change."""

from __future__ import annotations

import re

from ragkit.errors import InputError
from ragkit.text.spans import Span

__all__ = ["format_passage_id", "parse_passage_id"]

_PASSAGE_ID = re.compile(r"(?P<document>.+)#(?P<start>\d{1,12})-(?P<end>\d{1,12})", re.DOTALL)


def format_passage_id(document_id: str, span: Span) -> str:
    """Return the id of the passage at ``span`` of a document."""
    return f"{document_id}#{span.start}-{span.end}"


def parse_passage_id(passage_id: str) -> tuple[str, Span]:
    """Return the document's id and the span that a passage's id names.

    Raises:
        InputError: it has another form.

    Example:
        >>> parse_passage_id("minutes#2#120-480")
        ('minutes#2', Span(start=120, end=480))

    """
    match = _PASSAGE_ID.fullmatch(passage_id)
    if match is None:
        raise InputError(f"{passage_id!r} is not a passage id; expected 'document#start-end'.")
    return match["document"], Span(int(match["start"]), int(match["end"]))
