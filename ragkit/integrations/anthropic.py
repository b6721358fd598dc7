"""Convert passages to Anthropic ``search_result`` blocks, which Anthropic's models cite.

Example:
    >>> answer = ragkit.ask("Who signed the Treaty of Rapallo?")  # doctest: +SKIP
    >>> question = {"type": "text", "text": answer.question}  # doctest: +SKIP
    >>> content = [*search_results(answer), question]  # doctest: +SKIP
    >>> messages = [{"role": "user", "content": content}]  # doctest: +SKIP
    >>> client.messages.create(model=…, messages=messages)  # doctest: +SKIP

"""

from __future__ import annotations

from typing import Any

from ragkit.answering.answer import Answer

__all__ = ["search_results"]


def search_results(answer: Answer) -> list[dict[str, Any]]:
    """Return one block a passage, best first.

    ``source`` is the document's URL, or the document's id and the passage's first code point.
    """
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
