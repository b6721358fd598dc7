"""What an update does not read again, and that this never shows in the index."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit import Document, Encoder, EncoderError, Index, IndexMismatchError, load_encoder
from ragkit.corpus import ParsedFiles, iter_sources
from support.corpora import TEXTS, assert_same
from support.parts import make_model, manifest_of, rewrite_manifest


@pytest.fixture(scope="module")
def int8(tiny_model: Path) -> Encoder:
    return load_encoder(str(tiny_model), runtime="int8")


def write_page(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"# About {path.stem}\n\n{text}\n", encoding="utf-8")


# Edits of a folder. Each takes the folder, a name and a number, and does nothing where it cannot.


def write(folder: Path, name: str, number: int) -> None:
    write_page(folder / f"{name}.md", TEXTS[number % len(TEXTS)])


def write_deeper(folder: Path, name: str, number: int) -> None:
    """Files of one name in two folders have other ids than the one alone."""
    write_page(folder / "deeper" / f"{name}.md", TEXTS[number % len(TEXTS)])


def set_metadata(folder: Path, name: str, number: int) -> None:
    content = {"tag": number} if number % 2 else {"title": f"Title {number}"}
    (folder / f"{name}.meta.json").write_text(json.dumps(content), encoding="utf-8")


def damage_metadata(folder: Path, name: str, _: int) -> None:
    (folder / f"{name}.md.meta.json").write_text("{", encoding="utf-8")


def remove(folder: Path, name: str, number: int) -> None:
    suffix = (".md", ".meta.json", ".md.meta.json")[number % 3]
    (folder / f"{name}{suffix}").unlink(missing_ok=True)


def rename(folder: Path, name: str, number: int) -> None:
    if (folder / f"{name}.md").exists():
        (folder / f"{name}.md").rename(folder / f"renamed-{number}.md")


def touch(folder: Path, name: str, number: int) -> None:
    if (folder / f"{name}.md").exists():
        os.utime(folder / f"{name}.md", (number, number))


def edit_unseen(folder: Path, name: str, number: int) -> None:
    """Change a letter, and neither size nor times."""
    path = folder / f"{name}.md"
    if path.exists():
        before, data = path.stat(), bytearray(path.read_bytes())
        data[-2] = ord("a") + number
        path.write_bytes(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


EDITS = [
    write, write_deeper, set_metadata, damage_metadata, remove, rename, touch, edit_unseen,
]  # fmt: skip
STEPS = st.lists(
    st.tuples(st.sampled_from(EDITS), st.sampled_from(["a", "b", "c"]), st.integers(0, 9)),
    min_size=0,
    max_size=3,
)


@given(st.lists(STEPS, min_size=1, max_size=4))
@settings(max_examples=15, deadline=None)
def test_updates_after_any_edits_of_a_folder_equal_fresh_builds(
    tmp_path_factory: pytest.TempPathFactory,
    int8: Encoder,
    series: list[list[tuple[Callable[[Path, str, int], None], str, int]]],
) -> None:
    root = tmp_path_factory.mktemp("edited")
    folder, index, fresh = root / "pages", root / "i", root / "fresh"
    write_page(folder / "always.md", TEXTS[0])
    write(folder, "a", 1)
    Index.build(folder, index, encoder=int8)
    for steps in series:
        for edit, name, number in steps:
            edit(folder, name, number)
        updated = Index.update(index, folder, encoder=int8)
        built = Index.build(folder, fresh, encoder=int8, replace=True)
        assert_same(updated, built)
        assert updated.left_out == built.left_out
        assert manifest_of(index)["sources"] == manifest_of(fresh)["sources"]
        again = Index.update(index, folder, encoder=int8)
        assert_same(again, built)
        assert again.left_out == built.left_out


def test_a_file_is_parsed_again_only_if_what_its_documents_follow_from_has_changed(
    tmp_path: Path,
) -> None:
    for name in "abcd":
        write_page(tmp_path / f"{name}.md", TEXTS[0])
    first = iter_sources(tmp_path)
    loaded = list(first)
    paths = {origin.document_id: origin.path or Path() for _, origin in loaded}
    origins = [
        type(origin)(origin.document_id, origin.path, origin.sha256, first.inputs[paths[one.id]])
        for one, origin in loaded
    ]
    marked = [Document(id=one.id, title="not parsed", text=one.text) for one, _ in loaded]

    def parsed_again() -> set[str]:
        documents = iter_sources(tmp_path, parsed=ParsedFiles(origins, marked))
        return {one.id for one, _ in documents if one.title != "not parsed"}

    assert parsed_again() == set()
    edit_unseen(tmp_path, "b", 3)
    touch(tmp_path, "a", 1)
    set_metadata(tmp_path, "c", 1)
    rename(tmp_path, "d", 5)
    assert parsed_again() == {"b", "c", "renamed-5"}


def test_an_update_without_a_change_loads_no_model_and_any_other_does(
    tmp_path: Path, tiny_model: Path
) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    write_page(tmp_path / "pages" / "a.md", TEXTS[0])
    Index.build(tmp_path / "pages", tmp_path / "i", encoder=str(model))
    model.rename(tmp_path / "elsewhere")
    assert Index.update(tmp_path / "i").counts["documents"] == 1
    write_page(tmp_path / "pages" / "b.md", TEXTS[1])
    assert Index.update(tmp_path / "i").counts["documents"] == 1  # b is not among its files
    with pytest.raises(EncoderError):
        Index.update(tmp_path / "i", tmp_path / "pages")


def test_an_update_that_encodes_refuses_a_model_that_changed(
    tmp_path: Path, tiny_model: Path
) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    write_page(tmp_path / "pages" / "a.md", TEXTS[0])
    Index.build(tmp_path / "pages", tmp_path / "i", encoder=str(model))
    shutil.rmtree(model)
    make_model(tmp_path / "other", seed=7).rename(model)
    write_page(tmp_path / "pages" / "a.md", TEXTS[1])
    with pytest.raises(IndexMismatchError, match="cannot be compared"):
        Index.update(tmp_path / "i")


def test_a_moved_folder_changes_paths_alone(tmp_path: Path, int8: Encoder) -> None:
    write_page(tmp_path / "pages" / "a.md", TEXTS[0])
    built = Index.build(tmp_path / "pages", tmp_path / "i", encoder=int8)
    (tmp_path / "more").mkdir()
    (tmp_path / "pages").rename(tmp_path / "more" / "pages")
    updated = Index.update(tmp_path / "i", tmp_path / "more" / "pages", encoder=int8)
    assert updated.generation == built.generation
    assert [source.path for source in Index.info(tmp_path / "i").sources] == ["../more/pages/a.md"]


def test_a_file_that_is_indexed_in_part_is_read_and_reported_each_time(
    tmp_path: Path, int8: Encoder
) -> None:
    pages = "".join(
        f"<page><title>River {n}</title><ns>0</ns><revision><text>It is long.</text></revision></page>"
        for n in range(2)
    )
    (tmp_path / "pages").mkdir()
    write_page(tmp_path / "pages" / "a.md", TEXTS[0])
    (tmp_path / "pages" / "wiki.xml").write_text(f"<mediawiki>{pages}<page>", encoding="utf-8")
    built = Index.build(tmp_path / "pages", tmp_path / "i", encoder=int8)
    updated = Index.update(tmp_path / "i", tmp_path / "pages", encoder=int8)
    assert built.counts["documents"] == 3
    assert "its first 2 documents are indexed" in updated.left_out.files[0].reason
    assert updated.left_out == built.left_out


def test_an_index_that_does_not_record_what_its_documents_follow_from_does_after_an_update(
    tmp_path: Path, int8: Encoder
) -> None:
    write_page(tmp_path / "a.md", TEXTS[0])
    Index.build(tmp_path / "a.md", tmp_path / "i", encoder=int8)
    [source] = recorded = manifest_of(tmp_path / "i")["sources"]
    without = {name: value for name, value in source.items() if name != "inputs"}
    for old in (without, {**source, "inputs": "of another version"}):
        rewrite_manifest(tmp_path / "i", sources=[old])
        Index.open(tmp_path / "i", encoder=int8, require_fresh=True)
        Index.update(tmp_path / "i", encoder=int8)
        assert manifest_of(tmp_path / "i")["sources"] == recorded
