r"""Boxes of properties: a title above lines that each have a name and a value, such as an infobox.

>>> text = "Infobox\n- Capital: Rome\n- Area: 302,073 km²"
>>> box = properties(text, Span(0, len(text)))
>>> [(text[slice(*name)], text[slice(*value)]) for name, value in box.pairs]
[('Capital', 'Rome'), ('Area', '302,073 km²')]
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ragkit.text.spans import Span, lines, trim

__all__ = ["Properties", "properties"]

_FEWEST = 2
_LONGEST_TITLE = 60  # characters; a longer line is a sentence
_TITLE = re.compile(r"[^\W_][^\n]*(?<![.!?;,])")
# A value ends before the bar that the next parameter of a wiki's template would begin with.
_PAIR = re.compile(
    r"[-*•–]\s+(?P<name>[^\W_][^:：\n]{0,39}?)\s*(?::\s|：)\s*(?P<value>\S.*?)[\s|]*"
)


class Properties(NamedTuple):
    """A box of properties, as spans of the text.

    Attributes:
        title: the line above.
        pairs: name and value of each property, in order.

    """

    title: Span
    pairs: tuple[tuple[Span, Span], ...]


def properties(text: str, span: Span) -> Properties | None:
    """Return the box that a paragraph is, or None if any of its lines says otherwise.

    Args:
        text: the whole text.
        span: the paragraph.

    """
    title, *rest = [content for line in lines(text, *span) if (content := trim(text, line))]
    matches = [_PAIR.fullmatch(text, *line) for line in rest]
    pairs = tuple(
        (Span(*match.span("name")), Span(*match.span("value"))) for match in matches if match
    )
    is_title = title.end - title.start <= _LONGEST_TITLE and _TITLE.fullmatch(text, *title)
    if not is_title or len(pairs) < max(_FEWEST, len(rest)):
        return None
    return Properties(title, pairs)
