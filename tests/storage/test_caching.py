"""Cached results: the latest stay, and no object is kept alive by its cache."""

from __future__ import annotations

import pytest

from ragkit.storage.mapped import cached_method


def test_the_latest_results_are_cached_and_keep_no_object_alive() -> None:
    class Squares:
        def __init__(self) -> None:
            self.asked: list[int] = []
            self.of = cached_method(self._of, 2)

        def _of(self, number: int) -> int:
            self.asked.append(number)
            return number * number

    squares = Squares()
    assert [squares.of(n) for n in (2, 3, 2, 4, 3)] == [4, 9, 4, 16, 9]
    assert squares.asked == [2, 3, 4, 3]
    of, asked = squares.of, squares.asked
    del squares
    with pytest.raises(AssertionError):
        of(7)
    assert asked == [2, 3, 4, 3]
