"""Build an answer again from its JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragkit.answering.answer import Abstention, Answer, Choice, Passage, Remark
from ragkit.answering.generated import Generated, Sentence, Support
from ragkit.errors import InputError
from ragkit.retrieval import Match
from ragkit.text.spans import Span
from ragkit.types import Citation

__all__ = ["answer_from_dict"]

Content = Mapping[str, Any]


def answer_from_dict(content: Content) -> Answer:
    """Build the answer that ``Answer.to_dict`` described.

    Raises:
        InputError: a field is missing or inconsistent.

    """
    try:
        return Answer(
            content["question"],
            content["answered"],
            content["text"],
            content["confidence"],
            tuple(map(_passage, content["passages"])),
            reason=content["reason"] and Abstention(content["reason"]),
            standalone=content["standalone"],
            generated=content["generated"] and _generated(content["generated"]),
            short=_citation(content["short"]),
            choices=tuple(Choice(c["label"], c["question"], c["rank"]) for c in content["choices"]),
            remark=content["remark"] and Remark(content["remark"]),
            reply=content["reply"],
            stale=content.get("stale", False),  # older versions did not say
            calibrated=content.get("calibrated", True),
        )
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InputError(
            f"this is not an answer ({type(error).__name__}: {error}); expected the fields of "
            f"Answer.to_dict()."
        ) from error


def _passage(content: Content) -> Passage:
    return Passage(
        content["text"],
        content["score"],
        content["rank"],
        Citation.from_dict(content["citation"]),
        tuple(Span(one["start"], one["end"]) for one in content["highlights"]),
        _span(content["phrase"]),
        content["answers"],
        _span(content["candidate"]),
        content["signals"],
        tuple(map(_match, content["matches"])),
        tuple(map(Citation.from_dict, content["also"])),
        _citation(content["lead"]),
    )


def _match(content: Content) -> Match:
    span = content["span"] and Span(*content["span"])
    similarity, contribution = content["similarity"], content["contribution"]
    return Match(content["word"], similarity, contribution, content["partner"], span)


def _generated(content: Content) -> Generated:
    sentences = tuple(
        Sentence(
            one["text"], Support(one["status"]), tuple(one["passages"]), one["kept"], one["reason"]
        )
        for one in content["sentences"]
    )
    return Generated(content["model"], content["finish"], sentences)


def _citation(content: Content | None) -> Citation | None:
    return None if content is None else Citation.from_dict(content)


def _span(content: Content | None) -> Span | None:
    return None if content is None else Span(content["start"], content["end"])
