"""What the adapters share: a passage's metadata, and the error for a missing framework."""

from __future__ import annotations

from typing import Any

from ragkit.answering.answer import Answer, Passage
from ragkit.errors import MissingExtraError

__all__ = ["missing_extra", "passage_id", "passage_metadata"]


def passage_id(passage: Passage) -> str:
    """Stable as long as the document is: where the passage stands."""
    citation = passage.citation
    return f"{citation.document_id}#{citation.start}-{citation.end}"


def passage_metadata(passage: Passage, answer: Answer) -> dict[str, Any]:
    """Flat enough for every framework's store. Spans count code points of the document's text."""
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
        "confidence": answer.confidence,
    }


def missing_extra(extra: str, package: str) -> MissingExtraError:
    return MissingExtraError(
        f"{package} is not installed; this adapter needs it. "
        f"Run: pip install 'ragkit-cited[{extra}]'"
    )
