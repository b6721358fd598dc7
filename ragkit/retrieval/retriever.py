"""An encoded question → ranked chunks, by late interaction over dense candidates.

For a question with token vectors q₁…qₜ and word weights w (summing to 1), a sentence s with token
vectors read alone, its chunk's context tokens, and the same sentence read within its chunk:

    forward(s) = Σᵢ wᵢ · max over tokens d of s or of its chunk's context of qᵢ·d
    reverse(s) = mean over tokens d of s within its chunk of maxᵢ qᵢ·d
    score(chunk) = (max forward + ½ · max reverse) / 1½

Exactly so for the ``EXACT`` first of a coarse order of the candidates: the same two sums over the
centroids of their tokens, plus half their cosine by one vector, plus a fifth of the weights of the
words that stand in them.

``forward`` is ColBERT's MaxSim with its tokens weighted: does everything asked find a partner?
``reverse`` asks the other way round: is what the sentence says what was asked about? A word of p
pieces and inverse document frequency IDF has the weight √(IDF/p) a piece. The ½ of ``reverse`` and
the power of the IDF are the index's ``Weights``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Encoded, Encoder, Vectors
from ragkit.index import Allowed, Conditions, IndexData, Numbers, TokenRows, Weights
from ragkit.index.centroids import coarse_scores
from ragkit.storage.ragged import borders_of, row_max, segment_max, segment_mean
from ragkit.text.words import Word, words_of
from ragkit.timing import stage
from ragkit.types import Said

__all__ = ["CANDIDATES", "EXACT", "Query", "Ranked", "read_questions", "retrieve"]

CANDIDATES = 512
"""How many chunks, nearest by their one vector, the coarse order looks at; and half as many more
that have the question's rarest words."""

EXACT = 24
"""How many of the coarse order are scored exactly, if no more are asked for."""

_DENSE, _LEXICAL = 0.5, 0.2
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Query:
    """A question ready to be matched: its vector, its ``(t, d)`` tokens and their weights.

    ``text``: what was read: what was said before, then the question. ``words``: the word of it that
    each token is a piece of, None for punctuation. ``reverse``: what the reverse direction counts.
    """

    question: str
    text: str
    vector: Vectors
    tokens: Vectors
    weights: NDArray[np.float32]
    words: tuple[Word | None, ...]
    reverse: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk's number and score (0–1, higher is better), and how well each sentence matches.

    ``signals`` add up to the score. ``similarity``: ``(n, t)``, of the chunk's n tokens (all its
    segments, in order) with the question's t; ``starts``: ``(n,)``, where in the document each
    begins, -1 for those that are not of a sentence alone; ``lengths``: ``(s,)``, of its segments;
    ``best``: ``(s, t)``, the maxima over each. ``explained``: the best reverse direction of its
    sentences, 0–1.
    ``also``: chunks further down that say the same in the same words.
    """

    chunk: int
    score: float
    signals: Mapping[str, float]
    sentences: tuple[float, ...]
    similarity: Vectors = field(repr=False, compare=False)
    starts: NDArray[np.int32] = field(repr=False, compare=False)
    lengths: Numbers = field(repr=False, compare=False)
    best: Vectors = field(repr=False, compare=False)
    explained: float
    also: tuple[int, ...] = ()


def read_questions(
    data: IndexData,
    encoder: Encoder,
    questions: Sequence[str],
    weights: Weights,
    before: Sequence[Said] = (),
    *,
    conditions: Conditions | None = None,
) -> list[Query]:
    """Encode questions in one batch, each behind what was said ``before``, and weigh their tokens.

    Where all documents that may be found have one title, questions are read behind it, as the
    chunks were, so that "the pact" means the same on both sides; the title's own tokens are then
    left out.
    """
    title = data.title_of(conditions)
    front = "" if title is None else f"{title}. "
    context = "".join(f"{said.text} " for said in before)
    read = encoder.encode([front + context + question for question in questions])
    return [
        _query(_behind(encoded, len(front)), question, before, data, weights)
        for encoded, question in zip(read, questions, strict=True)
    ]


def retrieve(data: IndexData, query: Query, k: int, allowed: Allowed = None) -> list[Ranked]:
    """The ``min(k, n)`` best chunks of those ``allowed``, best first."""
    with stage("candidates by vector and words"):
        candidates = _candidates(data, query, max(k, CANDIDATES), allowed)
    if not len(candidates.chunks):
        return []
    with stage("coarse order"):
        chunks = _promising(data, query, candidates, max(k, EXACT))
    with stage("late interaction"):
        blocks = np.split(chunks, range(_BLOCK, len(chunks), _BLOCK))
        ranked = [one for b in blocks for one in _match(query, b, data.tokens(b))]
    return sorted(ranked, key=lambda one: (-one.score, one.chunk))[:k]


def _behind(encoded: Encoded, front: int) -> Encoded:
    """The same without the tokens of the first ``front`` code points."""
    kept = encoded.starts >= front
    return Encoded(encoded.vector, encoded.tokens[kept], encoded.starts[kept] - front)


def _query(
    encoded: Encoded, question: str, before: Sequence[Said], data: IndexData, weights: Weights
) -> Query:
    text = " ".join([*(said.text for said in before), question])
    words = list(words_of(text))
    data.learn([word.stem for word in words])
    owners = _owners(encoded.starts, words)
    pieces = Counter(owners)
    ends = np.cumsum([len(said.text) + 1 for said in before])
    part = np.searchsorted(ends, encoded.starts, side="right")
    counts = np.asarray([*(said.weight for said in before), 1.0])[part].tolist()
    raw = [
        0.0 if o is None else count * data.idf(o.stem) ** weights.rarity / pieces[o] ** 0.5
        for o, count in zip(owners, counts, strict=True)
    ]
    # A question of punctuation alone has no word to weigh.
    share = np.asarray(raw if any(raw) else [1.0] * len(raw), dtype=np.float32)
    share /= max(float(share.sum()), 1e-9)
    return Query(
        question, text, encoded.vector, encoded.tokens, share, tuple(owners), weights.reverse
    )


def _owners(starts: NDArray[np.int64], words: Sequence[Word]) -> list[Word | None]:
    """The word that each token is a piece of; None for punctuation."""
    before = np.searchsorted([word.start for word in words], starts, side="right") - 1
    found = [words[b] if b >= 0 else None for b in before]
    return [w if w and s < w.end else None for w, s in zip(found, starts, strict=True)]


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Chunks in the corpus's order, with the cosine of each."""

    chunks: Numbers
    cosines: Vectors


