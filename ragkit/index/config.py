"""The few free parameters of retrieval, recorded in the manifest so that an index keeps its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ragkit.errors import InputError

__all__ = ["Weights"]


@dataclass(frozen=True, slots=True)
class Weights:
    """``reverse``: what the reverse direction counts beside the forward one (0–2).

    ``rarity``: a word's weight is its IDF to this power (0–2). The defaults were chosen on the
    ``dev`` questions and on XQuAD; ``ragkit tune`` fits them to other questions.
    """

    reverse: float = 0.5
    rarity: float = 0.5

    def __post_init__(self) -> None:
        if not (0 <= self.reverse <= 2 and 0 <= self.rarity <= 2):
            raise InputError(
                f"Weights(reverse={self.reverse}, rarity={self.rarity}): expected both from 0 to 2."
            )

    def to_dict(self) -> dict[str, float]:
        return asdict(self)
