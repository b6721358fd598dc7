"""What is in the corpus: documents and passages by their ids."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query

import ragkit
from ragkit.api import Index
from ragkit.errors import InputError
from ragkit.serving.problems import responses
from ragkit.serving.rendering import citation_of, document_json, document_line
from ragkit.serving.schemas import CorpusOut, DocumentOut, DocumentsOut, PassageAloneOut
from ragkit.serving.state import Here
from ragkit.types import Document

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["corpus"])
SHOWN = 20


@router.get("/corpus", responses=responses())
async def corpus(here: Here) -> CorpusOut:
    """What is served, and which generation of it."""
    index = here.live.current
    return CorpusOut.model_validate(
        {
            "generation": index.generation,
            "counts": index.counts,
            "documents": [document_line(d) for d in index.documents[:SHOWN]],
            "llm": here.llm.name if here.llm else None,
            "version": ragkit.__version__,
        }
    )


@router.get("/documents", responses=responses())
async def documents(
    here: Here,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> DocumentsOut:
    """The documents, a stretch at a time."""
    every = here.live.current.documents
    some = [document_line(d) for d in every[offset : offset + limit]]
    return DocumentsOut.model_validate({"documents": some, "total": len(every)})


@router.get("/documents/{document_id:path}", responses=responses(404), response_model=DocumentOut)
async def document(here: Here, document_id: Annotated[str, Path(min_length=1)]) -> dict[str, Any]:
    """One document: its text, and the same as blocks to show."""
    found = _document(here.live.current, document_id)
    return await here.workers.call(lambda: document_json(found))


@router.get("/passages/{passage_id:path}", responses=responses(404))
async def passage(
    here: Here, passage_id: Annotated[str, Path(min_length=1, examples=["article#120-480"])]
) -> PassageAloneOut:
    """A passage by its id, ``document#start-end`` (``%23`` in a URL): any span of a document."""
    index = here.live.current
    try:
        citation = citation_of(passage_id, index)
    except InputError as error:
        raise HTTPException(404, str(error)) from error
    link = citation.deep_link(index.document(citation.document_id))
    content = {"id": passage_id, "citation": citation.to_dict(), "link": link}
    return PassageAloneOut.model_validate(content)


def _document(index: Index, document_id: str) -> Document:
    try:
        return index.document(document_id)
    except InputError as error:
        raise HTTPException(404, str(error)) from error
