"""Measure any chatbot: map what it returns to passages of the corpus, as far as it can be.

A chatbot is a function from a question to a reply. Its citations are looked up in the documents
like any quotation; what a reply lacks makes measures absent, never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from ragkit.answering.answer import Abstention, Answer, Passage
from ragkit.api import Index
from ragkit.citations.passage_ids import parse_passage_id
from ragkit.errors import InputError
from ragkit.evaluation.harness import configuration_of, evaluate
from ragkit.evaluation.measures import RETRIEVAL_MEASURES
from ragkit.evaluation.questions import QuestionSet
from ragkit.evaluation.report import CONFIDENCE_MEASURES, Report
from ragkit.quotes.checker import QuoteChecker
from ragkit.quotes.report import Place, QuoteCheck, QuoteStatus
from ragkit.types import Citation, Document

__all__ = ["Chatbot", "Reply", "evaluate_chatbot"]

_OPTIONAL_FIELDS = frozenset({"citations", "answered", "confidence"})
_MARKS = ("span precision", "span recall", "highlight", "short token F1")
"""Measures of the words that ragkit marks in a passage."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a chatbot returned for a question.

    Attributes:
        text: the answer.
        citations: what it cites, best first: quotations of the corpus, or passage ids
            (``DOCUMENT#START-END``). If empty, the quotations in ``text`` are taken.
        answered: whether it answered instead of abstaining; None if it does not say.
        confidence: its confidence in [0, 1]; None if it does not say.

    """

    text: str
    citations: tuple[str, ...] = ()
    answered: bool | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Chatbot:
    """A chatbot to evaluate.

    Attributes:
        name: its name, recorded in the report.
        reply: returns a ``Reply``, an ``Answer``, a text, or a mapping with the fields of a
            ``Reply``.
        abstains_with: a reply that contains this text is an abstention, unless it says itself
            whether it answered; None if no text tells.
        paraphrases: whether it cites in its own words, so that the gate does not fail for a
            citation alone that is not verbatim in the corpus.

    """

    name: str
    reply: Callable[[str], object]
    abstains_with: str | None = None
    paraphrases: bool = False

    def ask(self, question: str) -> Reply:
        """Ask one question.

        Raises:
            InputError: the chatbot returned something else than a reply.

        """
        reply = _reply_from(self.reply(question), self.name)
        if reply.answered is not None or self.abstains_with is None:
            return reply
        return replace(reply, answered=self.abstains_with not in reply.text)


def evaluate_chatbot(
    questions: QuestionSet,
    chatbot: Chatbot,
    index: Index,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Ask a chatbot every question and measure its answers as those of an index.

    Turns of a conversation are asked in their standalone wording.

    Args:
        questions: the question set; answerable questions need evidence.
        chatbot: the chatbot to ask.
        index: an index of the chatbot's corpus, in whose documents citations are looked up.
        progress: called after each question with the number asked and the total.

    Returns:
        The report. A citation that is not verbatim in the corpus counts against the citation
        validity. Measures that the replies do not allow are ``absent``.

    Raises:
        InputError: the set or a reply cannot be used.

    """
    asked: list[tuple[Reply, float]] = []
    documents = {document.id: document for document in index.documents}
    citations = _Citations(documents)

    def answer(question: str) -> Answer:
        start = perf_counter()
        reply = chatbot.ask(question)
        asked.append((reply, perf_counter() - start))
        return _answer(question, reply, citations)

    report = evaluate(
        questions,
        answer,
        documents=documents,
        configuration=replace(configuration_of(index, questions), chatbot=chatbot.name),
        progress=progress,
    )
    # The chatbot's own time, without that of looking its citations up.
    report = replace(report, latencies=tuple(seconds for _, seconds in asked))
    return report.without(_absent([reply for reply, _ in asked], report))


def _reply_from(value: object, name: str) -> Reply:
    match value:
        case Reply() if _is_sound(value):
            return value
        case str():
            return Reply(value)
        case Answer():
            cited = tuple(passage.citation.passage_id for passage in value.passages)
            return Reply(value.text, cited, value.answered, value.confidence)
        case {"text": str(text), **rest} if rest.keys() <= _OPTIONAL_FIELDS:
            fields: Any = {**rest, "citations": rest.get("citations") or ()}
            reply = Reply(text, **fields)
            if _is_sound(reply):
                return replace(reply, citations=tuple(reply.citations))
    raise InputError(
        f"the chatbot {name} returned {_described(value)}; expected a str, a ragkit Answer or "
        f'Reply, or {{"text": str, "citations": [str], "answered": bool, "confidence": float}}, '
        f"with a confidence from 0 to 1."
    )


def _is_sound(reply: Reply) -> bool:
    """Whether the fields have their types: a chatbot, or the JSON of one, may return anything."""
    citations: object = reply.citations
    confidence: object = reply.confidence
    return (
        isinstance(reply.text, str)
        and isinstance(citations, (list, tuple))
        and all(isinstance(citation, str) for citation in citations)
        and (reply.answered is None or isinstance(reply.answered, bool))
        and (
            confidence is None
            or (
                isinstance(confidence, (int, float))
                and not isinstance(confidence, bool)
                and 0 <= confidence <= 1
            )
        )
    )


def _described(value: object) -> str:
    names = f" with {', '.join(map(repr, value))}" if isinstance(value, Mapping) else ""
    return f"a {type(value).__name__}{names}"


def _answer(question: str, reply: Reply, citations: _Citations) -> Answer:
    answered = bool(reply.text.strip()) if reply.answered is None else reply.answered
    return Answer(
        question=question,
        answered=answered,
        text=reply.text,
        confidence=reply.confidence or 0.0,
        passages=tuple(_passages(citations.of(reply))),
        reason=None if answered else Abstention.NOT_STATED,
    )


def _passages(citations: Sequence[Citation]) -> Iterator[Passage]:
    for rank, citation in enumerate(citations, start=1):
        score = float(len(citations) - rank)
        yield Passage(text=citation.quote, score=score, rank=rank, citation=citation)


class _Citations:
    """Looks up in the documents what replies cite."""

    def __init__(self, documents: Mapping[str, Document]) -> None:
        self._documents = documents
        self._checker = QuoteChecker(list(documents.values()))

    def of(self, reply: Reply) -> list[Citation]:
        """Return the citations of a reply in its order, each place once."""
        if reply.citations:
            cited = [self._cite(text) for text in reply.citations if text.strip()]
        else:
            checks = self._checker.check(reply.text).checks
            cited = [self._cited(c) for c in checks if c.status is not QuoteStatus.SHORT]
        return list(dict.fromkeys(cited))

    def _cite(self, text: str) -> Citation:
        """Return the citation that a passage id or a quotation names."""
        try:
            document_id, span = parse_passage_id(text)
            return self._documents[document_id].cite(span)
        except (InputError, KeyError):
            return self._cited(self._checker.check_quote(text))

    def _cited(self, check: QuoteCheck) -> Citation:
        """Return the place of a quotation; one that does not resolve if it is not verbatim."""
        if check.status in (QuoteStatus.VERBATIM, QuoteStatus.STITCHED):
            place = max(check.spans, key=lambda place: place.span.end - place.span.start)
            return self._documents[place.document_id].cite(place.span)
        return _unresolved(check.text, check.spans[0] if check.spans else None)


def _unresolved(quote: str, nearest: Place | None) -> Citation:
    """Return a citation of what the corpus does not say, at the place that is most similar."""
    start = nearest.span.start if nearest else 0
    document_id = nearest.document_id if nearest else ""
    return Citation(document_id, "", (), start, start + len(quote), quote)


def _absent(replies: Sequence[Reply], report: Report) -> dict[str, str]:
    """Return the measures that the replies do not allow, with the reason."""
    absent = dict.fromkeys(_MARKS, "a chatbot marks no words in its passages")
    if not any(outcome.citations for outcome in report.outcomes):
        without_citations = (*RETRIEVAL_MEASURES, "citation validity", "AURC", "ECE", "Brier")
        absent |= dict.fromkeys(without_citations, "no reply has a citation or a quotation")
    if all(reply.confidence is None for reply in replies):
        absent |= dict.fromkeys(CONFIDENCE_MEASURES, "no reply has a confidence")
    if all(reply.answered is None for reply in replies):
        absent |= {"abstention": "no reply says whether it answers"}
    return absent
