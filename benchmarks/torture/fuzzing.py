"""Coverage-guided fuzzing by atheris: one part of ragkit at a time, each in a process of its own.

``python -m benchmarks.torture.fuzzing TARGET SECONDS`` runs one and shows libFuzzer's own report; with a file
in place of the seconds that input is tried once.
"""

from __future__ import annotations

import io
import json
import mmap
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.torture.corpora import QUESTIONS, few_documents, int8_encoder
from benchmarks.torture.rows import Row
from ragkit import Document, Index, RagkitError
from ragkit.answering.answer import Passage
from ragkit.answering.generated import GOOD
from ragkit.chunking import Chunker
from ragkit.corpus import docx, epub, html, markdown, mediawiki, mediawiki_dump, pdf, plain
from ragkit.corpus.decoding import decode, decode_html
from ragkit.corpus.headings import parse_sections
from ragkit.corpus.metadata import load_metadata
from ragkit.corpus.parser import ParsedDocument, Parser
from ragkit.errors import IndexMismatchError, QuestionError, SourceError
from ragkit.grounding import Message, Piece, SupportChecker, generate_sentences
from ragkit.index import Manifest
from ragkit.index.journal import pack_chunks, unpack_chunks
from ragkit.index.publish import open_generation
from ragkit.quotes.checker import QuoteChecker
from ragkit.storage.checksums import seal
from ragkit.text.sentences import paragraphs, split_sentences
from ragkit.text.spans import Span

__all__ = ["TARGETS", "check_chunks", "check_read", "fuzzed", "make_docx", "make_epub", "make_pdf"]

_SECONDS = 25
"""Of each target, at effort 1; two run at once."""

_LONGEST_INPUT = 10
"""Seconds that one input may take, however many bytes of its kind it has."""

_MEMORY = 3 << 10
"""MiB that one process may have; the index's own libraries have a quarter of a GiB."""

READ, REFUSED, OTHER = "read", "refused", "another Python error"


class WrongError(Exception):
    """What must hold does not."""


def must(holds: bool, what: str) -> None:
    if not holds:
        raise WrongError(what)


Try = Callable[[bytes], str]
"""Tries one input. What became of it; raises for what must not be."""


@dataclass(frozen=True, slots=True)
class Target:
    """``seeds`` and ``prepare`` get a folder that holds ``index``, the small one."""

    about: str
    seeds: Callable[[Path], Sequence[bytes]]
    prepare: Callable[[Path], Try]
    longest: int = 4096


# Sources.


def check_read(read: ParsedDocument) -> None:
    """What every reader promises of a document."""
    document = Document("x", "X", read.text, read.url, read.sections, read.metadata, read.pages)
    json.dumps(document.metadata).encode()
    said = (
        read.text,
        read.title or "",
        read.id or "",
        read.url or "",
        json.dumps(dict(read.metadata), ensure_ascii=False),
    )
    for one in said:
        one.encode()
    must("\0" not in read.text, "a NUL in the text")
    must(bool(read.text.strip()), "a text without text")
    for section in document.sections:
        for title in section.path:
            title.encode()
            must(bool(title.strip()), "a heading without words")
            must(len(title) <= 1000, "an endless heading")


def _reading(reader: Parser, suffix: str) -> Callable[[Path], Try]:
    """The input as a file of that kind."""
    return lambda _: partial(_read, reader, Path(f"a{suffix}"))


def _reading_text(reader: Parser, suffix: str) -> Callable[[Path], Try]:
    """The input made UTF-8, so that it gets behind the decoder, unless it begins with 0xff."""

    def tried(data: bytes) -> str:
        whole = data if data[:1] == b"\xff" else data.decode("utf-8", "replace").encode()
        return _read(reader, Path(f"a{suffix}"), whole)

    return lambda _: tried


def _read(reader: Parser, path: Path, data: bytes) -> str:
    try:
        reads = list(reader(io.BytesIO(data), path))
    except SourceError as error:
        must(str(path) in str(error), f"an error that does not name the file: {error}")
        return REFUSED
    for read in reads:
        check_read(read)
    return READ


