"""A LangChain retriever, and a tool for agents.

Example:
    >>> retriever = RagkitRetriever(index="indexes/notes", k=4)  # doctest: +SKIP
    >>> inputs = {"context": retriever, "question": RunnablePassthrough()}  # doctest: +SKIP
    >>> chain = inputs | prompt | model  # doctest: +SKIP

"""

from __future__ import annotations

import asyncio
from typing import Any

from ragkit.answering.answer import Answer
from ragkit.default import IndexLike, open_index
from ragkit.errors import MissingExtraError
from ragkit.integrations.common import passage_metadata

try:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForRetrieverRun,
        CallbackManagerForRetrieverRun,
    )
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.tools import BaseTool, StructuredTool
    from pydantic import PrivateAttr
except ImportError as error:
    raise MissingExtraError.of("langchain", "langchain-core") from error

__all__ = ["RagkitRetriever", "ragkit_tool"]


class RagkitRetriever(BaseRetriever):
    """Retrieve passages as LangChain documents, best first, each with its exact span as metadata.

    Args:
        index: as for ``ragkit.ask``.
        k: number of passages.
        threshold: confidence, 0–1, below which the answer abstains; None for the default.
        only_answered: return nothing if the answer abstains, instead of the nearest passages.

    """

    index: Any = None
    k: int = 5
    threshold: float | None = None
    only_answered: bool = False
    _opened: Any = PrivateAttr(default=None)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain passes it
    ) -> list[Document]:
        return self._documents(query)

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain passes it
    ) -> list[Document]:
        return await asyncio.to_thread(self._documents, query)

    def _documents(self, query: str) -> list[Document]:
        if self._opened is None:
            self._opened = open_index(self.index)
        answer = self._opened.ask(query, k=self.k, threshold=self.threshold)
        if self.only_answered and not answer.answered:
            return []
        return [
            Document(
                page_content=p.text, id=p.citation.passage_id, metadata=passage_metadata(p, answer)
            )
            for p in answer.passages
        ]


def ragkit_tool(index: IndexLike = None, *, k: int = 5, name: str = "ask_corpus") -> BaseTool:
    """Return a tool that answers a question from the corpus.

    The tool's content is Markdown with citations, for the model; its artifact is the ``Answer``.

    Args:
        index: as for ``ragkit.ask``.
        k: number of passages.
        name: the tool's name, shown to the model.

    """
    opened = open_index(index)

    def ask(question: str) -> tuple[str, Answer]:
        answer = opened.ask(question, k=k)
        return answer.to_markdown(), answer

    return StructuredTool.from_function(
        ask,
        name=name,
        description="Ask the corpus a question; returns what it says, verbatim, with citations.",
        response_format="content_and_artifact",
    )
