"""A model's weights, made ready once for asking without torch, and kept in the user's cache.

Layout, one folder an export::

    CACHE/onnx/<fingerprint>-<precision>-v<VERSION>/
        export.json       what it is, and the sha256 of the other files; carries its own checksum
        model.onnx        the graph with its weights
        tokenizer.json    the model's own

``CACHE`` is the environment variable RAGKIT_CACHE, or what the operating system has for caches. A
folder appears whole, by one rename; one that is damaged is made anew. Exported are models of the
BERT family with mean or CLS pooling; others are asked through sentence-transformers.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ragkit.encoding.base import Fingerprint
from ragkit.encoding.bert import bert_graph
from ragkit.errors import EncoderError
from ragkit.storage.checksums import SealBrokenError, file_sha256, seal, unseal

__all__ = ["VERSION", "Export", "Precision", "find_export", "make_export", "why_not_exportable"]

Precision = Literal["float32", "int8"]

VERSION = 1
"""Of the graph and the layout. A change of either makes another folder."""

_RECORD, _MODEL, _TOKENIZER = "export.json", "model.onnx", "tokenizer.json"
_POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
_log = logging.getLogger("ragkit")


@dataclass(frozen=True, slots=True)
class Export:
    """An export that was checked: its folder, and what its model needs to be run.

    ``window``: tokens of text read at once. ``pooling``: "mean" or "cls". ``macs``: multiply-adds
    per token of its matrix products, the floor of what one token costs.
    """

    directory: Path
    precision: Precision
    window: int
    dimension: int
    pooling: str
    macs: int

    @property
    def model(self) -> Path:
        return self.directory / _MODEL

    @property
    def tokenizer(self) -> Path:
        return self.directory / _TOKENIZER


def find_export(fingerprint: Fingerprint, precision: Precision) -> Export | None:
    """The export of this model, every byte checked; None if it must be made.

    A damaged one is reported to the log and counts as none.
    """
    directory = _place(fingerprint, precision)
    if not (directory / _RECORD).is_file():
        return None
    try:
        record = unseal((directory / _RECORD).read_bytes())
        for name, expected in record["files"].items():
            if file_sha256(directory / name) != expected:
                raise SealBrokenError(f"{name} is not what was written")
    except (OSError, SealBrokenError) as error:
        _log.warning("the model export %s is damaged (%s); it is made anew", directory, error)
        return None
    return Export(directory=directory, precision=precision, **record["settings"])


def make_export(source: Path, fingerprint: Fingerprint, precision: Precision) -> Export:
    """Write the export of the model in the folder ``source``.

    Where the cache cannot be written, it lies in a temporary folder until the process ends. Raises
    EncoderError if the weights are not what the configuration says.
    """
    _log.info("preparing the model for fast asking, once (about two seconds)")
    write = partial(_write, source, precision)
    place = _place(fingerprint, precision)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _aside(place) as folder:
            write(folder)
            _replace(folder, place)
    except OSError as error:
        _log.warning("the cache %s cannot be written (%s)", place.parent, error.strerror)
        return write(_temporary_folder())
    found = find_export(fingerprint, precision)
    if found is None:
        raise EncoderError(
            f"the model export at {place} did not survive being written; check the disk, or set "
            f"RAGKIT_CACHE to another folder."
        )
    return found


def why_not_exportable(source: Path) -> str | None:
    """Why the model in a folder can't be exported; None if it can."""
    try:
        config = _json(source / "config.json")
        modules = [str(module["type"]).rsplit(".", 1)[-1] for module in _json_list(source)]
        prompt = _json(source / "config_sentence_transformers.json").get("default_prompt_name")
        pooling = _pooling(source)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its configuration can't be read ({type(error).__name__}: {error})"
    checks = {
        f"its type is {config.get('model_type')!r}, not 'bert'": config.get("model_type") == "bert",
        f"its activation is {config.get('hidden_act')!r}, not 'gelu'": (
            config.get("hidden_act") == "gelu"
        ),
        "its positions are not absolute": (
            config.get("position_embedding_type", "absolute") == "absolute"
        ),
        "it is a decoder": not config.get("is_decoder"),
        f"its modules are {modules}": modules in (["Transformer", "Pooling"],
                                                  ["Transformer", "Pooling", "Normalize"]),
        "its pooling is neither mean nor CLS": pooling is not None,
        "it puts a prompt in front of every text": prompt is None,
        "its weights are not in one model.safetensors": (source / "model.safetensors").is_file(),
    }  # fmt: skip
    return next((reason for reason, holds in checks.items() if not holds), None)


