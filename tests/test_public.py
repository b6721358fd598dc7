"""The house from outside: public names, cheap import, rooms that depend downward only."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import ragkit
from conftest import ROOT

# Each room may import from rooms to its left; `ragkit` itself from all of them.
ROOMS = [
    "errors", "sealing", "timing", "types", "corpus", "sentences", "chunking", "encoding", "index", "retrieval",
    "answering", "grounding", "api", "conversation", "integrations", "serving", "evaluation", "cli",
]  # fmt: skip
# A value's renderings live above it and are looked up when they are called for.
LATE = {("types", "answering")}


def run_python(code: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    return done.stdout


def test_the_public_names_are_these() -> None:
    assert set(ragkit.__all__) == {*ragkit._MODULE_OF, "__version__"}
    contract = {"Answer", "Citation", "Document", "Index", "Passage", "aask", "ask", "ask_many"}
    assert contract <= set(ragkit.__all__)
    for name in ragkit.__all__:
        assert getattr(ragkit, name) is not None
        assert name in dir(ragkit)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(ragkit, "no_such_name")


def test_importing_ragkit_loads_nothing_heavy_from_any_directory(tmp_path: Path) -> None:
    heavy = (
        "{'torch', 'faiss', 'transformers', 'sentence_transformers', 'numpy', 'click', 'nupunkt'}"
    )
    loaded = run_python(f"import sys, ragkit; print({heavy} & set(sys.modules))", tmp_path)
    assert loaded.strip() == "set()"


def test_looking_up_ask_loads_no_model_library(tmp_path: Path) -> None:
    heavy = "{'torch', 'faiss', 'transformers', 'sentence_transformers', 'nupunkt'}"
    loaded = run_python(
        f"import sys; from ragkit import ask; print({heavy} & set(sys.modules))", tmp_path
    )
    assert loaded.strip() == "set()"


def imports(path: Path) -> set[str]:
    """The rooms of ragkit that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ragkit."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("ragkit.")}
    return found


def test_rooms_depend_downward_only() -> None:
    package = ROOT / "ragkit"
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        if room in ("__init__", "__main__"):
            continue
        for other in imports(path) - {room}:
            allowed = ROOMS.index(other) < ROOMS.index(room) or (room, other) in LATE
            assert allowed, f"{path} imports {other}"
