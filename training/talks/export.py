"""Writes what ships, the mean of some checkpoints of one run.

``python -m training.talks.export CHECKPOINT [CHECKPOINT …] ragkit/conversation/weights``
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ragkit.conversation.edits import AFTER, BEFORE
from training.export import LARGEST
from training.model import shipped_alone
from training.sources import sha256
from training.talks.examples import KINDS
from training.talks.model import TurnModel
from training.windows import model_folder


def export(checkpoints: Sequence[Path], out: Path) -> dict[str, Any]:
    """``turns.safetensors`` and ``turns.json``; what the second says."""
    model = TurnModel()
    model.load_state_dict(mean_of(checkpoints), strict=False)
    out.mkdir(parents=True, exist_ok=True)
    weights = out / "turns.safetensors"
    kept = {
        name: tensor.to(torch.float16).contiguous()
        for name, tensor in sorted(model.state_dict().items())
        if not shipped_alone(name)
    }
    save_file(kept, weights, metadata={"format": "pt"})
    if weights.stat().st_size > LARGEST:
        raise ValueError(f"{weights} is larger than what may ship")
    config = model.body.config
    content = {
        "base": "sentence-transformers/all-MiniLM-L6-v2",
        "base_sha256": sha256(model_folder() / "model.safetensors"),
        "sha256": sha256(weights),
        "dtype": "float16",
        "layers": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "width": config.hidden_size,
        "epsilon": config.layer_norm_eps,
        "input": "[CLS] turn [SEP] as segment 0, what was said, latest first, as segment 1",
        "before": list(BEFORE),
        "after": list(AFTER),
        "kinds": list(KINDS),
    }
    (out / "turns.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return content


def mean_of(checkpoints: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of each weight (Wortsman et al. 2022, arXiv:2203.05482)."""
    loaded = [load_file(path / "turns.safetensors") for path in checkpoints]
    return {name: torch.stack([weights[name] for weights in loaded]).mean(0) for name in loaded[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    print(json.dumps(export(options.checkpoints, options.out), indent=1))


if __name__ == "__main__":
    main()
