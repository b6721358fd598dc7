"""The content of the corpus: documents and passages by their ids."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query

import ragkit
from ragkit.errors import InputError
from ragkit.serving.error_handlers import documented_errors
from ragkit.serving.schemas import CorpusOut, DocumentOut, DocumentsOut, PassageAloneOut
from ragkit.serving.serialization import document_json, document_summary
from ragkit.serving.state import CurrentState, ReadableIndex

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["corpus"])
_DOCUMENTS_IN_CORPUS = 20  # how many `/corpus` names; `/documents` lists them all


@router.get("/corpus", responses=documented_errors())
async def corpus(state: CurrentState, index: ReadableIndex) -> CorpusOut:
    """Describe the corpus: its generation, its size and its first documents."""
    first = index.documents[:_DOCUMENTS_IN_CORPUS]
    return CorpusOut.model_validate(
        {
            "generation": index.generation,
            "counts": index.counts,
            "documents": [document_summary(document) for document in first],
            "llm": state.llm.name if state.llm else None,
            "feedback": state.feedback is not None,
            "version": ragkit.__version__,
        }
    )


@router.get("/documents", responses=documented_errors())
async def documents(
    index: ReadableIndex,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> DocumentsOut:
    """List the documents, from ``offset``, at most ``limit`` of them."""
    every = index.documents
    listed = [document_summary(document) for document in every[offset : offset + limit]]
    return DocumentsOut.model_validate({"documents": listed, "total": len(every)})


@router.get(
    "/documents/{document_id:path}",
    responses=documented_errors(404),
    response_model=DocumentOut,
)
async def document(
    state: CurrentState, index: ReadableIndex, document_id: Annotated[str, Path(min_length=1)]
) -> dict[str, Any]:
    """Return one document: its text, and the same text as blocks to show on a page."""
    try:
        content = index.document(document_id)
    except InputError as error:
        raise HTTPException(404, str(error)) from error
    return await state.workers.call(lambda: document_json(content))


@router.get("/passages/{passage_id:path}", responses=documented_errors(404))
async def passage(
    index: ReadableIndex,
    passage_id: Annotated[str, Path(min_length=1, examples=["article#120-480"])],
) -> PassageAloneOut:
    """Return the span that ``document#start-end`` names (``%23`` for ``#`` in a URL)."""
    try:
        citation = index.cite(passage_id)
    except InputError as error:
        raise HTTPException(404, str(error)) from error
    link = citation.deep_link(index.document(citation.document_id))
    content = {"id": passage_id, "citation": citation.to_dict(), "link": link}
    return PassageAloneOut.model_validate(content)
