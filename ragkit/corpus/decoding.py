"""Reads a file whole and decodes its bytes to text, or says why it cannot."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ragkit.commands import arguments, beside, command
from ragkit.corpus.headings import is_visible
from ragkit.errors import SourceError

__all__ = [
    "decode",
    "decode_html",
    "read_all",
    "refuse_surrogates",
    "refuse_unusable",
    "replace_surrogates",
]

_MAX_BYTES = 64 * 2**20
"""Size limit of a file that is one document, since chunking takes up to 85 times its size."""

# The encodings of https://encoding.spec.whatwg.org/#names-and-labels by Python's names. Python has
# others, such as UTF-7 and unicode_escape, which must not be applied to a web page.
_WEB_ENCODINGS = frozenset(
    "utf-8 cp866 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-10 "
    "iso8859-13 iso8859-14 iso8859-15 iso8859-16 koi8-r koi8-u mac-roman mac-cyrillic cp874 cp1250 "
    "cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 gb18030 big5hkscs euc_jp iso2022_jp "
    "cp932 cp949".split()
)
# Declared encoding → the one that browsers decode instead, from the same standard.
_DECODED_AS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874",
    "tis-620": "cp874", "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs",
    "shift_jis": "cp932", "euc_kr": "cp949", "utf-16": "utf-8", "utf-16-le": "utf-8",
    "utf-16-be": "utf-8",
}  # fmt: skip
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"),
                     (codecs.BOM_UTF16_BE, "utf-16-be"))  # fmt: skip
# Those of UTF-32 first, since that of UTF-16 LE is the beginning of one.
_UNICODE_MARKS = ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
                  *_BYTE_ORDER_MARKS)  # fmt: skip
_PRESCAN_BYTES = 1024
"""How far browsers look for a declaration: https://html.spec.whatwg.org/#prescan-a-byte-stream…"""
_DECLARATION = re.compile(
    rb"""<meta\s[^<>]*?charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml\s[^<>]*?encoding\s*=\s*["']([\w.:-]+)""",
    re.IGNORECASE,
)


def read_all(file: BinaryIO, name: str) -> bytes:
    """Read a file that is one document.

    Raises:
        SourceError: the file has more than 64 MiB.

    """
    data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise SourceError(
            f"{name} has more than {_MAX_BYTES // 2**20} MiB, all of it one document; expected "
            f"less. Split it into several files; text by "
            f"{command('split -C 32m --additional-suffix=.txt', Path(name), Path(f'{name}-'))}."
        )
    return data


def decode(data: bytes, name: str) -> str:
    """Decode UTF-8, or what a byte order mark says, exactly: the mark and line ends stay.

    Args:
        data: all bytes of the file.
        name: what an error calls the file.

    Raises:
        SourceError: the bytes are not in that encoding, or the text is empty or binary.

    """
    encoding = next((e for mark, e in _UNICODE_MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{name} is {_kind(data, encoding)} (byte {data[error.start]:#04x} at offset "
            f"{error.start}); expected UTF-8 text. {_advice(data, name)}"
        ) from error
    if encoding == "utf-8" and b"\0" in data:
        raise SourceError(
            f"{name} is binary data (a NUL at offset {data.index(0)}); expected UTF-8 text. "
            f"{_advice(data, name)}"
        )
    refuse_unusable(text, name)
    return text


def _kind(data: bytes, encoding: str) -> str:
    if encoding != "utf-8":
        return f"not {encoding.upper()}, as its byte order mark says,"
    return "binary data" if b"\0" in data else "not UTF-8"


def _advice(data: bytes, name: str) -> str:
    """How to convert a file: into another one, since a shell empties that which it writes to."""
    file = Path(name)
    converted = beside(file, "-utf-8", suffix=file.suffix)
    iconv = f"iconv -f {_likely_encoding(data)} -t utf-8 {arguments(file)} >"
    return f"If it is text, convert it, e.g.: {command(iconv, converted)}"


def _likely_encoding(data: bytes) -> str:
    if b"\0" in data:
        return "utf-16be" if data[:1] == b"\0" else "utf-16le"
    with suppress(UnicodeDecodeError):
        data.decode("cp1252")
        return "cp1252"
    return "latin1"


def decode_html(data: bytes, name: str) -> str:
    """Decode a web page by its byte order mark, else its declaration, else as UTF-8.

    Args:
        data: all bytes of the page.
        name: what an error calls the page.

    Returns:
        The text without a byte order mark.

    Raises:
        SourceError: the bytes are not in that encoding, or the text is empty or binary.

    """
    encoding, start = _html_encoding(data, name)
    try:
        text = data[start:].decode(encoding)
    except UnicodeDecodeError as error:
        offset = start + error.start
        raise SourceError(
            f"{name} is not {encoding} (byte {data[offset]:#04x} at offset {offset}), the encoding "
            f"that it declares, or the default. Convert it to UTF-8, and declare "
            f'<meta charset="utf-8">.'
        ) from error
    refuse_unusable(text, name)
    return text


def _html_encoding(data: bytes, name: str) -> tuple[str, int]:
    """Return the encoding of a page, and the length of its byte order mark."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return encoding, len(mark)
    declaration = _DECLARATION.search(data, 0, _PRESCAN_BYTES)
    if declaration is None:
        return "utf-8", 0
    label = (declaration[1] or declaration[2]).decode("ascii", "replace")
    try:
        encoding = codecs.lookup(label).name
    except LookupError:
        encoding = label
    encoding = _DECODED_AS.get(encoding, encoding)
    if encoding not in _WEB_ENCODINGS:
        raise SourceError(
            f"{name} declares the encoding {label!r}, which is not allowed in web pages. Convert "
            f'it to UTF-8, and declare <meta charset="utf-8">.'
        )
    return encoding, 0


def refuse_unusable(text: str, name: str) -> None:
    """Check that a text is visible, not binary, and valid Unicode.

    Raises:
        SourceError: it is not; the message calls the text ``name``.

    """
    if not is_visible(text):
        raise SourceError(
            f"{name} is empty: it has no text. Add text, or leave it out of the sources."
        )
    if "\0" in text:
        raise SourceError(
            f"{name} is binary data (a NUL at offset {text.index(chr(0))}); expected text. Save it "
            f"as text, or leave it out of the sources."
        )
    refuse_surrogates(text, name)


def refuse_surrogates(text: str, name: str) -> None:
    """Check that a text can be encoded as Unicode.

    Raises:
        SourceError: it has a lone surrogate; the message calls the text ``name``.

    """
    surrogate = re.search("[\ud800-\udfff]", text)
    if surrogate:
        raise SourceError(
            f"{name} has a lone surrogate U+{ord(surrogate[0]):04X} at offset "
            f"{surrogate.start()}, which is not a character; expected valid Unicode text."
        )


def replace_surrogates(text: str) -> str:
    """Join pairs of surrogates and replace lone ones by U+FFFD, so that the text can be encoded."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
