"""Small corpora, an encoder that counts, and what "the same index" means."""

from __future__ import annotations

from collections.abc import Sequence

from ragkit import Document, Encoder, Index
from ragkit.encoding import Encoded, Role

TEXTS = ["Rivers flow to the sea.", "== Danube ==\n\nIt rises in Germany. It ends in the sea.\n\n== Rhine ==\n\nIt is long.",
         "Bread is dark.\n\n" + "Rye bread keeps long and tastes sour. " * 12]  # fmt: skip


class Counting:
    """An encoder that knows how many texts it has read."""

    def __init__(self, encoder: Encoder, fail_after: int | None = None) -> None:
        self.encoder = encoder
        self.read = 0
        self.fail_after = fail_after
        self.fingerprint = encoder.fingerprint
        self.dimension = encoder.dimension
        self.window = encoder.window
        self.readings = encoder.readings
        self.runtime = encoder.runtime

    def encode(self, texts: Sequence[str], *, role: Role = "passage") -> list[Encoded]:
        if self.fail_after is not None and self.read > self.fail_after:
            raise KeyboardInterrupt
        self.read += len(texts)
        return self.encoder.encode(texts, role=role)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.encoder.count_tokens(texts)


def document(name: str, text: str, **more: object) -> Document:
    return Document(id=name, title=f"About {name}", text=text, **more)  # type: ignore[arg-type]


def assert_same(updated: Index, fresh: Index) -> None:
    """Equal to the last byte: what it was made from does not show."""
    assert updated.documents == fresh.documents
    left, right = updated._local().data.tables, fresh._local().data.tables
    assert left.keys() == right.keys()
    assert [name for name in left if left[name][:].tobytes() != right[name][:].tobytes()] == []
    assert updated.generation == fresh.generation


def many(number: int) -> list[Document]:
    return [
        document(f"d{i}", f"River {i} is long. It flows by {i} towns. " * 5) for i in range(number)
    ]
