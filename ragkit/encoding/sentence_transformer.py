"""The reference encoder: any sentence-transformers bi-encoder, on CPU or GPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from ragkit.encoding.base import Fingerprint, Vectors
from ragkit.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

__all__ = ["SentenceTransformerEncoder"]

BATCH = 32


class SentenceTransformerEncoder:
    """Encodes with the model in ``directory``; a text over its window is read window by window."""

    def __init__(self, fingerprint: Fingerprint, directory: Path) -> None:
        self._fingerprint = fingerprint
        self._directory = directory
        # A fast tokenizer's padding state is shared, so one encoding runs at a time.
        self._lock = Lock()

    @property
    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    @property
    def dimension(self) -> int:
        return int(self._model.get_embedding_dimension() or 0)

    @cached_property
    def window(self) -> int:
        special = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        return int(self._model.max_seq_length or 512) - special

    def encode(self, texts: Sequence[str]) -> Vectors:
        """``(len(texts), dimension)`` float32, unit norm.

        A text longer than the window is cut at token borders into windows, each encoded; its vector
        is their mean weighted by tokens, normalised again. Nothing is dropped.
        """
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        windows: list[str] = []
        owners: list[int] = []
        weights: list[int] = []
        for owner, (text, size) in enumerate(zip(texts, self.count_tokens(texts), strict=True)):
            parts = [text] if size <= self.window else self._windows(text)
            windows += parts
            owners += [owner] * len(parts)
            weights += [size] if len(parts) == 1 else self.count_tokens(parts)
        with self._lock:
            vectors: Vectors = self._model.encode(
                windows, batch_size=BATCH, convert_to_numpy=True, normalize_embeddings=True
            ).astype(np.float32, copy=False)
        if len(windows) == len(texts):
            return vectors
        sums = np.zeros((len(texts), vectors.shape[1]), dtype=np.float32)
        np.add.at(sums, owners, vectors * np.asarray(weights, dtype=np.float32)[:, None])
        means: Vectors = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return means

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def _windows(self, text: str) -> list[str]:
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        starts = [offsets[i][0] for i in range(0, len(offsets), self.window)]
        return [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        """The model's own tokenizer, in a copy that neither pads nor cuts."""
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(self._directory / "tokenizer.json"))
        # tokenizers raises a bare Exception for a missing or malformed file.
        except Exception as error:
            raise EncoderError(
                f"{self._directory / 'tokenizer.json'} cannot be read ({error}); expected a fast "
                f"tokenizer. Save the model with SentenceTransformer.save_pretrained."
            ) from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _model(self) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            return SentenceTransformer(
                str(self._directory),
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
        # A model folder can fail in torch, transformers or safetensors, each with its own types.
        except Exception as error:
            raise EncoderError(
                f"the model in {self._directory} could not be loaded "
                f"({type(error).__name__}: {error}); expected a sentence-transformers model."
            ) from error
        finally:
            if bars:
                logging.enable_progress_bar()
