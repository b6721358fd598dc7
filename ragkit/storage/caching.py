"""Results that are kept, without keeping alive whose they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar
from weakref import WeakMethod

__all__ = ["kept"]

K = TypeVar("K")
V = TypeVar("V")


def kept(method: Callable[[K], V], most: int) -> Callable[[K], V]:
    """A bound method of one hashable argument, with its ``most`` latest results kept.

    Its object may hold it: an ``lru_cache`` of the method itself would make a circle, and an index
    nobody asks any more would keep its mapped files, and their handles, until the next collection.
    """
    weak = WeakMethod(method)

    @lru_cache(maxsize=most)
    def found(key: K) -> V:
        alive = weak()
        assert alive is not None  # noqa: S101 - who calls this holds the object
        return alive(key)

    return found
