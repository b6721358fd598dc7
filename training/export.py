"""Writes what ships: the weights without the word embeddings in half precision, and how to read.

``python -m training.export CHECKPOINT OUT``. With ``--mean-with FOLDER --share 0.25`` it writes the
weighted mean with weights exported before, which the checkpoint went on from: it often generalises
better than either (Wortsman et al. 2022, Model soups). The word embeddings are all-MiniLM-L6-v2's
own, which the library has already; ``reader.json`` has the checksum of the file that they must
come from.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from training.model import MISSES, load_reader, shipped_alone
from training.sources import sha256
from training.windows import QUESTION_TOKENS, TITLE_TOKENS, WINDOW_TOKENS, model_folder

LARGEST: Final = 25 * 2**20


def export(
    checkpoint: Path, out: Path, *, before: Path | None = None, share: float = 0.0
) -> dict[str, Any]:
    """``reader.safetensors`` and ``reader.json``; what the second says.

    ``before``: a folder of exported weights, which make up ``share`` of the mean that is written.
    """
    reader = load_reader(checkpoint)
    weights = own_weights(reader)
    if before is not None:
        reader.restore(before)
        others = own_weights(reader)
        weights = {name: t.lerp(others[name], share) for name, t in weights.items()}
    content = {
        **write_weights(weights, out / "reader.safetensors"),
        **asdict(reader.design),
        **shape_of(reader.body),
        "parameters": sum(tensor.numel() for tensor in weights.values()),
        "input": "[CLS] question [SEP] as segment 0, [CLS] title / window [SEP] as segment 1",
        "question_tokens": QUESTION_TOKENS,
        "title_tokens": TITLE_TOKENS,
        "window_tokens": WINDOW_TOKENS,
        "kinds": list(MISSES),
    }
    write_description(content, out / "reader.json")
    return content


def own_weights(model: nn.Module) -> dict[str, Tensor]:
    """Copies of what a model does not share with all-MiniLM-L6-v2."""
    return {name: t.clone() for name, t in model.state_dict().items() if not shipped_alone(name)}


def write_weights(weights: Mapping[str, Tensor], file: Path) -> dict[str, Any]:
    """Write weights in half precision; what a description says of them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    halved = {name: t.to(torch.float16).contiguous() for name, t in sorted(weights.items())}
    save_file(halved, file, metadata={"format": "pt"})
    if file.stat().st_size > LARGEST:
        raise ValueError(f"{file} is larger than what may ship")
    return {
        "base": "sentence-transformers/all-MiniLM-L6-v2",
        "base_sha256": sha256(model_folder() / "model.safetensors"),
        "sha256": sha256(file),
        "dtype": "float16",
    }


def shape_of(body: Any) -> dict[str, Any]:
    """The sizes by which a graph of the layers is built."""
    config = body.config
    return {
        "layers": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "width": config.hidden_size,
        "epsilon": config.layer_norm_eps,
    }


def write_description(content: Mapping[str, Any], file: Path) -> None:
    file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--mean-with", type=Path, help="weights exported before")
    parser.add_argument("--share", type=float, default=0.25, help="of these in the mean")
    options = parser.parse_args()
    made = export(options.checkpoint, options.out, before=options.mean_with, share=options.share)
    print(json.dumps(made, indent=1))


if __name__ == "__main__":
    main()
