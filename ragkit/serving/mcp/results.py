"""What the tools return: the models of their results, and these made from answers and documents."""

from __future__ import annotations

from urllib.parse import quote

from pydantic import BaseModel, Field

from ragkit.answering.answer import Answer, Passage
from ragkit.api import Index
from ragkit.errors import InputError
from ragkit.serving.serialization import link_of
from ragkit.types import Citation, Document

__all__ = [
    "DOCUMENT_URI",
    "AskResult",
    "FetchResult",
    "SearchResult",
    "ask_result",
    "ask_text",
    "document_uri",
    "fetch_result",
    "search_result",
]

DOCUMENT_URI = "ragkit://documents/"
"""The beginning of a document's URI; its percent-encoded id follows."""


class HighlightResult(BaseModel):
    """A sentence of a passage."""

    start: int
    end: int
    quote: str


class PassageResult(BaseModel):
    """A passage, verbatim. Offsets count Unicode code points of its document's text."""

    id: str = Field(description="The id for `fetch`: document#start-end.")
    document_id: str = Field(description="The id for `fetch` of its whole document.")
    text: str
    label: str = Field(description="Title and heading path in one line.")
    title: str
    section: list[str] = Field(description="The heading path, outermost first.")
    start: int
    end: int
    quote: str = Field(description="The document's text from start to end.")
    page: int | None = Field(description="Page on which it begins, from 1, if there are pages.")
    url: str = Field(description="The document's address.")
    link: str = Field(description="The same address; where possible it scrolls to the highlight.")
    highlight: str = Field(description="The sentence most relevant to the question.")
    highlights: list[HighlightResult] = Field(description="The same, with its place.")


class AskResult(BaseModel):
    """An answer from the corpus, and the passages that support it, best first."""

    question: str
    standalone: str = Field(description="The question as it was understood.")
    answered: bool = Field(description="False where the corpus does not say.")
    short: str | None = Field(description="The shortest words that answer, verbatim, if any do.")
    text: str = Field(description='The answer, verbatim from the first passage, or "".')
    confidence: float = Field(description="From 0 to 1.")
    calibrated: bool = Field(
        description="False where the confidence was not fitted for the model or the language."
    )
    reason: str | None = Field(description="Why it was not answered.")
    stale: bool = Field(
        description="True where the sources changed after they were indexed: it may be outdated."
    )
    passages: list[PassageResult]


class SearchLine(BaseModel):
    """A passage of the result; `fetch` returns its text."""

    id: str
    title: str
    url: str


class SearchResult(BaseModel):
    """Passages, best first."""

    results: list[SearchLine]


class FetchResult(BaseModel):
    """A passage or a document with its complete text."""

    id: str
    title: str
    text: str
    url: str
    metadata: dict[str, str]


def ask_result(answer: Answer, index: Index) -> AskResult:
    """Return the result of ``ask``."""
    return AskResult(
        question=answer.question,
        standalone=answer.standalone,
        answered=answer.answered,
        short=answer.short.quote if answer.short else None,
        text=answer.text,
        confidence=answer.confidence,
        calibrated=answer.calibrated,
        reason=answer.reason.value if answer.reason else None,
        stale=answer.stale,
        passages=[_passage_result(passage, index) for passage in answer.passages],
    )


def ask_text(answer: Answer) -> str:
    """Return the answer for clients that show only text: Markdown, and the passages' ids."""
    if not answer.passages:
        return answer.to_markdown()
    ids = "".join(f"\n- [{one.rank}] {one.citation.passage_id}" for one in answer.passages)
    return f"{answer.to_markdown()}\nIds of the passages, for `fetch`:\n{ids}\n"


def search_result(passages: list[Passage], index: Index) -> SearchResult:
    """Return the result of ``search``."""
    lines = [
        SearchLine(
            id=passage.citation.passage_id,
            title=passage.citation.label,
            url=_address(link_of(passage, index), passage.citation),
        )
        for passage in passages
    ]
    return SearchResult(results=lines)


def fetch_result(fetched_id: str, index: Index) -> FetchResult:
    """Return the document or the passage with an id.

    An id that is both is a document's.

    Raises:
        InputError: The index has neither a document nor a passage with this id.

    """
    try:
        return _whole_document(index.document(fetched_id))
    except InputError:
        if "#" not in fetched_id:
            raise
    return _passage(fetched_id, index.cite(fetched_id), index)


def document_uri(document_id: str) -> str:
    """Return the URI of the resource that a document is."""
    return DOCUMENT_URI + quote(document_id, safe="")


def _passage_result(passage: Passage, index: Index) -> PassageResult:
    citation = passage.citation
    return PassageResult(
        id=passage.citation.passage_id,
        document_id=citation.document_id,
        text=passage.text,
        label=citation.label,
        title=citation.title,
        section=list(citation.section),
        start=citation.start,
        end=citation.end,
        quote=citation.quote,
        page=citation.page,
        url=citation.url or document_uri(citation.document_id),
        link=_address(link_of(passage, index), citation),
        highlight=" … ".join(passage.quote(span) for span in passage.highlights),
        highlights=[
            HighlightResult(start=span.start, end=span.end, quote=passage.quote(span))
            for span in passage.highlights
        ],
    )


def _whole_document(document: Document) -> FetchResult:
    return FetchResult(
        id=document.id,
        title=document.title,
        text=document.text,
        url=document.url or document_uri(document.id),
        metadata={"document_id": document.id},
    )


def _passage(fetched_id: str, citation: Citation, index: Index) -> FetchResult:
    return FetchResult(
        id=fetched_id,
        title=citation.label,
        text=citation.quote,
        url=_address(citation.deep_link(index.document(citation.document_id)), citation),
        metadata={
            "document_id": citation.document_id,
            "title": citation.title,
            "section": " › ".join(citation.section),
            "start": str(citation.start),
            "end": str(citation.end),
        },
    )


def _address(link: str | None, citation: Citation) -> str:
    """Return the link, or else another address: ChatGPT cites nothing without one."""
    return link or citation.url or document_uri(citation.document_id)
