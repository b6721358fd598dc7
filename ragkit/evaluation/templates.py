"""Questions from single sentences by fixed templates: dates, names, numbers, definitions. English.

A template matches a plain sentence ("X was founded in 1922.") and takes a part of it as the answer
("When was X founded?"). Its questions repeat the words of the sentence; they are proposals for a
person to reword, not a finished set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ragkit.evaluation.near_misses.words import NAME, base_of

__all__ = ["Extracted", "extract"]

_MONTH: Final = (
    "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
)
_YEAR: Final = r"(?:1[0-9]{3}|20[0-9]{2})"
_DATE: Final = rf"(?:\d{{1,2}} )?{_MONTH}(?: \d{{1,2}})?(?:,? {_YEAR})?|{_YEAR}"
_NUMBER: Final = (
    r"\d[\d,.]*\d|\d|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty"
)
_NAME: Final = NAME.pattern.removeprefix(r"(?<!\w)")
_MORE: Final = r"(?: (?!was\b|were\b|is\b|are\b|had\b|has\b|have\b)[\w'’-]+){0,6}?"
_SUBJECT: Final = rf"[A-Z][\w'’-]*{_MORE}"
_INNER_SUBJECT: Final = rf"(?:(?:the|an?)|[A-Z][\w'’-]*){_MORE}"
_REST: Final = r"[^,;:()\[\]“”\"]{3,80}?"
_END: Final = r"(?=[.,;]|$)"
_OPENERS: Final = frozenset(
    "It He She They This That These Those There We I You His Her Their Its Our Both Such Other "
    "Another However But And Or In On At After Before While When Where As If For From With Without "
    "During Also Although Though Since Until By To Only Then Thus Today Later Here Once So Not No "
    "Some Many Most Several Few According Despite Because What Who Why How".split()
)
"""First words of sentences whose subject is not named in them."""
_SECOND_SUBJECT: Final = re.compile(r"\w+ and [A-Z]")
"""As in: X was "replaced and Y" took over."""
_DETERMINERS: Final = frozenset("The A An Every Each All Any".split())


@dataclass(frozen=True, slots=True)
class Extracted:
    """A question and its answer, both from one sentence.

    Attributes:
        template: name of the template.
        question: the question.
        answer: the words of the sentence that answer it.

    """

    template: str
    question: str
    answer: str


def extract(sentence: str, common: Callable[[str], bool]) -> Iterator[Extracted]:
    """Yield the questions that a sentence answers, one for each template that matches.

    Args:
        sentence: a sentence in English, on one line.
        common: whether a word, lower case, is no name; such a word is not capitalized inside a
            question.

    >>> for one in extract("The treaty was signed by Otto II in May 1922.", "treaty".__eq__):
    ...     print(one.question, "→", one.answer)
    When was the treaty signed by Otto II? → May 1922
    By whom was the treaty signed? → Otto II

    """
    if sentence.split(" ", 1)[0] in _OPENERS - {"In", "On"} or sentence.endswith("?"):
        return
    for template, pattern, compose in _TEMPLATES:
        match = pattern.match(sentence)
        if match is None or not _is_plain(match):
            continue
        question = compose(match, _inside(match["s"], common))
        if question and match["a"].lower() not in question.lower():
            yield Extracted(template, f"{question[0].upper()}{question[1:]}?", match["a"])


def _is_plain(match: re.Match[str]) -> bool:
    """Return whether the subject names something and has no verb of its own."""
    parts = match.groupdict(default="")
    first, *others = parts["s"].split()
    has_verb = any(word.islower() and base_of(word) for word in others)
    has_second_subject = "be" in parts and _SECOND_SUBJECT.match(parts.get("rest", ""))
    return (
        first not in _OPENERS
        and not has_verb
        and not has_second_subject
        and parts.get("v") != "did"
    )


def _inside(subject: str, common: Callable[[str], bool]) -> str:
    """Return a subject as it is written inside a sentence."""
    first, space, rest = subject.partition(" ")
    if first in _DETERMINERS or common(first.lower()):
        return first.lower() + space + rest
    return subject


def _passive_date(match: re.Match[str], subject: str) -> str | None:
    return f"when {match['be']} {subject} {match['rest']}"


def _active_date(match: re.Match[str], subject: str) -> str | None:
    base = base_of(match["v"])
    return base and f"when did {subject} {base} {match['rest']}"


def _by_name(match: re.Match[str], subject: str) -> str | None:
    return f"by whom {match['be']} {subject} {match['rest']}"


def _who(match: re.Match[str], _: str) -> str | None:
    return f"who or what {match['v']} {match['rest']}" if base_of(match["v"]) else None


def _how_many(match: re.Match[str], subject: str) -> str | None:
    verb = match["v"]
    if verb == "have":
        return f"how many {match['n']} do {subject} have"
    if verb == "has":
        return f"how many {match['n']} does {subject} have"
    base = base_of(verb)
    return base and f"how many {match['n']} did {subject} {base}"


def _definition(match: re.Match[str], subject: str) -> str | None:
    return f"what {match['be']} {subject}"


_TEMPLATES: Final = tuple(
    (name, re.compile(pattern), compose)
    for name, pattern, compose in (
        (
            "date",
            rf"(?P<s>{_SUBJECT}) (?P<be>was|were) (?P<rest>{_REST}) (?:in|on) (?P<a>{_DATE})\b",
            _passive_date,
        ),
        (
            "date",
            rf"(?:In|On) (?P<a>{_DATE}),? (?P<s>{_INNER_SUBJECT}) (?P<be>was|were) "
            rf"(?P<rest>{_REST}){_END}",
            _passive_date,
        ),
        (
            "date",
            rf"(?P<s>{_SUBJECT}) (?P<v>[a-z]+) (?P<rest>{_REST}) (?:in|on) (?P<a>{_DATE})\b",
            _active_date,
        ),
        (
            "date",
            rf"(?:In|On) (?P<a>{_DATE}),? (?P<s>{_INNER_SUBJECT}) (?P<v>[a-z]+) "
            rf"(?P<rest>{_REST}){_END}",
            _active_date,
        ),
        (
            "name",
            rf"(?P<s>{_SUBJECT}) (?P<be>was|were|is|are) (?P<rest>{_REST}) by "
            rf"(?P<a>(?:the )?{_NAME})(?=[.,;]|$| in\b| on\b| at\b)",
            _by_name,
        ),
        ("name", rf"(?P<a>(?P<s>{_NAME})) (?P<v>[a-z]+) (?P<rest>{_REST}){_END}", _who),
        (
            "number",
            rf"(?P<s>{_SUBJECT}) (?P<v>has|have|had|[a-z]+ed) (?P<a>{_NUMBER}) "
            rf"(?P<n>[a-z]{{3,}}s(?: of [a-z]+(?: [a-z]+)?)?)\b",
            _how_many,
        ),
        (
            "definition",
            rf"(?P<s>{_SUBJECT}) (?P<be>is|are|was|were) (?P<a>(?:an?|the) [^;:()]{{10,120}})\.$",
            _definition,
        ),
    )
)
