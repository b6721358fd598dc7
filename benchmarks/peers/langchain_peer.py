"""LangChain: dense vectors in the FAISS vector store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.peers.protocol import Hit, Peer, Text, main, model_folder


def load_model() -> Any:
    # user code
    from langchain_huggingface import HuggingFaceEmbeddings

    return HuggingFaceEmbeddings(model_name=model_folder())
    # end


def index(model: Any, texts: Sequence[Text], folder: str) -> None:
    # user code
    from langchain_community.vectorstores import FAISS
    from langchain_core.documents import Document

    documents = [Document(page_content=t["text"], metadata={"id": t["id"]}) for t in texts]
    store = FAISS.from_documents(documents, model)
    store.save_local(folder)
    # end


def open_index(folder: str) -> Any:
    # user code
    from langchain_community.vectorstores import FAISS
    from langchain_huggingface import HuggingFaceEmbeddings

    embeddings = HuggingFaceEmbeddings(model_name=model_folder())
    return FAISS.load_local(folder, embeddings, allow_dangerous_deserialization=True)
    # end


def ask(opened: Any, question: str, k: int) -> list[Hit]:
    # user code
    documents = opened.similarity_search(question, k=k)
    # end
    return _hits(documents)


def ask_many(opened: Any, questions: Sequence[str], k: int) -> list[list[Hit]]:
    retriever = opened.as_retriever(search_kwargs={"k": k})
    return [_hits(documents) for documents in retriever.batch(list(questions))]


def _hits(documents: Sequence[Any]) -> list[Hit]:
    return [Hit(document.metadata["id"], document.page_content) for document in documents]


PEER = Peer(
    packages=(
        "langchain-core",
        "langchain-community",
        "langchain-huggingface",
        "faiss-cpu",
        "sentence-transformers",
        "torch",
    ),
    reads="passages",
    load_model=load_model,
    index=index,
    open=open_index,
    ask=ask,
    ask_many=ask_many,
)

if __name__ == "__main__":
    main(PEER)
