"""Question sets, runs and qrels in other formats: SQuAD, BEIR, TREC, CSV.

Sources: SQuAD 1.1/2.0 (Rajpurkar et al. 2016, arXiv:1606.05250; 2018, arXiv:1806.03822), BEIR
(Thakur et al. 2021, arXiv:2104.08663), TREC qrels and run files (trec_eval).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ragkit.corpus import slug
from ragkit.errors import InputError
from ragkit.evaluation.questions import Evidence, Question, QuestionSet
from ragkit.types import Document

__all__ = [
    "Qrels",
    "Run",
    "load_beir",
    "load_csv",
    "load_dataset",
    "load_qrels",
    "load_run",
    "load_squad",
    "write_qrels",
    "write_run",
]

Qrels = dict[str, dict[str, int]]
"""``{query: {id: relevance}}``; relevance 0 means not relevant."""
Run = dict[str, dict[str, float]]
"""``{query: {id: score}}``; a higher score is better."""

Dataset = tuple[list[Document], QuestionSet]

_GZIP = b"\x1f\x8b"


def load_dataset(name: str) -> Dataset:
    """Load a corpus and its questions.

    Args:
        name: ``squad:FILE.json`` or ``beir:FOLDER``; the file may be compressed by gzip.

    Raises:
        InputError: the name has another form, or a file is unreadable or malformed.

    """
    loaders: Mapping[str, Callable[[Path], Dataset]] = {"squad": load_squad, "beir": load_beir}
    kind, _, path = name.partition(":")
    if kind not in loaders or not path:
        raise InputError(f"the dataset is {name!r}; expected squad:FILE.json or beir:FOLDER.")
    return loaders[kind](Path(path))


def load_squad(path: Path) -> Dataset:
    """Load SQuAD 1.1 or 2.0 JSON.

    Each paragraph becomes a document. The answers of a question become its evidence.

    Raises:
        InputError: the file cannot be read or is not SQuAD JSON.

    """
    with _malformed_as_input_error(path, "SQuAD JSON"):
        articles = json.loads(_text(path))["data"]
        documents: list[Document] = []
        questions: list[Question] = []
        for number, article in enumerate(articles):
            title = str(article.get("title", number)).replace("_", " ")
            for i, paragraph in enumerate(article["paragraphs"], start=1):
                name = f"{slug(title) or number}-{i}"
                documents.append(Document(name, title, paragraph["context"]))
                questions += [_squad_question(qa, name) for qa in paragraph["qas"]]
    return documents, QuestionSet(path.stem, tuple(questions))


def load_beir(folder: Path) -> Dataset:
    """Load a BEIR folder: ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/test.tsv``.

    If ``qrels/`` holds a single file, that one is loaded. Queries without judgments are left out.

    Raises:
        InputError: a file is missing, unreadable or malformed.

    """
    with _malformed_as_input_error(folder, "a BEIR folder"):
        documents = [
            Document(str(row["_id"]), str(row.get("title") or row["_id"]), str(row["text"]))
            for row in _json_lines(folder / "corpus.jsonl")
        ]
        qrels = load_qrels(_qrels_file(folder))
        by_id = {document.id: document for document in documents}
        questions = [
            _judged_question(str(row["_id"]), str(row["text"]), qrels[str(row["_id"])], by_id)
            for row in _json_lines(folder / "queries.jsonl")
            if str(row["_id"]) in qrels
        ]
    return documents, QuestionSet(folder.name, tuple(questions))


def load_csv(path: Path, documents: Mapping[str, Document]) -> QuestionSet:
    """Load a CSV file with a header.

    Columns: ``question`` and ``quote``, which is empty if the question is unanswerable. Optional:
    ``id``, ``answers`` (separated by ``|``), ``document_id`` (the first document by default) and
    ``category``.

    Args:
        path: the file, UTF-8.
        documents: the corpus by id. A quote must occur exactly once in its document.

    Raises:
        InputError: the file cannot be read or is malformed, or a quote does not occur once.

    """
    with _malformed_as_input_error(path, "CSV with the columns question and quote"):
        # Files exported by spreadsheets may have a byte order mark, and line ends inside cells.
        text = io.StringIO(_text(path).removeprefix("\ufeff"), newline="")
        rows = list(csv.DictReader(text))
        questions = tuple(_csv_question(row, i, documents) for i, row in enumerate(rows, start=1))
    return QuestionSet(path.stem, questions)


def load_qrels(path: Path) -> Qrels:
    """Load qrels: TREC (``query 0 id relevance``) or BEIR (``query-id corpus-id score``, header).

    Raises:
        InputError: the file cannot be read or is malformed.

    """
    qrels: Qrels = defaultdict(dict)
    with _malformed_as_input_error(path, "qrels"):
        for fields in _fields(path):
            if len(fields) == 3 and not fields[2].lstrip("-").isdigit():
                continue  # BEIR's header
            query, name, relevance = (fields[0], *fields[-2:])
            qrels[query][name] = int(relevance)
    return dict(qrels)


def load_run(path: Path) -> Run:
    """Load a TREC run: ``query Q0 id rank score tag``. Scores count, ranks do not.

    Raises:
        InputError: the file cannot be read or is malformed.

    """
    run: Run = defaultdict(dict)
    with _malformed_as_input_error(path, "a TREC run"):
        for query, _, name, _, score, *_ in _fields(path):
            run[query][name] = float(score)
    return dict(run)


def write_qrels(qrels: Qrels, path: Path) -> None:
    """Write qrels in TREC format."""
    rows = (f"{q} 0 {d} {rel}\n" for q, judged in qrels.items() for d, rel in judged.items())
    path.write_text("".join(rows), encoding="utf-8")


def write_run(run: Run, path: Path, *, tag: str = "ragkit") -> None:
    """Write a run in TREC format, best first, with scores to 6 decimals."""
    with path.open("w", encoding="utf-8") as file:
        for query, scored in run.items():
            ranked = sorted(scored.items(), key=lambda item: -item[1])
            for rank, (name, score) in enumerate(ranked, start=1):
                file.write(f"{query} Q0 {name} {rank} {score:.6f} {tag}\n")


@contextmanager
def _malformed_as_input_error(path: Path, expected: str) -> Iterator[None]:
    """Raise InputError with the path in place of any error of a parser."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration, csv.Error) as error:
        raise InputError(f"{path} is not {expected} ({type(error).__name__}: {error}).") from error