def _packed(
    reader: Parser,
    suffix: str,
    pack: Callable[[Mapping[str, bytes]], bytes],
    members: Sequence[str],
) -> Callable[[Path], Try]:
    """The input's first byte says which member of the archive the rest of it is."""

    def tried(data: bytes) -> str:
        member = members[(data[:1] or b"\0")[0] % len(members)]
        return _read(reader, Path(f"a{suffix}"), pack({member: data[1:]}))

    return lambda _: tried


_TEXT = "= Rivers =\n\nOf rivers.\n\n== Danube ==\n\nIt rises in Germany. It ends, e.g. by Dr. X, in 3.5 seas!\n\n- a\n- b\n"
_MARKDOWN = '---\ntitle: "A: b"\ndate: 2020-05-01\ntags: [a, 2]\nn: 0x1F\nd: {a: !!int 1}\n---\n# Rivers\n\nText *a* [b](c).\n\n> - q\n\n```\nx\n```\nDanube\n===\n<div>\n</div>\n'
_HTML = '<!DOCTYPE html><html lang=en><head><title>R &ndash; S</title><meta charset=utf-8><link rel=canonical href="https://e.org/r"><meta name=keywords content="a, b"></head><body><nav>M</nav><main><h1>R</h1><p>T <b>a</b>&amp;&#x41;<br>b<ul><li>a<li>b</ul><table><tr><th>A<td>B</table><pre>a\n b</pre><p hidden>x<h2>D</h2><form><input>s</form></main><!-- c --><script>x</script>'
_WIKI = "{{Box|a={{b}}|c=[[d]]}}\n'''B''' ''i'' [[R|the R]]s <ref name=a>x</ref> [https://e.org l] &amp; <nowiki>''a''</nowiki>\n== H ==\n* a\n# b\n{| class=x\n|+ C\n! A !! w=1 | B\n|-\n| 1 || 2\n|}\n[[File:a.jpg|thumb]]<!-- c -->__TOC__\n"
_DUMP = '<mediawiki><siteinfo><base>https://e.org/wiki/Main</base><namespaces><namespace key="6">Datei</namespace></namespaces></siteinfo><page><title>A b</title><ns>0</ns><id>1</id><revision><id>2</id><timestamp>2024-01-01T00:00:00Z</timestamp><model>wikitext</model><text>Text [[Datei:x]] of it.</text></revision></page><page><title>B</title><ns>0</ns><id>3</id><redirect title="A b"/></page></mediawiki>'


def make_pdf(
    contents: Sequence[bytes] = (
        b"BT /F1 12 Tf 72 720 Td (Rivers) Tj 0 -20 Td [(Dan) -20 (ube)] TJ ET",
    ),
    *,
    kids: Sequence[int] | None = None,
    more: Sequence[bytes] = (),
    resources: bytes = b"",
) -> bytes:
    """A page for each content; ``kids``: which page stands at each place; ``more``: further objects, from number 4 on."""
    first = 4 + len(more)
    numbers = [first + 2 * n for n in range(len(contents))]
    order = [numbers[n] for n in (range(len(contents)) if kids is None else kids)]
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>"
        % (b" ".join(b"%d 0 R" % n for n in order), len(order)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        *more,
    ]
    for number, content in zip(numbers, contents, strict=True):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> %s >> >>"
            % (number + 1, resources)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    data, starts = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        starts.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    return (
        data
        + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF"
        % (len(objects) + 1, table, len(objects) + 1, len(data))
    )


_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_DOCX = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
    "word/_rels/document.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="s" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    "word/styles.xml": f'<w:styles {_W}><w:style w:type="paragraph" w:styleId="H"><w:name w:val="heading 1"/></w:style></w:styles>',
    "docProps/core.xml": '<c:p xmlns:c="c" xmlns:dc="d"><dc:title>R</dc:title><c:keywords>a, b</c:keywords><dc:created>2020</dc:created></c:p>',
    "word/document.xml": f'<w:document {_W}><w:body><w:p><w:pPr><w:pStyle w:val="H"/></w:pPr><w:r><w:t>Rivers</w:t></w:r></w:p><w:p><w:r><w:t>It rises.</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>',
}
_EPUB = {
    "META-INF/container.xml": '<container><rootfiles><rootfile full-path="O/b.opf"/></rootfiles></container>',
    "O/b.opf": '<package xmlns:dc="d"><metadata><dc:title>R</dc:title><dc:subject>w</dc:subject><dc:date>2020</dc:date></metadata><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>',
    "O/a.xhtml": "<html><head><title/></head><body><h1>Danube</h1><p>It rises.</p></body></html>",
    "META-INF/encryption.xml": '<e><CipherReference URI="O/font.otf"/></e>',
}


