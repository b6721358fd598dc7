"""The words of a sentence that carry its claim: names, numbers, other words, what is negated.

English, by rules; of other languages, names and numbers are recognised. In doubt a rule is strict:
it is better to drop a supported sentence than to keep an unsupported one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ragkit.text.words import words_of

__all__ = ["NUMBER_WORDS", "STOP_WORDS", "ClaimWord", "claim_words", "fold"]

_NEGATION_REACH = 3
"""How many words a "not" negates."""

STOP_WORDS = frozenset(
    """a about according again also although an and answer any are as at be became because been
    being both but by can could did do does each for from further had has have having he her here
    hers herself him himself his how however i if in into is it its itself just may me might must
    my of off on once or other our out over own s same she should so some such t than that the
    their them then there these they this those through thus to too under up upon very was we were
    what when where which while who whom whose why will with would yes you your""".split()
)
_STRICT = frozenset("after all before between fewer less more most only until".split())
"""Words that reverse a claim; the passage must contain them."""

_NEGATIONS = frozenset(
    """not no never without neither nor none cannot nobody nothing decline declined declines deny
    denied denies fail failed fails lack lacked lacks refuse refused refuses reject rejected rejects
    unable""".split()
)
_CONJUNCTIONS = frozenset(["and", "but"])  # a negation ends here
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen""".split()
NUMBER_WORDS = {word: str(value) for value, word in enumerate(_ONES)} | {
    word: str(10 * value) for value, word in enumerate(_TENS, start=2)
}
_AFTER_PRONOUN_ONE = frozenset("of another by who that which is was".split())  # "one of them"
_UNITS = {
    unit: unit.removesuffix("s")
    for unit in """hundred hundreds thousand thousands million millions billion billions trillion
    trillions dozen dozens percent""".split()
} | {"%": "percent"}
_CURRENCIES = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yen"}
_COMMON_ENDING = re.compile(
    r"(?:ly|tions?|ments?|tives?|ings?|ed|it(?:y|ies)|ness|[ae]nces?|ists?|[eo]rs)$"
)
"""Endings of words that are capitalised at the start of a sentence without being names."""

