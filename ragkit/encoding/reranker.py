"""Optional reranking: a cross-encoder scores a question and a passage together.

Any sentence-transformers ``CrossEncoder`` with one output (Nogueira & Cho 2019, arXiv:1901.04085),
from a folder or the model hub. It is far slower than the rest of a query, and better on hard
questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ragkit.encoding.models import find_model
from ragkit.encoding.sentence_transformer import model_loading
from ragkit.errors import EncoderError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import CrossEncoder

__all__ = ["CrossEncoderReranker", "Reranker", "load_reranker"]


class Reranker(Protocol):
    """Scores texts by how well they answer a question."""

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Score each text, 0–1, higher is better: ``(len(texts),)`` float32."""
        ...


def load_reranker(name: str) -> CrossEncoderReranker:
    """Load a cross-encoder.

    Args:
        name: a folder, or a name on the model hub.

    Returns:
        The reranker. Its weights are loaded when it first scores a text.

    Raises:
        EncoderError: there is no such model, or it has no safetensors weights.

    """
    directory, _ = find_model(name)
    return CrossEncoderReranker(directory)


class CrossEncoderReranker:
    """A sentence-transformers ``CrossEncoder`` with one logit, mapped to 0–1 by a sigmoid."""

    def __init__(self, directory: Path) -> None:
        """Use the cross-encoder in a folder."""
        self._directory = directory
        self._lock = Lock()

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Score each text, 0–1, higher is better: ``(len(texts),)`` float32.

        Raises:
            EncoderError: the model cannot be loaded, or has more than one output.

        """
        if not texts:
            return np.zeros(0, dtype=np.float32)
        import torch

        with self._lock:
            scores = self._model.predict(
                [(question, text) for text in texts],
                activation_fn=torch.nn.Sigmoid(),
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.asarray(scores, dtype=np.float32)

    @cached_property
    def _model(self) -> CrossEncoder:
        from sentence_transformers import CrossEncoder

        with model_loading(self._directory):
            model = CrossEncoder(
                str(self._directory),
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
        if model.num_labels != 1:
            raise EncoderError(
                f"the cross-encoder in {self._directory} has {model.num_labels} outputs; expected "
                f"one, the relevance of a passage to a question. Choose a reranking model."
            )
        return model
