"""Ranked chunks → passages and the answer. Every text here is a slice of a document.

A passage's *phrase* are the words with which a reader would answer from it, and the sentence around
them is highlighted. Without a reader it is the date or number in its best sentence that answers, if
it is clear which (``phrases``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ragkit.answering.answer import Abstention, Answer, Choice, Passage
from ragkit.answering.choices import choices_of
from ragkit.answering.confidence import confidence, default_threshold
from ragkit.answering.counting import has_to_be_counted
from ragkit.answering.phrases import phrase_of
from ragkit.index import IndexData
from ragkit.reading import Kind, Result
from ragkit.retrieval import Query, ScoredChunk, matches_of
from ragkit.text.blocks import code_at, introduces
from ragkit.text.spans import Span
from ragkit.types import Chunk, Citation, Document

__all__ = ["ANSWERS", "compose", "passages_of"]

_READINGS = 5
"""Passages in which a question's readings are looked for, however few are returned."""

ANSWERS = 0.5
"""Chance from which on a passage after the first is taken to answer as well, so that its words are
marked. The first answers if the question is answered."""

_MOST_LINES = 20
"""Lines of code that are shown as one answer."""

_REASONS = {
    Kind.ANSWERS: Abstention.LOW_CONFIDENCE,
    Kind.OFF_TOPIC: Abstention.OFF_TOPIC,
    Kind.NOT_STATED: Abstention.NOT_STATED,
    Kind.CONTRADICTS: Abstention.CONTRADICTED,
}

_NO_NUMBER = (Abstention.OFF_TOPIC, Abstention.SEVERAL_READINGS)
"""Reasons beside which it does not matter that rows would have to be counted."""


def compose(data: IndexData, result: Result, *, k: int, threshold: float | None) -> Answer:
    """Return the answer that a ranking gives, or an abstention with the nearest passages.

    Args:
        k: number of passages.
        threshold: confidence, 0–1, below which the answer abstains; None for the default.

    """
    query, ranking = result.query, result.retrieved.ranking
    if not ranking:
        reason = Abstention.FILTERED if len(data) else Abstention.EMPTY_CORPUS
        return _abstention(query, 0.0, (), reason)
    probability = confidence(result)
    answered = probability >= (default_threshold(result) if threshold is None else threshold)
    nearest = passages_of(data, result, max(k, _READINGS), answered=answered)
    passages, choices = nearest[:k], choices_of(query.standalone, nearest, answered=answered)
    best = passages[0]
    document = data.document(best.citation.document_id)
    why_not = None if answered else _why_not(result, choices)
    if why_not not in _NO_NUMBER and has_to_be_counted(query.standalone, nearest, document):
        why_not = Abstention.COUNTING
        if answered:  # without the marks of an answer
            passages = passages_of(data, result, k, answered=False)
    if why_not:
        return _abstention(query, probability, passages, why_not, choices)
    text = " ".join([best.quote(span) for span in best.highlights])
    short = best.phrase and document.cite(best.phrase)
    return Answer(
        query.question, True, text, probability, passages, standalone=query.standalone, short=short,
        choices=choices,
    )  # fmt: skip


