"""The span and metrics of one call of a language model."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from opentelemetry.trace import Span, SpanKind, Tracer, use_span
from opentelemetry.util.types import AttributeValue

from ragkit.grounding import Call, ChatModel, LanguageModel, Piece, Usage
from ragkit.telemetry import conventions as names
from ragkit.telemetry.conventions import Instruments, mark_failed

__all__ = ["WatchedCall"]

_OPERATION = "chat"
_OPENAI = "https://api.openai.com/v1"  # the client's default
_PORTS = {"http": 80, "https": 443}
_FINISH_REASONS = {"refused": "content_filter"}  # the others have OpenAI's names already


class WatchedCall:
    """One call while it is in progress."""

    def __init__(
        self, tracer: Tracer, instruments: Instruments, call: Call, captures: bool
    ) -> None:
        """Begin the span."""
        self._instruments = instruments
        self._call = call
        self._texts: list[str] | None = [] if captures else None
        self._began = time.perf_counter()
        self._has_begun_to_reply = False
        self._labels: dict[str, AttributeValue] = {
            names.OPERATION_NAME: _OPERATION,
            names.REQUEST_MODEL: call.model.name,
            **_provider(call.model),
        }
        self._span = tracer.start_span(
            f"{_OPERATION} {call.model.name}",
            kind=SpanKind.CLIENT,
            attributes={**self._labels, names.REQUEST_STREAM: True},
        )
        if captures:
            messages = [_message(one["role"], one["content"]) for one in call.messages]
            self._span.set_attribute(names.INPUT_MESSAGES, json.dumps(messages))

    def step(self) -> AbstractContextManager[Span]:
        """Make the span current."""
        return use_span(self._span, record_exception=False, set_status_on_exception=False)

    def add(self, item: object) -> None:
        """Take a piece of the reply."""
        if not isinstance(item, Piece):
            return
        if not self._has_begun_to_reply:
            self._has_begun_to_reply = True
            self._span.set_attribute(names.FIRST_CHUNK, time.perf_counter() - self._began)
        if self._texts is not None:
            self._texts.append(item.text)
        if item.finish:
            self._add_finish(_FINISH_REASONS.get(item.finish, item.finish))
        if item.usage:
            self._add_usage(item.usage)

    def end(self, error: BaseException | None) -> None:
        """End the span, and record the duration."""
        labels = dict(self._labels)
        if error is not None and not isinstance(error, GeneratorExit):
            labels[names.ERROR_TYPE] = mark_failed(self._span, error)
        self._span.end()
        self._instruments.calls.record(time.perf_counter() - self._began, labels)

    def _add_finish(self, reason: str) -> None:
        self._span.set_attribute(names.FINISH_REASONS, [reason])
        if self._texts is not None:
            reply = {**_message("assistant", "".join(self._texts)), "finish_reason": reason}
            self._span.set_attribute(names.OUTPUT_MESSAGES, json.dumps([reply]))

    def _add_usage(self, usage: Usage) -> None:
        self._span.set_attribute(names.INPUT_TOKENS, usage.input_tokens)
        self._span.set_attribute(names.OUTPUT_TOKENS, usage.output_tokens)
        self._instruments.input_tokens.add(usage.input_tokens, self._labels)
        self._instruments.output_tokens.add(usage.output_tokens, self._labels)


def _provider(model: LanguageModel) -> dict[str, AttributeValue]:
    """Return whose API a model has, and where its server is. One that is no ChatModel is local."""
    if not isinstance(model, ChatModel):
        return {names.PROVIDER: type(model).__qualname__}
    attributes: dict[str, AttributeValue] = {names.PROVIDER: "openai"}
    try:
        url = urlsplit(model.base_url or _OPENAI)
        host, port = url.hostname, url.port or _PORTS.get(url.scheme.lower())
    except ValueError:
        return attributes  # the call itself says what is wrong with the address
    if host and port:
        attributes |= {names.SERVER_ADDRESS: host, names.SERVER_PORT: port}
    return attributes


def _message(role: str, text: str) -> dict[str, object]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}
