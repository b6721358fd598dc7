"""The reader: six layers that read question and window together, and three small heads.

``answers``: whether the window answers; ``start`` and ``end``: with which words; ``kind``: what
sort of miss it is. The word embeddings are those of all-MiniLM-L6-v2 and stay as they are.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from training.windows import model_folder

CLS: Final = 101
SEP: Final = 102
SLASH: Final = 1013
MISSES: Final = ("answers", "off_topic", "not_said", "contradicts")


@dataclass(frozen=True)
class Design:
    """What was chosen of the designs that were compared.

    ``frozen``: how many of the lower layers stay as they are. ``pooled``: whether the head reads
    the words that would answer as well as the first token. ``titles``: whether the title is read.
    """

    frozen: int = 0
    pooled: bool = True
    titles: bool = True


@dataclass(frozen=True)
class Batch:
    """Rows of one length; ``inside`` marks the window's own tokens."""

    ids: Tensor
    types: Tensor
    mask: Tensor
    inside: Tensor

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
    def __init__(self, design: Design, base: Path | None = None, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.design = design
        self.body = _body(base or model_folder(), dropout)
        width = self.body.config.hidden_size
        self.spans = nn.Linear(width, 2)
        self.dense = nn.Linear(width * (3 if design.pooled else 1), width)
        self.answers = nn.Linear(width, 1)
        self.kind = nn.Linear(width, len(MISSES))
        self._freeze()

    def _freeze(self) -> None:
        self.body.embeddings.requires_grad_(False)
        for layer in self.body.encoder.layer[: self.design.frozen]:
            layer.requires_grad_(False)

    def forward(self, batch: Batch) -> Scores:
        hidden = self.body(
            input_ids=batch.ids, token_type_ids=batch.types, attention_mask=batch.mask
        ).last_hidden_state
        spans = self.spans(hidden).float().masked_fill(~batch.inside[..., None], -1e4)
        seen = hidden[:, 0]
        if self.design.pooled:
            weights = spans.softmax(dim=1).to(hidden.dtype)
            words = torch.einsum("bts,btd->bsd", weights, hidden).flatten(1)
            seen = torch.cat([seen, words], dim=-1)
        thought = torch.tanh(self.dense(seen))
        return Scores(
            self.answers(thought)[:, 0].float(),
            spans[..., 0],
            spans[..., 1],
            self.kind(thought).float(),
        )

    def save(self, folder: Path) -> None:
        """Weights without the word embeddings, and the design, as two files."""
        folder.mkdir(parents=True, exist_ok=True)
        kept = {k: v.contiguous() for k, v in self.state_dict().items() if not shipped_alone(k)}
        save_file(kept, folder / "reader.safetensors")
        (folder / "design.json").write_text(json.dumps(asdict(self.design)) + "\n")

    def restore(self, folder: Path) -> None:
        missing, unexpected = self.load_state_dict(
            load_file(folder / "reader.safetensors"), strict=False
        )
        if unexpected or any(not shipped_alone(name) for name in missing):
            raise ValueError(f"not this reader's weights: {missing} {unexpected}")


def load_reader(folder: Path, base: Path | None = None, *, dropout: float = 0.0) -> Reader:
    """A reader that was saved; ``base``: the folder of all-MiniLM-L6-v2, if not the package's."""
    design: dict[str, Any] = json.loads((folder / "design.json").read_text())
    reader = Reader(Design(**design), base, dropout=dropout)
    reader.restore(folder)
    return reader


def _body(folder: Path, dropout: float) -> Any:
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    body = transformers.BertModel.from_pretrained(
        str(folder),
        add_pooling_layer=False,
        attn_implementation="sdpa",
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    return body.float()


def save_base(folder: Path) -> None:
    """all-MiniLM-L6-v2 in half precision, half as large: to train where its package is not."""
    body = _body(model_folder(), 0.0).half()
    body.save_pretrained(folder)


def shipped_alone(name: str) -> bool:
    return name in {"body.embeddings.word_embeddings.weight", "body.embeddings.position_ids"}
