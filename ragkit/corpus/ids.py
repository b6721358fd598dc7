"""Ids of documents: as short as they can be while all are different."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

__all__ = [
    "MESSAGE_DIGITS",
    "choose_distinct",
    "digest_id",
    "is_mailbox",
    "mailbox_id",
    "slug",
    "valid_unicode",
]

_DIGEST = 8
"""Hexadecimal digits: among 10,000 files that need one, two agree once in 86 corpora."""

MESSAGE_DIGITS = 12
"""Hexadecimal digits that tell the messages of a mailbox apart."""


def slug(name: str) -> str:
    """Turn a name into a stable id: ``'Köln (1918–41)'`` → ``'koln-1918-41'``."""
    decomposed = unicodedata.normalize("NFKD", name)
    base_letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", "-", base_letters.casefold()).strip("-")


def valid_unicode(file_name: str) -> str:
    """Replace the bytes of a file's name that are not UTF-8 (lone surrogates here) by U+FFFD."""
    return os.fsencode(file_name).decode("utf-8", "replace")


def digest_id(name: str, path: str) -> str:
    """Return the id of a file whose names do not tell it apart: its name and a digest of its path.

    It depends on nothing else, so that it stays the same whatever other files come and go.

    Example:
        >>> digest_id("C++", "docs/C++.md")
        'c-3014ac8e'

    """
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:_DIGEST]
    return f"{slug(valid_unicode(name)) or 'document'}-{digest}"


def choose_distinct(candidates: Sequence[Sequence[str]]) -> list[str]:
    """Choose for each item the slug of the first of its names that tells it apart.

    Of several items whose first names have the same slug, the one that spells it may have it:
    ``C`` spells ``c``, ``C++`` does not. Later names count only for items that spell them, since
    otherwise the next item could be one with the same slug, and change the id.

    Args:
        candidates: for each item its possible names, best first. The last is used as it is, and
            is the only one of an item that has no choice.

    Returns:
        One name per item; its last one where no other tells it apart.

    Example:
        >>> choose_distinct([("C", "c-1"), ("C++", "c-2"), ("Köln", "koln-3")])
        ['c', 'c-2', 'koln']

    """
    chosen = {item: names[0] for item, names in enumerate(candidates) if len(names) == 1}
    for position in range(max(map(len, candidates), default=1) - 1):
        names = {
            item: names[position]
            for item, names in enumerate(candidates)
            if item not in chosen and position < len(names) - 1
        }
        chosen |= _distinct(names, taken=set(chosen.values()), only_spelled=position > 0)
    return [chosen.get(item, names[-1]) for item, names in enumerate(candidates)]


def _distinct(names: dict[int, str], *, taken: set[str], only_spelled: bool) -> dict[int, str]:
    slugs = {item: slug(valid_unicode(name)) for item, name in names.items()}
    spelled = {item: own for item, own in slugs.items() if own and _spells(names[item], own)}
    uses, spellings = Counter(slugs.values()), Counter(spelled.values())
    distinct = {item: own for item, own in spelled.items() if spellings[own] == 1}
    if not only_spelled:
        distinct |= {item: own for item, own in slugs.items() if own and uses[own] == 1}
    return {item: own for item, own in distinct.items() if own not in taken}


def _spells(name: str, own_slug: str) -> bool:
    return re.sub("[ _]", "-", name.casefold()) == own_slug


def is_mailbox(path: Path) -> bool:
    """Return whether a file is a mailbox, by its name."""
    return path.suffix.lower() == ".mbox"


def mailbox_id(document_id: str) -> str:
    """Return the id of the mailbox that a message is in, by the message's.

    >>> mailbox_id("inbox-3c13d06da6c4-2")
    'inbox'
    """
    return re.sub(rf"-[0-9a-f]{{{MESSAGE_DIGITS}}}(?:-\d+)?\Z", "", document_id)