def _squad_question(content: Mapping[str, Any], document_id: str) -> Question:
    answers = [(str(a["text"]), int(a["answer_start"])) for a in content.get("answers", ())]
    spans = dict.fromkeys((start, text) for text, start in answers)
    return Question(
        id=str(content["id"]),
        text=str(content["question"]).strip(),
        answerable=not content.get("is_impossible", False),
        answers=tuple(dict.fromkeys(text for text, _ in answers)),
        evidence=tuple(Evidence(document_id, s, s + len(t), t) for s, t in spans),
    )


def _judged_question(
    name: str, text: str, judged: Mapping[str, int], documents: Mapping[str, Document]
) -> Question:
    relevant = [(d, relevance) for d, relevance in judged.items() if relevance > 0]
    evidence = tuple(
        Evidence(d, 0, len(documents[d].text), documents[d].text, part, relevance)
        for part, (d, relevance) in enumerate(relevant)
    )
    return Question(name, text, bool(evidence), evidence=evidence)


def _csv_question(
    row: Mapping[str, str], number: int, documents: Mapping[str, Document]
) -> Question:
    quote = (row["quote"] or "").strip()
    evidence: tuple[Evidence, ...] = ()
    if quote:
        name = row.get("document_id") or next(iter(documents), "")
        if documents[name].text.count(quote) != 1:
            raise ValueError(
                f"row {number}: the quote {quote[:60]!r} occurs "
                f"{documents[name].text.count(quote)} times in {name!r}, expected once"
            )
        start = documents[name].text.index(quote)
        evidence = (Evidence(name, start, start + len(quote), quote),)
    return Question(
        id=row.get("id") or f"row-{number}",
        text=row["question"],
        answerable=bool(quote),
        answers=tuple(a.strip() for a in (row.get("answers") or "").split("|") if a.strip()),
        evidence=evidence,
        category=row.get("category") or "",
    )


def _qrels_file(folder: Path) -> Path:
    paths = sorted((folder / "qrels").glob("*.tsv"))
    test = [path for path in paths if path.stem == "test"]
    if not paths or (len(paths) > 1 and not test):
        raise ValueError(f"{folder / 'qrels'} holds {len(paths)} .tsv files, expected test.tsv")
    return (test or paths)[0]


def _json_lines(path: Path) -> Iterator[Any]:
    return (json.loads(line) for line in _text(path).split("\n") if line.strip())


def _fields(path: Path) -> Iterator[list[str]]:
    return (line.split() for line in _text(path).split("\n") if line.strip())


def _text(path: Path) -> str:
    try:
        # Decoding bytes keeps line ends as they are, so that quotes in CSV cells still match.
        data = path.read_bytes()
        return (gzip.decompress(data) if data.startswith(_GZIP) else data).decode()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
