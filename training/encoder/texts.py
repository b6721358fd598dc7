"""Passages and questions as arrays of token ids: what the encoder is trained on, in one file.

A passage is a chunk, cut by the library's own chunker; a question belongs to the chunk that has
its answer. Sentences, the weights of a question's words and what stands in front of a passage are
those of the library, so that what is trained is what is asked.
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import tokenizers

from ragkit import Document
from ragkit.chunking import Chunker, context
from ragkit.corpus.headings import parse_sections
from ragkit.encoding.encoder import load_tokenizer
from ragkit.retrieval.query import idf
from ragkit.text.words import stems_of, words_of
from ragkit.types import Chunk
from training.model import CLS, SEP
from training.sources import Paragraph, Question, Source, load_all
from training.splits import TRAIN, Splits, load_splits
from training.windows import model_folder

SOURCES: Final = ("squad1", "squad2", "nq", "contrast", "paraphrase")
WINDOW: Final = 254
QUESTION: Final = 64
POWER: Final = 0.5
MEANINGFUL: Final = "%&#@§‰"
"""Marks that Unicode counts as punctuation, and that mean something."""


@dataclass
class Lists:
    """Lists of numbers of many lengths, one behind another."""

    values: list[npt.NDArray[np.float32] | npt.NDArray[np.int32]] = field(default_factory=list)

    def add(self, numbers: Iterable[float], kind: type[np.generic] = np.int32) -> int:
        self.values.append(np.asarray(list(numbers), kind))
        return len(self.values) - 1

    def arrays(self, name: str) -> dict[str, npt.NDArray[np.generic]]:
        ends = np.cumsum([0, *map(len, self.values)])
        return {name: np.concatenate(self.values), f"{name}_at": ends}


@dataclass(frozen=True)
class Passage:
    """``marks`` has for each token the number of its sentence, -1 where it counts for none."""

    ids: tuple[int, ...]
    marks: tuple[int, ...]
    stems: frozenset[str]
    start: int
    end: int


@dataclass(frozen=True)
class Frequencies:
    """In how many of ``size`` passages each stem is."""

    of_stem: Counter[str]
    size: int

    @classmethod
    def of(cls, passages: Sequence[Passage]) -> Frequencies:
        return cls(Counter(stem for p in passages for stem in p.stems), len(passages))


class Builder:
    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.fronts, self.front_marks = Lists(), Lists()
        self.bodies, self.marks = Lists(), Lists()
        self.questions, self.wide, self.narrow = Lists(), Lists(), Lists()
        self.of_passage: list[tuple[int, int]] = []  # its front and its article
        self.of_question: list[tuple[int, int]] = []  # its passage and its source
        self.counts: Counter[str] = Counter()

    def add(
        self, sources: Mapping[str, Source], names: Sequence[str], splits: Splits, split: str
    ) -> None:
        """All questions of the sources' articles in ``split``; the same paragraph once."""
        paragraphs, asked = _joined(sources, names, splits, split)
        articles: dict[str, list[tuple[Paragraph, list[Passage]]]] = {}
        for paragraph in paragraphs:
            articles.setdefault(paragraph.article, []).append(
                (paragraph, self._passages(paragraph))
            )
        everywhere = Frequencies.of([p for cut in articles.values() for _, own in cut for p in own])
        for number, cut in enumerate(articles.values()):
            here = Frequencies.of([passage for _, own in cut for passage in own])
            for paragraph, own in cut:
                first = len(self.of_passage)
                self._add_passages(paragraph, own, number)
                for question, source in asked.get(_key(paragraph), ()):
                    place = _place(question, own)
                    if place is None:
                        self.counts["answer in no passage"] += 1
                        continue
                    self._add_question(question.text, everywhere, here)
                    self.of_question.append((first + place, SOURCES.index(source)))
                    self.counts[f"questions {source}"] += 1
        self.counts["passages"] += everywhere.size
        self.counts["articles"] += len(articles)

    def _add_passages(self, paragraph: Paragraph, own: Sequence[Passage], article: int) -> None:
        front = self._front(paragraph)
        for passage in own:
            self.bodies.add(passage.ids)
            self.marks.add(passage.marks)
            self.of_passage.append((front, article))

    def _front(self, paragraph: Paragraph) -> int:
        ids, marks = tokens_of(self.tokenizer, f"{paragraph.title}. ", ())
        self.front_marks.add(marks)
        return self.fronts.add(ids)

    def _passages(self, paragraph: Paragraph) -> list[Passage]:
        document = document_of(paragraph)
        chunks = chunks_of(self.tokenizer, document)
        return [passage_of(self.tokenizer, document, chunk) for chunk in chunks]

    def _add_question(self, text: str, everywhere: Frequencies, here: Frequencies) -> None:
        ids, weights = question_of(self.tokenizer, text, (everywhere, here))
        self.questions.add(ids)
        self.wide.add(weights[0], np.float32)
        self.narrow.add(weights[1], np.float32)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        lists = {
            "fronts": self.fronts,
            "front_marks": self.front_marks,
            "bodies": self.bodies,
            "marks": self.marks,
            "questions": self.questions,
            "wide": self.wide,
            "narrow": self.narrow,
        }
        return {
            **dict(chain.from_iterable(v.arrays(k).items() for k, v in lists.items())),
            "of_passage": np.asarray(self.of_passage, np.int32),
            "of_question": np.asarray(self.of_question, np.int32),
        }


