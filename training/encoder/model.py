"""The token encoder: six layers of all-MiniLM-L6-v2, and a projection of each token.

The word embeddings stay as they are. The projection begins with the principal components of the
tokens' vectors, so that training starts from what the model already knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from training.model import Packed, body_of, load_weights, read_on, save_weights
from training.windows import model_folder

TOKENS: Final = 3072
"""Of texts that are read together: few of like length, so that attention has little padding."""


@dataclass(frozen=True)
class Design:
    """``dimension``: of a token's vector."""

    dimension: int = 96


@dataclass(frozen=True)
class Encoded:
    """``vectors``: ``(n, d)``, one a text; ``tokens``: ``(t, k)``, those of all texts in a row."""

    vectors: Tensor
    tokens: Tensor


class TokenEncoder(nn.Module):
    def __init__(self, design: Design, base: Path | None = None) -> None:
        super().__init__()
        self.design = design
        self.body = body_of(base or model_folder())
        self.projection = nn.Linear(self.body.config.hidden_size, design.dimension, bias=False)
        self.scale = nn.Parameter(torch.tensor(3.0))
        self.vector_scale = nn.Parameter(torch.tensor(3.0))
        self.body.embeddings.requires_grad_(False)

    def forward(self, ids: Tensor, mask: Tensor, counted: Tensor) -> Encoded:
        """Args:
        ids: ``(n, longest)``.
        mask: 1 where there is a token, as in ``ids``.
        counted: the tokens whose mean is the vector of their text.

        """
        found = [self._encoded(*part) for part in _parts(ids, mask, counted)]
        return Encoded(
            torch.cat([one.vectors for one in found]), torch.cat([one.tokens for one in found])
        )

    def _encoded(self, ids: Tensor, mask: Tensor, counted: Tensor) -> Encoded:
        states = self.states(ids, mask)
        tokens = functional.normalize(self.projection(states).float(), dim=-1)
        summed = (Packed.of(mask.bool()).pad(tokens) * counted[..., None]).sum(dim=1)
        return Encoded(functional.normalize(summed, dim=-1), tokens)

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """``(t, width)``: the last states of all tokens in a row."""
        packed = Packed.of(mask.bool())
        kinds = torch.zeros_like(ids)
        x = packed.pack(self.body.embeddings(ids, token_type_ids=kinds))
        for layer in self.body.encoder.layer:
            x = read_on(layer, x, packed, mask.bool())
        return x

    @torch.no_grad()
    def begin_with(self, states: Tensor) -> None:
        """Project on the principal components of ``(t, width)`` states, each of unit norm."""
        unit = functional.normalize(states.float(), dim=-1)
        _, _, components = torch.linalg.svd(unit, full_matrices=False)
        self.projection.weight.copy_(components[: self.design.dimension])

    def save(self, folder: Path) -> None:
        save_weights(self, folder / "encoder.safetensors")
        (folder / "design.json").write_text(json.dumps(asdict(self.design)) + "\n")

    def restore(self, folder: Path) -> None:
        load_weights(self, load_file(folder / "encoder.safetensors"))


def _parts(ids: Tensor, mask: Tensor, counted: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Rows of neighbours, without the columns that none of them fills."""
    lengths = mask.sum(dim=1).tolist()
    first = 0
    while first < len(lengths):
        last, longest = first, 0
        while last < len(lengths) and (last - first + 1) * max(longest, lengths[last]) <= TOKENS:
            longest = max(longest, lengths[last])
            last += 1
        yield tuple(part[first:last, :longest] for part in (ids, mask, counted))
        first = last


def load_token_encoder(folder: Path, base: Path | None = None) -> TokenEncoder:
    design: dict[str, Any] = json.loads((folder / "design.json").read_text())
    encoder = TokenEncoder(Design(**design), base)
    encoder.restore(folder)
    return encoder
