"""ragkit: late interaction over dense candidates; an answer with citations and confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.peers.protocol import Hit, Peer, Text, main


def load_model() -> None:
    """Index.build finds it."""


def index(model: Any, texts: Sequence[Text], folder: str) -> None:
    # user code
    from ragkit import Document, Index

    documents = [Document(id=t["id"], title=t["title"], text=t["text"]) for t in texts]
    Index.build(documents, folder, encoder=model)
    # end


def open_index(folder: str) -> Any:
    # user code
    from ragkit import Index

    return Index.open(folder, reader=None)
    # end


def ask(opened: Any, question: str, k: int) -> list[Hit]:
    # user code
    answer = opened.ask(question, k=k)
    # end
    return _hits(answer)


def ask_many(opened: Any, questions: Sequence[str], k: int) -> list[list[Hit]]:
    return [_hits(answer) for answer in opened.ask_many(questions, k=k)]


def _hits(answer: Any) -> list[Hit]:
    return [Hit(passage.citation.document_id, passage.text) for passage in answer.passages]


PEER = Peer(
    packages=("ragkit-cited", "onnxruntime", "faiss-cpu", "sentence-transformers", "torch"),
    reads="documents",
    load_model=load_model,
    index=index,
    open=open_index,
    ask=ask,
    ask_many=ask_many,
)

if __name__ == "__main__":
    main(PEER)
