"""Questions in other languages: found, not refused, answered with the right words, how fast.

    python -m benchmarks.languages MODEL --xquad FOLDER --save

``FOLDER`` has XQuAD's ``xquad.LANG.json.gz``, the same paragraphs and questions in each language
(Artetxe et al. 2020). Each language is indexed and asked its own questions, and the English ones;
one vector a passage by the same model is the peer. A warm question is timed in turn with the same
one in English to the default model. ``--save`` writes ``benchmarks/results/languages.md``.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from ragkit import Answer, Document, Encoder, Index, load_encoder
from ragkit.encoding import usable_cpus
from ragkit.evaluation import Question, load_squad

OUT: Final = Path(__file__).parent / "results" / "languages.md"
HEADS: Final = {
    "found_1": "@1",
    "found_5": "@5",
    "one_vector_1": "@1, one vector",
    "english_5": "asked in English, @5",
    "refused": "refused",
    "in_text": "answer in `text`",
    "slower": "time of a question",
}


@dataclass(frozen=True)
class Figures:
    """Of one language: shares from 0 to 1 of its questions, and a ratio of times.

    ``refused``: questions that have an answer and get none. ``in_text``: of those whose passage is
    found first, how many have the answer in ``Answer.text``. ``slower``: the median time of a
    question to that of the same one in English to the default model.
    """

    found_1: float
    found_5: float
    one_vector_1: float
    english_5: float
    refused: float
    in_text: float
    slower: float


def figures(
    path: Path, encoder: Encoder, english: Sequence[Question], default: Index, timed: int
) -> Figures:
    """Measure one language by the questions that have the ids of some ``english`` ones."""
    documents, questions = load_squad(path)
    asked_in_english = {question.id: question.text for question in english}
    own = [question for question in questions if question.id in asked_in_english]
    index = Index.build(documents, encoder=encoder)
    answers = index.ask_many([question.text for question in own])
    translated = index.ask_many([asked_in_english[question.id] for question in own])
    pairs = list(zip(own, answers, strict=True))
    return Figures(
        found_1=mean(is_found(q, a, 1) for q, a in pairs),
        found_5=mean(is_found(q, a, 5) for q, a in pairs),
        one_vector_1=one_vector(documents, own, encoder),
        english_5=mean(is_found(q, a, 5) for q, a in zip(own, translated, strict=True)),
        refused=mean(not a.answered for a in answers),
        in_text=mean(says(q, a) for q, a in pairs if is_found(q, a, 1)),
        slower=slowness(index, default, [(q.text, asked_in_english[q.id]) for q in own[:timed]]),
    )


def is_found(question: Question, answer: Answer, depth: int) -> bool:
    """Whether one of the first passages is of the paragraph that answers."""
    gold = {evidence.document_id for evidence in question.evidence}
    return any(p.citation.document_id in gold for p in answer.passages[:depth])


def says(question: Question, answer: Answer) -> bool:
    """Whether a gold answer stands in the text of the answer, in any case."""
    return any(gold.casefold() in answer.text.casefold() for gold in question.answers)


def one_vector(
    documents: Sequence[Document], questions: Sequence[Question], encoder: Encoder
) -> float:
    """Return the share of questions whose paragraph has the vector nearest to theirs."""
    passages = np.stack([e.vector for e in encoder.encode([d.text for d in documents])])
    texts = [question.text for question in questions]
    asked = np.stack([e.vector for e in encoder.encode(texts, role="question")])
    nearest = (asked @ passages.T).argmax(axis=1)
    golds = ({e.document_id for e in question.evidence} for question in questions)
    return mean(documents[n].id in gold for n, gold in zip(nearest, golds, strict=True))


def slowness(index: Index, default: Index, texts: Sequence[tuple[str, str]]) -> float:
    """Return the ratio of median times; each question is asked of both in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for own, english in texts:
        for spent, one, text in zip(times, (index, default), (own, english), strict=True):
            begun = time.perf_counter()
            one.ask(text)
            spent.append(time.perf_counter() - begun)
    return statistics.median(times[0]) / statistics.median(times[1])


def mean(values: Iterable[object]) -> float:
    return float(np.mean([bool(value) for value in values]))


def page(model: str, found: Mapping[str, Figures], questions: int) -> str:
    """Return the page in Markdown."""
    others = [one for name, one in found.items() if name != "en"]
    lines = [f"| {name} | {cells(one)} |" for name, one in found.items()]
    if others:
        means = Figures(
            *(statistics.mean(column) for column in zip(*map(astuple, others), strict=True))
        )
        lines.append(f"| mean without English | {cells(means)} |")
    size = f"{questions} questions in each language, on {usable_cpus()} cores"
    heads = [HEADS[field.name] for field in fields(Figures)]
    return "\n".join(
        [
            "# Other languages",
            "",
            f"Made by `python -m benchmarks.languages {model} --xquad FOLDER`: the",
            f"240 paragraphs of XQuAD, {size}.",
            "",
            f"| | {' | '.join(heads)} |",
            "|---|" + "---:|" * len(heads),
            *lines,
            "",
        ]
    )


def cells(one: Figures) -> str:
    shares = [f"{getattr(one, field.name):.3f}" for field in fields(Figures)]
    return " | ".join([*shares[:-1], f"{one.slower:.2f} ×"])


def main() -> None:
    """Print the page, or save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="as `ragkit index build --encoder` takes it")
    parser.add_argument("--xquad", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--languages", nargs="*", help="by their codes; by default all")
    parser.add_argument("--questions", type=int, default=10_000, help="at most, of each language")
    parser.add_argument("--timed", type=int, default=100, help="questions that are timed")
    parser.add_argument("--save", action="store_true", help="write results/languages.md")
    options = parser.parse_args()
    files = {path.name.split(".")[1]: path for path in sorted(options.xquad.glob("xquad.*.json*"))}
    documents, questions = load_squad(files["en"])
    english = random.Random(17).sample(  # noqa: S311
        list(questions), min(options.questions, len(questions))
    )
    default = Index.build(documents, reader=None)
    encoder = load_encoder(options.model)
    found: dict[str, Figures] = {}
    for name in options.languages or files:
        found[name] = figures(files[name], encoder, english, default, options.timed)
        print(name, cells(found[name]), flush=True)
    made = page(options.model, found, len(english))
    OUT.write_text(made, encoding="utf-8") if options.save else print(made)


if __name__ == "__main__":
    main()
