"""Load citations that were saved as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from ragkit.errors import InputError
from ragkit.types import Citation

__all__ = ["load_citations"]


def load_citations(path: Path) -> list[Citation]:
    """Load the citations in a JSON file.

    Args:
        path: a file with a list of citations (``Citation.to_dict()``), a list of passages, or an
            answer as ``Answer.to_dict()`` and ``ragkit ask --json`` give it.

    Raises:
        InputError: the file cannot be read, or has no citations in one of these forms.

    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        items = content["passages"] if isinstance(content, dict) else content
        return [Citation.from_dict(item.get("citation", item)) for item in items]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} holds no citations ({type(error).__name__}: {error}); expected what "
            f"`ragkit ask --json` prints, or a list of citations."
        ) from error
