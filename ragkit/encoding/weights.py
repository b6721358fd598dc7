"""Weights from safetensors files, in float32 whatever they were saved in."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["load_weights"]


def load_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Load a safetensors file: name → array in float32.

    Raises:
        OSError: there is no such file.
        Exception: safetensors' own, bare, for a malformed file.

    """
    from safetensors.numpy import load_file

    with suppress(ImportError):
        import ml_dtypes  # noqa: F401 - numpy knows bfloat16 from then on; comes with onnx

    return {name: value.astype(np.float32) for name, value in load_file(path).items()}
