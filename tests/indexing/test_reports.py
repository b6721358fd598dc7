"""An index describes itself, verifies itself, and reports what an update changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ragkit import (
    AnchorStatus,
    Document,
    Encoder,
    Index,
    IndexDamagedError,
    IndexNotFoundError,
    IndexStaleError,
    InputError,
    LeftOut,
    SourceError,
    Span,
)
from ragkit.answering.saved_citations import load_citations
from ragkit.index.config import DEFAULT_MEMORY
from ragkit.index.manifest import SourceRecord
from ragkit.indexing.reports import UpdateReport
from support.corpora import assert_same, document
from support.parts import manifest_of


def source(name: str, sha256: str) -> SourceRecord:
    return SourceRecord(name, f"{name}.txt", sha256)


def test_an_update_report_compares_documents_by_the_checksums_of_their_sources() -> None:
    before = [source("a", "1"), source("b", "2"), source("c", "3")]
    after = [source("d", "4"), source("c", "3"), source("a", "5")]
    report = UpdateReport.compare(before, after)
    assert report == UpdateReport(added=("d",), changed=("a",), removed=("b",))
    assert report.counts == {"added": 1, "changed": 1, "removed": 1}


def test_only_an_updated_index_has_an_update_report(tmp_path: Path, tiny: Encoder) -> None:
    built = Index.build(
        [document("a", "One."), document("b", "Two.")], tmp_path / "i", encoder=tiny
    )
    assert built.update_report is None
    changed = [document("a", "Another."), document("c", "Three.")]
    updated = Index.update(tmp_path / "i", changed, encoder=tiny)
    assert updated.update_report == UpdateReport(("c",), ("a",), ("b",))
    again = Index.update(tmp_path / "i", changed, encoder=tiny)
    assert again.update_report == UpdateReport((), (), ())
    assert Index.open(tmp_path / "i", encoder=tiny).update_report is None


def test_a_change_of_metadata_alone_counts_as_a_change(tmp_path: Path, tiny: Encoder) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.txt").write_text(f"Text of {name}.", encoding="utf-8")
    (folder / "b.meta.json").write_text('{"tags": ["x"], "year": 1}', encoding="utf-8")
    Index.build(folder, tmp_path / "i", encoder=tiny)

    def changed() -> tuple[str, ...]:
        updated = Index.update(tmp_path / "i", folder, encoder=tiny)
        assert updated.generation == Index.build(folder, encoder=tiny).generation
        assert updated.update_report is not None
        assert not updated.update_report.added + updated.update_report.removed
        return updated.update_report.changed

    assert changed() == ()
    (folder / "a.txt.meta.json").write_text('{"title": "Another"}', encoding="utf-8")
    (folder / "b.meta.json").write_text('{"tags": ["x", "y"], "year": 1}', encoding="utf-8")
    assert changed() == ("a", "b")
    assert changed() == ()
    (folder / "b.meta.json").unlink()
    (folder / "c.txt").write_text("Text of C.", encoding="utf-8")
    assert changed() == ("b", "c")


def test_the_metadata_of_a_document_from_memory_counts_too(tmp_path: Path, tiny: Encoder) -> None:
    Index.build([document("a", "One.", metadata={"tag": ("x",)})], tmp_path / "i", encoder=tiny)
    for tags, changed in ((["x"], ()), (["y"], ("a",))):
        tagged = document("a", "One.", metadata={"tag": tags})
        updated = Index.update(tmp_path / "i", [tagged], encoder=tiny)
        assert updated.update_report == UpdateReport((), changed, ())


def test_an_index_says_what_was_left_out_of_it_and_an_update_equals_a_fresh_build(
    tmp_path: Path, tiny: Encoder
) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "a.txt").write_text("Rivers flow.", encoding="utf-8")
    (folder / "b.txt").write_text("Zebras run.", encoding="utf-8")
    (folder / "d.xlsx").write_bytes(b"x")
    built = Index.build(folder, tmp_path / "i", encoder=tiny)
    assert built.left_out == LeftOut((), {".xlsx": 1})
    (folder / "b.txt").write_bytes(b"\xff")
    (folder / "c.txt").write_bytes(b"")
    updated = Index.update(tmp_path / "i", folder, encoder=tiny)
    assert [file.path.name for file in updated.left_out.files] == ["b.txt", "c.txt"]
    assert updated.update_report == UpdateReport((), (), ("b",))
    fresh = Index.build(folder, encoder=tiny)
    assert fresh.left_out == updated.left_out
    assert_same(updated, fresh)
    assert not Index.open(tmp_path / "i", encoder=tiny).left_out
    with pytest.raises(SourceError, match=r"b\.txt"):
        Index.update(tmp_path / "i", folder, encoder=tiny, strict=True)
    with pytest.raises(SourceError, match=r"b\.txt"):
        Index.build(folder, encoder=tiny, strict=True)
    assert Index.open(tmp_path / "i", encoder=tiny).generation == fresh.generation


def test_an_index_knows_the_file_of_a_document_and_its_citations_do_not(
    tmp_path: Path, tiny: Encoder
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("Rivers flow.", encoding="utf-8")
    Index.build([file, document("b", "Zebras run.")], tmp_path / "i", encoder=tiny)
    opened = Index.open(tmp_path / "i", encoder=tiny)
    path = opened.source_path("a")
    assert path is not None
    assert path.samefile(file)
    assert opened.source_path("b") is None
    assert opened.source_path("nothing") is None
    answer = opened.ask("Do rivers flow?", threshold=0)
    assert str(tmp_path) not in json.dumps(answer.to_dict())


def test_an_index_returns_the_citation_that_a_passage_id_names(tiny: Encoder) -> None:
    index = Index.build([document("a#1", "Rivers flow.")], encoder=tiny)
    passage = index.search("rivers")[0]
    assert passage.citation.passage_id == f"a#1#{passage.citation.start}-{passage.citation.end}"
    assert index.cite(passage.citation.passage_id) == passage.citation
    for wrong in ("a#1", "a#1#0-99", "a#1#5-5", "b#0-5"):
        with pytest.raises(InputError):
            index.cite(wrong)


def test_info_has_what_the_manifest_has(tmp_path: Path, tiny: Encoder) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "bread.txt").write_text("Bread is made of flour.\n", encoding="utf-8")
    built = Index.build(folder, tmp_path / "i", encoder=tiny)
    info = Index.info(tmp_path / "i")
    assert info.to_dict().items() <= manifest_of(tmp_path / "i").items()
    assert json.loads(json.dumps(info.to_dict())) == info.to_dict()
    assert info.generation == built.generation
    assert (info.encoder, info.dimension) == (tiny.fingerprint, tiny.dimension)
    assert (info.chunker, info.config) == (built.chunker, built.config)
    assert (info.counts, info.memory) == (built.counts, DEFAULT_MEMORY)
    assert (info.token_bits, info.search.sample) == (8, 0)
    assert info.bytes == sum(file.stat().st_size for file in (tmp_path / "i").glob("*/*"))
    [only] = info.sources
    assert (only.path, only.documents) == ("../sources/bread.txt", ("bread",))
    with pytest.raises(IndexNotFoundError):
        Index.info(tmp_path / "none")


def test_verify_checks_files_and_sources_and_returns_the_index(
    tmp_path: Path, tiny_model: Path
) -> None:
    file = tmp_path / "bread.txt"
    file.write_text("Bread is made of flour.\n", encoding="utf-8")
    built = Index.build(file, tmp_path / "i", encoder=str(tiny_model))
    assert Index.verify(tmp_path / "i").generation == built.generation
    file.write_text("Bread is made of rye.\n", encoding="utf-8")
    with pytest.raises(IndexStaleError, match=r"bread\.txt"):
        Index.verify(tmp_path / "i")
    [victim] = (tmp_path / "i").glob("*/tokens.npy")
    victim.write_bytes(victim.read_bytes()[:-1])
    with pytest.raises(IndexDamagedError, match=r"tokens\.npy is damaged"):
        Index.verify(tmp_path / "i")


def test_metadata_has_each_property_and_its_kind_of_value(tiny: Encoder) -> None:
    documents = [
        Document("a", "A", "One.", metadata={"tag": ["x", "y"], "year": 1922}),
        Document("b", "B", "Two.", metadata={"tag": "x", "draft": True, "length": 2.5}),
        Document("c", "C", "Three."),
    ]
    index = Index.build(documents, encoder=tiny)
    kinds = {"tag": "text", "year": "number", "draft": "boolean", "length": "number"}
    assert index.metadata == kinds


def test_an_index_reanchors_citations_and_misses_those_of_documents_it_lacks(tiny: Encoder) -> None:
    old = Document("a", "A", "Bread is made of flour.")
    citation = old.cite(Span(9, 22))
    assert citation.quote == "made of flour"
    index = Index.build([Document("a", "A", "News first. " + old.text)], encoder=tiny)
    anchor = index.reanchor(citation)
    assert anchor.status is AnchorStatus.MOVED
    assert anchor.citation is not None
    assert anchor.citation.start == citation.start + len("News first. ")
    other = Index.build([Document("b", "B", old.text)], encoder=tiny)
    assert other.reanchor(citation).status is AnchorStatus.GONE
    assert other.reanchor(citation).citation is None


def test_citations_are_loaded_from_an_answer_or_a_list(tmp_path: Path, tiny: Encoder) -> None:
    answer = Index.build([document("a", "Bread is made of flour.")], encoder=tiny).ask("bread?")
    expected = [passage.citation for passage in answer.passages]
    path = tmp_path / "saved.json"
    content = answer.to_dict()
    for form in (content, content["passages"], [citation.to_dict() for citation in expected]):
        path.write_text(json.dumps(form), encoding="utf-8")
        assert load_citations(path) == expected


@pytest.mark.parametrize("content", ["", "{}", "[1]", "3", '[{"document_id": "a"}]'])
def test_a_file_without_citations_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "saved.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"saved\.json holds no citations"):
        load_citations(path)
