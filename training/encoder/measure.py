"""Success@1 of an encoder over collections of passages, exactly and in full precision."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ragkit import Document
from ragkit.corpus import iter_sources
from ragkit.corpus.headings import parse_sections
from ragkit.encoding.encoder import load_tokenizer
from training.encoder.batches import FRONT, Step, Texts, step_of
from training.encoder.model import Design, Encoded, TokenEncoder, load_token_encoder
from training.encoder.objective import scores
from training.encoder.texts import (
    SOURCES,
    WINDOW,
    Frequencies,
    chunks_of,
    passage_of,
    question_of,
    tokens_of,
)
from training.model import CLS, SEP
from training.windows import model_folder

AT_ONCE = 32


@dataclass(frozen=True)
class Collection:
    """``gold``: for each question the passages any of which is right; ``kinds``: for slices."""

    name: str
    passages: list[tuple[list[int], list[int]]]
    questions: list[tuple[list[int], list[float]]]
    gold: list[frozenset[int]]
    kinds: list[str]


def of_split(texts: Texts, name: str) -> Collection:
    """All passages of a file, and its questions; of SQuAD 1.1's every sixth."""
    passages = [texts.passage(n) for n in range(texts.passages)]
    plain = SOURCES.index("squad1")
    numbers = [
        n for n, (_, kind) in enumerate(texts.of_question.tolist()) if kind != plain or n % 6 == 0
    ]
    questions = [texts.question(n, titled=False, narrow=False) for n in numbers]
    gold = [frozenset([int(texts.of_question[n, 0])]) for n in numbers]
    kinds = [SOURCES[int(texts.of_question[n, 1])] for n in numbers]
    return Collection(name, passages, questions, gold, kinds)


def of_documents(
    name: str,
    documents: Sequence[Document],
    asked: Sequence[tuple[str, Sequence[tuple[str, int, int]]]],
    *,
    in_front: str = "",
) -> Collection:
    """Documents, and questions with the spans any of which answers; ``in_front``: of each."""
    tokenizer = load_tokenizer(model_folder() / "tokenizer.json")
    rows, places, stems = [], [], Counter[str]()
    for document in documents:
        for chunk in chunks_of(tokenizer, document):
            passage = passage_of(tokenizer, document, chunk)
            path = [document.title, *document.sections[chunk.section].path]
            lead = f"{document.text[slice(*chunk.lead)]} " if chunk.lead else ""
            front, marks = tokens_of(tokenizer, ". ".join(path) + ". " + lead, ())
            ids = [*front, *passage.ids][:WINDOW]
            own = [*(-2 if m == 0 else -1 for m in marks), *passage.marks][:WINDOW]
            rows.append(([CLS, *ids, SEP], [-1, *own, -1]))
            places.append((document.id, passage.start, passage.end))
            stems.update(passage.stems)
    front = tokenizer.encode(in_front, add_special_tokens=False).ids
    questions, gold = [], []
    for text, spans in asked:
        ids, [weights] = question_of(tokenizer, text, [Frequencies(stems, len(rows))])
        questions.append(([CLS, *front, *ids, SEP], [0.0, *[FRONT] * len(front), *weights, 0.0]))
        gold.append(
            frozenset(
                i
                for i, (document_id, a, b) in enumerate(places)
                for one, start, end in spans
                if document_id == one and a < end and start < b
            )
        )
    return Collection(name, rows, questions, gold, [name] * len(questions))


@torch.no_grad()
def ranks(encoder: TokenEncoder, of: Collection) -> tuple[list[int], list[int]]:
    """The place, from 0, of each question's first right passage: by tokens, and by one vector."""
    encoder.eval()
    blocks = [of.passages[i : i + AT_ONCE] for i in range(0, len(of.passages), AT_ONCE)]
    passages = [encoded(encoder, block) for block in blocks]
    places: list[int] = []
    by_vector: list[int] = []
    for first in range(0, len(of.questions), AT_ONCE):
        some = of.questions[first : first + AT_ONCE]
        steps = [step_of(block, some, [0] * len(some)) for block in blocks]
        with torch.autocast("cpu", torch.bfloat16):
            questions = encoder(*steps[0].questions)
        parts = [
            scores(found.tokens[step.keep], questions, step)
            for step, found in zip(steps, passages, strict=True)
        ]
        near = [questions.vectors @ found.vectors.T for found in passages]
        for table, out in ((torch.cat(parts, 1), places), (torch.cat(near, 1), by_vector)):
            for row, gold in zip(table, of.gold[first : first + AT_ONCE], strict=True):
                best = row[sorted(gold)].max() if gold else torch.tensor(-9.0)
                out.append(int((row > best).sum()))
    return places, by_vector


