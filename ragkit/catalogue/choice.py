"""The language for a reader: of a browser's header, or of a terminal's environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ragkit.catalogue.catalogue import LANGUAGES

__all__ = ["accepted_language", "best_language", "environment_language"]

_DEFAULT = "en"
_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q\s*=\s*([01](?:\.\d*)?))?\s*"
)


def best_language(tags: Iterable[str]) -> str:
    """Return the first language of ``tags`` that has a catalogue, or English.

    Args:
        tags: language tags such as "de-AT" or "de_AT.UTF-8", the preferred one first. The part for
            the region makes no difference.

    Example:
        >>> best_language(["nl", "fr-CA", "en"])
        'fr'

    """
    codes = (re.split(r"[-_.@]", tag, maxsplit=1)[0].lower() for tag in tags)
    return next((code for code in codes if code in LANGUAGES), _DEFAULT)


def accepted_language(header: str) -> str:
    """Return the best language for an ``Accept-Language`` header; malformed parts are ignored.

    Example:
        >>> accepted_language("en;q=0.5, de-CH, fr;q=0.9")
        'de'

    """
    ranges = [match.groups() for part in header.split(",") if (match := _RANGE.fullmatch(part))]
    weighted = [(tag, 1.0 if quality is None else float(quality)) for tag, quality in ranges]
    weighted.sort(key=lambda pair: -pair[1])
    return best_language(tag for tag, quality in weighted if quality)


def environment_language(environment: Mapping[str, str]) -> str:
    """Return the language of the messages that environment variables ask for, as gettext does.

    The locale is the first that is set of ``LC_ALL``, ``LC_MESSAGES`` and ``LANG``. The languages
    of ``LANGUAGE``, separated by colons, go before it, except where the locale is unset or ``C``.

    Example:
        >>> environment_language({"LANG": "en_US.UTF-8", "LANGUAGE": "ja:en"})
        'ja'

    """
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((environment[name] for name in names if environment.get(name)), "C")
    if locale.split(".")[0] in ("C", "POSIX"):
        return _DEFAULT
    return best_language([*environment.get("LANGUAGE", "").split(":"), locale])
