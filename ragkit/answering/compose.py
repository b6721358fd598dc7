"""Ranked chunks → passages and the answer. Every text here is a slice of a document.

A passage's *phrase* is the date or number in its best sentence that answers, if the question asks
for one and the sentence holds exactly one that the question does not contain. On XQuAD, 45 of 47
phrases are the gold answer or contain it; the same rule for names was right only once in three, so
there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ragkit.answering.answer import Abstention, Answer, Passage
from ragkit.answering.confidence import confidence
from ragkit.index import IndexData
from ragkit.retrieval import Query, Retrieved, ScoredChunk, matches_of
from ragkit.text.spans import Span
from ragkit.types import Chunk

__all__ = ["compose", "passages_of", "phrase_of"]

_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_YEAR = r"1\d{3}|20\d{2}"
_DATE = re.compile(
    rf"\b(?:\d{{1,2}} {_MONTH}(?:,? (?:{_YEAR}))?|{_MONTH} \d{{1,2}}(?:,? (?:{_YEAR}))?"
    rf"|{_MONTH},? (?:{_YEAR})|(?:{_YEAR})s?)\b"
)
_COUNT = re.compile(
    r"[$£€]?\b\d[\d,.]*\d?(?:\s?(?:%|percent|per cent|million|billion|thousand))?(?: tons?| tonnes?"
    r"| marks?| years?| days?| months?)?"
    r"|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty)\b"
)
_KINDS = (
    (
        re.compile(
            r"^\W*(?:\w+ ){0,2}when\b|\b(?:what|which) (?:year|date|day|month)\b", re.IGNORECASE
        ),
        _DATE,
    ),
    (re.compile(r"\bhow (?:many|much)\b|\bwhat (?:percentage|number)\b", re.IGNORECASE), _COUNT),
)


def compose(
    data: IndexData, query: Query, retrieved: Retrieved, *, k: int, threshold: float
) -> Answer:
    """Return the answer that a ranking gives, or an abstention with the nearest passages.

    Args:
        k: number of passages.
        threshold: confidence, 0–1, below which the answer abstains.

    """
    if not retrieved.ranking:
        reason = Abstention.FILTERED if len(data) else Abstention.EMPTY_CORPUS
        return _abstention(query, 0.0, (), reason)
    passages = passages_of(data, query, retrieved.ranking[:k])
    probability = confidence(query, retrieved.scored)
    if probability < threshold:
        return _abstention(query, probability, passages, Abstention.LOW_CONFIDENCE)
    best = passages[0]
    text = " ".join([best.quote(span) for span in best.highlights])
    return Answer(query.question, True, text, probability, passages, standalone=query.text)


def passages_of(
    data: IndexData, query: Query, ranking: Sequence[ScoredChunk]
) -> tuple[Passage, ...]:
    """Return each ranked chunk as a passage with its citation and its best sentence highlighted."""
    numbers = list(dict.fromkeys(n for scored in ranking for n in (scored.chunk, *scored.also)))
    chunks = dict(zip(numbers, data.chunks(numbers), strict=True))
    ids = dict.fromkeys([chunk.document_id for chunk in chunks.values()])
    documents = {document_id: data.document(document_id) for document_id in ids}
    places = [(documents[c.document_id], Span(c.start, c.end)) for c in chunks.values()]
    cited = [document.cite(span) for document, span in places]
    citations = dict(zip(chunks, cited, strict=True))
    texts = [documents[chunks[scored.chunk].document_id].text for scored in ranking]
    best = [_best_sentence(chunks[scored.chunk], scored) for scored in ranking]
    phrases = [phrase_of(query.question, *place) for place in zip(texts, best, strict=True)]
    matches = [matches_of(text, query, one) for text, one in zip(texts, ranking, strict=True)]
    return tuple(
        Passage(
            text=citations[scored.chunk].quote,
            score=scored.score,
            rank=rank,
            citation=citations[scored.chunk],
            highlights=(best[rank - 1],),
            phrase=phrases[rank - 1],
            signals=scored.signals,
            matches=matches[rank - 1],
            also=tuple([citations[number] for number in scored.also]),
        )
        for rank, scored in enumerate(ranking, start=1)
    )


def _abstention(
    query: Query, probability: float, passages: tuple[Passage, ...], reason: Abstention
) -> Answer:
    return Answer(query.question, False, "", probability, passages, reason, standalone=query.text)


def _best_sentence(chunk: Chunk, scored: ScoredChunk) -> Span:
    return chunk.sentences[max(range(len(scored.sentences)), key=scored.sentences.__getitem__)]


def phrase_of(question: str, text: str, sentence: Span) -> Span | None:
    """Return the date or number in ``text[sentence]`` that answers, if it is clear which."""
    spans = [
        span
        for asked, pattern in _KINDS
        if asked.search(question)
        for span in _new(pattern, question, text, sentence)
    ]
    distinct = {text[span.start : span.end].casefold() for span in spans}
    return spans[0] if len(distinct) == 1 else None


def _new(pattern: re.Pattern[str], question: str, text: str, sentence: Span) -> Iterator[Span]:
    """Expressions of a kind of which the question does not hold every word."""
    question_words = set(re.findall(r"\w+", question.casefold()))
    for match in pattern.finditer(text, sentence.start, sentence.end):
        words = re.findall(r"\w+", match[0].casefold())
        if not question_words.issuperset(words):
            yield Span(*match.span())
