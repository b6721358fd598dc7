"""Load a talk that was saved: the turns of its conversation, and its answers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ragkit.answering.answer import Answer
from ragkit.answering.saved_answers import answer_from_dict
from ragkit.conversation.turns import Turn
from ragkit.errors import InputError
from ragkit.types import Citation

__all__ = ["load_talk"]


def load_talk(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Load a talk.

    Args:
        path: a file of JSON Lines, if its suffix is ``.jsonl``, with one answer a line; or a JSON
            file with ``turns`` and, unless only the conversation was saved, ``answers``.

    Returns:
        ``{"turns": …, "answers": …, "sources": …}``, as ``Turn.to_dict``, ``Answer.to_dict`` and
        ``Transcript.save`` give them; JSON Lines have no sources.

    Raises:
        InputError: the file cannot be read, or is no saved talk.

    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".jsonl":
            return _of_answers([json.loads(line) for line in text.split("\n") if line.strip()])
        content = json.loads(text)
        turns, answers = content["turns"], content.get("answers", [])
        sources = content.get("sources", [])
        for turn in turns:
            Turn.from_dict(turn)
        for answer in answers:
            answer_from_dict(answer)
        for source in sources:
            Citation.from_dict(source["citation"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} cannot be continued ({type(error).__name__}: {error}); expected a talk that "
            f"was saved as .json or .jsonl, such as by /save talk.json. Markdown is only for "
            f"reading."
        ) from error
    return {"turns": turns, "answers": answers, "sources": sources}


def _of_answers(contents: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the talk of these answers; remarks are no turns of it."""
    answers: list[Answer] = [answer_from_dict(content) for content in contents]
    turns = [Turn.of(answer).to_dict() for answer in answers if answer.remark is None]
    return {"turns": turns, "answers": contents, "sources": []}
