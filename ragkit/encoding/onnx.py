"""The asking encoder: an exported model run by onnxruntime, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ragkit.encoding.base import Encoded, Fingerprint, Vectors
from ragkit.encoding.cpus import usable_cpus
from ragkit.encoding.export import Export
from ragkit.encoding.windows import count_tokens, encode_windows, encoded, load_tokenizer
from ragkit.timing import LAP

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

__all__ = ["OnnxEncoder"]

BATCH = 16

_MOST_THREADS = 4
"""A question has too few tokens to keep more busy."""


class OnnxEncoder:
    """Encodes with an export; the model is loaded at the first text. Any number of threads may."""

    def __init__(self, fingerprint: Fingerprint, export: Export) -> None:
        self._fingerprint = fingerprint
        self._export = export

    @property
    def fingerprint(self) -> Fingerprint:
        """Of the model that was exported: its vectors are compared with that model's."""
        return self._fingerprint

    @property
    def export(self) -> Export:
        return self._export

    @property
    def dimension(self) -> int:
        return self._export.dimension

    @property
    def window(self) -> int:
        return self._export.window

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Each text's vector (pooled as the model says) and its last layer's token vectors."""
        if not texts:
            return []
        return encode_windows(texts, self._tokenizer, self.window, self._read)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return count_tokens(self._tokenizer, texts)

    def _read(self, texts: Sequence[str], encodings: Sequence[Any]) -> list[Encoded]:
        """Texts that fit the window, in batches of like length so that little is padded."""
        order = sorted(range(len(texts)), key=lambda i: len(encodings[i].ids))
        found: dict[int, Encoded] = {}
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            states = self._run([encodings[i].ids for i in batch])
            for i, hidden in zip(batch, states, strict=True):
                own = hidden[: len(encodings[i].ids)]
                found[i] = encoded(self._pooled(own), own, encodings[i])
        return [found[i] for i in range(len(texts))]

    def _run(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """The last hidden states, ``(batch, longest, d)``."""
        longest = max(map(len, batch))
        ids = np.zeros((len(batch), longest), dtype=np.int32)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        positions = np.arange(longest, dtype=np.int32)
        inputs = {"input_ids": ids, "attention_mask": mask, "positions": positions}
        LAP.get()("tokenize")
        session = self._session
        work = 2e-9 * ids.size * self._export.macs
        states: Vectors = session.run(None, inputs)[0]
        LAP.get()(f"forward pass of {ids.size} tokens, {work:.2f} GFLOP")
        return states

    def _pooled(self, states: Vectors) -> Vectors:
        pooled: Vectors = states[0] if self._export.pooling == "cls" else states.mean(axis=0)
        return pooled

    @property
    def _tokenizer(self) -> Tokenizer:
        return _loaded_tokenizer(self._export)

    @property
    def _session(self) -> InferenceSession:
        return _loaded_session(self._export)


@lru_cache(maxsize=4)
def _loaded_tokenizer(export: Export) -> Tokenizer:
    tokenizer = load_tokenizer(export.tokenizer)
    LAP.get()("load the tokenizer")
    return tokenizer


@lru_cache(maxsize=4)
def _loaded_session(export: Export) -> InferenceSession:
    """One for the whole process: indexes with one model share its weights."""
    import onnxruntime

    LAP.get()("import onnxruntime")
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(_MOST_THREADS, usable_cpus())
    options.inter_op_num_threads = 1
    # Threads wait busily inside a run, which halves its time, and sleep after it.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # The graph is written as it should run; looking for fusions would only cost time.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(export.model), options, providers=["CPUExecutionProvider"]
    )
    LAP.get()("load the model")
    return session
