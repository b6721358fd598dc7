"""The query encoder: an exported model run by onnxruntime, without torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ragkit.encoding.encoder import (
    Encoded,
    Fingerprint,
    Prompts,
    Role,
    TextTokenizer,
    Tokens,
    Vectors,
    count_tokens,
    encode_windows,
    load_tokenizer,
    longest_prompt,
    to_encoded,
)
from ragkit.encoding.export import Export
from ragkit.encoding.multi_vector import to_multi_vector
from ragkit.encoding.pieces import PieceTokenizer, has_pieces
from ragkit.timing import LAP

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

__all__ = ["OnnxEncoder", "load_session", "load_tokenizer_of", "usable_cpus"]

BATCH = 16
"""Texts of one forward pass."""

_PAIRS = BATCH * 512**2
"""Pairs of tokens of one forward pass: attention needs memory for each, a number a head."""

_MAX_THREADS = 4
"""A question has too few tokens to keep more threads busy."""

_CGROUP = Path("/sys/fs/cgroup")


class OnnxEncoder:
    """Encode with an exported model. Any number of threads may share one encoder.

    The model is loaded when the first text is encoded.
    """

    def __init__(self, fingerprint: Fingerprint, export: Export) -> None:
        """Use an export of the model that ``fingerprint`` identifies."""
        self._fingerprint = fingerprint
        self._export = export

    @property
    def fingerprint(self) -> Fingerprint:
        """Of the exported model, since this encoder's vectors are compared with that model's."""
        return self._fingerprint

    @property
    def export(self) -> Export:
        """The export that is run."""
        return self._export

    @property
    def dimension(self) -> int:
        """Length of each vector."""
        return self._export.dimension

    @property
    def readings(self) -> int:
        """How often it reads a chunk of an index (``Encoder``)."""
        return 1 if self._export.is_multi_vector else 2

    @property
    def runtime(self) -> str:
        """The precision of its weights."""
        return self._export.precision

    @cached_property
    def window(self) -> int:
        """Most tokens of a text that the model takes at once, beside special tokens and prompt."""
        if self._fingerprint.prompts == Prompts():
            return self._export.window
        tokenizer = self._tokenizer_for("question")
        return self._export.window - longest_prompt(tokenizer, self._fingerprint.prompts)

    def encode(self, texts: Sequence[str], *, role: Role = "passage") -> list[Encoded]:
        """Encode each text: the vector by the model's pooling, the tokens from its last layer."""
        if not texts:
            return []
        prompt = self._fingerprint.prompts.of(role)
        encode_batch = partial(self._encode_batch, role)
        tokenizer = self._tokenizer_for(role)
        return encode_windows(texts, tokenizer, self.window, encode_batch, prompt=prompt)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, special tokens left out."""
        return count_tokens(self._tokenizer_for("passage"), texts)

    def _encode_batch(
        self, role: Role, texts: Sequence[str], encodings: Sequence[Tokens]
    ) -> list[Encoded]:
        """Encode texts of similar length together, so that little is padded."""
        encoded: dict[int, Encoded] = {}
        inputs = [self._filled_up(role, encoding.ids) for encoding in encodings]
        for batch in _batches([len(ids) for ids, _ in inputs]):
            batch_states = self._run([inputs[i] for i in batch])
            for i, padded in zip(batch, batch_states, strict=True):
                states = padded[: len(inputs[i][0])]
                encoded[i] = self._to_encoded(role, states, texts[i], encodings[i])
        return [encoded[i] for i in range(len(texts))]

    def _filled_up(self, role: Role, ids: Sequence[int]) -> tuple[Sequence[int], int]:
        """Return a text's tokens, with mask tokens if it has some; and how many are attended to."""
        expansion = self._export.expansion
        if role != "question" or not expansion:
            return ids, len(ids)
        filled = [*ids, *[expansion["id"]] * (expansion["length"] - len(ids))]
        return filled, len(filled) if expansion["attend"] else len(ids)

    def _to_encoded(self, role: Role, states: Vectors, text: str, encoding: Tokens) -> Encoded:
        if self._export.is_multi_vector:
            silent, prompt = self._export.silent_ids(role), self._fingerprint.prompts.of(role)
            return to_multi_vector(states, text, encoding, silent=silent, prompt=prompt)
        pooled = states[0] if self._export.pooling == "cls" else states.mean(axis=0)
        return to_encoded(pooled, states, text, encoding)

    def _run(self, batch: Sequence[tuple[Sequence[int], int]]) -> Vectors:
        """Return the last hidden states, ``(batch, longest, d)``.

        Args:
            batch: the tokens of each text, and how many of them are attended to.

        """
        longest = max(len(tokens) for tokens, _ in batch)
        ids = np.zeros((len(batch), longest), dtype=np.int32)
        mask = np.zeros_like(ids)
        for row, (tokens, attended) in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, :attended] = 1
        positions = np.arange(longest, dtype=np.int32)
        inputs = {"input_ids": ids, "attention_mask": mask, "positions": positions}
        LAP.get()("tokenize")
        session = load_session(self._export.model)
        gflop = 2e-9 * ids.size * self._export.macs
        states: Vectors = session.run(None, inputs)[0]
        LAP.get()(f"forward pass of {ids.size} tokens, {gflop:.2f} GFLOP")
        return states

    def _tokenizer_for(self, role: Role) -> TextTokenizer:
        """Many and long passages pay for loading all of the vocabulary; a question does not."""
        load = _load_question_tokenizer if role == "question" else load_tokenizer_of
        return load(self._export.tokenizer)


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Group texts by their numbers of tokens, the shortest first.

    >>> _batches([7, 5, 8192])
    [[1, 0], [2]]
    """
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        size = len(batches[-1]) + 1 if batches else 1
        if not batches or size > BATCH or size * lengths[i] ** 2 > _PAIRS:
            batches.append([])
        batches[-1].append(i)
    return batches


@lru_cache(maxsize=4)
def load_tokenizer_of(path: Path) -> Tokenizer:
    """Load a tokenizer, once a process."""
    tokenizer = load_tokenizer(path)
    LAP.get()("load the tokenizer")
    return tokenizer


@lru_cache(maxsize=4)
def _load_question_tokenizer(path: Path) -> TextTokenizer:
    if not has_pieces(path.parent):
        return load_tokenizer_of(path)
    tokenizer = PieceTokenizer(path, load_whole=load_tokenizer_of)
    LAP.get()("map the tokenizer's pieces")
    return tokenizer


@lru_cache(maxsize=8)
def load_session(model: Path) -> InferenceSession:
    """Load one session a process, so that indexes with the same model share its weights."""
    import onnxruntime

    LAP.get()("import onnxruntime")
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(_MAX_THREADS, usable_cpus())
    options.inter_op_num_threads = 1
    # Threads spin while a run lasts, which halves its time, and sleep after it.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # The graph is already fused; searching it for more fusions would only cost time.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    LAP.get()("load the model")
    return session


def usable_cpus(cgroup: Path = _CGROUP) -> int:
    """Return how many processors this process may use.

    That is the least of: the processors it may run on, the quota of its container, and the
    environment variable ``OMP_NUM_THREADS``. More threads than the quota allows would be suspended
    in the middle of a run, which makes every question slower.

    Args:
        cgroup: root of Linux's control groups, version 2 (``cpu.max``) or 1 (``cpu.cfs_quota_us``).

    Returns:
        At least 1.

    """
    try:
        available = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows do not have it
        available = os.cpu_count() or 1
    requested = os.environ.get("OMP_NUM_THREADS", "")
    limits = [_cpu_quota(cgroup), int(requested) if requested.isdigit() else None]
    return max(1, min([available, *(limit for limit in limits if limit)]))


def _cpu_quota(cgroup: Path) -> int | None:
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota, period = (
                (cgroup / "cpu" / name).read_text(encoding="ascii").strip()
                for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
        except (OSError, ValueError):
            return None
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None  # "max" or -1: no limit
    return -(-int(quota) // int(period))
