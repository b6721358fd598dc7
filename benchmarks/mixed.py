"""The seed article among many other passages: ``python -m benchmarks.mixed --index MIXED``.

MIXED is an index of the article in ``seeds/`` and of other documents. Every question of ``eval/``
is asked of the article's own index, of MIXED, and of MIXED with the other documents filtered out.
For each question that is answered worse among the others, the report names the stage that lost it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.report import machine, today
from ragkit import Index
from ragkit.evaluation import (
    Comparison,
    Question,
    QuestionSet,
    Report,
    compare_reports,
    evaluate_index,
    load_set,
)
from ragkit.index import Conditions
from ragkit.retrieval import encode_questions, ranking, score_chunks
from ragkit.storage.arrays import Integers
from ragkit.text.spans import Span
from ragkit.types import Chunk

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "mixed.md"
SEED = "germany-soviet-union-relations-1918-1941"
MEASURES = ("Success@1", "Success@3", "Success@5", "abstention")
_FILTERED = (
    "*Filtered* finds no other document, and encodes each question with the article's title in "
    'front, as its own index does, so that "the pact" means the same on both sides. The first row '
    "and the third differ because inverse document frequency counts all passages; the third and "
    "the second because the others' passages compete, and because a question to documents of "
    "several titles is encoded without a title."
)
LOST = {
    "candidates": "not among the candidates by vector and words",
    "approximate": "dropped by the approximate scores",
    "others": "ranked below passages of other documents",
    "own": "ranked below passages of the article itself",
}


def reports(mixed: Index, alone: Index, questions: QuestionSet) -> dict[str, Report]:
    """Ask the same single questions in three ways."""
    only_seed = partial(mixed.ask, k=10, where={"id": SEED})
    return {
        "the article alone": evaluate_index(questions, alone, ask=partial(alone.ask, k=10)),
        "among the others": evaluate_index(questions, mixed, ask=partial(mixed.ask, k=10)),
        "among them, filtered": evaluate_index(questions, mixed, ask=only_seed),
    }


def lost_at(mixed: Index, question: Question, gold: Integers) -> str:
    """Return the stage that put another passage before every passage with evidence."""
    data = mixed._local().data
    [query] = encode_questions(data, mixed.encoder, [question.text], mixed.config)
    weights = query.stem_weights()
    candidates = ranking._candidates(data, query, weights, ranking.CANDIDATES, None)
    if not np.isin(gold, candidates[0]).any():
        return "candidates"
    promising = ranking._most_promising(data, query, weights, candidates, ranking.EXACT)
    if not np.isin(gold, promising).any():
        return "approximate"
    first = score_chunks(data, query, ranking.EXACT)[0]
    return "own" if data.chunks([first.chunk])[0].document_id == SEED else "others"


def gold_chunks(mixed: Index, question: Question) -> Integers:
    """Return the chunks that hold half of a piece of evidence, or consist of evidence by half."""
    data = mixed._local().data
    of_seed = np.flatnonzero(data.allowed(Conditions.of({"id": SEED})).chunks)
    chosen = [c for c in of_seed.tolist() if _has_evidence(data.chunks([c])[0], question)]
    return np.asarray(chosen, dtype=np.int64)


def _has_evidence(chunk: Chunk, question: Question) -> bool:
    own = Span(chunk.start, chunk.end)
    return any(
        2 * own.overlap(Span(e.start, e.end)) >= min(e.end - e.start, own.end - own.start)
        for e in question.evidence
    )


def losses(
    mixed: Index, questions: QuestionSet, before: Report, after: Report
) -> dict[str, list[Question]]:
    """Return the questions that lost rank 1, by the stage that lost them."""
    was, now = before.values("Success@1"), after.values("Success@1")
    lost: dict[str, list[Question]] = {name: [] for name in LOST}
    for question in questions:
        if was.get(question.id) == 1 and now.get(question.id) == 0:
            lost[lost_at(mixed, question, gold_chunks(mixed, question))].append(question)
    return lost


def usurpers(mixed: Index, questions: Sequence[Question], name: str) -> Counter[str]:
    """Count the documents that come first in place of the article, by a property."""
    firsts = [mixed.search(question.text, k=1)[0].citation.document_id for question in questions]
    return Counter(str(mixed.document(first).metadata.get(name, first)) for first in firsts)


def render(
    results: Mapping[str, Report],
    compared: Sequence[Comparison],
    lost: Mapping[str, Sequence[Question]],
    *,
    mixed: Index,
    by: str,
    others: str,
) -> str:
    """Return the report as Markdown."""
    on = machine()
    lines = [
        f"# The article among {len(mixed) - 112:,} other passages",
        "",
        f"Measured on {today()}: {on['processor']}, {on['cores']} cores. The seed article's 112 "
        f"passages among {len(mixed) - 112:,} others, {len(mixed.documents):,} documents in all: "
        f"{others}. All answerable questions of `eval/` (dev and test), single questions; "
        "abstention is over all.",
        "",
        "| | " + " | ".join(MEASURES) + " | p50, ms | p95, ms |",
        "|---|" + "---:|" * (len(MEASURES) + 2),
    ]
    for name, report in results.items():
        summary, latency = report.summary(), report.latency() or {}
        cells = [f"{summary[m] or 0:.3f}" for m in MEASURES]
        cells += [f"{latency.get(q, 0):.1f}" for q in ("p50", "p95")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", _FILTERED, "", "Among the others minus alone, paired:", ""]
    lines += [
        f"- {c.measure}: {c.difference:+.3f} (95 %: {c.low:+.3f} … {c.high:+.3f}, p = {c.p:.3f})"
        for c in compared
    ]
    lines += ["", "## Why", "", "Questions first alone and not first among the others:", ""]
    lines += [f"- {len(lost[name])} {text}" for name, text in LOST.items()]
    first = usurpers(mixed, [q for name in LOST for q in lost[name] if name != "own"], by)
    ranked = ", ".join(f"{name} ({number})" for name, number in first.most_common(8))
    lines += ["", f"What comes first instead: {ranked or 'nothing'}.", ""]
    lines += [
        f"- *{question.text}* ({name})" for name in LOST for question in list(lost[name])[:12]
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument(
        "--by", default="from", help="property by which other documents are counted"
    )
    parser.add_argument(
        "--others", default="other documents", help="description of them, for the report"
    )
    chosen = parser.parse_args()
    mixed = Index.open(chosen.index, reader=None, check_sources=False)
    alone = Index.open(ROOT / "indexes" / SEED, reader=None)
    questions = load_set(ROOT / "eval" / "questions.jsonl", alone)
    results = reports(mixed, alone, questions)
    before, after = results["the article alone"], results["among the others"]
    compared = compare_reports(before, after)
    lost = losses(mixed, questions, before, after)
    text = render(results, compared, lost, mixed=mixed, by=chosen.by, others=chosen.others)
    RESULTS.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
