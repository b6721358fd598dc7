"""Language models behind OpenAI's chat API, which most servers of open models implement too.

API: https://platform.openai.com/docs/api-reference/chat, called through the official client.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ragkit.errors import InputError, LanguageModelError, MissingExtraError
from ragkit.timing import observer

if TYPE_CHECKING:
    from openai import OpenAI, Stream

__all__ = [
    "CANCELLED",
    "Call",
    "ChatModel",
    "LanguageModel",
    "Message",
    "Piece",
    "Usage",
    "reply_of",
]

Message = Mapping[str, str]
"""``{"role": "system" | "user" | "assistant", "content": text}``"""

MAX_CHARACTERS = 20_000
"""A longer reply is cut off, so that it ends even if the server never ends it."""

MAX_BYTES = 16 << 20
"""Most bytes of the response to one call: some hundred bytes a piece, and reasoning."""

CANCELLED: ContextVar[threading.Event | None] = ContextVar("ragkit_cancelled", default=None)
"""An event that cuts off the reply when it is set, for a caller whose own client may disconnect."""

_RETRIED_STATUSES = (408, 409, 425, 429, 500, 502, 503, 504)
"""HTTP statuses after which the same call may succeed."""

_MALFORMED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What the client or this module raises when a stream is not in the expected form."""


class Usage(NamedTuple):
    """Tokens that one call read and wrote, as its server counts them."""

    input_tokens: int
    output_tokens: int


class Piece(NamedTuple):
    """A part of a streamed reply.

    Attributes:
        text: the part's text, possibly empty.
        finish: None but in the last piece, which says why the reply ended: ``stop`` (complete),
            ``length`` (the model's own limit), ``cut`` (broken off, or over a limit here) or
            ``refused``.
        usage: in the last piece, the tokens of the whole call where they are known.

    """

    text: str
    finish: str | None = None
    usage: Usage | None = None


class LanguageModel(Protocol):
    """A language model, as ``ask(…, llm=…)`` takes it."""

    @property
    def name(self) -> str:
        """Name of the model, reported in answers."""
        ...

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:
        """Yield the reply as it is written; the last piece has a ``finish``.

        Raises:
            LanguageModelError: the call failed before any text arrived.

        """
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a language model, for the observer (``ragkit.timing``)."""

    model: LanguageModel
    messages: Sequence[Message]


def reply_of(model: LanguageModel, messages: Sequence[Message]) -> Iterator[Piece]:
    """Call a language model, and let the observer watch if there is one. Raises as ``stream``."""
    pieces = model.stream(messages)
    watcher = observer()
    return pieces if watcher is None else watcher.watch(Call(model, messages), pieces)


class ChatModel:
    """A model behind an OpenAI-compatible endpoint. Any number of threads may share one.

    Example:
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
        """Describe the endpoint; nothing is sent yet.

        Args:
            name: of the model, as its server calls it.
            base_url: of the endpoint, including ``/v1``; None means OpenAI's own.
            api_key: None means the environment variable ``OPENAI_API_KEY``; a local server usually
                needs no key.
            timeout: seconds to connect, to wait for each piece, and for the whole reply.
            retries: how often to repeat a call that failed before any text arrived; the pauses
                between calls grow.
            max_tokens: limit of the reply; None leaves it to the server.
            options: sent with each request (``seed``, ``top_p``, ``extra_body`` …); the
                temperature is 0 by default. ``stream_options={"include_usage": True}`` lets
                servers that can count tokens report them (``Piece.usage``).

        Raises:
            InputError: an argument is not valid.

        """
        _check_settings(name, base_url, timeout, retries, max_tokens)
        self._name = name
        self._base_url = base_url
        self._api_key = api_key
        self._timeout = timeout
        self._retries = retries
        limit = {} if max_tokens is None else {"max_tokens": max_tokens}
        self._request = {"temperature": 0, **limit, **options}

    @property
    def name(self) -> str:
        """Name of the model, as its server calls it."""
        return self._name

    @property
    def base_url(self) -> str | None:
        """Address of the endpoint; None means OpenAI's own."""
        return self._base_url

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:
        """Yield the reply as it is written.

        A reply that breaks off after its first piece, or takes longer than the timeout, ends with
        the finish ``cut``.

        Raises:
            LanguageModelError: all calls failed before any text arrived.

        """
        create = self._client.chat.completions.create  # imports much, so before the clock starts
        deadline = time.monotonic() + self._timeout
        for attempt in range(self._retries + 1):
            has_text = False
            try:
                for piece in self._call(create, messages, deadline):
                    has_text = True
                    yield piece
                return
            except LanguageModelError:
                if has_text:
                    yield Piece("", "cut")
                    return
                if attempt == self._retries or time.monotonic() >= deadline:
                    raise
            except _PermanentError as error:
                raise LanguageModelError(str(error)) from error.__cause__
            time.sleep(min(0.25 * 2**attempt, max(0.0, deadline - time.monotonic())))

    def _call(self, create: Any, messages: Sequence[Message], deadline: float) -> Iterator[Piece]:
        """Make one call. Raises LanguageModelError if a retry may help, else _PermanentError."""
        from openai import APIStatusError, OpenAIError

        try:
            stream = create(model=self._name, messages=list(messages), stream=True, **self._request)
        except APIStatusError as error:
            raise self._failed(error, retry=error.status_code in _RETRIED_STATUSES) from error
        except TypeError as error:
            raise _PermanentError(
                f"the client has no such option ({error}); expected those of OpenAI's chat API."
            ) from error
        except OpenAIError as error:
            raise self._failed(error, retry=True) from error
        except _MALFORMED as error:  # a key or an option that no request can carry
            raise self._failed(error, retry=False) from error
        try:
            with stream:
                bounded = _bounded(stream, deadline)
                yield from _pieces(bounded, deadline, has_usage_last=self._has_usage_last)
        except (OpenAIError, *_MALFORMED) as error:
            raise self._failed(error, retry=True) from error

    def _failed(self, error: Exception, *, retry: bool) -> Exception:
        message = (
            f"the language model {self._name!r} at {self._client.base_url} failed "
            f"({type(error).__name__}: {str(error)[:300]}). Check that it is served there, or ask "
            f"without llm to get the passages alone."
        )
        return LanguageModelError(message) if retry else _PermanentError(message)

    @property
    def _has_usage_last(self) -> bool:
        """Whether the server was asked for a last chunk with the tokens that it counted."""
        options = self._request.get("stream_options")
        return isinstance(options, Mapping) and options.get("include_usage") is True

    @cached_property
    def _client(self) -> OpenAI:
        import os

        try:
            from openai import OpenAI
        except ImportError as error:
            raise MissingExtraError(
                "openai, the client for language models, is not installed. "
                "Run: pip install 'ragkit-cited[llm]'"
            ) from error
        key = self._api_key or os.environ.get("OPENAI_API_KEY") or "none"
        return OpenAI(base_url=self._base_url, api_key=key, timeout=self._timeout, max_retries=0)


