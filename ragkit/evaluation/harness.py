"""Run a question set on an index or a chatbot, and gate a repository in one line.

A test of a chatbot's own repository:

    from ragkit.evaluation import gate

    def test_retrieval_has_not_regressed() -> None:
        gate("eval", index="indexes/handbook").check()
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import ragkit
from ragkit.answering.answer import Answer, Passage
from ragkit.api import Index
from ragkit.commands import command
from ragkit.conversation import Conversation
from ragkit.default import open_index
from ragkit.errors import InputError
from ragkit.evaluation.formats import load_csv
from ragkit.evaluation.gate import Verdict, check_gate, load_floors
from ragkit.evaluation.measures import DEPTH, covered_parts, score_answer
from ragkit.evaluation.questions import Question, QuestionSet, load_questions
from ragkit.evaluation.report import (
    Configuration,
    Outcome,
    Report,
    RetrievedPassage,
    load_report,
)
from ragkit.types import Document

__all__ = [
    "BASELINE",
    "FLOORS",
    "QUESTIONS",
    "AnswerFunction",
    "bless_command",
    "configuration_of",
    "evaluate",
    "evaluate_index",
    "gate",
    "load_baseline",
    "load_folder_floors",
    "load_set",
    "save_baseline",
]

QUESTIONS, BASELINE, FLOORS = "questions.jsonl", "baseline.json", "floors.json"
"""Names of the files of an evaluation folder."""

AnswerFunction = Callable[[str], Answer]
"""Answers a question with up to 10 passages."""


def evaluate(
    questions: QuestionSet,
    ask: AnswerFunction,
    *,
    documents: Mapping[str, Document],
    configuration: Configuration,
    converse: Callable[[], AnswerFunction] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Ask every question once, in order, and measure the answers.

    Args:
        questions: the question set; answerable questions need evidence.
        ask: answers a question with up to ``measures.DEPTH`` passages. Its time is measured, so
            call it once before.
        documents: the corpus by document id, against which citations are checked.
        configuration: what the report says of the versions behind the run.
        converse: starts a conversation and returns its function to ask. With it, a turn is asked
            as the person typed it; without it, ``ask`` gets the turn's standalone wording.
        progress: called after each question with the number asked and the total.

    Returns:
        The report, with latencies in seconds.

    Raises:
        InputError: the set is empty, or an answerable question has no evidence.

    """
    _check_measurable(questions)
    timed = list(_timed_answers(questions, ask, converse, progress))
    return Report(
        name=questions.name,
        configuration=configuration,
        outcomes=tuple(_outcome(q, answer, documents) for q, answer, _ in timed),
        gold={q.id: q.evidence for q in questions},
        answers={q.id: q.answers for q in questions},
        unresolved_gold=tuple(q.id for q in questions if not _resolves(q, documents)),
        latencies=tuple(seconds for _, _, seconds in timed),
    )


