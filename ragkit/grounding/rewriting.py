"""A language model that makes a follow-up question stand alone."""

from __future__ import annotations

from collections.abc import Sequence

from ragkit.grounding.model import LanguageModel, Message

__all__ = ["rewritten"]

INSTRUCTIONS = """Rewrite the last question of a conversation so that it can be understood without \
the questions before it: put in what its pronouns and its gaps stand for. Change nothing else, and \
do not answer it. Reply with the question only."""

MAX_CHARACTERS = 400


def rewritten(model: LanguageModel, before: Sequence[str], question: str) -> str | None:
    """``question`` made to stand alone behind the questions ``before`` it, oldest first.

    None if the model's reply is not one line of usable length. Raises LanguageModelError.
    """
    asked = "\n".join(f"- {one}" for one in before)
    messages: list[Message] = [
        {"role": "system", "content": INSTRUCTIONS},
        {"role": "user", "content": f"Questions before:\n{asked}\n\nLast question: {question}"},
    ]
    pieces = list(model.stream(messages))
    reply = "".join(piece.text for piece in pieces).strip().strip('"“”')
    fine = pieces and pieces[-1].finish == "stop"
    return reply if fine and 0 < len(reply) <= MAX_CHARACTERS and "\n" not in reply else None
