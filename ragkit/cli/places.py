"""Where citations are from: the file of a document, beside a citation in JSON and in print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragkit.citations.urls import is_web_url

if TYPE_CHECKING:
    import ragkit

__all__ = [
    "citation_json",
    "local_path",
    "place_of",
    "relative_path",
    "with_paths",
]


def local_path(citation: ragkit.Citation, index: ragkit.Index) -> Path | None:
    """Return the absolute path of a cited file; None if it is missing or has a web address."""
    path = None if is_web_url(citation.url) else index.source_path(citation.document_id)
    return path.resolve() if path is not None and path.is_file() else None


def relative_path(path: Path) -> Path:
    """Return the path relative to the working directory, if it is inside that."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def with_paths(
    content: dict[str, Any], answer: ragkit.Answer, index: ragkit.Index
) -> dict[str, Any]:
    """Add to an answer's JSON the ``path`` of each passage from a file without a web address."""
    for passage, entry in zip(answer.passages, content["passages"], strict=True):
        entry.update(_path_json(passage.citation, index))
    return content


def citation_json(citation: ragkit.Citation, index: ragkit.Index) -> dict[str, Any]:
    """Return a citation's id, its fields, and the ``path`` of its file if it has one."""
    fields = {"id": citation.passage_id, "citation": citation.to_dict()}
    return {**fields, **_path_json(citation, index)}


def place_of(citation: ragkit.Citation, index: ragkit.Index) -> str | None:
    """Return where a cited document can be opened: its web address or its file, else None."""
    path = local_path(citation, index)
    return citation.url or (str(relative_path(path)) if path else None)


def _path_json(citation: ragkit.Citation, index: ragkit.Index) -> dict[str, str]:
    path = local_path(citation, index)
    return {} if path is None else {"path": str(path)}