_PUNCTUATION, _SENTENCE_END = ".!?,;:", ".!?:"
_ROMAN = re.compile(r"[IVX]+")
_DIGIT_GROUPING = re.compile(r"(?<=\d)[,\u202f\u00a0](?=\d{3}(?!\d))")
_ORDINAL_ENDING = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")
_PER_CENT = re.compile(r"\bper cent\b", re.IGNORECASE)
_NUMBER_SIGN = re.compile(r"\bno\.?\s+(?=\d)", re.IGNORECASE)
_SPELLINGS = (
    (_DIGIT_GROUPING, ""), (_ORDINAL_ENDING, ""), (_PER_CENT, "percent"), (_NUMBER_SIGN, "")
)  # fmt: skip
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d](?:[^\W_]|['’](?=[^\W\d_]))*|[%$€£¥]|[.!?,;:]")
_FOLD_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|\w+|[^\w\s]")
_ASCII_MARKS = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-"})


@dataclass(frozen=True, slots=True)
class ClaimWord:
    """A word that carries meaning; stop words do not.

    Attributes:
        stem: the word's stem; of a number its digits and unit, ``1.5million``.
        text: the word as written.
        exact: it is a number, or a word that a passage must contain as it is.
        name: it is a name.
        negated: a "not" is next to it.

    """

    stem: str
    text: str
    exact: bool = False
    name: bool = False
    negated: bool = False


def claim_words(text: str) -> list[ClaimWord]:
    """Return the words of one or more sentences that carry meaning, in order.

    Example:
        >>> [word.stem for word in claim_words("It was not signed in 1922 by 1.5 million people.")]
        ['sign', '1922', '1.5million', 'peopl']
        >>> [word.text for word in claim_words("It was not signed in 1922.") if word.negated]
        ['signed', '1922']

    """
    plain = unicodedata.normalize("NFC", text)
    for pattern, replacement in _SPELLINGS:
        plain = pattern.sub(replacement, plain)
    return list(_mark_negated(_classify(_TOKEN.findall(plain))))


def fold(text: str) -> str:
    """Return the tokens of a text with blanks between; equal for texts with different layout."""
    plain = unicodedata.normalize("NFC", text).translate(_ASCII_MARKS).casefold()
    return f" {' '.join(_FOLD_TOKEN.findall(plain))} "


_Item = ClaimWord | str
"""A word, or a token that affects the words around it: punctuation, ``not``, ``and``."""


def _classify(tokens: Sequence[str]) -> Iterator[_Item]:
    """Join numbers with their units and currencies; resolve contractions; drop stop words."""
    starts_sentence, at = True, 0
    while at < len(tokens):
        token, before = tokens[at], tokens[at - 1] if at else ""
        after = tokens[at + 1] if at + 1 < len(tokens) else ""
        at += 1
        if token in _PUNCTUATION:
            yield token
            starts_sentence = starts_sentence or token in _SENTENCE_END
            continue
        digits = _number(token, before, after)
        if digits is not None:
            units = _units(tokens, at)
            at += len(units)
            stem = _CURRENCIES.get(before, "") + digits + "".join(_UNITS[u.lower()] for u in units)
            yield ClaimWord(stem, " ".join([token, *units]), exact=True)
        else:
            yield from _classify_word(token, before, after, starts_sentence=starts_sentence)
        starts_sentence = False


def _number(token: str, before: str, after: str) -> str | None:
    """Return the digits of a number; None for other words."""
    if token[0].isdigit():
        return token.rstrip("0").rstrip(".") if "." in token else token
    if _ROMAN.fullmatch(token) and before[:1].isupper():
        return token
    if token.lower() == "one" and after.lower() in _AFTER_PRONOUN_ONE:
        return None
    return NUMBER_WORDS.get(token.lower())


def _units(tokens: Sequence[str], first: int) -> Sequence[str]:
    end = first
    while end < len(tokens) and tokens[end].lower() in _UNITS:
        end += 1
    return tokens[first:end]


def _classify_word(
    token: str, before: str, after: str, *, starts_sentence: bool
) -> Iterator[_Item]:
    lower = token.lower()
    if lower in _UNITS:
        yield ClaimWord(_UNITS[lower], token, exact=True)
    elif lower in _CONJUNCTIONS or token in _CURRENCIES:
        yield lower
    elif lower == "only" and before.lower() == "not":
        return
    elif lower.replace("’", "'").endswith("n't") or (
        lower in _NEGATIONS and after.lower() != "only"
    ):
        yield "not"
    else:
        yield from _words(token, after, starts_sentence=starts_sentence)


def _words(token: str, after: str, *, starts_sentence: bool) -> Iterator[ClaimWord]:
    bare = re.split(r"['’]", token)[0] if token.lower().endswith(("'s", "’s", "'", "’")) else token
    lower = bare.lower()
    is_capital = bare[:1].isupper()
    # "May 16" and "in May" are the month, "the US" is a name; "May I …" and "In 1922" are neither.
    is_month = lower == "may" and after[:1].isdigit()
    if lower in STOP_WORDS and not (
        is_capital and lower != "i" and (is_month or not starts_sentence)
    ):
        return
    if lower == "not" or (starts_sentence and after == "," and lower.endswith("ly")):
        return  # "not only …", "Additionally, …"
    is_name = is_capital and not (starts_sentence and _COMMON_ENDING.search(lower))
    for word in words_of(bare):
        text = bare[word.start : word.end]
        yield ClaimWord(word.stem, text, exact=lower in _STRICT, name=is_name)


def _mark_negated(items: Iterator[_Item]) -> Iterator[ClaimWord]:
    """Mark the words next to a "not": those after it, or if none follows, those before it."""
    clause: list[_Item] = []
    for item in items:
        if isinstance(item, str) and item != "not":
            yield from _mark_clause(clause)
            clause = []
        else:
            clause.append(item)
    yield from _mark_clause(clause)


def _mark_clause(items: Sequence[_Item]) -> list[ClaimWord]:
    words = [item for item in items if isinstance(item, ClaimWord)]
    negated: set[int] = set()
    passed = 0
    for item in items:
        if isinstance(item, ClaimWord):
            passed += 1
        elif passed < len(words):
            negated |= set(range(passed, min(passed + _NEGATION_REACH, len(words))))
        else:
            negated |= set(range(max(0, passed - _NEGATION_REACH), passed))
    return [replace(word, negated=i in negated) for i, word in enumerate(words)]
