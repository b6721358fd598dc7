"""txtai: dense vectors and BM25 together (hybrid), with the content stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.peers.protocol import Hit, Peer, Text, main, model_folder


def load_model() -> Any:
    # user code
    from txtai import Embeddings

    return Embeddings(path=model_folder(), content=True, hybrid=True)
    # end


def index(model: Any, texts: Sequence[Text], folder: str) -> None:
    # user code
    model.index([(t["id"], t["text"], None) for t in texts])
    model.save(folder)
    # end


def open_index(folder: str) -> Any:
    # user code
    from txtai import Embeddings

    embeddings = Embeddings()
    embeddings.load(folder)
    return embeddings
    # end


def ask(opened: Any, question: str, k: int) -> list[Hit]:
    # user code
    results = opened.search(question, k)
    # end
    return _hits(results)


def ask_many(opened: Any, questions: Sequence[str], k: int) -> list[list[Hit]]:
    return [_hits(results) for results in opened.batchsearch(list(questions), k)]


def _hits(results: Sequence[dict[str, Any]]) -> list[Hit]:
    return [Hit(result["id"], result["text"]) for result in results]


PEER = Peer(
    packages=("txtai", "faiss-cpu", "transformers", "torch"),
    reads="passages",
    load_model=load_model,
    index=index,
    open=open_index,
    ask=ask,
    ask_many=ask_many,
)

if __name__ == "__main__":
    main(PEER)
