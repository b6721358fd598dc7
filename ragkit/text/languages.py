"""The language of a text, told by frequent words, letters and the script: small and offline.

It decides how words are stemmed and where sentences end. Texts of one script and few words may be
taken for a sister language, which has nearly the same rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache, lru_cache

from ragkit.text.spans import Span

__all__ = [
    "DEFAULT",
    "UNDETERMINED",
    "function_words",
    "language_of",
    "language_of_text",
    "primary_language",
    "sample_around",
    "script_of",
]

DEFAULT = "en"
UNDETERMINED = "und"
"""BCP 47's tag for a text whose language is not known."""

_FUNCTION_WORDS = {
    "en": "the of and to in is was that for with by as from are were be has which this it on at an "
    "or not have had his their its but they he she what who when where how did does do no can "
    "will would could come whom after before all more than into over been why if there whose a i "
    "you your my me we our am may must should need get",
    "de": "der die das und ist von den dem des im mit auf für nicht wurde am ein eine zu wird als "
    "sich auch einer eines einem einen bei nach aus wie was wann wer wo welche welcher welches "
    "welchem sind wurden werden hat haben es in zum zur durch viele war er sie wir "
    "ich man an um kann noch nur aber oder so wenn dort danach dann hier da bis "
    "niemand alle jeder",
    "es": "el la los las de del y que en un una por con para se fue es al su qué cuál quién como "
    "más fueron sus son lo entre cuándo cuántos dónde cómo está pero ha no era este esta también "
    "sobre",
    "fr": "le la les des et du un une est dans que qui pour par sur au aux il elle en de ce cette "
    "sont pas avec été plus ont quel quelle quels était son ses",
    "pt": "o a os as de do da dos das e que em um uma por com para se foi é ao no na nos nas não "
    "mais como quem qual são seu sua pelo pela",
    "it": "il lo la gli le di del della dei delle e che in un una per con si è al nel nella da dal "
    "sono non più come chi quale fu ha suo anche alla",
    "id": "yang dan di dari untuk dengan pada adalah ini itu dalam tidak oleh sebagai ke akan atau "
    "juga telah apa siapa",
    "tr": "ve bir bu hangisi nerede neydi ne zaman kaçtır vardır nasıl ile için olarak da de olan "
    "en gibi daha çok kim hangi nedir kaç sonra kadar tarafından olduğu ya değil",
    "vi": "và của là có được trong cho không một với các người những này đã khi từ để vào ở gì nào "
    "đến bao nhiêu",
    "pl": "w na z do się nie jest że od po za przez to jak oraz był została który która które "
    "są dla co kto kiedy",
    "nl": "de het een van en in is dat op te zijn voor met niet aan er ook als bij door werd wordt "
    "uit naar om wat wie welke heeft hij deze",
    "ro": "și în de la a al ale cu care un o pe din nu este sunt au fost mai pentru ce cine unde "
    "când lui prin se fi ca către",
    "hu": "az és hogy nem egy volt van meg ez mint de ki mi mikor amely vagy csak után által",
    "cs": "na se je že do po za byl byla bylo jako který která které jsou pro od ve co kdo kdy "
    "není jeho podle také při",
    "sv": "och att det som en på är av för med den till inte om ett han var sig från har vad vem "
    "när blev eller efter hade också",
    "fi": "ja on ei että se hän oli ovat joka kuin myös mutta tai sen mikä kuka milloin ole jossa "
    "sekä",
    "da": "og at det som en på er af for med den til ikke et han var sig fra har hvad hvem "
    "hvornår blev eller efter havde også der de i",
    "no": "og at det som en på er av for med den til ikke et han var seg fra har hva hvem når ble "
    "eller etter hadde også i de",
    "ca": "el la els les de del dels i que en un una per amb es va és al seu seva no més com què "
    "quin són",
}
_LETTERS = {
    "tr": "ğış",
    "vi": "ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệịỉọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ",
    "ro": "ățșţ",
    "pl": "łąężźśćń",
    "cs": "řěů",
    "hu": "őű",
}
"""Letters that few other languages of the script have: a word with one counts as a frequent one."""

