"""Documents and passages by their ids over HTTP."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from ragkit import Document, Index, InputError
from ragkit.serving.serialization import document_json
from support.http_api import (
    client,
)

pytest_plugins = ["support.http_fixtures"]


def test_documents_are_listed_and_returned_with_their_whole_text(
    web: TestClient, german_soviet: Index
) -> None:
    listed = web.get("/v1/documents").json()
    assert listed["total"] == 1
    [line] = listed["documents"]
    given = web.get(f"/v1/documents/{line['id']}").json()
    document = german_soviet.documents[0]
    assert given["text"] == document.text
    assert web.get("/v1/documents", params={"offset": 1}).json()["documents"] == []
    assert web.get("/v1/documents/none").status_code == 404


def test_the_blocks_of_a_document_have_all_of_its_text(german_soviet: Index) -> None:
    document = german_soviet.documents[0]
    blocks = document_json(document)["blocks"]
    shown = [b for b in blocks if b["kind"] != "heading"]
    for block in shown:
        assert document.text[block["start"] : block["end"]] == block["text"]
    assert [b["start"] for b in blocks] == sorted(b["start"] for b in blocks)
    covered = sum(len("".join(b["text"].split())) for b in shown)
    bodies = sum(len("".join(document.text[s.start : s.end].split())) for s in document.sections)
    assert covered == bodies
    headings = [(b["level"], b["text"]) for b in blocks if b["kind"] == "heading"]
    assert (2, "World War II") in headings
    assert (3, "Soviet war with Finland") in headings
    assert len({text for _, text in headings}) == len(headings)


def test_headings_that_repeat_are_shown_each_time() -> None:
    text = "= T =\n\n== A ==\n\none\n\n== A ==\n\ntwo\n\n=== B ===\n\nthree\n\n== C ==\n\n=== B ===\n\nfour\n"
    [document] = Index.build([Document(id="d", title="T", text=text)]).documents
    shown = [(b["level"], b["text"]) for b in document_json(document)["blocks"]]
    assert shown == [
        (2, "A"), (0, "one"), (2, "A"), (0, "two"), (3, "B"), (0, "three"), (2, "C"), (3, "B"), (0, "four"),
    ]  # fmt: skip


def test_a_table_is_shown_by_its_cells_and_code_as_code() -> None:
    text = (
        "# T\n\nIn 2020:\n\n| City | Opened |\n|---|---|\n| Bari | |\n\n```\na = 1\n\nb = 2\n```\n"
    )
    [document] = Index.build([Document(id="d", title="T", text=text)]).documents
    blocks = document_json(document)["blocks"]
    assert [b["kind"] for b in blocks] == ["paragraph", "paragraph", "table", "code"]
    rows = blocks[2]["rows"]
    assert [[cell["text"] for cell in row["cells"]] for row in rows] == [
        ["City", "Opened"], ["Bari", ""],
    ]  # fmt: skip
    assert [row["names"] for row in rows] == [True, False]
    for cell in (cell for row in rows for cell in row["cells"]):
        assert text[cell["start"] : cell["end"]] == cell["text"]
    assert blocks[3]["text"] == "a = 1\n\nb = 2"


def test_a_table_whose_first_cell_is_empty_keeps_its_columns() -> None:
    text = "| Rome | Bari\nMetro | 1955 | 2006"
    [document] = Index.build([Document(id="d", title="T", text=text)]).documents
    [table] = document_json(document)["blocks"]
    assert [[cell["text"] for cell in row["cells"]] for row in table["rows"]] == [
        ["", "Rome", "Bari"], ["Metro", "1955", "2006"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["d", "d#", "d#1", "d#5-5", "d#7-5", "d#0-999", "e#0-5", "d#-1-5", "#0-5", "d#0-5x"]
)
def test_an_id_that_names_no_passage_gets_404(name: str) -> None:
    index = Index.build([Document(id="d", title="T", text="Rivers flow to the sea.")])
    with pytest.raises(InputError):
        index.cite(name)
    with client(index) as web:
        assert web.get("/v1/passages/" + name.replace("#", "%23")).status_code == 404


def test_ids_with_slashes_and_blanks_can_be_requested() -> None:
    name = "a b/ü?#1"
    index = Index.build([Document(id=name, title="T", text="Rivers flow to the sea.")])
    with client(index) as web:
        quoted = "a%20b/%C3%BC%3F%231"
        assert web.get(f"/v1/documents/{quoted}").json()["id"] == name
        assert web.get(f"/v1/passages/{quoted}%230-6").json()["citation"]["quote"] == "Rivers"
