"""The corpora of the torture: real text, encoded by the real model."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ragkit import Document, Encoder, load_encoder
from ragkit.corpus import load_sources

__all__ = ["QUESTIONS", "SEED", "SEED_INDEX", "few_documents", "int8_encoder"]

_ROOT = Path(__file__).parents[2]
SEED = _ROOT / "seeds" / "germany-soviet-union-relations-1918-1941.txt"
SEED_INDEX = _ROOT / "indexes" / "germany-soviet-union-relations-1918-1941"

QUESTIONS = (
    "Who signed the Treaty of Rapallo?",
    "What did Germany deliver?",
    "When did the war begin?",
)


def int8_encoder() -> Encoder:
    """Load an encoder whose vectors do not depend on the batch: equal builds have equal files."""
    return load_encoder(runtime="int8")


@cache
def _paragraphs() -> tuple[str, ...]:
    [(document, _)] = load_sources(SEED)
    return tuple(p for p in document.text.split("\n\n") if len(p) > 200 and not p.startswith("="))


def few_documents(turn: int = 0) -> list[Document]:
    """Return three short documents of sentences of the seed; the last differs at each turn."""
    paragraphs = _paragraphs()
    return [
        Document("one", "Relations", paragraphs[0][:160]),
        Document(
            "two", "Treaties", f"== Signed ==\n\n{paragraphs[3][:150]}", metadata={"year": 1922}
        ),
        Document(f"turn-{turn}", f"Turn {turn}", paragraphs[(5 + turn) % len(paragraphs)][:140]),
    ]
