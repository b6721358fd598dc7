"""The corpora, as JSON: the texts to index and the questions to ask.

ragkit indexes ``documents`` (id, title, text), its peers ``passages`` (id, text); ``questions``
have a text and, for XQuAD, as ``gold`` the id of the document that answers.

Run as a program (``python -m benchmarks.corpora FOLDER XQUAD.json SIZE…``) so that the process
that measures stays small.
"""

from __future__ import annotations

import ast
import json
import random
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

from ragkit import Document

Corpus = dict[str, Any]

FEWEST_WORDS = 15
"""Paragraphs of docstrings with fewer words are left out."""


def seed() -> Corpus:
    """Return the article that comes with ragkit; its passages are ragkit's chunks."""
    from ragkit import default_index
    from ragkit.evaluation.questions import load_questions

    index = default_index().with_reader(None)
    [article] = index.documents
    encoder = index.encoder
    chunks = index.chunker.chunks(article, count=encoder.count_tokens, window=encoder.window)
    questions = load_questions(Path(__file__).parent.parent / "eval" / "questions.jsonl")
    return {
        "documents": [_record(article)],
        "passages": [
            {"id": f"{article.id}-{number}", "text": article.text[chunk.start : chunk.end]}
            for number, chunk in enumerate(chunks, start=1)
        ],
        "questions": [{"text": question.text} for question in questions.questions],
    }


def squad(path: Path) -> Corpus:
    """Load SQuAD-style JSON: each paragraph is one document and one passage."""
    from ragkit.evaluation.formats import load_squad

    documents, question_set = load_squad(path)
    questions = [
        {"text": q.text, "gold": q.evidence[0].document_id} for q in question_set.questions
    ]
    return _corpus(documents, questions)


def grown(base: Corpus, size: int) -> Corpus:
    """Return ``base`` with ``size`` documents.

    It is cut, or filled up with paragraphs of Python's docstrings and then with sentences
    generated from their words.
    """
    documents = [Document(d["id"], d["title"], d["text"]) for d in base["documents"][:size]]
    real = list(_docstring_paragraphs())
    texts = chain(real, _generated([text for _, text in real]))
    for number, (title, text) in enumerate(islice(texts, size - len(documents)), start=1):
        documents.append(Document(f"python-{number}", title, text))
    ids = {document.id for document in documents}
    return _corpus(documents, [q for q in base["questions"] if q["gold"] in ids])


def write_corpora(folder: Path, xquad: Path, sizes: Iterable[int]) -> None:
    """Write ``seed.json``, ``xquad.json``, and ``grown-SIZE.json`` for each size."""
    folder.mkdir(parents=True, exist_ok=True)
    base = squad(xquad)
    corpora = {"seed": seed(), "xquad": base}
    corpora |= {f"grown-{size}": grown(base, size) for size in sizes}
    for name, corpus in corpora.items():
        (folder / f"{name}.json").write_text(json.dumps(corpus), encoding="utf-8")


def _corpus(documents: Sequence[Document], questions: Sequence[dict[str, str]]) -> Corpus:
    return {
        "documents": [_record(document) for document in documents],
        "passages": [{"id": document.id, "text": document.text} for document in documents],
        "questions": list(questions),
    }


def _record(document: Document) -> dict[str, str]:
    return {"id": document.id, "title": document.title, "text": document.text}


def _docstring_paragraphs() -> Iterator[tuple[str, str]]:
    """Yield each distinct paragraph of the standard library's docstrings, with its module."""
    library = Path(sysconfig.get_path("stdlib"))
    seen: set[str] = set()
    for path in sorted(library.rglob("*.py")):
        module = path.relative_to(library).with_suffix("").as_posix().replace("/", ".")
        if {"site-packages", "test", "tests"} & set(module.split(".")):
            continue
        for text in _docstrings(path):
            for paragraph in text.split("\n\n"):
                words = paragraph.split()
                if len(words) >= FEWEST_WORDS and (joined := " ".join(words)) not in seen:
                    seen.add(joined)
                    yield module, joined


def _generated(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield ("Generated", sentence) without end: word pairs are as frequent as in ``texts``.

    Lengths are those of the real sentences, 8 to 40 words.
    """
    sentences = [s.split() for text in texts for s in text.split(". ") if 8 <= len(s.split()) <= 40]
    following: dict[str, list[str]] = {}
    for words in sentences:
        for one, next_one in pairwise(words):
            following.setdefault(one, []).append(next_one)
    starts, lengths = [words[0] for words in sentences], [len(words) for words in sentences]
    chance = random.Random(1)  # noqa: S311 - the same corpus every time
    while True:
        words = [chance.choice(starts)]
        for _ in range(chance.choice(lengths) - 1):
            words.append(chance.choice(following.get(words[-1], starts)))
        yield "Generated", " ".join(words)


def _docstrings(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return  # lib2to3 and idlelib contain files with deliberate errors
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


if __name__ == "__main__":
    write_corpora(Path(sys.argv[1]), Path(sys.argv[2]), map(int, sys.argv[3:]))
