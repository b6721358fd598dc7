"""What the library itself finds for each question: the passages a reader must tell apart.

Articles of one split and source are put in groups of a few hundred paragraphs, each group is
indexed, and its questions are asked. One file a group, so that it can be stopped and goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from training.pack_contrast import write_lines
from training.sources import Paragraph, Question, Source, load_all, read_lines
from training.splits import Splits, load_splits

DEPTH = 10


@dataclass(frozen=True)
class Batch:
    """Paragraphs that are indexed together and the answerable questions about them."""

    name: str
    paragraphs: tuple[Paragraph, ...]
    questions: tuple[Question, ...]


def batches(source: Source, splits: Splits, split: str, size: int = 700) -> Iterator[Batch]:
    """Whole articles, in an order drawn by a fixed seed, some ``size`` paragraphs at a time."""
    by_article: dict[str, list[Paragraph]] = {}
    for paragraph in source.paragraphs:
        if splits.of(paragraph.article) == split or split == "all":
            by_article.setdefault(paragraph.article, []).append(paragraph)
    names = sorted(by_article)
    random.Random(17).shuffle(names)  # noqa: S311
    chosen: list[Paragraph] = []
    count = 0
    for name in names:
        chosen += by_article[name]
        if len(chosen) >= size:
            yield _batch(source, split, count, chosen)
            chosen, count = [], count + 1
    if chosen:
        yield _batch(source, split, count, chosen)


def _batch(source: Source, split: str, count: int, paragraphs: Sequence[Paragraph]) -> Batch:
    here = {p.id for p in paragraphs}
    questions = tuple(q for q in source.questions if q.paragraph in here and q.answerable)
    return Batch(f"{source.name}-{split}-{count:03d}", tuple(paragraphs), questions)


def mine(batch: Batch, depth: int = DEPTH, most: int | None = None) -> list[dict[str, object]]:
    """For each question, or ``most`` of them, the ids and scores of what ``ragkit`` finds first."""
    from ragkit import Document, Index

    documents = [Document(id=p.id, title=p.title, text=p.text) for p in batch.paragraphs]
    index = Index.build(documents, reader=None)
    found: list[dict[str, object]] = []
    for question in _some(batch.questions, most):
        passages = index.search(question.text, k=depth + 4)
        best: dict[str, float] = {}
        for passage in passages:
            best.setdefault(passage.citation.document_id, passage.score)
        ids = list(best)[:depth]
        scores = [round(best[i], 4) for i in ids]
        found.append({"question": question.id, "found": ids, "scores": scores})
    return found


def _some(questions: Sequence[Question], most: int | None) -> Sequence[Question]:
    if most is None or most >= len(questions):
        return questions
    return random.Random(3).sample(questions, most)  # noqa: S311


def load_mined(folder: Path) -> dict[str, list[str]]:
    return {
        line["question"]: line["found"]
        for path in sorted(folder.glob("*.jsonl.gz"))
        for line in read_lines(path)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sources", nargs="+", required=True)
    parser.add_argument("--splits", nargs="+", default=["train"])
    parser.add_argument("--part", type=int, default=0, help="of --parts, for several processes")
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--most", type=int, help="questions of each group of articles")
    parser.add_argument("--groups", type=int, help="of articles, of each source and split")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sources, splits = load_all(options.data), load_splits()
    todo = [
        batch
        for name in options.sources
        for split in options.splits
        for batch in islice(batches(sources[name], splits, split), options.groups)
    ]
    for batch in todo[options.part :: options.parts]:
        path = options.out / f"{batch.name}.jsonl.gz"
        if path.exists():
            continue
        begun = time.monotonic()
        write_lines(path, mine(batch, most=options.most))
        took = round(time.monotonic() - begun)
        print(json.dumps({"batch": batch.name, "questions": len(batch.questions), "s": took}))


if __name__ == "__main__":
    main()
