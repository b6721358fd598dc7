"""The reader: six layers that read a window and a question, and three small heads.

``answers``: whether the window answers; ``start`` and ``end``: with which words; ``kind``: what
sort of miss it is. The word embeddings are those of all-MiniLM-L6-v2 and stay as they are.

In the lower layers (``Design.apart``) the question's tokens attend to the window's, and the
window's to each other alone: a window is then read once for all its questions (as a decoder reads
a prefix; Raffel et al. 2020, arXiv:1910.10683, and DeFormer, Cao et al. 2020, arXiv:2005.00697).
In the upper ones all attend to all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from training.windows import model_folder

CLS: Final = 101
SEP: Final = 102
SLASH: Final = 1013
MISSES: Final = ("answers", "off_topic", "not_said", "contradicts")


@dataclass(frozen=True)
class Design:
    """What differs between the designs that were compared.

    ``apart``: how many of the lower layers read the window without the question: 0 is a
    cross-encoder, all of them reads each window once for all its questions.
    """

    apart: int = 0


@dataclass(frozen=True)
class Batch:
    """Windows, the questions asked of them, and ``of``: each question's window.

    ``inside`` marks the window's own tokens, without marks and title.
    """

    windows: Tensor
    window_mask: Tensor
    inside: Tensor
    asked: Tensor
    asked_mask: Tensor
    of: Tensor

    def to(self, device: torch.device) -> Self:
        return type(self)(*(p.to(device, non_blocking=True) for p in vars(self).values()))


@dataclass(frozen=True)
class Scores:
    """``start`` and ``end`` have a score for each token, very low outside the window."""

    answers: Tensor
    start: Tensor
    end: Tensor
    kind: Tensor


class Reader(nn.Module):
    def __init__(self, design: Design, base: Path | None = None) -> None:
        super().__init__()
        self.design = design
        self.body = body_of(base or model_folder())
        width = self.body.config.hidden_size
        self.spans = nn.Linear(width, 2)
        self.pointers = nn.Linear(width, 2 * width)
        self.dense = nn.Linear(3 * width, width)
        self.answers = nn.Linear(width, 1)
        self.kind = nn.Linear(width, len(MISSES))
        nn.init.normal_(self.pointers.weight, std=0.002)
        self.body.embeddings.requires_grad_(False)

    def forward(self, batch: Batch) -> Scores:
        window, asked = self._read(batch)
        inside = batch.inside[batch.of]
        seen = asked[:, 0]
        towards = self.pointers(seen).view(len(seen), 2, -1)
        points = torch.einsum("etd,esd->ets", window, towards) / window.shape[-1] ** 0.5
        spans = (self.spans(window) + points).float().masked_fill(~inside[..., None], -1e4)
        weights = spans.softmax(dim=1).to(window.dtype)
        words = torch.einsum("ets,etd->esd", weights, window).flatten(1)
        thought = torch.tanh(self.dense(torch.cat([seen, words], dim=-1)))
        return Scores(
            self.answers(thought)[:, 0].float(),
            spans[..., 0],
            spans[..., 1],
            self.kind(thought).float(),
        )

    def _read(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Last states of each question's window, and of the question."""
        layers, apart = self.body.encoder.layer, self.design.apart
        alone, asked_mask = batch.window_mask.bool(), batch.asked_mask.bool()
        both = torch.cat([alone.index_select(0, batch.of), asked_mask], dim=1)
        windows, questions = Packed.of(alone), Packed.of(asked_mask)
        window = windows.pack(embedded(self.body, batch.windows, 1))
        asked = questions.pack(embedded(self.body, batch.asked, 0))
        for layer in layers[:apart]:
            own = layer.attention.self
            before = (windows.pad(own.key(window)), windows.pad(own.value(window)))
            shared = [states.index_select(0, batch.of) for states in before]
            asked = read_on(layer, asked, questions, both, before=shared)
            window = read_on(layer, window, windows, alone)
        first = windows.pad(window).index_select(0, batch.of)
        width = first.shape[1]
        joined = torch.cat([first, questions.pad(asked)], dim=1)
        if apart < len(layers):
            joint = Packed.of(both)
            packed = joint.pack(joined)
            for layer in layers[apart:]:
                packed = read_on(layer, packed, joint, both)
            joined = joint.pad(packed)
        return joined[:, :width], joined[:, width:]

    def save(self, folder: Path) -> None:
        """Weights without the word embeddings, and the design, as two files."""
        save_weights(self, folder / "reader.safetensors")
        (folder / "design.json").write_text(json.dumps(asdict(self.design)) + "\n")

    def restore(self, folder: Path) -> None:
        load_weights(self, load_file(folder / "reader.safetensors"))


