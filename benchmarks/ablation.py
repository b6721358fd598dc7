"""Measure what each part of retrieval contributes, by leaving out one part at a time.

    python -m benchmarks.ablation [--xquad xquad.en.json] [--split dev]

Writes ``benchmarks/results/ablation.md``. The parameters were tuned on ``dev``;
``test`` was only measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

from ragkit import Answer, Index, load_encoder
from ragkit.answering import DEPTH, THRESHOLD, compose
from ragkit.default import default_index
from ragkit.evaluation import Report, compare_reports, evaluate_index, load_dataset, load_set
from ragkit.evaluation.questions import QuestionSet
from ragkit.index import IndexData
from ragkit.reading import Result
from ragkit.retrieval import Query, Retrieved, encode_questions, ranking, score_chunks

HERE = Path(__file__).parent
OUT = HERE / "results" / "ablation.md"
MEASURES = ("Success@1", "Success@3", "Success@5", "highlight")

Ask = Callable[[str], Answer]
Variant = tuple[str, AbstractContextManager[object], Ask | None, Index]


def variants(index: Index) -> Iterator[Variant]:
    """Yield each variant: its name, the patch it needs, how it asks (None: as usual), its index."""
    yield "complete", nullcontext(), None, index
    yield (
        "one vector a chunk",
        nullcontext(),
        partial(ask_in_order, index, partial(by_vector, index)),
        index,
    )
    yield (
        "approximate scores alone",
        nullcontext(),
        partial(ask_in_order, index, by_approximate_scores),
        index,
    )
    yield "without the reverse direction", nullcontext(), None, with_parameters(index, reverse=0.0)
    yield "without word weights", nullcontext(), None, with_parameters(index, idf_power=0.0)
    yield (
        "without words in the approximate scores",
        patch.object(ranking, "_LEXICAL", 0.0),
        None,
        index,
    )
    yield "without approximate scores", patch.object(ranking, "EXACT", len(index)), None, index
    yield (
        "questions encoded by the reference model",
        nullcontext(),
        None,
        with_reference_encoder(index),
    )


def with_parameters(index: Index, **changed: float) -> Index:
    return index.with_config(replace(index.config, **changed))


def with_reference_encoder(index: Index) -> Index:
    return Index(index._local(), load_encoder(runtime="reference"))


def ask_in_order(
    index: Index, order: Callable[[IndexData, Query], np.ndarray], question: str
) -> Answer:
    """Answer with the passages in another order than that of late interaction."""
    data = index._data
    [query] = encode_questions(data, index.encoder, [question], index.config)
    scored = {one.chunk: one for one in score_chunks(data, query, len(data))}
    best = [scored[int(chunk)] for chunk in order(data, query)[: 2 * DEPTH]]
    retrieved = Retrieved(list(scored.values()), best)
    return compose(data, Result(query, retrieved), k=2 * DEPTH, threshold=THRESHOLD)


def by_vector(index: Index, data: IndexData, query: Query) -> np.ndarray:
    """Return the chunks by cosine with the question's vector, as the peers do: without a title."""
    [encoded] = index.encoder.encode([query.question])
    return data.nearest(encoded.vector, len(data))[0]


def by_approximate_scores(data: IndexData, query: Query) -> np.ndarray:
    """Return the chunks by the score that ``ranking`` chooses candidates by."""
    weights = query.stem_weights()
    candidates = ranking._candidates(data, query, weights, len(data), None)
    scores = ranking._candidate_scores(data, query, weights, candidates)
    order: np.ndarray = candidates[0][np.argsort(-scores, kind="stable")]
    return order


def measure(index: Index, questions: QuestionSet) -> dict[str, Report]:
    reports = {}
    for name, patched, ask, variant in variants(index):
        with patched:
            reports[name] = evaluate_index(questions, variant, ask=ask)
    return reports


def table(title: str, reports: dict[str, Report]) -> str:
    """Return Markdown: each variant's measures, and how its Success@1 differs from the complete."""
    head = ["", *MEASURES, "Success@1 without − with (95 %)", "p"]
    lines = [f"## {title}", "", row(head), row(["---"] * len(head))]
    complete = reports["complete"]
    for name, report in reports.items():
        summary = report.summary()
        cells = [f"{summary[measure]:.3f}" for measure in MEASURES]
        if report is complete:
            lines.append(row([name, *cells, "", ""]))
            continue
        [change] = [c for c in compare_reports(complete, report) if c.measure == "Success@1"]
        gap = f"{change.difference:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"
        lines.append(row([name, *cells, gap, f"{change.p:.3f}"]))
    return "\n".join(lines)


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--xquad", type=Path, help="SQuAD-style JSON to measure on too")
    chosen = parser.parse_args()
    index = default_index().with_reader(None)
    questions = load_set(HERE.parent / "eval" / "questions.jsonl", index)
    parts = [
        table(f"eval/, {split} ({note})", measure(index, questions.of_split(split)))
        for split, note in (("dev", "tuned on"), ("test", "only measured"))
    ]
    if chosen.xquad:
        documents, squad_questions = load_dataset(f"squad:{chosen.xquad}")
        parts.append(
            table(
                f"{chosen.xquad.name} (tuned on)",
                measure(Index.build(documents, reader=None), squad_questions),
            )
        )
    note = (
        "# What each part of retrieval contributes\n\nMade by `python -m benchmarks.ablation`. "
        "Each row leaves out one part. p: paired randomisation test of Success@1, two-sided, not "
        "adjusted."
    )
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("\n\n".join([note, *parts]) + "\n", encoding="utf-8")
    print(OUT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
