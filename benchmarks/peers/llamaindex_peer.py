"""LlamaIndex: dense vectors in the default in-memory VectorStoreIndex; retrieval, no LLM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.peers.protocol import Hit, Peer, Text, main, model_folder


def load_model() -> Any:
    # user code
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    return HuggingFaceEmbedding(model_name=model_folder())
    # end


def index(model: Any, texts: Sequence[Text], folder: str) -> None:
    # user code
    from llama_index.core import Document, VectorStoreIndex

    documents = [Document(text=t["text"], id_=t["id"]) for t in texts]
    built = VectorStoreIndex.from_documents(documents, embed_model=model)
    built.storage_context.persist(folder)
    # end


def open_index(folder: str) -> Any:
    # user code
    from llama_index.core import StorageContext, load_index_from_storage
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    model = HuggingFaceEmbedding(model_name=model_folder())
    storage = StorageContext.from_defaults(persist_dir=folder)
    return load_index_from_storage(storage, embed_model=model)
    # end


def ask(opened: Any, question: str, k: int) -> list[Hit]:
    # user code
    nodes = opened.as_retriever(similarity_top_k=k).retrieve(question)
    # end
    return [Hit(found.node.ref_doc_id, found.node.get_content()) for found in nodes]


PEER = Peer(
    packages=(
        "llama-index-core",
        "llama-index-embeddings-huggingface",
        "sentence-transformers",
        "torch",
    ),
    reads="passages",
    load_model=load_model,
    index=index,
    open=open_index,
    ask=ask,
)

if __name__ == "__main__":
    main(PEER)
