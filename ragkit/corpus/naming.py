"""Ids of documents: short where that is enough, longer where two would be the same."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

__all__ = ["distinct", "slug", "utf8"]


def slug(name: str) -> str:
    """A stable id from a name: ``'Köln (1918–41)'`` → ``'koln-1918-41'``."""
    decomposed = unicodedata.normalize("NFKD", name)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", "-", bare.casefold()).strip("-")


def utf8(name: str) -> str:
    """A file's name without the lone surrogates that stand for bytes that are not UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def distinct(candidates: Sequence[Sequence[str]]) -> list[str]:
    """For each, its first name that no other one of its turn has; its last if there is none.

    ``[("a", "x/a"), ("a", "y/a"), ("b", "y/b")]`` → ``["x/a", "y/a", "b"]``.
    """
    chosen: dict[int, str] = {}
    turns = max(map(len, candidates), default=0)
    for turn in range(turns):
        names = {
            at: names[min(turn, len(names) - 1)]
            for at, names in enumerate(candidates)
            if at not in chosen
        }
        taken = Counter([*names.values(), *chosen.values()])
        last = turn == turns - 1
        chosen |= {at: name for at, name in names.items() if last or taken[name] == 1}
    return [chosen[at] for at in range(len(candidates))]
