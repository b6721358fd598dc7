"""The prompts that a model was trained with: recorded with its weights, or known by its name.

The markers of a model for late interaction are its prompts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ragkit.encoding.encoder import Prompts
from ragkit.encoding.multi_vector_design import marker_prompts

__all__ = ["find_prompts"]

_CONFIG = "config_sentence_transformers.json"
_QUESTION_NAMES = ("query", "question", "search_query")
_PASSAGE_NAMES = ("document", "passage", "corpus", "search_document")

_REPRESENT = "Represent this sentence for searching relevant passages: "
_FAMILIES = (
    (
        re.compile(r"(?:^|[-_/])e5-(?:small|base|large)(?!.*instruct)"),
        Prompts("query: ", "passage: "),
    ),
    (re.compile(r"(?:^|[-_/])bge-(?:small|base|large)-en"), Prompts(_REPRESENT)),
    (re.compile(r"nomic-embed-text"), Prompts("search_query: ", "search_document: ")),
    (re.compile(r"snowflake-arctic-embed-[a-z]+-v2"), Prompts("query: ")),
    (re.compile(r"snowflake-arctic-embed"), Prompts(_REPRESENT)),
)
"""By a model's name, in lower case: as the cards of the models say, where the files do not."""


def find_prompts(directory: Path, name: str) -> Prompts:
    """Return the prompts of the model in a folder; blank for a model that has none.

    Args:
        directory: the model's folder.
        name: as it was asked for: a folder, or a name on the model hub.

    Raises:
        EncoderError: a model for late interaction has a configuration that cannot be parsed.

    """
    try:
        config = json.loads((directory / _CONFIG).read_text(encoding="utf-8"))
        recorded = dict(config.get("prompts") or {})
    except (OSError, ValueError, TypeError, AttributeError):
        config, recorded = {}, {}
    markers = marker_prompts(directory)
    for task, marker in markers.items():
        recorded[task] = marker + str(recorded.get(task) or "").removeprefix(marker)
    default = recorded.get(config.get("default_prompt_name"), "")
    own = Prompts(
        _first(recorded, _QUESTION_NAMES, default), _first(recorded, _PASSAGE_NAMES, default)
    )
    return own if markers or own != Prompts() else _of_family(name)


def _first(prompts: Mapping[str, Any], names: Sequence[str], default: str) -> str:
    return next((str(prompts[name]) for name in names if prompts.get(name)), default)


def _of_family(name: str) -> Prompts:
    """The prompts of a known family.

    >>> _of_family("intfloat/multilingual-e5-small").question, _of_family("BAAI/bge-m3").question
    ('query: ', '')
    """
    lower = name.replace("\\", "/").lower()
    return next((prompts for family, prompts in _FAMILIES if family.search(lower)), Prompts())