@dataclass(frozen=True)
class Packed:
    """Tokens of rows of many lengths one behind another, so that none is computed for padding."""

    kept: Tensor
    shape: tuple[int, int]

    @classmethod
    def of(cls, mask: Tensor) -> Self:
        return cls(mask.flatten().nonzero()[:, 0], (mask.shape[0], mask.shape[1]))

    def pack(self, states: Tensor) -> Tensor:
        return states.flatten(0, 1).index_select(0, self.kept)

    def pad(self, packed: Tensor) -> Tensor:
        rows, longest = self.shape
        made = packed.new_zeros(rows * longest, packed.shape[-1])
        return made.index_copy(0, self.kept, packed).view(rows, longest, -1)


def read_on(
    layer: Any, x: Tensor, packed: Packed, mask: Tensor, before: Sequence[Tensor] = ()
) -> Tensor:
    """One layer over packed ``x``, which attends to itself and to keys and values ``before`` it."""
    own = layer.attention.self

    def split(states: Tensor) -> Tensor:
        rows, longest, _ = states.shape
        return states.view(rows, longest, own.num_attention_heads, -1).transpose(1, 2)

    query = split(packed.pad(own.query(x)))
    key, value = packed.pad(own.key(x)), packed.pad(own.value(x))
    if before:
        key, value = (torch.cat([b, n], 1) for b, n in zip(before, (key, value), strict=True))
    mixed = _attended(query, split(key), split(value), mask[:, None, None, :])
    attended = layer.attention.output(packed.pack(mixed.transpose(1, 2).flatten(2)), x)
    return layer.output(layer.intermediate(attended), attended)  # type: ignore[no-any-return]


def _attended(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Scaled dot-product attention; on a CPU by two products, as fused is slower for short rows."""
    if query.is_cuda:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    weights = scores.masked_fill(~mask, -1e4).softmax(dim=-1).to(value.dtype)
    return torch.matmul(weights, value)


def load_reader(folder: Path, base: Path | None = None) -> Reader:
    """A reader that was saved; ``base``: the folder of all-MiniLM-L6-v2, if not the package's."""
    design: dict[str, Any] = json.loads((folder / "design.json").read_text())
    reader = Reader(Design(**design), base)
    reader.restore(folder)
    return reader


def body_of(folder: Path) -> Any:
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    body = transformers.BertModel.from_pretrained(
        str(folder),
        add_pooling_layer=False,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return body.float()


def save_base(folder: Path) -> None:
    """all-MiniLM-L6-v2 in half precision, half as large: to train where its package is not."""
    body = body_of(model_folder()).half()
    body.save_pretrained(folder)


def embedded(body: Any, ids: Tensor, segment: int) -> Tensor:
    """Token ids as the first layer reads them; ``segment``: which of the two texts they are."""
    types = torch.full_like(ids, segment)
    return body.embeddings(ids, token_type_ids=types)  # type: ignore[no-any-return]


def save_weights(model: nn.Module, file: Path) -> None:
    """All weights but the word embeddings."""
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = {k: v.contiguous() for k, v in model.state_dict().items() if not shipped_alone(k)}
    save_file(kept, file)


def load_weights(
    model: nn.Module, weights: Mapping[str, Tensor], *, without: frozenset[str] = frozenset()
) -> None:
    """Load what ``save_weights`` saved; ``without``: parts that keep the weights they have."""
    missing, unexpected = model.load_state_dict(dict(weights), strict=False)
    lacking = [n for n in missing if not shipped_alone(n) and n.split(".")[0] not in without]
    if unexpected or lacking:
        raise ValueError(f"not this model's weights: {lacking} {unexpected}")


def shipped_alone(name: str) -> bool:
    return name in {"body.embeddings.word_embeddings.weight", "body.embeddings.position_ids"}
