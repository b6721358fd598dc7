"""The results of a part: number of faults, of comparisons, and of failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Part", "Row", "Tally"]


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of fault.

    Attributes:
        what: its description.
        tried: number of injected faults, inputs or requests.
        checked: number of answers or states compared with the expected ones.
        wrong: number that differed, and of crashes, undeclared errors and losses.
        outcomes: number of tries by outcome.
        examples: a few of the wrong ones, so that they can be reproduced.

    """

    what: str
    tried: int
    checked: int
    wrong: int
    outcomes: Mapping[str, int | float | str] = field(default_factory=dict)
    examples: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """Counts while a part runs."""

    what: str
    tried: int = 0
    checked: int = 0
    wrong: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def saw(self, outcome: str) -> None:
        """Count a try with that outcome."""
        self.tried += 1
        self.outcomes[outcome] += 1

    def check(self, holds: bool, example: str) -> None:
        """Count a comparison; ``example`` says how to reproduce a failure."""
        self.checked += 1
        if not holds:
            self.wrong += 1
            self.examples.append(example)

    def broke(self, error: Exception, example: str) -> None:
        """Count a try that ended in an error that ragkit does not declare."""
        self.saw("another error")
        self.check(False, f"{example}: {type(error).__name__}: {error}")

    def row(self) -> Row:
        """Return the counts."""
        few = tuple(example[:400] for example in self.examples[:5])
        outcomes = dict(sorted(self.outcomes.items()))
        return Row(self.what, self.tried, self.checked, self.wrong, outcomes, few)


class Part(Protocol):
    """A module of this package that tests one kind of fault."""

    TITLE: str
    ABOUT: str

    def run(self, effort: float) -> Iterator[Row]:
        """Yield the rows. ``effort`` scales the number of tries; 1 is the committed report's."""
        ...
