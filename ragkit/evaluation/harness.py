"""The harness on an Index: run a set, and the one-line gate for a repository of one's own.

from ragkit.evaluation import gate

def test_my_chatbot_finds_what_it_should() -> None:
    gate("eval", index="indexes/handbook").check()
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import ragkit
from ragkit.api import Index
from ragkit.conversation import Conversation
from ragkit.default import open_index
from ragkit.errors import InputError
from ragkit.evaluation.formats import load_csv
from ragkit.evaluation.gate import Verdict, check_gate, load_floors
from ragkit.evaluation.measures import DEPTH
from ragkit.evaluation.questions import QuestionSet, load_questions
from ragkit.evaluation.report import Asker, Configuration, Report, evaluate, load_report

__all__ = [
    "BASELINE",
    "FLOORS",
    "QUESTIONS",
    "evaluate_index",
    "gate",
    "load_set",
    "read_baseline",
    "read_floors",
    "save_baseline",
]

QUESTIONS, BASELINE, FLOORS = "questions.jsonl", "baseline.json", "floors.json"


def evaluate_index(
    questions: QuestionSet,
    index: Index,
    *,
    ask: Asker | None = None,
    converse: Callable[[], Asker] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Ask ``index`` every question and measure. ``ask`` puts a chatbot of one's own in its place.

    Turns of conversations are asked of a ``Conversation``, or of what ``converse`` begins; with
    ``ask`` alone, one by one in their standalone wording. Answers must cite documents of ``index``;
    that is what citations are checked against.
    """
    asker = ask or partial(index.ask, k=DEPTH)
    if ask is None and converse is None:
        converse = partial(_conversation, index)
    if len(questions):
        asker(questions.questions[0].text)  # warm, so that the first is timed like the others
    return evaluate(
        questions,
        asker,
        documents={document.id: document for document in index.documents},
        configuration=Configuration(
            library=ragkit.__version__,
            encoder=index.encoder.fingerprint.digest,
            chunker=index.chunker.to_dict(),
            index=index.generation,
            questions=questions.checksum,
        ),
        converse=converse,
        progress=progress,
    )


def _conversation(index: Index) -> Asker:
    return partial(Conversation(index).ask, k=DEPTH)


def load_set(path: Path, index: Index) -> QuestionSet:
    """Load a question set and resolve its evidence in the index.

    Args:
        path: a native file (.jsonl), a table (.csv), or a folder with questions.jsonl.
        index: the index that has the documents of the evidence.

    Raises:
        InputError: the file cannot be used, or its evidence is not in the index.

    """
    path = path / QUESTIONS if path.is_dir() else path
    documents = {document.id: document for document in index.documents}
    if path.suffix == ".csv":
        return load_csv(path, documents)
    return load_questions(path, documents)


def read_baseline(folder: Path) -> Report:
    """The blessed baseline of an evaluation folder."""
    path = folder / BASELINE
    if not path.is_file():
        raise InputError(
            f"there is no baseline at {path}. Make one: ragkit eval bless --set {folder}"
        )
    return load_report(path)


def save_baseline(report: Report, folder: Path) -> Path:
    """Save a report as an evaluation folder's baseline, one question a line for readable diffs.

    Returns:
        The file that was written.

    Raises:
        InputError: ``folder`` is not a folder, or the file cannot be written.

    """
    path = folder / BASELINE
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; expected one with {QUESTIONS} in it.")
    try:
        path.write_text(_json_lines(report.to_dict(depth=1, timed=False)), encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}. Check its permissions."
        ) from error
    return path


def _json_lines(content: Mapping[str, Any]) -> str:
    """Return a JSON object with one line for each item of its lists and objects."""
    lines = [f"{_dump(name)}: {_dump_items(value)}" for name, value in content.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _dump_items(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(map(_dump, value)) + "\n]"
    if isinstance(value, dict) and value:
        return "{\n" + ",\n".join(f"{_dump(k)}: {_dump(v)}" for k, v in value.items()) + "\n}"
    return _dump(value)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def read_floors(folder: Path) -> dict[str, Any]:
    """The floors of an evaluation folder; none if it has no floors.json."""
    path = folder / FLOORS
    return load_floors(path) if path.is_file() else {}


def gate(
    folder: str | os.PathLike[str],
    *,
    index: Index | str | os.PathLike[str] | None = None,
    ask: Asker | None = None,
) -> Verdict:
    """Run the gate on a folder with questions.jsonl, baseline.json and perhaps floors.json.

    ``gate(…).check()`` in a test is all that a chatbot's own CI needs. Raises InputError for a
    folder that lacks them, and what ``Index.open`` raises.
    """
    place = Path(folder)
    opened = open_index(index)
    report = evaluate_index(load_set(place / QUESTIONS, opened), opened, ask=ask)
    return check_gate(report, read_baseline(place), read_floors(place))
