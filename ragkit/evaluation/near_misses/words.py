"""Word lists and shapes that the makers of near-misses share."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from ragkit.encoding.models import base_model_folder

YEAR: Final = re.compile(r"\b(?:1[0-9]{3}|20[0-2][0-9])\b(?![,.]?\d)")
NUMBER: Final = re.compile(r"(?<![\w.,-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w,.]*\d)(?!\w)")
_WORD: Final = re.compile(r"[a-z0-9]+")
_CAP: Final = r"(?:[A-Z][\w'’&-]*[\w]|[A-Z])"
NAME: Final = re.compile(rf"(?<!\w){_CAP}(?:(?: of| of the| de| von| van| the)? {_CAP})*")
TIME: Final = re.compile(
    r"\d|\b(?:century|year|decade|month|week|day|today|now|recent|era|age|period|January|February|"
    r"March|April|May|June|July|August|September|October|November|December|spring|summer|autumn|"
    r"winter|time|when|during|after|before|since|until|later|once|current|modern|ancient|"
    r"Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|morning|night|began|begin)",
    re.IGNORECASE,
)
QUANTITY: Final = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|hundreds?|"
    r"thousands?|millions?|billions?|several|few|many|both|half|third|quarter|single|twice|pair|"
    r"numerous|couple|majority|most|all|none|no|first|second|fourth|fifth|score|twenty|thirty)\b",
    re.IGNORECASE,
)
CAUSE: Final = re.compile(
    r"\b(?:because|due to|since|as a result|in order|so that|therefore|owing|thanks to|reasons?|"
    r"caused?|led to|resulted?|thus|consequently|purpose|for fear|so as|why|after|to avoid|"
    r"to \w+|by \w+ing|for|as)\b",
    re.IGNORECASE,
)
STOP: Final = frozenset(
    "a an the of in on at to for from by with and or as is was were are be been being do does did "
    "has have had what which who whom whose when where why how many much that this these those it "
    "its he she they his her their there than then into about can could would should will may "
    "might not".split()
)
QUESTION_WORDS: Final = frozenset(
    "What Which Who Whom Whose When Where Why How In On At By For From To During The A An Did Does "
    "Do Is Was Were Are If Of With After Before Along Besides According Name Under Between "
    "Approximately About Aside Other I It He She They There As Since Until Upon Through "
    "Into".split()
)
MONTHS: Final = frozenset(
    "January February March April May June July August September October November December Monday "
    "Tuesday Wednesday Thursday Friday Saturday Sunday".split()
)

_PAIRS: Final = """first/last largest/smallest biggest/smallest highest/lowest longest/shortest
oldest/youngest oldest/newest earliest/latest most/least more/less before/after begin/end
beginning/end began/ended start/end started/ended increase/decrease increased/decreased
increases/decreases rise/fall rose/fell win/lose won/lost north/south east/west northern/southern
eastern/western buy/sell bought/sold gain/lose gained/lost accept/reject accepted/rejected
support/oppose supported/opposed allow/forbid allowed/forbade allowed/forbidden join/leave
joined/left opened/closed enter/leave entered/left arrive/depart arrived/departed
major/minor maximum/minimum upper/lower inside/outside above/below male/female men/women
boys/girls father/mother son/daughter husband/wife brother/sister king/queen public/private
urban/rural domestic/foreign internal/external legal/illegal rich/poor strong/weak
stronger/weaker better/worse best/worst good/bad positive/negative advantage/disadvantage
advantages/disadvantages agree/disagree agreed/disagreed approve/disapprove approved/vetoed
succeed/fail succeeded/failed success/failure appear/disappear appeared/disappeared create/destroy
created/destroyed built/demolished construct/demolish constructed/demolished include/exclude
included/excluded import/export imports/exports imported/exported attack/defend attacked/defended
ally/enemy allies/enemies victory/defeat old/new ancient/modern cold/hot warm/cool wet/dry
hard/soft fast/slow faster/slower higher/lower larger/smaller longer/shorter
older/younger wider/narrower heavier/lighter popular/unpopular temporary/permanent
allowed/banned permitted/prohibited born/buried founded/dissolved founder/successor
established/abolished formed/disbanded introduced/withdrawn launched/cancelled published/withdrawn
raised/lowered expanded/reduced hired/fired elected/defeated appointed/dismissed praised/criticized
loved/hated borrowed/lent teacher/student buyer/seller winter/summer
majority/minority exterior/interior income/expenses lend/borrow encourage/discourage
encouraged/discouraged united/divided unite/divide separate/merge separated/merged presence/absence
predecessor/successor preceded/followed survive/perish survived/died """.split()


def _both_ways() -> dict[str, tuple[str, ...]]:
    opposites: dict[str, list[str]] = {}
    for pair in _PAIRS:
        one, other = pair.split("/")
        opposites.setdefault(one, []).append(other)
        opposites.setdefault(other, []).append(one)
    return {word: tuple(others) for word, others in opposites.items()}


ANTONYMS: Final = _both_ways()

ATTRIBUTES: Final = tuple(
    tuple(family.split())
    for family in (
        "population area capital currency climate elevation motto",
        "height weight length width depth diameter",
        "author publisher editor illustrator translator",
        "founder owner chairman treasurer",
        "director producer composer cinematographer screenwriter",
        "cost weight age size",
        "speed range weight cost",
        "temperature pressure density humidity",
        "cause symptom cure",
        "color shape smell taste texture",
        "wife husband father mother sister brother daughter son uncle",
        "architect sculptor sponsor contractor",
        "birthplace nickname religion hobby salary",
        "budget profit debt revenue",
        "religion language cuisine flag anthem",
        "president treasurer spokesman secretary",
        "album single tour documentary",
        "book play opera poem film",
        "river mountain lake island desert",
        "battle treaty siege mutiny",
    )
)
SYMMETRIC: Final = re.compile(
    r"\b(?:and|or|between|both|battle[ds]?|collaborat\w*|meet|met|marry|married|merge[ds]?|border|same|differ\w*|compar\w*|"
    r"similar|versus|vs|share[ds]?|friends?|relat\w*|with|equal|like|near|distance|than|called|"
    r"known|named|game|match|fight|fought|war|war's|separate[sd]?|connect\w*|join\w*)\b",
    re.IGNORECASE,
)

_IRREGULAR: Final = """became/become began/begin beat/beat bought/buy brought/bring built/build
came/come caught/catch chose/choose cut/cut did/do drew/draw drove/drive fell/fall felt/feel
fought/fight found/find gave/give grew/grow had/have held/hold hit/hit kept/keep knew/know led/lead
left/leave lost/lose made/make meant/mean met/meet overthrew/overthrow paid/pay put/put read/read
rode/ride rose/rise said/say saw/see sent/send set/set shot/shoot sold/sell sought/seek spent/spend
spoke/speak stole/steal taught/teach told/tell thought/think took/take understood/understand
went/go won/win wore/wear wrote/write oversaw/oversee underwent/undergo withdrew/withdraw
bore/bear broke/break fed/feed forgave/forgive ran/run sang/sing struck/strike threw/throw
""".split()
PAST: Final = dict(pair.split("/") for pair in _IRREGULAR)
BASE: Final = {base: past for past, base in PAST.items()}


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    """The words of the base model's tokenizer, to tell whether a stem is a verb."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(base_model_folder() / "tokenizer.json"))
    return frozenset(tokenizer.get_vocab())


