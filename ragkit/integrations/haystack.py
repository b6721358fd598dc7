"""A Haystack component.

pipeline.add_component("retriever", RagkitRetriever("indexes/handbook"))
pipeline.connect("retriever.documents", "prompt_builder.documents")
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from ragkit.answering import THRESHOLD
from ragkit.api import Index
from ragkit.default import open_index
from ragkit.errors import InputError
from ragkit.integrations.common import missing_extra, passage_id, passage_metadata

try:
    from haystack import Document, component, default_from_dict, default_to_dict
except ImportError as error:
    raise missing_extra("haystack", "haystack-ai") from error

__all__ = ["RagkitRetriever"]


@component
class RagkitRetriever:
    """Passages as Documents, best first; each one's meta has its exact span.

    ``index``: as for ``ragkit.ask``; a pipeline can be saved if it is a path or None.
    """

    def __init__(
        self,
        index: Any = None,
        k: int = 5,
        threshold: float = THRESHOLD,
    ) -> None:
        self.index = index
        self.k = k
        self.threshold = threshold
        self._opened: Index | None = None

    def warm_up(self) -> None:
        """Open the index."""
        self._opened = open_index(self.index)

    @component.output_types(documents=list[Document], answered=bool, confidence=float)
    def run(self, query: str) -> dict[str, Any]:
        """The documents, whether the corpus says it, and how sure that is."""
        if self._opened is None:
            self.warm_up()
        answer = open_index(self._opened).ask(query, k=self.k, threshold=self.threshold)
        documents = [
            Document(
                id=passage_id(p), content=p.text, meta=passage_metadata(p, answer), score=p.score
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
        """``run`` without blocking the event loop."""
        found: dict[str, Any] = await asyncio.to_thread(self.run, query)
        return found

    def to_dict(self) -> dict[str, Any]:
        """For a saved pipeline. Raises InputError if the index is an object."""
        if isinstance(self.index, Index):
            raise InputError(
                "the component was given an Index, which can't be saved with a pipeline; expected "
                "a path, or None for the index that ragkit carries."
            )
        path = None if self.index is None else os.fspath(self.index)
        found: dict[str, Any] = default_to_dict(
            self, index=path, k=self.k, threshold=self.threshold
        )
        return found

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RagkitRetriever:
        """What ``to_dict`` gave."""
        found: RagkitRetriever = default_from_dict(cls, data)
        return found
