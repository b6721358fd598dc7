"""A client of the HTTP server, in this process, and language models for it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from ragkit import Index
from ragkit.grounding import Message, Piece
from ragkit.serving import Settings, create_app

RAPALLO = "Who signed the Treaty of Rapallo?"
OFF_TOPIC = "How do I bake sourdough bread?"
BASE = "http://localhost"
TOKEN = "secret"


def client(index: Index | Path, settings: Settings | None = None, **options: Any) -> TestClient:
    return TestClient(
        create_app(index, settings, **options), base_url=BASE, raise_server_exceptions=False
    )


def ask(web: TestClient, question: str = RAPALLO, **more: Any) -> Any:
    return web.post("/v1/ask", json={"question": question, **more})


def events(text: str) -> list[tuple[str, Any]]:
    """Parse server-sent events."""
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(data)) for name, data in found]


class Scripted:
    """A language model that writes given texts."""

    name = "scripted"

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def stream(self, _: Sequence[Message]) -> Iterator[Piece]:
        for text in self.texts:
            yield Piece(text)
        yield Piece("", "stop")


TRUE = "The treaty was signed by Walther Rathenau and Georgy Chicherin [1]. "
MADE_UP = "Adolf Hitler was present at the ceremony [1]."


class Waiting:
    """A language model that writes nothing until ``go`` is set."""

    name = "waiting"

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()

    def stream(self, _: Sequence[Message]) -> Iterator[Piece]:
        self.asked.set()
        self.go.wait(20)
        yield Piece(TRUE, "stop")
