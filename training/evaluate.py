"""What a checkpoint is worth, on articles that it was never trained on.

``python -m training.evaluate CHECKPOINT --data DIR`` prints a Markdown table and writes JSON.
Ranking needs what ``training.mining`` wrote for the held-out articles (``--mined``).
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ragkit.evaluation.measures import token_f1
from training.measures import auroc
from training.model import load_reader
from training.reading import Desk
from training.sources import Paragraph, Question, Source, load_all, read_lines
from training.splits import Splits, load_splits

Figures = dict[str, float]
MIXES = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0)


@dataclass(frozen=True)
class Part:
    """The questions of one source's articles in some split, and all their paragraphs."""

    paragraphs: Mapping[str, Paragraph]
    questions: Sequence[Question]

    def some(self, most: int, seed: int = 3) -> list[Question]:
        chosen = list(self.questions)
        random.Random(seed).shuffle(chosen)  # noqa: S311
        return chosen[:most]


def part_of(source: Source, splits: Splits, split: str) -> Part:
    kept = {p.id: p for p in source.paragraphs if splits.of(p.article) == split}
    return Part(kept, [q for q in source.questions if q.paragraph in kept])


def read_alone(desk: Desk, part: Part, most: int) -> tuple[Figures, dict[str, float]]:
    """Each question with its own passage: AUROC, token F1 of the words, and each one's score."""
    asked = part.some(most)
    found = desk.read([(q.text, part.paragraphs[q.paragraph]) for q in asked])
    scores = {q.id: r.score for q, r in zip(asked, found, strict=True)}
    said = [
        token_f1(r.words, [q.answer])
        for q, r in zip(asked, found, strict=True)
        if q.answer is not None
    ]
    real = [scores[q.id] for q in asked if q.answerable]
    other = [scores[q.id] for q in asked if not q.answerable]
    figures = {"questions": float(len(asked)), "span_f1": sum(said) / max(len(said), 1)}
    return figures | ({"auroc": auroc(real, other)} if other else {}), scores


def in_pairs(part: Part, scores: Mapping[str, float]) -> Figures:
    """The share of pairs in which the answerable question scores higher, by kind."""
    order: dict[str, list[bool]] = defaultdict(list)
    for question in part.questions:
        twin = question.twin or ""
        if question.answerable or question.id not in scores or twin not in scores:
            continue
        higher = scores[twin] > scores[question.id]
        order["all"].append(higher)
        order[question.kind].append(higher)
    return {f"pairs_{kind}": sum(o) / len(o) for kind, o in sorted(order.items())} | {
        "pairs": float(len(order["all"]))
    }


def load_found(folder: Path) -> dict[str, list[tuple[str, float]]]:
    return {
        line["question"]: list(zip(line["found"], line["scores"], strict=True))
        for path in sorted(folder.glob("*.jsonl.gz"))
        for line in read_lines(path)
        if "scores" in line
    }


def ranked(
    desk: Desk, part: Part, found: Mapping[str, Sequence[tuple[str, float]]], most: int
) -> Figures:
    """Success@1 among the library's first ten: by the library, by the reader, by both.

    ``mix_W``: the reader's score and W times the library's. Right is the passage that
    the question was written for.
    """
    asked = [q for q in part.some(len(part.questions)) if q.answerable and q.id in found][:most]
    if not asked:
        return {}
    pairs = [(q.text, part.paragraphs[i]) for q in asked for i, _ in found[q.id]]
    scores = iter([r.score for r in desk.read(pairs)])
    hits: dict[str, list[bool]] = defaultdict(list)
    for question in asked:
        lines = [(i, library, next(scores)) for i, library in found[question.id]]
        hits["library"].append(_right(lines[0][0], question))
        hits["among_ten"].append(any(_right(i, question) for i, *_ in lines))
        for mix in MIXES:
            first = max(lines, key=lambda line: line[2] + mix * line[1])
            hits[f"mix_{mix:g}"].append(_right(first[0], question))
    return {name: sum(h) / len(h) for name, h in hits.items()} | {"questions": float(len(asked))}


