"""The server as a process, and clients that are slow, many, broken or malicious."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterable, Iterator
from typing import TypeVar

import pytest

from benchmarks.torture.corpora import QUESTIONS
from benchmarks.torture.server import (
    BODIES,
    DOCUMENT,
    FINE,
    GOOD,
    MALFORMED,
    MARK,
    SERVE_MCP,
    SLOW,
    TOKEN,
    Reply,
    Server,
    connected,
    cut_off,
    exchanged,
    question,
    request,
    serving,
)
from ragkit import Index

LATE = 20.0
"""Seconds by which a disconnection may be late on a busy machine."""

HASTY = f"""
import logging
import ragkit.serving.process as process
import ragkit.serving.server as server
from ragkit.serving import Settings
logging.basicConfig(level=logging.INFO)
process.TIMEOUT_MARGIN = 1
server.run(None, Settings(timeout=2, origins=("{GOOD}",)), port=0)
"""
SMALL = f"""
import logging
import ragkit.serving.process as process
import ragkit.serving.server as server
from ragkit.serving import Settings
logging.basicConfig(level=logging.INFO)
process.MAX_CONNECTIONS = 20
server.run(None, Settings(waiting=1, token="{TOKEN}", origins=("{GOOD}",)), port=0)
"""
CARRIED = f"Authorization: Bearer {TOKEN}"
STREAMED = "Accept: text/event-stream"
T = TypeVar("T")


@pytest.fixture(scope="module")
def hasty() -> Iterator[Server]:
    """A server that disconnects clients after 2 s, plus one second of grace."""
    with serving([], command=("-c", HASTY)) as server:
        yield server


@pytest.fixture(scope="module")
def small() -> Iterator[Server]:
    """A server with a token, 20 connections at most, and one question at a time."""
    with serving([], command=("-c", SMALL)) as server:
        yield server


@pytest.fixture(scope="module")
def mcp() -> Iterator[Server]:
    with serving([], command=SERVE_MCP, token=TOKEN) as server:
        yield server


@pytest.fixture(scope="module")
def right(german_soviet: Index) -> str:
    return german_soviet.ask(QUESTIONS[0]).text


def all_of(jobs: Iterable[Awaitable[T]]) -> list[T]:
    """Run the jobs concurrently."""

    async def run() -> list[T]:
        return await asyncio.gather(*jobs)

    return asyncio.run(run())


def send(server: Server, *sent: bytes, rest: float = 0) -> Reply:
    return asyncio.run(exchanged(server.port, *sent, rest=rest))


def answer(server: Server, *more: str) -> str:
    """Ask a question, again after 503 and 504, and return the text of the answer."""
    until = time.monotonic() + LATE
    while (reply := send(server, question(QUESTIONS[0], *more))).status in (503, 504):
        assert time.monotonic() < until, "the server never answered"
        time.sleep(0.01)
    assert reply.status == 200
    text: str = json.loads(reply.body)["text"]
    return text


def leaking_lines(server: Server) -> list[str]:
    """Return the log lines that hold user input or a traceback; a request's id may be the user's."""
    words = (MARK, QUESTIONS[0], "Traceback")
    lines = [line.replace(f'"id": "{MARK}"', "") for line in server.log]
    return [line for line in lines if any(word in line for word in words)]


# Slow clients and many clients.


def test_slow_clients_are_disconnected_while_others_are_answered(hasty: Server, right: str) -> None:
    async def run() -> tuple[list[float | None], str]:
        slow = [cut_off(hasty.port, *SLOW[name], 3 + LATE) for name in SLOW]
        waiting = asyncio.gather(*slow)
        await asyncio.sleep(1)
        honest = await asyncio.to_thread(answer, hasty)
        return await waiting, honest

    seconds, honest = asyncio.run(run())
    assert [name for name, took in zip(SLOW, seconds, strict=True) if took is None] == []
    assert honest == right


def test_a_client_that_never_reads_the_answer_is_disconnected(hasty: Server) -> None:
    async def run() -> bool:
        before, until = hasty.handles, time.monotonic() + 3 + LATE
        async with connected(hasty.port) as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(f"GET {DOCUMENT} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 500)
            await asyncio.sleep(1)
            held = hasty.handles > before
            while hasty.handles > before and time.monotonic() < until:
                await asyncio.sleep(0.1)
            return held and hasty.handles <= before

    assert asyncio.run(run())


def test_a_full_server_disconnects_the_client_that_has_waited_longest(
    small: Server, right: str
) -> None:
    async def run() -> list[Reply]:
        held = [await asyncio.open_connection("127.0.0.1", small.port) for _ in range(50)]
        replies = [await exchanged(small.port, question(QUESTIONS[0], CARRIED)) for _ in range(5)]
        async with asyncio.timeout(LATE):
            for reader, _ in held[:25]:
                assert await reader.read() == b""
        for _, writer in held:
            writer.transport.abort()
        return replies

    assert [json.loads(reply.body)["text"] for reply in asyncio.run(run())] == [right] * 5


def test_the_connection_limit_fits_the_limit_of_file_handles() -> None:
    code = (
        "import resource, sys\n"
        "from ragkit.serving.connections import connection_limit\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, int(sys.argv[1])))\n"
        "print(connection_limit(300), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    for hard, says in (("256", "156 256"), ("512", "300 512")):
        done = subprocess.run(
            [sys.executable, "-c", code, hard], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == says


# Bodies and request lines.


def test_an_invalid_body_is_refused_with_the_right_status(hasty: Server, right: str) -> None:
    # One after the other: together, the large ones take a slow processor longer than the 2 s.
    replies = [
        reply for _, sent in BODIES.values() for reply in all_of([exchanged(hasty.port, *sent)])
    ]
    assert {
        name: reply
        for (name, (allowed, _)), reply in zip(BODIES.items(), replies, strict=True)
        if reply.status not in allowed
    } == {}
    assert answer(hasty) == right


def test_malformed_http_is_refused_and_other_clients_are_answered(
    hasty: Server, right: str
) -> None:
    replies = all_of(exchanged(hasty.port, sent) for sent in MALFORMED.values())
    assert {
        name: reply
        for name, reply in zip(MALFORMED, replies, strict=True)
        if reply.status not in (0, 501) and not (200 if name in FINE else 400) <= reply.status < 500
    } == {}
    assert answer(hasty) == right
    assert leaking_lines(hasty) == []


def test_a_request_with_two_framings_ends_its_connection(hasty: Server) -> None:
    for name in ("a request smuggled behind a length", "a request smuggled behind chunks"):
        [sent] = BODIES[name][1]
        reply = send(hasty, sent, rest=LATE)
        assert reply.status == 422
        assert reply.rest == b""


def test_pipelined_requests_are_answered_in_order(hasty: Server) -> None:
    asked = [b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"] * 99
    reply = send(hasty, b"".join([*asked, request("GET", "/v1/models")]), rest=LATE)
    assert reply.rest.count(b"HTTP/1.1 200") == 99
    assert reply.rest.endswith(b'"owned_by":"ragkit"}]}')


# Access.


@pytest.mark.parametrize(
    "path",
    "/v1/ask/ //v1/ask /static/../v1/ask /static/%2e%2e/v1/ask /embed/../v1/ask /v1/ask;a /v1/%61sk "
    "/healthz/../v1/ask http://localhost/v1/ask /STATIC/../v1/ask /static/..%2fv1/ask".split(),
)
def test_no_spelling_of_a_path_avoids_the_token(small: Server, path: str) -> None:
    for method, content in (("GET", None), ("POST", {"question": QUESTIONS[0]})):
        reply = send(small, request(method, path, content))
        assert reply.status in (401, 404, 405)
        assert b"passages" not in reply.body


def test_the_first_of_two_tokens_counts(small: Server) -> None:
    wrong = "Authorization: Bearer wrong"
    assert send(small, request("GET", DOCUMENT, more=[wrong, CARRIED])).status == 401
    assert send(small, request("GET", DOCUMENT, more=[CARRIED, wrong])).status == 200


@pytest.mark.parametrize("port", [":@evil.example", ":80:80", ":a", ":80@evil.example", ":-1"])
def test_a_host_with_an_invalid_port_is_refused(hasty: Server, port: str) -> None:
    asked = {"question": QUESTIONS[0]}
    for path in ("/v1/ask", "/v1/ask/"):  # the second is sent on to an address made of the host
        reply = send(hasty, request("POST", path, asked, host=f"localhost{port}"))
        assert reply.status == 400
        assert b"\nlocation" not in reply.head


@pytest.mark.parametrize(
    "origin", ["null", f"{GOOD}.evil.example", f"{GOOD}:443", GOOD.upper(), ""]
)
def test_an_origin_that_resembles_an_allowed_one_is_refused(hasty: Server, origin: str) -> None:
    asks = [f"Origin: {origin}", "Access-Control-Request-Method: POST"]
    for method in ("GET", "OPTIONS"):
        reply = send(hasty, request(method, "/v1/models", more=asks))
        assert b"access-control-allow-origin" not in reply.head


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "%0d%0a", "\r", "\x85"])
def test_line_breaks_in_input_add_no_header(hasty: Server, line_break: str) -> None:
    made_up = f"{MARK}{line_break}X-Made-Up:1{line_break}{line_break}<p>"
    preflight = [f"Origin: {GOOD}", "Access-Control-Request-Method: POST"]
    for sent in (
        request("GET", f"/v1/ask/{made_up}"),
        request("POST", "/v1/ask/", {}, host=f"localhost:{made_up}"),
        request("OPTIONS", "/", more=[*preflight, f"Access-Control-Request-Headers: {made_up}"]),
        question(QUESTIONS[0], f"X-Request-Id: {made_up}"),
    ):
        reply = send(hasty, sent)
        assert b"\nx-made-up" not in reply.head.lower()
        assert b"\n<p>" not in reply.head


# Clients that leave.


def test_a_stream_whose_client_leaves_frees_its_place(small: Server, right: str) -> None:
    async def leave(wanted: int) -> None:
        async with connected(small.port) as (reader, writer):
            writer.write(question(QUESTIONS[0], CARRIED, STREAMED, k=50, explain=True))
            await reader.read(wanted)

    for wanted in (1, 200, 5000, 60_000) * 5:
        asyncio.run(leave(wanted))
    assert answer(small, CARRIED) == right
    assert leaking_lines(small) == []


def test_concurrent_streams_are_complete_or_refused(small: Server) -> None:
    sent = question(QUESTIONS[0], CARRIED, STREAMED)
    for _ in range(10):
        for reply in all_of(exchanged(small.port, sent) for _ in range(8)):
            assert reply.status in (200, 503)
            ends = (b"event: answer", b"ServiceUnavailableError")
            assert any(end in reply.body for end in ends)
    assert leaking_lines(small) == []


def test_a_client_that_leaves_in_mid_body_is_logged_with_status_499(hasty: Server) -> None:
    async def leave() -> None:
        async with connected(hasty.port) as (_, writer):
            writer.write(question(f"{MARK} " * 50)[:-9])
            await writer.drain()
            await asyncio.sleep(0.1)

    asyncio.run(leave())
    until = time.monotonic() + LATE
    while not any('"status": 499' in line for line in hasty.log):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert leaking_lines(hasty) == []


# MCP.


def call(host: str = "localhost") -> bytes:
    params = {"name": "ask", "arguments": {"question": QUESTIONS[0]}}
    content = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    more = ["Accept: application/json", CARRIED]
    return request("POST", "/mcp", content, host=host, more=more)


def test_mcp_holds_no_stream_open(mcp: Server) -> None:
    for method in ("GET", "DELETE"):
        reply = send(
            mcp, request(method, "/mcp", more=[STREAMED, CARRIED, f"Last-Event-Id: {MARK}"])
        )
        assert reply.status == 405
        assert b"allow: POST" in reply.head
        assert send(mcp, request(method, "/mcp", more=[STREAMED])).status == 401


def test_mcp_refuses_long_bodies_and_survives_unfinished_ones(mcp: Server, right: str) -> None:
    long = request("POST", "/mcp", raw=b" " * 300_000, more=[CARRIED])
    assert send(mcp, long).status == 413

    async def leave() -> None:
        async with connected(mcp.port) as (_, writer):
            writer.write(call()[:-9])
            await writer.drain()
            await asyncio.sleep(0.1)

    asyncio.run(leave())
    reply = send(mcp, call())
    assert json.loads(reply.body)["result"]["structuredContent"]["text"] == right
    assert leaking_lines(mcp) == []


def test_mcp_logs_no_forged_host_or_origin(mcp: Server) -> None:
    assert send(mcp, call(f"{MARK}.example")).status == 421
    forged = call().replace(b"Accept:", f"Origin: https://{MARK}.example\r\nAccept:".encode())
    assert send(mcp, forged).status == 403
    assert send(mcp, call()).status == 200
    assert leaking_lines(mcp) == []