def evaluate_index(
    questions: QuestionSet,
    index: Index,
    *,
    ask: AnswerFunction | None = None,
    converse: Callable[[], AnswerFunction] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Ask an index every question and measure the answers.

    Args:
        questions: the question set; answerable questions need evidence.
        index: the index to ask. Citations are checked against its documents.
        ask: a chatbot to ask in place of the index. Its answers must cite documents of ``index``.
        converse: starts a conversation and returns its function to ask. By default a
            ``Conversation`` on the index; with ``ask`` alone, turns are asked in their standalone
            wording.
        progress: called after each question with the number asked and the total.

    Returns:
        The report, with latencies of a warm index in seconds.

    Raises:
        InputError: the set is empty, or an answerable question has no evidence.

    """
    answer_question = ask or partial(index.ask, k=DEPTH)
    if ask is None and converse is None:
        converse = partial(_start_conversation, index)
    if len(questions):
        answer_question(questions.questions[0].text)  # loads the models before the first timing
    return evaluate(
        questions,
        answer_question,
        documents={document.id: document for document in index.documents},
        configuration=configuration_of(index, questions),
        converse=converse,
        progress=progress,
    )


def configuration_of(index: Index, questions: QuestionSet) -> Configuration:
    """Return the versions of a run of the questions on the index."""
    return Configuration(
        library=ragkit.__version__,
        encoder=index.encoder.fingerprint.digest,
        chunker=index.chunker.to_dict(),
        index=index.generation,
        questions=questions.checksum,
    )


def _start_conversation(index: Index) -> AnswerFunction:
    return partial(Conversation(index).ask, k=DEPTH)


def load_set(path: Path, index: Index) -> QuestionSet:
    """Load a question set and resolve its quotes in the index.

    Args:
        path: a ``.jsonl`` or ``.csv`` file, or a folder with ``questions.jsonl``.
        index: the index whose documents the evidence quotes. ``lint`` reports quotes that do not
            resolve.

    Raises:
        InputError: the file cannot be read or is malformed.

    """
    path = path / QUESTIONS if path.is_dir() else path
    documents = {document.id: document for document in index.documents}
    if path.suffix == ".csv":
        return load_csv(path, documents)
    return load_questions(path, documents)


def load_baseline(folder: Path, *, bless: str | None = None) -> Report:
    """Load the baseline of an evaluation folder.

    Args:
        folder: the folder.
        bless: the command that records a baseline of the same index, for messages.

    Raises:
        InputError: the folder has no baseline, or the file is not a report.

    """
    path = folder / BASELINE
    record = f"Record one: {bless or bless_command(folder)}"
    if not path.is_file():
        raise InputError(f"there is no baseline at {path}. {record}")
    try:
        return load_report(path)
    except InputError as error:
        raise InputError(f"the baseline cannot be used: {error} {record}") from error


def bless_command(folder: Path, index: object = None) -> str:
    """Return the command that records a baseline of ``index``; None stands for the default one."""
    if index is not None and not isinstance(index, (str, os.PathLike)):
        return command("ragkit eval bless --set", folder, end="--index INDEX")
    options = () if index is None else ("--index", index)
    return command("ragkit eval bless --set", folder, *options)


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


def load_folder_floors(folder: Path) -> dict[str, Any]:
    """Load the floors of an evaluation folder; empty if it has no ``floors.json``."""
    path = folder / FLOORS
    return load_floors(path) if path.is_file() else {}


def gate(
    folder: str | os.PathLike[str],
    *,
    index: Index | str | os.PathLike[str] | None = None,
    ask: AnswerFunction | None = None,
) -> Verdict:
    """Run the gate on an evaluation folder. ``gate(…).check()`` is the whole test.

    Args:
        folder: folder with ``questions.jsonl``, ``baseline.json`` and, optionally, ``floors.json``.
        index: an index or its folder; the default index if None.
        ask: a chatbot to ask in place of the index.

    Returns:
        The verdict; its ``check()`` raises GateError if the gate fails.

    Raises:
        InputError: a file of the folder is missing or malformed.
        StoreError: the index cannot be opened.

    """
    path = Path(folder)
    bless = bless_command(path, index)
    baseline, floors = load_baseline(path, bless=bless), load_folder_floors(path)
    opened = open_index(index)
    report = evaluate_index(load_set(path / QUESTIONS, opened), opened, ask=ask)
    return check_gate(report, baseline, floors, bless=bless)


def _timed_answers(
    questions: QuestionSet,
    ask: AnswerFunction,
    converse: Callable[[], AnswerFunction] | None,
    progress: Callable[[int, int], None] | None,
) -> Iterator[tuple[Question, Answer, float]]:
    """Yield each question, its answer and the seconds that the answer took."""
    for number, (question, ask_one, text) in enumerate(_schedule(questions, ask, converse), 1):
        start = perf_counter()
        answer = ask_one(text)
        yield question, answer, perf_counter() - start
        if progress:
            progress(number, len(questions))


def _schedule(
    questions: QuestionSet, ask: AnswerFunction, converse: Callable[[], AnswerFunction] | None
) -> Iterator[tuple[Question, AnswerFunction, str]]:
    """Yield each question, the function that answers it, and the text to ask."""
    conversation: str | None = None
    ask_turn = ask
    for question in questions:
        if converse is None or question.conversation is None:
            yield question, ask, question.text
            continue
        if question.conversation != conversation:
            conversation, ask_turn = question.conversation, converse()
        yield question, ask_turn, question.asked or question.text


def _check_measurable(questions: QuestionSet) -> None:
    if not len(questions):
        raise InputError(
            f"{questions.name} has no question; expected at least one. Check the set: "
            f"{command('ragkit eval lint --set FILE')}"
        )
    bare = [q.id for q in questions if q.answerable and not q.evidence]
    if bare:
        raise InputError(
            f"{questions.name} has no evidence for the answerable questions {', '.join(bare[:3])}. "
            f"Add it, then check the set: {command('ragkit eval lint --set FILE')}"
        )


def _outcome(
    question: Question, answer: Answer | None, documents: Mapping[str, Document]
) -> Outcome:
    passages: Sequence[Passage] = answer.passages[:DEPTH] if answer else ()
    held = [covered_parts(p, question) for p in passages]
    return Outcome(
        id=question.id,
        question=question.text,
        category=question.category,
        section=question.section,
        split=question.split,
        answerable=question.answerable,
        must_pass=question.must_pass,
        answered=bool(answer and answer.answered),
        confidence=round(answer.confidence, 6) if answer else 0.0,
        text=answer.text if answer else "",
        rank=next((i for i, parts in enumerate(held, start=1) if parts), None),
        values=score_answer(answer, question),
        citations=len(passages),
        unresolved=sum(not _is_valid(p, documents) for p in passages),
        top=tuple(_retrieved(p, parts) for p, parts in zip(passages, held, strict=True)),
    )


def _retrieved(passage: Passage, parts: frozenset[int]) -> RetrievedPassage:
    citation = passage.citation
    return RetrievedPassage(
        document_id=citation.document_id,
        section=citation.section,
        start=citation.start,
        end=citation.end,
        score=passage.score,
        text=passage.text,
        covers=tuple(sorted(parts)),
        why=dict(passage.signals),
    )


def _is_valid(passage: Passage, documents: Mapping[str, Document]) -> bool:
    citation = passage.citation
    document = documents.get(citation.document_id)
    return document is not None and document.text[citation.start : citation.end] == citation.quote


def _resolves(question: Question, documents: Mapping[str, Document]) -> bool:
    return all(
        e.document_id in documents and documents[e.document_id].text[e.start : e.end] == e.quote
        for e in question.evidence
    )
