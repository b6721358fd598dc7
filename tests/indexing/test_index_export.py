"""Exports: every document can be built again from them, and every chunk's citation resolves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from ragkit import Document, Encoder, Index, InputError, Section
from ragkit.cli import cli
from support.milvus_servers import lite_server

MIXED = Document(
    id="a/ü 1",
    title="Ünïcode\n\"title\"",
    text="First line.\u2028Second 😀 line.\n\nThird.\n",
    url="https://example.org/?a=1&b=2",
    sections=(Section((), 0, 26), Section(("Top", "Inner"), 28, 34)),
    metadata={"tags": ["x", "y"], "year": 1922, "ratio": 0.5, "open": True, "of": "night"},
    pages=(0, 12),
)  # fmt: skip
EMPTY = Document(id="headings", title="Headings alone", text="== One ==\n")


@pytest.fixture(scope="module")
def index(tiny: Encoder) -> Index:
    rivers = Document(
        id="rivers",
        title="Rivers",
        text="= Rivers =\n\nThey flow to the sea.\n\n== Danube ==\n\nIt rises in Germany. It ends in the Black Sea.\n",
    )
    return Index.build([MIXED, EMPTY, rivers], encoder=tiny)


def records_of(path: Path) -> list[dict[str, Any]]:
    """The records of an export, without the first line that says what made the index."""
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return [
            {**row, "metadata": json.loads(row["metadata"])} if row["kind"] == "document" else row
            for row in rows
        ]
    head, *records = [
        json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]
    ]
    assert head["kind"] == "index"
    return records


@pytest.mark.parametrize("name", ["all.jsonl", "all.parquet"])
def test_documents_are_built_again_from_an_export_and_citations_resolve(
    index: Index, tiny: Encoder, tmp_path: Path, name: str
) -> None:
    index.export(tmp_path / name)
    records = records_of(tmp_path / name)
    documents = [Document.from_dict(one) for one in records if one["kind"] == "document"]
    assert documents == list(index.documents)
    assert documents[0].metadata["year"] == 1922
    by_id = {document.id: document for document in documents}
    chunks = [one for one in records if one["kind"] == "chunk"]
    assert len(chunks) == len(index)
    assert [one["number"] for one in chunks] == list(range(len(index)))
    for chunk in chunks:
        citation = index.cite(chunk["id"])
        document = by_id[chunk["document_id"]]
        assert citation.quote == chunk["text"] == document.text[chunk["start"] : chunk["end"]]
        assert list(citation.section) == chunk["section"]
        for sentence in chunk["sentences"]:
            assert chunk["start"] <= sentence["start"] < sentence["end"] <= chunk["end"]
    again = Index.build(documents, encoder=tiny)
    assert again.generation == index.generation


def test_both_formats_have_the_same_records(index: Index, tmp_path: Path) -> None:
    index.export(tmp_path / "a.jsonl", vectors=True)
    index.export(tmp_path / "a.parquet", vectors=True)
    lines, rows = records_of(tmp_path / "a.jsonl"), records_of(tmp_path / "a.parquet")
    for line, row in zip(lines, rows, strict=True):
        filled = {name: value for name, value in row.items() if name in line}
        assert filled == line
        assert {value for name, value in row.items() if name not in line} <= {None}
    about = json.loads(parquet.read_schema(tmp_path / "a.parquet").metadata[b"ragkit"])
    head = json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8").split("\n")[0])
    assert head == {"kind": "index", **about}
    assert (about["format"], about["generation"], about["counts"]) == (
        1,
        index.generation,
        index.counts,
    )


def test_a_chunk_and_its_document_are_as_worked_out_by_hand(tiny: Encoder, tmp_path: Path) -> None:
    text = "== Danube ==\n\nIt rises in Germany. It ends in the sea."
    index = Index.build([Document("d", "Danube", text)], encoder=tiny)
    index.export(tmp_path / "d.jsonl")
    document, chunk = records_of(tmp_path / "d.jsonl")
    assert document == {
        "kind": "document", "id": "d", "title": "Danube", "text": text, "url": None, "metadata": {}, "pages": [], "language": None,
        "sections": [{"path": ["Danube"], "start": 13, "end": 54}],
    }  # fmt: skip
    assert chunk == {
        "kind": "chunk", "id": "d#14-54", "document_id": "d", "number": 0, "section": ["Danube"], "start": 14,
        "end": 54, "text": "It rises in Germany. It ends in the sea.", "lead": None,
        "sentences": [{"start": 14, "end": 34}, {"start": 35, "end": 54}],
    }  # fmt: skip


def test_vectors_are_those_that_the_index_searches(german_soviet: Index, tmp_path: Path) -> None:
    german_soviet.export(tmp_path / "v.parquet", vectors=True)
    chunks = [one for one in records_of(tmp_path / "v.parquet") if one["kind"] == "chunk"]
    vectors = np.asarray([one["vector"] for one in chunks], dtype=np.float32)
    expected = german_soviet._data.vectors_of(np.arange(len(german_soviet)))
    np.testing.assert_array_equal(vectors, expected)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-2)


def test_an_export_is_written_while_the_index_is_read(tiny: Encoder, tmp_path: Path) -> None:
    many = [
        Document(f"d{i}", "Rivers", f"River {i} flows.", metadata={"note": "-" * 2000})
        for i in range(600)
    ]
    index = Index.build(many, encoder=tiny)
    sizes: list[int] = []
    index.export(
        tmp_path / "many.jsonl",
        progress=lambda done, _: sizes.append(size_of(tmp_path)) if done < 600 else None,
    )
    whole = (tmp_path / "many.jsonl").stat().st_size
    assert len(sizes) == 2
    assert whole * 0.3 < sizes[0] < sizes[1] < whole * 0.9


def size_of(folder: Path) -> int:
    [partial] = folder.iterdir()
    return partial.stat().st_size


def test_a_file_is_replaced_only_if_that_is_said_and_never_by_half(
    index: Index, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("Mine.")
    with pytest.raises(InputError, match="replace=True"):
        index.export(path)

    def stops(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.export(path, replace=True, progress=stops)
    assert path.read_text() == "Mine."
    index.export(path, replace=True)
    assert len(records_of(path)) == 3 + len(index)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["all.csv", "all", "no/folder.jsonl", "no/folder.parquet"])
def test_a_file_that_cannot_be_written_is_named(index: Index, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=name):
        index.export(tmp_path / name)


def test_an_empty_index_is_exported(tiny: Encoder, tmp_path: Path) -> None:
    for name in ("none.jsonl", "none.parquet"):
        Index.build([], encoder=tiny).export(tmp_path / name, vectors=True)
        assert records_of(tmp_path / name) == []


def test_an_index_on_a_server_is_exported_alike(
    index: Index, tiny: Encoder, tmp_path: Path
) -> None:
    with lite_server(tmp_path / "server") as address:
        location = f"milvus://{address}/exported"
        index.push(location)
        remote = Index.open(location, encoder=tiny)
        remote.export(tmp_path / "remote.jsonl", vectors=True)
    index.export(tmp_path / "local.jsonl", vectors=True)
    assert (tmp_path / "remote.jsonl").read_bytes() == (tmp_path / "local.jsonl").read_bytes()


def test_an_export_of_a_restricted_index_has_its_documents_alone(
    tiny: Encoder, tmp_path: Path
) -> None:
    documents = [
        Document(
            f"d{i}", f"T{i}", f"River {i} flows.", metadata={"for": "all" if i % 2 else "staff"}
        )
        for i in range(6)
    ]
    part = Index.build(documents, encoder=tiny).restricted({"for": "all"})
    part.export(tmp_path / "part.jsonl", vectors=True)
    own = Index.build(documents[1::2], encoder=tiny)
    own.export(tmp_path / "own.jsonl", vectors=True)
    records, expected = records_of(tmp_path / "part.jsonl"), records_of(tmp_path / "own.jsonl")
    for record, other in zip(records, expected, strict=True):
        # Six texts in a batch have other last digits than three, on some processors.
        assert record.pop("vector", []) == pytest.approx(other.pop("vector", []), abs=1e-6)
        assert record == other
    assert len(records) == 6
    assert "staff" not in (tmp_path / "part.jsonl").read_text(encoding="utf-8")


def test_the_command_exports(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Notes\n\nBread is made of flour.\n")
    folder, out = str(tmp_path / "idx"), str(tmp_path / "idx.jsonl")
    for arguments in (
        ["build", str(tmp_path / "notes.md"), "--out", folder],
        ["export", folder, "--out", out],
    ):
        done = CliRunner().invoke(cli, ["index", *arguments])
        assert done.exit_code == 0, done.output
    assert done.output == f"Exported {folder} to {out}: 1 documents, 1 chunks.\n"
    again = CliRunner().invoke(cli, ["index", "export", folder, "--out", out])
    assert "--replace" in str(again.exception)
    done = CliRunner().invoke(cli, ["index", "export", folder, "--out", out, "--replace", "--json"])
    assert json.loads(done.output) == {"file": out, "documents": 1, "chunks": 1}


def test_what_is_no_document_says_what_it_lacks() -> None:
    with pytest.raises(InputError, match="KeyError: 'title'"):
        Document.from_dict({"id": "a", "sections": []})
    with pytest.raises(InputError, match="expected spans in order"):
        Document.from_dict(
            replace(MIXED, sections=(), pages=()).to_dict()
            | {"sections": [{"path": [], "start": 5, "end": 2}]}
        )


def test_a_file_below_a_file_is_refused_with_advice(index: Index, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Mine.", encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot be written: .* Choose another path"):
        index.export(tmp_path / "notes.txt" / "export.jsonl")
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "Mine."
