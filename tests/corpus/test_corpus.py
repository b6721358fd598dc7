"""Sources are loaded exactly, or refused with the reason."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from ragkit.corpus import iter_sources, load_sources, slug, sources
from ragkit.errors import InputError, SourceError
from ragkit.types import Document, Section
from support.parts import SEED


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_the_text_of_the_seed_is_its_file_byte_for_byte_with_the_recorded_checksum() -> None:
    [(document, origin)] = load_sources(SEED)
    meta = json.loads(SEED.with_suffix(".meta.json").read_text(encoding="utf-8"))
    assert hashlib.sha256(SEED.read_bytes()).hexdigest() == meta["sha256"] == origin.sha256
    assert document.text.encode() == SEED.read_bytes()
    assert (document.title, document.url) == (meta["title"], meta["url"])
    assert len(document.sections) == 36


def test_line_ends_byte_order_mark_and_accents_stay_as_they_are(tmp_path: Path) -> None:
    data = "\ufeff= Ko\u0308ln =\r\nשלום 🇩🇪\r\n".encode()
    [(document, _)] = load_sources(write(tmp_path / "k.txt", data))
    assert document.text.encode() == data
    assert document.title == "Ko\u0308ln"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_says_how_a_text_is_encoded(tmp_path: Path, encoding: str) -> None:
    text = "\ufeffThe lamp is red. 💡\r\n"
    for name in ("a.txt", "b.md"):
        [(document, _)] = load_sources(write(tmp_path / name, text.encode(encoding)))
        assert document.text == text


def test_a_file_without_a_title_takes_it_from_its_name(tmp_path: Path) -> None:
    [(document, _)] = load_sources(write(tmp_path / "my_notes.txt", b"text"))
    assert (document.id, document.title) == ("my-notes", "my notes")


def test_a_folder_stands_for_its_text_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("c.txt", "a.txt", "b/b.txt"):
        write(tmp_path / name, b"text")
    write(tmp_path / "ignored.bin", b"\0")
    assert [d.id for d, _ in load_sources(tmp_path)] == ["a", "b", "c"]


def test_a_folder_leaves_out_hidden_files_links_to_outside_and_xml_other_than_dumps(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "docs"
    for name in (".git", "img", "in"):
        (folder / name).mkdir(parents=True)
    write(tmp_path / "secret.txt", b"outside")
    for name in ("a.txt", ".hidden.txt", ".git/b.txt", "in/c.md"):
        write(folder / name, b"text")
    write(folder / "sitemap.xml", b"<urlset/>")
    (folder / "secret.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "broken.txt").symlink_to(tmp_path / "nothing.txt")
    (folder / "up").symlink_to(tmp_path)
    (folder / "again.txt").symlink_to(folder / "a.txt")
    assert [d.id for d, _ in load_sources(folder)] == ["a", "again", "c"]


def test_a_pattern_stands_for_the_files_of_supported_formats_it_matches(tmp_path: Path) -> None:
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    for name in ("docs/b.md", "docs/deep/a.md", "docs/.c.md", "docs/d.txt", "docs/e.bin"):
        write(tmp_path / name, b"text")
    loaded = load_sources(str(tmp_path / "docs" / "**" / "*.md"))
    assert [d.id for d, _ in loaded] == ["b", "a"]
    assert [d.id for d, _ in load_sources(str(tmp_path / "docs" / "*"))] == ["b", "d"]
    with pytest.raises(SourceError, match="matches no readable file"):
        load_sources(str(tmp_path / "docs" / "*.pdf"))


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    assert load_sources(str(write(tmp_path / "a[1].txt", b"text")))[0][0].id == "a-1"


def test_files_of_the_same_name_get_ids_with_their_folders(tmp_path: Path) -> None:
    for name in ("x", "y", "z"):
        (tmp_path / name).mkdir()
    names = ("x/intro.md", "y/intro.md", "y/more.md", "z/a.txt", "z/a.md", "z/intro.md")
    for name in names:
        write(tmp_path / name, b"text")
    write(tmp_path / "z" / "intro.meta.json", b'{"id": "zed"}')
    ids = {d.id for d, _ in load_sources(tmp_path)}
    whole = slug(tmp_path.name)
    assert ids == {"x-intro", "y-intro", "more", f"{whole}-z-a-txt", f"{whole}-z-a-md", "zed"}


def test_files_of_two_folders_with_the_same_names_get_ids_with_the_folder(tmp_path: Path) -> None:
    for name in ("docs", "notes"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "readme.md", b"text")
    loaded = load_sources([tmp_path / "docs", tmp_path / "notes"])
    assert [d.id for d, _ in loaded] == ["docs-readme", "notes-readme"]


def in_folder(folder: Path, *names: str) -> dict[str, str]:
    """The ids of the documents of a folder with these files, by the files' names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(folder / name, f"Text of {name}.".encode())
    loaded = load_sources(folder)
    return {str(origin.path and origin.path.relative_to(folder)): d.id for d, origin in loaded}


