"""What of a passage is read: its most promising sentences, each with its neighbours.

A window has as many whole sentences as fit the tokens that a reader was trained to read. A
sentence longer than that is cut into pieces between tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ragkit.text.spans import Span

__all__ = ["windows_by_promise"]


def windows_by_promise(
    sentences: Sequence[Span],
    scores: Sequence[float],
    tokens: Sequence[Span],
    most: int,
    *,
    alone: bool = False,
) -> Iterator[Span]:
    """Yield windows, the one around the best sentence first, until every sentence is in one.

    Args:
        sentences: of a passage, in order.
        scores: of each sentence, higher is better.
        tokens: of the passage, in the same code points as ``sentences``.
        most: tokens of a window.
        alone: read each sentence alone, such as the rows of a table: without the ends of its
            lines, which no model reads, the end of one row would be told of the next.

    """
    pieces, owners = _pieces(sentences, tokens, most)
    sizes = [_inside(piece, tokens) for piece in pieces]
    order = sorted(range(len(pieces)), key=lambda i: (-scores[owners[i]], i))
    covered: set[int] = set()
    for piece in order:
        if piece in covered:
            continue
        first, last = (piece, piece) if alone else _around(piece, sizes, most)
        covered.update(range(first, last + 1))
        yield Span(pieces[first].start, pieces[last].end)


def _pieces(
    sentences: Sequence[Span], tokens: Sequence[Span], most: int
) -> tuple[list[Span], list[int]]:
    """Sentences, cut where they are too long, and the sentence that each piece is of."""
    pieces: list[Span] = []
    owners: list[int] = []
    for number, sentence in enumerate(sentences):
        own = [t for t in tokens if sentence.start <= t.start < sentence.end]
        starts = [sentence.start, *[own[i].start for i in range(most, len(own), most)]]
        ends = [*[own[i - 1].end for i in range(most, len(own), most)], sentence.end]
        pieces += [Span(*both) for both in zip(starts, ends, strict=True)]
        owners += [number] * len(starts)
    return pieces, owners


def _inside(piece: Span, tokens: Sequence[Span]) -> int:
    return sum(piece.start <= token.start < piece.end for token in tokens)


def _around(piece: int, sizes: Sequence[int], most: int) -> tuple[int, int]:
    """First and last piece of the window around one: what precedes it and what follows in turn.

    >>> _around(1, [30, 30, 30, 30], 100), _around(0, [90, 20], 100), _around(2, [10, 10, 10], 100)
    ((0, 2), (0, 0), (0, 2))
    """
    first = last = piece
    room = most - sizes[piece]
    while True:
        before, after = first - 1, last + 1
        if before >= 0 and sizes[before] <= room:
            room -= sizes[before]
            first = before
        else:
            before = -1
        if after < len(sizes) and sizes[after] <= room:
            room -= sizes[after]
            last = after
        elif before < 0:
            return first, last
