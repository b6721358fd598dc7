"""The language of a text, as far as cutting it into sentences needs it, and its abbreviations.

A few frequent words, or the script, tell the languages apart: small, offline and deterministic.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from ragkit.text.spans import Span

__all__ = ["DEFAULT", "language_of", "languages_that_go_on", "sample_around", "script_of"]

DEFAULT = "en"

_STOP_WORDS = {
    "en": "the of and to in is was that for with by as from are were be has which",
    "de": "der die das und ist von den dem des im mit auf für nicht wurde am ein eine zu wird als",
    "es": "el la los las de del y que en un una por con para se fue es al su",
    "fr": "le la les des et du un une est dans que qui pour par sur au aux il elle en de",
}
_ENGLISH_MARGIN = 1
"""By how many words another language must be ahead: what English looks like is cut as English."""

_WORD = re.compile(r"[^\W\d_]+")
_ABBREVIATIONS = {
    "de": "abb abs art bd bzw ca dr evtl fr geb gest ggf hr hrsg jh kap nr prof st str tab tel vgl",
    "es": "art cap d da dña dr dra excmo fig gral núm pág págs prof sr sra sras sres srta sta sto "
    "ud uds vol",
    "fr": "art cf chap dr fig m me mgr mlle mlles mm mme mmes no p pp pr prof st ste vol",
    "ru": "акад гл гр доц др им инж кв млн млрд обл пер пл пр проф рис св см стр табл тыс ул",
    "el": "αρ βλ δρ κα καθ κος λεωφ σελ",
}
_ABBREVIATIONS_OF = {language: frozenset(v.split()) for language, v in _ABBREVIATIONS.items()}
_STOP_WORDS_OF = {language: frozenset(v.split()) for language, v in _STOP_WORDS.items()}
_SCRIPTS = (("ru", re.compile("[\u0400-\u04ff]{2}")), ("el", re.compile("[\u0370-\u03ff]{2}")))
_ORDINAL_DIGITS = 2
_AROUND = 1_000
_LAST_WORD = re.compile(r"(?<!\w)(\w{1,8})\.\Z")


@lru_cache(maxsize=128)  # a question's passage is looked at by the reader and by the confidence
def language_of(text: str, *, least: int = 1) -> str | None:
    """Return the language of a text, as a code of ISO 639-1; None if its words do not tell.

    Args:
        text: the text.
        least: number of a language's frequent words that the text must have: in a question of five
            words, one may be by chance.

    Example:
        >>> language_of("Der Vertrag wurde am 16. April unterzeichnet.")
        'de'
        >>> language_of("Rapallo")

    """
    words = [word.lower() for word in _WORD.findall(text)]
    counts = {name: sum(map(own.__contains__, words)) for name, own in _STOP_WORDS_OF.items()}
    for name, pattern in _SCRIPTS:
        counts[name] = sum(1 for word in words if pattern.match(word))
    best = max(counts, key=counts.__getitem__)
    others = max(count for name, count in counts.items() if name != best)
    if best != DEFAULT and counts[best] < counts[DEFAULT] + _ENGLISH_MARGIN:
        return DEFAULT if counts[DEFAULT] >= least else None
    return best if counts[best] > others and counts[best] >= least else None


def script_of(text: str) -> str | None:
    """Return the script of most letters of a text, by its name in Unicode; None without letters.

    Example:
        >>> script_of("Rapallo 1922"), script_of("条約")
        ('LATIN', 'CJK')

    """
    letters = [c for c in text if c.isalpha()]
    if 2 * sum(map(str.isascii, letters)) > len(letters):
        return "LATIN"
    scripts = [unicodedata.name(letter, "?").partition(" ")[0] for letter in letters]
    return max(set(scripts), key=scripts.count) if scripts else None


def sample_around(text: str, span: Span) -> str:
    """Return a span of a text with what is around it, to tell its language.

    A list of names has no words that tell, or those of the names.
    """
    return text[max(0, span.start - _AROUND) : span.end + _AROUND]


def languages_that_go_on(before: str) -> Iterator[str]:
    """Yield the languages in which a text that ends in a full stop here is not a sentence's end.

    Args:
        before: the last characters of the text, with the full stop.

    Example:
        >>> list(languages_that_go_on("Er kam am 16.")), list(languages_that_go_on("El Sr."))
        (['de'], ['es'])

    """
    match = _LAST_WORD.search(before.rstrip())
    if match is None:
        return
    word = match[1]
    if word.isdigit():  # an ordinal
        if len(word) <= _ORDINAL_DIGITS:
            yield "de"
        return
    yield from (name for name, own in _ABBREVIATIONS_OF.items() if word.lower() in own)
