"""E-mail: a message (``.eml``) is one document, a mailbox (``.mbox``) one for each message.

The text begins with the lines From, To and Date, as a mail program shows them. Of alternatives, the
body is the plain text if there is any, else the visible text of the HTML; a quotation in a reply
keeps its ``>`` and is a paragraph of its own. Attachments are named, not read. Whatever is broken
in a message is left as it is or left out: no header refuses a message.
"""

from __future__ import annotations

import email
import email.header
import email.message
import email.utils
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.decoding import decode, read_all, refuse_unusable, replace_surrogates
from ragkit.corpus.headings import MAX_HEADING_LENGTH, Heading, is_visible, sections_between
from ragkit.corpus.html import html_tokens
from ragkit.corpus.html_text import add_page
from ragkit.corpus.ids import MESSAGE_DIGITS
from ragkit.corpus.parser import ParsedDocument
from ragkit.corpus.text_builder import TextBuilder
from ragkit.errors import SourceError
from ragkit.types import MetadataValue

__all__ = ["parse", "parse_mailbox"]

_SHOWN = ("From", "To", "Cc", "Date")
# The line before a message has a date as asctime writes it, or an address alone.
_SEPARATOR = re.compile(
    rb"From (?:.*\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} +\d\d? +\d\d?:\d\d|\S+@\S+\s*\Z)"
)
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
_QUOTED = re.compile(r"(?:[ \t]?>)+")
_MAX_MESSAGE = 64 * 2**20
"""Size limit of a message in bytes; a longer one in a mailbox is cut."""

_MAX_DEPTH = 32
"""Parts in parts that are looked into."""

_Message = email.message.Message


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    data = read_all(file, str(path))
    yield _document(data, path)