_OTHER_FUNCTION_WORDS = {
    "ru": "в и на не он она оно они мы вы я с по к у за из от до для это этот эта эти что как "
    "так но "
    "а или если когда где кто его её их был была было были потом затем после также все же о при",
    "uk": "в у і й та на не він вона воно вони ми ви я з по до для за із від це цей ця ці що "
    "як так "
    "але а або якщо коли де хто його її їх був була було були потім також усі же о при",
    "el": "ο η το οι τα του της των τον την στο στη στην στον στα και να δεν με για από είναι ήταν "
    "που ως ή αν όταν αυτό αυτός αυτή μετά",
}
"""Of languages that their script tells."""

_SCRIPTS = {
    "ja": "\u3041-\u3096\u30a1-\u30fa",
    "zh": "\u3400-\u4dbf\u4e00-\u9fff",
    "ko": "\uac00-\ud7af",
    "ru": "\u0400-\u04ff",
    "el": "\u0370-\u03ff\u1f00-\u1fff",
    "ar": "\u0600-\u06ff",
    "he": "\u0590-\u05ff",
    "hi": "\u0900-\u097f",
    "th": "\u0e00-\u0e7f",
    "lo": "\u0e80-\u0eff",
    "hy": "\u0530-\u058f",
    "ta": "\u0b80-\u0bff",
    "ka": "\u10a0-\u10ff",
}
_SISTERS = {"ru": {"uk": "іїєґ"}, "ar": {"ur": "ٹڈڑںے", "fa": "پچژگ"}}
"""Languages of a script whose own letters, in one of ten words, tell them from the usual one."""

_SISTER_SHARE = 10
_KANA_SHARE = 10
"""Japanese has one kana for ten Han characters at least, Chinese none."""

_ENGLISH_MARGIN = 1
"""By how many words another language must be ahead: what English looks like is cut as English."""

_CODES = frozenset(
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu "
    "cv cy da "
    "de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht "
    "hu hy hz "
    "ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb "
    "lg li ln "
    "lo lt lu lv mg mh mi mk ml mn mr ms mt my na nd ne ng nl no nr nv ny oc oj om or os pa "
    "pi pl ps "
    "pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th "
    "ti tk tl "
    "tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "
    "als ang arz ast awa ban bar bcl bjn cdo ceb chr chy ckb crh csb din diq dsb ext fil frp "
    "frr fur "
    "gag gan glk gom gor got gsw hak haw hif hsb ilo inh jam kaa kab kbd kbp koi krc ksh lad "
    "lbe lez "
    "lfn lij lmo ltg mai mdf mhr min mrj mwl myv mzn nah nap nds nov nso olo pag pam pap pcd "
    "pdc pfl "
    "pms pnb pnt rmy rue sah sat scn sco shn srn stq szl tcy tet tpi tum tyv udm vec vep vls "
    "vro war "
    "wuu xal xmf yue zea".split()
)
"""ISO 639-1, with one code for both written forms of Norwegian, and of ISO 639-3 the codes of
languages that have a Wikipedia."""

_OTHER_CODES = dict(
    pair.split("=")
    for pair in "nb=no nn=no nor=no nob=no nno=no eng=en deu=de ger=de fra=fr fre=fr spa=es por=pt "
    "ita=it nld=nl dut=nl rus=ru ukr=uk pol=pl ces=cs cze=cs slk=sk slo=sk slv=sl hrv=hr srp=sr "
    "bul=bg ron=ro rum=ro hun=hu fin=fi swe=sv dan=da est=et lav=lv lit=lt ell=el gre=el tur=tr "
    "ara=ar heb=he fas=fa per=fa urd=ur hin=hi ben=bn tam=ta tel=te zho=zh chi=zh jpn=ja kor=ko "
    "tha=th lao=lo vie=vi ind=id msa=ms may=ms cat=ca eus=eu baq=eu glg=gl isl=is ice=is gle=ga "
    "cym=cy wel=cy sqi=sq alb=sq mkd=mk mac=mk kat=ka geo=ka hye=hy arm=hy epo=eo lat=la".split()
)
"""Codes of ISO 639-2, which e-books use, and what they are in ISO 639-1."""

