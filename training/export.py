"""Writes what ships: the weights without the word embeddings in half precision, and how to read.

``python -m training.export CHECKPOINT OUT``. The word embeddings are all-MiniLM-L6-v2's own,
which the library has already; ``reader.json`` has the checksum of the file they must come from.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file

from training.model import MISSES, Reader, load_reader, shipped_alone
from training.sources import sha256
from training.windows import QUESTION_TOKENS, TITLE_TOKENS, WINDOW_TOKENS, model_folder

LARGEST: Final = 25 * 2**20


def export(checkpoint: Path, out: Path) -> dict[str, Any]:
    """``reader.safetensors`` and ``reader.json``; what the second says."""
    reader = load_reader(checkpoint)
    out.mkdir(parents=True, exist_ok=True)
    weights = out / "reader.safetensors"
    kept = {
        name: tensor.to(torch.float16).contiguous()
        for name, tensor in sorted(reader.state_dict().items())
        if not shipped_alone(name)
    }
    save_file(kept, weights, metadata={"format": "pt"})
    if weights.stat().st_size > LARGEST:
        raise ValueError(f"{weights} is larger than what may ship")
    content = _described(reader, weights)
    (out / "reader.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return content


def _described(reader: Reader, weights: Path) -> dict[str, Any]:
    config = reader.body.config
    return {
        "base": "sentence-transformers/all-MiniLM-L6-v2",
        "base_sha256": sha256(model_folder() / "model.safetensors"),
        "sha256": sha256(weights),
        "dtype": "float16",
        **asdict(reader.design),
        "layers": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "width": config.hidden_size,
        "epsilon": config.layer_norm_eps,
        "parameters": sum(
            t.numel() for name, t in reader.state_dict().items() if not shipped_alone(name)
        ),
        "input": "[CLS] question [SEP] as segment 0, [CLS] title / window [SEP] as segment 1",
        "question_tokens": QUESTION_TOKENS,
        "title_tokens": TITLE_TOKENS,
        "window_tokens": WINDOW_TOKENS,
        "kinds": list(MISSES),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    print(json.dumps(export(options.checkpoint, options.out), indent=1))


if __name__ == "__main__":
    main()
