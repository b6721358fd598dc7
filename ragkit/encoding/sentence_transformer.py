"""The reference encoder: any sentence-transformers bi-encoder, on CPU or GPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from ragkit.encoding.base import Encoded, Fingerprint
from ragkit.encoding.quiet import quiet_loading
from ragkit.encoding.windows import count_tokens, encode_windows, encoded, load_tokenizer

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

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Each text's vector (the model's own pooling) and its last layer's token vectors."""
        if not texts:
            return []
        return encode_windows(texts, self._tokenizer, self.window, self._read)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return count_tokens(self._tokenizer, texts)

    def _read(self, texts: Sequence[str], encodings: Sequence[Any]) -> list[Encoded]:
        """Texts that fit the window, read by the model in batches."""
        with self._lock:
            outputs = self._model.encode(
                list(texts), batch_size=BATCH, output_value=None, normalize_embeddings=True
            )
        return [
            encoded(
                output["sentence_embedding"].float().cpu().numpy(),
                output["token_embeddings"].float().cpu().numpy(),
                encoding,
            )
            for output, encoding in zip(outputs, encodings, strict=True)
        ]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return load_tokenizer(self._directory / "tokenizer.json")

    @cached_property
    def _model(self) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer

        with quiet_loading(self._directory):
            return SentenceTransformer(
                str(self._directory),
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
