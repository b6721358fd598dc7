"""The default index, and the functions that ask it: ``ask``, ``ask_many``, ``aask``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Unpack

from ragkit.answerer import Options
from ragkit.answering.answer import Answer, Passage
from ragkit.answering.generated import Sentence
from ragkit.api import Index
from ragkit.errors import InputError
from ragkit.grounding import check_sentences
from ragkit.index import Where
from ragkit.quotes.report import QuoteReport
from ragkit.reading import SHIPPED, Reader
from ragkit.types import Citation

__all__ = [
    "IndexLike",
    "aask",
    "ask",
    "ask_many",
    "check_quotes",
    "check_support",
    "default_index",
    "open_index",
]

DEFAULT_INDEX = "germany-soviet-union-relations-1918-1941"

IndexLike = Index | str | os.PathLike[str] | None
"""An Index, the path or address of one, or None for the default index."""


def ask(question: str, *, index: IndexLike = None, **options: Unpack[Options]) -> Answer:
    """Answer ``question`` from the corpus, with its best passages as proof.

    Args:
        question: what to ask.
        index: an Index, its path, or None for the article that ragkit carries (Wikipedia,
            "Germany–Soviet Union relations (1918–1941)").
        options: those of ``Index.ask``: ``k``, ``threshold``, ``where``, ``llm``, ``unsupported``.

    Raises:
        QuestionError: the question cannot be asked.
        RagkitError: what ``Index.open`` and ``Index.ask`` raise.

    Example:
        >>> from ragkit import ask
        >>> answer = ask("Who signed the Treaty of Rapallo?")
        >>> answer.passages[0].citation.section[-1]
        'Treaty of Rapallo 1922 and secret military cooperation'

    """
    return open_index(index).ask(question, **options)


def ask_many(
    questions: Sequence[str],
    *,
    index: IndexLike = None,
    k: int = 5,
    threshold: float | None = None,
    where: Where | None = None,
) -> list[Answer]:
    """Answer several questions, encoded in one batch; answers are in the order asked."""
    return open_index(index).ask_many(questions, k=k, threshold=threshold, where=where)


async def aask(question: str, *, index: IndexLike = None, **options: Unpack[Options]) -> Answer:
    """Answer as ``ask`` does, without blocking the event loop."""
    import asyncio

    return await asyncio.to_thread(ask, question, index=index, **options)


def check_quotes(
    text: str, index: IndexLike = None, *, passages: Sequence[Passage | Citation] = ()
) -> QuoteReport:
    """Check whether each quotation in ``text`` is in the corpus, verbatim. No model is used.

    Args:
        text: any text, such as a language model's answer. Its markers ``[1]``, ``[2, 3]`` refer to
            ``passages`` by rank.
        index: as for ``ask``.
        passages: what the markers refer to: ``answer.passages``, or the citations that arrived from
            a server (``citations_in``).

    """
    return open_index(index)._quotes.check(text, passages)


def check_support(
    text: str, index: IndexLike = None, *, passages: Sequence[Passage]
) -> list[Sentence]:
    """Check whether the passages support each sentence of ``text``, as those of ``llm`` are.

    Args:
        text: any text, such as a language model's answer. Its markers ``[1]``, ``[2, 3]`` refer to
            ``passages`` by rank.
        index: as for ``ask``; its reader reads the passages too, unless it was opened without one.
        passages: what the text may say, best given as ``answer.passages``.

    Returns:
        Each sentence that has a letter or a digit, in order, with its verdict.

    Example:
        >>> from ragkit import ask, check_support
        >>> passages = ask("Who signed the Treaty of Rapallo?").passages
        >>> [sentence] = check_support("Hitler signed it in 1922 [1].", passages=passages)
        >>> sentence.status.value, sentence.reason
        ('unsupported', 'the passage does not contain Hitler')

    """
    return check_sentences(text, passages, open_index(index)._reader)


@lru_cache(maxsize=1)
def default_index() -> Index:
    """Return the index that ragkit carries, opened once for the process."""
    inside = Path(__file__).parent / "indexes" / DEFAULT_INDEX
    beside = Path(__file__).parent.parent / "indexes" / DEFAULT_INDEX
    return Index.open(inside if inside.is_dir() else beside)


def open_index(
    index: IndexLike, *, reader: Reader | str | None = SHIPPED, require_fresh: bool = False
) -> Index:
    """Return the Index that ``index`` names; with ``reader`` unless it is an Index already.

    ``require_fresh``: as for ``Index.open``.

    Raises what ``Index.open`` raises.
    """
    if index is None:
        return default_index() if reader == SHIPPED else default_index().with_reader(reader)
    if isinstance(index, Index):
        return index
    if isinstance(index, (str, os.PathLike)):
        return Index.open(index, reader=reader, require_fresh=require_fresh)
    raise InputError(
        f"index is a {type(index).__name__}; expected a ragkit.Index, a path, or None."
    )
