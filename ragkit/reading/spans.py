"""The best span of tokens by the scores of its first and its last."""

from __future__ import annotations

import numpy as np

from ragkit.encoding.encoder import Vectors

__all__ = ["LONGEST", "best_span"]

LONGEST = 30
"""Tokens of a short answer, at most."""


def best_span(first: Vectors, last: Vectors) -> tuple[int, int]:
    """Return the first and the last token whose scores are highest together.

    >>> best_span(np.array([0.0, 5.0, 1.0]), np.array([9.0, 0.0, 3.0]))
    (0, 0)
    >>> best_span(np.array([0.0, 5.0, 1.0]), np.array([4.0, 0.0, 3.0]))
    (1, 2)
    """
    table = first[:, None] + last[None, :]
    allowed = np.triu(np.ones_like(table)) * np.tril(np.ones_like(table), LONGEST - 1)
    place = int(np.where(allowed > 0, table, -np.inf).argmax())
    return place // len(last), place % len(last)
