"""An encoded question → ranked chunks, by late interaction over dense candidates.

For a question with token vectors q₁…qₜ and word weights w (summing to 1), a sentence s with token
vectors read alone, its chunk's context tokens, and the same sentence read within its chunk:

    forward(s) = Σᵢ wᵢ · max over tokens d of s or of its chunk's context of qᵢ·d
    reverse(s) = mean over tokens d of s within its chunk of maxᵢ qᵢ·d
    score(chunk) = (max forward + ½ · max reverse) / 1½

``forward`` is ColBERT's MaxSim with its tokens weighted: does everything asked find a partner?
``reverse`` asks the other way round: is what the sentence says what was asked about? A word of p
pieces and inverse document frequency IDF has the weight √(IDF/p) a piece. The ½ of ``reverse`` and
the power of the IDF are the index's ``Weights``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Encoded, Encoder, Vectors
from ragkit.index import IndexData, Lexicon, Weights
from ragkit.index.lexicon import Word, words_of

__all__ = ["CANDIDATES", "Query", "Ranked", "read_questions", "retrieve"]

CANDIDATES = 512
"""How many chunks, nearest by their one vector, late interaction looks at."""

_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Query:
    """A question ready to be matched: its vector, its ``(t, d)`` tokens and their weights.

    ``words``: the word that each token is a piece of, None for punctuation. ``reverse``: what the
    reverse direction counts.
    """

    text: str
    vector: Vectors
    tokens: Vectors
    weights: NDArray[np.float32]
    words: tuple[Word | None, ...]
    reverse: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk's number and score (0–1, higher is better), and how well each sentence matches.

    ``signals`` add up to the score.
    """

    chunk: int
    score: float
    signals: Mapping[str, float]
    sentences: tuple[float, ...]


def read_questions(
    data: IndexData, encoder: Encoder, questions: Sequence[str], weights: Weights
) -> list[Query]:
    """Encode questions in one batch and weigh their tokens.

    Where the whole corpus has one title, questions are read behind it, as the chunks were, so that
    "the pact" means the same on both sides; the title's own tokens are then left out.
    """
    titles = {document.title for document in data.documents}
    front = f"{titles.pop()}. " if len(titles) == 1 else ""
    read = encoder.encode([front + question for question in questions])
    return [
        _query(encoded, question, len(front), data.lexicon, weights)
        for encoded, question in zip(read, questions, strict=True)
    ]


def retrieve(data: IndexData, query: Query, k: int) -> list[Ranked]:
    """The ``min(k, n)`` best chunks, best first."""
    if not len(data):
        return []
    _, ids = data.dense.search(query.vector[None, :], max(k, CANDIDATES))
    ranked = [_match(data, query, chunks) for chunks in _blocks(np.sort(ids[0]))]
    found = sorted((r for block in ranked for r in block), key=lambda r: (-r.score, r.chunk))
    return found[:k]


def _query(
    encoded: Encoded, question: str, front: int, lexicon: Lexicon, weights: Weights
) -> Query:
    kept = encoded.starts >= front
    owners = _owners(encoded.starts[kept] - front, list(words_of(question)))
    pieces = Counter(owners)
    raw = [
        0.0 if o is None else lexicon.idf(o.stem) ** weights.rarity / pieces[o] ** 0.5
        for o in owners
    ]
    # A question of punctuation alone has no word to weigh.
    share = np.asarray(raw if any(raw) else [1.0] * len(raw), dtype=np.float32)
    share /= max(float(share.sum()), 1e-9)
    return Query(
        question, encoded.vector, encoded.tokens[kept], share, tuple(owners), weights.reverse
    )


def _owners(starts: NDArray[np.int64], words: Sequence[Word]) -> list[Word | None]:
    """The word that each token is a piece of; None for punctuation."""
    before = np.searchsorted([word.start for word in words], starts, side="right") - 1
    found = [words[b] if b >= 0 else None for b in before]
    return [w if w and s < w.end else None for w, s in zip(found, starts, strict=True)]


def _blocks(chunks: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Runs of neighbouring candidates, so that their tokens are read in one piece."""
    breaks = np.flatnonzero(np.diff(chunks) != 1) + 1
    runs = np.split(chunks, breaks)
    return [part for run in runs for part in np.split(run, range(_BLOCK, len(run), _BLOCK))]


def _match(data: IndexData, query: Query, chunks: NDArray[np.int64]) -> list[Ranked]:
    """Score a run of neighbouring chunks."""
    first, last = int(chunks[0]), int(chunks[-1]) + 1
    row, end = np.searchsorted(data.sentences[:, 0], [first, last])
    borders = data.late.segments[first + 2 * row : last + 2 * end + 1]
    similarity = query.tokens @ data.late.vectors(int(borders[0]), int(borders[-1])).T
    borders = borders - borders[0]
    chunk_of = data.sentences[row:end, 0] - first
    alone = 2 + chunk_of + 2 * np.arange(end - row)
    contexts = np.arange(last - first) + 2 * np.searchsorted(chunk_of, np.arange(last - first))

    best = _segment_max(similarity, borders)
    own = query.weights @ best[:, alone]
    forward = query.weights @ np.maximum(best[:, alone], best[:, contexts][:, chunk_of])
    reverse = _segment_mean(similarity.max(axis=0, initial=0.0), borders)[alone - 1]
    starts = np.searchsorted(chunk_of, np.arange(last - first))
    total = 1 + query.reverse
    top_forward = np.maximum.reduceat(forward, starts) / total
    top_reverse = np.maximum.reduceat(reverse, starts) * (query.reverse / total)
    sentences = np.split((own + query.reverse * reverse) / total, starts[1:])
    return [
        Ranked(
            chunk=first + i,
            score=float(f + r),
            signals={"forward": float(f), "reverse": float(r)},
            sentences=tuple(map(float, s)),
        )
        for i, (f, r, s) in enumerate(zip(top_forward, top_reverse, sentences, strict=True))
    ]


def _segment_max(similarity: Vectors, borders: NDArray[np.int64]) -> Vectors:
    """Per question token and segment the best similarity; 0 for a segment without tokens."""
    found = np.zeros((len(similarity), len(borders) - 1), dtype=np.float32)
    filled = np.flatnonzero(np.diff(borders))
    if len(filled):
        found[:, filled] = np.maximum.reduceat(similarity, borders[filled], axis=1)
    return found


def _segment_mean(values: Vectors, borders: NDArray[np.int64]) -> Vectors:
    found = np.zeros(len(borders) - 1, dtype=np.float32)
    lengths = np.diff(borders)
    filled = np.flatnonzero(lengths)
    if len(filled):
        found[filled] = np.add.reduceat(values, borders[filled]) / lengths[filled]
    return found
