"""An answer, as a language model writes it from the passages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ragkit.answering.answer import Abstention, Answer
from ragkit.answering.generated import GOOD, Generated, Sentence
from ragkit.grounding.model import LanguageModel
from ragkit.grounding.writing import Policy, write

__all__ = ["generate_answer"]


def generate_answer(
    llm: LanguageModel, answer: Answer, policy: Policy
) -> Iterator[Answer | Sentence]:
    """Yield each sentence that the model writes, checked, and then the answer that is left.

    Args:
        answer: what ragkit answers by itself; its passages are what the model may use.
        policy: what becomes of sentences that the passages do not support.

    Raises:
        LanguageModelError: the endpoint cannot be reached, refuses the call, or breaks off.

    """
    writing = write(llm, answer.standalone, answer.passages, policy=policy)
    sentences: list[Sentence] = []
    while True:
        try:
            sentence = next(writing)
        except StopIteration as end:
            finish: str = end.value
            break
        sentences.append(sentence)
        yield sentence
    generated = Generated(llm.name, finish, tuple(sentences))
    if any(sentence.status in GOOD for sentence in sentences):
        text = " ".join([_with_markers(sentence) for sentence in sentences if sentence.kept])
        yield replace(answer, text=text, generated=generated)
        return
    reason = Abstention.REFUSED if finish == "refused" else Abstention.UNSUPPORTED
    yield replace(answer, answered=False, text="", reason=reason, generated=generated)


def _with_markers(sentence: Sentence) -> str:
    if sentence.status in GOOD:
        return sentence.text + "".join([f" [{rank}]" for rank in sentence.passages])
    return f"{sentence.text} [{sentence.status}]"
