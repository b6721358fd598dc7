"""A tool for OpenAI-compatible chat APIs: its schema, and the handler of its calls.

Example:
    >>> completions = client.chat.completions  # doctest: +SKIP
    >>> reply = completions.create(model=…, messages=messages, tools=[tool()])  # doctest: +SKIP
    >>> message = reply.choices[0].message  # doctest: +SKIP
    >>> for call in message.tool_calls:  # doctest: +SKIP
    ...     content = handle(call.function.arguments)
    ...     messages.append({"role": "tool", "tool_call_id": call.id, "content": content})

"""

from __future__ import annotations

import json
from typing import Any

from ragkit.default import IndexLike, open_index
from ragkit.errors import InputError

__all__ = ["handle", "tool"]

MAX_PASSAGES = 20


def tool(name: str = "ask_corpus", *, about: str = "the corpus") -> dict[str, Any]:
    """Return the tool's definition for ``tools=[…]``, with a strict JSON schema.

    Args:
        name: the function's name, shown to the model.
        about: what the corpus is about; tells the model when to ask.

    """
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
    """Answer one call of the tool.

    Args:
        arguments: the call's arguments, the JSON that the model wrote.
        index: as for ``ragkit.ask``.
        k: number of passages, 20 at most.

    Returns:
        JSON with ``answered``, ``answer`` and ``passages``; ``{"error": …}`` for malformed
        arguments or an unusable question, so that the model can correct its call.

    """
    try:
        question = json.loads(arguments)["question"]
        answer = open_index(index).ask(question, k=min(k, MAX_PASSAGES))
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
    content = {
        "answered": answer.answered,
        "short": answer.short.quote if answer.short else None,
        "answer": answer.text,
        "passages": passages,
    }
    return json.dumps(content, ensure_ascii=False)
