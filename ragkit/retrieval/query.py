"""A question → Query: cleaned, encoded, and each of its words weighted."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding import Encoded, Encoder, Vectors
from ragkit.encoding.encoder import without_front
from ragkit.errors import InputError, QuestionError
from ragkit.index import Conditions, IndexData, RetrievalConfig
from ragkit.text.compounds import (
    Compound,
    compounds_in,
    has_compounds,
    possible_stems,
    split_compound,
)
from ragkit.text.languages import DEFAULT, language_of
from ragkit.text.words import Word, alternatives_of, has_stemmer, words_of
from ragkit.types import Said

__all__ = [
    "ASKABLE",
    "MAX_QUESTION",
    "Query",
    "check_k",
    "check_threshold",
    "clean_question",
    "encode_questions",
    "encode_turn",
    "idf",
    "is_askable",
]

_STANDALONE = 0.3
"""What a turn's standalone wording weighs beside the turn after what was said before it; chosen on
conversations kept for choosing."""

MAX_QUESTION = 4_000
"""Code points. Far more than anyone asks; a pasted document is not a question."""

_CONTROL = r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
_INVISIBLE = (
    r"\x00-\x20\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb"
)
_VISIBLE = re.compile(f"[^{_INVISIBLE}]")

ASKABLE = f"^[^{_CONTROL}]*[^{_INVISIBLE}][^{_CONTROL}]*$"
"""What ``clean_question`` accepts, apart from the length, as a pattern for schemas (ECMA 262 and
Python): no control character except white space, and at least one visible character."""


def clean_question(question: object) -> str:
    """Return the question with every run of white space replaced by one blank.

    Raises:
        QuestionError: the question is not a string, is blank, has more than ``MAX_QUESTION`` code
            points, or holds control characters or lone surrogates.

    """
    if not isinstance(question, str):
        raise QuestionError(
            f"the question is a {type(question).__name__}; expected a str such as "
            f"'Who signed the Treaty of Rapallo?'."
        )
    if len(question) > MAX_QUESTION:
        raise QuestionError(
            f"the question has {len(question):,} characters; expected at most {MAX_QUESTION:,}. "
            f"Ask only what you want to know."
        )
    cleaned = " ".join(question.split())
    for position, character in enumerate(cleaned):
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise QuestionError(
                f"the question holds the control character U+{ord(character):04X} at position "
                f"{position}; expected text. Remove it."
            )
    if not _VISIBLE.search(cleaned):
        raise QuestionError("the question is blank; expected some words. Ask something.")
    return cleaned


def is_askable(question: object) -> bool:
    """Return whether ``clean_question`` accepts the question."""
    try:
        clean_question(question)
    except QuestionError:
        return False
    return True


def check_k(k: object) -> int:
    """Return ``k`` if it is a whole number from 1 up, else raise InputError."""
    if isinstance(k, bool) or not isinstance(k, int):
        raise InputError(f"k is {k!r} ({type(k).__name__}); expected a whole number from 1 up.")
    if k < 1:
        raise InputError(f"k is {k}; expected 1 or more: it is the number of passages to return.")
    return k


def check_threshold(threshold: object) -> float | None:
    """Return ``threshold`` if it is None or a number from 0 to 1, else raise InputError."""
    if threshold is None:
        return None
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)):
        raise InputError(f"threshold is {threshold!r}; expected a number from 0 to 1.")
    if not 0 <= threshold <= 1:
        raise InputError(f"threshold is {threshold}; expected a confidence from 0 to 1.")
    return threshold


@dataclass(frozen=True, slots=True)
class Query:
    """A question ready to be matched.

    Attributes:
        question: the question as it was asked.
        text: the encoded text: what was said before, then the question, then its standalone
            wording if that was encoded as well.
        standalone: the question by itself, for readers; the text if it is not known.
        vector: ``(d,)``, the unit vector of the whole text.
        tokens: ``(t, d)``, the unit vectors of its tokens.
        weights: ``(t,)``, the weight of each token; they sum to 1.
        words: for each token the word that it is a piece of; None for punctuation, and for what
            stands for no letters: special tokens, markers and mask tokens, of a model that was
            trained to match them.
        is_in_vocabulary: whether any of these words occurs in the corpus.
        config: the free parameters of the index.

    """

    question: str
    text: str
    standalone: str
    vector: Vectors
    tokens: Vectors
    weights: NDArray[np.float32]
    words: tuple[Word | None, ...]
    is_in_vocabulary: bool
    config: RetrievalConfig

    @property
    def reverse(self) -> float:
        """Weight of the reverse direction beside the forward one."""
        return self.config.reverse

    def stem_weights(self) -> dict[str, float]:
        """Return the sum of the token weights of each stem."""
        weights: dict[str, float] = {}
        for word, weight in zip(self.words, self.weights.tolist(), strict=True):
            if word is not None:
                weights[word.stem] = weights.get(word.stem, 0.0) + weight
        return weights


def encode_questions(
    data: IndexData,
    encoder: Encoder,
    questions: Sequence[str],
    config: RetrievalConfig,
    before: Sequence[Said] = (),
    *,
    conditions: Conditions | None = None,
) -> list[Query]:
    """Encode questions in one batch, each after what was said ``before``, and weight their tokens.

    If all documents that may be found share one title, questions are encoded with that title in
    front, as the chunks were, so that "the pact" means the same on both sides; the tokens of the
    title itself are then dropped.
    """
    asked = [_Asked(before, question) for question in questions]
    return _encode(data, encoder, asked, config, conditions)


class _Asked(NamedTuple):
    before: Sequence[Said]
    question: str

    @property
    def text(self) -> str:
        return " ".join([*(turn.text for turn in self.before), self.question])


def _encode(
    data: IndexData,
    encoder: Encoder,
    asked: Sequence[_Asked],
    config: RetrievalConfig,
    conditions: Conditions | None,
) -> list[Query]:
    title = data.title_of(conditions)
    front = "" if title is None else f"{title}. "
    texts = [one.text for one in asked]
    encoded = encoder.encode([front + text for text in texts], role="question")
    languages = [_stemmed_in(one.question, data.languages) for one in asked]
    words, frequencies = _indexed_words(data, texts, languages)
    chunks = len(data)
    return [
        _query(without_front(one, len(front)), question, text, own, before=before,
               frequencies=frequencies, chunks=chunks, config=config)
        for one, (before, question), text, own in zip(encoded, asked, texts, words, strict=True)
    ]  # fmt: skip


def encode_turn(
    data: IndexData,
    encoder: Encoder,
    question: str,
    standalone: str | None,
    *,
    config: RetrievalConfig,
    before: Sequence[Said],
    conditions: Conditions | None = None,
) -> Query:
    """Encode a turn of a conversation twice: after what was said ``before``, and ``standalone``.

    The tokens of both are matched, those of the standalone question with ``_STANDALONE`` of the
    weight: each reading finds some passages that the other misses. Where one of the two is missing,
    the other is all.
    """
    if standalone is None or not before:
        wording = question if standalone is None else standalone
        [query] = encode_questions(data, encoder, [wording], config, before, conditions=conditions)
        return replace(query, question=question)
    asked = [_Asked(before, question), _Asked((), standalone)]
    in_talk, alone = _encode(data, encoder, asked, config, conditions)
    shift = len(in_talk.text) + 1
    words = [
        word and word._replace(start=word.start + shift, end=word.end + shift)
        for word in alone.words
    ]
    shares = (1 - _STANDALONE, _STANDALONE)
    vector = shares[0] * in_talk.vector + shares[1] * alone.vector
    return replace(
        in_talk,
        text=f"{in_talk.text} {alone.text}",
        standalone=standalone,
        vector=vector / np.linalg.norm(vector),
        tokens=np.concatenate([in_talk.tokens, alone.tokens]),
        weights=np.concatenate([in_talk.weights * shares[0], alone.weights * shares[1]]).astype(
            np.float32
        ),
        words=(*in_talk.words, *words),
        is_in_vocabulary=in_talk.is_in_vocabulary or alone.is_in_vocabulary,
    )


def idf(frequency: int, chunks: int) -> float:
    """Return ``ln(1 + (N − n + ½)/(n + ½))`` for a stem in n of N chunks; always positive.

    Inverse document frequency as BM25 uses it (Robertson & Spärck Jones 1976).

    >>> round(idf(1, 100), 2)
    4.21
    """
    return math.log(1 + (chunks - frequency + 0.5) / (frequency + 0.5))


_MOST_LANGUAGES = 4
"""Languages of the corpus whose stemmers a question's words are looked up by."""


