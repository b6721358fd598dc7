"""The makers of near-misses, one function a kind."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ragkit.evaluation.near_misses.words import (
    ANTONYMS,
    ATTRIBUTES,
    CAUSE,
    MONTHS,
    NAME,
    NUMBER,
    QUANTITY,
    QUESTION_WORDS,
    SYMMETRIC,
    TIME,
    YEAR,
    base_of,
    content_words,
    past_of,
)

SAMPLED: Final = 60  # names looked at for each that is exchanged
NEGATED: Final = 0.5  # the share of questions that are denied, of those that can be
_ACTING: Final = (
    "king|queen|emperor|general|president|country|team|group|company|club|player|army|man|woman|"
    "person|artist|singer|pope|bishop|minister|leader|tribe|nation|state|organization|party|family|"
    "dynasty|actor|politician|scientist|empire|kingdom|ruler|people|force|side|agency"
)
_WHO: Final = rf"(Who|Whom|(?:Which|What) (?:{_ACTING}))"
_THEM: Final = r"(?:the |a )?[A-Z][\w'’-]*(?:(?: of)? [A-Z][\w'’-]*)*"
_WHEN: Final = r"(?:in|on|at|during|from|after|before|for|to|with|as) .+"
AT: Final = re.compile(r"\b(?:in|at|from|near|into) (?:the )?$")
_DENIED: Final = re.compile(r"n['’]t\b|\b(?:not|no|never|without|nor|how|nobody)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """A real question, the passage that answers it, and names, years and numbers of its article."""

    question: str
    answer: str
    passage: str
    title: str = ""
    names: tuple[str, ...] = ()
    years: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    places: frozenset[str] = frozenset()
    rng: random.Random = field(default_factory=lambda: random.Random(17))  # noqa: S311


@dataclass(frozen=True)
class Miss:
    """Another wording, and which kind of miss it is."""

    kind: str
    text: str


Maker = Callable[[Asked], Iterator[Miss]]


def names_in(text: str) -> list[tuple[int, int]]:
    """Capitalised names; a first word only if it is no question word, months never.

    >>> names_in("Who did Otto II of Rome see in May?")
    [(8, 23)]
    """
    spans = []
    for match in NAME.finditer(text):
        start, end = match.span()
        words = match.group()
        while words.split(" ")[0] in QUESTION_WORDS and (
            start == 0 or words[:2] != words[:2].upper()
        ):
            head, _, words = words.partition(" ")
            start += len(head) + 1
            if not words:
                break
        if len(words) > 1 and words not in MONTHS and words[0].isupper():
            spans.append((start, end))
    return spans


def _replaced(text: str, start: int, end: int, by: str) -> str:
    """A piece of the text exchanged; a or an as the new one wants it.

    >>> _replaced("In a war?", 3, 4, "an old"), _replaced("an ox", 3, 5, "cow")
    ('In an old war?', 'a cow')
    """
    before = text[:start]
    article = re.search(r"\b([Aa])n? $", before)
    if article:
        vowel = by[:1].lower() in "aeio"
        before = before[: article.start()] + article.group(1) + ("n " if vowel else " ")
    return before + by + text[end:]


def swap_year(asked: Asked) -> Iterator[Miss]:
    """A year of the question exchanged for one of the same article that the passage lacks."""
    if re.search(r"\b(?:between|since|after|before|by|until)\b", asked.question):
        return  # a time in which the right year may be as well
    for match in YEAR.finditer(asked.question):
        others = [y for y in asked.years if y not in asked.passage and y != match.group()]
        if others and match.group() in asked.passage:
            near = sorted(others, key=lambda y: abs(int(y) - int(match.group())))[:6]
            yield Miss("year", _replaced(asked.question, *match.span(), asked.rng.choice(near)))


def swap_number(asked: Asked) -> Iterator[Miss]:
    """A number, for another of as many digits; not a year."""
    for match in NUMBER.finditer(asked.question):
        old = match.group()
        if YEAR.fullmatch(old) or not re.search(rf"(?<!\d){re.escape(old)}(?!\d)", asked.passage):
            continue
        others = [
            n for n in asked.numbers if len(n) == len(old) and n not in asked.passage and n != old
        ]
        if others:
            yield Miss("number", _replaced(asked.question, *match.span(), asked.rng.choice(others)))


def _alike(one: str, other: str) -> int:
    """How much two names look to be of one sort: the last word, the number of words."""
    first, second = one.split(), other.split()
    same_head = len(first) > 1 and first[-1] == second[-1]
    return 4 * same_head + 2 * (len(first) == len(second)) + (one.isupper() == other.isupper())


def _apart(one: str, other: str) -> bool:
    """Whether two names share no word but perhaps the last, and no beginning."""
    first, second = one.lower().split(), other.lower().split()
    shared = set(first) & set(second)
    heads = {first[-1]} if len(first) > 1 and first[-1] == second[-1] else set()
    stems = {w[:4] for w in set(first) - heads} & {w[:4] for w in set(second) - heads}
    return not (shared - heads) and not stems


def swap_name(asked: Asked) -> Iterator[Miss]:
    """A name that the passage has, for one like it of the article that the passage lacks."""
    question, lower, title = asked.question, asked.passage.lower(), asked.title.lower()
    shared = content_words(asked.title) | content_words(question)
    for start, end in names_in(question):
        old = question[start:end]
        if old.lower() not in lower or (old.lower() in title and " " not in old):
            continue
        fits = [
            name
            for name in asked.rng.sample(asked.names, min(len(asked.names), SAMPLED))
            if name.lower() not in lower and not content_words(name) & shared and _apart(old, name)
        ]
        if fits:
            place = old in asked.places or bool(AT.search(question[:start]))
            worth = {
                name: _alike(old, name) + 3 * (place == (name in asked.places)) for name in fits
            }
            best = max(worth.values())
            chosen = asked.rng.choice(sorted(name for name in fits if worth[name] == best))
            yield Miss("name", _replaced(question, start, end, chosen))


def antonym(asked: Asked) -> Iterator[Miss]:
    """A word of the question for its opposite, where the passage has not the opposite."""
    passage = content_words(asked.passage) | set(re.findall(r"[a-z]+", asked.passage.lower()))
    for match in re.finditer(r"\b[a-z]+\b", asked.question):
        others = [o for o in ANTONYMS.get(match.group(), ()) if o not in passage]
        named = match.start() and asked.question[match.start() - 1] == "-"
        age = asked.question[: match.start()].lower().endswith("how ")
        if others and match.group()[:4] in asked.passage.lower() and not named and not age:
            by = asked.rng.choice(others)
            if by not in asked.question.lower():
                yield Miss("antonym", _replaced(asked.question, *match.span(), by))


def negation(asked: Asked) -> Iterator[Miss]:
    """What someone did not do, where nothing is denied already; a part of what could be made, lest
    "not" alone gives it away.
    """
    if _DENIED.search(asked.question + " " + asked.passage) or asked.rng.random() > NEGATED:
        return
    did = re.match(
        r"((?:Who|What|Which)\b(?: \w+){0,2}?) (did|does|do|could|would) (.+)", asked.question
    )
    was = re.match(r"((?:Who|Which \w+|What \w+) (?:was|were|is|are)) (\w+ed .+)", asked.question)
    if did:
        yield Miss("negation", f"{did.group(1)} {did.group(2)}n't {did.group(3)}")
    elif was:
        yield Miss(
            "negation", f"{was.group(1)} {asked.rng.choice(['not', 'never'])} {was.group(2)}"
        )


def roles(asked: Asked) -> Iterator[Miss]:
    """Who did it and to whom it was done, exchanged."""
    for exchange in (_active_subject, _active_object, _passive):
        text = exchange(asked.question)
        if text:
            yield Miss("roles", text)
    exchanged = _exchanged_names(asked.question)
    if exchanged:
        yield Miss("roles", exchanged)


def _active_subject(question: str) -> str | None:
    """Who did it to X, turned into to whom X did it.

    >>> _active_subject("Who defeated the Saxons in 778?"), _active_subject("Who was a king?")
    ('Who did the Saxons defeat in 778?', None)
    """
    match = re.fullmatch(rf"{_WHO} (\w+) ({_THEM})( {_WHEN})?\?", question)
    base = base_of(match.group(2)) if match else None
    if not match or base is None or SYMMETRIC.search(question) or base in {"have", "do", "say"}:
        return None
    return f"{match.group(1)} did {match.group(3)} {base}{match.group(4) or ''}?"


def _active_object(question: str) -> str | None:
    """To whom X did it, turned into who did it to X.

    >>> _active_object("Who did Otto II defeat in 978?"), _active_object("What did he do?")
    ('Who defeated Otto II in 978?', None)
    """
    match = re.fullmatch(rf"{_WHO} did ({_THEM}) ([a-z]+)( {_WHEN})?\?", question)
    if not match or SYMMETRIC.search(question):
        return None
    who, them, verb, when = match.groups()
    if verb.endswith("ed") or verb in {"do", "have", "say", "think"}:
        return None
    return f"{'Who' if who == 'Whom' else who} {past_of(verb)} {them}{when or ''}?"


def _passive(question: str) -> str | None:
    """The one by whom and the one to whom, exchanged.

    >>> _passive("Who was Otto II succeeded by?"), _passive("By whom was the duke of Bari killed?")
    ('Who was succeeded by Otto II?', 'Who was killed by the duke of Bari?')
    >>> _passive("Who was killed by the duke of Bari?")
    'By whom was the duke of Bari killed?'
    """
    thing = r"((?:[Tt]he |a )?[\w'’ -]+?)"
    done = r"([a-z]+ed|[a-z]+n|led|lost|sold|sent|held|built|won|bought|brought|taught)"
    if SYMMETRIC.search(question):
        return None
    match = re.fullmatch(
        rf"(Who|What|Which \w+) (was|were|is|are) {thing} {done} by( in .+)?\?", question
    )
    if match:
        who, was, whom, verb, tail = match.groups()
        return f"{who} {was} {verb} by {whom}{tail or ''}?"
    match = re.fullmatch(
        rf"By (whom|what|which \w+) (was|were|is|are) {thing} {done}( in .+)?\?", question
    )
    if match:
        who, was, whom, verb, tail = match.groups()
        subject = "Who" if who == "whom" else who[0].upper() + who[1:]
        return f"{subject} {was} {verb} by {whom}{tail or ''}?"
    match = re.fullmatch(rf"(Who) (was|were|is|are) {done} by {thing}( in .+)?\?", question)
    if match:
        _, was, verb, by, tail = match.groups()
        return f"By whom {was} {by} {verb}{tail or ''}?"
    return None


def _exchanged_names(question: str) -> str | None:
    """Two names on both sides of a verb, exchanged.

    >>> _exchanged_names("When did Otto II attack Bari?")
    'When did Bari attack Otto II?'
    >>> _exchanged_names("When did Rome and Bari merge?")
    """
    names = names_in(question)
    if len(names) != 2 or SYMMETRIC.search(question):
        return None
    (a, b), (c, d) = names
    one, other, between = question[a:b], question[c:d], question[b:c]
    if not re.fullmatch(r" [a-z]{3,}(?: [a-z]+){0,3} (?:the )?", between):
        return None
    if re.search(r"\b(?:in|of|at|from|with|during|since)\b", between):
        return None
    before = re.search(
        r"\b(?:did|does|do|was|were|is|are|who|that|when|had|has)( the)? $", question[:a]
    )
    after = re.match(r"\?|(?: (?:in|on|at|during|after|before|for|to|as|from|by)\b)", question[d:])
    if not before or not after:
        return None
    return question[:a] + other + between + one + question[d:]


def attribute(asked: Asked) -> Iterator[Miss]:
    """Another attribute of the same thing, which the passage does not name."""
    passage = asked.passage.lower()
    for family in ATTRIBUTES:
        for word in family:
            if word not in asked.question or word not in passage:
                continue
            match = re.search(
                rf"(?:the|'s|[Ww]hat|[Ww]hich) ({word})(?= (?:of|did|does|is|was)\b|\?)",
                asked.question,
            )
            others = [
                o for o in family if o != word and o[:5] not in passage and o not in asked.question
            ]
            if match and others:
                yield Miss(
                    "attribute", _replaced(asked.question, *match.span(1), asked.rng.choice(others))
                )


def asked_otherwise(asked: Asked) -> Iterator[Miss]:
    """When, why or how many of what is told without any time, cause or number."""
    passage = asked.passage
    head = re.match(
        r"(?:When|Where|Why|How|(?:In|On|At) (?:what|which) \w+|What|Who|Whom) "
        r"(?P<aux>did|was|were) (?P<rest>(?:the |a |an )?\w.*)\?$",
        asked.question,
    )
    opens = asked.question.split(" ", maxsplit=1)[0]
    done = head and (head["aux"] == "did" or re.search(r"ed\b|n\b$", head["rest"]))
    if head and done and opens in {"Where", "How", "Why"} and not TIME.search(passage):
        yield Miss("time", f"When {head['aux']} {head['rest']}?")
    if head and done and opens in {"When", "Where", "In", "On", "At"} and not CAUSE.search(passage):
        yield Miss("cause", f"Why {head['aux']} {head['rest']}?")
    plural = re.match(
        r"(?:What|Which) ((?:[a-z]+ )?[a-z]{3,}[^s]s) (are|were|did|do|have)\b", asked.question
    )
    if (
        plural
        and not QUANTITY.search(passage)
        and asked.answer.count(",") + asked.answer.count(" and ") == 0
    ):
        yield Miss("count", "How many " + asked.question.split(" ", maxsplit=1)[1])


MAKERS: Final[tuple[Maker, ...]] = (
    swap_year,
    swap_number,
    swap_name,
    antonym,
    negation,
    roles,
    attribute,
    asked_otherwise,
)


def make_misses(asked: Asked) -> list[Miss]:
    """Return all that the makers find, each wording once."""
    misses: dict[str, Miss] = {}
    for maker in MAKERS:
        for miss in maker(asked):
            if miss.text != asked.question and content_words(miss.text):
                misses.setdefault(miss.text, miss)
    return list(misses.values())
