"""Weights from safetensors files, in float32 whatever they were saved in."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["load_weights"]


def load_weights(path: Path, *names: str) -> dict[str, NDArray[np.float32]]:
    """Load a safetensors file, or those of ``names`` that it has: name → array in float32.

    Raises:
        OSError: there is no such file.
        Exception: safetensors' own, bare, for a malformed file.

    """
    from safetensors import safe_open

    with suppress(ImportError):
        import ml_dtypes  # noqa: F401 - numpy knows bfloat16 from then on; comes with onnx

    with safe_open(path, "numpy") as file:
        own = [name for name in file.keys() if not names or name in names]  # noqa: SIM118
        return {name: file.get_tensor(name).astype(np.float32, copy=False) for name in own}
