"""Measures a turn model that was exported: ``python -m training.talks.evaluate --data DIR``.

What it prints: token F1 of standalone questions on conversations held out, and how many remarks are
recognised; what the library finds in conversations about articles held out, as they were typed and
rewritten by hand; and the same on ``eval/conversations.jsonl``.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ragkit import Answer, Conversation, Document, Index
from ragkit.conversation.turns import Turn
from ragkit.conversation.understanding import understand
from ragkit.default import default_index
from ragkit.evaluation import evaluate_index, load_set
from ragkit.reading import Reader, load_reader
from training.sources import article_of, load_contrast, read_lines
from training.splits import load_splits
from training.talks.examples import Example, load_examples
from training.talks.measure import scores_of

ROOT = Path(__file__).parents[2]
Table = dict[str, list[float]]


BEFORE_REMARK = (
    Turn(
        "Who signed the Treaty of Rapallo?",
        "Who signed the Treaty of Rapallo?",
        (),
        "Rathenau signed it.",
    ),
)


def understanding(examples: Iterable[Example]) -> dict[str, Table]:
    """By source: the scores of what the library understands."""
    sums: dict[str, Table] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        meant = understand(turns_of(example.history) or BEFORE_REMARK, example.question)
        kind = "none" if meant.remark is None else meant.remark.value
        for name, score in scores_of(example, meant.standalone or example.question, kind):
            sums[example.source][name].append(score)
    return sums


def turns_of(history: Sequence[str]) -> list[Turn]:
    """The turns in which this was said: what asks nothing answers what stands before it."""
    turns: list[Turn] = []
    for text in history:
        if turns and not turns[-1].answer and not text.rstrip().endswith("?"):
            turns[-1] = replace(turns[-1], answer=text)
        else:
            turns.append(Turn(text, text, ()))
    return turns


def talks_of(
    split: str, *, reader: Reader | None
) -> tuple[Index, list[dict[str, Any]], dict[str, str]]:
    """An index of the articles of a split, their conversations, and each paragraph's text."""
    splits, source = load_splits(), load_contrast()
    paragraphs = [p for p in source.paragraphs if splits.of(p.article) == split]
    texts: dict[str, list[str]] = defaultdict(list)
    for paragraph in paragraphs:
        texts[paragraph.title].append(paragraph.text)
    documents = [Document(title, title, "\n\n".join(own)) for title, own in texts.items()]
    talks = [
        talk
        for talk in read_lines(ROOT / "training/contrast/talks.jsonl.gz")
        if splits.of(article_of(talk["title"])) == split
    ]
    return Index.build(documents, reader=reader), talks, {p.id: p.text for p in paragraphs}


def finding(
    talks: Sequence[dict[str, Any]],
    text_of: dict[str, str],
    ask_of: Callable[[], Callable[[dict[str, Any]], Answer]],
) -> dict[str, Table]:
    """By kind of turn: whether a passage of the gold paragraph that has the answer is first, or
    among the first five, and what is refused.
    """
    sums: dict[str, Table] = defaultdict(lambda: defaultdict(list))
    for talk in talks:
        ask = ask_of()
        for number, turn in enumerate(talk["turns"]):
            answer = ask(turn)
            kind = "opener" if number == 0 else kind_of(turn)
            one = sums[kind]
            if not turn["answerable"]:
                one["refused"].append(float(not answer.answered))
                continue
            text = text_of[turn["p"]]
            right = [turn["answer"] in p.text and p.text in text for p in answer.passages]
            one["Success@1"].append(float(any(right[:1])))
            one["Success@5"].append(float(any(right[:5])))
            one["wrongly refused"].append(float(not answer.answered))
    return sums


def kind_of(turn: dict[str, Any]) -> str:
    if turn["switch"]:
        return "switch"
    return "stands alone" if turn["question"] == turn["standalone"] else "follow-up"


def in_talks(split: str, *, reader: Reader | None) -> dict[str, dict[str, Table]]:
    index, talks, text_of = talks_of(split, reader=reader)

    def conversing() -> Callable[[dict[str, Any]], Answer]:
        talk = Conversation(index)
        return lambda turn: talk.ask(turn["question"])

    def by_hand() -> Callable[[dict[str, Any]], Answer]:
        return lambda turn: index.ask(turn["standalone"])

    return {
        "as typed": finding(talks, text_of, conversing),
        "standalone by hand": finding(talks, text_of, by_hand),
    }


def on_eval(*, reader: Reader | None) -> dict[str, Table]:
    """By split and category of ``eval/conversations.jsonl``."""
    index = default_index().with_reader(reader)
    report = evaluate_index(load_set(ROOT / "eval/conversations.jsonl", index), index)
    sums: dict[str, Table] = defaultdict(lambda: defaultdict(list))
    for outcome in report.outcomes:
        one = sums[f"{outcome.split}, {outcome.category}"]
        if outcome.answerable:
            one["Success@1"].append(float(outcome.rank == 1))
            one["Success@5"].append(float(outcome.rank is not None and outcome.rank <= 5))
            one["wrongly refused"].append(float(not outcome.answered))
        else:
            one["refused"].append(float(not outcome.answered))
    return sums


def show(title: str, table: dict[str, Table]) -> None:
    print(f"\n{title}")
    for name, own in sorted(table.items()):
        print(
            f"  {name}: ",
            "; ".join(f"{n} {sum(v) / len(v):.3f} of {len(v)}" for n, v in own.items()),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the public sets")
    parser.add_argument("--split", default="test")
    parser.add_argument("--reader", action="store_true", help="read as well as find")
    options = parser.parse_args()
    examples = [e for e in load_examples(options.data, None) if e.split == options.split]
    show("standalone questions and remarks", understanding(examples))
    reader = load_reader() if options.reader else None
    for name, table in in_talks(options.split, reader=reader).items():
        show(f"conversations about articles held out, {name}", table)
    show("eval/", on_eval(reader=reader))


if __name__ == "__main__":
    main()
