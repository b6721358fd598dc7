"""A document has a language: stated, given for all, or told by its words."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from ragkit import Document, Encoder, Index, InputError
from ragkit.cli import cli
from ragkit.corpus import load_sources
from ragkit.retrieval import encode_questions

LEASE = Document(
    "lease",
    "Mietvertrag",
    "Die Frist der Kündigung beträgt drei Monate. Der Mieter zahlt monatlich.",
)
HOLIDAY = Document(
    "holiday", "Urlaub", "Jeder Angestellte hat dreißig Urlaubstage im Jahr. Ein Tag ist frei."
)
PACT = Document("pact", "Pact", "The treaty was signed by both ministers in the spring.")
NAMES = Document("names", "Names", "Rapallo 1922")


@pytest.fixture(scope="module")
def mixed(tiny: Encoder) -> Index:
    return Index.build([LEASE, HOLIDAY, PACT, NAMES], encoder=tiny)


def stems(index: Index, encoder: Encoder, question: str) -> dict[str, int]:
    """The stems that a question is matched by, and how many chunks have each."""
    [query] = encode_questions(index._data, encoder, [question], index.config)
    own = list(query.stem_weights())
    return dict(zip(own, index._data.frequencies(own), strict=True))


def test_an_index_counts_its_languages_and_filters_by_them(mixed: Index, tmp_path: Path) -> None:
    mixed.save(tmp_path / "i")
    assert Index.info(tmp_path / "i").languages == {"de": 2, "en": 1, "und": 1}
    shown = CliRunner().invoke(cli, ["index", "info", str(tmp_path / "i")]).output
    assert "de 2, en 1, und 1" in shown
    found = mixed.search("treaty", where={"language": "de"})
    assert {passage.citation.document_id for passage in found} == {"lease", "holiday"}
    assert [document.language for document in mixed.documents] == [None] * 4


def test_an_english_index_records_no_language(tiny: Encoder) -> None:
    index = Index.build([PACT], encoder=tiny)
    assert not index._data.languages
    assert index.search("treaty", where={"language": "en"})
    assert not index.search("treaty", where={"language": "de"})


def test_a_question_is_stemmed_by_the_language_of_the_documents(
    mixed: Index, tiny: Encoder
) -> None:
    assert stems(mixed, tiny, "Was bezahlen die Mietern?")["miet"] == 1
    assert stems(mixed, tiny, "Who signed the treaties?")["treati"] == 1


def test_a_compound_of_the_question_is_matched_by_its_parts(mixed: Index, tiny: Encoder) -> None:
    found = stems(mixed, tiny, "Wie lang ist die Kündigungsfrist?")
    assert found["kundig"] == 1
    assert found["frist"] == 1


def test_a_compound_of_a_document_is_found_by_its_parts(mixed: Index, tiny: Encoder) -> None:
    for text in ("Urlaub", "Tage"):
        assert stems(mixed, tiny, f"Wie viel {text} gibt es?")


def test_the_language_for_all_holds_where_a_document_states_none(
    tiny: Encoder, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("---\nlanguage: fr-CA\n---\nUn texte.\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("Kort.\n", encoding="utf-8")
    sources = [tmp_path / "a.md", tmp_path / "b.txt"]
    built = Index.build(sources, tmp_path / "i", encoder=tiny, language="sv")
    assert {d.id: d.language for d in built.documents} == {"a": "fr", "b": "sv"}

    (tmp_path / "b.txt").write_text("Mycket kort.\n", encoding="utf-8")
    updated = Index.update(tmp_path / "i", encoder=tiny)
    assert updated.documents[1].language == "sv"
    changed = Index.update(tmp_path / "i", encoder=tiny, language="da")
    assert changed.documents[1].language == "da"
    fresh = Index.build(sources, encoder=tiny, language="da")
    assert changed.generation == fresh.generation
    assert Index.update(tmp_path / "i", encoder=tiny).generation == fresh.generation


def test_a_language_survives_an_export(tiny: Encoder, tmp_path: Path) -> None:
    index = Index.build([Document("d", "D", "Ein Text.", language="de")], encoder=tiny)
    index.export(tmp_path / "d.jsonl")
    record = json.loads((tmp_path / "d.jsonl").read_text(encoding="utf-8").splitlines()[1])
    assert record["language"] == "de"
    assert [Document.from_dict(record)] == list(index.documents)
    del record["language"]  # as an older version exported it
    assert Document.from_dict(record).language is None


@pytest.mark.parametrize("language", ["German", "de-AT", "", "DE", 3])
def test_what_is_no_language_is_refused(tiny: Encoder, language: str) -> None:
    with pytest.raises(InputError, match="such as 'de'"):
        Document("d", "D", "Ein Text.", language=language)
    with pytest.raises(InputError, match="such as 'de'"):
        Index.build([PACT], encoder=tiny, language=language)


def test_readers_take_the_language_that_a_file_states(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html lang='de-AT'><p>Servus.</p></html>", "utf-8")
    (tmp_path / "toml.md").write_text('+++\nlang = "es"\n+++\nHola.\n', "utf-8")
    (tmp_path / "word.md").write_text("---\nlanguage: German\n---\nHallo.\n", "utf-8")
    (tmp_path / "side.txt").write_text("Ciao.\n", "utf-8")
    (tmp_path / "side.txt.meta.json").write_text('{"language": "it"}', "utf-8")
    (tmp_path / "wiki.xml").write_text(
        '<mediawiki xml:lang="nl"><page><title>T</title><ns>0</ns><id>1</id><revision><id>2</id>'
        "<model>wikitext</model><text>Hallo daar.</text></revision></page></mediawiki>",
        "utf-8",
    )
    _write_epub(tmp_path / "book.epub", "pt-BR")
    documents = {document.id: document for document, _ in load_sources(tmp_path)}
    languages = {name: document.language for name, document in documents.items()}
    assert languages == {
        "page": "de", "toml": "es", "word": None, "side": "it", "t": "nl", "book": "pt",
    }  # fmt: skip
    assert documents["word"].metadata == {"language": "German"}
    assert documents["toml"].metadata == {"lang": "es"}
    assert documents["side"].metadata == {}


def _write_epub(path: Path, language: str) -> None:
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="p.opf"/></rootfiles></container>'
    )
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>B</dc:title>'
        f"<dc:language>{language}</dc:language></metadata><manifest>"
        '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="a"/></spine></package>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("p.opf", package)
        archive.writestr("a.xhtml", "<html><body><p>Um livro.</p></body></html>")


def test_the_command_line_takes_a_language(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("Kort.\n", encoding="utf-8")
    out = str(tmp_path / "i")
    arguments = ["index", "build", str(tmp_path / "b.txt"), "--out", out, "--encoder"]
    result = CliRunner().invoke(cli, [*arguments, str(tiny_model), "--language", "sv"])
    assert result.exit_code == 0, result.output
    assert Index.info(out).languages == {"sv": 1}
    assert CliRunner().invoke(cli, ["index", "update", out, "--language", "da"]).exit_code == 0
    assert Index.info(out).languages == {"da": 1}


def test_a_part_of_a_corpus_has_the_languages_of_its_own_documents(tiny: Encoder) -> None:
    """Otherwise a caller could tell in which languages the documents are that are not theirs."""
    documents = [
        Document("a", "A", "The river is long.", metadata={"for": "all"}),
        Document("b", "B", "Der Fluss ist lang.", metadata={"for": "all"}),
        Document("c", "C", "Il fiume è lungo.", metadata={"for": "staff"}),
    ]
    whole = Index.build(documents, encoder=tiny)
    part = whole.restricted({"for": "all"})
    assert part._data.languages == {"en": 1, "de": 1}
    assert whole.restricted({"id": "a"})._data.languages == {}