COLLISIONS = [
    ("C.md", "C++.md", "C#.md"),
    ("C++.md", "C#.md", "C.md"),
    ("v1.0.md", "v1-0.md", "v1,0.md"),
    ("🎉.md", "🎊.md", "🎈.md"),
    ("café.md", "cafe.md", "càfe.md"),
    ("README.md", "readme.md", "ReadMe.md"),
    ("a/b/x.md", "a-b/x.md", "a.b/x.md"),
    ("a b.md", "a-b.md", "a_b.md"),
    ("notes.md", "notes.txt", "Notes!.md"),
    ("C++.md", "C++.txt", "C#.md"),
    ("en/C.md", "de/C.md", "en/C++.md"),
    ("Köln/a.md", "Bonn/a.md", "Koln/a.md"),
]


@pytest.mark.parametrize("names", COLLISIONS)
def test_files_whose_names_slug_to_one_id_keep_their_ids_when_more_come(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    two = in_folder(tmp_path / "docs", *names[:2])
    three = in_folder(tmp_path / "docs", *names)
    assert len(set(two.values())) == 2
    assert len(set(three.values())) == 3
    assert {name: three[name] for name in two} == two
    assert in_folder(tmp_path / "elsewhere" / "docs", *names) == three


def test_the_file_whose_name_spells_the_id_keeps_it(tmp_path: Path) -> None:
    assert in_folder(tmp_path, "c.md")["c.md"] == "c"
    ids = in_folder(tmp_path, "C++.md", "cafe.md", "café.md")
    assert (ids["c.md"], ids["cafe.md"]) == ("c", "cafe")
    assert re.fullmatch("c-[0-9a-f]{8}", ids["C++.md"])


def test_folders_of_the_same_name_have_documents_of_different_ids(tmp_path: Path) -> None:
    for name in ("x/docs", "y/docs"):
        in_folder(tmp_path / name, "C++.md", "intro.md")
    loaded = load_sources([tmp_path / "x" / "docs", tmp_path / "y" / "docs"])
    assert len({document.id for document, _ in loaded}) == 4


def test_documents_come_one_at_a_time(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        write(tmp_path / name, b"text")
    (tmp_path / "c.txt").write_bytes(b"\xff")
    loaded = iter_sources(tmp_path, strict=True)
    assert [next(loaded)[0].id, next(loaded)[0].id] == ["a", "b"]
    with pytest.raises(SourceError, match=r"c\.txt"):
        next(loaded)


def test_a_meta_json_file_takes_precedence_over_front_matter(tmp_path: Path) -> None:
    path = write(tmp_path / "a.md", b"---\ntitle: Mine\ndate: 2020-01-02\nkind: note\n---\ntext")
    meta = {"title": "Ours", "id": "x", "url": "https://e.org", "date": "2021", "tags": ["p", 2]}
    path.with_suffix(".meta.json").write_text(json.dumps({**meta, "none": None}), encoding="utf-8")
    [(document, _)] = load_sources(path)
    assert (document.id, document.title, document.url) == ("x", "Ours", "https://e.org")
    assert document.metadata == {"date": "2021", "kind": "note", "tags": ("p", "2")}


@pytest.mark.parametrize(
    "content",
    ['{"by": {"name": "A"}}', '{"tags": [["a"]]}', '{"title": ["A"]}', '{"n": NaN}', "[" * 99999],
)
def test_nested_metadata_is_refused_by_the_name_of_its_file(tmp_path: Path, content: str) -> None:
    path = write(tmp_path / "a.txt", b"text")
    path.with_suffix(".meta.json").write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match=r"a\.meta\.json"):
        load_sources(path)


def test_a_document_in_memory_with_sections_is_unchanged() -> None:
    document = Document("x", "X", "text", sections=(Section(("S",), 0, 4),))
    assert load_sources([document])[0][0] == document


def test_documents_in_memory_and_files_keep_their_order(tmp_path: Path) -> None:
    for name in ("b.txt", "c.txt"):
        write(tmp_path / name, b"text")
    mixed: list[Document | Path] = [
        Document("a", "A", "text"),
        tmp_path,
        Document("d", "D", "text"),
    ]
    assert [document.id for document, _ in load_sources(mixed)] == ["a", "b", "c", "d"]


def test_only_paths_are_searched_for_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "discover", lambda _: pytest.fail("it was called"))
    assert load_sources(Document("a", "A", "text"))[0][0].id == "a"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.txt", b"", "is empty"),
        ("blank.txt", "\ufeff \n\t\n".encode(), "is empty"),
        ("binary.txt", b"text\0more", "binary data"),
        ("image.txt", b"\x89PNG\r\n\0\0", "binary data"),
        ("latin1.txt", "Köln".encode("latin-1"), "not UTF-8.*`iconv -f cp1252"),
        ("utf16.txt", "Text".encode("utf-16-le"), r"binary data .*`iconv -f utf-16le"),
        ("odd.txt", "Text".encode("utf-16") + b"x", "not UTF-16-LE, as its byte order mark says"),
        ("paper.odt", b"PK", "suffix '.odt'"),
        ("noname", b"text", "suffix ''"),
        (".txt", b"text", "suffix ''"),
    ],
)
def test_an_unreadable_file_is_refused_by_name(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        load_sources(write(tmp_path / name, data))
    assert name in str(caught.value)


def test_a_path_that_does_not_exist_is_told_with_a_similar_one(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    write(tmp_path / "docs" / "Minutes.md", b"text")
    for missing, similar in {
        "docs/minuets.md": "docs/Minutes.md",
        "dcos/Minutes.md": "docs",
        "dcos/*.md": "docs",
    }.items():
        with pytest.raises(SourceError, match="does not exist") as caught:
            load_sources(tmp_path / missing)
        assert f"Did you mean {tmp_path / similar}?" in str(caught.value)
    with pytest.raises(SourceError, match="Check the path"):
        load_sources(tmp_path / "something else")
    with pytest.raises(SourceError, match="is not a folder"):
        load_sources(tmp_path / "docs" / "Minutes.md" / "*.md")


def test_metadata_may_be_named_after_the_whole_file_which_wins(tmp_path: Path) -> None:
    for name in ("minutes.txt", "minutes.md"):
        write(tmp_path / name, b"text")
    write(tmp_path / "minutes.meta.json", b'{"title": "Both", "tag": "a"}')
    write(tmp_path / "minutes.txt.meta.json", '\ufeff{"title": "Text"}'.encode("utf-16-le"))
    named = {d.title: d.metadata for d, _ in load_sources(tmp_path)}
    assert named == {"Both": {"tag": "a"}, "Text": {}}


def test_a_missing_file_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        load_sources(tmp_path / "nothing.txt")
    with pytest.raises(SourceError, match="holds no text file"):
        load_sources(tmp_path)


@pytest.mark.parametrize("name", ["x" * 5000 + ".txt", "nul\0.txt", "x" * 5000 + "*.txt"])
def test_a_path_that_cannot_exist_is_refused(name: str) -> None:
    with pytest.raises(SourceError):
        load_sources(name)


def test_a_file_that_the_system_cannot_open_is_refused(tmp_path: Path) -> None:
    # A link to itself fails for every user, root too, as a missing permission does for others.
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    with pytest.raises(SourceError, match=r"loop\.txt cannot be read"):
        load_sources(tmp_path / "loop.txt")


def test_two_documents_with_one_id_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", b"text")
    with pytest.raises(SourceError, match="document id 'a'"):
        load_sources([tmp_path / "a.txt", Document("a", "A", "text")])


def test_named_files_of_the_same_name_get_ids_with_their_folders(tmp_path: Path) -> None:
    for folder in "xy":
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "readme.txt", b"text")
    both = [tmp_path / "x" / "readme.txt", tmp_path / "y" / "readme.txt"]
    assert [document.id for document, _ in load_sources(both)] == ["x-readme", "y-readme"]
    assert [document.id for document, _ in load_sources(both[:1])] == ["readme"]
    with pytest.raises(SourceError, match="two sources have the document id"):
        load_sources([both[0], both[0]])


@pytest.mark.parametrize("content", ["[1]", "{", '"x"'])
def test_broken_metadata_is_refused(tmp_path: Path, content: str) -> None:
    path = write(tmp_path / "a.txt", b"text")
    path.with_suffix(".meta.json").write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match=r"a\.meta\.json"):
        load_sources(path)


def test_a_source_of_another_type_is_refused() -> None:
    with pytest.raises(SourceError, match="a source is a int"):
        load_sources([3])  # type: ignore[list-item]


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
def test_an_invalid_document_cannot_be_created(fields: dict[str, object]) -> None:
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
    [(document, _)] = load_sources(os.fsdecode(path))
    assert document.title == "caf\ufffd"
    document.title.encode()
