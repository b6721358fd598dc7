"""A cache for methods that does not keep their object alive."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar
from weakref import WeakMethod

__all__ = ["cached_method"]

K = TypeVar("K")
V = TypeVar("V")


def cached_method(method: Callable[[K], V], size: int) -> Callable[[K], V]:
    """Return ``method`` with an LRU cache of ``size`` results.

    Args:
        method: a bound method of one hashable argument.
        size: number of results kept.

    The cache holds only a weak reference to the method's object, so the object may hold the cache.
    An ``lru_cache`` of the bound method would be a reference cycle: an unused index would keep its
    mapped files open until the next garbage collection.

    """
    weak = WeakMethod(method)

    @lru_cache(maxsize=size)
    def cached(key: K) -> V:
        alive = weak()
        assert alive is not None  # noqa: S101 - the caller holds the object
        return alive(key)

    return cached