def make_docx(changed: Mapping[str, bytes]) -> bytes:
    """A whole DOCX but for the members given."""
    return _zipped({**{name: content.encode() for name, content in _DOCX.items()}, **changed})


def make_epub(changed: Mapping[str, bytes]) -> bytes:
    """A whole EPUB but for the members given."""
    return _zipped({**{name: content.encode() for name, content in _EPUB.items()}, **changed})


def _zipped(members: Mapping[str, bytes]) -> bytes:
    done = io.BytesIO()
    with zipfile.ZipFile(done, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return done.getvalue()


def _decoded(data: bytes) -> str:
    outcomes = set()
    for decoder in (decode, decode_html):
        try:
            text = decoder(data, "a.html")
        except SourceError:
            outcomes.add(REFUSED)
        else:
            text.encode()
            must("\0" not in text, "a NUL in the text")
            must(decoder is decode_html or text.encode() == data, "other bytes than the file's")
            outcomes.add(READ)
    return READ if READ in outcomes else REFUSED


def _described(place: Path) -> Try:
    path = place / "a.txt"
    beside_it = place / "a.meta.json"

    def tried(data: bytes) -> str:
        beside_it.write_bytes(data)
        try:
            said = load_metadata(path)
        except SourceError:
            return REFUSED
        check_read(ParsedDocument("text", (), said.title, said.url, said.id, said.properties))
        return READ

    return tried


# Sentences and chunks.


def check_chunks(text: str, *, most: int = 16) -> None:
    """Sections, sentences and chunks hold every visible character once, in order, and can be cited."""
    document = Document("x", "Title", text, sections=parse_sections(text))

    def count(texts: Sequence[str]) -> list[int]:
        return [sum(1 + len(word) // 4 for word in one.split()) for one in texts]

    chunks = Chunker(min_chars=20, max_tokens=most).chunks(document, count=count, window=most)
    for number, section in enumerate(document.sections):
        whole = Span(section.start, section.end)
        expected = _visible(text[section.start : section.end])
        sentences = [s for p in paragraphs(text, whole) for s in split_sentences(text, p)]
        must(_joined(text, sentences) == expected, "sentences do not hold the section's text")
        own = [chunk for chunk in chunks if chunk.section == number]
        must(
            _joined(text, [s for c in own for s in c.sentences]) == expected,
            "chunks do not hold the section's text",
        )
        for chunk in own:
            cited = document.cite(Span(chunk.start, chunk.end))
            must(cited.quote == text[chunk.start : chunk.end], "another quote than the text")
            must(cited.verify(document).ok, "a citation that does not resolve")
            must(bool(_visible(cited.quote)), "a chunk without text")
            must(
                chunk.start == chunk.sentences[0].start and chunk.end == chunk.sentences[-1].end,
                "sentences outside their chunk",
            )


def _joined(text: str, spans: Sequence[Span]) -> str:
    ends = [0, *(edge for span in spans for edge in span)]
    must(ends == sorted(ends), "spans out of order")
    return "".join(_visible(text[start:end]) for start, end in spans)


def _visible(text: str) -> str:
    return "".join(text.replace("\ufeff", "").replace("\u200b", "").split())


def _chunked(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    if not text.strip().strip("\ufeff").strip():
        return REFUSED
    check_chunks(text)
    return READ


# An index whose checksums fit.


def _resealed(place: Path, change: Callable[[Path, bytes], None]) -> Try:
    """An index, asked after ``change`` was made to a copy of it."""
    encoder = int8_encoder()
    copy = place / "copy"

    def tried(data: bytes) -> str:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(place / "index", copy)
        change(copy, data)
        try:
            index = Index.open(copy, encoder=encoder, check_sources=False)
            index.ask(QUESTIONS[0], threshold=0).explain()
        except RagkitError:
            return REFUSED
        except Exception:
            return OTHER
        return READ

    return tried


_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    2**31,
    2**63,
    2**80,
    1e300,
    "",
    "..",
    "../../../../../../etc/passwd",
    "/dev/zero",
    "a\0b",
    "\ud800".encode("utf-16", "surrogatepass").hex(),
    "x" * 5000,
    [],
    {},
    [[]],
    {"a": 1},
)


def _with_sealed_manifest(copy: Path, data: bytes) -> None:
    """Each three bytes put an odd value at some place of the manifest; its checksum is made to fit."""
    content = json.loads((copy / "manifest.json").read_bytes())
    content.pop("checksum")
    for at in range(0, min(len(data), 9) - 2, 3):
        holder, key = _places(content)[
            int.from_bytes(data[at : at + 2], "little") % len(_places(content))
        ]
        holder[key] = _ODD[data[at + 2] % len(_ODD)]
    (copy / "manifest.json").write_bytes(seal(content))


def _places(content: Any) -> list[tuple[Any, Any]]:
    keys = (
        content
        if isinstance(content, dict)
        else range(len(content))
        if isinstance(content, list)
        else ()
    )
    found = [(content, key) for key in keys]
    return found + [place for key in keys for place in _places(content[key])]


def _with_table(copy: Path, data: bytes) -> None:
    """The first byte says which table the rest of it is."""
    manifest = json.loads((copy / "manifest.json").read_bytes())
    manifest.pop("checksum")
    folder = copy / manifest["generation"]
    names = sorted(manifest["files"])
    name = names[(data[:1] or b"\0")[0] % len(names)]
    (folder / name).write_bytes(data[1:])
    _seal_again(copy, folder, manifest)


def _seal_again(copy: Path, folder: Path, manifest: dict[str, Any]) -> None:
    from hashlib import sha256

    for name in manifest["files"]:
        content = (folder / name).read_bytes()
        manifest["files"][name] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    (copy / "manifest.json").write_bytes(seal(manifest))
    generation = Manifest.load(copy).generation
    folder.rename(copy / generation)
    (copy / "manifest.json").write_bytes(seal({**manifest, "generation": generation}))


def _table_seeds(place: Path) -> list[bytes]:
    manifest = Manifest.load(place / "index")
    folder = place / "index" / manifest.generation
    return [
        bytes([number]) + (folder / name).read_bytes()
        for number, name in enumerate(sorted(manifest.files))
    ]


def _manifest_read(place: Path) -> Try:
    copy = place / "manifest"
    copy.mkdir()

    def tried(data: bytes) -> str:
        (copy / "manifest.json").write_bytes(data)
        try:
            Manifest.load(copy)
        except (IndexMismatchError, RagkitError):
            return REFUSED
        return READ

    return tried


def _journal_entry(place: Path) -> Try:
    """The first byte says which array of an entry the rest of it is."""
    with zipfile.ZipFile(io.BytesIO(_an_entry(place))) as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}

    def tried(data: bytes) -> str:
        name = sorted(whole)[(data[:1] or b"\0")[0] % len(whole)]
        try:
            unpack_chunks(_zipped({**whole, name: data[1:]}))
        except Exception:
            return OTHER
        return READ

    return tried


def _entry_seeds(place: Path) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(_an_entry(place))) as archive:
        return [
            bytes([n]) + archive.read(name) for n, name in enumerate(sorted(archive.namelist()))
        ]


def _an_entry(place: Path) -> bytes:
    data = open_generation(place / "index", Manifest.load(place / "index"))
    keys = [key.tobytes() for key in data.keys()]  # noqa: SIM118 - no mapping
    return pack_chunks(keys, [data.encoded_chunk(n) for n in range(len(keys))])


# What is asked and what a model says.


def _asking(place: Path) -> Try:
    index = Index.open(place / "index", encoder=int8_encoder(), check_sources=False)
    documents = {document.id: document for document in index.documents}

    def tried(data: bytes) -> str:
        try:
            answer = index.ask(
                data.decode("utf-8", "surrogatepass" if data[:1] != b"\xff" else "replace"),
                threshold=0,
            )
        except (QuestionError, UnicodeDecodeError):
            return REFUSED
        for passage in answer.passages:
            must(
                passage.citation.verify(documents[passage.citation.document_id]).ok,
                "a citation that does not resolve",
            )
        str(answer), answer.to_markdown(), json.dumps(answer.to_dict())
        return READ

    return tried


@dataclass(frozen=True)
class Saying:
    """A language model that says these pieces, whatever it is asked."""

    pieces: Sequence[Piece]
    name: str = "m"

    def stream(self, _: Sequence[Message]) -> Iterator[Piece]:
        yield from self.pieces


def _grounded(place: Path) -> Try:
    """The first byte cuts the rest into pieces."""
    index = Index.open(place / "index", encoder=int8_encoder(), check_sources=False)
    passages = index.ask(QUESTIONS[0], threshold=0).passages

    def tried(data: bytes) -> str:
        size, said = 1 + (data[:1] or b"\0")[0] % 40, data[1:].decode("utf-8", "replace")
        pieces = [Piece(said[at : at + size]) for at in range(0, len(said), size)]
        kept = check_grounded(passages, [*pieces, Piece("", "stop")])
        return READ if kept else REFUSED

    return tried


def check_grounded(passages: Sequence[Passage], pieces: Sequence[Piece]) -> int:
    """Nothing is shown that the check does not find good; how many sentences were."""
    checker, kept = SupportChecker(passages), 0
    ranks = {passage.rank for passage in passages}
    for sentence in generate_sentences(Saying(pieces), "What?", passages, policy="drop"):
        must(sentence.kept == (sentence.status in GOOD), "kept what is not good")
        must(ranks.issuperset(sentence.passages), "a rank that there is not")
        if sentence.kept:
            kept += 1
            marked = sentence.text + "".join(f" [{rank}]" for rank in sentence.passages)
            again = checker.check(marked)
            must(
                again is not None and again.status in GOOD,
                f"kept, and not good when read alone: {sentence.text!r}",
            )
    return kept


def _quoted(data: bytes) -> str:
    report = QuoteChecker(few_documents()).check(data.decode("utf-8", "replace"))
    return READ if report.checks else REFUSED


def _said_seeds(place: Path) -> list[bytes]:
    index = Index.open(place / "index", encoder=int8_encoder(), check_sources=False)
    text = index.ask(QUESTIONS[0], threshold=0).passages[0].text.encode()
    return [
        b"\x05" + text + b" [1]\n\xe3\x80\x901\xe2\x80\xa0x\xe3\x80\x91 Not stated.",
        b'\x01<think>a</think>[1, 2-3] [^1] (1). He said: "a b" [passage 1]!',
    ]


def _text(*seeds: str) -> Callable[[Path], list[bytes]]:
    return lambda _: [seed.encode() for seed in seeds]


def _members(whole: Mapping[str, str], members: Sequence[str]) -> Callable[[Path], list[bytes]]:
    return lambda _: [bytes([number]) + whole[name].encode() for number, name in enumerate(members)]


def _plainly(tried: Try) -> Callable[[Path], Try]:
    return lambda _: tried


_BOOK = tuple(_EPUB)
_LETTER = tuple(_DOCX)

TARGETS: Mapping[str, Target] = {
    "text": Target("plain text", _text(_TEXT), _reading_text(plain.parse, ".txt")),
    "markdown": Target("Markdown with its front matter", _text(_MARKDOWN), _reading_text(markdown.parse, ".md")),
    "html": Target("HTML", _text(_HTML), _reading_text(html.parse, ".html")),
    "wikitext": Target("MediaWiki text", _text(_WIKI), _reading_text(mediawiki.parse, ".wiki")),
    "dump": Target("MediaWiki dumps", _text(_DUMP), _reading_text(mediawiki_dump.parse, ".xml")),
    "pdf": Target("PDF", lambda _: [make_pdf()], _reading(pdf.parse, ".pdf")),
    "pdf-page": Target("content of a PDF's page", lambda _: [b"BT /F1 12 Tf 72 720 Td (R) Tj T* [(a) -9 (b)] TJ <41> ' ET q 1 0 0 1 0 0 cm /X Do Q"], lambda _: lambda data: _read(pdf.parse, Path("a.pdf"), make_pdf([data]))),
    "docx": Target("DOCX, member by member", _members(_DOCX, _LETTER), _packed(docx.parse, ".docx", make_docx, _LETTER)),
    "epub": Target("EPUB, member by member", _members(_EPUB, _BOOK), _packed(epub.parse, ".epub", make_epub, _BOOK)),
    "zip": Target("archives, byte by byte", lambda _: [make_epub({}), make_docx({})], _reading(epub.parse, ".epub")),
    "decoder": Target("encodings", _text("a\ufeffb", "<meta charset=cp1252>x", "<?xml encoding='koi8-r'?>y"), _plainly(_decoded)),
    "metadata": Target("`.meta.json`", _text('{"title": "A", "id": "b", "url": "u", "tags": ["a", 2], "n": 1.5, "\\ud800": true}'), _described),
    "chunks": Target("sentences and chunks", _text(_TEXT, "a. " * 40), _plainly(_chunked)),
    "manifest": Target("manifests", lambda place: [(place / "index" / "manifest.json").read_bytes()], _manifest_read, 1 << 15),
    "sealed-manifest": Target("manifests with odd values, resealed", lambda _: [b"abcdef"], lambda place: _resealed(place, _with_sealed_manifest), 9),
    "sealed-tables": Target("tables of an index, resealed", _table_seeds, lambda place: _resealed(place, _with_table), 1 << 16),
    "journal": Target("entries of a build's journal", _entry_seeds, _journal_entry, 1 << 16),
    "questions": Target("questions", lambda _: [q.encode() for q in QUESTIONS], _asking),
    "said": Target("what a language model says, by pieces", _said_seeds, _grounded),
    "quotes": Target("quotations checked", _said_seeds, _plainly(_quoted)),
}  # fmt: skip


_XML = "< > </ /> <!-- --> <![CDATA[ ]]> <?xml <!DOCTYPE &amp; &#x41; &#xD800; = \" '"
_PAGE = "<p> </p> <h1> </h1> <h2> <ul> <li> <table> <tr> <td> </table> <pre> <title> <script> <svg> <br> <form> <b> hidden"
_WORDS = {
    "text": "= == === \n \r - 1. \ufeff",
    "markdown": "--- ... : # ## === > - ``` \n \r \t [ ]( * & &a *a !!int !!timestamp !!binary ? | <<: <div> ~ 0x 1:2",
    "html": f"{_XML} {_PAGE}",
    "wikitext": "{{ }} {{{ }}} [[ ]] [ ] | || ! !! {| |} |- |+ '' '' == * # : ; <ref> </ref> <nowiki> </nowiki> <!-- --> &#x0; http:// File: __TOC__ {{!}} = \n",
    "dump": f"{_XML} <page> </page> <title> </title> <ns> </ns> <id> <revision> <text> </text> <redirect/> <base> <namespace",
    "pdf": "obj endobj stream endstream xref trailer startxref << >> [ ] /Kids /Count /Length /Filter /FlateDecode /Parent /Contents R /Outlines /First /Next /Encrypt /ObjStm /XObject /Prev",
    "pdf-page": "BT ET Tj TJ Td TD Tf Tm T* q Q cm Do BI ID EI ' ( ) < > [ ] << >> /F1",
    "docx": f"{_XML} <w:p> <w:r> <w:t> <w:tbl> <w:tc> <w:tr> w:val= <w:hyperlink <w:footnoteReference <w:fldChar <w:sdt> Target=",
    "epub": f"{_XML} {_PAGE} full-path= href= idref= id= media-type= properties= ../ % URI=",
    "metadata": '{ } [ ] : , " null true 1e999 -0 \\\\ud800 \\\\u0000 title url id',
    "chunks": '= == . ! ? ." e.g. Dr. \n - 1. \ufeff \u200b',
    "said": '[1] [2] [1, [ ] \u3010 \u3011 (1) <think> </think> . ! ? \n " not 1922 Rapallo',
    "quotes": "\" \u201c \u201d > [1] \u2026 ... \n ' \u2014",
}
"""What the inputs are made of, parted by blanks, for the fuzzer to put in."""


# Running them.


def fuzzed(effort: float) -> Iterator[Row]:
    """A row of each target, two at a time."""
    with tempfile.TemporaryDirectory() as scratch:
        index = Path(scratch) / "index"
        Index.build(few_documents(), index, encoder=int8_encoder())
        with ThreadPoolExecutor(2) as pool:
            yield from pool.map(
                lambda name: _row(name, index, max(1, round(_SECONDS * effort))), TARGETS
            )


def _row(name: str, index: Path, seconds: int) -> Row:
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        shutil.copytree(index, place / "index")
        said, code = _fuzz_apart(name, place, seconds)
        runs, features = _figures(said)
        read, refused, other = struct.unpack("3q", (place / "counts").read_bytes())
        outcomes: dict[str, int | float | str] = {
            READ: read,
            REFUSED: refused,
            "branches and states met": features,
        }
        if other:
            outcomes[OTHER] = other
        return Row(
            f"fuzzed: {target.about}",
            max(runs, read + refused + other),
            read + refused + other,
            int(code != 0),
            outcomes,
            (_told(said, place),) if code else (),
        )


def _fuzz_apart(name: str, place: Path, seconds: int) -> tuple[str, int]:
    (place / "seeds").mkdir()
    for number, seed in enumerate(TARGETS[name].seeds(place)):
        (place / "seeds" / str(number)).write_bytes(seed)
    (place / "counts").write_bytes(bytes(24))
    (place / "words").write_text(_dictionary(_WORDS.get(name, "a").split(" ")), encoding="ascii")
    options = [
        f"-max_total_time={seconds}", f"-timeout={_LONGEST_INPUT}", f"-rss_limit_mb={_MEMORY}",
        f"-max_len={TARGETS[name].longest}", f"-artifact_prefix={place}/", "-print_final_stats=1", f"-dict={place}/words",
    ]  # fmt: skip
    command = [sys.executable, "-c", _CHILD, name, str(place), *options, str(place / "seeds")]
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            timeout=seconds + 120,
            cwd=Path(__file__).parents[2],
        )
    except subprocess.TimeoutExpired:
        return "the process did not end", 1
    return done.stderr.decode(errors="replace") + done.stdout.decode(
        errors="replace"
    ), done.returncode


