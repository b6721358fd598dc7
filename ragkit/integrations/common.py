"""Helpers of the adapters: a passage's metadata, the error for a missing framework."""

from __future__ import annotations

from typing import Any

from ragkit.answering.answer import Answer, Passage

__all__ = ["passage_metadata"]


def passage_metadata(passage: Passage, answer: Answer) -> dict[str, Any]:
    """Return a passage's citation and scores as a flat, JSON-ready dictionary.

    ``start`` and ``end`` count code points of the document's text; ``score`` and ``confidence`` are
    higher for better.
    """
    citation = passage.citation
    return {
        "document_id": citation.document_id,
        "title": citation.title,
        "section": " › ".join(citation.section),
        "start": citation.start,
        "end": citation.end,
        "url": citation.url or "",
        "rank": passage.rank,
        "score": passage.score,
        "highlight": " … ".join(passage.quote(span) for span in passage.highlights),
        "answered": answer.answered,
        "short": answer.short.quote if answer.short else "",
        "confidence": answer.confidence,
    }
