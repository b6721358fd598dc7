"""Success@k where a question's document is known: three textbooks, and the Cranfield collection.

    python -m benchmarks.success --books FOLDER --cranfield FOLDER [--save]

FOLDER of books holds paragraphs and review questions, each with its module, as JSON Lines; a
module is indexed as one document with its sections. FOLDER of Cranfield is in the layout of BEIR.
A question succeeds at k if one of the first k passages is of its module, or of a document that was
judged relevant. ragkit without a reader is compared with BM25 and with one vector a passage over
the same passages. Writes ``benchmarks/results/success.md``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import machine, today
from ragkit import Document, Index
from ragkit.evaluation import load_dataset
from ragkit.text.words import words_of
from ragkit.types import Chunk

RESULTS = Path(__file__).parent / "results" / "success.md"
CUTOFFS = (1, 3, 5)
_CONTROL = re.compile("[\x80-\x9f]")
"""Quotation marks of another encoding, in some of the books' questions."""
K1, B = 1.2, 0.75
"""The usual parameters of BM25, not tuned."""

Ranking = Callable[[str], Sequence[str]]
"""Question → ids of the documents of the best passages, in order."""


@dataclass(frozen=True)
class Collection:
    """Documents, and for each question the ids of those that are right."""

    name: str
    documents: Sequence[Document]
    questions: Sequence[tuple[str, frozenset[str]]]


def load_books(folder: Path) -> Collection:
    paragraphs = _json_lines(folder / "openstax-3-books.jsonl.gz")
    documents = [
        Document(name.replace("/", "-"), own[0]["title"], "\n\n".join(_with_headings(own)))
        for name, group in groupby(paragraphs, key=lambda one: one["_id"].rsplit("/", 1)[0])
        for own in [list(group)]
    ]
    questions = [
        (_CONTROL.sub(" ", one["question"]), frozenset({f"{one['book']}-{one['module']}"}))
        for one in _json_lines(folder / "openstax-review-questions.jsonl.gz")
    ]
    return Collection("Three textbooks", documents, questions)


def _json_lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _with_headings(paragraphs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for section, own in groupby(paragraphs, key=lambda one: one["section"]):
        if section:
            yield f"== {' '.join(section.split())} =="
        yield from (one["text"] for one in own)


def load_cranfield(folder: Path) -> Collection:
    documents, questions = load_dataset(f"beir:{folder}")
    return Collection(
        "Cranfield",
        [one for one in documents if one.text.strip()],  # two have a title alone
        [
            (one.text, frozenset(part.document_id for part in one.evidence))
            for one in questions.questions
        ],
    )


def rankings(index: Index) -> dict[str, Ranking]:
    return {
        "ragkit, without a reader": lambda question: [
            passage.citation.document_id for passage in index.search(question, k=max(CUTOFFS))
        ],
        "one vector a passage": lambda question: _by_vector(index, question),
        "BM25": BM25(index),
    }


def _by_vector(index: Index, question: str) -> list[str]:
    data = index._local().data
    [encoded] = index.encoder.encode([question])
    best = data.nearest(encoded.vector, max(CUTOFFS))[0]
    return [chunk.document_id for chunk in data.chunks([int(one) for one in best])]


class BM25:
    """Ranks an index's passages by the words of their text, their headings and their title."""

    def __init__(self, index: Index) -> None:
        documents = {document.id: document for document in index.documents}
        data = index._local().data
        chunks = data.chunks(range(len(data)))
        self._owners = [chunk.document_id for chunk in chunks]
        bags = [Counter(_stems(_context(documents[one.document_id], one))) for one in chunks]
        lengths = np.array([sum(bag.values()) for bag in bags])
        self._norms = K1 * (1 - B + B * lengths / lengths.mean())
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, bag in enumerate(bags):
            for stem, count in bag.items():
                self._postings[stem].append((number, count))

    def __call__(self, question: str) -> list[str]:
        """Return the owners of the best passages."""
        scores = np.zeros(len(self._owners))
        for stem in set(_stems(question)):
            own = self._postings.get(stem, [])
            idf = math.log(1 + (len(scores) - len(own) + 0.5) / (len(own) + 0.5))
            for number, count in own:
                scores[number] += idf * count * (K1 + 1) / (count + self._norms[number])
        best = np.argsort(-scores, kind="stable")[: max(CUTOFFS)]
        return [self._owners[number] for number in best]


def _context(document: Document, chunk: Chunk) -> str:
    headings = document.sections[chunk.section].path
    return " ".join([document.title, *headings, document.text[chunk.start : chunk.end]])


def _stems(text: str) -> list[str]:
    return [word.stem for word in words_of(text)]


def success(collection: Collection, ranking: Ranking) -> list[float]:
    hits: Counter[int] = Counter()
    for question, right in collection.questions:
        owners = ranking(question)
        hits.update(k for k in CUTOFFS if right.intersection(owners[:k]))
    return [hits[k] / len(collection.questions) for k in CUTOFFS]


def measure(collection: Collection) -> str:
    """Return the collection's part of the page."""
    started = time.perf_counter()
    index = Index.build(collection.documents, reader=None)
    seconds = time.perf_counter() - started
    passages = len(index)
    lines = [
        f"## {collection.name}",
        f"{len(collection.documents):,} documents, {passages:,} passages, "
        f"{len(collection.questions):,} questions; built in {seconds:.0f} s.",
        "|  | Success@1 | Success@3 | Success@5 |\n| --- | ---: | ---: | ---: |\n"
        + "\n".join(
            f"| {name} | {' | '.join(f'{value:.3f}' for value in success(collection, ranking))} |"
            for name, ranking in rankings(index).items()
        ),
    ]
    return "\n\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", type=Path, help="folder of the textbooks")
    parser.add_argument("--cranfield", type=Path, help="folder of Cranfield")
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    collections = [load_books(chosen.books)] if chosen.books else []
    collections += [load_cranfield(chosen.cranfield)] if chosen.cranfield else []
    head = (
        "# Where a question's document stands\n\nMade by `python -m benchmarks.success` on "
        f"{today()}: {machine()}. Without a reader; a success at k is one of the first k passages "
        "that is of a right document. BM25 has the same passages, with their headings and title "
        f"(k1 {K1}, b {B}); one vector a passage is that of the same model."
    )
    page = "\n\n".join([head, *map(measure, collections)]) + "\n"
    print(page)
    if chosen.save:
        RESULTS.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
