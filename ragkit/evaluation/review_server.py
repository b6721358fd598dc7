"""The page of ``ragkit eval review``: a server for this machine alone, without dependencies.

It listens on loopback only, answers only requests for a name of this machine, and takes JSON only,
so that no other site in the same browser can read or decide anything.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ragkit.errors import InputError
from ragkit.evaluation.review import Decision, Review

__all__ = ["ReviewServer", "listen"]

_HOST = "127.0.0.1"
_PAGE = Path(__file__).parent / "review_page"
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/review.js": ("review.js", "text/javascript; charset=utf-8"),
    "/review.css": ("review.css", "text/css; charset=utf-8"),
}
_MAX_BODY = 1 << 16
_LENGTH = re.compile(r"[0-9]{1,18}")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class ReviewServer:
    """A server that is running.

    Attributes:
        url: address of the page.

    """

    def __init__(self, server: ThreadingHTTPServer, thread: threading.Thread) -> None:
        self.url = f"http://{_HOST}:{server.server_address[1]}/"
        self._thread = thread

    def wait(self) -> None:
        """Wait until Ctrl+C."""
        try:
            self._thread.join()
        except KeyboardInterrupt:
            return


@contextmanager
def listen(review: Review, port: int) -> Iterator[ReviewServer]:
    """Serve the review until the block ends.

    Raises:
        InputError: the port cannot be listened on.

    """
    try:
        server = ThreadingHTTPServer((_HOST, port), _handler(review))
    except (OSError, OverflowError) as error:
        raise InputError(
            f"port {port} cannot be listened on: {error}. Choose another: --port 0"
        ) from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield ReviewServer(server, thread)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(review: Review) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 30

        def log_message(self, *_: object) -> None:
            """Log nothing: the terminal shows the address alone."""

        def do_GET(self) -> None:
            if not self._is_local():
                self._send_json(403, {"error": "only this machine may read the review"})
            elif self.path == "/items":
                self._send_json(200, {"items": review.items(), "counts": review.counts})
            elif self.path in _FILES:
                name, kind = _FILES[self.path]
                self._send(200, (_PAGE / name).read_bytes(), kind)
            else:
                self._send_json(404, {"error": "there is no such page"})

        def do_POST(self) -> None:
            length = self.headers.get("content-length") or "0"
            if not self._is_local() or self.headers.get("content-type") != "application/json":
                self._send_json(403, {"error": "only the page itself may decide"})
            elif not _LENGTH.fullmatch(length):
                self._send_json(400, {"error": "the Content-Length is not a number of bytes"})
            elif self.path != "/decisions" or not 0 < int(length) <= _MAX_BODY:
                self._send_json(404, {"error": "there is no such page"})
            else:
                self._decide(self.rfile.read(int(length)))

        def _decide(self, body: bytes) -> None:
            try:
                review.decide(Decision.from_dict(json.loads(body)))
            except (InputError, ValueError, RecursionError) as error:
                self._send_json(400, {"error": str(error)})
            else:
                self._send_json(200, {"counts": review.counts})

        def _is_local(self) -> bool:
            """Return whether the request names this machine, and comes from no other site."""
            name, _, port = self.headers.get("host", "").partition(":")
            origin = self.headers.get("origin")
            return name in (_HOST, "localhost") and origin in (None, f"http://{name}:{port}")

        def _send_json(self, status: int, content: Any) -> None:
            data = json.dumps(content, ensure_ascii=False).encode()
            self._send(status, data, "application/json")

        def _send(self, status: int, data: bytes, kind: str) -> None:
            self.send_response(status)
            for name, value in {**_HEADERS, "Content-Type": kind}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
