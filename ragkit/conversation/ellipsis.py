"""A turn that is only "and …?" → the question before it, with one phrase replaced.

The turn model writes a question anew by inserting a few spans, and an ellipsis lacks too much for
that: of "and the Soviet Union?" it makes a question without its verb. Where the turn names
something, and the question before it names something of the same sort, no model is needed; nor
where the turn is another verb for the same object ("and write one?").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ragkit.text.spans import Span

__all__ = ["completed"]

_ELLIPSIS = re.compile(
    r"(?:(?:and|or|ok|so|but|now),? +)*(?:(?P<about>(?:what|how) about)|and) +(?P<phrase>[^?!,;]+?)"
    r"(?:,? (?:then|though|too|as well))?[?!. ]*",
    re.I,
)
_CAPITALIZED = r"(?!I\b)[A-Z][\w&’'-]*?(?:\.\d+)*(?=['’]s\b|[^\w&’'-]|$)"
_NAME = (
    rf"(?:[Tt]he )?{_CAPITALIZED}"
    rf"(?: (?:(?:of|de|von|van|der) )?(?:the )?(?:{_CAPITALIZED}|\d+(?:\.\d+)*\b))*"
)
_SORTS = tuple(
    re.compile(rf"(?P<preposition>(?:in|on|at|for|of|from|to|by|with) )?{phrase}")
    for phrase in (
        r"(?P<phrase>(?<![\w/])[~.]?/[\w./~-]*\w)",
        r"(?P<phrase>\b(?:1\d|20)\d\d\b(?!-))",
        rf"(?P<phrase>(?<![\w/-]){_NAME})",
    )
)
"""Paths, years, names: a phrase of one sort stands for one of the same, after the same word."""
_CONNECTING = frozenset("the of de von van der".split())
_AUXILIARY = "(?:do|does|did|is|are|was|were|has|have|had|can|could|should|will|would|may|must)"
_IS_SUBJECT = re.compile(rf"\b{_AUXILIARY} $", re.I)
_JOINED = re.compile(r"(?:\b(?:and|or|nor)|,|/) $", re.I), re.compile(r"(?:,? (?:and|or|nor)\b|/)")

_VERB_ALONE = re.compile(
    r"(?:(?:ok|so|but|now),? +)*and +(?P<verb>[a-z]{2,}) +(?:it|one|them)[?. ]*", re.I
)
_VERB = re.compile(rf"\b{_AUXILIARY} (?:I|you|we|one|people|they) (?P<verb>[a-z]{{2,}}) (?=\w)")
_NOT_VERBS = re.compile(
    rf"{_AUXILIARY}|in|on|at|for|of|from|to|by|with|if|that|wh\w+|how|not|than|about|after|before|"
    r"without|against|under|between|besides|only|just|this|the",
    re.I,
)


class _Phrase(NamedTuple):
    preposition: str
    span: Span
    text: str


def completed(earlier: Sequence[str], turn: str) -> str | None:
    """Return the whole question that an elliptic turn asks, None if it is not one.

    Of several names in the last question, that is replaced which shares a word with the turn's, or
    else the first that is built like it. "What about …?" a name of an older question returns to
    that topic, which is no ellipsis.

    Args:
        earlier: the questions before the turn, each standing alone, oldest first.
        turn: what was typed.

    >>> completed(["When did Germany join the League of Nations?"], "and the Soviet Union?")
    'When did the Soviet Union join the League of Nations?'
    >>> completed(["What is /srv for?"], "and /opt?")
    'What is /opt for?'
    >>> completed(["What happened in 1922?"], "what about 1926?")
    'What happened in 1926?'
    >>> completed(["How do I read a TOML file?"], "and write one?")
    'How do I write a TOML file?'

    """
    if not earlier:
        return None
    *older, last = earlier
    verb = _VERB_ALONE.fullmatch(turn.strip())
    if verb is not None:
        return _with_verb(last, verb["verb"])
    ellipsis = _ELLIPSIS.fullmatch(turn.strip())
    if ellipsis is None:
        return None
    for sort in _SORTS:
        match = sort.fullmatch(ellipsis["phrase"])
        if match is not None:
            new = _phrase(match)
            is_return = ellipsis["about"] and any(new.text in question for question in older)
            return None if is_return else _with_phrase(last, new, [*_phrases(sort, last)])
    return None


def _with_verb(earlier: str, verb: str) -> str | None:
    old = _VERB.search(earlier)
    if old is None or _NOT_VERBS.fullmatch(verb) or verb == old["verb"]:
        return None
    return earlier[: old.start("verb")] + verb + earlier[old.end("verb") :]


def _with_phrase(earlier: str, new: _Phrase, phrases: Sequence[_Phrase]) -> str | None:
    if any(_words(new.text) <= _words(phrase.text) for phrase in phrases):
        return None  # it was named: the turn is about something else of it
    alike = [one for one in phrases if new.preposition in ("", one.preposition)]
    if not alike:
        return None
    old = max(alike, key=lambda one: _likeness(one.text, new.text))  # of equals the first
    before, after = earlier[: old.span.start], earlier[old.span.end :]
    if _JOINED[0].search(before) or _JOINED[1].match(after):
        return None  # whether it stands for one of them or for all cannot be told
    owned = re.search(r"['’]s $", before)
    return before + (re.sub(r"^[Tt]he ", "", new.text) if owned else new.text) + after


def _likeness(old: str, new: str) -> tuple[bool, bool, bool]:
    return (
        bool(_words(old) & _words(new)),
        (" of " in old) == (" of " in new),
        old.startswith("the ") <= new.startswith("the "),
    )


def _phrases(sort: re.Pattern[str], question: str) -> Iterator[_Phrase]:
    """The phrases of a sort, but none that is capitalized because the question begins with it."""
    for match in sort.finditer(question):
        phrase = _phrase(match)
        if phrase.span.start > 0 and not _describes(question, phrase):
            yield phrase


def _describes(question: str, phrase: _Phrase) -> bool:
    """Whether a name is only part of a longer phrase, as in "the German army"."""
    return (
        phrase.text.startswith("the ")
        and re.match(r" [a-z]", question[phrase.span.end :]) is not None
        and _IS_SUBJECT.search(question[: phrase.span.start]) is None
    )


def _phrase(match: re.Match[str]) -> _Phrase:
    preposition = (match["preposition"] or "").strip()
    return _Phrase(preposition, Span(*match.span("phrase")), match["phrase"])


def _words(text: str) -> set[str]:
    return {*re.findall(r"\w+", text.casefold())} - _CONNECTING
