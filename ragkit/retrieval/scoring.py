"""Approximate and exact scores of chunks for a question, and which word matched where.

For a question with token vectors q₁…qₜ and word weights w (summing to 1), a sentence s with token
vectors encoded alone, the context tokens of its chunk, and the same sentence encoded within its
chunk:

    forward(s) = Σᵢ wᵢ · max over tokens d of s or of its chunk's context of qᵢ·d
    reverse(s) = mean over tokens d of s within its chunk of maxᵢ qᵢ·d
    score(chunk) = (max forward + ½ · max reverse) / 1½

``forward`` is ColBERT's MaxSim with weighted tokens: does every word of the question find a match?
``reverse`` asks the other way round: is what the sentence says what the question is about? A word
of p pieces with inverse document frequency IDF has the weight √(IDF/p) for each piece. The ½ of
``reverse`` and the power of the IDF are the index's ``RetrievalConfig``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Vectors
from ragkit.index.centroids import CentroidRows
from ragkit.index.token_vectors import TokenLayout, TokenRows
from ragkit.retrieval.query import Query
from ragkit.storage.arrays import (
    Integers,
    gathered_run_max,
    matmul,
    offsets_of,
    row_max,
    run_max,
    run_mean,
)
from ragkit.text.spans import Span
from ragkit.text.words import Word, word_at

__all__ = [
    "Match",
    "ScoredChunk",
    "TokenMatches",
    "approximate_scores",
    "exact_scores",
    "matches_of",
]


@dataclass(frozen=True, slots=True)
class TokenMatches:
    """How each token of a chunk matches each token of a question.

    Attributes:
        similarity: ``(n, t)``, cosines of the chunk's n tokens with the question's t tokens.
        starts: ``(n,)``, where in the document each token of a sentence begins (with two
            readings: as encoded alone); -1 for the others.
        offsets: ``(r + 1,)``, where each run of tokens begins (``TokenLayout``).
        best: ``(r, t)``, the maximum of ``similarity`` over each run.
        readings: how often the model read the chunk (``TokenLayout``).

    """

    similarity: Vectors
    starts: NDArray[np.int32]
    offsets: Integers
    best: Vectors
    readings: int

    def best_sentence(self, weights: NDArray[np.float32]) -> tuple[int, Vectors]:
        """Return the sentence with the best ``forward``, and ``(t,)`` each token's best match."""
        alone = self.best[TokenLayout.alone(self.readings)]
        best = np.maximum(alone, self.best[TokenLayout.CONTEXT])
        sentence = int((best @ weights).argmax())
        return sentence, best[sentence]

    def partner_starts(self, sentence: int) -> NDArray[np.integer]:
        """Return ``(t,)``: where each token's best match begins, -1 for one in the context."""
        offsets = self.offsets
        alone = self.readings * (1 + sentence)
        tokens = np.concatenate([np.arange(offsets[1]), np.arange(*offsets[alone : alone + 2])])
        if not len(tokens):
            return np.full(self.similarity.shape[1], -1)
        best = self.similarity[tokens].argmax(axis=0)
        starts: NDArray[np.integer] = self.starts[tokens[best]]
        return starts


