"""The model that understands a turn: six layers over the turn and what was said before it.

Heads on the turn's words: whether a word is left out, what is put in front of it (nothing, or
words of the conversation behind a connecting word), from where to where in the conversation, and
what follows that. A head on the words of the conversation: whether the turn is about them. A head
on the first token: which remark the turn is, if any. The word embeddings
are those of all-MiniLM-L6-v2 and stay as they are. The same as a graph for onnxruntime:
``ragkit/conversation/graph.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ragkit.conversation.edits import AFTER, BEFORE
from training.model import Packed, body_of, embedded, load_weights, read_on, save_weights
from training.talks.examples import KINDS
from training.windows import model_folder

OUTSIDE = -1e4
HEADS = ("words", "pointers", "spans", "dense", "kind")


@dataclass(frozen=True)
class Batch:
    """``turns`` ``(b, t)``, ``said`` ``(b, h)`` token ids, and masks of what is a token."""

    turns: Tensor
    turn_mask: Tensor
    said: Tensor
    said_mask: Tensor

    def to(self, device: torch.device) -> Self:
        return type(self)(*(part.to(device) for part in vars(self).values()))


@dataclass(frozen=True)
class Scores:
    """``removed`` ``(b, t)``; ``inserted`` ``(b, t, 1 + connecting words)``, nothing first;
    ``after`` ``(b, t, …)``; ``first`` and ``last`` ``(b, t, h)``; ``relevant`` ``(b, h)``;
    ``kind`` ``(b, kinds)``.
    """

    removed: Tensor
    inserted: Tensor
    after: Tensor
    first: Tensor
    last: Tensor
    relevant: Tensor
    kind: Tensor


class TurnModel(nn.Module):
    def __init__(self, base: Path | None = None) -> None:
        super().__init__()
        self.body = body_of(base or model_folder())
        width = self.body.config.hidden_size
        self.words = nn.Linear(width, 1 + 1 + len(BEFORE) + len(AFTER))
        self.pointers = nn.Linear(width, 2 * width)
        self.spans = nn.Linear(width, 3)
        self.dense = nn.Linear(width, width)
        self.kind = nn.Linear(width, len(KINDS))
        nn.init.normal_(self.pointers.weight, std=0.02)
        self.body.embeddings.requires_grad_(False)

    def forward(self, batch: Batch) -> Scores:
        turn, said = self._read(batch)
        marks = self.words(turn).float()
        towards = self.pointers(turn).view(*turn.shape[:2], 2, -1)
        points = torch.einsum("btsd,bhd->bths", towards, said) / turn.shape[-1] ** 0.5
        alone = self.spans(said)
        spans = (points + alone[:, None, :, :2]).float()
        spans = spans.masked_fill(~batch.said_mask[:, None, :, None].bool(), OUTSIDE)
        thought = torch.tanh(self.dense(turn[:, 0]))
        return Scores(
            marks[..., 0],
            marks[..., 1 : 2 + len(BEFORE)],
            marks[..., 2 + len(BEFORE) :],
            spans[..., 0],
            spans[..., 1],
            alone[..., 2].float(),
            self.kind(thought).float(),
        )

    def _read(self, batch: Batch) -> tuple[Tensor, Tensor]:
        mask = torch.cat([batch.turn_mask, batch.said_mask], dim=1).bool()
        joint = Packed.of(mask)
        parts = [embedded(self.body, batch.turns, 0), embedded(self.body, batch.said, 1)]
        states = torch.cat(parts, dim=1)
        packed = joint.pack(states)
        for layer in self.body.encoder.layer:
            packed = read_on(layer, packed, joint, mask)
        states = joint.pad(packed)
        width = batch.turns.shape[1]
        return states[:, :width], states[:, width:]

    def save(self, folder: Path) -> None:
        save_weights(self, folder / "turns.safetensors")

    def restore(self, folder: Path) -> None:
        load_weights(self, load_file(folder / "turns.safetensors"))

    def begin_with(self, reader: Path) -> None:
        """Load the layers of the reader's weights; the heads stay as they are."""
        body = {n: w.float() for n, w in load_file(reader).items() if n.startswith("body.")}
        load_weights(self, body, without=frozenset(HEADS))
