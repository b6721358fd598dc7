"""What a sentence claims, word by word: names, numbers, what it denies.

English, by rules; other languages keep names and numbers. Where a rule is in doubt it is strict: a
sentence too many is dropped rather than one too many believed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ragkit.text.words import words_of

__all__ = ["ClaimWord", "claim_words", "folded"]

_REACH = 3  # words beside "not" that it denies
_STOP = frozenset(
    """a about according again also although an and answer any are as at be became because been
    being both but by can could did do does each for from further had has have having he her here
    hers herself him himself his how however i if in into is it its itself just may me might must
    my of off on once or other our out over own s same she should so some such t than that the
    their them then there these they this those through thus to too under up upon very was we were
    what when where which while who whom whose why will with would yes you your""".split()
)
_EXACTING = frozenset("after all before between fewer less more most only until".split())
"""Words that turn a claim round; they must stand there."""

_DENYING = frozenset(
    """not no never without neither nor none cannot nobody nothing decline declined declines deny
    denied denies fail failed fails lack lacked lacks refuse refused refuses reject rejected rejects
    unable""".split()
)
_TURNS = frozenset(["and", "but"])  # where a denial ends
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen""".split()
_NUMBER_WORDS = {word: str(value) for value, word in enumerate(_ONES)} | {
    word: str(10 * value) for value, word in enumerate(_TENS, start=2)
}
_PRONOUN_ONE = frozenset("of another by who that which is was".split())  # what follows it
_UNITS = {
    unit: unit.removesuffix("s")
    for unit in """hundred hundreds thousand thousands million millions billion billions trillion
    trillions dozen dozens percent""".split()
} | {"%": "percent"}
_CURRENCIES = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yen"}
_COMMON = re.compile(
    r"(?:ly|tions?|ments?|tives?|ings?|ed|it(?:y|ies)|ness|[ae]nces?|ists?|[eo]rs)$"
)
"""How words end that begin a sentence with a capital and are no names."""

_MARKS, _STOPS = ".!?,;:", ".!?:"
_ROMAN = re.compile(r"[IVX]+")
_GROUPED = re.compile(r"(?<=\d)[,\u202f\u00a0](?=\d{3}(?!\d))")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")
_PER_CENT = re.compile(r"\bper cent\b", re.IGNORECASE)
_NUMBERED = re.compile(r"\bno\.?\s+(?=\d)", re.IGNORECASE)
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d](?:[^\W_]|['’](?=[^\W\d_]))*|[%$€£¥]|[.!?,;:]")
_FOLDED = re.compile(r"\d+(?:[.,]\d+)*|\w+|[^\w\s]")
_SAME = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-"})


@dataclass(frozen=True, slots=True)
class ClaimWord:
    """A word that says something.

    ``stem``: of a number its digits and unit, ``1.5million``. ``exact``: a number or a word that
    must stand there as it is. ``denied``: a "not" stands beside it.
    """

    stem: str
    shown: str
    exact: bool = False
    name: bool = False
    denied: bool = False


def claim_words(text: str) -> list[ClaimWord]:
    """The words of a sentence, or of several, that say something, in order."""
    plain = unicodedata.normalize("NFC", text)
    for pattern, put in ((_GROUPED, ""), (_ORDINAL, ""), (_PER_CENT, "percent"), (_NUMBERED, "")):
        plain = pattern.sub(put, plain)
    return list(_denials(_joined(_TOKEN.findall(plain))))


def folded(text: str) -> str:
    """The tokens of a text between blanks; equal for texts that differ in layout alone."""
    plain = unicodedata.normalize("NFC", text).translate(_SAME).casefold()
    return f" {' '.join(_FOLDED.findall(plain))} "


_Item = ClaimWord | str
"""A word, or a token that only shapes what others say: a mark, ``not``, ``and``."""


def _joined(tokens: Sequence[str]) -> Iterator[_Item]:
    """Numbers with their units and currencies; contractions taken apart."""
    initial, at = True, 0
    while at < len(tokens):
        here, before = tokens[at], tokens[at - 1] if at else ""
        after = tokens[at + 1] if at + 1 < len(tokens) else ""
        low = here.lower()
        if here in _MARKS:
            yield here
            initial = initial or here in _STOPS
            at += 1
            continue
        number = _number(here, before, after)
        if number is not None:
            stem, shown = _CURRENCIES.get(before, "") + number, here
            while at + 1 < len(tokens) and tokens[at + 1].lower() in _UNITS:
                at += 1
                stem, shown = stem + _UNITS[tokens[at].lower()], f"{shown} {tokens[at]}"
            yield ClaimWord(stem, shown, exact=True)
        elif low in _UNITS:
            yield ClaimWord(_UNITS[low], here, exact=True)
        elif low in _TURNS or here in _CURRENCIES:
            yield low
        elif low == "only" and before.lower() == "not":
            pass
        elif low.replace("’", "'").endswith("n't") or (low in _DENYING and after.lower() != "only"):
            yield "not"
        else:
            yield from _word(here, after, initial=initial)
        initial = False
        at += 1


def _number(token: str, before: str, after: str) -> str | None:
    if token[0].isdigit():
        return token.rstrip("0").rstrip(".") if "." in token else token
    if _ROMAN.fullmatch(token) and before[:1].isupper():
        return token
    if token.lower() == "one" and after.lower() in _PRONOUN_ONE:
        return None
    return _NUMBER_WORDS.get(token.lower())


def _word(token: str, after: str, *, initial: bool) -> Iterator[ClaimWord]:
    bare = re.split(r"['’]", token)[0] if token.lower().endswith(("'s", "’s", "'", "’")) else token
    low = bare.lower()
    capital = bare[:1].isupper()
    # "May 16", "in May": a month. "May I …": no name.
    month = capital and (not initial or after[:1].isdigit()) and low not in ("i",)
    if low in _STOP and not month:
        return
    if low == "not" or (initial and after == "," and low.endswith("ly")):
        return  # "not only …", "Additionally, …"
    name = capital and not (initial and _COMMON.search(low))
    for word in words_of(bare):
        shown = bare[word.start : word.end]
        yield ClaimWord(word.stem, shown, exact=low in _EXACTING, name=name)


def _denials(items: Iterator[_Item]) -> Iterator[ClaimWord]:
    """The words, with those beside a "not" marked: after it, or, where none is left, before it."""
    clause: list[_Item] = []
    for item in items:
        if isinstance(item, str) and item != "not":
            yield from _clause(clause)
            clause = []
        else:
            clause.append(item)
    yield from _clause(clause)


def _clause(items: Sequence[_Item]) -> list[ClaimWord]:
    words = [item for item in items if isinstance(item, ClaimWord)]
    denied: set[int] = set()
    passed = 0
    for item in items:
        if isinstance(item, ClaimWord):
            passed += 1
        elif passed < len(words):
            denied |= set(range(passed, min(passed + _REACH, len(words))))
        else:
            denied |= set(range(max(0, passed - _REACH), passed))
    return [replace(word, denied=i in denied) for i, word in enumerate(words)]
