"""The same index on disk and on Milvus: ``python -m benchmarks.milvus --xquad FILE``.

Each index is pushed to milvus-lite as a file, to milvus-lite as a server, and to Milvus 2.3.5, and
answers the same questions there. Needs the packages ``pymilvus``, ``milvus-lite`` and ``milvus``.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.report import machine, today
from ragkit import Index
from ragkit.encoding import query_encoder
from ragkit.evaluation import load_questions
from ragkit.evaluation.formats import load_squad
from ragkit.index import IndexData, Manifest
from ragkit.index.milvus import MilvusData, MilvusLocation, open_data, push
from ragkit.indexing import builder
from ragkit.retrieval import encode_questions, retrieve

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "milvus.md"
SERVERS = ROOT / "tests" / "support" / "milvus_servers.py"
PAGE = Path(__file__).parent / "milvus_page.md"
SEED = ROOT / "indexes" / "germany-soviet-union-relations-1918-1941"

_K = 5


@dataclass(frozen=True)
class Corpus:
    """An index on disk, and questions."""

    name: str
    path: Path
    questions: Sequence[str]


@dataclass(frozen=True)
class Row:
    """One engine on one corpus. Times are of retrieving the five best passages, encoding included.

    Attributes:
        push_s: seconds of the push; None on disk.
        first_ms: median and 95th percentile of each question's first time, with empty caches.
        again_ms: the same when all questions are asked once more.
        top1: share of questions whose best passage is that of the index on disk.
        top5: share of questions whose five best passages are, in order, those on disk.
        score: greatest difference between the scores of the same best passage.

    """

    corpus: str
    chunks: int
    engine: str
    questions: int
    push_s: float | None
    open_ms: float
    first_ms: tuple[float, float]
    again_ms: tuple[float, float]
    top1: float
    top5: float
    score: float


Rankings = list[list[tuple[int, float]]]
"""For each question its best chunks and their scores."""


def ask_all(
    data: IndexData, manifest: Manifest, questions: Sequence[str]
) -> tuple[Rankings, list[float]]:
    """Return the ranking of each question, and the milliseconds that it took."""
    encoder = query_encoder(manifest.encoder)
    encoder.encode(questions[:1])
    rankings, taken = [], []
    for question in questions:
        started = time.perf_counter()
        [query] = encode_questions(data, encoder, [question], manifest.config)
        ranking = retrieve(data, query, _K, None).ranking
        taken.append((time.perf_counter() - started) * 1000)
        rankings.append([(ranked.chunk, ranked.score) for ranked in ranking[:_K]])
    return rankings, taken


def measure(corpus: Corpus, engine: str, opening: Callable[[], IndexData]) -> tuple[Row, Rankings]:
    """Return an engine's row, not yet compared with another's, and its rankings."""
    manifest = Manifest.load(corpus.path)
    started = time.perf_counter()
    data = opening()
    opened = (time.perf_counter() - started) * 1000
    rankings, first = ask_all(data, manifest, corpus.questions)
    _, again = ask_all(data, manifest, corpus.questions)
    if isinstance(data, MilvusData):
        data.close()
    row = Row(
        corpus.name, len(data), engine, len(again), None, opened, _cuts(first), _cuts(again),
        1.0, 1.0, 0.0,
    )  # fmt: skip
    return row, rankings


def compare(row: Row, rankings: Rankings, expected: Rankings, seconds: float) -> Row:
    """Return the row with its agreement with the index on disk, and the seconds of the push."""
    pairs = list(zip(rankings, expected, strict=True))
    same = [[chunk for chunk, _ in a] == [chunk for chunk, _ in b] for a, b in pairs]
    best = [a[0][0] == b[0][0] for a, b in pairs]
    apart = [abs(a[0][1] - b[0][1]) for a, b in pairs if a[0][0] == b[0][0]]
    return replace(
        row,
        push_s=seconds,
        top1=sum(best) / len(pairs),
        top5=sum(same) / len(pairs),
        score=max(apart, default=0.0),
    )


def run(corpora: Sequence[Corpus], engines: Sequence[str]) -> Iterator[Row]:
    """Yield the row of each engine on each corpus; each server has no other index."""
    for corpus in corpora:
        built = builder.open_index(corpus.path)
        row, expected = measure(corpus, "on disk (FAISS)", partial(_on_disk, corpus.path))
        yield row
        for engine in engines:
            with ExitStack() as stack:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                location = stack.enter_context(ENGINES[engine](Path(folder)))
                started = time.perf_counter()
                push(built.data, Manifest.load(corpus.path), location)
                seconds = time.perf_counter() - started
                row, rankings = measure(corpus, engine, partial(_on_server, location))
                yield compare(row, rankings, expected, seconds)


def _on_disk(path: Path) -> IndexData:
    return builder.open_index(path).data


def _on_server(location: MilvusLocation) -> IndexData:
    return open_data(location, timeout=60).data


@contextmanager
def _file(folder: Path) -> Iterator[MilvusLocation]:
    yield MilvusLocation.parse(f"milvus://{folder / 'store.db'}#corpus")


@contextmanager
def _server(kind: str, folder: Path) -> Iterator[MilvusLocation]:
    """Run a Milvus server as long as the context lasts; ``kind`` is ``lite`` or ``full``."""
    process = subprocess.Popen(  # noqa: S603  # this repository's own script
        [sys.executable, str(SERVERS), kind, str(folder / "data")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:  # its end closes standard input, which stops the server
        prefix = "address: "
        for line in process.stdout or ():
            if line.startswith(prefix):
                yield MilvusLocation.parse(f"milvus://{line.removeprefix(prefix).strip()}/corpus")
                return
    raise RuntimeError(f"the Milvus server ended with exit status {process.returncode}")


ENGINES: dict[str, Callable[[Path], AbstractContextManager[MilvusLocation]]] = {
    "milvus-lite, a file": _file,
    "milvus-lite, a server": partial(_server, "lite"),
    "Milvus 2.3.5": partial(_server, "full"),
}


def _cuts(taken: Sequence[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(taken, n=20)
    return cuts[9], cuts[18]


def table(rows: Sequence[Row]) -> str:
    head = (
        "| corpus | passages | engine | push, s | open, ms | first time, ms p50 | p95 "
        "| again, ms p50 | p95 | same best | same five | score difference |\n"
        "|---|---:|---|" + "---:|" * 9 + "\n"
    )
    return head + "".join(_line(row) for row in rows)


def _line(row: Row) -> str:
    pushed = "" if row.push_s is None else f"{row.push_s:,.1f}"
    figures = [*row.first_ms, *row.again_ms]
    milliseconds = " | ".join(f"{figure:,.1f}" for figure in figures)
    return (
        f"| {row.corpus} ({row.questions:,} questions) | {row.chunks:,} | {row.engine} | {pushed} "
        f"| {row.open_ms:,.0f} | {milliseconds} | {row.top1:.1%} | {row.top5:.1%} "
        f"| {row.score:.0e} |\n"
    )


def xquad(path: Path) -> Corpus:
    """Build an index of XQuAD unless an earlier run did."""
    documents, questions = load_squad(path)
    folder = Path(__file__).parent / ".work" / "milvus" / "xquad"
    if not (folder / "manifest.json").exists():
        Index.build(documents, folder)
    return Corpus("XQuAD", folder, [question.text for question in questions])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--xquad", type=Path)
    parser.add_argument(
        "--index",
        type=Path,
        nargs="*",
        default=[],
        help="More indexes, asked the questions of the seed.",
    )
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument(
        "--questions", type=int, default=1_000_000, help="Greatest number of questions of a corpus."
    )
    parser.add_argument("--save", action="store_true", help=f"Write {RESULTS.name}.")
    chosen = parser.parse_args()
    plain = [q.text for q in load_questions(ROOT / "eval" / "questions.jsonl")]
    corpora = [Corpus("the seed", SEED, plain)]
    corpora += [xquad(chosen.xquad)] if chosen.xquad else []
    corpora += [Corpus(path.name, path, plain) for path in chosen.index]
    corpora = [Corpus(c.name, c.path, c.questions[: chosen.questions]) for c in corpora]
    rows = []
    for row in run(corpora, chosen.engines):
        print(_line(row), end="", flush=True)
        rows.append(row)
    if chosen.save:
        on = machine()
        text = PAGE.read_text(encoding="utf-8").format(
            **{**on, "memory": on["memory"] / 2**30}, today=today(), table=table(rows)
        )
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
