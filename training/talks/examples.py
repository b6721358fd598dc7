"""Turns of conversations with their standalone wording, from every source, in one shape.

``CANARD`` and ``TREC CAsT`` are named by ``--data``; the project's own conversations lie in
``training/contrast/`` and ``training/talks/``. Made ones (``made``) come from questions of SQuAD
that speak of the same thing: the name in the later one becomes a pronoun, or two questions of one
form become "and …?".
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from zlib import crc32

from ragkit.answering.answer import Remark
from training.sources import Question, Source, article_of, load_contrast, read_lines
from training.splits import TRAIN, load_splits

OWN = Path(__file__).parent
KINDS = ("none", *map(str, Remark))


@dataclass(frozen=True)
class Example:
    """A turn after others.

    ``history``: what was said, oldest first; ``split``: ``train``, ``choose`` or ``test``.
    ``kind``: which remark it is, ``none`` for a question.
    """

    source: str
    split: str
    history: tuple[str, ...]
    question: str
    rewrite: str
    kind: str = "none"


def load_examples(data: Path, squad: Source | None) -> list[Example]:
    found = [
        *_rewrites(data / "talks/canard-dev.jsonl.gz", "canard"),
        *_rewrites(data / "talks/trec-cast-2019-2020.jsonl.gz", "cast"),
        *_contrast(),
        *_own(),
        *_remarks(),
    ]
    return found if squad is None else [*found, *made(squad)]


def _split_of(name: str) -> str:
    """A twentieth of the conversations to choose by, a tenth to test."""
    place = crc32(name.encode()) % 20
    return "choose" if place == 0 else "test" if place in {1, 2} else TRAIN


def _rewrites(path: Path, source: str) -> Iterator[Example]:
    """History is question, answer, question, … (CAsT: questions alone), here by its rewrites."""
    rewrites: dict[str, str] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            turn = json.loads(line)
            talk = re.split(r"#|_\d+$", turn["id"])[0]
            rewrites[talk + "|" + turn["question"]] = turn["rewrite"]
            said = [rewrites.get(f"{talk}|{text}", text) for text in turn["history"]]
            if source == "canard" and _is_told(turn["rewrite"], turn["question"], said[2:]):
                said = said[2:]  # the article's title and heading are not needed
            yield Example(source, _split_of(talk), tuple(said), turn["question"], turn["rewrite"])


def _is_told(rewrite: str, question: str, said: Sequence[str]) -> bool:
    """Whether the conversation has the words that the question lacks."""
    new = set(re.findall(r"\w{4,}", rewrite.lower())) - set(re.findall(r"\w+", question.lower()))
    return bool(said) and new <= set(re.findall(r"\w+", " ".join(said).lower()))


def _contrast() -> Iterator[Example]:
    splits = load_splits()
    source = load_contrast()
    text_of = {p.id: p.text for p in source.paragraphs}
    for talk in read_lines(OWN.parent / "contrast" / "talks.jsonl.gz"):
        split = splits.of(article_of(talk["title"]))
        if split == "calibrate":
            split = "choose"
        said: list[str] = []
        for turn in talk["turns"]:
            yield Example("contrast", split, tuple(said), turn["question"], turn["standalone"])
            said.append(turn["standalone"])
            if turn["answer"]:
                said.append(sentence_with(text_of[turn["p"]], turn["answer"]))


def _own() -> Iterator[Example]:
    path = OWN / "talks.jsonl.gz"
    for talk in read_lines(path) if path.exists() else ():
        split = _split_of(talk["topic"] + talk["turns"][0]["question"])
        said: list[str] = []
        for turn in talk["turns"]:
            yield Example("own", split, tuple(said), turn["question"], turn["standalone"])
            said.append(turn["standalone"])
            if turn["answer"]:
                said.append(turn["answer"])


def _remarks() -> Iterator[Example]:
    path = OWN / "remarks.jsonl.gz"
    for line in read_lines(path) if path.exists() else ():
        text = line["text"]
        yield Example("remarks", _split_of(text), (), text, text, line["kind"])


def sentence_with(text: str, words: str) -> str:
    """The sentence around some words, by full stops alone."""
    at = max(text.find(words), 0)
    begin = max(text.rfind(". ", 0, at) + 2, 0) if ". " in text[:at] else 0
    end = text.find(". ", at + len(words))
    return text[begin : end + 1 if end >= 0 else len(text)]


_NAME = re.compile(r"\b[A-Z][\w'-]+(?: (?:of|the|de|von|and) [A-Z][\w'-]+| [A-Z][\w'-]+)*")
_FOLLOW = frozenset(
    "is was are were did does do has had have in on at to by from with and or of that who which "
    "when after before during as for become became into about besides can could would will".split()
)
_AUXILIARY = frozenset("did does do was is were are has had have can could would will".split())
_NOT_NAMES = frozenset(
    "what who when where which why how whose whom in on at the is was are were did does do can a "
    "an for to by from after before during according if has had have along besides".split()
)


def made(squad: Source, *, most: int = 70_000, seed: int = 5) -> Iterator[Example]:
    """Pairs of questions about one paragraph, the later one as a follow-up; or two topics."""
    rng = random.Random(seed)  # noqa: S311
    splits = load_splits()
    text_of = {p.id: p for p in squad.paragraphs}
    of: dict[str, list[Question]] = defaultdict(list)
    for question in squad.questions:
        if question.answerable and splits.of(text_of[question.paragraph].article) == TRAIN:
            of[question.paragraph].append(question)
    places = [p for p, asked in of.items() if len(asked) > 2]
    rng.shuffle(places)
    count = 0
    for place in places:
        if count >= most:
            return
        other = of[rng.choice(places)]
        for example in _of_paragraph(of[place], text_of[place].text, other, rng):
            count += 1
            yield example


def _of_paragraph(
    asked: Sequence[Question], text: str, other: Sequence[Question], rng: random.Random
) -> Iterator[Example]:
    for first, second in pairwise(rng.sample(asked, len(asked))):
        answer = sentence_with(text, first.answer or "")
        said: tuple[str, ...] = (first.text, answer)
        if rng.random() < 0.5:
            stranger = rng.choice(other)
            said = (stranger.text, *said) if rng.random() < 0.8 else said
        followed = _with_pronoun(first.text + " " + answer, second.text, text, rng)
        parallel = _parallel(first.text, second.text, rng)
        if parallel:
            yield Example("made", TRAIN, said, parallel, second.text)
        elif followed:
            yield Example("made", TRAIN, said, followed, second.text)
        elif rng.random() < 0.25:
            yield Example("made", TRAIN, said, second.text, second.text)
        if rng.random() < 0.15:
            switch = rng.choice(other).text
            yield Example("made", TRAIN, said, switch, switch)


def _with_pronoun(said: str, question: str, text: str, rng: random.Random) -> str | None:
    """The question with a name that was said before as a pronoun, if it has one."""
    names = [
        match
        for match in _NAME.finditer(question)
        if match[0].split()[0].lower() not in _NOT_NAMES and match[0] in said
        and question.count(match[0]) == 1 and _stands_alone(question, match)
    ]  # fmt: skip
    if not names:
        return None
    name = max(names, key=lambda match: len(match[0]))
    begin, end = name.span()
    if question[:begin].lower().endswith(" the "):
        begin -= 4
    owns = question[end:].startswith("'s") or question[end:].startswith("’s")
    if owns:
        end += 2
    he, she = (
        len(re.findall(r"\b(?:he|his)\b", text, re.I)),
        len(re.findall(r"\b(?:she|her)\b", text, re.I)),
    )
    person = he + she > 0 and begin == name.start() and " of " not in name[0]
    plain, own = (
        ("she", "her") if person and she > he else ("he", "his") if person else ("it", "its")
    )
    if not person and name[0].endswith("s") and rng.random() < 0.5:
        plain, own = "they", "their"
    if not owns and question[:begin].endswith(" in ") and not person and rng.random() < 0.6:
        begin, plain = begin - 3, "there"
    elif not owns and re.search(
        r"\b(?:of|by|to|for|with|about|from|on|against)\s$", question[:begin]
    ):
        plain = {"he": "him", "she": "her", "they": "them"}.get(plain, plain)
    turn = question[:begin] + (own if owns else plain) + question[end:]
    if rng.random() < 0.4:
        turn = turn[:1].lower() + turn[1:]
    if rng.random() < 0.25:
        turn = rng.choice(["and ", "And ", "so ", "ok, "]) + turn[:1].lower() + turn[1:]
    return turn if rng.random() < 0.7 else turn.rstrip("?")


def _stands_alone(question: str, match: re.Match[str]) -> bool:
    """Whether a name is a phrase by itself: not "the *Swiss* constitution"."""
    words_before = re.findall(r"\w+", question[: match.start()].lower())
    after = re.match(r"\W*(\w*)", question[match.end() :])
    follows = after[1].lower() if after else ""
    last = [word for word in words_before if word != "the"][-1:]
    return (
        question[match.end() :].startswith(("'s", "’s", ",", "?"))
        or not follows
        or follows in _FOLLOW
        or bool(_AUXILIARY & set(last))
    )


def _parallel(first: str, second: str, rng: random.Random) -> str | None:
    """What two questions of one form differ in, as "and …?"."""
    a, b = first.rstrip("?").split(), second.rstrip("?").split()
    head = next(
        (n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    tail = next((n for n, (x, y) in enumerate(zip(a[::-1], b[::-1], strict=False)) if x != y), 0)
    middle = b[head : len(b) - tail]
    if head < 3 or head + tail < 4 or not 1 <= len(middle) <= 5 or head + tail >= len(b) + 1:
        return None
    return (
        rng.choice(["and ", "And ", "what about ", "What about ", "how about "])
        + " ".join(middle)
        + rng.choice(["?", "?", ""])
    )
