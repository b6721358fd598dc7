"""A damaged index is made whole from what is left of it, and says so where too little is."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from ragkit import Document, Encoder, Index, IndexDamagedError, IndexNotFoundError, load_encoder
from ragkit.cli import cli
from ragkit.index.manifest import Manifest
from ragkit.storage import checksums
from support.corpora import TEXTS, Counting, many
from support.parts import make_model, manifest_of


@pytest.fixture(scope="module")
def int8(tiny_model: Path) -> Encoder:
    return load_encoder(str(tiny_model), runtime="int8")


@pytest.fixture(name="small_blocks")
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is proved block by block."""
    monkeypatch.setattr(checksums, "LARGE", 0)
    monkeypatch.setattr(checksums, "BLOCK", 256)


def sources(folder: Path) -> Path:
    folder.mkdir()
    for name, text in zip("abc", TEXTS, strict=True):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def data_files(path: Path) -> list[Path]:
    return sorted(p for p in path.glob("*/*") if p.is_file())


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 0x10
    path.write_bytes(content)


def test_whatever_file_is_damaged_cut_or_gone_the_repaired_index_is_what_it_was(
    tmp_path: Path, int8: Encoder
) -> None:
    path = tmp_path / "i"
    Index.build(sources(tmp_path / "s"), path, encoder=int8)
    before = {p.name: p.read_bytes() for p in data_files(path)}
    generation = manifest_of(path)["generation"]
    rng = random.Random(2)
    for name in before:
        [victim] = path.glob(f"*/{name}")
        match rng.randrange(3):
            case 0:
                flip(victim, rng.randrange(victim.stat().st_size))
            case 1:
                victim.write_bytes(victim.read_bytes()[:-1])
            case _:
                victim.unlink()
        assert Index.repair(path, encoder=int8) == [name]
        assert manifest_of(path)["generation"] == generation
        assert {p.name: p.read_bytes() for p in data_files(path)} == before
        assert not [p for p in path.iterdir() if p.name.startswith(".partial")]
    assert Index.repair(path, encoder=int8) == []


