"""The messages of one language, with their placeholders filled."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ragkit.catalogue.plurals import PLURAL_FORMS, plural_form
from ragkit.errors import InputError

__all__ = ["LANGUAGES", "Catalogue", "catalogue"]

LANGUAGES = tuple(sorted(PLURAL_FORMS))
"""The languages that have a catalogue, as codes of ISO 639-1."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Catalogue:
    """The messages of one language. A message with plural forms is a mapping of their names.

    Example:
        >>> catalogue("en").text("documents.count", count=1234)
        '1,234 documents'
        >>> catalogue("de").text("documents.count", count=1234)
        '1.234 Dokumente'

    """

    def __init__(self, language: str, messages: Mapping[str, str | Mapping[str, str]]) -> None:
        self.language = language
        self.messages = messages

    @property
    def direction(self) -> str:
        """The direction of the script, as HTML's ``dir`` has it: ``ltr`` or ``rtl``."""
        return "rtl" if self.language == "ar" else "ltr"

    def text(self, key: str, /, **values: str | int) -> str:
        """Return a message with its placeholders filled.

        Args:
            key: the message's key.
            values: a value for each placeholder. Integers are grouped as the language does;
                ``count`` decides on the plural form.

        """
        message = self.messages[key]
        if not isinstance(message, str):
            message = message[plural_form(self.language, int(values["count"]))]
        return _PLACEHOLDER.sub(lambda match: self._shown(values[match[1]]), message)

    def decimal(self, value: float) -> str:
        """Return a fraction with two decimals, such as "0.90", or "0,90" in German."""
        return f"{value:.2f}".replace(".", self.text("number.decimal"))

    def _shown(self, value: str | int) -> str:
        if isinstance(value, str):
            return value
        return f"{value:,}".replace(",", self.text("number.group"))


@cache
def catalogue(language: str) -> Catalogue:
    """Return the catalogue of a language.

    Args:
        language: one of ``LANGUAGES``; ``best_language`` finds it for a tag such as "de-AT".

    Raises:
        InputError: there is no catalogue of that language.

    """
    if language not in LANGUAGES:
        raise InputError(
            f"there are no messages in the language {language!r}; expected one of "
            f"{', '.join(LANGUAGES)}."
        )
    file = Path(__file__).parent / f"{language}.json"
    return Catalogue(language, json.loads(file.read_text(encoding="utf-8")))
