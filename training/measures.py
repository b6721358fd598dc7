"""Measures that need no model: AUROC, token F1, and their like."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that one of ``positive`` is above one of ``negative``; ties count half.

    >>> auroc([3, 2], [1, 2]), auroc([1], [1]), auroc([0, 1], [2])
    (0.875, 0.5, 0.0)
    """
    if not len(positive) or not len(negative):
        return float("nan")
    ordered = np.sort(np.asarray(negative, float))
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return float(below.mean() / 2 / len(ordered))


def plain_words(text: str) -> list[str]:
    """As SQuAD compares: lower case, no punctuation, no articles."""
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def token_f1(said: str, true: str) -> float:
    """Of the words that two answers share, as SQuAD counts them.

    >>> token_f1("the Black Death", "Black death."), token_f1("in 1922", "1922"), token_f1("", "x")
    (1.0, 0.6666666666666666, 0.0)
    """
    one, other = plain_words(said), plain_words(true)
    shared = sum((Counter(one) & Counter(other)).values())
    if not shared:
        return float(one == other)
    return 2 * shared / (len(one) + len(other))
