"""Questions, windows and near-misses as arrays of token ids: what training reads, in one file.

A group is one answerable question with its window, windows that do not answer it (of what the
library finds, of the passage without the answer's sentence) and near-misses of the question.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ragkit.evaluation.near_misses import Asked, make_misses
from ragkit.evaluation.near_misses.makers import AT, names_in
from ragkit.evaluation.near_misses.words import NUMBER, YEAR, content_words
from training.mining import load_mined
from training.sources import Paragraph, Question, Source, load_all
from training.splits import TRAIN, Splits, load_splits
from training.windows import QUESTION_TOKENS, TITLE_TOKENS, Window, sentences, token_ids, windows_of

Ints = npt.NDArray[np.int64]
KINDS: Final = (
    "real year number name antonym negation roles attribute time cause count human swap premise "
    "scope relation not_given other removed"
).split()
CONTRADICTS: Final = frozenset(
    "year number name antonym negation roles swap premise scope relation".split()
)
SOURCES: Final = ("contrast", "squad2", "nq", "squad1", "paraphrase", "everyday")
FEWEST: Final = 3  # windows that do not answer, for each question
MOST: Final = 8
REMAINING: Final = 18  # tokens of a window from which a sentence was taken out


@dataclass
class Ragged:
    """Lists of integers of many lengths, one behind another."""

    values: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=lambda: [0])

    def add(self, items: Iterable[int]) -> int:
        self.values.extend(items)
        self.ends.append(len(self.values))
        return len(self.ends) - 2

    def arrays(self, name: str) -> dict[str, Ints]:
        return {name: np.array(self.values, np.int64), f"{name}_at": np.array(self.ends, np.int64)}


@dataclass(frozen=True)
class Read:
    """A paragraph cut into windows, each by its number in the dataset."""

    paragraph: Paragraph
    windows: tuple[Window, ...]
    first: int
    words: tuple[frozenset[str], ...]

    def holding(self, start: int, end: int) -> list[int]:
        """Places of the windows in which all of ``[start, end)`` is."""
        return [i for i, w in enumerate(self.windows) if w.start <= start and end <= w.end]

    def best(self, question: str, among: Sequence[int]) -> int:
        """Of some windows the one that shares most words with the question."""
        words = content_words(question)
        return max(among, key=lambda i: len(words & self.words[i]))


class Builder:
    def __init__(self, mined: Mapping[str, list[str]], seed: int = 17) -> None:
        self.mined = mined
        self.seed = seed
        self.rng = random.Random(seed)  # noqa: S311
        self.questions, self.windows, self.titles = Ragged(), Ragged(), Ragged()
        self.window_title: list[int] = []
        self.negatives, self.misses = Ragged(), Ragged()
        self.groups: list[tuple[int, int, int, int, int]] = []
        self.counts: Counter[str] = Counter()
        self._by_id: dict[str, Read] = {}

    def add(self, source: Source, splits: Splits, split: str = TRAIN, most: int = 10**9) -> None:
        """All groups of one source's articles in ``split``, or of ``most`` of these articles."""
        articles: dict[str, list[Paragraph]] = {}
        for paragraph in source.paragraphs:
            if splits.of(paragraph.article) == split:
                articles.setdefault(paragraph.article, []).append(paragraph)
        names = sorted(articles)
        self.rng.shuffle(names)
        articles = {name: articles[name] for name in names[:most]}
        asked: dict[str, list[Question]] = {}
        for question in source.questions:
            asked.setdefault(question.paragraph, []).append(question)
        read = {
            p.id: self._read(p) for paragraphs in articles.values() for p in paragraphs if p.text
        }
        everything = list(read.values())
        self._by_id = read
        for paragraphs in articles.values():
            here = [read[p.id] for p in paragraphs]
            named = named_in(paragraphs)
            for one in here:
                questions = asked.get(one.paragraph.id, [])
                self._add_passage(one, questions, named, here, everything)

    def _read(self, paragraph: Paragraph) -> Read:
        windows = tuple(windows_of(paragraph.text))
        title = self.titles.add(token_ids(paragraph.title, TITLE_TOKENS))
        first = len(self.windows.ends) - 1
        for window in windows:
            self.windows.add(window.ids)
            self.window_title.append(title)
        text = paragraph.text
        words = tuple(frozenset(content_words(text[w.start : w.end])) for w in windows)
        return Read(paragraph, windows, first, words)

    def _add_passage(
        self,
        one: Read,
        asked: Sequence[Question],
        named: Named,
        article: Sequence[Read],
        everything: Sequence[Read],
    ) -> None:
        real = [q for q in asked if q.answerable]
        twins = _with_twins(real, [q for q in asked if not q.answerable])
        for question in real:
            placed = self._placed(one, question)
            if placed is None:
                self.counts["answer in no window"] += 1
                continue
            gold, first, last = placed
            misses = [m for q in twins.get(question.id, ()) for m in self._human(one, q, gold)]
            misses += self._made(question, one, named, one.first + gold)
            found = self._found(question, one, article, everything)
            text = self.questions.add(token_ids(question.text, QUESTION_TOKENS))
            misses += self._removed(one, question, gold, text)
            self.negatives.add(found)
            self.misses.add(n for miss in misses for n in miss)
            source = SOURCES.index(one.paragraph.source)
            self.groups.append((text, one.first + gold, first, last, source))
            self.counts[f"groups {one.paragraph.source}"] += 1

    def _placed(self, one: Read, question: Question) -> tuple[int, int, int] | None:
        """The window that answers, and the answer's first and last token in it."""
        start, end = question.start or 0, (question.start or 0) + len(question.answer or "")
        holding = one.holding(start, end)
        if not holding:
            return None
        gold = one.best(question.text, holding)
        tokens = one.windows[gold].tokens_of(start, end)
        return None if tokens is None else (gold, *tokens)

    def _human(self, one: Read, question: Question, gold: int) -> list[tuple[int, int, int]]:
        """A near-miss that someone wrote, with the window that misleads and the twin's."""
        kind = {"number": "not_given"}.get(question.kind, question.kind)
        near = one.holding(question.near, question.near + 1) if question.near is not None else []
        places = {one.best(question.text, near or range(len(one.windows))), gold}
        text = self.questions.add(token_ids(question.text, QUESTION_TOKENS))
        self.counts[f"miss {kind}"] += 1
        return [(text, one.first + place, KINDS.index(kind)) for place in sorted(places)]

    def _removed(
        self, one: Read, question: Question, gold: int, text: int
    ) -> list[tuple[int, int, int]]:
        """The question again, with a window from which the answer's sentences are taken out."""
        window, passage = one.windows[gold], one.paragraph.text
        answer = question.answer or ""
        start, end = question.start or 0, (question.start or 0) + len(answer)
        cut = [s for s in sentences(passage) if s[0] < end and s[1] > start]
        kept = [
            i
            for i, (a, _) in enumerate(window.offsets)
            if not any(first <= a < last for first, last in cut)
        ]
        rest = " ".join(passage[slice(*window.offsets[i])] for i in kept).lower()
        if len(kept) < REMAINING or plain(answer) in plain(rest):
            return []
        self.windows.add(window.ids[i] for i in kept)
        self.window_title.append(self.window_title[one.first + gold])
        self.counts["miss removed"] += 1
        return [(text, len(self.windows.ends) - 2, KINDS.index("removed"))]

    def _made(
        self, question: Question, one: Read, named: Named, gold: int
    ) -> list[tuple[int, int, int]]:
        """What the makers make of it, with the window that answers the real one."""
        asked = Asked(
            question=question.text,
            answer=question.answer or "",
            passage=one.paragraph.text,
            title=one.paragraph.title,
            names=named.names,
            years=named.years,
            numbers=named.numbers,
            places=named.places,
            rng=random.Random(hash_of(question.id, self.seed)),  # noqa: S311
        )
        made = []
        for miss in make_misses(asked):
            text = self.questions.add(token_ids(miss.text, QUESTION_TOKENS))
            made.append((text, gold, KINDS.index(miss.kind)))
            self.counts[f"miss {miss.kind}"] += 1
        return made

    def _found(
        self, question: Question, one: Read, article: Sequence[Read], everything: Sequence[Read]
    ) -> list[int]:
        """Windows that do not answer, each as ``2 * window + (of another article)``: what the
        library found, else what shares most words; none that has the answer's words.
        """
        answer = " ".join((question.answer or "").lower().split())
        by_id = self._by_id
        found = [by_id[i] for i in self.mined.get(question.id, ()) if i in by_id]
        if len(found) < FEWEST:
            found += _overlapping(question.text, article, FEWEST)
            found.append(self.rng.choice(everything))
        made: list[int] = []
        for read in dict.fromkeys([one.paragraph.id, *(r.paragraph.id for r in found)]):
            made += self._lacking(by_id[read], question, answer, one)
        return made[:MOST]

    def _lacking(self, read: Read, question: Question, answer: str, gold: Read) -> list[int]:
        text = read.paragraph.text
        free = [
            i
            for i, w in enumerate(read.windows)
            if answer not in " ".join(text[w.start : w.end].lower().split())
        ]
        if not free or (read is not gold and read.paragraph.text == gold.paragraph.text):
            return []
        other = read.paragraph.article != gold.paragraph.article
        return [2 * (read.first + read.best(question.text, free)) + other]

    def arrays(self) -> dict[str, Ints]:
        return {
            **self.questions.arrays("questions"),
            **self.windows.arrays("windows"),
            **self.titles.arrays("titles"),
            **self.negatives.arrays("negatives"),
            **self.misses.arrays("misses"),
            "window_title": np.array(self.window_title, np.int64),
            "groups": np.array(self.groups, np.int64).reshape(-1, 5),
        }


def plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def hash_of(text: str, seed: int) -> int:
    """The same on every machine and in every process, as ``hash`` is not."""
    import zlib

    return zlib.crc32(f"{seed} {text}".encode())


@dataclass(frozen=True)
class Named:
    """Names, years and numbers of an article; ``places`` are names that one is in or at."""

    names: tuple[str, ...]
    years: tuple[str, ...]
    numbers: tuple[str, ...]
    places: frozenset[str]


def named_in(paragraphs: Sequence[Paragraph]) -> Named:
    """Each once, in the order of the alphabet."""
    names: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for p in paragraphs:
        for a, b in sentences(p.text):
            sentence = p.text[a:b]
            for c, d in names_in(sentence):
                if c > 0:
                    names[sentence[c:d]] += 1
                    places[sentence[c:d]] += bool(AT.search(sentence[:c]))
    text = "\n".join(p.text for p in paragraphs)
    years = sorted(set(YEAR.findall(text)))
    numbers = sorted(set(NUMBER.findall(text)) - set(years))
    at = frozenset(name for name, count in names.items() if places[name] * 3 >= count)
    return Named(tuple(sorted(names)), tuple(years), tuple(numbers), at)


def _with_twins(real: Sequence[Question], others: Sequence[Question]) -> dict[str, list[Question]]:
    """Each near-miss with its twin, else with the real question that shares most words."""
    made: dict[str, list[Question]] = {}
    for other in others:
        twin = other.twin
        if twin is None and real:
            words = content_words(other.text)
            twin = max(real, key=lambda q: len(words & content_words(q.text))).id
        if twin is not None:
            made.setdefault(twin, []).append(other)
    return made


def _overlapping(question: str, article: Sequence[Read], most: int) -> list[Read]:
    words = content_words(question)
    return sorted(article, key=lambda r: -max((len(words & w) for w in r.words), default=0))[:most]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--mined", type=Path, required=True, help="what training.mining wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sources", nargs="+", default=list(SOURCES))
    parser.add_argument("--split", default=TRAIN)
    parser.add_argument("--articles", type=int, default=10**9, help="of SQuAD 1.1, at most")
    options = parser.parse_args()
    builder, splits = Builder(load_mined(options.mined)), load_splits()
    sources = load_all(options.data)
    for name in options.sources:
        most = options.articles if name == "squad1" else 10**9
        builder.add(sources[name], splits, options.split, most)
    np.savez_compressed(options.out, **builder.arrays())  # type: ignore[arg-type]
    print(json.dumps(dict(sorted(builder.counts.items())), indent=1))


if __name__ == "__main__":
    main()
