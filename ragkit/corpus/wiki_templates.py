"""What templates and language variants of wikitext show, where the page itself has their words.

These are templates that set, measure or mark their text, as the larger Wikipedias name them. Any
other may show anything, and has no text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

__all__ = ["ARGUMENT_BAR", "MAX_NESTED", "template_text", "without_variants"]

ARGUMENT_BAR = "\0b"
"""Stands for the bar between two arguments, in text without markup."""

MAX_NESTED = 20
"""Templates in more than so many others have no text."""


class _Arguments(NamedTuple):
    positional: list[str]
    named: Mapping[str, str]

    def value(self, number: int) -> str:
        """Return the argument of a number, from 1, or ``""``."""
        in_order = self.positional[number - 1] if 0 < number <= len(self.positional) else ""
        return self.named.get(str(number), in_order)


def _second(arguments: _Arguments) -> str:
    return arguments.value(2)


def _first(arguments: _Arguments) -> str:
    named = (arguments.named.get(name) for name in ("text", "quote", "content", "texte"))
    return arguments.value(1) or next(filter(None, named), "")


def _last(arguments: _Arguments) -> str:
    return next((text for text in reversed(arguments.positional) if text), "")


def _joined(separator: str, prefix: str = "") -> Callable[[_Arguments], str]:
    return lambda arguments: prefix + separator.join(text for text in arguments.positional if text)


def _prefixed(prefix: str) -> Callable[[_Arguments], str]:
    return lambda arguments: prefix + arguments.value(1) if arguments.value(1) else ""


def _link(arguments: _Arguments) -> str:
    return arguments.named.get("lt") or arguments.value(1)


_JOINERS = {"to", "and", "or", "by", "x", "×", "-", "–", "to(-)", "and(-)", "+", "±", "+/-", "*"}


def _convert(arguments: _Arguments) -> str:
    """``1300|mi|km`` → ``1300 mi``; ``10|to|20|km|mi`` → ``10 to 20 km``."""
    words = arguments.positional
    size = 1
    while size + 1 < len(words) and words[size] in _JOINERS:
        size += 2
    return " ".join(word for word in words[: size + 1] if word)


def _value(arguments: _Arguments) -> str:
    unit = arguments.named.get("u") or arguments.named.get("ul") or ""
    return f"{arguments.value(1)} {unit}".strip()


def _fraction(arguments: _Arguments) -> str:
    """``1|2`` → ``1/2``; ``3|1|2`` → ``3 1/2``."""
    words = [word for word in arguments.positional if word]
    return " ".join([*words[:-2], "/".join(words[-2:])])


_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")  # fmt: skip


def _date(words: Sequence[str], *, day_first: bool = False) -> str:
    """``1950``, ``3``, ``2`` → ``March 2, 1950``; words that are no such numbers stay."""
    year, month, day = [*words, "", "", ""][:3]
    if not (month.isdecimal() and 1 <= int(month[:4]) <= 12):
        return " ".join(word for word in words[:3] if word)
    name = _MONTHS[int(month[:4]) - 1]
    if not day:
        return f"{name} {year}"
    return f"{day} {name} {year}" if day_first else f"{name} {day}, {year}"


def _dated(arguments: _Arguments) -> str:
    return _date(arguments.positional, day_first=bool(arguments.named.get("df")))


def _as_of(arguments: _Arguments) -> str:
    alternative = arguments.named.get("alt")
    words = "as of" if arguments.named.get("lc") else "As of"
    return alternative or f"{words} {_date(arguments.positional, day_first=True)}".strip()


def _constant(text: str) -> Callable[[_Arguments], str]:
    return lambda _: text


_RULES: tuple[tuple[Callable[[_Arguments], str], str], ...] = (
    (
        _first,
        "nowrap|nobr|small|smaller|big|larger|large|abbr|abbreviation|tooltip|tt|hover title|em"
        "|strong|bold|italics|noitalic|nobold|quote|blockquote|block quote|bq|cquote|rquote"
        "|quotation|quote box|pull quote|poem|poemquote|zitat|citation bloc|cita|cita destacada"
        "|citace|citat|cytat|citazione|цитата|center|centre|centered|mvar|math|var|code|kbd|key"
        "|key press|mono|samp|sup|sub|sic|as written|not a typo|proper name|plainlist|plain list"
        "|flatlist|flat list|nowraplinks|underline|smallcaps|sc|small caps|allcaps|visible anchor"
        "|vanchor|anchored text|linktext|nihongo|flag|flagu|flagcountry|angle bracket|angbr",
    ),
    (_second, "lang|langue|wikt-lang|taal|språk|język"),
    (
        _last,
        "transl|transliteration|translit|font color|font colour|color|colour|font|fontcolor|url"
        "|official url|highlight|resize|font size|fontsize|align|float|couleur|abbrlink",
    ),
    (_link, "ill|interlanguage link|interlanguage link multi|link-interwiki|lien|нп3|нп5"),
    (_convert, "convert|cvt|unité|unité/2|unidad|conversion"),
    (_value, "val|num|formatnum|nombre"),
    (_fraction, "frac|sfrac|fraction|tfrac"),
    (_joined("–", "c. "), "circa|c.|ca."),
    (_joined("–", "fl. "), "floruit|fl."),
    (_joined("–", "r. "), "reign|r."),
    (_as_of, "as of|asof|as at"),
    (
        _dated,
        "birth date|birth date and age|death date|death date and age|start date|end date"
        "|start date and age|film date|dts|birth-date|birth-date and age|death-date"
        "|death-date and age|start-date|end-date",
    ),
    (_joined(" "), "date|date-|fecha|datum|ship"),
    (_joined(", "), "ubl|unbulleted list|hlist|comma separated entries|cslist"),
    (_constant("–"), "ndash|en dash"),
    (_constant("—"), "mdash|em dash"),
    (_constant(" – "), "snd|spnd|spaced ndash|spaced en dash"),
    (_constant(" "), "nbsp|space|spaces|thinsp|thin space|hair space"),
    (_constant(" · "), "·|•|dot|middot|bullet"),
    (_constant("'"), "'|apostrophe"),
    (_constant("="), "="),
    (_prefixed("€"), "euro|€|eur"),
    (_prefixed("£"), "gbp|£|pound sterling"),
    (_prefixed("US$"), "us$|usd"),
    (_prefixed("¥"), "jpy|¥|yen"),
    (_prefixed("₹"), "inr|₹|indian rupee"),
)
_RULE_OF = {name: rule for rule, names in _RULES for name in names.split("|")}
_RULE_OF["!"] = _constant("|")
_LANGUAGE = re.compile(r"[Ll]ang-[a-z]{2,3}(?:-[a-z]+)?|[a-z]{2,3}S")
_SHIP = re.compile(r"HMS|HMAS|HMCS|USS|USNS|USCGC|SS|MS|MV|RMS|SMS|INS")
_MAX_NAME_LENGTH = 60
_NAMED = re.compile(r"\s*([\w -]{1,40}?)\s*=")


def template_text(pieces: Sequence[str], *, removed: str) -> str | None:
    """Return the text that a template shows, or None if that is not in the page.

    Args:
        pieces: what stands between its braces, without markup, ``ARGUMENT_BAR`` between arguments.
        removed: the mark where something was removed, which does not count as text.

    """
    name_length = next((n for n, p in enumerate(pieces) if p == ARGUMENT_BAR), len(pieces))
    name = "".join(pieces[:name_length]) if name_length <= 2 else ""
    if len(name) > _MAX_NAME_LENGTH:
        return None
    name = " ".join(name.replace("_", " ").replace(removed, "").split())
    rule = _RULE_OF.get(name.lower())
    if _LANGUAGE.fullmatch(name):
        rule = _first
    elif _SHIP.fullmatch(name):
        rule = _prefixed(name + " ")
    if rule is None:
        return None
    text = rule(_arguments("".join(pieces[name_length + 1 :]), removed))
    return text or None


def _arguments(source: str, removed: str) -> _Arguments:
    positional: list[str] = []
    named: dict[str, str] = {}
    for argument in source.split(ARGUMENT_BAR):
        key = _NAMED.match(argument)
        value = argument[key.end() :] if key else argument
        value = value.strip().removeprefix(removed).removesuffix(removed).strip()
        if key:
            named[key[1].lower()] = value
        else:
            positional.append(value)
    return _Arguments(positional, named)


# https://www.mediawiki.org/wiki/Writing_systems/Syntax
_VARIANTS = re.compile(r"-\{(?!\{)([^{}]*+)\}-")
_FLAGS = re.compile(r"\s*([A-Z+-](?:\s*;\s*[A-Z+-])*|[a-z]{2}(?:-[a-z]+)?)?\s*\|")
_VARIANT = re.compile(r"(?:\A|;)\s*[a-z]{2,3}(?:-[a-z]{2,8})?\s*:([^;]*)")
_HIDDEN_FLAGS = frozenset("HTD-N")


def without_variants(source: str) -> str:
    """``-{zh-hans:A; zh-hant:B}-`` → ``A``, the first of the variants; ``-{A}-`` → ``A``."""
    return _VARIANTS.sub(_first_variant, source) if "-{" in source else source


def _first_variant(match: re.Match[str]) -> str:
    content = match[1]
    flags = _FLAGS.match(content)
    if flags:
        if _HIDDEN_FLAGS.intersection(flags[1] or ""):
            return ""
        content = content[flags.end() :]
    variant = _VARIANT.search(content)
    return variant[1].strip() if variant else content
