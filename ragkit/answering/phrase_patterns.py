"""Questions for a date or a number, and dates and numbers, in some languages other than English."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["PATTERNS_OF", "Asked"]


class Asked(NamedTuple):
    """What is asked for: how questions ask for it, and how a sentence says it."""

    question: re.Pattern[str]
    phrase: re.Pattern[str]


def _asked(question: str, phrase: str) -> Asked:
    return Asked(re.compile(question, re.IGNORECASE), re.compile(phrase, re.IGNORECASE))


def _months(names: str) -> str:
    return rf"(?:{'|'.join(names.split())})\b"


_YEAR = r"(?<!\d)(?:1\d{3}|20\d{2})(?!\d)"
_NO_YEAR = r"(?!(?:[1١]\d{3}|[2٢][0٠]\d{2})(?![\d٫٬]|[.,]\d))"
_NUMBER = rf"(?<![\w.,]){_NO_YEAR}\d(?:(?:[\d.,\u066b\u066c]|[ \u00a0\u202f](?=\d{{3}}))*\d)?"
_DE = _months(
    "Januar Jänner Februar März April Mai Juni Juli August September Oktober November Dezember"
)
_ES = _months(
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
)
_FR = _months(
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
)
_RU = _months(
    "январ[ьяе] феврал[ьяе] марта? марте апрел[ьяе] ма[йяе] июн[ьяе] июл[ьяе] августа? августе "
    "сентябр[ьяе] октябр[ьяе] ноябр[ьяе] декабр[ьяе]"
)
_AR = _months(
    "يناير فبراير مارس أبريل إبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر "
    "آذار نيسان أيار حزيران تموز آب أيلول"
)
_AR_YEAR = r"،? (?:عام )?\d{4}(?!\d)"
_HAN_DIGITS = "一二三四五六七八九十百千万亿億兆两兩〇零"
_HAN_YEAR = r"(?:(?<!\d)\d{3,4}|[一二三四五六七八九〇零]{4})\s?年"
_HAN_DATE = rf"{_HAN_YEAR}(?:\s?\d{{1,2}}\s?月(?:\s?\d{{1,2}}\s?[日号號])?)?"
_HAN_DAY = r"(?<!\d)\d{1,2}\s?月\s?\d{1,2}\s?[日号號]"
_HAN_NUMBER = (
    rf"(?<![\d.,])(?!\d{{3,4}}\s?年)\d(?:[\d,.，．{_HAN_DIGITS}]*[\d{_HAN_DIGITS}])?"
    rf"(?:\s[{_HAN_DIGITS}]+)?[多余餘]?"
)
_HAN_WORD = rf"(?<![{_HAN_DIGITS}])[{_HAN_DIGITS}]++[多余餘]?"
_ZH_UNITS = "[个個本册冊天名人次年元层層座家种種条條位间間件篇倍岁歲里米元吨噸秒分]"


PATTERNS_OF: Final[Mapping[str, tuple[Asked, ...]]] = {
    "de": (
        _asked(
            r"\bwann\b|\bwelche[smn] (?:jahr|monat|tag|datum)",
            rf"(?:\b\d{{1,2}}\. )?\b{_DE}(?: {_YEAR})?|{_YEAR}",
        ),
        _asked(
            r"\bwie ?viele?\b|\bwie (?:hoch|lang|groß)\b|\bwelcher (?:prozentsatz|anteil)",
            rf"{_NUMBER}(?:\s?(?:%|prozent|millionen|million|milliarden|milliarde|tausend))?"
            r"(?:\s(?:jahren?|monaten?|tagen?|wochen?|stunden?|euro|mark|dollar|tonnen|meter)\b)?"
            r"|\b(?:zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf)\b"
            r"(?:\s(?:jahren?|monaten?|tagen?|wochen?|stunden?)\b)?",
        ),
    ),
    "es": (
        _asked(
            r"\bcuándo\b|\bqué (?:año|mes|día|fecha)\b",
            rf"(?:\b\d{{1,2}} de )?\b{_ES}(?: del? {_YEAR})?|{_YEAR}",
        ),
        _asked(
            r"\bcuánt[oa]s?\b|\bqué porcentaje\b",
            rf"{_NUMBER}(?:\s?(?:%|por ciento|millones|millón|mil))?"
            r"|\b(?:dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce)\b",
        ),
    ),
    "fr": (
        _asked(
            r"\bquand\b|\bquel(?:le)? (?:année|mois|jour|date)\b",
            rf"(?:\b\d{{1,2}}(?:er)? )?\b{_FR}(?: {_YEAR})?|{_YEAR}",
        ),
        _asked(
            r"\bcombien\b|\bquel pourcentage\b",
            rf"{_NUMBER}(?:\s?(?:%|pour cent|millions?|milliards?|mille))?"
            r"|\b(?:deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze)\b",
        ),
    ),
    "ru": (
        _asked(
            r"\bкогда\b|\bкако[мй] (?:году?|месяце?|день|дату?)\b|\bкакого числа\b",
            rf"(?:\b\d{{1,2}} )?\b{_RU}(?: {_YEAR}(?: (?:года|году|г\.))?)?"
            rf"|{_YEAR}(?: (?:год[ау]?|г\.))?",
        ),
        _asked(
            r"\bсколько\b|\bкакой процент\b",
            rf"{_NUMBER}(?:\s?(?:%|процент\w*|миллион\w*|миллиард\w*|тысяч\w*|млн|млрд|тыс\.))?"
            r"|\b(?:два|две|двух|три|трёх|трех|четыре|пять|шесть|семь|восемь|девять|десять)\b",
        ),
    ),
    "ar": (
        _asked(
            r"\bمتى\b|\bأي (?:عام|سنة|شهر|يوم|تاريخ)\b",
            # Without a number, the name of a month may be another word: مارس, "practised".
            rf"(?<!\d)\d{{1,2}} {_AR}(?:{_AR_YEAR})?|\b{_AR}{_AR_YEAR}|(?<=شهر ){_AR}"
            r"|(?<!\d)\d{4}(?!\d)",
        ),
        _asked(
            r"\bكم\b|\bما (?:عدد|نسبة)\b",
            rf"{_NUMBER}(?:\s?(?:%|٪|في المائة|بالمائة|مليون|مليار|ألف))?",
        ),
    ),
    "zh": (
        _asked(
            r"什么时候|什麼時候|何时|何時|哪[一個个]?年|哪[一個个]?[天日月]|几[月号]",
            f"{_HAN_DATE}|{_HAN_DAY}",
        ),
        _asked(
            r"多少|几[个個本天位名人次年间座家种層层]",
            rf"{_HAN_NUMBER}(?:\s?(?:[%％]|{_ZH_UNITS}))?"
            rf"|{_HAN_WORD}{_ZH_UNITS}",
        ),
    ),
    "ja": (
        _asked(r"いつ(?!も)|何年(?!間)|何月|何日(?!間)", f"{_HAN_DATE}|{_HAN_DAY}"),
        _asked(
            r"いくつ|いくら|何[人名個本回年日]間?|何(?:キロ|メートル|パーセント)|どれ(?:くらい|ぐらい|だけ)",
            rf"{_HAN_NUMBER}(?:\s?[%％]|キロメートル|メートル|パーセント|ドル|円|人|名|個|本|回|年間|年|日間)?"
            rf"|{_HAN_WORD}(?:円|人|名|個|本|回|年間|日間)",
        ),
    ),
}
"""By language, as codes of ISO 639-1."""
