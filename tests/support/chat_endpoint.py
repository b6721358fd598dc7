"""An OpenAI-compatible endpoint on loopback that does what a test tells it: a real HTTP server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from support.listening import handled

__all__ = ["Endpoint", "Reply", "endpoint"]


@dataclass
class Reply:
    """One reply. ``status`` other than 200 has no stream; ``finish`` None leaves it without an end.

    ``usage`` is sent in a chunk of its own, to who asks for it, as OpenAI's does.
    """

    text: str = ""
    finish: str | None = "stop"
    status: int = 200
    piece: int = 4
    pause: float = 0.0
    refusal: str | None = None
    raw: bytes | None = None
    reset: bool = False
    usage: dict[str, int] | None = None


@dataclass
class Endpoint:
    """What it was asked, and how it is to reply: one after the other, the last for ever."""

    url: str = ""
    replies: list[Reply] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def next(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


_COMMON = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m"}


def _chunk(delta: dict[str, Any], finish: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _data({**_COMMON, "choices": [choice]})


def _data(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


def _handler(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            endpoint.requests.append(json.loads(body))
            endpoint.headers.append(dict(self.headers))
            reply = endpoint.next()
            if reply.reset:
                return  # the connection is closed without a word
            self.send_response(reply.status)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            options = endpoint.requests[-1].get("stream_options") or {}
            usage = reply.usage if options.get("include_usage") else None
            try:
                for part in self._parts(reply, usage):
                    self.wfile.write(part)
                    self.wfile.flush()
                    time.sleep(reply.pause)
            except OSError:
                pass  # the client has gone

        @staticmethod
        def _parts(reply: Reply, usage: dict[str, int] | None) -> Iterator[bytes]:
            if reply.status != 200:
                yield b'{"error": {"message": "no"}}'
                return
            if reply.raw is not None:
                yield reply.raw
                return
            yield _chunk({"role": "assistant", "content": ""}, None)
            if reply.refusal:
                yield _chunk({"refusal": reply.refusal}, None)
            for start in range(0, len(reply.text), reply.piece):
                yield _chunk({"content": reply.text[start : start + reply.piece]}, None)
            if reply.finish:
                yield _chunk({}, reply.finish)
                if usage:
                    yield _data({**_COMMON, "choices": [], "usage": usage})
                yield b"data: [DONE]\n\n"

    return Handler


@contextmanager
def endpoint(replies: Sequence[Reply | str]) -> Iterator[Endpoint]:
    """Serve until the block ends."""
    told = Endpoint(replies=[r if isinstance(r, Reply) else Reply(r) for r in replies])
    with handled(_handler(told)) as origin:
        told.url = f"{origin}/v1"
        yield told
