"""The house from outside: public names, cheap import, rooms that depend downward only."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

import ragkit
from ragkit import Encoder
from support.parts import ROOT

# Each room may import from rooms to its left.
ROOMS = (
    "errors commands timing progress plugins catalogue text citations types storage corpus chunking encoding index indexing "
    "retrieval reading answering quotes grounding answerer api default conversation doctor watching integrations telemetry serving "
    "evaluation pytest_plugin cli"
).split()
# The same inside the two rooms that hold an index together.
INDEX = (
    "config filters documents postings token_quantizer token_vectors vectors centroids protocol "
    "journal local manifest restricted publish milvus"
).split()
INDEXING = "pipeline builder repair upgrade reports ray_cluster ray remote restricted".split()
# `import ragkit` and `from ragkit import Name` reach all of the public names, which end with these.
PUBLIC = "conversation"


def run_python(code: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    return done.stdout


def test_the_public_names_are_these() -> None:
    assert set(ragkit.__all__) == {*ragkit._MODULE_OF, "__version__"}
    assert dir(ragkit) == sorted(ragkit.__all__)
    contract = {"Answer", "Citation", "Document", "Index", "Passage", "aask", "ask", "ask_many"}
    assert contract <= set(ragkit.__all__)
    for name in ragkit.__all__:
        assert getattr(ragkit, name) is not None
    assert dir(ragkit) == sorted(ragkit.__all__)  # nothing more once all are loaded


def test_what_the_stub_for_type_checkers_names_is_what_is_exported() -> None:
    tree = ast.parse((ROOT / "ragkit/__init__.py").read_text(encoding="utf-8"))
    named = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert named == ragkit._MODULE_OF


def test_every_error_is_exported() -> None:
    from ragkit import errors

    assert set(errors.__all__) <= set(ragkit.__all__)


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


def imports(path: Path) -> set[tuple[str, ...]]:
    """The modules of ragkit that a module imports anywhere in it, as parts behind ``ragkit``."""
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ragkit":
            parts = tuple((node.module or "").split(".")[1:])
            found |= {(*parts, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {tuple(name[1:]) or (PUBLIC,) for name in names if name[0] == "ragkit"}
    return {
        (ragkit._MODULE_OF.get(p[0], p[0]).split(".")[-1], *p[1:])
        if p[0] in ragkit._MODULE_OF
        else p
        for p in found
    }


def modules() -> list[tuple[Path, tuple[str, ...]]]:
    """Every module, and its parts behind ``ragkit``."""
    package = ROOT / "ragkit"
    paths = [
        path
        for path in sorted(package.rglob("*.py"))
        if path.parent != package or path.name[:2] != "__"
    ]
    return [(path, path.relative_to(package).with_suffix("").parts) for path in paths]


def test_rooms_depend_downward_only() -> None:
    for path, (room, *_) in modules():
        for other in {module[0] for module in imports(path)}:
            if other in ROOMS and other != room:
                assert ROOMS.index(other) < ROOMS.index(room), f"{path} imports {other}"


@pytest.mark.parametrize(("room", "order"), [("index", INDEX), ("indexing", INDEXING)])
def test_inside_these_rooms_modules_depend_downward_only(room: str, order: list[str]) -> None:
    for path, parts in modules():
        if parts[0] != room or parts[1] == "__init__":
            continue
        for other in imports(path):
            if other[0] == room and len(other) > 1 and other[1] in order and other[1] != parts[1]:
                assert order.index(other[1]) < order.index(parts[1]), f"{path} imports {other}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {".".join(parts): imports(path) for path, parts in modules()}
    edges = {
        name: {
            ".".join(other[:n]) for other in others for n in (2, 3) if ".".join(other[:n]) in graph
        }
        for name, others in graph.items()
    }
    TopologicalSorter(edges).prepare()  # raises CycleError


def test_the_tests_import_nothing_from_the_benchmarks() -> None:
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            assert not [name for name in names if name.split(".")[0] == "benchmarks"], path


def test_the_old_names_of_the_retrieval_parameters_still_work(tiny: Encoder) -> None:
    with pytest.warns(DeprecationWarning, match="ragkit.RetrievalConfig"):
        old: Any = ragkit.Weights
    weights = old(0.25, rarity=1.0)
    assert (weights.reverse, weights.idf_power, weights.rarity) == (0.25, 1.0, 1.0)
    documents = [ragkit.Document("a", "A", "Text.")]
    with pytest.warns(DeprecationWarning, match="config"):
        index = ragkit.Index.build(documents, encoder=tiny, weights=weights)
    with pytest.warns(DeprecationWarning, match="Index.config"):
        assert index.weights.to_dict() == {"reverse": 0.25, "rarity": 1.0}
    with pytest.warns(DeprecationWarning, match="Index.with_config"):
        assert index.with_weights(ragkit.RetrievalConfig()).config == ragkit.RetrievalConfig()
