"""Where on which server an index lies, as people write it.

milvus://localhost:19530/handbook                    a server; the index called handbook
milvus://ann:secret@localhost/handbook?database=hr   with a login, in another database
milvus+https://:API-KEY@example.org/handbook         by TLS, with a token
milvus:///srv/ragkit/store.db#handbook               a milvus-lite file, in this process
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from ragkit.errors import InputError

__all__ = ["MilvusLocation"]

_PORT = 19530
_SCHEMES = {"milvus": "http", "milvus+https": "https"}
_NAME = re.compile(r"(?!.*__)[A-Za-z][A-Za-z0-9_]{0,99}(?<!_)")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_EXPECTED = (
    "expected milvus://[USER:PASSWORD@]HOST[:PORT]/NAME[?database=NAME], milvus+https://…, or "
    "milvus:///ABSOLUTE/PATH.db#NAME"
)


@dataclass(frozen=True, slots=True)
class MilvusLocation:
    """``uri``: what ``pymilvus`` connects to: an address, or a path that ends with ``.db``.

    ``name``: of the index there: a letter, then letters, digits and single underscores, at most
    100, the last no underscore. ``token``: ``user:password`` or a key, never shown. ``database``:
    the server's default if empty.
    """

    uri: str
    name: str
    token: str = field(default="", repr=False)
    database: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"the index is called {self.name!r}; expected a letter, then letters, digits and "
                f"single underscores, 100 at most, not ending with an underscore."
            )

    @staticmethod
    def is_meant(text: str) -> bool:
        """Whether a text is to be read as such a location, and not as a path."""
        scheme, colon, _ = text.partition(":")
        return colon == ":" and scheme.lower() in _SCHEMES

    @classmethod
    def parse(cls, text: str) -> MilvusLocation:
        """What ``text`` says. Raises InputError, in which a password is not repeated."""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise _malformed("it", "has no port or address that can be read") from error
        if parts.scheme not in _SCHEMES:
            raise _malformed(f"{text.partition(':')[0]!r}", "is no scheme of one")
        return _file(parts) if not parts.netloc else _server(parts, port or _PORT)

    @property
    def is_file(self) -> bool:
        """Whether milvus-lite opens it in this process."""
        return self.uri.endswith(".db")

    def __str__(self) -> str:
        """As ``parse`` reads it, without the login."""
        if self.is_file:
            return f"milvus://{quote(self.uri)}#{self.name}"
        scheme, _, address = self.uri.partition("://")
        database = f"?database={quote(self.database, safe='')}" if self.database else ""
        return f"milvus{'+https' if scheme == 'https' else ''}://{address}/{self.name}{database}"


def _file(parts: SplitResult) -> MilvusLocation:
    path = unquote(parts.path)
    if parts.query or parts.scheme != "milvus":
        raise _malformed("a file", "has neither a query nor TLS")
    if not PurePosixPath(path).is_absolute() or not path.endswith(".db") or "\0" in path:
        raise _malformed(f"the path {path!r}", "is not absolute, or does not end with .db")
    return MilvusLocation(path, parts.fragment)


def _server(parts: SplitResult, port: int) -> MilvusLocation:
    options = parse_qsl(parts.query, keep_blank_values=True)
    if parts.fragment or len(options) > 1 or any(key != "database" for key, _ in options):
        raise _malformed("what follows the name", "is no ?database=NAME")
    host = parts.hostname or ""
    if not _HOST.fullmatch(host):
        raise _malformed(f"the host {host!r}", "is none")
    address = f"[{host}]" if ":" in host else host
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MilvusLocation(
        f"{_SCHEMES[parts.scheme]}://{address}:{port}",
        parts.path.removeprefix("/"),
        token=f"{user}:{password}" if user else password,
        database=dict(options).get("database", ""),
    )


def _malformed(subject: str, wrong: str) -> InputError:
    return InputError(
        f"a location of an index on Milvus cannot be read: {subject} {wrong}; {_EXPECTED}."
    )
