"""``ragkit serve`` and ``ragkit mcp`` as processes, called by clients that mean harm."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import ragkit
from benchmarks.serving import figures, load
from benchmarks.torture.corpora import QUESTIONS, SEED_INDEX
from benchmarks.torture.rows import Row, Tally
from ragkit.evaluation import load_questions
from ragkit.serving.connections import connection_limit

TITLE = "The server"
ABOUT = """\
A real server on loopback, called through bare sockets. These are wrong: an honest client that gets
another answer than the library's, or none within 20 s; a client that is never cut off; an error
500; document text for a client without the token; a header or a second answer that the client
forged; memory or handles that grow; in the log, a traceback, a client's input or text of the
corpus. The load is as many questions as 64 clients can get answered; they share the processor with
the server."""

ROOT = Path(__file__).parents[2]
MARK = "Zaphod"
"""In all that callers type here; the log must not have it."""

TOKEN = "-".join(("open", MARK))
GOOD = "https://good.example"
ALLOWED = 20.0
"""Seconds in which an honest asker must be answered, and the last a cut-off may be late."""

TIMEOUT = 3.0  # what the tortured servers are told
TELLING = 5.0  # what they add before they cut off
GROWTH = 64  # MiB that a server may grow by
SERVE = ("-m", "ragkit", "serve", "--port", "0")
SERVE_MCP = ("-m", "ragkit", "mcp", "--http", "--port", "0")
DOCUMENT = "/v1/documents/germany-soviet-union-relations-1918-1941"

ONE_PLACE = f"""
import logging
logging.basicConfig(level=logging.INFO)
from ragkit.serving import Settings
from ragkit.serving.server import run
run(None, Settings(waiting=1, timeout={TIMEOUT}), port=0)
"""


def run(effort: float) -> Iterator[Row]:
    connection_limit(4000)
    logs: list[str] = []
    truth = {question: ragkit.ask(question).text for question in QUESTIONS}
    rows: Sequence[Callable[[float, Mapping[str, str], list[str]], Coroutine[Any, Any, Tally]]] = (
        _slow, _many, _bodies, _malformed, _injected, _bypassed, _cancelled, _random, _mcp,
    )  # fmt: skip
    for row in rows:
        yield asyncio.run(row(effort, truth, logs)).row()
    yield asyncio.run(_held(effort, logs)).row()
    yield _told(logs).row()


# A server, and one exchange with it.


@dataclass(slots=True)
class Server:
    """A process that serves, and all it logs."""

    process: subprocess.Popen[str]
    port: int = 0
    log: list[str] = field(default_factory=list)
    started: threading.Event = field(default_factory=threading.Event)

    @property
    def memory(self) -> int:
        """Resident, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) // 1024

    @property
    def handles(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208 - as many as there are

    def read(self) -> None:
        for line in cast("IO[str]", self.process.stderr):
            self.log.append(line)
            if found := re.search(r"(?:listening on|MCP at) http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                self.started.set()


@contextmanager
def serving(
    logs: list[str], *arguments: str, token: str | None = None, command: Sequence[str] = SERVE,
) -> Iterator[Server]:  # fmt: skip
    """A server of the seed's index; its log joins ``logs`` when it has ended."""
    process = subprocess.Popen(
        [sys.executable, *command, *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True, env={**os.environ, **({"RAGKIT_TOKEN": token} if token else {})},
    )  # fmt: skip
    server = Server(process)
    reader = threading.Thread(target=server.read)
    reader.start()
    try:
        if not server.started.wait(60):
            raise RuntimeError("the server did not start: " + "".join(server.log))
        yield server
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            server.log.append("Traceback: it did not stop\n")
        reader.join(30)
        logs += server.log


class Reply(NamedTuple):
    """What came back; ``status`` is 0 where the server hung up without a word, -1 for nothing."""

    status: int
    head: bytes = b""
    body: bytes = b""
    rest: bytes = b""


CLOSED, SILENT = Reply(0), Reply(-1)


@dataclass(slots=True)
class Line:
    """A bare connection: what arrived on it is read even after sending has failed."""

    sock: socket.socket
    got: bytes = b""

    async def send(self, *parts: bytes) -> None:
        with suppress(ConnectionError):  # it may have answered before it closed
            for part in parts:
                await asyncio.get_running_loop().sock_sendall(self.sock, part)

    async def answer(self, *, is_head: bool = False) -> Reply:
        """The next answer, whole."""
        head = await self._until(b"\r\n\r\n")
        status = int(head.split(None, 2)[1])
        if status == 100:
            return await self.answer()
        length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
        if is_head or status in (204, 304):
            return Reply(status, head)
        if length:
            return Reply(status, head, await self._exactly(int(length[1])))
        if b"chunked" in head.lower():
            return Reply(status, head, await self._until(b"0\r\n\r\n"))
        return Reply(status, head, await self.rest())

    async def rest(self) -> bytes:
        """All until the server hangs up."""
        with suppress(ConnectionError):
            while await self._more():
                pass
        return self.got

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self.got:
            if not await self._more():
                raise EOFError
        return await self._exactly(self.got.index(mark) + len(mark))

    async def _exactly(self, length: int) -> bytes:
        while len(self.got) < length:
            if not await self._more():
                raise EOFError
        taken, self.got = self.got[:length], self.got[length:]
        return taken

    async def _more(self) -> bool:
        found = await asyncio.get_running_loop().sock_recv(self.sock, 2**18)
        self.got += found
        return bool(found)


async def exchanged(port: int, *sent: bytes, seconds: float = ALLOWED, rest: float = 0) -> Reply:
    """One answer to what is sent; with ``rest``, also what comes so many seconds behind it."""
    with socket.socket() as sock:
        sock.setblocking(False)
        line = Line(sock)
        try:
            async with asyncio.timeout(seconds):
                await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
                await line.send(*sent)
                reply = await line.answer(is_head=sent[0].startswith(b"HEAD "))
        except TimeoutError:
            return SILENT
        except (ConnectionError, EOFError):
            return CLOSED
        with suppress(TimeoutError):
            async with asyncio.timeout(rest):
                await line.rest()
        return reply._replace(rest=line.got)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def request(
    method: str, path: str, content: Any = None, *, raw: bytes | None = None,
    host: str = "localhost", more: Sequence[str] = (),
) -> bytes:  # fmt: skip
    """A whole request after which the server hangs up; ``content`` as JSON, or ``raw`` as it is."""
    body = raw if raw is not None else b"" if content is None else json.dumps(content).encode()
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *more]
    if body or method == "POST":
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def question(text: str, *more: str, **options: Any) -> bytes:
    return request("POST", "/v1/ask", {"question": text, **options}, more=more)


@dataclass(slots=True)
class Honest:
    """Askers who do nothing wrong, and how they fare."""

    port: int
    truth: Mapping[str, str]
    tally: Tally
    more: tuple[str, ...] = ()
    seconds: list[float] = field(default_factory=list)

    async def ask(self, text: str) -> None:
        begun = time.perf_counter()
        reply = await exchanged(self.port, question(text, *self.more))
        self.seconds.append(time.perf_counter() - begun)
        right = reply.status == 200 and json.loads(reply.body)["text"] == self.truth[text]
        self.tally.saw("honest answers" if right else f"honest askers told {reply.status}")
        self.tally.check(right, f"{text} was answered {reply.status}: {reply.body[:200]!r}")

    async def keep_asking(self, until: asyncio.Event) -> None:
        for text in cycle(self.truth):
            await self.ask(text)
            if until.is_set():
                return

    def figures(self) -> None:
        cuts = statistics.quantiles([*self.seconds, *self.seconds], n=100)
        self.tally.outcomes["honest p50 ms"] = round(cuts[49] * 1000)
        self.tally.outcomes["honest p99 ms"] = round(cuts[98] * 1000)


async def flat(server: Server, tally: Tally, memory: int, handles: int) -> None:
    """Wait until what was opened is closed again, and compare."""
    until = time.monotonic() + TIMEOUT + TELLING + ALLOWED
    while server.handles > handles + 3 and time.monotonic() < until:
        await asyncio.sleep(0.2)
    tally.check(server.handles <= handles + 3, f"handles: {handles} before, {server.handles} after")
    tally.check(server.memory <= memory + GROWTH, f"MiB: {memory} before, {server.memory} after")
    tally.outcomes["handles before"] = handles
    tally.outcomes["handles after"] = server.handles
    tally.outcomes["MiB before"] = memory
    tally.outcomes["MiB after"] = server.memory


def _some(every: Sequence[bytes], part: float) -> list[bytes]:
    return random.Random(4).sample(every, min(len(every), int(len(every) * part)))


async def in_turns(jobs: Iterator[Awaitable[None]], at_once: int) -> None:
    """All of them, so many at a time."""

    async def work() -> None:
        for job in jobs:
            await job

    await asyncio.gather(*(work() for _ in range(at_once)))


# Slow clients.

_BEGUN = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
_BODY = b"POST /v1/ask HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
_LONG = b"Content-Length: 100000\r\n\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"

SLOW: Mapping[str, tuple[bytes, bytes]] = {
    "silent": (b"", b""),
    "one byte of the first line a second": (b"G", b"E"),
    "one byte of a header a second": (_BEGUN + b"X-Slow: ", b"a"),
    "one header a second": (_BEGUN, b"X-Slow: a\r\n"),
    "headers that never end": (_BEGUN, b""),
    "slow after an answer": (_BEGUN + b"\r\n" + _BEGUN, b"X-Slow: a\r\n"),
    "a body that never comes": (_BODY % b"localhost" + _LONG, b""),
    "a body of one byte a second": (_BODY % b"localhost" + _LONG, b" "),
    "a chunk a second": (_BODY % b"localhost" + _CHUNKED, b"1\r\n \r\n"),
    "a body that trickles after the refusal": (_BODY % b"elsewhere" + _LONG, b" "),
    "chunks that trickle after the refusal": (_BODY % b"elsewhere" + _CHUNKED, b"1\r\n \r\n"),
}
"""What is sent at once, and then each second."""


async def cut_off(port: int, first: bytes, drip: bytes, limit: float) -> float | None:
    """After how many seconds the server hung up; None if it did not."""
    begun = time.monotonic()
    async with connected(port) as (reader, writer):
        dripping = asyncio.create_task(_drip(writer, first, drip))
        try:
            async with asyncio.timeout(limit):
                while await reader.read(2**16):
                    pass
        except TimeoutError:
            return None
        except ConnectionError:
            pass
        finally:
            dripping.cancel()
    return time.monotonic() - begun


async def _drip(writer: asyncio.StreamWriter, first: bytes, drip: bytes) -> None:
    writer.write(first)
    while drip:
        await asyncio.sleep(1)
        writer.write(drip)


async def _slow(effort: float, truth: Mapping[str, str], logs: list[str]) -> Tally:
    tally = Tally("slow clients, hundreds at once")
    limit = TIMEOUT + TELLING + ALLOWED
    took: list[float] = []

    async def slow(name: str) -> None:
        seconds = await cut_off(server.port, *SLOW[name], limit)
        tally.saw("never cut off" if seconds is None else "cut off")
        tally.check(seconds is not None, f"{name}: still held after {limit:g} s")
        took.append(limit if seconds is None else seconds)

    async def unread() -> None:
        """Asks for a document again and again and takes none of it."""
        async with connected(server.port) as (reader, writer):
            cast("asyncio.ReadTransport", writer.transport).pause_reading()
            writer.write(f"GET {DOCUMENT} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 200)
            tally.saw("took no answer")
            await done.wait()
            del reader

    with serving(logs, "--timeout", f"{TIMEOUT:g}") as server:
        honest = Honest(server.port, truth, tally)
        for text in truth:
            await honest.ask(text)
        memory, handles = server.memory, server.handles
        done = asyncio.Event()
        asking = [asyncio.create_task(honest.keep_asking(done)) for _ in range(2)]
        hogs = [asyncio.create_task(unread()) for _ in range(max(2, int(20 * effort)))]
        await asyncio.gather(*(slow(name) for name in list(SLOW) * max(2, int(40 * effort))))
        await flat(server, tally, memory, handles + 2)  # while the hogs still wait
        done.set()
        await asyncio.gather(*asking, *hogs)
    honest.figures()
    tally.outcomes["slowest cut off s"] = round(max(took))
    return tally


# Many connections.


async def _many(effort: float, truth: Mapping[str, str], logs: list[str]) -> Tally:
    tally = Tally("1,000 silent connections, then 1,000 that ask at once")

    async def hold(number: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(number):
                group.create_task(silent())
            await done.wait()

    async def silent() -> None:
        async with connected(server.port):
            tally.saw("held open")
            await done.wait()

    async def crowded() -> None:
        """Among a thousand, one may be told to come back, but not be kept waiting."""
        reply = await exchanged(server.port, question(QUESTIONS[0]), seconds=60)
        right = reply.status == 200 and json.loads(reply.body)["text"] == truth[QUESTIONS[0]]
        tally.saw("crowd answered" if right else f"crowd told {reply.status}")
        tally.check(right or reply.status == 503, f"one of the crowd was told {reply.status}")

    with serving(logs) as server:
        honest = Honest(server.port, truth, tally)
        await asyncio.gather(*(crowded() for _ in range(1000)))
        memory, handles = server.memory, server.handles
        for _ in range(max(1, int(5 * effort))):
            done = asyncio.Event()
            holding = asyncio.create_task(hold(1000))
            await asyncio.sleep(1)
            await asyncio.gather(*(honest.ask(QUESTIONS[n % len(QUESTIONS)]) for n in range(100)))
            await asyncio.gather(*(crowded() for _ in range(1000)))
            await honest.ask(QUESTIONS[0])
            done.set()
            await holding
        await flat(server, tally, memory, handles)
    honest.figures()
    return tally


# Bodies.

_JSON = json.dumps({"question": QUESTIONS[0]}).encode()
_SMUGGLED = f"GET {DOCUMENT} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def _posted(*headers: str, body: bytes = _JSON) -> bytes:
    head = ["POST /v1/ask HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


def _sized(length: object, body: bytes = _JSON) -> bytes:
    return _posted(f"Content-Length: {length}", body=body)


def _exactly(body: bytes) -> bytes:
    return _sized(len(body), body)


def _in_chunks(body: bytes) -> bytes:
    return _posted("Transfer-Encoding: chunked", body=body)


def _chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


_MB = b" " * 10**6
_TWICE = ("Content-Length: 5", "Transfer-Encoding: chunked")
_END = b"0\r\n\r\n"
BODIES: Mapping[str, tuple[set[int], Sequence[bytes]]] = {
    "100 MB, announced and sent": ({413}, [_sized(10**8, b""), *[_MB] * 100]),
    "100 MB in chunks": ({413}, [_in_chunks(b""), *[_chunk(_MB)] * 100]),
    "chunks of one byte": ({408, 413}, [_in_chunks(b""), *[_chunk(b" ") * 50_000] * 20]),
    "a chunk that says 100 GB": ({413}, [_in_chunks(b"1749000000\r\n" + _MB)]),
    "an endless chunk extension": ({400}, [_in_chunks(b"5;" + b"a" * 10**6)]),
    "endless trailers": ({400, 422}, [_in_chunks(b"0\r\n" + b"A: b\r\n" * 10**5)]),
    "more announced than sent": ({408}, [_sized(5000)]),
    "less announced than sent": ({422}, [_sized(5)]),
    "no length": ({422}, [_posted(body=b"")]),
    "no length but a body": ({422}, [_posted()]),
    "announced below 0": ({400}, [_sized(-5)]),
    "announced with a sign": ({400}, [_sized(f"+{len(_JSON)}")]),
    "announced in hex": ({400}, [_sized("0x20")]),
    "announced with a digit of another script": ({400}, [_sized(f"{len(_JSON)}²")]),
    "announced by 5,000 digits": ({400}, [_sized("9" * 5000)]),
    "announced by 19 digits": ({413}, [_sized("9" * 19)]),
    "announced twice, differently": ({400}, [_posted("Content-Length: 5", "Content-Length: 6")]),
    "announced twice in one header": ({400}, [_sized("5, 6")]),
    "an unknown coding": ({400}, [_posted("Transfer-Encoding: gzip, chunked")]),
    "chunked said twice": ({400}, [_posted(*["Transfer-Encoding: chunked"] * 2)]),
    "chunked behind a tab of another kind": ({400}, [_posted("Transfer-Encoding:\x0bchunked")]),
    "a chunk that lies": ({400}, [_in_chunks(b"3\r\n{}{}\r\n" + _END)]),
    "a chunk of a negative size": ({400}, [_in_chunks(b"-3\r\n{}\r\n" + _END)]),
    "a request smuggled behind a length": ({422}, [_posted(*_TWICE, body=_END + _SMUGGLED)]),
    "a request smuggled behind chunks": ({422}, [_posted(*_TWICE[::-1], body=_END + _SMUGGLED)]),
    "compressed": ({400}, [_posted(f"Content-Length: {len(_JSON)}", "Content-Encoding: gzip")
                           .replace(b'{"', b"\x1f\x8b")]),
    "100,000 brackets": ({400, 422}, [_exactly(b"[" * 10**5)]),
    "a number of 100,000 digits": ({400, 422}, [_exactly(b"9" * 10**5)]),
    "half a character": ({400, 422}, [_exactly(b'{"question": "\\ud800\\ud8"}')]),
    "a lone surrogate": ({400, 422}, [_exactly(b'{"question": "\\ud800"}')]),
    "a lone surrogate for a name": ({400, 422}, [_exactly(b'{"\\ud800": 1}')]),
    "a lone surrogate for a property": (
        {400, 409, 422}, [_exactly(b'{"question": "Who?", "where": {"\\ud800": "\\ud800"}}')],
    ),
    "not UTF-8": ({400, 422}, [_exactly(b'"\xff\xfe"')]),
}  # fmt: skip
"""What may be answered, and what is sent."""


async def _bodies(effort: float, truth: Mapping[str, str], logs: list[str]) -> Tally:
    tally = Tally(f"{len(BODIES)} kinds of huge, endless, mismeasured and ambiguous bodies")
    peaks: list[int] = []

    async def post(name: str) -> None:
        allowed, parts = BODIES[name]
        reply = await exchanged(server.port, *parts, rest=0.3)
        tally.saw(f"told {reply.status}")
        tally.check(reply.status in allowed, f"{name}: told {reply.status} {reply.body[:200]!r}")
        tally.check(b"HTTP/1.1 200" not in reply.rest, f"{name}: answered twice")
        peaks.append(server.memory)

    with serving(logs, "--timeout", f"{TIMEOUT:g}") as server:
        honest = Honest(server.port, truth, tally)
        for text in truth:
            await honest.ask(text)
        memory, handles = server.memory, server.handles
        names = list(BODIES) * max(1, int(10 * effort))
        await in_turns((post(name) for name in names), 8)
        await honest.ask(QUESTIONS[0])
        await flat(server, tally, memory, handles)
    tally.check(max(peaks) <= memory + GROWTH, f"{memory} MiB before, {max(peaks)} at most")
    tally.outcomes["MiB at most"] = max(peaks)
    return tally


# What is no HTTP.

_HELLO = bytes.fromhex("16030100c6010000c20303") + bytes(range(190))
_UPGRADE = b"""Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r
Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"""
_FILE = b"GET /static/page.js"


def _line(line: bytes = b"GET /healthz", more: bytes = b"") -> bytes:
    """A request with more headers, none of which is looked at here."""
    return line + b" HTTP/1.1\r\nHost: localhost\r\n" + more + b"\r\n"


MALFORMED: Mapping[str, bytes] = {
    "nothing but zeros": bytes(1000),
    "noise": random.Random(1).randbytes(5000),
    "a TLS hello": _HELLO,
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "HTTP/0.9": b"GET /v1/corpus\r\n\r\n",
    "HTTP/9.9": b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "an SMTP greeting": b"EHLO localhost\r\nMAIL FROM:<a@b>\r\n\r\n",
    "empty lines for ever": b"\r\n" * 50_000,
    "bare line feeds": _line().replace(b"\r", b""),
    "bare carriage returns": _line().replace(b"\n", b"") + b" " * 70_000,
    "a first line of 1 MB": _line(b"GET /" + b"a" * 10**6),
    "a header of 1 MB": _line(more=b"X: " + b"a" * 10**6 + b"\r\n"),
    "20,000 headers": _line(more=b"X: a\r\n" * 20_000),
    "a header without a name": _line(more=b": a\r\n"),
    "a header without a colon": _line(more=b"abc\r\n"),
    "a blank before the colon": _line().replace(b"Host:", b"Host :"),
    "a folded header": _line(more=b"X: a\r\n b\r\n"),
    "a folded first header": _line().replace(b"Host", b" X: a\r\nHost"),
    "a zero in a header": _line(more=b"X: a\0b\r\n"),
    "a zero in the path": _line(b"GET /v1/documents/a\0b"),
    "a zero in a file's name, encoded": _line(b"GET /static/a%00b"),
    "a blank in the path": _line(b"GET /v1/documents/a b"),
    "letters outside ASCII in the path": _line("GET /v1/ü".encode()),
    "bytes that are no UTF-8 in the path": _line(b"GET /v1/documents/%ff%fe"),
    "a name longer than any file's": _line(b"GET /static/" + b"a" * 5000),
    "no path": _line(b"GET "),
    "a star for the path": _line(b"OPTIONS *"),
    "a whole address": _line(b"GET http://elsewhere/v1/corpus"),
    "CONNECT": _line(b"CONNECT elsewhere:443"),
    "TRACE": _line(b"TRACE /v1/corpus"),
    "a method of 1,000 letters": _line(b"A" * 1000 + b" /"),
    "a small-letter method": _line(b"get /v1/corpus"),
    "no host": b"GET /v1/corpus HTTP/1.1\r\n\r\n",
    "HTTP/1.0 without a host": b"GET /v1/corpus HTTP/1.0\r\n\r\n",
    "two hosts": _line(more=b"Host: elsewhere\r\n"),
    "a host whose port is a host": _line().replace(b"host", b"host:@elsewhere"),
    "a WebSocket to a file": _line(_FILE, _UPGRADE),
    "a WebSocket to ask": _line(b"GET /v1/ask", _UPGRADE),
    "h2c": _line(b"GET /v1/ask", _UPGRADE.replace(b"websocket", b"h2c")),
    "garbage behind a refusal that read no body": (_BODY % b"elsewhere") + _CHUNKED + b"zzz\r\n",
    "a thousand ranges": _line(_FILE, b"Range: bytes=" + b"0-1," * 999 + b"0-1\r\n"),
    "an endless range": _line(_FILE, b"Range: bytes=0-" + b"9" * 5000 + b"\r\n"),
    "an impossible range": _line(_FILE, b"Range: bytes=9-1\r\n"),
    "an expectation of tea": _line(b"POST /v1/ask", b"Expect: tea\r\nContent-Length: 0\r\n"),
    "a date that is none": _line(_FILE, b"If-Modified-Since: 99\r\n"),
    "an offset of 5,000 digits": _line(b"GET /v1/documents?offset=" + b"9" * 5000),
    "a hundred requests at once": _line() * 100,
}  # fmt: skip

FINE = {
    "a hundred requests at once", "a folded header", "bare line feeds", "HTTP/9.9",
    "20,000 headers", "a WebSocket to a file", "a date that is none", "an impossible range",
    "a thousand ranges", "an endless range", "an expectation of tea",
}  # fmt: skip
"""What may be answered by other than a refusal."""


async def _malformed(effort: float, truth: Mapping[str, str], logs: list[str]) -> Tally:
    tally = Tally(f"{len(MALFORMED)} kinds of what is no HTTP, or hardly")

    async def tell(name: str) -> None:
        reply = await exchanged(server.port, MALFORMED[name], rest=0.3)
        tally.saw({0: "hung up", -1: "nothing"}.get(reply.status, f"told {reply.status}"))
        refused = reply.status == 0 or 400 <= reply.status < 500 or reply.status == 501
        tally.check(refused or (name in FINE and reply.status < 500), f"{name}: {reply[:3]!r}")
        if name == "a hundred requests at once":
            tally.check(
                reply.rest.count(b"HTTP/1.1 200") == 99, "not all of a hundred were answered"
            )

    with serving(logs, "--timeout", f"{TIMEOUT:g}") as server:
        honest = Honest(server.port, truth, tally)
        await honest.ask(QUESTIONS[0])
        memory, handles = server.memory, server.handles
        names = list(MALFORMED) * max(1, int(20 * effort))
        await in_turns((tell(name) for name in names), 16)
        await honest.ask(QUESTIONS[1])
        await flat(server, tally, memory, handles)
    return tally


# Headers made up.

_BREAKS = (
    "\r\n",
    "\n",
    "\r",
    "\x0b",
    "\x85",
    *"%0d%0a %0a %250d%250a %E5%98%8A%E5%98%8D \\r\\n".split(),
)
_ECHOING = "/ /v1/ask/ /static/ /v1/documents/ /v1/passages/ /v1/conversations/ /v1/models/".split()
_HEADERS = """Origin Authorization X-Request-Id X-Forwarded-Host X-Forwarded-Proto Accept Range
    Cookie Access-Control-Request-Headers If-None-Match Traceparent""".split()


def _injections() -> Iterator[bytes]:
    """Each kind of line break in each place that might come back in a header."""
    for line_break in _BREAKS:
        made_up = line_break.join((MARK, "X-Made-Up: 1", "Set-Cookie: a=b", "", "<p>"))
        in_path = made_up.replace(" ", "%20")
        for path in _ECHOING:
            yield request("GET", path + in_path)
            yield request("POST", f"{path}{in_path}/ask", {})
        yield request("GET", f"/v1/documents?offset={in_path}")
        yield request("GET", f"/?{in_path}")
        for host in ("localhost", f"localhost:{made_up}", made_up):
            yield request("POST", "/v1/ask/", {"question": made_up}, host=host)
        for name in _HEADERS:
            more = [f"{name}: {made_up}"]
            yield question(QUESTIONS[0], *more)
            preflight = [f"Origin: {GOOD}", "Access-Control-Request-Method: POST", *more]
            yield request("OPTIONS", "/v1/ask", more=preflight)
        for options in ({}, {made_up: 1}, {"standalone": made_up}):
            yield question(made_up, **options)
            yield question(made_up, "Accept: text/event-stream", **options)
        messages = [{"role": "user", "content": made_up}]
        chat = {"model": made_up, "stream": True, "messages": messages}
        yield request("POST", "/v1/chat/completions", chat)


_REDIRECT = re.compile(rb"(?i)\nlocation: *(\S+)")


async def _injected(effort: float, truth: Mapping[str, str], logs: list[str]) -> Tally:
    tally = Tally("line breaks wherever a header might be made of them")

    async def inject(sent: bytes) -> None:
        reply = await exchanged(server.port, sent, rest=0.05)
        names = {line.partition(b":")[0].strip().lower() for line in reply.head.split(b"\r\n")[1:]}
        to = _REDIRECT.search(reply.head)
        tally.saw({0: "hung up", -1: "nothing"}.get(reply.status, f"told {reply.status}"))
        made_up = names & {b"x-made-up", b"set-cookie"} or re.search(rb"HTTP/1.1 [23]", reply.rest)
        broken = b"\n" in reply.head.replace(b"\r\n", b"") or reply.status in (-1, 500)
        elsewhere = to and not to[1].startswith(b"http://localhost/")
        tally.check(not (made_up or broken or elsewhere), f"{sent!r}: {reply!r}")

    with serving(logs, "--allow-origin", GOOD) as server:
        every = list(_injections())
        few = _some(every, max(0.2, effort))
        await in_turns((inject(sent) for sent in few), 8)
        await Honest(server.port, truth, tally).ask(QUESTIONS[0])
    return tally


# Without the token.

_CLOSED = """/v1/corpus /v1/documents /v1/passages/x%230-5 /v1/models /metrics /openapi.json
    /v1/ask""".split()
_WAYS_IN = """/static/.. /static/%2e%2e /static/..%2f /static/%2e%2e%2f /static/..; /static/.%00.
    /static// /static /embed/.. /widget.js/.. /widget.js; /healthz/.. /healthz; /readyz/.. /. /..
    /%2e /./static/.. /static/../static/.. http://localhost http://localhost/static/..""".split()
_BEHIND = "/ // /. ;a=b ?a#b %20 %00 %2f .json ?token=x".split()


def _paths() -> Iterator[str]:
    """Other ways to write the closed paths."""
    for path in (*_CLOSED, DOCUMENT):
        yield from (path, f"/{path}", f"//{path}", f"/.{path}", path.upper())
        yield from (path + more for more in _BEHIND)
        yield from (path.replace("/", slash) for slash in ("%2f", "%252f", "\\", "%5c"))
        yield path.replace("/v1", "/%76%31")
        for way_in in _WAYS_IN:
            yield f"{way_in}{path}"
            yield f"{way_in}/{path.removeprefix('/')}"


_WRONG = (
    TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), TOKEN.lower(), TOKEN[::-1], TOKEN.replace("-", "%2d"),
    f"{TOKEN},", f"{TOKEN}%00", f"x {TOKEN}", f"{TOKEN} x", "", " ", "*", "null", "'1'='1",
)  # fmt: skip
_SCHEMES = ("", "Basic ", "Digest ", "Token ", "Bearer", "Bearer:", "Bearer=")
_OTHER_NAMES = """X-Authorization X-Access-Token X-Api-Key Proxy-Authorization Cookie Authorization_
    X-Forwarded-Authorization""".split()
_OVERRIDES = """X-Http-Method-Override:HEAD X-Original-Url:/healthz X-Rewrite-Url:/healthz
    X-Forwarded-For:127.0.0.1 X-Forwarded-Prefix:/static X-Script-Name:/static X-Real-Ip:127.0.0.1
    X-Forwarded-Path:/healthz Forwarded:for=127.0.0.1""".split()


def _credentials() -> Iterator[list[str]]:
    """As if the token were there."""
    for value in _WRONG:
        yield [f"Authorization: Bearer {value}"]
        yield [f"Authorization: Bearer {value}", "Authorization: Bearer"]
    yield ["Authorization: Bearer wrong", f"Authorization: Bearer {TOKEN}"]  # the first counts
    yield from ([f"Authorization: {scheme}{TOKEN}"] for scheme in _SCHEMES)
    yield from ([f"{name}: Bearer {TOKEN}"] for name in _OTHER_NAMES)
    yield from ([override] for override in _OVERRIDES)


_METHODS = "HEAD OPTIONS PUT PATCH DELETE TRACE get Post GETT G%45T QUERY".split()
_ORIGINS = f"""null https://evil.example {GOOD}.evil.example https://evil.example/{GOOD} {GOOD}:443
    {GOOD}/ https://evilgood.example https://xgood.example {GOOD},https://evil.example
    {GOOD.upper()} {GOOD}%00 http://good.example {GOOD}@evil.example https://good_example
    https://goodxexample * file:// http://localhost http://127.0.0.1""".split()
_HOSTS = """evil.example localhost.evil.example evil.example:80 localhost@evil.example ::1
    localhost. localhost:@evil.example localhost:80:80 localhost:a 127.0.0.1.evil.example 127.1
    2130706433 [::1 0x7f.1 [::ffff:127.0.0.1] * http://localhost 0.0.0.0
    localhost/evil.example localhost%00.evil.example localhost,evil.example""".split()


def _bypasses() -> Iterator[bytes]:
    asked = {"question": QUESTIONS[0]}
    for path in _paths():
        yield request("GET", path)
        yield request("POST", path, asked)
    for headers in _credentials():
        yield request("POST", "/v1/ask", asked, more=headers)
        yield request("GET", DOCUMENT, more=headers)
    for method in _METHODS:
        yield request(method, DOCUMENT)
        yield request(method, "/v1/ask", asked)
    for origin in ("", *_ORIGINS):
        more = [f"Origin: {origin}", "Access-Control-Request-Method: POST"]
        yield request("POST", "/v1/ask", asked, more=more)
        yield request("OPTIONS", "/v1/ask", more=[*more, "Access-Control-Request-Headers: a"])


_ALLOW = re.compile(rb"(?i)\naccess-control-allow-(origin|credentials): *([^\r]*)")


async def _bypassed(effort: float, truth: Mapping[str, str], logs: list[str]) -> Tally:
    tally = Tally("ways round the token, CORS and the host names")
    secrets = _secrets()

    async def sneak(sent: bytes) -> None:
        reply = await exchanged(server.port, sent)
        tally.saw({0: "hung up", -1: "nothing"}.get(reply.status, f"told {reply.status}"))
        told = any(secret in reply.head + reply.body for secret in secrets)
        tally.check(not told and reply.status not in (-1, 500), f"{sent!r}: {reply[:3]!r}")
        allowed = {value for _, value in _ALLOW.findall(reply.head)}
        tally.check(allowed <= {GOOD.encode()}, f"{sent!r}: allows {allowed}")

    with serving(logs, "--allow-origin", GOOD, token=TOKEN) as server:
        every = list(_bypasses())
        few = _some(every, max(0.1, effort))
        await in_turns((sneak(sent) for sent in few), 8)
        honest = Honest(server.port, truth, tally, (f"Authorization: Bearer {TOKEN}",))
        await honest.ask(QUESTIONS[0])
    with serving(logs) as server:
        for host in ("", "local host", "lOcAlHoSt\t.evil", *_HOSTS):
            for path in ("/v1/ask", "/v1/ask/"):
                await sneak(request("POST", path, {"question": QUESTIONS[0]}, host=host))
    return tally


def _secrets() -> list[bytes]:
    """Pieces of the corpus, and what only an answer, a list, the figures or the schema has."""
    [document] = ragkit.Index.open(SEED_INDEX).documents
    words = document.text.split()
    pieces = (" ".join(words[start : start + 4]) for start in range(0, len(words) - 4, 4))
    marks = [b'"passages"', b'"total"', b"ragkit_requests_total", b'"openapi"']
    return [*marks, *(json.dumps(piece)[1:-1].encode() for piece in pieces if len(piece) > 16)]


# Clients that leave.


async def _cancelled(effort: float, truth: Mapping[str, str], logs: list[str]) -> Tally:
    tally = Tally("streams left at any moment, on a server with one place")
    rng = random.Random(6)
    chat = {"stream": True, "messages": [{"role": "user", "content": QUESTIONS[0]}]}
    streams = (
        question(QUESTIONS[0], "Accept: text/event-stream", k=50, explain=True),
        request("POST", "/v1/chat/completions", chat),
        question(QUESTIONS[0]),
    )

    async def leave(sent: bytes) -> None:
        async with connected(server.port) as (reader, writer):
            writer.write(sent[: rng.choice((len(sent), len(sent), rng.randrange(len(sent))))])
            with suppress(TimeoutError, asyncio.IncompleteReadError, ConnectionError):
                async with asyncio.timeout(rng.uniform(0, 0.05)):
                    await reader.readexactly(rng.choice((1, 300, 3000, 300_000)))
        tally.saw("left")

    async def free() -> None:
        """Whoever asks next gets the place, as soon as the thread that had it is done."""
        until = time.monotonic() + ALLOWED
        while True:
            reply = await exchanged(server.port, question(QUESTIONS[1]))
            if reply.status != 503 or time.monotonic() > until:
                break
            await asyncio.sleep(0.01)
        tally.check(
            reply.status == 200 and json.loads(reply.body)["text"] == truth[QUESTIONS[1]],
            f"told {reply.status}: the place is lost",
        )

    with serving(logs, command=("-c", ONE_PLACE)) as server:
        for _ in range(50):
            await leave(streams[0])
        await free()
        memory, handles = server.memory, server.handles
        for number in range(max(20, int(1200 * effort))):
            await leave(rng.choice(streams))
            if number % 10 == 0:
                await free()
        for _ in range(max(2, int(40 * effort))):
            await asyncio.gather(*(leave(rng.choice(streams)) for _ in range(64)))
            await free()
        await flat(server, tally, memory, handles)
    return tally


# Requests changed at random.


def _valid() -> list[bytes]:
    stream = "Accept: text/event-stream"
    told = {"messages": [{"role": "user", "content": f"{QUESTIONS[0]} {MARK}"}]}
    preflight = [f"Origin: {GOOD}", "Access-Control-Request-Method: POST"]
    here = f"/v1/conversations/{MARK}"
    return [
        question(f"{QUESTIONS[0]} {MARK}"),
        question(QUESTIONS[1], stream, k=3, explain=True),
        question(QUESTIONS[2], where={"title": ["a", "b"], "date": {"min": "1922"}}),
        request("POST", "/v1/search", {"question": QUESTIONS[0], "k": 7}),
        request("POST", "/v1/chat/completions", told),
        request("POST", "/v1/chat/completions", {"stream": True, **told}),
        request("POST", "/v1/conversations"),
        request("POST", f"{here}/ask", {"question": QUESTIONS[0]}),
        request("DELETE", here),
        request("HEAD", "/"),
        request("GET", "/static/page.js", more=["Range: bytes=0-99"]),
        request("GET", f"{DOCUMENT}?a={MARK}"),
        request("GET", f"{DOCUMENT.replace('documents', 'passages')}%230-90"),
        request("GET", "/v1/documents?offset=0&limit=10"),
        request("OPTIONS", "/v1/ask", more=[*preflight, "Access-Control-Request-Headers: a"]),
        _in_chunks(_chunk(_JSON) + _END),
        *(request("GET", path) for path in ("/", "/metrics", "/openapi.json", "/v1/models/ragkit")),
    ]


_PIECES = (
    *(b"\r\n", b"\n", b"\0", b" ", b":", b"/", b"..", b"%", b"%00", b"%ff", b"\xff", b"\xf0\x9f"),
    *(
        b"{",
        b"[",
        b'"',
        b"\\ud800",
        b"\\u0000",
        b"1e999",
        b"-1",
        b"NaN",
        b"null",
        b"true",
        b"9" * 400,
    ),
    *(b"HTTP/1.1", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: evil\r\n"),
    *(_UPGRADE, b"Expect: 100-continue\r\n", b"a" * 9000),
)


def _mutated(requests: Sequence[bytes], rng: random.Random) -> bytes:
    """Some changes to one of them, and the right length again in half of the cases."""
    changed = rng.choice(requests)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        start = rng.randrange(len(changed) + 1)
        end = min(len(changed), start + rng.choice((0, 1, 1, 4, 20)))
        other = rng.choice(requests)
        at = rng.randrange(len(other))
        piece = rng.choice(
            (
                b"",
                changed[start:end] * 2,
                bytes([rng.randrange(256)]),
                other[at : at + 20],
                rng.choice(_PIECES),
            )
        )
        changed = changed[:start] + piece + changed[end:]
    head, separator, body = changed.partition(b"\r\n\r\n")
    if rng.random() < 0.5:
        head = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head)
    return head + separator + body


async def _random(effort: float, truth: Mapping[str, str], logs: list[str]) -> Tally:
    tally = Tally("valid requests, changed at random")
    rng = random.Random(7)
    valid = _valid()

    async def send(sent: bytes) -> None:
        reply = await exchanged(server.port, sent, seconds=1)
        tally.saw({0: "hung up", -1: "waited for more"}.get(reply.status, f"told {reply.status}"))
        tally.check(reply.status not in (500, 502, 504), f"{sent!r}: {reply[:3]!r}")

    with serving(logs, "--timeout", f"{TIMEOUT:g}", "--allow-origin", GOOD) as server:
        honest = Honest(server.port, truth, tally)
        for text in truth:
            await honest.ask(text)
        for _ in range(200):
            await send(rng.choice(valid))
        memory, handles = server.memory, server.handles
        for _ in range(max(1, int(60 * effort))):
            await in_turns((send(_mutated(valid, rng)) for _ in range(200)), 32)
            await honest.ask(rng.choice(QUESTIONS))
        await flat(server, tally, memory, handles)
    return tally


# MCP over HTTP.

_MCP = ("Accept: application/json, text/event-stream", f"Authorization: Bearer {TOKEN}")


def _call(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def _tool(name: str, **arguments: Any) -> dict[str, Any]:
    return _call("tools/call", name=name, arguments=arguments)


def _contents() -> Iterator[Any]:
    """What is no call, or hardly."""
    good = _tool("ask", question=f"{QUESTIONS[0]} {MARK}")
    yield from (None, 1, MARK, [], {}, [good, good])
    bad: Mapping[str, Sequence[Any]] = {
        "jsonrpc": ("1.0", None),
        "id": (None, {}, 1e300, "a" * 10**5),
        "method": (MARK, 5, ""),
        "params": (
            [],
            None,
            MARK,
            {"name": MARK},
            {"name": {}},
            {"name": "ask", "arguments": MARK},
        ),
    }
    for name, values in bad.items():
        yield from ({**good, name: value} for value in values)
    for value in (5, "", "a\0b", MARK * 5000, [MARK]):
        yield from (_tool("ask", question=value), _tool("search", query=value))
    yield from (
        _tool("ask"),
        _tool("ask", question=MARK, k="many"),
        _tool("ask", question=MARK, a=1),
    )
    yield _tool("ask", question=QUESTIONS[0], k=10**30)
    for value in (f"../{MARK}", f"{MARK}#0-5", f"{DOCUMENT}#9-99999999999"):
        yield _tool("fetch", id=value)
    for uri in (f"ragkit://documents/{MARK}", "file:///etc/passwd", MARK):
        yield from (_call("resources/read", uri=uri), _call("resources/subscribe", uri=uri))
    yield {"jsonrpc": "2.0", "id": 1, "result": {}}
    yield {"jsonrpc": "2.0", "method": f"notifications/{MARK}"}
    yield {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": MARK}}
    yield from (_call("initialize", protocolVersion=MARK), _call("logging/setLevel", level=MARK))
    yield _call("completion/complete", ref={"type": "ref/resource", "uri": MARK}, argument=MARK)


_RAW = (
    *(b"", b"{", b"\xff", b"[" * 10**5, b"9" * 10**5, b'"\\ud800"', b"a" * 5 * 2**20),
    *(b'{"jsonrpc": "2.0", "id": NaN, "method": "ping"}', '{"jsonrpc": "2.0"}'.encode("utf-16")),
    b'{"jsonrpc": "2.0", "id": 1, "method": "\\ud800"}',
)
_MCP_HEADERS = f"""Mcp-Session-Id:{MARK} Mcp-Protocol-Version:{MARK} Mcp-Protocol-Version:1999-01-01
    Last-Event-Id:{MARK} Origin:https://{MARK}.example Mcp-Method:{MARK} Mcp-Name:{MARK} Accept:*/*
    Content-Type:text/plain""".split()


def _messages() -> Iterator[bytes]:
    good = _tool("ask", question=f"{QUESTIONS[0]} {MARK}")
    for content in _contents():
        yield request("POST", "/mcp", content, more=_MCP)
    for raw in _RAW:
        yield request("POST", "/mcp", raw=raw, more=_MCP)
    for header in _MCP_HEADERS:
        yield request("POST", "/mcp", good, more=[*_MCP, header])
        yield request("GET", "/mcp", more=[*_MCP, header])
    for host in (f"{MARK}.example", "localhost:@evil.example", "", "localhost.evil.example"):
        yield request("POST", "/mcp", good, host=host, more=_MCP)
    for method in ("GET", "DELETE", "PUT", "HEAD", "OPTIONS", MARK):
        yield request(method, "/mcp", more=_MCP)
        yield request(method, f"/mcp/{MARK}", more=_MCP)


async def _mcp(effort: float, truth: Mapping[str, str], logs: list[str]) -> Tally:
    tally = Tally("`ragkit mcp --http`: messages malformed, changed at random, without the token")
    rng = random.Random(8)
    secrets = _secrets()

    async def honest() -> None:
        call = request("POST", "/mcp", _tool("ask", question=QUESTIONS[0]), more=_MCP)
        reply = await exchanged(server.port, call)
        tally.saw("honest calls")
        result = json.loads(reply.body).get("result", {}) if reply.status == 200 else {}
        told = result.get("structuredContent", {}).get("text")
        tally.check(told == truth[QUESTIONS[0]], f"{reply!r}")

    async def send(sent: bytes, seconds: float) -> None:
        reply = await exchanged(server.port, sent, seconds=seconds)
        tally.saw({0: "hung up", -1: "waited for more"}.get(reply.status, f"told {reply.status}"))
        held = reply.status == -1 and seconds == ALLOWED
        tally.check(not held and reply.status != 500, f"{sent[:300]!r}: {reply[:3]!r}")
        if TOKEN.encode() not in sent:
            told = any(secret in reply.body for secret in secrets)
            tally.check(not told and reply.status != 200, f"{sent[:300]!r}: {reply[:3]!r}")

    with serving(logs, command=SERVE_MCP, token=TOKEN) as server:
        await honest()
        memory, handles = server.memory, server.handles
        messages = list(_messages())
        await in_turns((send(sent, ALLOWED) for sent in messages), 8)
        await honest()
        bare = [sent.replace(_MCP[1].encode(), b"X: y") for sent in messages]
        await in_turns((send(sent, ALLOWED) for sent in bare), 8)
        small = [sent for sent in messages if len(sent) < 10_000]
        for _ in range(max(1, int(10 * effort))):
            await in_turns((send(_mutated(small, rng), 1) for _ in range(200)), 16)
            await honest()
        await flat(server, tally, memory, handles)
    return tally


# Load, and the log.


async def _held(effort: float, logs: list[str]) -> Tally:
    seconds = max(2.0, 60 * effort)
    tally = Tally("load: 64 askers without a pause")
    texts = [q.text for q in load_questions(ROOT / "eval" / "questions.jsonl")][:100]
    expected = {text: ragkit.ask(text).text for text in texts}
    with serving(logs) as server:
        url = f"http://127.0.0.1:{server.port}"
        await load(url, expected, 64, min(seconds, 10))
        memory, handles = server.memory, server.handles
        found = await load(url, expected, 64, seconds)
        await flat(server, tally, memory, handles)
    tally.tried = len(found.seconds) + len(found.errors)
    tally.checked += len(found.seconds)
    tally.wrong += found.wrong + len(found.errors)
    tally.examples += found.errors
    measured = figures(found, 1, 64, seconds)
    tally.outcomes.update(
        {name.replace("_", " "): round(value) for name, value in measured.items()}
    )
    return tally


def _told(logs: Sequence[str]) -> Tally:
    """Each line that any of the servers logged."""
    tally = Tally("lines of all logs")
    secrets = [secret.decode() for secret in _secrets()]
    for line in logs:
        tally.saw("request" if line.startswith("{") else "other")
        typed = any(text.casefold() in line.casefold() for text in (MARK, *QUESTIONS, "Traceback"))
        tally.check(not typed and not any(secret in line for secret in secrets), line)
    return tally
