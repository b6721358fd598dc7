"""A tool for OpenAI-compatible chat APIs: its schema, and what handles a call.

response = client.chat.completions.create(model=…, messages=…, tools=[tool()])
for call in response.choices[0].message.tool_calls:
messages.append({"role": "tool", "tool_call_id": call.id,
"content": handle(call.function.arguments)})
"""

from __future__ import annotations

import json
from typing import Any

from ragkit.default import IndexLike, open_index
from ragkit.errors import InputError

__all__ = ["handle", "tool"]

MOST_PASSAGES = 20


def tool(name: str = "ask_corpus", *, about: str = "the corpus") -> dict[str, Any]:
    """The function's JSON schema, strict. ``about``: what the corpus is, for the model to know."""
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": (
                f"Ask {about} a question. Returns passages verbatim, numbered, with their sources; "
                f"`answered` is false where it does not say."
            ),
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": {
                    "question": {"type": "string", "description": "One question that stands alone."}
                },
                "required": ["question"],
                "additionalProperties": False,
            },
        },
    }


def handle(arguments: str, index: IndexLike = None, *, k: int = 5) -> str:
    """The result of one call, as JSON. ``arguments``: the call's own JSON, as the model wrote it.

    A malformed call or question gives ``{"error": …}``, for the model to do better.
    """
    try:
        question = json.loads(arguments)["question"]
        answer = open_index(index).ask(question, k=min(k, MOST_PASSAGES))
    except InputError as error:
        return json.dumps({"error": str(error)})
    except (ValueError, KeyError, TypeError):
        return json.dumps({"error": 'expected {"question": "…"}'})
    passages = [
        {
            "number": p.rank,
            "text": p.text,
            "source": p.citation.label,
            "url": p.citation.url,
            "start": p.citation.start,
            "end": p.citation.end,
        }
        for p in answer.passages
    ]
    content = {"answered": answer.answered, "answer": answer.text, "passages": passages}
    return json.dumps(content, ensure_ascii=False)
