"""A LlamaIndex retriever.

Example:
    >>> retriever = RagkitRetriever("indexes/notes")  # doctest: +SKIP
    >>> engine = RetrieverQueryEngine.from_args(retriever, llm=llm)  # doctest: +SKIP

"""

from __future__ import annotations

import asyncio

from ragkit.default import IndexLike, open_index
from ragkit.errors import MissingExtraError
from ragkit.integrations.common import passage_metadata

try:
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
except ImportError as error:
    raise MissingExtraError.of("llama-index", "llama-index-core") from error

__all__ = ["RagkitRetriever"]


class RagkitRetriever(BaseRetriever):
    """Retrieve passages as nodes with scores, best first, each with its exact span as metadata.

    Args:
        index: as for ``ragkit.ask``.
        k: number of passages.
        threshold: confidence, 0–1, below which the answer abstains; None for the default.
        only_answered: return nothing if the answer abstains, instead of the nearest passages.

    """

    def __init__(
        self,
        index: IndexLike = None,
        *,
        k: int = 5,
        threshold: float | None = None,
        only_answered: bool = False,
    ) -> None:
        super().__init__()
        self._index = open_index(index)
        self._k = k
        self._threshold = threshold
        self._only_answered = only_answered

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        answer = self._index.ask(query_bundle.query_str, k=self._k, threshold=self._threshold)
        if self._only_answered and not answer.answered:
            return []
        return [
            NodeWithScore(
                node=TextNode(
                    id_=p.citation.passage_id, text=p.text, metadata=passage_metadata(p, answer)
                ),
                score=p.score,
            )
            for p in answer.passages
        ]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)
