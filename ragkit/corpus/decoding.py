"""A file → bytes → text, or the reason why not."""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO

from ragkit.corpus.headings import is_visible
from ragkit.errors import SourceError

__all__ = [
    "decode",
    "decode_html",
    "read_whole",
    "refuse_surrogates",
    "refuse_unusable",
    "without_surrogates",
]

# https://encoding.spec.whatwg.org/#names-and-labels by Python's names: no page is read as anything
# else, such as UTF-7 or unicode_escape, which Python would decode too.
_WEB_ENCODINGS = frozenset(
    "utf-8 cp866 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-10 "
    "iso8859-13 iso8859-14 iso8859-15 iso8859-16 koi8-r koi8-u mac-roman mac-cyrillic cp874 cp1250 "
    "cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 gb18030 big5hkscs euc_jp iso2022_jp "
    "cp932 cp949".split()
)
# What the label says is not always what pages mean by it: the same standard's table.
_MEANT = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874",
    "tis-620": "cp874", "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs",
    "shift_jis": "cp932", "euc_kr": "cp949", "utf-16": "utf-8", "utf-16-le": "utf-8",
    "utf-16-be": "utf-8",
}  # fmt: skip
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"),
          (codecs.BOM_UTF16_BE, "utf-16-be"))  # fmt: skip
# Only so far does a browser look for it: https://html.spec.whatwg.org/#prescan-a-byte-stream…
_PRESCANNED = 1024
_DECLARED = re.compile(
    rb"""<meta\s[^<>]*?charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml\s[^<>]*?encoding\s*=\s*["']([\w.:-]+)""",
    re.IGNORECASE,
)


_LARGEST = 64 * 2**20
"""Bytes of a file that is one document. To cut it into chunks takes up to 85 times as many."""


def read_whole(file: BinaryIO, name: str) -> bytes:
    """All of a file. Raises SourceError for one that is too large to be one document."""
    data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise SourceError(
            f"{name} has more than {_LARGEST // 2**20} MiB, all of it one document; expected less. "
            f"Split it into several files (text by: split -C 32m --additional-suffix=.txt IN OUT-)."
        )
    return data


def decode(data: bytes, name: str) -> str:
    """UTF-8 and nothing else: line ends, a byte order mark and unnormalised accents stay."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        kind = "binary data" if b"\0" in data else "not UTF-8"
        raise SourceError(
            f"{name} is {kind} (byte {data[error.start]:#04x} at offset {error.start}); expected "
            f"UTF-8 text. Convert it, e.g.: iconv -f latin1 -t utf-8 IN > OUT"
        ) from error
    refuse_unusable(text, name)
    return text


def decode_html(data: bytes, name: str) -> str:
    """By byte order mark, else by what the page declares, else UTF-8; the mark is left out."""
    encoding, start = _html_encoding(data, name)
    try:
        text = data[start:].decode(encoding)
    except UnicodeDecodeError as error:
        at = start + error.start
        raise SourceError(
            f"{name} is not {encoding} (byte {data[at]:#04x} at offset {at}), which is what it "
            f'declares, or the default. Convert it to UTF-8, and declare <meta charset="utf-8">.'
        ) from error
    refuse_unusable(text, name)
    return text


def _html_encoding(data: bytes, name: str) -> tuple[str, int]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding, len(mark)
    declared = _DECLARED.search(data, 0, _PRESCANNED)
    if declared is None:
        return "utf-8", 0
    label = (declared[1] or declared[2]).decode("ascii", "replace")
    try:
        encoding = codecs.lookup(label).name
    except LookupError:
        encoding = label
    encoding = _MEANT.get(encoding, encoding)
    if encoding not in _WEB_ENCODINGS:
        raise SourceError(
            f"{name} declares the encoding {label!r}, which no page may have. Convert it to UTF-8, "
            f'and declare <meta charset="utf-8">.'
        )
    return encoding, 0


def refuse_unusable(text: str, name: str) -> None:
    """Raises SourceError for a text that is empty, binary, or not valid Unicode."""
    if not is_visible(text):
        raise SourceError(f"{name} is empty: it holds no text. Give it text, or leave it out.")
    if "\0" in text:
        raise SourceError(
            f"{name} is binary data (a NUL at offset {text.index(chr(0))}); expected UTF-8 text."
        )
    refuse_surrogates(text, name)


def refuse_surrogates(text: str, name: str) -> None:
    """Raises SourceError for a text that no encoding of Unicode can write."""
    surrogate = re.search("[\ud800-\udfff]", text)
    if surrogate:
        raise SourceError(
            f"{name} holds a lone surrogate U+{ord(surrogate[0]):04X} at offset "
            f"{surrogate.start()}, which is no character; expected valid Unicode text."
        )


def without_surrogates(text: str) -> str:
    """Pairs of surrogates joined, lone ones as U+FFFD, which every encoder takes."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