class _PermanentError(Exception):
    """The same call would fail again."""


def _check_settings(
    name: object, base_url: str | None, timeout: float, retries: int, max_tokens: int | None
) -> None:
    if not isinstance(name, str) or not name.strip():
        raise InputError("the model's name is blank; expected the name that its server uses.")
    if base_url is not None and not base_url.lower().startswith(("http://", "https://")):
        raise InputError(
            f"base_url is {base_url!r}; expected an address such as 'http://127.0.0.1:8080/v1'."
        )
    if timeout <= 0 or retries < 0 or (max_tokens is not None and max_tokens <= 0):
        raise InputError(
            f"timeout is {timeout}, retries {retries}, max_tokens {max_tokens}; expected "
            f"timeout > 0, retries ≥ 0 and max_tokens > 0 or None."
        )


def _bounded(stream: Any, deadline: float) -> Any:
    """Make the stream raise ValueError if it is too long, even before or between pieces.

    The client itself buffers a line of any length, and skips any number of comments.
    """
    unbounded = stream.response.iter_bytes

    def iter_bytes() -> Iterator[bytes]:
        received = 0
        for data in unbounded():
            received += len(data)
            if received > MAX_BYTES or time.monotonic() > deadline:
                raise ValueError(f"the stream went on for too long ({received:,} bytes)")
            yield data

    stream.response.iter_bytes = iter_bytes
    return stream


def _pieces(stream: Stream[Any], deadline: float, *, has_usage_last: bool) -> Iterator[Piece]:
    """Yield the stream's text; ``cut`` if it ends without a reason for ending.

    Raises ValueError if it ends, or the time is up, before any text.
    """
    length = 0
    for chunk in stream:
        cancelled = CANCELLED.get()
        if cancelled and cancelled.is_set():
            yield Piece("", "cut")
            return
        if time.monotonic() > deadline:
            break
        if not chunk.choices:
            continue  # usage statistics, or a server's extension
        piece = _piece(chunk.choices[0])
        length += len(piece.text)
        if length > MAX_CHARACTERS:
            yield Piece("", "cut")
            return
        if piece.finish:
            usage = _usage(chunk) or (_last_usage(stream, deadline) if has_usage_last else None)
            yield piece._replace(usage=usage)
            return
        if piece.text:
            yield piece
    if not length:
        raise ValueError("the stream ended, or went on for too long, before any text")
    yield Piece("", "cut")


def _last_usage(stream: Stream[Any], deadline: float) -> Usage | None:
    """Return the usage in what is left of a stream whose text is complete."""
    with suppress(Exception):  # the reply is complete, whatever becomes of its statistics
        for chunk in stream:
            usage = _usage(chunk)
            if usage or time.monotonic() > deadline:
                return usage
    return None


def _usage(chunk: Any) -> Usage | None:
    counted = getattr(chunk, "usage", None)
    tokens = [getattr(counted, name, None) for name in ("prompt_tokens", "completion_tokens")]
    if not all(isinstance(number, int) and number >= 0 for number in tokens):
        return None
    return Usage(*tokens)  # type: ignore[arg-type] # checked above


def _piece(choice: Any) -> Piece:
    if getattr(choice.delta, "refusal", None) or choice.finish_reason == "content_filter":
        return Piece("", "refused")
    text = choice.delta.content or ""
    if not isinstance(text, str):
        raise TypeError(f"a piece of the text is a {type(text).__name__}")
    text = text.encode("utf-8", "replace").decode()  # JSON can contain lone surrogates
    if not choice.finish_reason:
        return Piece(text)
    return Piece(text, "length" if choice.finish_reason == "length" else "stop")
