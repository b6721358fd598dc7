"""A Haystack component.

Example:
    >>> pipeline.add_component("retriever", RagkitRetriever("indexes/notes"))  # doctest: +SKIP
    >>> pipeline.connect("retriever.documents", "prompt_builder.documents")  # doctest: +SKIP

"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from ragkit.api import Index
from ragkit.default import open_index
from ragkit.errors import InputError, MissingExtraError
from ragkit.integrations.common import passage_metadata

try:
    from haystack import Document, component, default_from_dict, default_to_dict
except ImportError as error:
    raise MissingExtraError.of("haystack", "haystack-ai") from error

__all__ = ["RagkitRetriever"]


@component
class RagkitRetriever:
    """Retrieve passages as Haystack documents, best first, each with its exact span as metadata.

    Args:
        index: as for ``ragkit.ask``; a pipeline can be saved only if it is a path or None.
        k: number of passages.
        threshold: confidence, 0–1, below which the answer abstains; None for the default.

    """

    def __init__(self, index: Any = None, k: int = 5, threshold: float | None = None) -> None:
        self.index = index
        self.k = k
        self.threshold = threshold
        self._opened: Index | None = None

    def warm_up(self) -> None:
        """Open the index."""
        self._opened = open_index(self.index)

    @component.output_types(documents=list[Document], answered=bool, confidence=float)
    def run(self, query: str) -> dict[str, Any]:
        """Return the documents, whether the corpus answers the query, and the confidence, 0–1."""
        if self._opened is None:
            self.warm_up()
        answer = open_index(self._opened).ask(query, k=self.k, threshold=self.threshold)
        documents = [
            Document(
                id=p.citation.passage_id,
                content=p.text,
                meta=passage_metadata(p, answer),
                score=p.score,
            )
            for p in answer.passages
        ]
        return {
            "documents": documents,
            "answered": answer.answered,
            "confidence": answer.confidence,
        }

    @component.output_types(documents=list[Document], answered=bool, confidence=float)
    async def run_async(self, query: str) -> dict[str, Any]:
        """Call ``run`` without blocking the event loop."""
        output: dict[str, Any] = await asyncio.to_thread(self.run, query)
        return output

    def to_dict(self) -> dict[str, Any]:
        """Return the component's settings for a saved pipeline.

        Raises:
            InputError: ``index`` is an ``Index``, which cannot be saved.

        """
        if isinstance(self.index, Index):
            raise InputError(
                "the component has an Index, which can't be saved with a pipeline; expected "
                "a path, or None for the bundled index."
            )
        path = None if self.index is None else os.fspath(self.index)
        settings: dict[str, Any] = default_to_dict(
            self, index=path, k=self.k, threshold=self.threshold
        )
        return settings

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RagkitRetriever:
        """Build the component from what ``to_dict`` returned."""
        retriever: RagkitRetriever = default_from_dict(cls, data)
        return retriever