def _right(found: str, question: Question) -> bool:
    return found == question.paragraph


def real_queries(
    desk: Desk, part: Part, found: Mapping[str, Sequence[tuple[str, float]]], most: int
) -> Figures:
    """AUROC of a real query's own passage against the best other one that the library finds."""
    asked = [q for q in part.some(len(part.questions)) if q.answerable and q.id in found][:most]
    others = {q.id: [i for i, _ in found[q.id] if i != q.paragraph][:3] for q in asked}
    asked = [q for q in asked if others[q.id]]
    if not asked:
        return {}
    own = [r.score for r in desk.read([(q.text, part.paragraphs[q.paragraph]) for q in asked])]
    pairs = [(q, i) for q in asked for i in others[q.id]]
    read = desk.read([(q.text, part.paragraphs[i]) for q, i in pairs])
    best: dict[str, float] = {}
    for (question, _), reading in zip(pairs, read, strict=True):
        best[question.id] = max(best.get(question.id, -1e9), reading.score)
    return {"auroc_best_of_three_wrong": auroc(own, list(best.values()))}


def evaluate(
    desk: Desk, data: Path, mined: Path, *, split: str, most: int, only: str = ""
) -> dict[str, Figures]:
    """Every set's figures by its name; ``only`` those with this in their name."""
    sources, splits = load_all(data), load_splits()
    found = load_found(mined)
    parts = {n: part_of(sources[n], splits, split) for n in ("contrast", "squad1", "squad2", "nq")}
    parts["xquad"] = part_of(sources["xquad"], splits, "xquad")
    figures: dict[str, Figures] = {}

    def note(name: str, made: Callable[[], Figures]) -> None:
        if only not in name:
            return
        begun = time.monotonic()
        figures[name] = made()
        print(json.dumps({name: figures[name], "s": round(time.monotonic() - begun)}), flush=True)

    def pairs() -> Figures:
        alone, scores = read_alone(desk, parts["contrast"], 10**6)
        return alone | in_pairs(parts["contrast"], scores)

    note("minimal pairs", pairs)
    note("SQuAD 2.0", lambda: read_alone(desk, parts["squad2"], 3 * most)[0])
    note("SQuAD 1.1", lambda: read_alone(desk, parts["squad1"], most)[0])
    note("Natural Questions", lambda: read_alone(desk, parts["nq"], most)[0])
    note("XQuAD", lambda: read_alone(desk, parts["xquad"], most)[0])
    note("Natural Questions, wrong passages", lambda: real_queries(desk, parts["nq"], found, most))
    for name, title in (("xquad", "XQuAD"), ("nq", "Natural Questions"), ("squad1", "SQuAD 1.1")):
        note(f"{title}, first of ten", lambda name=name: ranked(desk, parts[name], found, most))  # type: ignore[misc]
    return figures


def markdown(figures: Mapping[str, Figures]) -> str:
    lines = ["| set | measure | value |", "|---|---|---|"]
    for name, measured in figures.items():
        for measure, value in measured.items():
            shown = f"{value:.0f}" if measure in {"questions", "pairs"} else f"{value:.3f}"
            lines.append(f"| {name} | {measure} | {shown} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--mined", type=Path, default=Path("training/.work/mined"))
    parser.add_argument("--split", default="test")
    parser.add_argument("--most", type=int, default=400, help="questions of each set")
    parser.add_argument("--only", default="", help="sets with this in their name")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    desk = Desk(load_reader(options.checkpoint), torch.device(device))
    figures = evaluate(
        desk,
        options.data,
        options.mined,
        split=options.split,
        most=options.most,
        only=options.only,
    )
    print(markdown(figures))
    out = options.out or options.checkpoint / f"figures-{options.split}.json"
    content: dict[str, Any] = {"split": options.split, "most": options.most, "figures": figures}
    out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