def _candidates(data: IndexData, query: Query, depth: int, allowed: Allowed) -> _Candidates:
    """The nearest by one vector, and those that have most of the question's words."""
    near, cosines = data.nearest(query.vector, depth, allowed)
    if len(near) == depth:  # else all that may be found
        found = data.with_words(_stem_weights(query), depth // 2, allowed)
        lexical = np.setdiff1d(found, near)
        near = np.concatenate([near, lexical])
        cosines = np.concatenate([cosines, data.cosines(query.vector, lexical)])
    order = np.argsort(near)
    return _Candidates(near[order], cosines[order])


def _stem_weights(query: Query) -> dict[str, float]:
    weights: dict[str, float] = {}
    for word, weight in zip(query.words, query.weights.tolist(), strict=True):
        if word is not None:
            weights[word.stem] = weights.get(word.stem, 0.0) + weight
    return weights


def _promising(data: IndexData, query: Query, candidates: _Candidates, number: int) -> Numbers:
    """The ``number`` first candidates of the coarse order, in the corpus's order."""
    chunks = candidates.chunks
    if len(chunks) <= number:
        return chunks
    scores = _coarse_scores(data, query, candidates)
    return np.sort(chunks[np.argpartition(-scores, number - 1)[:number]])


def _coarse_scores(data: IndexData, query: Query, candidates: _Candidates) -> Vectors:
    """``(n,)``: what the coarse order sorts the n candidates by, higher is better."""
    chunks = candidates.chunks
    scores = coarse_scores(data.coarse(chunks), query.tokens, query.weights, query.reverse)
    scores += np.float32(_DENSE) * candidates.cosines
    scores += np.float32(_LEXICAL) * data.coverage(_stem_weights(query), chunks)
    return scores


def _match(query: Query, chunks: Numbers, tokens: TokenRows) -> list[Ranked]:
    """Score chunks exactly, in the order given; ``tokens``: theirs."""
    borders = borders_of(tokens.lengths)
    similarity = tokens.similarities(query.tokens)
    contexts = borders_of(1 + 2 * tokens.sentences)[:-1]
    chunk_of = np.repeat(np.arange(len(chunks)), tokens.sentences)
    starts = borders_of(tokens.sentences)[:-1]
    alone = 2 + contexts[chunk_of] + 2 * (np.arange(len(chunk_of)) - starts[chunk_of])

    best = segment_max(similarity, borders)
    own = best[alone] @ query.weights
    forward = np.maximum(best[alone], best[contexts][chunk_of]) @ query.weights
    reverse = segment_mean(row_max(similarity), borders)[alone - 1]
    total = 1 + query.reverse
    top_forward = np.maximum.reduceat(forward, starts) / total
    explained = np.maximum.reduceat(reverse, starts)
    top_reverse = explained * (query.reverse / total)
    matched = zip(
        chunks.tolist(),
        top_forward.tolist(),
        top_reverse.tolist(),
        np.split((own + query.reverse * reverse) / total, starts[1:]),
        np.split(similarity, borders[contexts[1:]]),
        np.split(tokens.starts, borders[contexts[1:]]),
        np.split(tokens.lengths, contexts[1:]),
        np.split(best, contexts[1:]),
        explained.tolist(),
        strict=True,
    )
    return [
        Ranked(c, f + r, {"forward": f, "reverse": r}, tuple(s.tolist()), *rest)
        for c, f, r, s, *rest in matched
    ]
