"""The reader that ragkit carries, run by onnxruntime, without torch.

How it was trained, on what, and what it is worth: ``training/MODEL_CARD.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragkit.encoding.carried import CarriedModel
from ragkit.encoding.encoder import Vectors
from ragkit.encoding.export import Precision
from ragkit.reading.graph import reader_graph
from ragkit.reading.reader import SHIPPED, Calibration, Kind, Reading, Window
from ragkit.reading.spans import best_span
from ragkit.text.spans import Span
from ragkit.timing import LAP

if TYPE_CHECKING:
    from tokenizers import Encoding

__all__ = ["ShippedReader", "load_reader"]

_FOLDER = Path(__file__).parent / "weights"
_CLS, _SEP, _SLASH = 101, 102, 1013  # [CLS], [SEP] and "/" of BERT's vocabulary
_BATCH = 16


@lru_cache(maxsize=4)
def load_reader(name: str = SHIPPED, precision: Precision = "int8") -> ShippedReader:
    """Load a reader; one a process, so that indexes share its weights.

    Args:
        name: ``"shipped"``, or a folder that ``training.export`` wrote.
        precision: of its weights when it reads.

    Returns:
        The reader. Its weights are loaded when it first reads.

    Raises:
        EncoderError: the folder holds no reader, or the weights are altered.

    """
    return ShippedReader(_FOLDER if name == SHIPPED else Path(name), precision)


class _Row(NamedTuple):
    window: list[int]
    begin: int  # where the window's own tokens begin
    asked: list[int]


class ShippedReader:
    """A reader as ``training.export`` writes it. Any number of threads may share one."""

    def __init__(self, folder: Path, precision: Precision = "int8") -> None:
        """Use the weights in a folder, verified when they are first needed."""
        remedy = "open the index with reader=None"
        self._model = CarriedModel("reader", folder, reader_graph, remedy, precision)
        self._described = self._model.description

    @property
    def calibration(self) -> Calibration:
        """As fitted on articles that the reader was not trained on."""
        fitted = self._described["calibration"]
        return Calibration(**{**fitted, "answers": tuple(fitted["answers"])})

    @property
    def window_tokens(self) -> int:
        """Most tokens of a window that it was trained to read."""
        return int(self._described["window_tokens"])

    @property
    def languages(self) -> frozenset[str]:
        """English."""
        return frozenset({"en"})

    def token_spans(self, texts: Sequence[str]) -> list[list[Span]]:
        """Return where each token of each text begins and ends, in code points."""
        return [[Span(*offsets) for offsets in one.offsets] for one in self._encoded(texts)]

    def read(self, asked: Sequence[tuple[str, Window]]) -> list[Reading]:
        """Read each question with its window; those of similar length in one batch."""
        if not asked:
            return []
        questions = self._encoded([question for question, _ in asked])
        titles = self._encoded([window.title for _, window in asked])
        texts = self._encoded([window.text for _, window in asked])
        most_asked = self._described["question_tokens"]
        most_titled = self._described["title_tokens"]
        rows = []
        for question, title, text in zip(questions, titles, texts, strict=True):
            head = [_CLS, *title.ids[:most_titled], _SLASH]
            own = [_CLS, *question.ids[-most_asked:], _SEP]  # in a conversation, its end
            rows.append(_Row([*head, *text.ids, _SEP], len(head), own))
        order = sorted(range(len(rows)), key=lambda i: len(rows[i].window))
        readings: dict[int, Reading] = {}
        for first in range(0, len(order), _BATCH):
            batch = order[first : first + _BATCH]
            answers, spans, kinds = self._run([rows[i] for i in batch])
            for n, i in enumerate(batch):
                tokens = spans[n, rows[i].begin : rows[i].begin + len(texts[i].ids)]
                readings[i] = _reading(float(answers[n, 0]), tokens, kinds[n], texts[i].offsets)
        return [readings[i] for i in range(len(rows))]

    def _encoded(self, texts: Sequence[str]) -> list[Encoding]:
        return list(self._model.tokenizer.encode_batch(list(texts), add_special_tokens=False))

    def _run(self, rows: Sequence[_Row]) -> Sequence[Vectors]:
        windows, window_mask = _padded([row.window for row in rows])
        asked, asked_mask = _padded([row.asked for row in rows])
        inside = np.zeros_like(window_mask)
        for row, (window, begin, _) in enumerate(rows):
            inside[row, begin : len(window) - 1] = 1
        inputs = {
            "windows": windows,
            "window_mask": window_mask,
            "inside": inside,
            "window_positions": np.arange(windows.shape[1], dtype=np.int32),
            "asked": asked,
            "asked_mask": asked_mask,
            "asked_positions": np.arange(asked.shape[1], dtype=np.int32),
        }
        outputs = self._model.run(inputs)
        LAP.get()(f"read {len(rows)} windows, {windows.size + asked.size} tokens")
        return outputs


def _padded(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Ids and mask, as long as the longest."""
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int32)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask


def _reading(
    logit: float, spans: Vectors, kinds: Vectors, offsets: Sequence[tuple[int, int]]
) -> Reading:
    first, last = best_span(spans[:, 0], spans[:, 1])
    shares = np.exp(kinds - kinds.max())
    shares /= shares.sum()
    return Reading(
        logit,
        Span(offsets[first][0], offsets[last][1]),
        dict(zip(Kind, shares.tolist(), strict=True)),
    )
