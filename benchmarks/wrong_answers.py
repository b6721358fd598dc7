"""Twenty questions that the article does not answer: what was answered without a reader, and now.

``python -m benchmarks.wrong_answers --save`` draws them by a fixed seed from those of ``eval/``
that are about the article, and are answered without the reader. The page:
results/wrong_answers.md.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from ragkit import Answer, default_index
from ragkit.evaluation import load_questions

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).parent / "results" / "wrong_answers.md"
DRAWN = 20


def page() -> str:
    """Ask in both ways, and return the page in Markdown."""
    index = default_index()
    questions = load_questions(ROOT / "eval" / "questions.jsonl")
    asked = [q.text for q in questions if q.category == "unanswerable on-topic"]
    wrong = [
        (before, now)
        for before, now in zip(
            index.with_reader(None).ask_many(asked), index.ask_many(asked), strict=True
        )
        if before.answered
    ]
    drawn = random.Random(17).sample(wrong, min(DRAWN, len(wrong)))  # noqa: S311
    refused = sum(not now.answered for _, now in wrong)
    lines = [
        "# Twenty wrong answers",
        "",
        f"Of {len(asked)} questions about the article that it does not answer, {len(wrong)} are",
        f"answered without a reader, all of them wrongly. With it, {refused} of these are refused.",
        f"{len(drawn)} drawn by a fixed seed:",
        "",
        "| question | without a reader | with it |",
        "|---|---|---|",
        *(f"| {now.question} | {_cell(before)} | {_cell(now)} |" for before, now in drawn),
        "",
        "Written by `python -m benchmarks.wrong_answers --save`.",
    ]
    return "\n".join(lines) + "\n"


def _cell(answer: Answer) -> str:
    """What a person reads first, with the confidence."""
    if not answer.answered:
        return f"— {answer.reason} ({answer.confidence:.2f})"
    words = " ".join((answer.short.quote if answer.short else answer.text).split())
    shown = words if len(words) <= 90 else f"{words[:90].rsplit(' ', 1)[0]} …"
    return f"{shown} ({answer.confidence:.2f})".replace("|", "\\|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true", help="write results/wrong_answers.md")
    options = parser.parse_args()
    made = page()
    if options.save:
        PAGE.write_text(made, encoding="utf-8")
    print(made)


if __name__ == "__main__":
    main()