def _joined(
    sources: Mapping[str, Source], names: Sequence[str], splits: Splits, split: str
) -> tuple[list[Paragraph], dict[tuple[str, str], list[tuple[Question, str]]]]:
    """Each paragraph once, whatever sources have it, and the questions of all of these."""
    paragraphs: dict[tuple[str, str], Paragraph] = {}
    asked: dict[tuple[str, str], list[tuple[Question, str]]] = {}
    for name in names:
        by_id = {p.id: p for p in sources[name].paragraphs if splits.of(p.article) == split}
        for paragraph in by_id.values():
            paragraphs.setdefault(_key(paragraph), paragraph)
        for question in sources[name].questions:
            own = by_id.get(question.paragraph)
            if own is not None and question.answerable:
                asked.setdefault(_key(own), []).append((question, name))
    return list(paragraphs.values()), asked


def _key(paragraph: Paragraph) -> tuple[str, str]:
    return paragraph.article, paragraph.text


def _place(question: Question, passages: Sequence[Passage]) -> int | None:
    """The passage that has the beginning of the answer."""
    start = question.start or 0
    return next((i for i, p in enumerate(passages) if p.start <= start < p.end), None)


def document_of(paragraph: Paragraph) -> Document:
    document = Document(id=paragraph.id, title=paragraph.title, text=paragraph.text)
    return replace(document, sections=parse_sections(document.text))


def chunks_of(tokenizer: tokenizers.Tokenizer, document: Document) -> list[Chunk]:
    def count(texts: Sequence[str]) -> list[int]:
        return [len(e.ids) for e in tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    return Chunker().chunks(document, count=count, window=WINDOW)


def passage_of(tokenizer: tokenizers.Tokenizer, document: Document, chunk: Chunk) -> Passage:
    """The chunk without what stands in front of it."""
    start, end = chunk.body
    text = document.text[start:end]
    ids, marks = tokens_of(tokenizer, text, [(a - start, b - start) for a, b in chunk.sentences])
    whole = context(document, chunk.section, chunk.lead) + text
    return Passage(tuple(ids), tuple(marks), frozenset(stems_of(whole)), start, end)


def tokens_of(
    tokenizer: tokenizers.Tokenizer, text: str, sentences: Sequence[tuple[int, int]]
) -> tuple[list[int], list[int]]:
    """Token ids, and for each the number of its sentence: 0 without any, -1 for punctuation."""
    encoding = tokenizer.encode(text, add_special_tokens=False)
    marks = []
    for start, end in encoding.offsets:
        inside = next((i for i, (a, b) in enumerate(sentences) if a <= start < b), 0)
        marks.append(inside if counts(text[start:end]) else -1)
    return encoding.ids, marks


def counts(piece: str) -> bool:
    """Whether a token takes part in scoring: all but single marks of punctuation.

    >>> [piece for piece in (".", "a", "%", "=", "##s") if counts(piece)]
    ['a', '%', '=', '##s']
    """
    return len(piece) != 1 or piece in MEANINGFUL or unicodedata.category(piece)[0] != "P"


@cache
def silent_ids() -> npt.NDArray[np.int64]:
    """The tokens that do not count, [CLS] and [SEP] among them."""
    vocabulary = load_tokenizer(model_folder() / "tokenizer.json").get_vocab()
    return np.asarray(sorted([CLS, SEP, *(i for t, i in vocabulary.items() if not counts(t))]))


def question_of(
    tokenizer: tokenizers.Tokenizer, text: str, corpora: Sequence[Frequencies]
) -> tuple[list[int], list[list[float]]]:
    """Token ids, and the weight of each in every corpus, as ``retrieval.query`` has them."""
    encoding = tokenizer.encode(text, add_special_tokens=False)
    words = words_of(text)
    owners = [
        next((i for i, w in enumerate(words) if w.start <= start < w.end), None)
        for start, _ in encoding.offsets
    ]
    pieces = Counter(owners)
    weights = []
    for corpus in corpora:
        own = [
            0.0
            if o is None
            else idf(corpus.of_stem[words[o].stem], corpus.size) ** POWER / pieces[o] ** 0.5
            for o in owners
        ]
        own = own if any(own) else [1.0] * len(own)
        total = sum(own) or 1.0
        weights.append([w / total for w in own][:QUESTION])
    return encoding.ids[:QUESTION], weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sources", nargs="+", default=list(SOURCES))
    parser.add_argument("--split", default=TRAIN)
    options = parser.parse_args()
    builder = Builder(load_tokenizer(model_folder() / "tokenizer.json"))
    builder.add(load_all(options.data), options.sources, load_splits(), options.split)
    np.savez_compressed(options.out, **builder.arrays())  # type: ignore[arg-type]
    print(json.dumps(dict(sorted(builder.counts.items())), indent=1))


if __name__ == "__main__":
    main()
