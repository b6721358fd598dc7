"""AUROC of many scores at once; the other measures are those of ``ragkit.evaluation``."""

from __future__ import annotations

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