@pytest.mark.usefixtures("small_blocks")
def test_only_chunks_in_damaged_blocks_are_read_by_the_model_again(
    tmp_path: Path, int8: Encoder
) -> None:
    path = tmp_path / "i"
    built = Index.build(many(40), path, encoder=int8)
    [tokens] = path.glob("*/tokens.npy")
    flip(tokens, tokens.stat().st_size // 2)
    with pytest.raises(IndexDamagedError, match=r"tokens\.npy is damaged: the bytes from"):
        Index.open(path, encoder=int8).search("river", k=len(built))
    counting = Counting(int8)
    assert Index.repair(path, encoder=counting) == ["tokens.npy"]
    assert 0 < counting.read < len(built) / 2
    assert Index.open(path, encoder=int8).generation == built.generation


def test_a_repaired_index_still_knows_which_files_need_no_parsing(
    tmp_path: Path, int8: Encoder
) -> None:
    path, folder = tmp_path / "i", sources(tmp_path / "s")
    Index.build(folder, path, encoder=int8)
    before = [source.inputs for source in Manifest.load(path).sources]
    [tokens] = path.glob("*/tokens.npy")
    flip(tokens, tokens.stat().st_size // 2)
    assert Index.repair(path, encoder=int8) == ["tokens.npy"]
    assert None not in before
    assert [source.inputs for source in Manifest.load(path).sources] == before


def test_texts_that_are_damaged_come_from_the_sources(tmp_path: Path, int8: Encoder) -> None:
    path, folder = tmp_path / "i", sources(tmp_path / "s")
    before = Index.build(folder, path, encoder=int8).generation
    [texts] = path.glob("*/texts.bin")
    flip(texts, 5)
    assert Index.repair(path, encoder=int8) == ["texts.bin"]
    assert Index.open(path, encoder=int8).generation == before


def test_documents_whose_ids_come_from_their_folders_are_repaired_from_their_files(
    tmp_path: Path, int8: Encoder
) -> None:
    path, folder = tmp_path / "i", tmp_path / "s"
    for name, text in zip(("x/a.txt", "y/deep/a.txt", "y/a!.txt"), TEXTS, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    before = Index.build(folder, path, encoder=int8)
    documents = list(before.documents)
    [texts] = path.glob("*/texts.bin")
    flip(texts, 5)
    assert Index.repair(path, encoder=int8) == ["texts.bin"]
    after = Index.open(path, encoder=int8)
    assert list(after.documents) == documents
    assert after.generation == before.generation


@pytest.mark.parametrize("change", ["edit", "remove"])
def test_where_texts_and_sources_are_both_lost_nothing_is_made_up(
    tmp_path: Path, int8: Encoder, change: str
) -> None:
    path, folder = tmp_path / "i", sources(tmp_path / "s")
    Index.build(folder, path, encoder=int8)
    [texts] = path.glob("*/texts.bin")
    flip(texts, 5)
    if change == "edit":
        (folder / "a.txt").write_text("Something else.", encoding="utf-8")
    else:
        (folder / "a.txt").unlink()
    left = {p: p.read_bytes() for p in data_files(path)}
    with pytest.raises(IndexDamagedError, match=r"cannot be repaired: texts\.bin is damaged"):
        Index.repair(path, encoder=int8)
    assert {p: p.read_bytes() for p in data_files(path)} == left


def test_documents_from_memory_survive_where_their_texts_are_whole(
    tmp_path: Path, int8: Encoder
) -> None:
    documents = [Document("a", "A", TEXTS[1], metadata={"tag": "x"}, url="https://example.org/a")]
    before = Index.build(documents, tmp_path / "i", encoder=int8)
    [victim] = (tmp_path / "i").glob("*/tokens.npy")
    victim.unlink()
    assert Index.repair(tmp_path / "i", encoder=int8) == ["tokens.npy"]
    after = Index.open(tmp_path / "i", encoder=int8)
    assert after.generation == before.generation
    assert after.documents == before.documents


def test_what_is_no_index_and_a_damaged_manifest_are_told(tmp_path: Path, int8: Encoder) -> None:
    with pytest.raises(IndexNotFoundError):
        Index.repair(tmp_path / "none", encoder=int8)
    Index.build([Document("a", "A", TEXTS[0])], tmp_path / "i", encoder=int8)
    (tmp_path / "i" / "manifest.json").write_bytes(b"{")
    with pytest.raises(IndexDamagedError, match="build the index anew beside it"):
        Index.repair(tmp_path / "i", encoder=int8)


def test_the_command_says_what_it_mended(tmp_path: Path, tiny_model: Path) -> None:
    path, folder = tmp_path / "i", sources(tmp_path / "s")
    Index.build(folder, path, encoder=str(tiny_model))
    done = CliRunner().invoke(cli, ["index", "repair", str(path)])
    assert "is intact; there was nothing to repair" in done.output
    [victim] = path.glob("*/postings.npy")
    flip(victim, 0)
    done = CliRunner().invoke(cli, ["index", "repair", str(path), "--json"])
    assert '"repaired": [\n    "postings.npy"\n  ]' in done.output, done.output
    assert CliRunner().invoke(cli, ["index", "verify", str(path)]).exit_code == 0


def test_the_commands_update_and_repair_with_another_runtime(tmp_path: Path) -> None:
    model = str(make_model(tmp_path / "m"))
    source = tmp_path / "a.txt"
    source.write_text("The river Rhine is long.", encoding="utf-8")
    path = str(tmp_path / "i")
    run = CliRunner()
    build = ["index", "build", str(source), "--out", path, "--model", model, "--runtime", "int8"]
    assert run.invoke(cli, build, catch_exceptions=False).exit_code == 0
    fresh = Index.open(path).generation
    source.write_text("The river Elbe is long.", encoding="utf-8")
    update = ["index", "update", path, str(source), "--runtime", "int8"]
    assert "1 changed" in run.invoke(cli, update, catch_exceptions=False).output
    [tokens] = Path(path).glob("*/tokens.npy")
    tokens.write_bytes(b"")
    repair = ["index", "repair", path, "--runtime", "int8"]
    assert "tokens.npy" in run.invoke(cli, repair, catch_exceptions=False).output
    source.write_text("The river Rhine is long.", encoding="utf-8")
    run.invoke(cli, update, catch_exceptions=False)
    assert Index.open(path).generation == fresh
