"""The layout of an index, chosen by its size: how vectors are searched, how tokens are quantized.

Small corpora are searched exactly. In larger ones FAISS groups the vectors into lists (IVF: Jégou
et al. 2011), searches the lists nearest to a question, and stores each vector there with 8 bits a
component, or with one (RaBitQ: Gao & Long 2024, arXiv:2405.12497) where memory is short. Results
are compared again with the full vectors, which stay on disk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ragkit.errors import InputError

__all__ = ["DEFAULT_MEMORY", "Layout", "choose_layout", "parse_memory"]

DEFAULT_MEMORY = 2 << 30
"""Default memory budget of a process that answers questions, in bytes."""

_EXACT = 25_000
_EIGHT_BITS, _FOUR_BITS = 50_000, 300_000
_LEAST = 64 << 20
_BINARY = {"": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_UNITS = {**_BINARY, "KB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True, slots=True)
class Layout:
    """How vectors are searched and tokens quantized.

    Attributes:
        faiss: the string for FAISS's ``index_factory``.
        lists: number of lists of an IVF index, else 0.
        refine: this many times the requested depth is looked up and compared again with the full
            vectors.
        token_bits: bits of each component of a token vector.

    """

    faiss: str
    lists: int
    refine: int
    token_bits: int

    @property
    def is_exact(self) -> bool:
        """Whether every vector is compared in full."""
        return self.lists == 0


def choose_layout(chunks: int, dimension: int, memory: int | None = None) -> Layout:
    """Return the most exact layout that fits the memory budget.

    Args:
        chunks: number of chunks.
        dimension: length of the vectors.
        memory: budget in bytes; half of it is for vectors, half for everything else.

    Raises:
        InputError: no layout fits the budget.

    """
    budget = DEFAULT_MEMORY if memory is None else memory
    bits = 8 if chunks <= _EIGHT_BITS else 4 if chunks <= _FOUR_BITS else 2
    lists = max(16, round(4 * chunks**0.5))
    sizes = {
        "Flat": 4 * dimension * chunks,
        f"IVF{lists},SQ8": (dimension + 8) * chunks + 4 * dimension * lists,
        f"IVF{lists},RaBitQ": (dimension // 8 + 16) * chunks + 4 * dimension * lists,
    }
    for faiss, size in sizes.items():
        if faiss == "Flat" and chunks > _EXACT:
            continue
        if size <= budget // 2:
            is_flat = faiss == "Flat"
            refine = 2 if faiss.endswith("RaBitQ") else 1
            return Layout(faiss, 0 if is_flat else lists, refine, bits)
    least = max(_LEAST, 2 * min(sizes.values()))
    raise InputError(
        f"a memory budget of {budget / 2**20:,.0f} MiB is too small for {chunks:,} passages of "
        f"{dimension} dimensions; expected at least {-(-least >> 20):,} MiB. Give more, or push "
        f"the index to a server."
    )


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
