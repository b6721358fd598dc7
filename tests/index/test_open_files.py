"""The files of an open index: permissions, obstacles, and handles that are closed again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ragkit import Document, Encoder, Index, IndexReadError, check_quotes, load_encoder


def open_handles() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names alone


@pytest.fixture(scope="module")
def int8(tiny_model: Path) -> Encoder:
    return load_encoder(str(tiny_model), runtime="int8")


def test_a_file_without_read_permission_is_not_reported_as_damaged(
    tmp_path: Path, documents: list[Document], int8: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "i"
    Index.build(documents, path, encoder=int8)
    real = Path.open

    def refused(self: Path, *given: Any, **named: Any) -> Any:
        if self.name == "bags.npy":
            raise PermissionError(13, "Permission denied")
        return real(self, *given, **named)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(IndexReadError, match=r"bags\.npy could not be read: Permission denied"):
        Index.open(path, encoder=int8)


def test_a_build_replaces_a_folder_that_took_a_files_place(
    tmp_path: Path, documents: list[Document], int8: Encoder
) -> None:
    path = tmp_path / "i"
    Index.build(documents, path, encoder=int8)
    [victim] = path.glob("*/bags.npy")
    victim.unlink()
    (victim / "inside").mkdir(parents=True)
    Index.build(documents, path, encoder=int8)
    assert Index.open(path, encoder=int8).search("Danube?")
    assert not [p for p in path.iterdir() if p.name.startswith(".partial")]


def test_an_index_without_references_closes_its_file_handles_at_once(
    tmp_path: Path, documents: list[Document], int8: Encoder
) -> None:
    path = tmp_path / "i"
    Index.build(documents, path, encoder=int8)
    Index.open(path, encoder=int8).ask("Where does the Danube rise?")
    before = open_handles()
    for _ in range(3):
        opened = Index.open(path, encoder=int8)
        opened.ask("Where does the Danube rise?")
        check_quotes('He said "It rises in Germany".', opened)
    del opened
    assert open_handles() == before


def test_documents_outlive_their_index(
    tmp_path: Path, documents: list[Document], int8: Encoder
) -> None:
    Index.build(documents, tmp_path / "i", encoder=int8)
    assert [d.id for d in Index.open(tmp_path / "i", encoder=int8).documents] == ["rivers", "bread"]


def test_a_file_that_is_cut_short_under_an_open_index_is_reported(
    tmp_path: Path, documents: list[Document], tiny_model: Path
) -> None:
    path = tmp_path / "i"
    Index.build(documents, path, encoder=load_encoder(str(tiny_model), runtime="int8"))
    script = """
import pathlib, sys
from ragkit import Index, IndexDamagedError
index = Index.open(sys.argv[1], encoder=sys.argv[2])
index.ask("Where does the Danube rise?")
[tokens] = pathlib.Path(sys.argv[1]).glob("*/tokens.npy")
open(tokens, "r+b").truncate(0)
try:
    index.ask("Where does the Danube rise?")
except IndexDamagedError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), str(tiny_model)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "was cut short while the index was open" in done.stdout
    assert f"`ragkit index repair {path}`" in done.stdout
    assert Index.repair(path) == ["tokens.npy"]
    assert Index.open(path, encoder=str(tiny_model)).ask("Where does the Danube rise?").passages


def test_a_folder_that_an_update_removed_does_not_count_as_damaged(
    tmp_path: Path, documents: list[Document], int8: Encoder
) -> None:
    path = tmp_path / "i"
    Index.build(documents, path, encoder=int8)
    opened = Index.open(path, encoder=int8)
    before = opened.ask("Where does the Danube rise?").text
    Index.build(documents[:1], path, encoder=int8, replace=True)
    assert opened.ask("Where does the Danube rise?").text == before
