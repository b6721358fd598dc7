"""What every encoder does around its model: tokenize, cut into windows, and join them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ragkit.encoding.base import Encoded, Vectors
from ragkit.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["count_tokens", "encode_windows", "encoded", "load_tokenizer"]

Read = Callable[[Sequence[str], Sequence[Any]], list[Encoded]]
"""Reads texts that fit the model's window; also given is each as the tokenizer made it."""


def load_tokenizer(path: Path) -> Tokenizer:
    """The fast tokenizer in a ``tokenizer.json``, in a copy that neither pads nor cuts."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    # tokenizers raises a bare Exception for a missing or malformed file.
    except Exception as error:
        raise EncoderError(
            f"{path} cannot be read ({error}); expected a fast tokenizer. "
            f"Save the model with SentenceTransformer.save_pretrained."
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def count_tokens(tokenizer: Tokenizer, texts: Sequence[str]) -> list[int]:
    """Tokens of each text, special ones not counted."""
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [len(encoding.ids) for encoding in encodings]


def encode_windows(
    texts: Sequence[str], tokenizer: Tokenizer, window: int, read: Read
) -> list[Encoded]:
    """Each text as ``read`` reads it, however long it is.

    A text longer than ``window`` tokens is cut at token borders into windows, each read: its tokens
    follow one another, and its vector is the windows' mean weighted by tokens, normalised again.
    Nothing is dropped.
    """
    encodings = tokenizer.encode_batch(list(texts))
    special = tokenizer.num_special_tokens_to_add(is_pair=False)
    if all(len(encoding) <= window + special for encoding in encodings):
        return read(texts, encodings)
    parts = [_windows(text, tokenizer, window) for text in texts]
    fitting = [text for windows in parts for _, text in windows]
    found = iter(read(fitting, tokenizer.encode_batch(fitting)))
    return [_joined([(start, next(found)) for start, _ in windows]) for windows in parts]


def encoded(vector: Vectors, tokens: Vectors, encoding: Any) -> Encoded:
    """A model's pooled vector and last hidden states, special tokens included, as an Encoded."""
    kept = np.flatnonzero(np.asarray(encoding.special_tokens_mask) == 0)
    offsets = encoding.offsets
    starts = np.asarray([offsets[i][0] for i in kept], dtype=np.int64)
    return Encoded(_unit(vector), _unit(tokens[kept]), starts)


def _windows(text: str, tokenizer: Tokenizer, window: int) -> list[tuple[int, str]]:
    """Where each window of the text begins, and its text; each fits the model."""
    fitting: list[tuple[int, str]] = []
    todo = [(0, text)]
    while todo:
        start, part = todo.pop()
        offsets = tokenizer.encode(part, add_special_tokens=False).offsets
        if len(offsets) <= window or len(part) == 1:
            fitting.append((start, part))
            continue
        # One code point may be several tokens, so a cut must lie beyond the part's start; and
        # a part may have more tokens alone than inside the text, so it is counted again.
        borders = {offsets[i][0] for i in range(window, len(offsets), window)} - {0}
        cuts = [0, *(sorted(borders) or [len(part) // 2]), len(part)]
        todo += [(start + a, part[a:b]) for a, b in reversed(list(pairwise(cuts)))]
    return fitting


def _joined(windows: Sequence[tuple[int, Encoded]]) -> Encoded:
    if len(windows) == 1:
        return windows[0][1]
    weighted = sum(part.vector * max(1, len(part.tokens)) for _, part in windows)
    return Encoded(
        _unit(np.asarray(weighted)),
        np.concatenate([part.tokens for _, part in windows]),
        np.concatenate([part.starts + start for start, part in windows]),
    )


def _unit(vectors: Vectors) -> Vectors:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Vectors = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit
