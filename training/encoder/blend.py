"""Weights between those that training began with and those that it ended with.

A model that was trained further on one kind of text keeps more of what it knew of others half way
back, at little loss on its own (Wortsman et al. 2022, arXiv:2109.01903).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.encoder.batches import Texts
from training.encoder.measure import begin
from training.encoder.model import TokenEncoder, load_token_encoder

SHARE = 0.7
"""Of the way from the first weights to the last."""


def blend(checkpoint: Path, texts: Path, share: float) -> TokenEncoder:
    """``texts``: those of the run, which the first projection follows from."""
    last = load_token_encoder(checkpoint)
    first = TokenEncoder(last.design)
    begin(first, Texts(texts))
    end = last.state_dict()
    first.load_state_dict({
        name: value.lerp(end[name], share) if value.is_floating_point() else value
        for name, value in first.state_dict().items()
    })  # fmt: skip
    return first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--texts", type=Path, required=True, help="of training.encoder.texts")
    parser.add_argument("--share", type=float, default=SHARE)
    options = parser.parse_args()
    blend(options.checkpoint, options.texts, options.share).save(options.out)


if __name__ == "__main__":
    main()
