"""An index of an older format is upgraded; a newer one is refused by name."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from ragkit import Document, Encoder, Index, IndexExistsError, IndexMismatchError, IndexStaleError
from ragkit.cli import cli
from ragkit.index.manifest import FORMAT
from support.parts import ROOT, rewrite_manifest

FORMATS = ROOT / "tests" / "data" / "formats"
REBUILT = 3
"""The newest format that nothing is converted from."""


@pytest.fixture
def built(tmp_path: Path, tiny_model: Path) -> Path:
    (tmp_path / "rivers.txt").write_text("The Rhine flows to the sea.", encoding="utf-8")
    Index.build(tmp_path / "rivers.txt", tmp_path / "i", encoder=str(tiny_model))
    return tmp_path / "i"


@pytest.fixture
def of_format_4(tmp_path: Path) -> Path:
    """An index that ragkit 0.4 built, without its sources."""
    shutil.copytree(ROOT / "tests/data/format-4/index", tmp_path / "old")
    return tmp_path / "old"


def test_an_index_of_format_4_is_refused_with_the_command_that_upgrades_it(
    of_format_4: Path,
) -> None:
    with pytest.raises(IndexMismatchError, match=r"format 4.*ragkit index upgrade"):
        Index.open(of_format_4)


def test_an_index_of_format_4_is_upgraded_without_its_sources_and_answers_as_before(
    of_format_4: Path,
) -> None:
    assert Index.upgrade(of_format_4)
    index = Index.verify(of_format_4)
    assert index.ask("When is it closed?").text == "On Sundays it is closed."
    scores = [passage.score for passage in index.search("How long may I keep a film?", k=3)]
    assert scores == pytest.approx([0.6052, 0.2199, 0.1485], abs=1e-3)  # as version 0.4 said
    assert Index.info(of_format_4).runtime is None


def test_an_update_takes_no_vectors_of_a_runtime_that_is_not_known(of_format_4: Path) -> None:
    Index.upgrade(of_format_4)
    sources = [ROOT / "tests/data/format-4" / name for name in ("hours.md", "museum.md")]
    encoded: list[tuple[int, int]] = []
    updated = Index.update(of_format_4, sources, progress=lambda *step: encoded.append(step))
    assert encoded[-1][1] > updated.counts["chunks"]
    assert Index.info(of_format_4).runtime == "int8"
    again: list[tuple[int, int]] = []
    Index.update(of_format_4, sources, progress=lambda *step: again.append(step))
    assert again == []


def test_a_damaged_index_of_format_4_is_built_again_from_its_sources(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests/data/format-4", tmp_path / "old")
    index = tmp_path / "old" / "index"
    [tokens] = index.glob("*/tokens.npy")
    tokens.write_bytes(tokens.read_bytes()[:-1] + b"!")
    assert Index.upgrade(index)
    assert Index.verify(index).ask("When is it closed?").text == "On Sundays it is closed."


@pytest.fixture
def released(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The folder of an index that the code of that format wrote, next to its source."""
    shutil.unpack_archive(FORMATS / f"format-{request.param}.tar.xz", tmp_path, filter="data")
    return tmp_path / "index"


@pytest.mark.parametrize("released", [1, 2, 3], indirect=True)
def test_an_index_of_each_earlier_format_is_refused_by_name_and_upgraded_as_the_error_says(
    released: Path,
) -> None:
    with pytest.raises(IndexMismatchError) as refused:
        Index.open(released)
    number = json.loads((released / "manifest.json").read_text())["format"]
    assert f"has format {number}" in str(refused.value)
    [line] = re.findall(r"`ragkit (.*)`", str(refused.value))
    done = CliRunner().invoke(cli, shlex.split(line), catch_exceptions=False)
    assert done.exit_code == 0
    opened = Index.verify(released)
    assert [document.id for document in opened.documents] == ["hours"]
    assert opened.ask("When is it closed?").text == "On Sundays it is closed."
    assert Index.info(released).to_dict()["format"] == FORMAT


