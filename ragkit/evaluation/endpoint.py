"""A chatbot at a URL: OpenAI's chat completions, or any JSON whose parts are named by paths."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from ragkit.errors import InputError, LanguageModelError
from ragkit.evaluation.chatbots import Reply

__all__ = ["ChatEndpoint", "ReplyPaths", "short_address", "values_at"]

MAX_BYTES = 16 << 20
"""Most bytes of a reply."""
_CHAT_COMPLETIONS = "/chat/completions"
_OPENAI_TEXT = "choices.0.message.content"
_QUESTION = "{question}"
_RETRIED_STATUSES = (429, 502, 503, 504)
_NO_URL_HAS = re.compile(r"[\x00-\x20\x7f]")
_PAUSES = (1.0, 4.0)  # seconds before each repeated call


@dataclass(frozen=True, slots=True)
class ReplyPaths:
    """Where the parts of a reply are in its JSON.

    A path has the names and numbers that lead to a value, separated by dots; ``*`` stands for each
    item of a list: ``passages.*.citation.quote``.

    Attributes:
        text: path of the text of the answer; None for that of OpenAI's chat completions.
        citations: path of the quotations or passage ids that it cites, best first; None if it has
            none.
        answered: path of true or false: whether it answered; None if it does not say.
        confidence: path of its confidence, 0–1; None if it does not say.

    """

    text: str | None = None
    citations: str | None = None
    answered: str | None = None
    confidence: str | None = None


class ChatEndpoint:
    """A chatbot behind a URL, to call with a question. Calls do not share a conversation."""

    def __init__(
        self,
        url: str,
        *,
        model: str = "default",
        paths: ReplyPaths | None = None,
        body: Any = None,
        token: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        """Describe the endpoint; nothing is sent yet.

        Args:
            url: base URL of OpenAI's chat API, including ``/v1``; with ``paths.text``, the address
                that is called.
            model: name of the model, for OpenAI's chat API.
            paths: where the parts of a reply are.
            body: JSON of the request, in whose strings ``{question}`` is replaced; None for
                OpenAI's or, with ``paths.text``, ``{"question": "{question}"}``.
            token: sent as ``Authorization: Bearer``; None sends none.
            timeout: seconds to wait for a connection and for each part of the reply.

        Raises:
            InputError: the URL is not of HTTP or has a password, or the body has no
                ``{question}``.

        """
        self._paths = paths or ReplyPaths()
        self._body = _default_body(model, self._paths) if body is None else body
        parts = _http_parts(url)
        if _QUESTION not in json.dumps(self._body):
            raise InputError(
                f"the body of the request has no {_QUESTION}; expected it in a string."
            )
        is_base = self._paths.text is None and not parts.path.endswith(_CHAT_COMPLETIONS)
        called = parts.path.rstrip("/") + _CHAT_COMPLETIONS if is_base else parts.path
        self.url = urlunsplit(parts._replace(path=called))
        self._token = token
        self._timeout = timeout

    def __call__(self, question: str) -> Reply:
        """Ask one question.

        Raises:
            LanguageModelError: the endpoint cannot be reached, or refuses the call.
            InputError: the reply has no text where ``paths`` says.

        """
        content = self._post(_with_question(self._body, question))
        paths = self._paths
        text_path = paths.text or _OPENAI_TEXT
        text = _one(content, text_path, str)
        if text is None:
            raise InputError(
                f"the reply of {short_address(self.url)} has no text at {text_path!r}; it is "
                f"{json.dumps(content, ensure_ascii=False)[:300]}. Pass the path of the text."
            )
        return Reply(
            text=text,
            citations=tuple(v for v in _all(content, paths.citations) if isinstance(v, str)),
            answered=_one(content, paths.answered, bool),
            confidence=_one(content, paths.confidence, (int, float)),
        )

    def _post(self, body: Any) -> Any:
        for pause in _PAUSES:
            try:
                return self._call(body)
            except _BusyError:
                time.sleep(pause)
        return self._call(body)

    def _call(self, body: Any) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.url, data, headers, method="POST")  # noqa: S310
        try:
            with _OPENER.open(request, timeout=self._timeout) as response:
                content = response.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES:,} bytes")
            return json.loads(content)
        except urllib.error.HTTPError as error:
            text = error.read(300).decode("utf-8", "replace")
            kind = _BusyError if error.code in _RETRIED_STATUSES else LanguageModelError
            raise kind(self._failure(f"HTTP {error.code}: {text}")) from error
        except (OSError, HTTPException) as error:
            raise LanguageModelError(self._failure(f"{type(error).__name__}: {error}")) from error
        except (ValueError, RecursionError) as error:
            raise LanguageModelError(self._failure(f"its reply is not JSON: {error}")) from error

    def _failure(self, cause: str) -> str:
        return (
            f"the chatbot at {short_address(self.url)} failed ({cause}). Check that it is "
            f"served there, and the token in RAGKIT_ENDPOINT_TOKEN if it needs one."
        )


class _BusyError(LanguageModelError):
    """The same call may succeed later."""


class _WithoutRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the token would be sent on to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_WithoutRedirects)


def short_address(url: str) -> str:
    """Return the scheme, host and path of a URL: what may be shown, since its query may be secret.

    >>> short_address("https://me:word@bot.example:8443/v1?key=secret")
    'https://bot.example:8443/v1'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _http_parts(url: str) -> SplitResult:
    """Return the parts of an address of HTTP. Raises InputError if it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is no number
    except ValueError:
        # Neither the address nor the cause is shown, since both may have parts of a password.
        raise InputError(
            "the endpoint is no URL; expected an http:// or https:// address."
        ) from None
    shown = short_address(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or _NO_URL_HAS.search(url):
        raise InputError(f"the endpoint is {shown!r}; expected an http:// or https:// address.")
    if "@" in parts.netloc:
        raise InputError(
            f"the address of the endpoint {shown} has a user name or password; expected none. "
            f"A token is taken from RAGKIT_ENDPOINT_TOKEN."
        )
    return parts


def values_at(content: Any, path: str) -> Iterator[Any]:
    """Yield the values at a path of JSON; none where it leads nowhere.

    >>> list(values_at({"a": [{"b": 1}, {"b": 2}, {}]}, "a.*.b"))
    [1, 2]
    """
    name, _, rest = path.partition(".")
    for value in _children(content, name):
        if rest:
            yield from values_at(value, rest)
        else:
            yield value


def _children(content: Any, name: str) -> list[Any]:
    if isinstance(content, Mapping):
        return [content[name]] if name in content else []
    if not isinstance(content, list):
        return []
    if name == "*":
        return content
    return content[int(name) : int(name) + 1] if name.isdecimal() else []


def _all(content: Any, path: str | None) -> Iterator[Any]:
    return iter(()) if path is None else values_at(content, path)


def _one(content: Any, path: str | None, kind: Any) -> Any:
    """Return the first value of a kind at a path; None if there is none."""
    return next((value for value in _all(content, path) if isinstance(value, kind)), None)


def _default_body(model: str, paths: ReplyPaths) -> Any:
    if paths.text is not None:
        return {"question": _QUESTION}
    return {"model": model, "messages": [{"role": "user", "content": _QUESTION}]}


def _with_question(body: Any, question: str) -> Any:
    """Return the body with the question in place of ``{question}`` in its strings."""
    match body:
        case str():
            return body.replace(_QUESTION, question)
        case list():
            return [_with_question(item, question) for item in body]
        case dict():
            return {name: _with_question(value, question) for name, value in body.items()}
        case _:
            return body
