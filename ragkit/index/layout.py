"""How an index is laid out, by its size: what finds near vectors, and how tokens are kept.

Small corpora are searched exactly. In larger ones FAISS groups the vectors into lists (IVF: Jégou
et al. 2011), looks into the lists nearest to a question, and keeps each vector there with 8 bits a
component, or with one (RaBitQ: Gao & Long 2024, arXiv:2405.12497) where memory is short; what it
finds is compared again with the full vectors, which stay on disk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ragkit.errors import InputError

__all__ = ["MEMORY", "Layout", "choose_layout", "parse_memory"]

MEMORY = 2 << 30
"""What an asking process may keep of an index in memory, bytes, unless something else is said."""

_EXACT = 25_000
_EIGHT_BITS, _FOUR_BITS = 50_000, 300_000
_LEAST = 64 << 20
_BINARY = {"": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_UNITS = {**_BINARY, "KB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True, slots=True)
class Layout:
    """``faiss``: what FAISS's ``index_factory`` makes; ``lists``: of an IVF index, else 0.

    ``refine``: how many times the depth asked for is looked up and compared again with the full
    vectors. ``token_bits``: of each component of a token vector.
    """

    faiss: str
    lists: int
    refine: int
    token_bits: int

    @property
    def is_exact(self) -> bool:
        return self.lists == 0


def choose_layout(chunks: int, dimension: int, memory: int | None = None) -> Layout:
    """The most exact layout whose share of ``memory`` (bytes) fits.

    Half of the budget is for vectors, half for what is read of everything else.

    Raises InputError for a budget that no layout keeps to.
    """
    budget = MEMORY if memory is None else memory
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
    """``"2GiB"``, ``"500 MB"`` or ``"1000000"`` → bytes. Raises InputError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text, re.IGNORECASE)
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise InputError(f"the memory budget is {text!r}; expected a size such as 2GiB or 500MB.")
    return int(float(match[1]) * unit)