def _stemmed_in(question: str, languages: Mapping[str, int]) -> Sequence[str]:
    """The languages of the corpus, that of the question first; nothing if all are English."""
    own = language_of(question)
    ranked = sorted(languages, key=lambda language: (language != own, -languages[language]))
    return list(islice(filter(has_stemmer, ranked), _MOST_LANGUAGES))


def _indexed_words(
    data: IndexData, texts: Sequence[str], languages: Sequence[Sequence[str]]
) -> tuple[list[list[Word]], dict[str, int]]:
    """The words of texts as the corpus has them, and the number of chunks of each stem."""
    words = [words_of(text) for text in texts]
    spellings = [
        alternatives_of(text, own, stemmers)
        for text, own, stemmers in zip(texts, words, languages, strict=True)
    ]
    stems = list({stem for question in spellings for own in question for stem in own})
    frequencies = dict(zip(stems, data.frequencies(stems), strict=True))
    indexed = [
        [
            _as_indexed(word, own, frequencies)
            for word, own in zip(question, alternatives, strict=True)
        ]
        for question, alternatives in zip(words, spellings, strict=True)
    ]
    compounds = {
        (number, word): compound
        for number, (text, own, stemmers) in enumerate(zip(texts, indexed, languages, strict=True))
        for word in own
        if not frequencies[word.stem]
        for compound in _as_compounds(text[word.start : word.end], stemmers)
    }
    parts = list({stem for one in compounds.values() for stem in possible_stems(one)})
    frequencies |= dict(zip(parts, data.frequencies(parts), strict=True)) if parts else {}
    for (number, word), compound in compounds.items():
        split = split_compound(compound, lambda stem: frequencies.get(stem, 0) > 0)
        if split:
            place = indexed[number].index(word)
            indexed[number][place : place + 1] = [
                Word(stem, word.start + span.start, word.start + span.end) for span, stem in split
            ]
    return indexed, frequencies


