"""The date or number in a sentence that answers a question, told by rules alone.

It is told if the question asks for one and the sentence holds exactly one that the question does
not contain. On XQuAD, 45 of 47 such phrases are the gold answer or contain it; the same rule for
names was right only once in three, so there is none. Other languages than English have their own
expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ragkit.answering.phrase_patterns import PATTERNS_OF, Asked
from ragkit.text.languages import language_of
from ragkit.text.spans import Span

__all__ = ["MONTH", "phrase_of"]

MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_YEAR = r"1\d{3}|20\d{2}"
_DATE = re.compile(
    rf"\b(?:\d{{1,2}} {MONTH}(?:,? (?:{_YEAR}))?|{MONTH} \d{{1,2}}(?:,? (?:{_YEAR}))?"
    rf"|{MONTH},? (?:{_YEAR})|(?:{_YEAR})s?)\b"
)
_COUNT = re.compile(
    r"[$£€]?\b\d[\d,.]*\d?(?:\s?(?:%|percent|per cent|million|billion|thousand))?(?: tons?| tonnes?"
    r"| marks?| years?| days?| months?)?"
    r"|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty)\b"
)
_ENGLISH = (
    Asked(
        re.compile(
            r"^\W*(?:\w+ ){0,2}when\b|\b(?:what|which) (?:year|date|day|month)\b", re.IGNORECASE
        ),
        _DATE,
    ),
    Asked(
        re.compile(r"\bhow (?:many|much)\b|\bwhat (?:percentage|number)\b", re.IGNORECASE), _COUNT
    ),
)


def phrase_of(question: str, text: str, sentence: Span) -> Span | None:
    """Return the date or number in ``text[sentence]`` that answers, if it is clear which."""
    spans = [
        span
        for asked, pattern in PATTERNS_OF.get(language_of(question) or "", _ENGLISH)
        if asked.search(question)
        for span in _new(pattern, question, text, sentence)
    ]
    distinct = {text[span.start : span.end].casefold() for span in spans}
    return spans[0] if len(distinct) == 1 else None


def _new(pattern: re.Pattern[str], question: str, text: str, sentence: Span) -> Iterator[Span]:
    """Expressions of a kind of which the question does not hold every word."""
    question_words = set(re.findall(r"\w+", question.casefold()))
    for match in pattern.finditer(text, sentence.start, sentence.end):
        words = re.findall(r"\w+", match[0].casefold())
        repeated = rf"(?<!\d){re.escape(match[0])}(?!\d)"  # blanks part no words of Chinese
        if not question_words.issuperset(words) and not re.search(repeated, question):
            yield Span(*match.span())
