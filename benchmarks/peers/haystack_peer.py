"""Haystack: dense vectors in the in-memory document store, asked through a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.protocol import Hit, Peer, Text, main, model_folder

STORE = "store.json"


def load_model() -> Any:
    # user code
    from haystack_integrations.components.embedders.sentence_transformers import (
        SentenceTransformersDocumentEmbedder,
    )

    return SentenceTransformersDocumentEmbedder(model=model_folder())
    # end


def index(model: Any, texts: Sequence[Text], folder: str) -> None:
    # user code
    from haystack import Document
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    documents = [Document(content=t["text"], meta={"id": t["id"]}) for t in texts]
    store = InMemoryDocumentStore()
    store.write_documents(model.run(documents)["documents"])
    store.save_to_disk(str(Path(folder) / STORE))
    # end


def open_index(folder: str) -> Any:
    # user code
    from haystack import Pipeline
    from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
    from haystack.document_stores.in_memory import InMemoryDocumentStore
    from haystack_integrations.components.embedders.sentence_transformers import (
        SentenceTransformersTextEmbedder,
    )

    store = InMemoryDocumentStore.load_from_disk(str(Path(folder) / STORE))
    pipeline = Pipeline()
    pipeline.add_component("embedder", SentenceTransformersTextEmbedder(model=model_folder()))
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store))
    pipeline.connect("embedder.embedding", "retriever.query_embedding")
    return pipeline
    # end


def ask(opened: Any, question: str, k: int) -> list[Hit]:
    # user code
    found = opened.run({"embedder": {"text": question}, "retriever": {"top_k": k}})
    documents = found["retriever"]["documents"]
    # end
    return [Hit(document.meta["id"], document.content) for document in documents]


PEER = Peer(
    packages=("haystack-ai", "sentence-transformers-haystack", "sentence-transformers", "torch"),
    reads="passages",
    load_model=load_model,
    index=index,
    open=open_index,
    ask=ask,
)

if __name__ == "__main__":
    main(PEER)
