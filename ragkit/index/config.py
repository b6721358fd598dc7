"""The free parameters of retrieval, recorded in the manifest so that an index keeps its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ragkit.errors import InputError

__all__ = ["RetrievalConfig"]


@dataclass(frozen=True, slots=True)
class RetrievalConfig:
    """The two free parameters of the score (``retrieval.scoring`` has the formula).

    The defaults were chosen on the ``dev`` questions and on XQuAD; ``ragkit tune`` fits them to
    other questions.

    Attributes:
        reverse: weight of the reverse direction beside the forward one, 0–2.
        idf_power: a word's weight is its inverse document frequency to this power, 0–2.

    """

    reverse: float = 0.5
    idf_power: float = 0.5

    def __post_init__(self) -> None:
        if not (0 <= self.reverse <= 2 and 0 <= self.idf_power <= 2):
            raise InputError(
                f"RetrievalConfig(reverse={self.reverse}, idf_power={self.idf_power}): expected "
                f"both from 0 to 2."
            )

    def to_dict(self) -> dict[str, float]:
        """Return the fields as the manifest has them."""
        return {"reverse": self.reverse, "rarity": self.idf_power}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> RetrievalConfig:
        """Return the parameters that ``to_dict`` wrote."""
        return cls(reverse=content["reverse"], idf_power=content["rarity"])