def base_of(past: str) -> str | None:
    """The verb that a past form is of, if it is one.

    >>> [base_of(word) for word in ["defeated", "created", "wrote", "stopped", "married", "red"]]
    ['defeat', 'create', 'write', 'stop', 'marry', None]
    """
    if past in PAST:
        return PAST[past]
    if not past.endswith("ed") or len(past) < 5:
        return None
    stem = past[:-2]
    if stem.endswith("i"):
        return stem[:-1] + "y"
    verbs = (word for word in (stem + "e", stem, stem[:-1]) if word in _vocabulary())
    return next(verbs, None)


def past_of(base: str) -> str:
    """The past of a verb.

    >>> past_of("defeat"), past_of("write"), past_of("create"), past_of("marry"), past_of("stop")
    ('defeated', 'wrote', 'created', 'married', 'stopped')
    """
    if base in BASE:
        return BASE[base]
    if base.endswith("e"):
        return base + "d"
    if re.search(r"[^aeiou]y$", base):
        return base[:-1] + "ied"
    if re.fullmatch(r"[^aeiou]*[aeiou][bdgmnpt]", base):
        return base + base[-1] + "ed"
    return base + "ed"


@lru_cache(maxsize=200_000)
def content_words(text: str) -> frozenset[str]:
    return frozenset(w for w in _WORD.findall(text.lower()) if w not in STOP)