def encoded(encoder: TokenEncoder, passages: Sequence[tuple[list[int], list[int]]]) -> Encoded:
    with torch.autocast("cpu", torch.bfloat16):
        found: Encoded = encoder(*passages_alone(passages).passages)
    return found


def passages_alone(passages: Sequence[tuple[list[int], list[int]]]) -> Step:
    """A step of passages with an empty question."""
    return step_of(passages, [([CLS, SEP], [0.0, 0.0])], [0])


def measured(encoder: TokenEncoder, of: Collection) -> dict[str, float]:
    places, by_vector = ranks(encoder, of)
    found: dict[str, float] = {}
    for kind in dict.fromkeys(of.kinds):
        own = [p for p, k in zip(places, of.kinds, strict=True) if k == kind]
        near = [p for p, k in zip(by_vector, of.kinds, strict=True) if k == kind]
        found[f"{kind}@1"] = round(float(np.mean([p < 1 for p in own])), 4)
        found[f"{kind}@5"] = round(float(np.mean([p < 5 for p in own])), 4)
        found[f"{kind}@1v"] = round(float(np.mean([p < 1 for p in near])), 4)
    return found


def of_eval(folder: Path) -> Collection:
    """The project's article and its ``dev`` questions, never trained on."""
    [document] = [d for d, _ in iter_sources(sorted((folder / "seeds").glob("*.txt")))]
    lines = [json.loads(line) for line in (folder / "eval/questions.jsonl").open()]
    asked = [
        (q["question"], [(e["document_id"], e["start"], e["end"]) for e in q["evidence"]])
        for q in lines
        if q["split"] == "dev" and q["answerable"]
    ]
    return of_documents("eval", [document], asked, in_front=f"{document.title}. ")


def of_xquad(data: Path) -> Collection:
    """XQuAD in English."""
    found = json.loads((data / "xquad.en.json").read_text())
    documents: list[Document] = []
    asked: list[tuple[str, list[tuple[str, int, int]]]] = []
    for article in found["data"]:
        for paragraph in article["paragraphs"]:
            name = str(len(documents))
            title = article["title"].replace("_", " ")
            documents.append(_document(name, title, paragraph["context"]))
            for one in paragraph["qas"]:
                spans = [
                    (name, a["answer_start"], a["answer_start"] + len(a["text"]))
                    for a in one["answers"]
                ]
                asked.append((one["question"], spans))
    return of_documents("xquad", documents, asked)


def of_cranfield(data: Path) -> Collection:
    """Abstracts on aeronautics, and queries; right is what was judged relevant at all."""
    folder = data / "retrieval/cranfield"
    lines = [json.loads(line) for line in (folder / "corpus.jsonl").open()]
    documents = [
        _document(d["_id"], d.get("title") or "", d["text"]) for d in lines if d["text"].strip()
    ]
    queries = {q["_id"]: q["text"] for q in map(json.loads, (folder / "queries.jsonl").open())}
    right: dict[str, list[str]] = {}
    [judged] = (folder / "qrels").iterdir()
    rows = [line.split("\t") for line in judged.read_text().splitlines()[1:]]
    for query, document, score in rows:
        if int(score) > 0:
            right.setdefault(query, []).append(document)
    asked = [(queries[q], [(d, 0, 10**9) for d in own]) for q, own in right.items()]
    return of_documents("cranfield", documents, asked)


def _document(name: str, title: str, text: str) -> Document:
    return replace(Document(id=name, title=title, text=text), sections=parse_sections(text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, nargs="?")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--texts", type=Path, required=True, help="of training.encoder.texts")
    parser.add_argument("--begin", type=Path, help="training texts: measure the start")
    parser.add_argument("--dimension", type=int, default=96)
    options = parser.parse_args()
    torch.set_num_threads(2)
    if options.checkpoint:
        encoder = load_token_encoder(options.checkpoint)
    else:
        encoder = TokenEncoder(Design(options.dimension))
        begin(encoder, Texts(options.begin))
    root = Path(__file__).parents[2]
    for of in (
        of_split(Texts(options.texts), "choose"),
        of_eval(root),
        of_xquad(options.data),
        of_cranfield(options.data),
    ):
        print(json.dumps(measured(encoder, of)), flush=True)


@torch.no_grad()
def begin(encoder: TokenEncoder, texts: Texts, number: int = 256) -> None:
    """Set the projection by passages drawn at random."""
    rng = np.random.default_rng(17)
    rows = [texts.passage(int(n)) for n in rng.choice(texts.passages, number, replace=False)]
    step = passages_alone(rows)
    encoder.begin_with(encoder.states(*step.passages[:2])[step.keep])


if __name__ == "__main__":
    main()
