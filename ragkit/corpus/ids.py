"""Ids of documents: as short as they can be while all are different."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

__all__ = ["choose_distinct", "slug", "valid_unicode"]


def slug(name: str) -> str:
    """Turn a name into a stable id: ``'Köln (1918–41)'`` → ``'koln-1918-41'``."""
    decomposed = unicodedata.normalize("NFKD", name)
    base_letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", "-", base_letters.casefold()).strip("-")


def valid_unicode(file_name: str) -> str:
    """Replace the bytes of a file's name that are not UTF-8 (lone surrogates here) by U+FFFD."""
    return os.fsencode(file_name).decode("utf-8", "replace")


def choose_distinct(candidates: Sequence[Sequence[str]]) -> list[str]:
    """Choose for each item the first of its names that is unique at that position.

    Args:
        candidates: for each item its possible names, best first; none empty.

    Returns:
        One name per item; its last candidate where none is unique.

    Example:
        >>> choose_distinct([("a", "x/a"), ("a", "y/a"), ("b", "y/b")])
        ['x/a', 'y/a', 'b']

    """
    chosen: dict[int, str] = {}
    positions = max(map(len, candidates), default=0)
    for position in range(positions):
        names = {
            item: names[min(position, len(names) - 1)]
            for item, names in enumerate(candidates)
            if item not in chosen
        }
        uses = Counter([*names.values(), *chosen.values()])
        is_last = position == positions - 1
        chosen |= {item: name for item, name in names.items() if is_last or uses[name] == 1}
    return [chosen[item] for item in range(len(candidates))]