@dataclass(frozen=True, slots=True)
class ScoredChunk:
    """A chunk with its score for a question.

    Attributes:
        chunk: the chunk's number.
        score: 0–1, higher is better.
        signals: the parts of the score, which add up to it.
        sentences: the score of each sentence.
        reverse: the best ``reverse`` of its sentences, 0–1.
        matches: how its tokens match those of the question.
        also: numbers of chunks further down that say the same in the same words.

    """

    chunk: int
    score: float
    signals: Mapping[str, float]
    sentences: tuple[float, ...]
    reverse: float
    matches: TokenMatches = field(repr=False, compare=False)
    also: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Where a word of the question found its best match.

    Attributes:
        word: the word of the question.
        similarity: cosine of both words in their contexts.
        contribution: its part of the passage's ``forward`` signal. The parts of all words sum to
            the signal, less what special tokens, markers and mask tokens add to it, for a model
            that was trained to match these.
        partner: the matching word of the passage.
        span: the partner in the document; None if it is in the title or a heading, or no word
            but a special token.

    """

    word: str
    similarity: float
    contribution: float
    partner: str
    span: Span | None


def approximate_scores(rows: CentroidRows, query: Query) -> NDArray[np.float32]:
    """Return about ``max forward + ½ · max reverse`` of each chunk, by its centroid ids alone."""
    similarity = matmul(rows.centroids, np.ascontiguousarray(query.tokens.T))
    forward = gathered_run_max(similarity * query.weights, rows.distinct, rows.distinct_offsets)
    reverse = run_mean(np.take(row_max(similarity), rows.within), rows.within_offsets)
    best = run_max(reverse, offsets_of(rows.sentences))
    scores: NDArray[np.float32] = forward.sum(axis=1) + np.float32(query.reverse) * best
    return scores


def exact_scores(query: Query, chunks: Integers, rows: TokenRows) -> list[ScoredChunk]:
    """Score chunks by late interaction, in the order given; ``rows`` are their token vectors."""
    similarity = rows.similarities(query.tokens)
    chunk, within = rows.layout.sentence_runs()
    contexts = rows.layout.first_run
    offsets, sentences = offsets_of(rows.lengths), offsets_of(rows.layout.sentences)
    best = run_max(similarity, offsets)
    reverse = run_mean(row_max(similarity), offsets)[within]

    alone = best[within + rows.layout.readings - 1]
    forward = np.maximum(alone, best[contexts[:-1]][chunk]) @ query.weights
    total = 1 + query.reverse
    best_forward = np.maximum.reduceat(forward, sentences[:-1]) / total
    best_reverse = np.maximum.reduceat(reverse, sentences[:-1])
    signals = np.stack([best_forward, best_reverse * (query.reverse / total)], axis=1).tolist()
    of_sentences = ((alone @ query.weights + query.reverse * reverse) / total).tolist()

    scored = []
    for i, number in enumerate(chunks.tolist()):
        run, end = contexts[i], contexts[i + 1]
        tokens = slice(offsets[run], offsets[end])
        matches = TokenMatches(
            similarity[tokens],
            rows.starts[tokens],
            offsets[run : end + 1] - offsets[run],
            best[run:end],
            rows.layout.readings,
        )
        scored.append(
            ScoredChunk(
                number,
                sum(signals[i]),
                dict(zip(("forward", "reverse"), signals[i], strict=True)),
                tuple(of_sentences[sentences[i] : sentences[i + 1]]),
                float(best_reverse[i]),
                matches,
            )
        )
    return scored


def matches_of(text: str, query: Query, scored: ScoredChunk) -> tuple[Match, ...]:
    """Return the question's words in order, each with its match in the chunk's best sentence.

    The match of a word is that of its best matching piece. Words without weight, such as
    punctuation, are left out.

    Args:
        text: the text of the chunk's document.

    """
    sentence, best = scored.matches.best_sentence(query.weights)
    similarities = best.tolist()
    starts = scored.matches.partner_starts(sentence).tolist()
    parts = (best * query.weights / (1 + query.reverse)).tolist()
    pieces: dict[Word, list[int]] = {}
    for i, owner in enumerate(query.words):
        if owner is not None and parts[i]:
            pieces.setdefault(owner, []).append(i)
    matches = []
    for word, own in pieces.items():
        span = _word_at(text, starts[max(own, key=similarities.__getitem__)])
        matches.append(
            Match(
                word=query.text[word.start : word.end],
                similarity=sum([similarities[i] for i in own]) / len(own),
                contribution=sum([parts[i] for i in own]),
                partner=text[span.start : span.end] if span else "(title or heading)",
                span=span,
            )
        )
    return tuple(matches)


def _word_at(text: str, start: int) -> Span | None:
    """The whole word around a token's start; None for a token of the context."""
    if start < 0:
        return None
    return word_at(text, start) or Span(start, start + 1)
