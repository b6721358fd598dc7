"""Lines that name what follows them, without markup: a heading, a speaker, who has an address.

``Opening hours`` above ``The museum opens at nine.`` says what that is about, and answers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragkit.text.languages import DEFAULT, function_words, language_of_text
from ragkit.text.line_units import is_item
from ragkit.text.spans import Span

__all__ = ["has_digit", "is_label", "is_prose", "labels_rest", "states_fact"]

_MAX_LENGTH = 60
_MAX_WORDS = 8
_LONGER = 2
"""A line of prose is so many times as long as a label above it, unless it is indented."""

_OPEN_OR_ENDED = re.compile(r"[.,;:…。、，；：/\\&|=<>({\[–—-][\"'”’»)\]*_]*\s*\Z")
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]*_]*(?:\[\w{1,4}\])*\s*\Z")
_ADMONITION = re.compile(r"(?:!{3}\+?|\?{3}\+?|:{3,}) ?\{?\w[^.]*\Z")
"""``!!! note`` and ``:::tip``, as Python-Markdown and Docusaurus write them."""
_NUMBERED = re.compile(
    r"\s*(?:(?:chapter|section|part|step|article|figure|lesson|unit|appendix|phase|kapitel|teil"
    r"|abschnitt|artikel|schritt|chapitre|partie|étape|capítulo|parte|paso) "
    r"(?:\d+(?:\.\d+)*|[ivxlc]+)|\d+(?:\.\d+)*)[.):]?(?:\s|\Z)",
    re.IGNORECASE,
)
_TIME = re.compile(r"\b\d{1,2}:\d\d\b")
_PHRASE_WORDS = 4
"""Words from which on a line with many function words is the beginning of a sentence."""

_MARKUP = re.compile(r"\s*(?:[`~<|+=]|[^\w\s]{3})")


def is_label(words: str) -> bool:
    """Return whether a line may name what follows: a few words that form no sentence.

    >>> is_label("Opening hours"), is_label("It opens at nine."), is_label("which are:")
    (True, False, False)
    """
    words = words.strip()
    first = next(filter(str.isalnum, words), "")
    return (
        0 < len(words) <= _MAX_LENGTH
        and "\n" not in words
        and len(words.split()) <= _MAX_WORDS
        and not first.islower()
        and any(map(str.isalpha, words))
        and not _OPEN_OR_ENDED.search(words)
        and not _SENTENCE_END.search(words)
    )


def is_prose(words: str) -> bool:
    """Return whether a text ends as a sentence does, and is longer than a label."""
    return bool(_SENTENCE_END.search(words)) and not is_label(words)


def states_fact(label: str) -> bool:
    """Return whether a line of a few words answers something, as a value or a number.

    The number of a heading does not, nor does the time of a message.

    >>> states_fact("Population 3,000"), states_fact("Capital: Rome"), states_fact("Chapter 3")
    (True, True, False)
    """
    if _TIME.search(label):
        return False
    numbered = _NUMBERED.match(label)
    rest = label[numbered.end() :] if numbered else label
    return ": " in rest or has_digit(rest)


def labels_rest(text: str, own: Sequence[Span], *, language: str | None = None) -> bool:
    """Return whether the first line of a paragraph names what stands on its other lines.

    These are prose, for which the first line had room; or lines with figures, as in an address,
    while the first has none. The first clause of a sentence, on a line of its own, names nothing.

    Args:
        text: the whole text.
        own: the lines of the paragraph.
        language: of the text; None if its words are to tell.

    """
    if len(own) < 2:
        return False
    lines = [text[slice(*line)].rstrip() for line in own]
    is_indented = all(line[:2].isspace() for line in lines[1:])
    label, *rest = [line.strip() for line in lines]
    if _ADMONITION.match(label):
        return True
    if not is_label(label) or is_item(text, own[0]) or _MARKUP.match(rest[0]):
        return False
    if states_fact(label) or _is_begun(label, language or language_of_text(text) or DEFAULT):
        return False
    first = next(filter(str.isalnum, rest[0]), "")
    width = max(map(len, rest))
    had_room = len(label) + 1 + len(rest[0].split(maxsplit=1)[0]) <= width
    if first.islower() or not had_room:
        return False
    has_figures = 2 * sum(map(has_digit, rest)) > len(rest) > 1 and not has_digit(label)
    has_prose = bool(_SENTENCE_END.search(rest[-1])) and (
        is_indented or width >= _LONGER * len(label)
    )
    return has_prose or (has_figures and not any(map(_is_field, rest)))


def _is_begun(label: str, language: str) -> bool:
    """Whether a line is the beginning of a sentence: The rent is due on."""
    if _TIME.search(label):  # "9:41 AM"
        return False
    words = label.split()
    others = [word for word in words if word.lower() not in function_words(language)]
    if words[-1] in function_words(language):  # the A of "Terminal A" is none
        return True
    is_title = all(word[0].isupper() for word in others)
    return len(words) > _PHRASE_WORDS and 2 * len(others) <= len(words) and not is_title


def has_digit(words: str) -> bool:
    """Return whether there is a figure in some words."""
    return any(map(str.isdigit, words))


def _is_field(line: str) -> bool:
    """Whether a line names its own value: ``Length: 31 m``."""
    return ": " in line