def _write(source: Path, precision: Precision, directory: Path) -> Export:
    """Fill a folder; the record comes last."""
    config = _json(source / "config.json")
    try:
        from safetensors.numpy import load_file

        raw = load_file(source / "model.safetensors")
        weights = {
            name.removeprefix("bert."): value.astype("float32") for name, value in raw.items()
        }
        graph = bert_graph(weights, config, int8=precision == "int8")
    # safetensors raises a bare Exception of its own for a malformed file.
    except Exception as error:
        raise EncoderError(
            f"the model in {source} could not be loaded ({type(error).__name__}: {error}); "
            f"expected a whole sentence-transformers model."
        ) from error
    (directory / _MODEL).write_bytes(graph.SerializeToString())
    shutil.copyfile(source / _TOKENIZER, directory / _TOKENIZER)
    settings = {
        "window": _window(source, config),
        "dimension": config["hidden_size"],
        "pooling": _pooling(source),
        "macs": _macs(config),
    }
    files = {name: file_sha256(directory / name) for name in (_MODEL, _TOKENIZER)}
    (directory / _RECORD).write_bytes(seal({"settings": settings, "files": files}))
    return Export(directory=directory, precision=precision, **settings)


def _replace(folder: Path, place: Path) -> None:
    """Put ``folder`` at ``place``, whole. Another process may do the same at the same time."""
    if place.exists():  # damaged, or another process was faster
        with _aside(place) as old:
            place.rename(old / "old")
    try:
        folder.rename(place)
    except OSError:
        if not (place / _RECORD).is_file():
            raise


@contextmanager
def _aside(place: Path) -> Iterator[Path]:
    """A new folder beside ``place``, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=place.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _place(fingerprint: Fingerprint, precision: Precision) -> Path:
    return _cache() / "onnx" / f"{fingerprint.digest[:32]}-{precision}-v{VERSION}"


def _cache() -> Path:
    chosen = os.environ.get("RAGKIT_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("ragkit", appauthor=False)


def _temporary_folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="ragkit-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _window(source: Path, config: Mapping[str, Any]) -> int:
    """As sentence-transformers finds ``max_seq_length``, less [CLS] and [SEP]."""
    own = _optional(source / "sentence_bert_config.json").get("max_seq_length")
    limit = _optional(source / "tokenizer_config.json").get("model_max_length")
    longest = int(config["max_position_embeddings"])
    return min(int(own or limit or longest), longest) - 2


def _pooling(source: Path) -> str | None:
    """The one mode in a Pooling module's configuration, old or new style."""
    paths = [m["path"] for m in _json_list(source) if str(m["type"]).endswith("Pooling")]
    if not paths:
        return None
    path = paths[0]
    config = _json(source / path / "config.json")
    if "pooling_mode" in config:
        mode = config["pooling_mode"]
        return mode if mode in _POOLINGS.values() else None
    modes = [name for name, on in config.items() if name.startswith("pooling_mode_") and on]
    return _POOLINGS.get(modes[0]) if len(modes) == 1 else None


def _macs(config: Mapping[str, Any]) -> int:
    d, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    return int(config["num_hidden_layers"]) * (4 * d * d + 2 * d * inner)


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _json_list(source: Path) -> list[dict[str, Any]]:
    return list(json.loads((source / "modules.json").read_text(encoding="utf-8")))


def _optional(path: Path) -> dict[str, Any]:
    return _json(path) if path.is_file() else {}
