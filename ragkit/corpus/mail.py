"""E-mail: a message (``.eml``) is one document, a mailbox (``.mbox``) one for each message.

The text begins with the lines From, To and Date, as a mail program shows them. The body is the
plain text if there is any, else the visible text of the HTML; a quotation in a reply keeps its
``>`` and is a paragraph of its own. Attachments are named, not read. Whatever is broken in a
message is left as it is or left out: no header refuses a message.
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
from pathlib import Path
from typing import BinaryIO

from ragkit.corpus.decoding import decode, read_all, refuse_unusable, replace_surrogates
from ragkit.corpus.headings import MAX_HEADING_LENGTH, Heading, is_visible, sections_between
from ragkit.corpus.html import html_tokens
from ragkit.corpus.html_text import add_page
from ragkit.corpus.ids import slug, valid_unicode
from ragkit.corpus.parser import ParsedDocument
from ragkit.corpus.text_builder import TextBuilder
from ragkit.errors import SourceError
from ragkit.types import MetadataValue

__all__ = ["parse", "parse_mailbox"]

_SHOWN = ("From", "To", "Cc", "Date")
# The line before a message; "From here on" in a text has neither a time nor an address alone.
_SEPARATOR = re.compile(rb"From (?:.*\d\d?:\d\d|\S+@\S+\s*\Z)")
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
_QUOTED = re.compile(r"(?:[ \t]?>)+")
_MAX_MESSAGE = 64 * 2**20
"""Size limit of a message in bytes; a longer one in a mailbox is cut."""

_MAX_DEPTH = 32
"""Parts in parts that are looked into."""

_DIGITS = 12

_Message = email.message.Message


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    data = read_all(file, str(path))
    yield _document(data, path)


def parse_mailbox(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document for each message that has any text.

    Its id is the mailbox's name and a digest of the message's id, so that it stays the same while
    others come and go.
    """
    uses: Counter[str] = Counter()
    for data in _messages(file):
        with suppress(SourceError):  # a message without text
            document = _document(data, path)
            name = _id_of(data, path)
            uses[name] += 1
            again = f"-{uses[name]}" if uses[name] > 1 else ""
            yield _named(document, name + again)
    if not uses:
        raise SourceError(f"{path} is empty: no message in it has text. Leave it out.")


def _named(document: ParsedDocument, name: str) -> ParsedDocument:
    return ParsedDocument(
        document.text,
        document.sections,
        title=document.title or "Message without a subject",
        id=name,
        metadata=document.metadata,
    )


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


def _id_of(data: bytes, path: Path) -> str:
    head = re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0]
    name = _header(email.message_from_bytes(head), "Message-ID")
    key = f"{path.parent.name}\n{name}".encode() if name else data
    stem = slug(valid_unicode(path.stem)) or "mailbox"
    return f"{stem}-{hashlib.sha256(key).hexdigest()[:_DIGITS]}"


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
    moved = [one._replace(start=one.start + start, end=one.end + start) for one in headings]
    return ParsedDocument(
        text,
        sections_between(text, moved),
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
    pairs = email.utils.getaddresses([_header(message, name) for name in names])
    return tuple(dict.fromkeys(address for _, address in pairs if address))


def _header(message: _Message, name: str) -> str:
    """Return a header on one line, its encoded words decoded where they can be."""
    try:
        raw = message.get(name)
    except (ValueError, LookupError):
        return ""
    value = "" if raw is None else str(raw)
    with suppress(ValueError, LookupError, email.errors.HeaderParseError):
        value = str(email.header.make_header(email.header.decode_header(raw or "")))
    return _clean(" ".join(value.split()))


def _clean(text: str) -> str:
    return replace_surrogates(text).replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")


def _content(message: _Message, path: Path) -> tuple[str, list[Heading], tuple[str, ...]]:
    """Return the text of a message, the headings in it, and the names of its attachments."""
    plain: list[str] = []
    html: list[str] = []
    attachments: list[str] = []
    _collect(message, plain, html, attachments, _MAX_DEPTH)
    body = _with_quotations_apart("\n\n".join(plain))
    if is_visible(body) or not html:
        return body.strip("\n"), [], tuple(attachments)
    builder = TextBuilder()
    for page in html:
        add_page(builder, html_tokens(page, path, xml=False))
    return builder.text(), builder.headings, tuple(attachments)


def _collect(
    part: _Message, plain: list[str], html: list[str], attachments: list[str], depth: int
) -> None:
    kind = part.get_content_type()
    name = _file_name(part)
    is_message = kind.startswith("message/")
    if part.is_multipart() and not is_message:
        for inner in part.get_payload() if depth else []:
            if isinstance(inner, email.message.Message):
                _collect(inner, plain, html, attachments, depth - 1)
    elif name or is_message or part.get_content_disposition() == "attachment":
        attachments.append(name or kind)
    elif kind == "text/html":
        html.append(_text(part))
    elif kind.startswith(("text/", "multipart/")):  # one without its boundary is text
        plain.append(_text(part))


def _file_name(part: _Message) -> str:
    with suppress(ValueError, LookupError, TypeError):
        return " ".join(_clean(part.get_filename() or "").split())
    return ""


def _text(part: _Message) -> str:
    """Decode the text of a part by the encoding that it declares, else as UTF-8 or Windows-1252."""
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    for encoding in (_encoding(part), "utf-8"):
        with suppress(ValueError, LookupError):
            return _clean(data.decode(encoding))
    return _clean(data.decode("cp1252", "replace"))


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
