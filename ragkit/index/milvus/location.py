"""The location of an index on a server, as people write it.

milvus://localhost:19530/handbook                    a server; the index called handbook
milvus://ann:secret@localhost/handbook?database=hr   with a login, in another database
milvus+https://:API-KEY@example.org/handbook         over TLS, with a token
milvus:///srv/ragkit/store.db#handbook               a milvus-lite file, opened by this process
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
    """The location of an index.

    Attributes:
        uri: what ``pymilvus`` connects to: an address, or a path that ends with ``.db``.
        name: the name of the index there: a letter, then letters, digits and single underscores,
            at most 100 characters, the last no underscore.
        token: ``user:password`` or a key; never shown.
        database: name of the database; empty for the server's default.

    """

    uri: str
    name: str
    token: str = field(default="", repr=False)
    database: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"the name of the index is {self.name!r}; expected a letter, then letters, digits "
                f"and single underscores, at most 100 characters, the last no underscore."
            )

    @classmethod
    def parse(cls, text: str) -> MilvusLocation:
        """Parse a location. Raises InputError, which does not repeat a password."""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise _malformed("its address or port is malformed") from error
        if parts.scheme not in _SCHEMES:
            raise _malformed(f"its scheme is {text.partition(':')[0]!r}")
        return _parse_file(parts) if not parts.netloc else _parse_server(parts, port or _PORT)

    @property
    def is_file(self) -> bool:
        """Whether milvus-lite opens it in this process."""
        return self.uri.endswith(".db")

    def __str__(self) -> str:
        """Return the location as ``parse`` accepts it, without the login."""
        if self.is_file:
            return f"milvus://{quote(self.uri)}#{self.name}"
        scheme, _, address = self.uri.partition("://")
        database = f"?database={quote(self.database, safe='')}" if self.database else ""
        return f"milvus{'+https' if scheme == 'https' else ''}://{address}/{self.name}{database}"


def _parse_file(parts: SplitResult) -> MilvusLocation:
    path = unquote(parts.path)
    if parts.query or parts.scheme != "milvus":
        raise _malformed("a file takes neither a query nor TLS")
    if not PurePosixPath(path).is_absolute() or not path.endswith(".db") or "\0" in path:
        raise _malformed(f"the path {path!r} is not absolute, or does not end with .db")
    return MilvusLocation(path, parts.fragment)


def _parse_server(parts: SplitResult, port: int) -> MilvusLocation:
    options = parse_qsl(parts.query, keep_blank_values=True)
    if parts.fragment or len(options) > 1 or any(key != "database" for key, _ in options):
        raise _malformed("what follows the name is not ?database=NAME")
    host = parts.hostname or ""
    if not _HOST.fullmatch(host):
        raise _malformed(f"{host!r} is not a host name or address")
    address = f"[{host}]" if ":" in host else host
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MilvusLocation(
        f"{_SCHEMES[parts.scheme]}://{address}:{port}",
        parts.path.removeprefix("/"),
        token=f"{user}:{password}" if user else password,
        database=dict(options).get("database", ""),
    )


def _malformed(problem: str) -> InputError:
    return InputError(f"the location of an index on Milvus is malformed: {problem}; {_EXPECTED}.")
