"""What a part of the torture tells: so many faults, so many answers checked, so much wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Part", "Row", "Tally"]


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of fault.

    ``tried``: faults injected, inputs given or requests made. ``checked``: answers or states that
    were compared with what they had to be. ``wrong``: those that were not it, and whatever else
    must not be: a crash, an error of another tree, something lost. ``outcomes``: what became of the
    tries. ``examples``: a few of the wrong, to be found again.
    """

    what: str
    tried: int
    checked: int
    wrong: int
    outcomes: Mapping[str, int | float | str] = field(default_factory=dict)
    examples: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """Counts while a part runs, and makes the row at the end."""

    what: str
    tried: int = 0
    checked: int = 0
    wrong: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def saw(self, outcome: str) -> None:
        """One more try ended like this."""
        self.tried += 1
        self.outcomes[outcome] += 1

    def check(self, holds: bool, example: str) -> None:
        """One more comparison; ``example``: how to see again what did not hold."""
        self.checked += 1
        if not holds:
            self.wrong += 1
            self.examples.append(example)

    def broke(self, error: Exception, example: str) -> None:
        """One more try ended in an error that is not ragkit's, which is wrong."""
        self.saw("another error")
        self.check(False, f"{example}: {type(error).__name__}: {error}")

    def row(self) -> Row:
        few = tuple(example[:400] for example in self.examples[:5])
        outcomes = dict(sorted(self.outcomes.items()))
        return Row(self.what, self.tried, self.checked, self.wrong, outcomes, few)


class Part(Protocol):
    """A module of this package."""

    TITLE: str
    ABOUT: str

    def run(self, effort: float) -> Iterator[Row]:
        """``effort``: 1 for the committed report; less tries less, more tries more."""
        ...
