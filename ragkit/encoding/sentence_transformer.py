"""The reference encoder: any sentence-transformers bi-encoder, on CPU or GPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ragkit.encoding.base import Encoded, Fingerprint, Vectors
from ragkit.encoding.quiet import quiet_loading
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

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Each text's vector (the model's own pooling) and its last layer's token vectors.

        A text longer than the window is cut at token borders into windows, each encoded: its tokens
        follow one another, and its vector is the windows' mean weighted by tokens, normalised
        again. Nothing is dropped.
        """
        if not texts:
            return []
        parts = [self._windows(text) for text in texts]
        read = iter(self._read([text for windows in parts for _, text in windows]))
        return [_joined([(start, next(read)) for start, _ in windows]) for windows in parts]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def _windows(self, text: str) -> list[tuple[int, str]]:
        """Where each window of the text begins, and its text; each fits the model."""
        fitting: list[tuple[int, str]] = []
        todo = [(0, text)]
        while todo:
            start, part = todo.pop()
            offsets = self._tokenizer.encode(part, add_special_tokens=False).offsets
            if len(offsets) <= self.window or len(part) == 1:
                fitting.append((start, part))
                continue
            # One code point may be several tokens, so a cut must lie beyond the part's start; and
            # a part may have more tokens alone than inside the text, so it is counted again.
            borders = {offsets[i][0] for i in range(self.window, len(offsets), self.window)} - {0}
            cuts = [0, *(sorted(borders) or [len(part) // 2]), len(part)]
            todo += [(start + a, part[a:b]) for a, b in reversed(list(pairwise(cuts)))]
        return fitting

    def _read(self, texts: Sequence[str]) -> list[Encoded]:
        """Texts that fit the window, read by the model in batches."""
        with self._lock:
            outputs = self._model.encode(
                list(texts), batch_size=BATCH, output_value=None, normalize_embeddings=True
            )
        encodings = self._tokenizer.encode_batch(list(texts))
        return [_encoded(o, e) for o, e in zip(outputs, encodings, strict=True)]

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

        with quiet_loading(self._directory):
            return SentenceTransformer(
                str(self._directory),
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )


def _encoded(output: Any, encoding: Any) -> Encoded:
    tokens = output["token_embeddings"].float().cpu().numpy()
    kept = [i for i, special in enumerate(encoding.special_tokens_mask) if not special]
    starts = np.asarray([encoding.offsets[i][0] for i in kept], dtype=np.int64)
    vector = output["sentence_embedding"].float().cpu().numpy()
    return Encoded(_unit(vector), _unit(tokens[kept]), starts)


def _joined(windows: Sequence[tuple[int, Encoded]]) -> Encoded:
    if len(windows) == 1:
        return windows[0][1]
    weighted = sum(encoded.vector * max(1, len(encoded.tokens)) for _, encoded in windows)
    return Encoded(
        _unit(np.asarray(weighted)),
        np.concatenate([encoded.tokens for _, encoded in windows]),
        np.concatenate([encoded.starts + start for start, encoded in windows]),
    )


def _unit(vectors: Vectors) -> Vectors:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Vectors = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit
