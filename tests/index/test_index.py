"""The index: exact values, whole on disk, never silently wrong."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from ragkit import Document, Encoder, Index, InputError, StoreError
from ragkit.encoding import Vectors
from ragkit.errors import (
    IndexDamagedError,
    IndexLockedError,
    IndexMismatchError,
    IndexNotFoundError,
    IndexStaleError,
    IndexWriteError,
    RagkitError,
)
from ragkit.index import LocalData, Manifest, publish
from ragkit.index.vectors import VectorIndex, choose_layout
from ragkit.indexing import builder, pipeline
from ragkit.storage.tables import MemoryTables
from support.parts import make_model, manifest_of


def unit(rng: np.random.Generator, n: int, d: int) -> Vectors:
    vectors = rng.normal(size=(n, d)).astype(np.float32)
    normal: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normal


@pytest.fixture
def built(tmp_path: Path, documents: Sequence[Document], tiny: Encoder) -> Path:
    path = tmp_path / "index"
    Index.build(documents, path, encoder=tiny)
    return path


def data_files(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file() and p.name != ".lock")


def test_dense_search_equals_brute_force_in_values_and_order() -> None:
    rng = np.random.default_rng(0)
    vectors, queries = unit(rng, 50, 8), unit(rng, 5, 8)
    index = VectorIndex.write(MemoryTables(), choose_layout(50, 8), vectors, queries)
    for query in queries:
        scores, ids = index.search(query, 10)
        expected = np.argsort(-(vectors @ query))[:10]
        np.testing.assert_array_equal(ids, expected)
        np.testing.assert_allclose(scores, (vectors @ query)[expected], atol=1e-6)


def test_dense_vectors_survive_the_round_trip_bit_for_bit() -> None:
    vectors = unit(np.random.default_rng(1), 20, 8)
    tables = MemoryTables()
    made = VectorIndex.write(tables, choose_layout(20, 8), vectors, vectors[:1])
    again = VectorIndex.open(tables.finish(), made.settings)
    np.testing.assert_array_equal(again.vectors_of(np.arange(20)), vectors)


def test_a_build_in_many_groups_is_the_build_in_one(
    documents: list[Document], article: Document, tiny: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[int, int]] = []
    whole = Index.build([*documents, article], encoder=tiny)
    monkeypatch.setattr(pipeline, "_BATCH", 7)
    parts = Index.build(
        [*documents, article], encoder=tiny, progress=lambda *done: shown.append(done)
    )
    chunks = np.arange(len(whole))
    one, other = parts._local().data, whole._local().data
    np.testing.assert_allclose(one.vectors_of(chunks), other.vectors_of(chunks), atol=1e-5)
    some, same = one.token_vectors(chunks), other.token_vectors(chunks)
    np.testing.assert_array_equal(some.lengths, same.lengths)
    np.testing.assert_array_equal(some.starts, same.starts)
    np.testing.assert_allclose(
        some.codes * some.scales[:, None], same.codes * same.scales[:, None], atol=0.01
    )
    done, totals = zip(*shown, strict=True)
    assert list(done) == sorted(done)
    assert set(totals) == {done[-1]}


def test_an_opened_index_answers_as_the_built_one(
    built: Path, documents: list[Document], tiny: Encoder
) -> None:
    fresh = Index.build(documents, encoder=tiny)
    opened = Index.open(built, encoder=tiny)
    for question in ("Where does the Danube rise?", "rye bread"):
        assert opened.ask(question) == fresh.ask(question)
    assert [d.text for d in opened.documents] == [d.text for d in documents]


def test_building_twice_gives_the_same_bytes(
    built: Path, tmp_path: Path, documents: list[Document], tiny: Encoder
) -> None:
    Index.build(documents, tmp_path / "again", encoder=tiny)
    first = {p.relative_to(built): p.read_bytes() for p in data_files(built)}
    second = {
        p.relative_to(tmp_path / "again"): p.read_bytes() for p in data_files(tmp_path / "again")
    }
    assert first == second


def test_every_flipped_byte_of_every_file_is_detected(built: Path) -> None:
    rng = random.Random(0)
    for path in data_files(built):
        whole = path.read_bytes()
        for position in {0, len(whole) - 1, *rng.sample(range(len(whole)), min(25, len(whole)))}:
            damaged = bytearray(whole)
            damaged[position] ^= 1 << rng.randrange(8)
            path.write_bytes(damaged)
            with pytest.raises(StoreError) as caught:
                Index.open(built)
            assert path.name in str(caught.value)
        path.write_bytes(whole)
    Index.open(built)


def test_every_cut_and_every_missing_file_is_detected(built: Path) -> None:
    for path in data_files(built):
        whole = path.read_bytes()
        for length in {0, 1, len(whole) // 2, len(whole) - 1}:
            path.write_bytes(whole[:length])
            with pytest.raises(StoreError, match=path.name):
                Index.open(built)
        path.unlink()
        with pytest.raises(StoreError, match=path.name):
            Index.open(built)
        path.write_bytes(whole)


def test_a_foreign_manifest_and_another_format_are_refused(built: Path) -> None:
    manifest = built / "manifest.json"
    content = manifest_of(built)
    for changed, error in (
        ({**content, "format": 99}, IndexMismatchError),
        ({**content, "kind": "cake"}, IndexMismatchError),
        ({"some": "json"}, IndexDamagedError),
        ([1], IndexDamagedError),
    ):
        manifest.write_text(json.dumps(changed), encoding="utf-8")
        with pytest.raises(error, match=r"manifest\.json"):
            Index.open(built)


def test_no_index_says_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFoundError, match="ragkit index build"):
        Index.open(tmp_path / "nothing")


@pytest.mark.parametrize("call", [Index.open, Index.verify, Index.info, Index.repair])
def test_what_is_no_path_is_refused_as_such(call: Callable[[Any], Any]) -> None:
    with pytest.raises(InputError, match="path of the index is None"):
        call(None)


def test_another_model_is_refused_naming_both(built: Path, tmp_path: Path) -> None:
    other = make_model(tmp_path / "other", seed=7)
    with pytest.raises(IndexMismatchError, match=r"encoded by the model 'model'.*rebuild"):
        Index.open(built, encoder=str(other))


def test_an_index_whose_source_changed_answers_as_built_and_says_so(
    tmp_path: Path, tiny: Encoder, caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path / "a.txt"
    source.write_text("Bread is made of flour.", encoding="utf-8")
    Index.build(source, tmp_path / "index", encoder=tiny)
    fresh = Index.open(tmp_path / "index")
    assert fresh.stale_sources == ()
    assert not fresh.ask("What is bread made of?", threshold=0).stale
    source.write_text("Bread is made of rye.", encoding="utf-8")
    with pytest.raises(IndexStaleError, match=r"a\.txt.*Update it: `ragkit index update"):
        Index.open(tmp_path / "index", require_fresh=True)
    assert not caplog.messages
    stale = Index.open(tmp_path / "index")
    assert "Update it: `ragkit index update" in caplog.text
    assert stale.stale_sources == (tmp_path / "index" / "../a.txt",)
    answer = stale.ask("What is bread made of?", threshold=0)
    assert answer.text == "Bread is made of flour."
    assert answer.stale
    assert answer.to_dict()["stale"] is True
    assert all(one.stale for one in stale.ask_many(["What is bread?", "Who?"], threshold=1))
    assert not Index.open(tmp_path / "index", check_sources=False).ask("Bread?").stale
    source.unlink()
    assert len(Index.open(tmp_path / "index")) == 1


def test_a_removed_source_is_reported_and_its_document_can_be_dropped(
    tmp_path: Path, tiny: Encoder, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"Bread {name} is made of flour.", encoding="utf-8")
    Index.build(tmp_path.glob("*.txt"), tmp_path / "index", encoder=tiny)
    (tmp_path / "b.txt").unlink()
    with pytest.raises(IndexStaleError, match=r"b\.txt was removed .* --drop-missing"):
        Index.verify(tmp_path / "index")
    opened = Index.open(tmp_path / "index")
    assert "b.txt was removed" in caplog.text
    assert [path.name for path in opened.stale_sources] == ["b.txt"]
    with pytest.raises(InputError, match=r"missing: .*b\.txt.*--drop-missing"):
        Index.update(tmp_path / "index")
    updated = Index.update(tmp_path / "index", drop_missing=True)
    assert [document.id for document in updated.documents] == ["a"]
    assert not Index.verify(tmp_path / "index").stale_sources
    (tmp_path / "a.txt").unlink()
    assert not Index.open(tmp_path / "index").stale_sources  # it may have been carried elsewhere
    with pytest.raises(InputError, match=r"are missing.*Restore them, or name all sources"):
        Index.update(tmp_path / "index", drop_missing=True)


def test_an_index_can_be_carried_elsewhere(built: Path, tmp_path: Path) -> None:
    built.rename(tmp_path / "moved")
    assert Index.open(tmp_path / "moved").search("Danube?")


def test_rebuilding_replaces_the_generation_and_removes_the_old(built: Path, tiny: Encoder) -> None:
    before = manifest_of(built)["generation"]
    Index.build([Document("new", "New", "Fresh text.")], built, encoder=tiny, replace=True)
    after = manifest_of(built)["generation"]
    assert before != after
    assert sorted(p.name for p in built.iterdir() if p.is_dir()) == [after]


def test_saving_over_a_damaged_generation_of_the_same_data_mends_it(
    built: Path, documents: list[Document], tiny: Encoder
) -> None:
    victim = data_files(built)[0]
    victim.write_bytes(b"")
    Index.build(documents, encoder=tiny).save(built)
    Index.open(built)


def test_a_second_writer_is_told_at_once(
    built: Path, documents: list[Document], tiny: Encoder
) -> None:
    with FileLock(built / ".lock"), pytest.raises(IndexLockedError, match="another process"):
        Index.build(documents, built, encoder=tiny)


def test_a_folder_with_other_files_is_never_written_to(
    tmp_path: Path, documents: list[Document], tiny: Encoder
) -> None:
    (tmp_path / "thesis.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(IndexWriteError, match=r"thesis\.txt"):
        Index.build(documents, tmp_path, encoder=tiny)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_way_is_a_write_error(
    tmp_path: Path, documents: list[Document], tiny: Encoder
) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(IndexWriteError):
        Index.build(documents, tmp_path / "file", encoder=tiny)


def test_a_failed_build_leaves_no_folder_behind(tmp_path: Path, documents: list[Document]) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError("no power")

    with pytest.raises(RuntimeError, match="no power"):
        Index.build(documents, tmp_path / "index", encoder=Broken())  # type: ignore[arg-type]
    assert not (tmp_path / "index").exists()


FILL_THE_DISK = """
import resource, signal, sys
from ragkit import Document, Index, IndexWriteError, load_encoder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
index = Index.build([Document("big", "Big", "word " * 4000)], encoder=load_encoder(sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
try:
    index.save(sys.argv[1])
except IndexWriteError as error:
    print("told:", error)
"""


def test_when_the_disk_is_full_the_old_generation_still_opens(
    built: Path, tiny_model: Path
) -> None:
    before = {p: p.read_bytes() for p in data_files(built)}
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(built), str(tiny_model)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "told:" in done.stdout
    assert {p: p.read_bytes() for p in data_files(built)} == before
    assert Index.open(built).search("Danube?")


def test_a_builder_killed_while_writing_leaves_the_old_generation_and_the_next_one_cleans_up(
    built: Path, documents: list[Document], tiny: Encoder
) -> None:
    # What a killed writer leaves: a hidden folder, and perhaps a hidden manifest.
    partial = built / ".partial-0123456789abcdef"
    partial.mkdir()
    (partial / "chunks.npy").write_bytes(b"half")
    (built / ".partial-manifest.json").write_bytes(b"{")
    assert Index.open(built).search("Danube?")
    Index.build(documents, built, encoder=tiny)
    assert not [p for p in built.iterdir() if p.name.startswith(".partial")]


def test_a_reader_that_meets_a_swap_reads_the_new_generation(
    built: Path, tiny: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = publish.open_generation
    swapped: list[bool] = []

    def swap_first(directory: Path, manifest: Manifest) -> LocalData:
        if not swapped:
            swapped.append(True)
            Index.build([Document("new", "New", "Fresh text.")], built, encoder=tiny, replace=True)
        return real(directory, manifest)

    monkeypatch.setattr(builder, "open_generation", swap_first)
    assert [d.id for d in Index.open(built).documents] == ["new"]


def test_an_empty_corpus_is_a_typed_outcome(tmp_path: Path, tiny: Encoder) -> None:
    Index.build([], tmp_path / "index", encoder=tiny)
    answer = Index.open(tmp_path / "index").ask("Anything?")
    assert not answer.answered
    assert answer.reason is not None
    assert answer.passages == ()


def test_no_file_of_an_index_is_a_pickle(built: Path) -> None:
    for path in data_files(built):
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
        assert not path.read_bytes().startswith(b"\x80")


def test_a_place_that_takes_no_folder_is_a_write_error(
    documents: list[Document], tiny: Encoder
) -> None:
    with pytest.raises(IndexWriteError, match="Check space and permissions"):
        Index.build(documents, "/dev/null/index", encoder=tiny)


def test_all_errors_are_of_the_one_tree() -> None:
    from ragkit import errors

    for name in errors.__all__:
        assert issubclass(getattr(errors, name), RagkitError)


def test_another_programs_folder_is_never_written_to(
    tmp_path: Path, documents: list[Document], tiny: Encoder
) -> None:
    app = tmp_path / "app"
    (app / "0123456789abcdef").mkdir(parents=True)
    (app / "0123456789abcdef" / "precious").write_text("x", encoding="utf-8")
    (app / "manifest.json").write_text('{"name": "a web app"}', encoding="utf-8")
    with pytest.raises(IndexWriteError, match=r"manifest\.json"):
        Index.build(documents, app, encoder=tiny)
    (app / "manifest.json").unlink()
    with pytest.raises(IndexWriteError, match="0123456789abcdef"):
        Index.build(documents, app, encoder=tiny)
    assert (app / "0123456789abcdef" / "precious").exists()


def test_an_index_whose_manifest_was_damaged_can_be_rebuilt_in_place(
    built: Path, documents: list[Document], tiny: Encoder
) -> None:
    manifest = built / "manifest.json"
    for damage in (b"", manifest.read_bytes()[:-9]):
        manifest.write_bytes(damage)
        Index.build(documents, built, encoder=tiny)
        Index.open(built)


def test_k_reaches_beyond_the_candidates(tiny: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragkit.retrieval.ranking.CANDIDATES", 3)
    texts = [Document(f"d{i}", f"D{i}", f"Bread number {i}.") for i in range(8)]
    assert len(Index.build(texts, encoder=tiny).search("bread", k=7)) == 7


def test_a_source_that_cannot_be_read_any_more_does_not_stop_the_index(
    tmp_path: Path, tiny: Encoder
) -> None:
    source = tmp_path / "a.txt"
    source.write_text("Bread is made of flour.", encoding="utf-8")
    Index.build(source, tmp_path / "index", encoder=tiny)
    source.unlink()
    source.symlink_to("a.txt")  # a link to itself: no one may read it
    assert len(Index.open(tmp_path / "index")) == 1