def _dictionary(words: Sequence[str]) -> str:
    """As libFuzzer reads it: quoted, byte by byte."""
    spelled = ["".join(f"\\x{byte:02x}" for byte in word.encode()) for word in words if word]
    return "".join(f'"{word}"\n' for word in spelled)


_CHILD = """
import sys
import atheris
with atheris.instrument_imports(include=["ragkit"], enable_loader_override=False):
    from benchmarks.torture.fuzzing import fuzz
fuzz(sys.argv[1], sys.argv[2], sys.argv[3:])
"""
"""ragkit's modules are instrumented as they are imported, so they must not have been before."""


def fuzz(name: str, folder: str, options: Sequence[str]) -> None:
    """In a process of its own, which it ends."""
    import atheris

    place = Path(folder)
    with (place / "counts").open("r+b") as file:
        counts = mmap.mmap(file.fileno(), 24)  # outlives the process, however that ends
    tried = TARGETS[name].prepare(place)
    order = (READ, REFUSED, OTHER)

    def one(data: bytes) -> None:
        at = 8 * order.index(tried(data))
        struct.pack_into("q", counts, at, 1 + struct.unpack_from("q", counts, at)[0])

    atheris.Setup([sys.executable, *options], one, enable_python_coverage=True)
    atheris.Fuzz()


