"""What a user may set of an index: the parameters of retrieval, and the memory budget."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ragkit.errors import InputError

__all__ = ["DEFAULT_CONFIG", "DEFAULT_MEMORY", "RetrievalConfig", "Weights", "parse_memory"]

DEFAULT_MEMORY = 2 << 30
"""Default memory budget of a process that answers questions, in bytes."""

_BINARY = {"": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_UNITS = {**_BINARY, "KB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True, slots=True)
class RetrievalConfig:
    """The free parameters of the score (``retrieval.scoring`` has the formula) and the confidence.

    They are recorded in the manifest, so that an index keeps its own. The defaults were chosen on
    the ``dev`` questions and on XQuAD; ``ragkit tune`` fits them to other questions.

    Attributes:
        reverse: weight of the reverse direction beside the forward one, 0–2.
        idf_power: a word's weight is its inverse document frequency to this power, 0–2.
        slope: the log-odds of a confidence are multiplied by it, more than 0, at most 10.
        shift: is added to the result, −10 to 10.

    """

    reverse: float = 0.5
    idf_power: float = 0.5
    slope: float = 1.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.reverse <= 2 and 0 <= self.idf_power <= 2):
            raise InputError(
                f"RetrievalConfig(reverse={self.reverse}, idf_power={self.idf_power}): expected "
                f"both from 0 to 2."
            )
        if not (0 < self.slope <= 10 and -10 <= self.shift <= 10):
            raise InputError(
                f"RetrievalConfig(slope={self.slope}, shift={self.shift}): expected a slope above "
                f"0, at most 10, and a shift from -10 to 10."
            )


DEFAULT_CONFIG = RetrievalConfig()


class Weights(RetrievalConfig):
    """Deprecated: ``RetrievalConfig`` with ``rarity`` in place of ``idf_power``."""

    def __init__(self, reverse: float = 0.5, rarity: float = 0.5) -> None:
        super().__init__(reverse, rarity)

    @property
    def rarity(self) -> float:
        """The old name of ``idf_power``."""
        return self.idf_power

    def to_dict(self) -> dict[str, float]:
        """Return both fields under their old names."""
        return {"reverse": self.reverse, "rarity": self.idf_power}


def parse_memory(text: str) -> int:
    """Parse ``"2GiB"``, ``"500 MB"`` or ``"1000000"`` into bytes. Raises InputError.

    >>> parse_memory("2GiB")
    2147483648
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text, re.IGNORECASE)
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise InputError(f"the memory budget is {text!r}; expected a size such as 2GiB or 500MB.")
    return int(float(match[1]) * unit)
