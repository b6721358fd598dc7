"""Passages as Anthropic ``search_result`` blocks, which its models cite by themselves.

client.messages.create(model=…, messages=[{"role": "user", "content":
[*search_results(answer), {"type": "text", "text": answer.question}]}])
"""

from __future__ import annotations

from typing import Any

from ragkit.answering.answer import Answer

__all__ = ["search_results"]


def search_results(answer: Answer) -> list[dict[str, Any]]:
    """One block a passage, best first; ``source`` is its URL, or where it stands."""
    return [
        {
            "type": "search_result",
            "source": p.citation.url or f"{p.citation.document_id}#{p.citation.start}",
            "title": p.citation.label,
            "content": [{"type": "text", "text": p.text}],
            "citations": {"enabled": True},
        }
        for p in answer.passages
    ]