def passages_of(
    data: IndexData, result: Result, k: int, *, answered: bool | None = None
) -> tuple[Passage, ...]:
    """Return the first ``k`` ranked chunks as passages, each with its best sentence highlighted.

    ``answered``: whether the question is, with the first; None for what the default threshold says.
    """
    if answered is None:
        answered = confidence(result) >= default_threshold(result)
    query, ranking = result.query, result.retrieved.ranking[:k]
    numbers = list(dict.fromkeys(n for scored in ranking for n in (scored.chunk, *scored.also)))
    chunks = dict(zip(numbers, data.chunks(numbers), strict=True))
    ids = dict.fromkeys([chunk.document_id for chunk in chunks.values()])
    documents = {document_id: data.document(document_id) for document_id in ids}
    places = [(documents[c.document_id], Span(c.start, c.end)) for c in chunks.values()]
    cited = [document.cite(span) for document, span in places]
    citations = dict(zip(chunks, cited, strict=True))
    texts = [documents[chunks[scored.chunk].document_id].text for scored in ranking]
    marked = [
        _marked(
            result,
            scored,
            chunks[scored.chunk],
            documents[chunks[scored.chunk].document_id],
            answered=answered,
        )
        for scored in ranking
    ]
    matches = [matches_of(text, query, one) for text, one in zip(texts, ranking, strict=True)]
    readings = [result.readings.get(scored.chunk) for scored in ranking]
    return tuple(
        Passage(
            text=citations[scored.chunk].quote,
            score=scored.score,
            rank=rank,
            citation=citations[scored.chunk],
            highlights=(marked[rank - 1][0],),
            phrase=marked[rank - 1][1],
            answers=None if reading is None else reading.answers,
            candidate=None if reading is None else reading.span,
            signals=scored.signals,
            matches=matches[rank - 1],
            also=tuple([citations[number] for number in scored.also]),
            lead=_lead_of(documents, chunks[scored.chunk]),
        )
        for rank, (scored, reading) in enumerate(zip(ranking, readings, strict=True), start=1)
    )


def _lead_of(documents: Mapping[str, Document], chunk: Chunk) -> Citation | None:
    return chunk.lead and documents[chunk.document_id].cite(chunk.lead)


def _abstention(
    query: Query,
    probability: float,
    passages: tuple[Passage, ...],
    reason: Abstention,
    choices: tuple[Choice, ...] = (),
) -> Answer:
    return Answer(
        query.question, False, "", probability, passages, reason, standalone=query.standalone,
        choices=choices,
    )  # fmt: skip


def _marked(
    result: Result, scored: ScoredChunk, chunk: Chunk, document: Document, *, answered: bool
) -> tuple[Span, Span | None]:
    """The sentence to highlight, and the words in it that answer, if any do."""
    text = document.text
    best = _whole_code(chunk, document, _best_sentence(chunk, scored, text))
    if result.calibration is None:
        return best, phrase_of(result.query.question, text, best)
    reading = result.readings.get(scored.chunk)
    if not answered or reading is None:
        return best, None
    is_first = scored is result.retrieved.ranking[0]
    if is_first or reading.answers >= ANSWERS:
        return _whole_code(chunk, document, _sentences_with(chunk, reading.span)), reading.span
    return best, None


def _why_not(result: Result, choices: Sequence[Choice]) -> Abstention:
    """What kept a question with too little confidence from being answered."""
    if choices:
        return Abstention.SEVERAL_READINGS
    reading = result.readings.get(result.retrieved.ranking[0].chunk)
    kind = max(reading.kinds, key=reading.kinds.__getitem__) if reading else Kind.ANSWERS
    return _REASONS[kind]


def _best_sentence(chunk: Chunk, scored: ScoredChunk, text: str) -> Span:
    """The sentence with the best score; if it asks or announces, what follows it answers."""
    sentences = chunk.sentences
    best = max(range(len(sentences)), key=scored.sentences.__getitem__)
    following = (
        n for n in range(best, len(sentences)) if not introduces(text[slice(*sentences[n])])
    )
    return sentences[next(following, best)]


def _whole_code(chunk: Chunk, document: Document, sentence: Span) -> Span:
    """What the chunk has of the code that a line is of, unless it is long: one line says little."""
    section = document.sections[chunk.section]
    code = code_at(document.text, Span(section.start, section.end), sentence.start)
    if code is None or document.text.count("\n", *code) >= _MOST_LINES:
        return sentence
    return Span(max(code.start, chunk.start), min(code.end, chunk.end))


def _sentences_with(chunk: Chunk, words: Span) -> Span:
    """The sentence in which some words are, or the sentences from their first to their last."""
    inside = [s for s in chunk.sentences if s.start < words.end and words.start < s.end]
    return Span(inside[0].start, inside[-1].end) if inside else words
