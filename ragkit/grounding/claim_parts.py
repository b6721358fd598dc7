"""What of a claim can be exchanged: its names, dates and numbers; and how to ask for one.

English, by rules, as ``claim_words``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from ragkit.answering.phrases import MONTH
from ragkit.grounding.claim_words import NUMBER_WORDS, STOP_WORDS, claim_words

__all__ = ["Part", "Sort", "agrees", "enumerations_of", "parts_of", "question_about"]

_ASKED_AROUND: Final = 14  # words on each side of the question word; a reader reads 40 tokens
_PREFIX: Final = 4  # letters that a country and its people share at least
_ORDINAL: Final = r"(?:st|nd|rd|th)?"
_DATE: Final = re.compile(
    rf"\b(?:\d{{1,2}}{_ORDINAL} (?:of )?{MONTH}(?:,? \d{{4}})?"
    rf"|{MONTH} \d{{4}}|{MONTH} \d{{1,2}}{_ORDINAL}(?:,? \d{{4}})?"
    r"|(?:1\d{3}|20\d\d)s?(?:[–-]\d{2,4})?(?![,.]?\d))\b"
)
_UNIT: Final = r"(?:hundred|thousand|million|billion|trillion)s?"
_WORDED: Final = "|".join(NUMBER_WORDS)
_NUMBER: Final = re.compile(
    rf"(?<![\w.,])(?:(?:US)?[$€£¥])?\d+(?:[,.]\d+)*{_ORDINAL}"
    rf"(?: ?%| percent| per cent)?(?: {_UNIT})?(?!\w)"
    rf"|\b(?:{_WORDED})(?:-(?:{_WORDED}))?(?: {_UNIT})?\b",
    re.IGNORECASE,
)
_CAPITAL: Final = r"[A-Z](?:[\w&-]*\w)?"
_NAME: Final = re.compile(
    rf"(?<![\w'’]){_CAPITAL}(?:(?:\.? | of | of the | de | von | van | the |–){_CAPITAL})*"
)
_OPENERS: Final = frozenset(
    """after although among another around because before besides between beyond despite during
    early entire following including instead late like many meanwhile most near nearly no not only
    several since still though throughout towards under unlike until upon various whereas whether
    within without yet""".split()
)
"""Words that begin a sentence and are no names."""

_PEOPLE: Final = re.compile(
    r"[A-Z][a-z]+(?:ish|ese|ians?|eans?|icans?|iet|ermans?|omans?|orman|ench|utch|reek|wiss|raqis?"
    r"|sraelis?)"
)
"""A word that says of which country something is: German is exchanged for Soviet, not Otto."""

_PERSON: Final = re.compile(r"[A-Z][\w.'-]+(?: [A-Z][\w.'-]*){1,2}")
_BEFORE_PLACE: Final = re.compile(
    r"\b(?:in|at|to|from|near|into|of|on|across|through|for|as|the|an?) $", re.IGNORECASE
)
_AND: Final = re.compile(r",? (?:and|or) (?:the |an? )?|, (?:the |an? )?")
_ARTICLE: Final = re.compile(r"\b(?:[Tt]he|[Aa]n?) $")
_WORD: Final = re.compile(r"[^\W_]+")


class Sort(StrEnum):
    """What a part of a claim is."""

    NAME = "name"
    PEOPLE = "people"
    DATE = "date"
    NUMBER = "number"


class Part(NamedTuple):
    """A name, a date or a number of a text, and its span ``[start, end)``."""

    sort: Sort
    start: int
    end: int
    text: str


def parts_of(text: str) -> list[Part]:
    """Return the names, dates and numbers of a text, in order.

    Example:
        >>> [part.text for part in parts_of("On 16 April 1922 Walther Rathenau signed 2 treaties.")]
        ['16 April 1922', 'Walther Rathenau', '2']

    """
    parts: list[Part] = []
    for sort, spans in (
        (Sort.DATE, (match.span() for match in _DATE.finditer(text))),
        (Sort.NUMBER, (match.span() for match in _NUMBER.finditer(text))),
        (Sort.NAME, _names(text)),
    ):
        for start, end in spans:
            if all(end <= part.start or part.end <= start for part in parts):
                own = text[start:end]
                is_people = sort is Sort.NAME and _PEOPLE.fullmatch(own)
                parts.append(Part(Sort.PEOPLE if is_people else sort, start, end, own))
    return sorted(parts, key=lambda part: part.start)


def enumerations_of(text: str, parts: Sequence[Part]) -> list[tuple[Part, ...]]:
    """Return the parts, those that a text enumerates together: "A, B and C".

    Example:
        >>> text = "Otto and Anna met Karl."
        >>> [[part.text for part in own] for own in enumerations_of(text, parts_of(text))]
        [['Otto', 'Anna'], ['Karl']]

    """
    groups: list[tuple[Part, ...]] = []
    for part in parts:
        last = groups[-1][-1] if groups else None
        if last and last.sort is part.sort and _AND.fullmatch(text[last.end : part.start]):
            groups[-1] += (part,)
        else:
            groups.append((part,))
    return groups


def _names(text: str) -> Iterator[tuple[int, int]]:
    """Runs of capitalised words, without those that only begin a sentence."""
    for match in _NAME.finditer(text):
        start, end = match.span()
        while start < end:
            word = _WORD.match(text, start)
            if word is None or not _is_plain(word[0]):
                break
            start = word.end() + (word.end() < end)
        if end - start > 1:
            yield start, end


def _is_plain(word: str) -> bool:
    """Whether a capitalised word only begins a sentence: "The", not "US" or "IT"."""
    return word.lower() in STOP_WORDS | _OPENERS and not word[1:].isupper()


def agrees(sort: Sort, one: str, other: str) -> bool:
    """Return whether two texts have the same name, date or number: one may say less of it.

    Example:
        >>> agrees(Sort.NAME, "Rathenau", "Walther Rathenau")
        True
        >>> agrees(Sort.NAME, "Otto II", "Otto V")
        False
        >>> agrees(Sort.DATE, "16 April 1922", "April 16"), agrees(Sort.NUMBER, "six", "6 others")
        (True, True)
        >>> agrees(Sort.NAME, "China", "the Chinese"), agrees(Sort.NAME, "US", "United States")
        (True, True)

    """
    is_name = sort in (Sort.NAME, Sort.PEOPLE)
    words = _names_words if is_name else _figures
    mine, yours = words(one), words(other)
    if is_name and (_initials(one) in yours or _initials(other) in mine):
        return True
    short, long = sorted((mine, yours), key=len)
    return bool(short) and all(any(_is_same(a, b) for b in long) for a in short)


def _names_words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text) if word.lower() not in STOP_WORDS]


def _figures(text: str) -> list[str]:
    """Digits of the numbers and names of the months of a text."""
    figures = []
    for word in claim_words(text):
        digits = re.search(r"\d+(?:\.\d+)?", word.stem)
        if digits or re.fullmatch(MONTH, word.text):
            figures.append(digits[0] if digits else word.stem)
    return figures


def _initials(text: str) -> str:
    words = [word for word in _WORD.findall(text) if word[0].isupper()]
    return "".join(word[0] for word in words).lower() if len(words) > 1 else "-"


def _is_same(one: str, other: str) -> bool:
    if one == other or one[0].isdigit() or other[0].isdigit():
        return one == other
    short, long = sorted((one, other), key=len)
    if long == f"{short}s":
        return True
    least = len(short)
    return least >= _PREFIX and one[: max(_PREFIX, least - 2)] == other[: max(_PREFIX, least - 2)]


def question_about(claim: str, parts: Sequence[Part]) -> str:
    """Return the claim as a question: a question word in place of parts that it enumerates.

    Example:
        >>> claim = "Walther Rathenau signed the treaty in 1922."
        >>> [question_about(claim, [part]) for part in parts_of(claim)]
        ['Who signed the treaty in 1922?', 'Walther Rathenau signed the treaty in what year?']

    """
    before, after = claim[: parts[0].start], claim[parts[-1].end :].rstrip(" .!?")
    word = _question_word(parts[0], before)
    if parts[0].sort is Sort.NAME:
        before = _ARTICLE.sub("", before)
    left = " ".join(before.split()[-_ASKED_AROUND:])
    right = " ".join(after.split()[:_ASKED_AROUND])
    gap = " " if after[:1].isspace() else ""
    asked = f"{left} {word}{gap}{right}".strip()
    return asked[0].upper() + asked[1:] + "?"


def _question_word(part: Part, before: str) -> str:
    text = part.text.lower()
    if part.sort is Sort.NAME:
        is_person = _PERSON.fullmatch(part.text) and not _BEFORE_PLACE.search(before)
        return "who" if is_person else "what"
    if part.sort is Sort.PEOPLE:
        return "which"
    if part.sort is Sort.DATE:
        return "what year" if text[:4].isdigit() else "what date"
    if "%" in text or "cent" in text:
        return "what percentage"
    if re.search("[$€£¥]", text):
        return "how much"
    return "which" if re.search(r"\d(?:st|nd|rd|th)", text) else "how many"
