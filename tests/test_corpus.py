"""Sources: read whole and exactly, or refused with the reason."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from conftest import SEED
from ragkit.corpus import read_sources, slug
from ragkit.errors import InputError, SourceError
from ragkit.types import Document, Section


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_the_seed_is_the_file_byte_for_byte_with_its_provenance() -> None:
    [(document, origin)] = read_sources(SEED)
    meta = json.loads(SEED.with_suffix(".meta.json").read_text(encoding="utf-8"))
    assert hashlib.sha256(SEED.read_bytes()).hexdigest() == meta["sha256"] == origin.sha256
    assert document.text.encode() == SEED.read_bytes()
    assert (document.title, document.url) == (meta["title"], meta["url"])
    assert len(document.sections) == 36


def test_line_ends_marks_and_accents_stay_as_they_are(tmp_path: Path) -> None:
    data = "\ufeff= Ko\u0308ln =\r\nשלום 🇩🇪\r\n".encode()
    [(document, _)] = read_sources(write(tmp_path / "k.txt", data))
    assert document.text.encode() == data
    assert document.title == "Ko\u0308ln"


def test_a_file_without_a_title_is_named_by_itself(tmp_path: Path) -> None:
    [(document, _)] = read_sources(write(tmp_path / "my_notes.txt", b"text"))
    assert (document.id, document.title) == ("my-notes", "my notes")


def test_a_folder_stands_for_its_text_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("c.txt", "a.txt", "b/b.txt"):
        write(tmp_path / name, b"text")
    write(tmp_path / "ignored.bin", b"\0")
    assert [d.id for d, _ in read_sources(tmp_path)] == ["a", "b", "c"]


def test_documents_are_taken_as_given() -> None:
    given = Document("x", "X", "text", sections=(Section(("S",), 0, 4),))
    assert read_sources([given])[0][0] == given


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.txt", b"", "is empty"),
        ("blank.txt", "\ufeff \n\t\n".encode(), "is empty"),
        ("binary.txt", b"text\0more", "binary data"),
        ("image.txt", b"\x89PNG\r\n\0\0", "binary data"),
        ("latin1.txt", "Köln".encode("latin-1"), "not UTF-8"),
        ("utf16.txt", "Text".encode("utf-16"), "binary data"),
        ("paper.pdf", b"%PDF-1.7", "suffix '.pdf'"),
    ],
)
def test_an_unreadable_file_is_refused_by_name(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        read_sources(write(tmp_path / name, data))
    assert name in str(caught.value)


def test_a_missing_file_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        read_sources(tmp_path / "nothing.txt")
    with pytest.raises(SourceError, match="holds no text file"):
        read_sources(tmp_path)


def test_a_file_that_the_system_will_not_read_is_refused(tmp_path: Path) -> None:
    # A link to itself fails for every user, root too, as a missing permission does for others.
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    with pytest.raises(SourceError, match=r"loop\.txt cannot be read"):
        read_sources(tmp_path / "loop.txt")


def test_two_documents_with_one_id_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", b"text")
    with pytest.raises(SourceError, match="document id 'a'"):
        read_sources([tmp_path / "a.txt", Document("a", "A", "text")])


@pytest.mark.parametrize("content", ["[1]", "{", '"x"'])
def test_broken_metadata_is_refused(tmp_path: Path, content: str) -> None:
    path = write(tmp_path / "a.txt", b"text")
    path.with_suffix(".meta.json").write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match=r"a\.meta\.json"):
        read_sources(path)


def test_a_source_of_another_type_is_refused() -> None:
    with pytest.raises(SourceError, match="a source is a int"):
        read_sources([3])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "fields",
    [
        {"id": " ", "title": "T", "text": "x"},
        {"id": "a", "title": None, "text": "x"},
        {"id": "a", "title": "T", "text": b"x"},
        {"id": "a", "title": "T", "text": "x", "sections": (Section((), 0, 9),)},
        {"id": "a", "title": "T", "text": "xy", "sections": (Section((), 1, 2), Section((), 0, 1))},
    ],
)
def test_an_impossible_document_cannot_be_built(fields: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Document(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Köln (1918–41)", "koln-1918-41"), ("A  b_C", "a-b-c"), ("Берлин", "берлин")],
)
def test_slugs_are_plain_and_stable(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_a_file_name_that_is_not_utf8_still_gives_a_title(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    try:
        with open(path, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
            file.write(b"Coffee.")
    except OSError:
        return  # this file system keeps no such names
    [(document, _)] = read_sources(os.fsdecode(path))
    assert document.title == "caf\ufffd"
    document.title.encode()