@pytest.mark.parametrize("released", [1, 2, 3], indirect=True)
def test_an_index_of_an_earlier_format_without_its_source_is_refused_and_unchanged(
    released: Path,
) -> None:
    (released.parent / "hours.txt").unlink()
    before = (released / "manifest.json").read_bytes()
    with pytest.raises(IndexStaleError, match=r"hours\.txt does not exist.*Restore the file, or"):
        Index.upgrade(released)
    assert (released / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("released", [1, 2, 3], indirect=True)
def test_a_build_onto_an_index_of_an_earlier_format_drops_none_of_its_documents(
    released: Path, tiny_model: Path
) -> None:
    (released.parent / "other.txt").write_text("Tea is made of leaves.")
    with pytest.raises(IndexExistsError, match=r"1 in all \(hours\)"):
        Index.build(released.parent / "other.txt", released, encoder=str(tiny_model))


@pytest.mark.parametrize("released", [5], indirect=True)
def test_the_first_index_of_the_current_format_is_opened_as_it_is(released: Path) -> None:
    assert not Index.upgrade(released)
    assert Index.verify(released).ask("When is it closed?").text == "On Sundays it is closed."


def test_an_index_of_each_format_is_kept() -> None:
    kept = {int(path.name.split("-")[1].split(".")[0]) for path in FORMATS.iterdir()}
    assert kept | {4} == set(range(1, FORMAT + 1))  # format 4 has a folder of its own


def test_an_upgrade_keeps_the_ids_of_documents_that_their_folder_gave(
    tmp_path: Path, tiny_model: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / "docs" / name).mkdir(parents=True)
        (tmp_path / "docs" / name / "hours.txt").write_text(f"The {name} opens at nine.")
    Index.build(tmp_path / "docs", tmp_path / "i", encoder=str(tiny_model))
    shutil.rmtree(tmp_path / "docs" / "b")
    Index.update(tmp_path / "i", drop_missing=True)
    rewrite_manifest(tmp_path / "i", format=REBUILT)
    Index.upgrade(tmp_path / "i")
    assert [document.id for document in Index.open(tmp_path / "i").documents] == ["a-hours"]


def test_an_older_index_names_the_command_that_upgrades_it(built: Path) -> None:
    rewrite_manifest(built, format=FORMAT - 1)
    with pytest.raises(IndexMismatchError, match=rf"format {FORMAT - 1}.*ragkit index upgrade"):
        Index.open(built)


def test_upgrading_gives_the_index_that_a_fresh_build_would_give(built: Path) -> None:
    generation = Index.open(built).generation
    rewrite_manifest(built, format=REBUILT)
    done = CliRunner().invoke(cli, ["index", "upgrade", str(built), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.output)["upgraded"] is True
    assert Index.open(built).generation == generation
    again = CliRunner().invoke(cli, ["index", "upgrade", str(built)])
    assert "nothing to upgrade" in again.output


def test_a_changed_source_is_not_mixed_into_an_upgrade(built: Path) -> None:
    rewrite_manifest(built, format=REBUILT)
    (built.parent / "rivers.txt").write_text("The Rhine is long.", encoding="utf-8")
    with pytest.raises(IndexStaleError, match="build a new index"):
        Index.upgrade(built)


def test_documents_in_memory_cannot_be_loaded_again(tmp_path: Path, tiny: Encoder) -> None:
    Index.build([Document("a", "A", "Text.")], tmp_path / "i", encoder=tiny)
    rewrite_manifest(tmp_path / "i", format=REBUILT)
    with pytest.raises(IndexMismatchError, match="documents in memory"):
        Index.upgrade(tmp_path / "i")


@pytest.mark.parametrize("changes", [{"format": FORMAT + 1}, {"kind": "something else"}])
def test_a_newer_or_foreign_index_is_refused_by_name(
    built: Path, changes: dict[str, object]
) -> None:
    rewrite_manifest(built, **changes)
    for use in (Index.open, Index.upgrade):
        with pytest.raises(IndexMismatchError, match=f"reads 'ragkit index' up to format {FORMAT}"):
            use(built)