def _figures(said: str) -> tuple[int, int]:
    """Runs, and libFuzzer's features: branches, with how often they were taken."""
    runs = (
        re.findall(r"stat::number_of_executed_units: (\d+)", said)
        or re.findall(r"^#(\d+)", said, re.MULTILINE)
        or ["0"]
    )
    features = re.findall(r"\bft: (\d+)", said) or ["0"]
    return int(runs[-1]), int(features[-1])


def _told(said: str, place: Path) -> str:
    """What libFuzzer said was wrong, and the input."""
    inputs = [
        p.read_bytes()[:120]
        for p in place.iterdir()
        if p.name.startswith(("crash-", "timeout-", "oom-", "slow-"))
    ]
    lines = [
        line
        for line in said.splitlines()
        if re.search(r"Error|ERROR|Exception|ALARM|Traceback", line)
    ]
    return f"{'; '.join(lines[:3])}: {inputs[:1]}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as top:
        where = Path(top)
        Index.build(few_documents(), where / "index", encoder=int8_encoder())
        if os.path.isfile(sys.argv[2]):  # noqa: PTH113
            print(TARGETS[sys.argv[1]].prepare(where)(Path(sys.argv[2]).read_bytes()))
        else:
            report, _ = _fuzz_apart(sys.argv[1], where, int(sys.argv[2]))
            sys.stderr.write(report)
            for found in where.glob("*-*"):
                shutil.copy(found, Path.cwd())
