"""Ranked chunks → Passages and Answer. Every text here is a slice of a document."""

from __future__ import annotations

from collections.abc import Sequence

from ragkit.answering.answer import Abstention, Answer
from ragkit.answering.confidence import confidence
from ragkit.answering.passage import Passage
from ragkit.answering.phrases import phrase_of
from ragkit.index import IndexData
from ragkit.retrieval import Found, Query, Ranked, matches_of
from ragkit.text.spans import Span
from ragkit.types import Citation

__all__ = ["compose", "passages_of"]


def passages_of(data: IndexData, query: Query, ranking: Sequence[Ranked]) -> tuple[Passage, ...]:
    """Each ranked chunk as a passage with its citation and its best sentence highlighted."""
    return tuple(
        _passage(data, query, ranked, rank) for rank, ranked in enumerate(ranking, start=1)
    )


def compose(data: IndexData, query: Query, found: Found, *, k: int, threshold: float) -> Answer:
    """The answer that a ranking gives, or an abstention with the nearest passages."""
    if not found.ranking:
        return Answer(
            query.question,
            False,
            "",
            0.0,
            (),
            Abstention.FILTERED if len(data) else Abstention.EMPTY_CORPUS,
            standalone=query.text,
        )
    passages = passages_of(data, query, found.ranking[:k])
    sure = confidence(data, query, found.matched)
    if sure < threshold:
        reason = Abstention.LOW_CONFIDENCE
        return Answer(query.question, False, "", sure, passages, reason, standalone=query.text)
    best = passages[0]
    text = " ".join(best.quote(span) for span in best.highlights)
    return Answer(query.question, True, text, sure, passages, standalone=query.text)


def _passage(data: IndexData, query: Query, ranked: Ranked, rank: int) -> Passage:
    chunk = data.chunk(ranked.chunk)
    document = data.document(chunk.document_id)
    citation = document.cite(Span(chunk.start, chunk.end))
    best = chunk.sentences[max(range(len(ranked.sentences)), key=ranked.sentences.__getitem__)]
    return Passage(
        text=citation.quote,
        score=ranked.score,
        rank=rank,
        citation=citation,
        highlights=(best,),
        phrase=phrase_of(query.question, document.text, best),
        signals=ranked.signals,
        matches=matches_of(document.text, query, ranked),
        also=tuple(_citation(data, number) for number in ranked.also),
    )


def _citation(data: IndexData, number: int) -> Citation:
    chunk = data.chunk(number)
    return data.document(chunk.document_id).cite(Span(chunk.start, chunk.end))
