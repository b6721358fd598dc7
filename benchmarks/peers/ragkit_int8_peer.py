"""ragkit, the corpus too being read by the int8 export of the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.peers.protocol import main
from benchmarks.peers.ragkit_peer import PEER as RAGKIT


def load_model() -> Any:
    # user code
    from ragkit import load_encoder

    return load_encoder(runtime="int8")
    # end


PEER = replace(RAGKIT, load_model=load_model)

if __name__ == "__main__":
    main(PEER)
