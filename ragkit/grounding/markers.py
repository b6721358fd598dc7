"""Citation markers in a language model's text, such as ``[1]``, ``[2, 3]`` or ``【4】``."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["ends_with_marker", "leading_markers_length", "strip_markers"]

# Possessive quantifiers give no white space back. Otherwise "[1,  1,  1 …" without a closing
# bracket would be matched in every way of dividing its blanks.
_NUMBERS = r"\s*+(?:passages?+|sources?+|references?+|refs?+)?+[\s:#.]*+\d{1,3}+"
_MARKER = re.compile(
    rf"(?<!\s)\s*+(?:[\[【]\s*+\^?({_NUMBERS}(?:\s*+[,;–-]{_NUMBERS})*+)\s*+"
    r"(?:†[^】\]]{0,100}+)?(?:[\]】]|$)|\((\d{1,2})\)(?=\s*+[.!?]?\s*+$))",
    re.IGNORECASE,
)
_MARKDOWN = re.compile(r"^(?:[-*•>#]+\s+|\d{1,2}[.)]\s+)+|\*\*|__|`")
_SENTENCE_END = " .!?:;"
_MAX_RANGE = 20


def strip_markers(sentence: str) -> tuple[str, list[int]]:
    """Separate a sentence from its markers, and strip Markdown.

    Markers are ``[1]``, ``[1, 2]``, ``[1-3]``, ``[^1]``, ``[passage 1]``, ``【1】``, any of them
    truncated at the end of the text, and ``(1)`` at the end of a sentence.

    Args:
        sentence: as the language model wrote it.

    Returns:
        The sentence without markers, and the passage numbers in the markers, in order, each once.

    Example:
        >>> strip_markers("It was **signed** in 1922 [1, 3].")
        ('It was signed in 1922.', [1, 3])

    """
    numbers: dict[int, None] = {}
    for match in _MARKER.finditer(sentence):
        numbers.update(dict.fromkeys(_numbers(match[1] or match[2])))
    text = _MARKDOWN.sub("", " ".join(_MARKER.sub("", sentence).split()))
    return text.strip(), list(numbers)


def leading_markers_length(text: str) -> int:
    """Return how many characters at the start of ``text`` are markers."""
    end = 0
    while match := _MARKER.match(text, end):
        end = match.end()
    return end


def ends_with_marker(text: str) -> bool:
    """Return whether ``text`` ends with a complete marker, punctuation aside."""
    bare = text.rstrip(_SENTENCE_END)
    return any(match.end() == len(bare) for match in _MARKER.finditer(bare)) and bare[-1] in "]】)"


def _numbers(group: str) -> Iterator[int]:
    for part in re.split("[,;]", group):
        first, *last = (int(number) for number in re.findall(r"\d+", part))
        yield from range(first, min(last[0], first + _MAX_RANGE) + 1) if last else (first,)
