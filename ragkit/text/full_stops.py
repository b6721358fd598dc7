"""Full stops that end no sentence, in languages other than English: abbreviations and ordinals.

English ones are left to nupunkt, which was trained on English.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from ragkit.text.languages import DEFAULT, function_words
from ragkit.text.spans import Span

__all__ = ["LOOK_BACK", "goes_on", "is_doubtful", "sure_ends"]

LOOK_BACK = 24
"""Characters before an end that are looked at."""

_ABBREVIATIONS = {
    "de": "abb abs abschn abt allg anm art aufl bd bearb bes bsp bspw bzgl bzw ca dr dres evtl "
    "fa fam fr frl geb gem gest ggf ggü hr hrn hrsg ing inkl insb jan feb apr aug sept okt nov dez "
    "jh kap lt min mind mio mrd nr prof rd sog st stellv str tab tel ung urspr vgl vors zz zzgl",
    "es": "art cap cía depto dir dña dr dra dras dres ed excma excmo fig gral ing lic máx mín "
    "núm pág págs prof profa sr sra sras sres srta srtas sta sto ud uds vol av avda",
    "fr": "al art av bd boul cf chap dr drs éd env ex fig hab janv févr juill sept oct nov déc max "
    "me mgr mlle mlles mm mme mmes min no nos pp pr prof st ste tél vol",
    "it": "art artt avv cap dott dr egr fig geom ing lett on pag pagg prof profssa rag sig sigg "
    "spett tel vol",
    "pt": "art av cap dr dra drs ed exmo fig gen máx mín nº pág págs prof profa sr sra sras srs "
    "srta tel vol",
    "nl": "afb art bijv blz ca dhr dr drs evt fam fig ing ir jhr ma mevr mr mw nr pag prof resp st "
    "tel vgl zgn",
    "sv": "bl ca civ dr ev fr kap kl nr prof resp sid st tel",
    "da": "bl ca dr evt fig hr jf kap kl maks nr prof st tlf",
    "no": "bl ca dr evt fig jf kap kl maks nr prof st tlf",
    "pl": "ang art dr dyr doc gen godz hab im in inż kard ks lic mgr np nr os pl płk pow por pkt "
    "prof przyp ref rys rtm red ryc św tab tel tj tzn tzw ul woj wyd zob",
    "cs": "cca č čl dr gen ing kap mgr mjr mudr např nám obr odst prof resp roč str sv tab tel tj "
    "tzv ul zn",
    "hu": "dr ún ill kb pl prof stb st vö",
    "fi": "dr esim huom ks mm nk prof puh tri ts",
    "tr": "alb av bkz bul cad çev dr doç gen örn prof sn sok tel vb yrd",
    "ro": "art cca dl dlui dna dr fig lt nr op pag prof sf st str tel vol",
    "ca": "art av dr dra fig núm pàg prof sr sra sta sto vol",
    "ru": "акад вв гг гл гр доц др ж им ин инж кв корп лит млн млрд напр обл оз пер пл пос пр проф "
    "рис руб св см соч ср стр табл тел тов тыс ул экз",
    "uk": "акад вул гр див доц ім інж кв млн млрд напр обл пл пров проф рис см стор табл тел тис",
    "el": "αρ αρθ βλ δηλ δισ δρ εκ εκατ καθ κος κεφ λεωφ οδ σελ τηλ χλμ",
    "hi": "डॉ प्रो श्री कु पं सं",
}
_ABBREVIATIONS_OF = {language: frozenset(v.split()) for language, v in _ABBREVIATIONS.items()}
_ALSO_WORDS = {
    "de": "art kap lit min tab",
    "fr": "art ex max me min vol",
    "nl": "ma",
    "sv": "bl ev kap",
    "da": "bl kap",
    "no": "bl kap",
    "pl": "hab im por",
    "tr": "av bul tel",
    "ro": "dna",
    "ru": "им тел",
}
"""Abbreviations that are words as well: a sentence may end with one."""

_ENDINGS = {"de": ("str", "nr"), "nl": ("str",)}
"""What a longer word in front of a number may end in: Hauptstr. 12."""

_EVERY_ABBREVIATION = frozenset().union(*_ABBREVIATIONS_OF.values())
_EVERY_ENDING = tuple({ending for own in _ENDINGS.values() for ending in own})

_ORDINALS = frozenset("de da no cs sk sl hr fi hu tr et lv is".split())
"""Languages that write ordinal numbers with a full stop."""

_ORDINAL_DIGITS = 2
_LAST_WORD = re.compile(r"([^\W_](?:[^\s.,;:!?()\[\]\"„“”«»'’/]{0,19}))\.\Z")
_ABBREVIATED = re.compile(r"[^\W\d_]\.\s*\Z")
# A lookbehind in place of \b, so that no word is tried from each of its letters.
_BEFORE_CAPITAL = re.compile(r"(?<!\w)([^\W\d_]{3,30}+)\.\s+(?=([^\W\d_a-z]\w*))")
_NEXT_WORD = re.compile(r"\s*([^\W_]+)")


def is_doubtful(before: str, after: str) -> bool:
    """Return whether a full stop may end no sentence, in some language.

    Args:
        before: the last ``LOOK_BACK`` characters of the text, with the full stop.
        after: the characters after it.

    """
    following = _next_word(after)
    if following[:1].islower():
        return True
    word = _last_word(before)
    return bool(word) and (
        len(word) == 1
        or (word.isdigit() and len(word) <= _ORDINAL_DIGITS)
        or word in _EVERY_ABBREVIATION
        or (following[:1].isdigit() and word.endswith(_EVERY_ENDING))
    )


def goes_on(before: str, after: str, language: str) -> bool:
    """Return whether a text of a language goes on after a full stop.

    It does before a small letter, after an abbreviation, and, if what follows does not look like
    the first word of a sentence, after an initial, an ordinal number, or an abbreviation that is a
    word as well.

    Args:
        before: as for ``is_doubtful``.
        after: as for ``is_doubtful``.
        language: a code of ISO 639-1.

    Example:
        >>> goes_on("Er kam am 16.", " April", "de"), goes_on("El Sr.", " García", "es")
        (True, True)
        >>> goes_on("Es waren 16.", " Der Rest fehlte.", "de")
        False

    """
    word, following = _last_word(before), _next_word(after)
    if language == DEFAULT or not before.rstrip().endswith("."):
        return False
    is_abbreviation = word in _ABBREVIATIONS_OF.get(language, ())
    is_word = word in _ALSO_WORDS.get(language, "").split()
    if following[:1].islower() or (is_abbreviation and not is_word):
        return True
    if following[:1].isdigit() and word.endswith(_ENDINGS.get(language, ())):
        return True
    if not following or following.lower() in function_words(language):
        return False
    if word.isdigit():
        return _is_ordinal(before, word, language)
    return is_abbreviation or len(word) == 1


def sure_ends(text: str, span: Span, language: str) -> Iterator[int]:
    """Yield the ends of sentences that a function word with a capital begins after.

    nupunkt takes some words of other languages for abbreviations: "Er wohnt im 4. Stock. Der …".
    """
    if language != DEFAULT:
        for match in _BEFORE_CAPITAL.finditer(text, *span):
            word, following = match.groups()
            is_short = word.lower() in _ABBREVIATIONS_OF.get(language, ())
            is_word = word.lower() in _ALSO_WORDS.get(language, "").split()
            if (
                (is_word or not is_short)
                and following[0].isupper()
                and following.lower() in function_words(language)
            ):
                yield match.end(1) + 1


def _is_ordinal(before: str, number: str, language: str) -> bool:
    """Whether a number is an ordinal one; that after an abbreviation, as in "Abs. 3.", is none."""
    is_counted = _ABBREVIATED.search(before.rstrip()[: -len(number) - 1])
    return language in _ORDINALS and len(number) <= _ORDINAL_DIGITS and not is_counted


def _last_word(before: str) -> str:
    match = _LAST_WORD.search(unicodedata.normalize("NFC", before.rstrip()))
    return match[1].lower() if match else ""


def _next_word(after: str) -> str:
    match = _NEXT_WORD.match(unicodedata.normalize("NFC", after))
    return match[1] if match else ""
