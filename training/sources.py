"""Where questions come from: the public sets and our own, read into one shape and proved.

Nothing here downloads. ``--data DIR`` names the folder that has the files of ``FILES``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

FILES = {
    "qa/squad1.1-train.json.gz": "squad1",
    "qa/squad2.0-19-articles.json.gz": "squad2",
    "qa/natural-questions-qed-train.json.gz": "nq",
    "xquad.en.json": "xquad",
}
CONTRAST = Path(__file__).parent / "contrast"
PARAPHRASE = Path(__file__).parent / "paraphrase"
EVERYDAY = Path(__file__).parent / "everyday"
# What the documents to choose and measure by call some kinds, as the pairs do.
_SAME_KIND = {"other thing": "swap", "person": "swap", "condition": "scope"}


@dataclass(frozen=True)
class Paragraph:
    """``title`` as it stands in its source; ``article`` is what splits go by."""

    id: str
    source: str
    title: str
    text: str

    @property
    def article(self) -> str:
        return article_of(self.title)


@dataclass(frozen=True)
class Question:
    """``start`` and ``answer`` are the words of the paragraph that answer; None where none do.

    ``kind``: ``real`` for answerable ones, else the kind of near-miss. ``near``: where in the
    paragraph (an offset) what misleads stands, if it is known. ``twin``: the question that it was
    made from or paired with.
    """

    id: str
    paragraph: str
    text: str
    start: int | None = None
    answer: str | None = None
    kind: str = "real"
    near: int | None = None
    twin: str | None = None

    @property
    def answerable(self) -> bool:
        return self.answer is not None


@dataclass(frozen=True)
class Source:
    name: str
    paragraphs: tuple[Paragraph, ...]
    questions: tuple[Question, ...]


def article_of(title: str) -> str:
    """A title as splits know it.

    >>> article_of("Fresno,_California"), article_of("Yuan dynasty")
    ('fresno california', 'yuan dynasty')
    """
    return re.sub(r"[\W_]+", " ", title.lower()).strip()


def plain_title(title: str) -> str:
    return title.replace("_", " ")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_json(path: Path) -> Any:
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def load_squad(path: Path, name: str) -> Source:
    """A file in SQuAD's format. Answers that do not stand where they are said to are dropped."""
    paragraphs: list[Paragraph] = []
    questions: list[Question] = []
    for article in _read_json(path)["data"]:
        for entry in article["paragraphs"]:
            place = f"{name}-{len(paragraphs)}"
            text = entry["context"]
            paragraphs.append(Paragraph(place, name, plain_title(article["title"]), text))
            for asked in entry["qas"]:
                made = _squad_question(asked, f"{name}-q{len(questions)}", place, text)
                if made is not None:
                    questions.append(made)
    return Source(name, tuple(paragraphs), tuple(questions))


def _squad_question(asked: dict[str, Any], key: str, place: str, text: str) -> Question | None:
    words = " ".join(asked["question"].split())
    if asked.get("is_impossible"):
        return Question(key, place, words, kind="human")
    answers = [a for a in asked["answers"] if text[a["answer_start"] :].startswith(a["text"])]
    if not answers or not words:
        return None
    best = min(answers, key=lambda a: len(a["text"]))
    return Question(key, place, words, best["answer_start"], best["text"])


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def load_contrast(folder: Path = CONTRAST) -> Source:
    """The project's own pairs; lines of one paragraph and style follow each other as twins."""
    paragraphs = [
        Paragraph(p["id"], "contrast", plain_title(p["title"]), p["text"])
        for p in read_lines(folder / "paragraphs.jsonl.gz")
    ]
    text_of = {p.id: p.text for p in paragraphs}
    questions: dict[tuple[str, str], list[Question]] = {}
    for line in read_lines(folder / "questions.jsonl.gz"):
        pair = questions.setdefault((line["p"], line["style"]), [])
        pair.append(_contrast_question(line, text_of[line["p"]], len(pair)))
    return Source("contrast", tuple(paragraphs), tuple(q for p in questions.values() for q in p))


def _contrast_question(line: dict[str, Any], text: str, place: int) -> Question:
    stem = f"contrast-{line['p']}-{line['style']}-"
    key, twin = f"{stem}{place}", f"{stem}{1 - place}"
    if not line["answerable"]:
        near = max(text.find(line["near"]), 0)
        return Question(key, line["p"], line["question"], kind=line["why"], near=near, twin=twin)
    evidence = max(text.find(line["evidence"]), 0)
    inside = text.find(line["answer"], evidence)
    start = inside if inside >= 0 else text.find(line["answer"])
    return Question(key, line["p"], line["question"], start, line["answer"], twin=twin)


def load_paraphrases(squad1: Source, folder: Path = PARAPHRASE) -> Source:
    """The project's own questions in other words, on paragraphs of SQuAD 1.1."""
    lines = list(read_lines(folder / "questions.jsonl.gz"))
    used = {line["p"] for line in lines}
    paragraphs = tuple(replace(p, source="paraphrase") for p in squad1.paragraphs if p.id in used)
    return Source("paraphrase", paragraphs, tuple(_paraphrase(n, lines) for n in range(len(lines))))


def _paraphrase(number: int, lines: Sequence[dict[str, Any]]) -> Question:
    """A question; its twin is the line before or after it, an answerable one first."""
    line, text = lines[number], lines[number]["question"]
    key, twin = _paraphrase_key(line), _paraphrase_key(lines[number ^ 1])
    if line["answerable"]:
        return Question(key, line["p"], text, line["start"], line["answer"], twin=twin)
    return Question(key, line["p"], text, kind=line["why"], near=line["near"], twin=twin)


def _paraphrase_key(line: dict[str, Any]) -> str:
    """The same wherever the line stands, so that what was mined for it stays its own."""
    return f"paraphrase-{line['p']}-{zlib.crc32(line['question'].encode())}"


def load_everyday(folder: Path = EVERYDAY) -> Source:
    """The project's own questions about rules, manuals, minutes: each document is a paragraph."""
    documents = tuple(
        Paragraph(d["id"], "everyday", d["title"], d["text"])
        for d in read_lines(folder / "documents.jsonl.gz")
    )
    lines = enumerate(read_lines(folder / "questions.jsonl.gz"))
    return Source("everyday", documents, tuple(_everyday(number, line) for number, line in lines))


def _everyday(number: int, line: dict[str, Any]) -> Question:
    key, text = f"everyday-{number}", line["question"]
    twin = f"everyday-{line['twin']}" if "twin" in line else None
    if line["answerable"]:
        return Question(key, line["p"], text, line["start"], line["answer"], twin=twin)
    kind = _SAME_KIND.get(line["why"], line["why"])
    return Question(key, line["p"], text, kind=kind, near=line["near"], twin=twin)


def load_all(data: Path) -> dict[str, Source]:
    """Every source by name: those of ``FILES``, and our own."""
    sources = {name: load_squad(data / path, name) for path, name in FILES.items()}
    own = {"contrast": load_contrast(), "paraphrase": load_paraphrases(sources["squad1"])}
    own["everyday"] = load_everyday()
    return {**sources, **own}