def parse_mailbox(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document for each message that has any text.

    Its part of the file is named by a digest of the message's id, so that its id stays the same
    while others come and go.
    """
    uses: Counter[str] = Counter()
    refused: SourceError | None = None
    for data in _messages(file):
        try:
            document = _document(data, path)
        except SourceError as error:  # a message without text
            refused = refused or error
            continue
        name = _digest(data)
        uses[name] += 1
        again = f"-{uses[name]}" if uses[name] > 1 else ""
        title = document.title or "Message without a subject"
        yield replace(document, title=title, part=name + again)
    if not uses:
        raise refused or SourceError(f"{path} is empty: it has no message. Leave it out.")


def _messages(file: BinaryIO) -> Iterator[bytes]:
    """Split a mailbox at the lines that begin a message, which follow a blank one."""
    parts: list[bytes] = []
    size = 0
    is_after_blank = True
    for line in iter(lambda: file.readline(_MAX_MESSAGE), b""):
        if is_after_blank and _SEPARATOR.match(line):
            if parts:
                yield b"".join(parts)
            parts, size = [], 0
        elif size < _MAX_MESSAGE:
            parts.append(_ESCAPED.sub(rb"\1", line))
            size += len(line)
        is_after_blank = not line.strip()
    if parts:
        yield b"".join(parts)


def _digest(data: bytes) -> str:
    head = re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0]
    name = _header(email.message_from_bytes(head), "Message-ID")
    return hashlib.sha256(name.encode() or data).hexdigest()[:MESSAGE_DIGITS]


def _document(data: bytes, path: Path) -> ParsedDocument:
    message = email.message_from_bytes(data)
    if not message.keys():
        decode(data, str(path))  # which says what the file is instead
    body, headings, attachments = _content(message, path)
    shown = [(name, _header(message, name)) for name in _SHOWN]
    head = "\n".join(f"{name}: {value}" for name, value in shown if value)
    foot = f"Attachments: {', '.join(attachments)}" if attachments else ""
    start = len(head) + 2 if head else 0
    subject = _header(message, "Subject")
    text = "\n\n".join(part for part in (head, body, foot) if part) or subject
    refuse_unusable(text, str(path))
    return ParsedDocument(
        text,
        sections_between(text, [_moved(one, start) for one in headings]),
        title=subject[:MAX_HEADING_LENGTH] or None,
        metadata=_metadata(message, attachments),
    )


def _metadata(message: _Message, attachments: tuple[str, ...]) -> dict[str, MetadataValue]:
    """``from`` and ``to`` as addresses, ``date`` in ISO 8601 if it is a date, ``attachments``."""
    metadata: dict[str, MetadataValue] = {}
    senders, recipients = _addresses(message, "From"), _addresses(message, "To", "Cc")
    if senders:
        metadata["from"] = senders[0]
    if recipients:
        metadata["to"] = recipients
    with suppress(ValueError, TypeError, OverflowError, IndexError):
        date = email.utils.parsedate_to_datetime(_header(message, "Date"))
        metadata["date"] = date.isoformat()
    if attachments:
        metadata["attachments"] = attachments
    return metadata


def _addresses(message: _Message, *names: str) -> tuple[str, ...]:
    pairs = email.utils.getaddresses([_clean(_raw(message, name)) for name in names])
    return tuple(dict.fromkeys(address for _, address in pairs if address))


def _header(message: _Message, name: str) -> str:
    """Return a header on one line, its encoded words decoded where they can be."""
    value = _raw(message, name)
    with suppress(ValueError, LookupError, email.errors.HeaderParseError):
        value = str(email.header.make_header(email.header.decode_header(value)))
    return _clean(" ".join(value.split()))


def _raw(message: _Message, name: str) -> str:
    """Return a header as it was sent; bytes that no standard allows are UTF-8 or Windows-1252."""
    values = (str(value) for own, value in message.raw_items() if own.lower() == name.lower())
    return _decoded(next(values, "").encode("utf-8", "surrogateescape"), "utf-8")


def _clean(text: str) -> str:
    return replace_surrogates(text).replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")


def _content(message: _Message, path: Path) -> tuple[str, list[Heading], tuple[str, ...]]:
    """Return the text of a message, the headings in it, and the names of its attachments."""
    attachments: list[str] = []
    texts: list[str] = []
    headings: list[Heading] = []
    length = 0
    for is_html, source in _bodies(message, attachments, _MAX_DEPTH):
        builder = TextBuilder()
        if is_html:
            add_page(builder, html_tokens(source, path, xml=False))
        text = builder.text() if is_html else _with_quotations_apart(source).strip("\n")
        if not is_visible(text):
            continue
        start = length + 2 if texts else 0
        texts.append(text)
        headings += [_moved(one, start) for one in builder.headings]
        length = start + len(text)
    return "\n\n".join(texts), headings, tuple(attachments)


def _moved(heading: Heading, by: int) -> Heading:
    return heading._replace(start=heading.start + by, end=heading.end + by)


def _bodies(part: _Message, attachments: list[str], depth: int) -> list[tuple[bool, str]]:
    """What a mail program shows of a part, in order: whether it is HTML, and its source."""
    kind = part.get_content_type()
    name = _file_name(part)
    is_message = kind.startswith("message/")
    if part.is_multipart() and not is_message:
        inner = [one for one in part.get_payload() if isinstance(one, _Message)] if depth else []
        if kind == "multipart/alternative":
            inner = [one for one in inner if _is_shown(one)] or inner
        bodies = [body for one in inner for body in _bodies(one, attachments, depth - 1)]
        plain = [body for body in bodies if not body[0] and is_visible(body[1])]
        return plain if plain and kind == "multipart/alternative" else bodies
    if name or is_message or part.get_content_disposition() == "attachment":
        attachments.append(name or kind)
        return []
    # A multipart without its boundary is text.
    is_text = kind.startswith(("text/", "multipart/"))
    return [(kind == "text/html", _text(part))] if is_text else []


def _is_shown(alternative: _Message) -> bool:
    """Whether it is text, HTML or several parts; a calendar's entry is not."""
    kinds = ("text/plain", "text/html")
    return alternative.is_multipart() or alternative.get_content_type() in kinds


def _file_name(part: _Message) -> str:
    with suppress(ValueError, LookupError, TypeError):
        return " ".join(_clean(part.get_filename() or "").split())
    return ""


def _text(part: _Message) -> str:
    """Decode the text of a part by the encoding that it declares, else as UTF-8 or Windows-1252."""
    payload = part.get_payload(decode=True)
    return _clean(_decoded(payload if isinstance(payload, bytes) else b"", _encoding(part)))


def _decoded(data: bytes, encoding: str) -> str:
    for name in (encoding, "utf-8"):
        with suppress(ValueError, LookupError):
            return data.decode(name)
    return data.decode("cp1252", "replace")


def _encoding(part: _Message) -> str:
    with suppress(ValueError, LookupError):
        return part.get_content_charset() or "utf-8"
    return "utf-8"


def _with_quotations_apart(text: str) -> str:
    """Put a blank line where a quotation begins or ends, so that it is a paragraph of its own."""
    lines: list[str] = []
    before = ""
    for line in text.split("\n"):
        mark = _quotation_mark(line)
        if lines and mark != before and lines[-1].strip() and line.strip():
            is_announced = mark > before and lines[-1].rstrip().endswith(":")
            lines += [] if is_announced else [""]
        lines.append(line.rstrip())
        before = mark
    return "\n".join(lines)


def _quotation_mark(line: str) -> str:
    match = _QUOTED.match(line)
    return re.sub(r"\s", "", match[0]) if match else ""
