"""The files of an open index: permissions, obstacles, and handles that are closed again."""

from __future__ import annotations

import os
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
