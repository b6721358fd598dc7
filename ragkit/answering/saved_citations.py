"""Load citations from JSON: saved in a file, or arrived from a server in one of its forms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ragkit.citations.urls import is_web_url
from ragkit.errors import InputError
from ragkit.types import Citation

__all__ = ["citations_in", "load_citations"]

_FIELDS = tuple(field.name for field in fields(Citation))


def citations_in(content: object) -> list[Citation]:
    """Return the citations in JSON that came from ragkit, perhaps by way of other programs.

    Each is a ``Citation`` again, to be verified, linked, or passed to ``check_quotes``.

    Args:
        content: an answer, as ``Answer.to_dict()``, ``ragkit ask --json`` and ``POST /v1/ask``
            give it; the result of the MCP tool ``ask``; a chat completion, its message, or the last
            chunk of its stream; or a list of passages, annotations or citations.

    Returns:
        The passages' citations by rank, so that ``[n]`` in a text refers to number n. Of a chat
        completion from which other programs left only the annotations, those of the passages that
        its text refers to, in the order of their ranks.

    Raises:
        InputError: there are no citations in one of these forms.

    Example:
        >>> from ragkit import ask
        >>> answer = ask("Who signed the Treaty of Rapallo?", k=2)
        >>> citations_in(answer.to_dict()) == [passage.citation for passage in answer.passages]
        True

    """
    return _citations(content, f"a {type(content).__name__}")


def load_citations(path: Path) -> list[Citation]:
    """Load the citations in a JSON file: content that ``citations_in`` takes.

    Raises:
        InputError: the file cannot be read, or has no citations.

    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _without_citations(str(path), error) from error
    return _citations(content, str(path))


def _citations(content: object, name: str) -> list[Citation]:
    try:
        return [_citation(item) for item in _items(content)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _without_citations(name, error) from error


def _without_citations(name: str, error: Exception) -> InputError:
    return InputError(
        f"{name} holds no citations ({type(error).__name__}: {error}); expected what `ragkit ask "
        f"--json` prints, the result of a server of ragkit, or a list of citations."
    )


def _items(content: Any) -> Sequence[Any]:
    """Return what has a citation each: passages, annotations or citations."""
    if not isinstance(content, Mapping):
        items = list(content)
        return _by_rank(items) if any("url_citation" in item for item in items) else items
    if "passages" in content:
        return list(content["passages"])
    for name in ("ragkit", "structuredContent", "structured_content"):
        if content.get(name):
            return _items(content[name])
    if "choices" in content:
        [choice] = content["choices"]
        return _items(choice.get("message") or choice["delta"])
    return _by_rank(content["annotations"])


def _by_rank(annotations: Any) -> list[Any]:
    """The passages that annotations name, each once, by rank."""
    cited = (one["url_citation"] for one in annotations if one["type"] == "url_citation")
    return [one for _, one in sorted({one["rank"]: one for one in cited}.items())]


def _citation(item: Mapping[str, Any]) -> Citation:
    if "citation" in item:
        return Citation.from_dict(item["citation"])
    if item.keys() <= set(_FIELDS):
        return Citation.from_dict(item)
    own = {name: item[name] for name in _FIELDS}  # a passage over MCP, which has more of them
    if not is_web_url(own["url"]):
        own["url"] = None  # the URI of a resource stands in for it
    return Citation.from_dict(own)