_WORD = re.compile(r"[^\W\d_]+")
_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})*")
_SCRIPT_PATTERNS = {name: re.compile(f"[{letters}]") for name, letters in _SCRIPTS.items()}
_AROUND = 1_000
_SAMPLE = 4_000
"""Characters at the beginning of a document that its language is told from."""


def _languages_of_words() -> dict[str, tuple[str, ...]]:
    languages: dict[str, tuple[str, ...]] = {}
    for name, words in _FUNCTION_WORDS.items():
        for word in words.split():
            languages[word] = (*languages.get(word, ()), name)
    return languages


_LANGUAGES_OF_WORD = _languages_of_words()


@lru_cache(maxsize=128)  # a question's passage is looked at by the reader and by the confidence
def language_of(text: str, *, least: int = 1, expected: str | None = None) -> str | None:
    """Return the language of a text, as a code of ISO 639-1; None if its words do not tell.

    Args:
        text: the text.
        least: number of a language's frequent words that the text must have, where several
            languages share its script: in a question of five words, one may be by chance.
        expected: the language that is taken if no other has more of its words in the text.

    Example:
        >>> language_of("Der Vertrag wurde am 16. April unterzeichnet.")
        'de'
        >>> language_of("条約は1922年に調印された。")
        'ja'
        >>> language_of("Rapallo")

    """
    if text.isascii():
        return _language_of_words(text, least, expected)
    composed = unicodedata.normalize("NFC", text)
    return _language_of_script(composed) or _language_of_words(composed, least, expected)


def language_of_text(text: str) -> str | None:
    """Return the language of a document, told by the beginning of its text; None if none is."""
    return language_of(text[:_SAMPLE])


def _language_of_script(text: str) -> str | None:
    """The usual language of the script that most letters are of, or a sister of it."""
    counts = {name: len(pattern.findall(text)) for name, pattern in _SCRIPT_PATTERNS.items()}
    if counts["ja"] * _KANA_SHARE > counts["zh"]:
        counts["ja"] += counts.pop("zh")
    best = max(counts, key=counts.__getitem__)
    if 2 * counts[best] <= sum(map(str.isalpha, text)):
        return None
    words = [word for word in _WORD.findall(text) if _SCRIPT_PATTERNS[best].match(word)]
    for sister, letters in _SISTERS.get(best, {}).items():
        own = sum(any(letter in word for letter in letters) for word in words)
        if own * _SISTER_SHARE > len(words):
            return sister
    return best


def _language_of_words(text: str, least: int, expected: str | None) -> str | None:
    numbers: Counter[str] = Counter()
    scores: Counter[str] = Counter()  # a word that several languages share tells less
    single = 0  # "a" and "i", which are words of many languages
    for word in map(str.lower, _WORD.findall(text)):
        languages = _LANGUAGES_OF_WORD.get(word) or _languages_by_letters(word)
        single += len(word) == 1 and DEFAULT in languages
        for name in languages:
            numbers[name] += 1
            scores[name] += len(languages) ** -0.5
    if not numbers:
        return None
    # Of sister languages with equal counts, the one with more speakers, which comes first here.
    best = max(_FUNCTION_WORDS, key=lambda name: (scores[name], numbers[name], name == expected))
    english = numbers[DEFAULT] - single
    if best not in {DEFAULT, expected} and numbers[best] < english + _ENGLISH_MARGIN:
        return DEFAULT if numbers[DEFAULT] >= least else None
    return best if numbers[best] >= least else None


def _languages_by_letters(word: str) -> tuple[str, ...]:
    if word.isascii():
        return ()
    return tuple(name for name, own in _LETTERS.items() if any(map(own.__contains__, word)))


def primary_language(tag: str) -> str | None:
    """Return the language of a BCP 47 tag, as a code of ISO 639-1; None if there is none.

    Example:
        >>> primary_language("de-AT"), primary_language("eng"), primary_language("php")
        ('de', 'en', None)

    """
    match = _TAG.fullmatch(tag.strip())
    code = match[1].lower() if match else ""
    return code if code in _CODES else _OTHER_CODES.get(code)


@cache
def function_words(language: str) -> frozenset[str]:
    """Return the frequent words of a language, none of which says what a text is about."""
    return frozenset((_FUNCTION_WORDS | _OTHER_FUNCTION_WORDS).get(language, "").split())


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
