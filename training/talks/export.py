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
from safetensors.torch import load_file
from torch import Tensor

from ragkit.conversation.edits import AFTER, BEFORE
from training.export import own_weights, shape_of, write_description, write_weights
from training.model import load_weights
from training.talks.examples import KINDS
from training.talks.model import TurnModel


def export(checkpoints: Sequence[Path], out: Path) -> dict[str, Any]:
    """``turns.safetensors`` and ``turns.json``; what the second says."""
    model = TurnModel()
    load_weights(model, mean_of(checkpoints))
    content = {
        **write_weights(own_weights(model), out / "turns.safetensors"),
        **shape_of(model.body),
        "input": "[CLS] turn [SEP] as segment 0, what was said, latest first, as segment 1",
        "before": list(BEFORE),
        "after": list(AFTER),
        "kinds": list(KINDS),
    }
    write_description(content, out / "turns.json")
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
