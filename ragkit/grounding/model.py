"""Language models behind OpenAI's chat API, which most servers of open models speak too.

Source: https://platform.openai.com/docs/api-reference/chat, by the official client.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ragkit.errors import InputError, LanguageModelError, MissingExtraError

if TYPE_CHECKING:
    from openai import OpenAI, Stream

__all__ = ["ABANDONED", "ChatModel", "LanguageModel", "Message", "Piece"]

Message = Mapping[str, str]
"""``{"role": "system" | "user" | "assistant", "content": text}``"""

MAX_CHARACTERS = 20_000
"""An answer that goes on beyond this is cut: no server's word is taken for when to stop."""

MAX_BYTES = 16 << 20
"""What a server may send for that: some hundred bytes a piece, and thoughts that nobody reads."""


ABANDONED: ContextVar[threading.Event | None] = ContextVar("ragkit_abandoned", default=None)
"""Set by who runs a stream for a client that may leave; when the event is, the reply is cut off."""


class Piece(NamedTuple):
    """Some text of a stream; with the last one, why it ended: stop, length, cut or refused."""

    text: str
    finish: str | None = None


class LanguageModel(Protocol):
    """What ``ask(…, llm=…)`` needs of a model."""

    @property
    def name(self) -> str:
        """What to call it in an answer."""
        ...

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:
        """The reply as it is written; the last piece has a ``finish``.

        Raises LanguageModelError where nothing could be had.
        """
        ...


class ChatModel:
    """A model behind an OpenAI-compatible endpoint. Share it freely between threads.

    >>> model = ChatModel("smollm2", base_url="http://127.0.0.1:8080/v1")
    >>> model.name
    'smollm2'
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = 2,
        max_tokens: int | None = 400,
        **options: Any,
    ) -> None:
        """``base_url``: of the endpoint, with its ``/v1``; OpenAI's own if None. ``api_key``: if
        None, the environment's ``OPENAI_API_KEY``; a local server needs none. ``timeout``:
        seconds, for connecting, for each piece, and for the whole reply. ``retries``: how often a
        call that failed before its first word is made again, later each time. ``options``: passed
        on with each request (``seed``, ``top_p``, ``extra_body`` …); the temperature is 0 unless
        given. ``max_tokens``: None leaves it to the server.
        """
        if not isinstance(name, str) or not name.strip():
            raise InputError("the model's name is blank; expected the one its server knows it by.")
        if base_url is not None and not base_url.lower().startswith(("http://", "https://")):
            raise InputError(
                f"base_url is {base_url!r}; expected an address such as 'http://127.0.0.1:8080/v1'."
            )
        if timeout <= 0 or retries < 0 or (max_tokens is not None and max_tokens <= 0):
            raise InputError(
                f"timeout {timeout}, retries {retries}, max_tokens {max_tokens}; expected more "
                f"than 0, 0 or more, and more than 0."
            )
        self._name = name
        self._base_url = base_url
        self._api_key = api_key
        self._timeout = timeout
        self._retries = retries
        limit = {} if max_tokens is None else {"max_tokens": max_tokens}
        self._request = {"temperature": 0, **limit, **options}

    @property
    def name(self) -> str:
        """The name its server knows it by."""
        return self._name

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:
        """The reply as it is written. Raises LanguageModelError if it fails before its first word.

        A reply that breaks off later, or takes longer than the timeout, ends with ``cut``.
        """
        until = time.monotonic() + self._timeout
        for attempt in range(self._retries + 1):
            begun = False
            try:
                for piece in self._pieces(messages, until):
                    begun = True
                    yield piece
                return
            except LanguageModelError:
                if begun:
                    yield Piece("", "cut")
                    return
                if attempt == self._retries or time.monotonic() >= until:
                    raise
            except _HopelessError as error:
                raise LanguageModelError(str(error)) from error.__cause__
            time.sleep(min(0.25 * 2**attempt, max(0.0, until - time.monotonic())))

    def _pieces(self, messages: Sequence[Message], until: float) -> Iterator[Piece]:
        """One attempt."""
        create: Any = self._client.chat.completions.create
        from openai import APIStatusError, OpenAIError

        try:
            stream = create(model=self._name, messages=list(messages), stream=True, **self._request)
        except APIStatusError as error:
            raise self._failed(error, retry=error.status_code in _PASSING) from error
        except TypeError as error:
            raise _HopelessError(
                f"the client takes no such option ({error}); expected those of OpenAI's chat API."
            ) from error
        except OpenAIError as error:
            raise self._failed(error, retry=True) from error
        except _MALFORMED as error:  # a key or an option that no request can carry
            raise self._failed(error, retry=False) from error
        try:
            with stream:
                yield from _read(_bounded(stream, until), until)
        except (OpenAIError, *_MALFORMED) as error:
            raise self._failed(error, retry=True) from error

    def _failed(self, error: Exception, *, retry: bool) -> Exception:
        message = (
            f"the language model {self._name!r} at {self._client.base_url} failed "
            f"({type(error).__name__}: {str(error)[:300]}). Check that it is served there, or ask "
            f"without llm: the passages need none."
        )
        return LanguageModelError(message) if retry else _HopelessError(message)

    @cached_property
    def _client(self) -> OpenAI:
        import os

        try:
            from openai import OpenAI
        except ImportError as error:
            raise MissingExtraError(
                "openai is not installed; a language model is called through it. "
                "Run: pip install 'ragkit-cited[llm]'"
            ) from error
        key = self._api_key or os.environ.get("OPENAI_API_KEY") or "none"
        return OpenAI(base_url=self._base_url, api_key=key, timeout=self._timeout, max_retries=0)


_PASSING = (408, 409, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same call may succeed."""


_MALFORMED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What the client, or whoever reads what it gives, meets in a stream of another form."""


class _HopelessError(Exception):
    """The same call would fail again."""


def _bounded(stream: Any, until: float) -> Any:
    """The stream, which ends in a ValueError where it goes on too long before, or between, pieces.

    The client gathers a line until it ends, and passes over remarks for as long as they come.
    """
    whole = stream.response.iter_bytes

    def iter_bytes() -> Iterator[bytes]:
        taken = 0
        for data in whole():
            taken += len(data)
            if taken > MAX_BYTES or time.monotonic() > until:
                raise ValueError(f"the stream went on for too long ({taken:,} bytes)")
            yield data

    stream.response.iter_bytes = iter_bytes
    return stream


def _read(stream: Stream[Any], until: float) -> Iterator[Piece]:
    """The stream's text; ``cut`` if it ends without saying that it has ended.

    Raises ValueError if there was nothing at all in it.
    """
    length = 0
    for chunk in stream:
        left = ABANDONED.get()
        if time.monotonic() > until or (left and left.is_set()):
            yield Piece("", "cut")
            return
        if not chunk.choices:
            continue  # usage, or a server's own remark
        choice = chunk.choices[0]
        if getattr(choice.delta, "refusal", None) or choice.finish_reason == "content_filter":
            yield Piece("", "refused")
            return
        text = choice.delta.content or ""
        if not isinstance(text, str):
            raise TypeError(f"a piece of the text is a {type(text).__name__}")
        text = text.encode("utf-8", "replace").decode()  # JSON can spell lone surrogates
        length += len(text)
        if length > MAX_CHARACTERS:
            yield Piece("", "cut")
            return
        if choice.finish_reason:
            yield Piece(text, "length" if choice.finish_reason == "length" else "stop")
            return
        if text:
            yield Piece(text)
    if not length:
        raise ValueError("the stream ended before its first word")
    yield Piece("", "cut")
