"""Split a text into words: runs of letters, marks and digits, lower-cased and stemmed.

Scripts that write no blanks between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) give every
two neighbouring characters instead, a character being a letter with its marks: words need no
dictionary then, and a word of the question is found wherever it begins.

Ligatures and other compatibility characters match the letters they stand for (Unicode's NFKC).
The stemmers are Snowball's (Porter 2001, https://snowballstem.org): that of the script if one
language is most of its use, else the English one, and beside it that of the text's language. A word
is found by either, so that questions in any language find names.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ragkit.text.languages import DEFAULT
from ragkit.text.spans import Span

if TYPE_CHECKING:
    from Stemmer import Stemmer

__all__ = ["Word", "alternatives_of", "has_stemmer", "stem_in", "stems_of", "word_at", "words_of"]

_ASCII_WORD = re.compile(r"\w+")
_WITHOUT_BLANKS = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"  # Han, Hiragana, Katakana
    "\u0e01-\u0e4e\u0e80-\u0ecf\u0edc-\u0eff\u1000-\u103f\u1050-\u109f\u1780-\u17d3"
)
_UNSPACED = re.compile(f"[{_WITHOUT_BLANKS}]")
_STEMMER_OF_SCRIPT = (
    ("\u0400", "\u04ff", "russian"),
    ("\u0370", "\u03ff", "greek"),
    ("\u0600", "\u06ff", "arabic"),
    ("\u0900", "\u097f", "hindi"),
    ("\u0530", "\u058f", "armenian"),
    ("\u0b80", "\u0bff", "tamil"),
)
_STEMMER_OF_LANGUAGE = {
    "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "eo": "esperanto",
    "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hu": "hungarian", "id": "indonesian", "it": "italian",
    "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian",
    "pl": "polish", "pt": "portuguese", "ro": "romanian", "sr": "serbian",
    "st": "sesotho", "sv": "swedish", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
"""Languages that share their script with others; English is what Latin letters get anyway."""

# Points of Arabic and Hebrew, which most texts leave out; accents are marks of the first block.
_POINTS = re.compile("[\u0591-\u05c7\u064b-\u065f\u0670\u0640]")
_ACCENT = re.compile("(?<=[a-z\u0370-\u03ff\u0300-\u036f])[\u0300-\u036f]")
# Possessive and from the start of a run only, so that the time is linear.
_COMPOUND = re.compile(r"(?<![^\W\d_])[^\W\d_]++(?:[-\u2010\u2011][^\W\d_]++){1,3}")


class Word(NamedTuple):
    """The stem of a word, and its span ``[start, end)`` in the text, in code points."""

    stem: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """Return the words of a text, in order; those of scripts without blanks overlap.

    Example:
        >>> words_of("Treaties!")
        [Word(stem='treati', start=0, end=8)]
        >>> [word.stem for word in words_of("拉帕洛")]
        ['拉帕', '帕洛']

    """
    return [Word(_stem(text[start:end]), start, end) for start, end in _spans(text)]


def stems_of(text: str, language: str | None = None) -> set[str]:
    """Return what a text is found by: the stems of its words in every spelling.

    A word with accents is found without them too, and a hyphenated one in one piece.

    Args:
        text: the text.
        language: as a code of ISO 639-1; None for English or another that its script tells.

    Example:
        >>> sorted(stems_of("Café Wi-Fi"))
        ['cafe', 'café', 'fi', 'wi', 'wifi']
        >>> stems_of("Verträge", "de") & stems_of("Vertrages", "de")
        {'vertrag'}

    """
    languages = () if language is None else (language,)
    stems = {stem for own in alternatives_of(text, words_of(text), languages) for stem in own}
    return stems | {_stem(joined) for _, joined in _compounds(text)}


def alternatives_of(
    text: str, words: list[Word], languages: Sequence[str] = ()
) -> list[tuple[str, ...]]:
    """Return for each word of a text the stems that it may be indexed under, the widest first.

    Args:
        text: the text.
        words: its words.
        languages: those whose stemmers are used too, the likeliest first.

    Example:
        >>> text = "Café Wi-Fi"
        >>> alternatives_of(text, words_of(text))
        [('cafe', 'café'), ('wi', 'wifi'), ('fi', 'wifi')]

    """
    joined = {
        place: _stem(whole)
        for span, whole in _compounds(text)
        for place in range(span.start, span.end)
    }
    return [
        tuple(
            dict.fromkeys(
                [
                    *_stems_in(text[word.start : word.end], word.stem, languages),
                    _without_accents(word.stem),
                    word.stem,
                ]
                + ([joined[word.start]] if word.start in joined else [])
            )
        )
        for word in words
    ]


def stem_in(word: str, language: str) -> str | None:
    """Return the stem of a word by a language's own stemmer, without accents; None without one."""
    stemmer = _STEMMER_OF_LANGUAGE.get(language)
    if stemmer is None:
        return None
    return _without_accents(str(_STEMMERS.of(stemmer).stemWord(_folded(word))))


