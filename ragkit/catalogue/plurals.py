"""Which plural form of a message goes with a count: CLDR's rules for integers.

The chat page has the same rules from ``Intl.PluralRules``.
"""

from __future__ import annotations

__all__ = ["PLURAL_FORMS", "plural_form"]

PLURAL_FORMS = {
    "ar": ("zero", "one", "two", "few", "many", "other"),
    "de": ("one", "other"),
    "en": ("one", "other"),
    "es": ("one", "many", "other"),
    "fr": ("one", "many", "other"),
    "ja": ("other",),
    "zh": ("other",),
}
"""A language → the names of its plural forms, as CLDR has them."""

_MILLION = 1_000_000


def plural_form(language: str, count: int) -> str:
    """Return the name of the plural form that a language uses with a count.

    Args:
        language: one of ``PLURAL_FORMS``.
        count: number of things, 0 or more.

    Example:
        >>> [plural_form("ar", count) for count in (0, 1, 2, 3, 11, 100)]
        ['zero', 'one', 'two', 'few', 'many', 'other']
        >>> plural_form("fr", 0), plural_form("de", 0)
        ('one', 'other')

    """
    if language == "ar":
        return _arabic(count)
    if language == "fr":
        return "one" if count <= 1 else _romance(count)
    if language == "es":
        return "one" if count == 1 else _romance(count)
    return "one" if count == 1 and "one" in PLURAL_FORMS[language] else "other"


def _arabic(count: int) -> str:
    if count <= 2:
        return ("zero", "one", "two")[count]
    rest = count % 100
    if 3 <= rest <= 10:
        return "few"
    return "many" if rest > 10 else "other"


def _romance(count: int) -> str:
    """Whole millions take a preposition: "2 000 000 de documents"."""
    return "many" if count and count % _MILLION == 0 else "other"