def _as_compounds(word: str, languages: Sequence[str]) -> Iterable[Compound]:
    """The word as a compound of the first of the languages that has any.

    Questions are often typed without capitals. A word whose letters are written in another number
    of characters there is left out, since its parts could not be placed.
    """
    language = next(filter(has_compounds, languages), DEFAULT)
    compounds = compounds_in(word[:1].upper() + word[1:], language)
    return [compound for compound in compounds if len(compound.word) == len(word)]


def _as_indexed(word: Word, spellings: Sequence[str], frequencies: dict[str, int]) -> Word:
    """The word by the first of its spellings that the corpus has; unchanged if it has none."""
    stem = next((stem for stem in spellings if frequencies[stem]), word.stem)
    return word._replace(stem=stem)


def _query(
    encoded: Encoded,
    question: str,
    text: str,
    words: Sequence[Word],
    *,
    before: Sequence[Said],
    frequencies: dict[str, int],
    chunks: int,
    config: RetrievalConfig,
) -> Query:
    owners = _owners(encoded.starts, words)
    pieces = Counter(owners)
    shares = _shares(encoded.starts, before)
    weights = np.asarray(
        [
            0.0
            if word is None
            else share
            * idf(frequencies[word.stem], chunks) ** config.idf_power
            / pieces[word] ** 0.5
            for word, share in zip(owners, shares, strict=True)
        ],
        dtype=np.float32,
    )
    if not weights.any():  # punctuation alone
        weights = np.ones(len(weights), dtype=np.float32)
    else:
        # What stands for no letters counts like the mean piece of a word, so that markers and mask
        # tokens together have the share beside the words that they had when the model was trained.
        weights[encoded.starts < 0] = weights[weights > 0].mean()
    weights /= max(float(weights.sum()), 1e-9)
    in_vocabulary = any(word is not None and frequencies[word.stem] for word in owners)
    return Query(
        question, text, text, encoded.vector, encoded.tokens, weights, tuple(owners), in_vocabulary,
        config,
    )  # fmt: skip


def _owners(starts: NDArray[np.int64], words: Sequence[Word]) -> list[Word | None]:
    """The word that each token is a piece of; None for punctuation."""
    before = np.searchsorted([word.start for word in words], starts, side="right") - 1
    nearest = [words[b] if b >= 0 else None for b in before]
    return [w if w and s < w.end else None for w, s in zip(nearest, starts, strict=True)]


def _shares(starts: NDArray[np.int64], before: Sequence[Said]) -> list[float]:
    """What each token counts: 1 in the question, the given weight in what was said before."""
    ends = np.cumsum([len(turn.text) + 1 for turn in before])
    part = np.searchsorted(ends, starts, side="right")
    shares: list[float] = np.asarray([*(turn.weight for turn in before), 1.0])[part].tolist()
    return shares
