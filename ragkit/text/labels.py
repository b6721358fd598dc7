"""Lines that name what follows them, without markup: a heading, a speaker, who has an address.

``Opening hours`` above ``The museum opens at nine.`` says what that is about, and answers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragkit.text.line_units import is_item
from ragkit.text.spans import Span

__all__ = ["has_digit", "is_label", "is_prose", "labels_rest"]

_MAX_LENGTH = 60
_MAX_WORDS = 8
_LONGER = 2
"""A line of prose is so many times as long as a label above it, unless it is indented."""

_OPEN_OR_ENDED = re.compile(r"[.,;:…。、，；：/\\&|=<>({\[–—-][\"'”’»)\]*_]*\s*\Z")
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]*_]*(?:\[\w{1,4}\])*\s*\Z")
_ADMONITION = re.compile(r"(?:!{3}\+?|\?{3}\+?|:{3,}) ?\{?\w[^.]*\Z")
"""``!!! note`` and ``:::tip``, as Python-Markdown and Docusaurus write them."""
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


def labels_rest(text: str, own: Sequence[Span]) -> bool:
    """Return whether the first line of a paragraph names what stands on its other lines.

    These are prose, for which the first line had room; or lines with figures, as in an address,
    while the first has none.
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


def has_digit(words: str) -> bool:
    """Return whether there is a figure in some words."""
    return any(map(str.isdigit, words))


def _is_field(line: str) -> bool:
    """Whether a line names its own value: ``Length: 31 m``."""
    return ": " in line
