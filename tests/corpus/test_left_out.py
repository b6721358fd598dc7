"""A folder is indexed without the files that cannot be, and the report names each of them."""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragkit import LeftOut, SourceError
from ragkit.corpus import iter_sources, load_sources


def blank_pdf() -> bytes:
    from pypdf import PdfWriter

    writer, file = PdfWriter(), io.BytesIO()
    writer.add_blank_page(100, 100)
    writer.write(file)
    return file.getvalue()


BAD = {
    "empty.txt": (b"", "is empty"),
    "blank.md": (b" \n", "is empty"),
    "latin1.txt": ("Köln".encode("latin-1"), "not UTF-8"),
    "image.txt": (b"\x89PNG\r\n\0\0", "binary data"),
    "zeros.txt": (b"a\0b", "binary data"),
    "front.md": (b"---\na: [\n---\ntext", "is not valid YAML"),
    "cut.docx": (b"x", "is not a readable DOCX"),
    "cut.epub": (b"PK", "is not a readable EPUB"),
    "cut.pdf": (b"%PDF-1.4", "is not a readable PDF"),
    "scan.pdf": (blank_pdf(), "may be scanned"),
    "page.html": (b"<p> </p>", "is empty"),
    "names.csv": (b"a,b\n", "no rows"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files that can be indexed and many that cannot."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, (data, _) in BAD.items():
        (folder / name).write_bytes(data)
    (folder / "good.md").write_text("Rivers flow.", encoding="utf-8")
    (folder / "zebra.md").write_text("Zebras run.", encoding="utf-8")
    return folder


def ids_and_report(*sources: str | Path) -> tuple[list[str], LeftOut]:
    loaded = iter_sources(sources)
    return [document.id for document, _ in loaded], loaded.left_out


@pytest.mark.parametrize("pattern", ["", "*", "**"])
def test_a_folder_or_pattern_is_indexed_without_its_bad_files_and_they_are_named(
    folder: Path, pattern: str
) -> None:
    ids, left_out = ids_and_report(folder / pattern)
    assert ids == ["good", "zebra"]
    reasons = {file.path.name: file.reason for file in left_out.files}
    assert set(reasons) == set(BAD)
    for name, reason in reasons.items():
        assert BAD[name][1] in reason
        assert name in reason
        assert "\n" not in reason
    assert left_out.lines() == list(reasons.values())


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_strict_or_when_it_is_named_itself(
    tmp_path: Path, name: str
) -> None:
    data, message = BAD[name]
    (tmp_path / name).write_bytes(data)
    (tmp_path / "good.txt").write_text("Rivers flow.", encoding="utf-8")
    with pytest.raises(SourceError, match=message):
        load_sources(tmp_path, strict=True)
    with pytest.raises(SourceError, match=message):
        load_sources([tmp_path / "good.txt", tmp_path / name])
    assert [document.id for document, _ in load_sources(tmp_path)] == ["good"]


def test_what_no_parser_knows_is_counted_by_suffix_and_the_rest_is_indexed(
    tmp_path: Path,
) -> None:
    for name in ("a.md", "b.rst", "c.mdx", "d.csv", "README", "Makefile", "e.xlsx", "f.XLSX",
                 "sitemap.xml", "a.meta.json", ".hidden", "~$a.docx", "~$b.xlsx"):  # fmt: skip
        content = "{}" if name.endswith("json") else "x\ny\n"
        (tmp_path / name).write_text(content, encoding="utf-8")
    ids, left_out = ids_and_report(tmp_path)
    assert ids == ["readme", "a", "b", "c", "d"]
    assert left_out == LeftOut((), {"": 1, ".xlsx": 2, ".xml": 1}, 2)
    assert left_out.lines() == [
        "files of other formats: 1 without a suffix, 2 .xlsx, 1 .xml",
        "lock files of Office: 2",
    ]
    assert len(left_out) == 6
    assert json.loads(json.dumps(left_out.to_dict())) == left_out.to_dict()
    load_sources(tmp_path, strict=True)  # none of these is damaged


def test_links_to_outside_and_to_nothing_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("Outside.", encoding="utf-8")
    (folder / "a.txt").write_text("Inside.", encoding="utf-8")
    (folder / "broken.txt").symlink_to("nothing.txt")
    (folder / "secret.txt").symlink_to(tmp_path / "secret.txt")
    ids, left_out = ids_and_report(folder)
    assert ids == ["a"]
    reasons = {file.path.name: file.reason for file in left_out.files}
    assert "broken link" in reasons["broken.txt"]
    assert "outside the folder" in reasons["secret.txt"]


def test_a_link_to_nothing_that_no_parser_knows_is_counted_by_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("text", encoding="utf-8")
    (tmp_path / "jquery.js").symlink_to(tmp_path / "missing.js")
    _, left_out = ids_and_report(tmp_path)
    assert (left_out.files, left_out.suffixes) == ((), {".js": 1})


def test_of_two_files_with_one_id_in_their_metadata_the_second_is_left_out(tmp_path: Path) -> None:
    for name in ("a.md", "b.md", "c.md"):
        own = "id: same\n" if name != "c.md" else ""
        (tmp_path / name).write_text(f"---\nt: 1\n{own}---\nText.", encoding="utf-8")
    ids, left_out = ids_and_report(tmp_path)
    assert ids == ["same", "c"]
    [file] = left_out.files
    assert file.path.name == "b.md"
    assert "document id 'same'" in file.reason


def test_a_file_with_damaged_metadata_is_left_out(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Text.", encoding="utf-8")
    (tmp_path / "a.txt.meta.json").write_text("{", encoding="utf-8")
    ids, left_out = ids_and_report(tmp_path)
    assert ids == ["b"]
    assert [file.path.name for file in left_out.files] == ["a.txt"]
    assert "cannot be parsed as JSON" in left_out.files[0].reason


def test_if_nothing_is_left_the_error_says_why(folder: Path) -> None:
    for name in ("good.md", "zebra.md"):
        (folder / name).unlink()
    with pytest.raises(SourceError, match="none of the files can be indexed") as caught:
        load_sources(folder)
    for name in ("empty.txt", "latin1.txt", "scan.pdf"):
        assert name in str(caught.value)
    other = folder.parent / "other"
    other.mkdir()
    (other / "a.xlsx").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"holds no text file.*1 \.xlsx"):
        load_sources(other)


@pytest.fixture
def unreadable(folder: Path) -> Iterator[Path]:
    """The folder with a file and a folder in it that nobody may read."""
    (folder / "secret.txt").write_text("Secret.", encoding="utf-8")
    (folder / "locked").mkdir()
    (folder / "locked" / "a.txt").write_text("Locked.", encoding="utf-8")
    for path in (folder / "secret.txt", folder / "locked"):
        path.chmod(0)
    yield folder
    (folder / "locked").chmod(stat.S_IRWXU)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_or_folder_without_permission_is_left_out(unreadable: Path) -> None:
    ids, left_out = ids_and_report(unreadable)
    assert ids == ["good", "zebra"]
    reasons = {file.path.name: file.reason for file in left_out.files}
    assert "Permission denied" in reasons["secret.txt"]
    assert "cannot be listed" in reasons["locked"]