def has_stemmer(language: str) -> bool:
    """Return whether words are also looked up by a stemmer of this language."""
    return language == DEFAULT or language in _STEMMER_OF_LANGUAGE


def _stems_in(word: str, stem: str, languages: Sequence[str]) -> Iterator[str]:
    """The stems of a word in each of some languages; ``stem`` is the usual one."""
    for language in languages:
        own = stem if language == DEFAULT else stem_in(word, language)
        if own is not None:
            yield _without_accents(own)


def word_at(text: str, place: int) -> Span | None:
    """Return the word at a place; in a script without blanks the one that begins there.

    Example:
        >>> word_at("A treaty.", 4)
        Span(start=2, end=8)

    """
    if _UNSPACED.match(text, place):
        own = next(_word_pattern().finditer(text, place))
        return next((Span(*span) for span in _parts(text, *own.span())), None)
    begin = end = place
    while begin > 0 and _is_inside(text[begin - 1]):
        begin -= 1
    # Character by character, since the pattern for all scripts takes 20 ms to make.
    while end < len(text) and (_is_inside(text[end]) or text[end] == "_"):
        end += 1
    return Span(begin, end) if end > begin and _ASCII_WORD.match(text, begin) else None


def _is_inside(character: str) -> bool:
    """Whether a character continues a word of a script with blanks."""
    if character.isascii():
        return character.isalnum()
    is_word = character.isalnum() or unicodedata.category(character)[0] == "M"
    return is_word and not _UNSPACED.match(character)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    if text.isascii():
        yield from (match.span() for match in _ASCII_WORD.finditer(text))
        return
    for match in _word_pattern().finditer(text):
        yield from _parts(text, *match.span())


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A run of one kind of script: as one word, or every two neighbouring characters."""
    if not _UNSPACED.match(text, start):
        yield start, end
        return
    starts = [match.start() for match in _unit_pattern().finditer(text, start, end)]
    bounds = [*starts, end]
    if len(starts) == 1:
        yield start, end
    for first, last in pairwise(range(len(starts))):
        yield bounds[first], bounds[last + 1]


@cache
def _marks() -> str:
    r"""Combining marks, which ``\w`` lacks, as the inside of a set."""
    # Ideographic tone marks and variation selectors are above the last block that words use.
    return "".join(c for c in map(chr, range(0x300, 0x20000)) if unicodedata.category(c)[0] == "M")


@cache
def _word_pattern() -> re.Pattern[str]:
    unspaced, marks = _WITHOUT_BLANKS, _marks()
    return re.compile(
        rf"[{unspaced}][{unspaced}{marks}]*|(?:(?![{unspaced}])\w)(?:(?![{unspaced}])[\w{marks}])*"
    )


@cache
def _unit_pattern() -> re.Pattern[str]:
    marks = _marks()
    return re.compile(rf".[{marks}]*", re.DOTALL)


def _compounds(text: str) -> Iterator[tuple[Span, str]]:
    """Hyphenated words, and how they are written in one piece."""
    for match in _COMPOUND.finditer(text):
        yield Span(*match.span()), re.sub(r"[-\u2010\u2011]", "", match[0])


def _stem(word: str) -> str:
    folded = _folded(word)
    if folded.isascii():
        return str(_STEMMERS.of("english").stemWord(folded))
    first = folded[0]
    languages = (name for low, high, name in _STEMMER_OF_SCRIPT if low <= first <= high)
    return str(_STEMMERS.of(next(languages, "english")).stemWord(folded))


def _folded(word: str) -> str:
    """Lower case, with compatibility characters as the letters they stand for."""
    if word.isascii():
        return word.lower()
    return _POINTS.sub("", unicodedata.normalize("NFKC", word).lower()) or word


def _without_accents(stem: str) -> str:
    """The stem with plain Latin and Greek letters; й and the like are letters of their own."""
    if stem.isascii():
        return stem
    plain = _ACCENT.sub("", unicodedata.normalize("NFD", stem.replace("ё", "е")))
    return unicodedata.normalize("NFC", plain).replace("ß", "ss")


class _Stemmers(threading.local):
    """One stemmer of a language per thread, since PyStemmer's are not thread-safe."""

    def __init__(self) -> None:
        self._stemmers: dict[str, Stemmer] = {}

    def of(self, language: str) -> Stemmer:
        from Stemmer import Stemmer

        if language not in self._stemmers:
            self._stemmers[language] = Stemmer(language)
        return self._stemmers[language]


_STEMMERS = _Stemmers()
