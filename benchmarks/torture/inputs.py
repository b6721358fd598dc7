"""Hostile sources, names, patterns, models and replies, made by hand; and whatever fuzzing finds."""

from __future__ import annotations

import gc
import gzip
import io
import json
import os
import pickle
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from itertools import islice, product
from pathlib import Path
from typing import Any

import ragkit
from benchmarks.torture.corpora import int8_encoder
from benchmarks.torture.fuzzing import (
    Saying,
    check_chunks,
    fuzzed,
    make_docx,
    make_epub,
    make_pdf,
)
from benchmarks.torture.rows import Row, Tally
from ragkit import Document, Index, RagkitError
from ragkit.chunking import Chunker
from ragkit.corpus import load_sources, slug
from ragkit.corpus.formats import parser_for
from ragkit.corpus.mediawiki import plain_text
from ragkit.errors import QuestionError, SourceError
from ragkit.grounding import Piece, SupportChecker, generate_sentences
from ragkit.quotes.checker import QuoteChecker
from ragkit.retrieval import clean_question
from ragkit.text.sentences import paragraphs, split_sentences
from ragkit.text.spans import Span

TITLE = "Hostile input"
ABOUT = """\
Parts of ragkit got inputs found by a coverage-guided fuzzer, and known attacks. These are wrong: an
error that ragkit does not declare; a crash; more than two minutes or 2 GiB for one file (10 s when
fuzzed); time that grows faster than the input; a citation that differs from the source's text; a
file read outside the given folder; code of a model that runs. For an index whose checksums were
forged, only the process's survival within its limits was checked."""

_MEMORY = 2 << 30
_SECONDS = 120


def run(effort: float) -> Iterator[Row]:
    yield from fuzzed(effort)
    yield _bombs(effort)
    yield _long_lines(effort)
    yield _patterns(effort)
    yield _growth(effort)
    yield _unicode()
    yield _names()
    yield _links()
    yield _models(effort)


# Files that want all memory or all time, each read in a process of its own.


def _bombs(effort: float) -> Row:
    tally = Tally(
        "bombs: archives, entities, nesting, repetition; each read within 2 GiB and two minutes"
    )
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in islice(_hostile_files(), 0, None, _every(effort)):
            path = Path(scratch) / name.partition(": ")[0]
            path.write_bytes(content())
            _read_apart(path, name, tally)
            path.unlink()
    return tally.row()


def _every(effort: float) -> int:
    """Every how many of a list of cases are tried: all from effort 1 on, an eighth at the least."""
    return max(1, min(8, round(1 / effort)))


def _hostile_files() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """File name, what it is, and how it is made."""
    w = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
    big = 65 << 20
    yield "a.docx: 65 MiB of blanks", lambda: make_docx({"word/document.xml": b" " * big})
    yield "a.docx: 10,000 members of 1 MiB", lambda: _many_members(make_docx({}), 10_000, 1 << 20)
    yield (
        "a.docx: sixteen million elements",
        lambda: make_docx({"word/document.xml": w + b"<a/>" * (1 << 24)}),
    )
    yield (
        "a.docx: as many as are allowed",
        lambda: make_docx(
            {"word/document.xml": w + b"<w:r/>" * 990_000 + b"</w:body></w:document>"}
        ),
    )
    yield (
        "a.docx: a million open elements",
        lambda: make_docx({"word/document.xml": w + b"<w:p>" * 1_000_000}),
    )
    yield (
        "a.docx: its text in a part of another name",
        lambda: make_docx(
            {"_rels/.rels": _TO_BIN, "word/a.bin": b"<!DOCTYPE a [" + _LAUGHS + b"]><a>&i;</a>"}
        ),
    )
    yield (
        "a.docx: a part that unpacks to a gigabyte, of another name",
        lambda: make_docx({"_rels/.rels": _TO_BIN, "word/a.bin": b" " * (1 << 30)}),
    )
    yield (
        "a.docx: a billion laughs",
        lambda: make_docx({"word/document.xml": b"<!DOCTYPE a [" + _LAUGHS + b"]><a>&i;</a>"}),
    )
    yield (
        "a.epub: a billion laughs",
        lambda: make_epub({"O/b.opf": b"<!DOCTYPE a [" + _LAUGHS + b"]><a>&i;</a>"}),
    )
    yield (
        "a.epub: an entity from outside",
        lambda: make_epub(
            {"O/b.opf": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'}
        ),
    )
    yield "a.epub: 60 MiB of tags", lambda: make_epub({"O/a.xhtml": b"<b>" * (20 << 20)})
    yield (
        "a.epub: sixteen million elements",
        lambda: make_epub({"META-INF/container.xml": b"<c>" + b"<a/>" * (15 << 20)}),
    )
    yield (
        "a.epub: one page listed 100,000 times",
        lambda: make_epub({"O/b.opf": _opf(b"", b'<itemref idref="a"/>' * 100_000)}),
    )
    yield (
        "a.epub: members that lie on each other",
        lambda: _overlapping(make_epub({"O/a.xhtml": b"<p>" + b"a" * (40 << 20)})),
    )
    yield (
        "a.epub: sizes that are lies",
        lambda: _lying(make_epub({"O/a.xhtml": b"<p>" + b"a" * (80 << 20)})),
    )
    yield (
        "a.epub: an archive in itself",
        lambda: make_epub({"O/a.xhtml": make_epub({"O/a.xhtml": make_epub({})})}),
    )
    yield "a.html: a million nested elements", lambda: b"<div>" * 1_000_000 + b"text"
    yield "a.html: 60 MiB of tags", lambda: b"text" + b"<b>" * (20 << 20)
    yield (
        "a.html: a million attributes",
        lambda: b"<p " + b" ".join(b"a%d=1" % n for n in range(1_000_000)) + b">text",
    )
    yield "a.xml: a million open elements", lambda: b"<mediawiki>" + b"<a>" * 1_000_000
    yield (
        "a.xml: a million names",
        lambda: b"<mediawiki>" + b"".join(b"<a%d/>" % n for n in range(1_000_000)),
    )
    yield (
        "a.xml: a billion laughs",
        lambda: b"<!DOCTYPE mediawiki [" + _LAUGHS + b"]><mediawiki>&i;",
    )
    yield (
        "a.xml.gz: a gigabyte of open elements",
        lambda: _gzipped(b"<mediawiki>", b"<a>" * (1 << 20), 341),
    )
    yield (
        "a.xml.gz: one attribute of a gigabyte",
        lambda: _gzipped(b'<mediawiki a="', b"a" * (1 << 20), 1024),
    )
    yield (
        "a.xml.gz: a gigabyte of text",
        lambda: _gzipped(b"<mediawiki><page><title>", b"a" * (1 << 20), 1024),
    )
    yield (
        "a.xml.gz: a gigabyte outside of pages",
        lambda: _gzipped(b"<mediawiki><a>", b"a" * (1 << 20), 1024),
    )
    yield "a.xml.gz: a gigabyte of zeros", lambda: _gzipped(b"", b"\0" * (1 << 20), 1024)
    yield "a.md: front matter of ten billion", lambda: _ladder(b"[x,x,x,x,x,x,x,x,x,x]", b"[%s]")
    yield "a.md: merged keys of ten billion", lambda: _ladder(b"{x: 1}", b"{<<: [%s]}")
    yield "a.md: a list that holds itself", lambda: b"---\na: &a [*a]\n---\ntext"
    yield "a.md: a hundred thousand nested quotes", lambda: b"> " * 100_000 + b"text"
    yield (
        "a.md: a hundred thousand nested lists",
        lambda: b"".join(b" " * n + b"- a\n" for n in range(0, 2000, 2)),
    )
    yield "a.wiki: a million open templates", lambda: b"text " + b"{{a|" * 1_000_000
    yield (
        "a.wiki: half a million nested templates",
        lambda: b"text " + b"{{a|" * 500_000 + b"}}" * 500_000,
    )
    yield "a.wiki: a table's cell of ten million", lambda: b"{|\n|" + b"a" * 10_000_000
    yield (
        "a.pdf: content that unpacks a thousand times",
        lambda: _packed_pdf(b"BT /F1 12 Tf (a) Tj ET " + b" " * (70 << 20)),
    )
    yield (
        "a.pdf: one page ten thousand times",
        lambda: make_pdf([b"BT /F1 12 Tf (a) Tj ET"], kids=[0] * 10_000),
    )
    yield "a.pdf: forms in forms, ten to the ninth", _laughing_pdf
    yield (
        "a.pdf: a tree of pages in a circle",
        lambda: make_pdf().replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]"),
    )
    yield (
        "a.pdf: a length that is a lie",
        lambda: make_pdf().replace(b"/Length 6", b"/Length 999999996"),
    )


_LAUGHS = b'<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (b + 1, b"&%c;" % b * 10) for b in range(97, 105)
)
_TO_BIN = b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/a.bin"/></Relationships>'


def _opf(items: bytes, spine: bytes) -> bytes:
    return (
        b'<package><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
        + items
        + b"</manifest><spine>"
        + spine
        + b"</spine></package>"
    )


def _many_members(data: bytes, number: int, size: int) -> bytes:
    done = io.BytesIO(data)
    with zipfile.ZipFile(done, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        content = bytes(size)
        for count in range(
            number // 100
        ):  # so many, that the bound is met, and no more time is taken
            archive.writestr(f"word/{count}.xml", content)
        for count in range(number - number // 100):
            archive.writestr(f"other/{count}.xml", b"")
    return done.getvalue()


def _overlapping(data: bytes) -> bytes:
    """Many entries of the directory lead to the same packed bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        victim = archive.getinfo("O/a.xhtml").header_offset
    done = io.BytesIO(data)
    with zipfile.ZipFile(done, "a") as archive:
        items, spine = [], []
        for number in range(50):
            name = f"O/{number}.xhtml"
            archive.writestr(name, b"")
            archive.getinfo(name).header_offset = victim
            items.append(
                f'<item id="i{number}" href="{number}.xhtml" media-type="application/xhtml+xml"/>'
            )
            spine.append(f'<itemref idref="i{number}"/>')
        archive.writestr("O/b.opf", _opf("".join(items).encode(), "".join(spine).encode()))
    return done.getvalue()


def _lying(data: bytes) -> bytes:
    """What every entry says that it unpacks to is 10 bytes."""
    changed = bytearray(data)
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = 0
        while (start := data.find(signature, start)) >= 0:
            changed[start + at : start + at + 4] = (10).to_bytes(4, "little")
            start += 4
    return bytes(changed)


def _ladder(first: bytes, ten: bytes) -> bytes:
    """Front matter in which each of ten keys is ``ten`` of the one before."""
    rungs = [
        b"%c: &%c %s\n" % (key + 1, key + 1, ten % b",".join([b"*%c" % key] * 10))
        for key in range(97, 107)
    ]
    return b"---\na: &a %s\n%s---\ntext" % (first, b"".join(rungs))


def _gzipped(start: bytes, block: bytes, times: int) -> bytes:
    done = io.BytesIO()
    with gzip.GzipFile(fileobj=done, mode="wb", compresslevel=1) as file:
        file.write(start)
        for _ in range(times):
            file.write(block)
    return done.getvalue()


def _packed_pdf(content: bytes) -> bytes:
    packed = zlib.compress(content)
    return make_pdf([packed]).replace(
        b"<< /Length %d >>" % len(packed), b"<< /Length %d /Filter /FlateDecode >>" % len(packed)
    )


def _laughing_pdf() -> bytes:
    forms = [
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /Font << /F1 3 0 R >> /XObject << /X %d 0 R >> >> /Length %d >>\nstream\n%s\nendstream"
        % (number + 1, len(content), content)
        for number, content in (
            (n, b"/X Do " * 10 + b"BT /F1 9 Tf (a) Tj ET" if n < 12 else b"BT /F1 9 Tf (a) Tj ET")
            for n in range(4, 13)
        )
    ]
    return make_pdf(
        [b"/X Do BT /F1 9 Tf (a) Tj ET"], more=forms, resources=b"/XObject << /X 4 0 R >>"
    )


def _read_apart(path: Path, name: str, tally: Tally, *, memory: int = _MEMORY) -> None:
    """Read a file, and cut it into chunks, in a process that has so much memory."""
    command = [sys.executable, "-m", "benchmarks.torture.inputs", str(path), str(memory)]
    try:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            timeout=_SECONDS,
            cwd=Path(__file__).parents[2],
        )
    except subprocess.TimeoutExpired:
        tally.saw("took too long")
        tally.check(False, f"{name}: over {_SECONDS} s")
        return
    told = done.stdout.decode().strip().splitlines()
    became = told[-1] if told else f"ended by {done.returncode}"
    tally.saw(became)
    tally.check(
        done.returncode == 0, f"{name}: {became}: {done.stderr.decode(errors='replace')[-300:]}"
    )


def _only_read(path: Path, memory: int) -> None:
    """In a process of its own: what became of a file."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    try:
        for document, _ in load_sources(path):
            Chunker().chunks(document, count=_counted, window=254)
            print("read")
    except RagkitError as error:
        print(
            "refused by an error that names it" if path.name in str(error) else f"unnamed: {error}"
        )
        sys.exit(path.name not in str(error))


def _counted(texts: Sequence[str]) -> list[int]:
    return [len(text) // 4 + 1 for text in texts]


def _long_lines(effort: float) -> Row:
    size = max(10**6, int(10**8 * min(1.0, effort)))
    kinds = {
        "a": "a",
        "blanks": " ",
        "words": "word and ",
        "sentences": "It is. ",
        "brackets": "[",
        "quotes": '."',
    }
    tally = Tally(f"lines of up to {size:,} characters, in 8 GiB")
    with tempfile.TemporaryDirectory() as scratch:
        for suffix in (".txt", ".md", ".html", ".wiki"):
            for name, unit in islice(kinds.items(), 0, None, _every(effort)):
                if size > 10**7 and (suffix != ".txt" or name not in ("a", "blanks")):
                    content = "x " + unit * (10**7 // len(unit))
                else:
                    content = "x " + unit * (size // len(unit)) + " x"
                path = Path(scratch) / f"a{suffix}"
                path.write_text(content, encoding="utf-8")
                del content
                gc.collect()
                _read_apart(path, f"{suffix} {name}", tally, memory=8 << 30)
    return tally.row()


# Time that grows with the square, or worse.


_UNITS = [*" \na1A.,()[]<>/='\"-*#|{}&;:_!?“…", "\u200b", "ж", "中"]
_STARTS = ("", "[1", "(1)", "<a ", "no", "&#", "{|\n|", ".[1]", "“a", "in ", "---\n", "> ")
_SHORT = {
    "ragkit.serving.settings",
    "ragkit.serving.serialization",
    "ragkit.index.milvus.location",
    "ragkit.index.milvus.generation",
}
"""What these read are names and addresses of the caller's own, or of 4,000 characters at most."""


class _TooLongError(Exception):
    pass


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _seconds(act: Callable[[str], object], text: str) -> float:
    """Infinite where it takes more than ten."""
    begun = time.perf_counter()
    try:
        with _at_most(10):
            act(text)
    except _TooLongError:
        return float("inf")
    except RagkitError:
        pass
    return time.perf_counter() - begun


def _grows(act: Callable[[str], object], start: str, unit: str, length: int, free: float) -> str:
    """How times grew at each doubling, where that is faster than the length; else ``""``.

    ``free``: seconds that the first length may take without being looked at.
    """
    text = start + unit * (length // len(unit))
    if (first := _seconds(act, text)) < free:
        return ""
    times = [first]
    for doubled in (2, 4):
        longer = start + unit * (doubled * length // len(unit))
        times.append(min(_seconds(act, longer) for _ in range(2)))
        if times[-1] <= 3 * times[-2] < float("inf"):
            return ""
        if times[-1] == float("inf"):
            break
    return " → ".join(f"{one:.3f} s" for one in times)


def _every_pattern() -> dict[str, Callable[[str], object]]:
    """All patterns of text that a module of ragkit has made when it is imported, as it uses them."""
    found: dict[str, Callable[[str], object]] = {}
    root = Path(ragkit.__file__).parent
    for path in sorted(root.rglob("*.py")):
        module = ".".join(("ragkit", *path.relative_to(root).with_suffix("").parts))
        source = path.read_text(encoding="utf-8")
        if "re.compile" not in source or module in _SHORT:
            continue
        for name, value in vars(import_module(module)).items():
            for number, one in enumerate(_flat([value])):
                if isinstance(one, re.Pattern) and isinstance(one.pattern, str):
                    anchored = re.search(rf"\b{name}\.(?:match|fullmatch)\b", source)
                    searched = re.search(
                        rf"\b{name}\.(?:search|sub|finditer|findall|split)\b", source
                    )
                    act = one.match if anchored and not searched else partial(_found, one)
                    found[f"{module}.{name}[{number}]"] = act
    return found


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, dict):
            yield from _flat(value.values())
        elif isinstance(value, (tuple, list)):
            yield from _flat(value)
        else:
            yield value


def _patterns(effort: float) -> Row:
    rng = random.Random(5)
    pumps = [(start, "".join(pair)) for start in _STARTS for pair in product(_UNITS, _UNITS)]
    pumps += [
        (start, "".join(rng.choices(_UNITS, k=rng.randint(3, 6))))
        for start in _STARTS
        for _ in range(300)
    ]
    every = _every_pattern()
    tally = Tally(f"{len(every)} regular expressions, pumped")
    for name, act in every.items():
        for start, unit in rng.sample(pumps, max(20, min(len(pumps), int(2000 * effort)))):
            grew = _grows(act, start, unit, 4000, 0.008)
            tally.saw("linear" if not grew else "faster than linear")
            tally.check(not grew, f"{name} on {start + unit!r}…: {grew}")
    return tally.row()


def _found(pattern: re.Pattern[str], text: str) -> None:
    for _ in pattern.finditer(text):
        pass


def _growth(effort: float) -> Row:
    """What reads text, given much of the same."""
    passages = _passages()
    acts: dict[str, Callable[[str], object]] = {
        **{
            f"reading {suffix}": partial(_read_text, Path(f"a{suffix}"))
            for suffix in (".txt", ".md", ".html", ".wiki")
        },
        "sentences": lambda text: split_sentences(text, Span(0, len(text))),
        "paragraphs": lambda text: list(paragraphs(text, Span(0, len(text)))),
        "chunks": lambda text: check_chunks("x " + text, most=254),
        "wikitext": plain_text,
        "ids": slug,
        "questions": lambda text: clean_question(text[:4000]),
        "checking a sentence": SupportChecker(passages).check,
        "checking quotations": QuoteChecker([Document("x", "X", "It was signed in 1922.")]).check,
        "writing": lambda text: list(
            generate_sentences(
                Saying([*map(Piece, text[:20_000]), Piece("", "stop")]),
                "What?",
                passages,
                policy="drop",
            )
        ),
    }
    rng = random.Random(7)
    units = ["".join(pair) for pair in product(_UNITS, _UNITS)]
    units += [
        "[1,  ",
        "[[a|",
        "{{a}}",
        "{|\n|a",
        "''a",
        "<b>",
        "<p><b>",
        "</p>",
        "<!--",
        "<a ",
        "<table><td>",
        "- a\n",
        "> ",
        "# a\n",
        "a\n===\n",
        "!?",
        '."',
        "e.g. ",
        "“a” ",
        "> a\n",
        "== a ==\n",
        "a | b\n",
        "&amp;",
        "[a]: b\n",
        "|-\n",
        "not ",
        "one million ",
        "<ref>",
        "A. ",
    ]
    tally = Tally("readers, sentences, chunks, checks: much of the same")
    for name, act in acts.items():
        length = (
            5_000
            if name in ("writing", "chunks", "checking quotations", "checking a sentence")
            else 20_000
        )
        for unit in [*units[-29 :: _every(effort)], *rng.sample(units, int(60 * min(effort, 10)))]:
            grew = _grows(act, "", unit, length, 0.15)
            tally.saw("linear" if not grew else "faster than linear")
            tally.check(not grew, f"{name}, {unit!r}: {grew}")
    return tally.row()


def _read_text(path: Path, text: str) -> object:
    return list(parser_for(path)(io.BytesIO(text.encode()), path))


def _passages() -> Any:
    text = "The Treaty of Rapallo was signed in 1922 by Germany and Russia. It was kept secret until 1930."
    return (
        Index.build([Document("x", "Treaty", text)], encoder=int8_encoder())
        .ask("When was it signed?", threshold=0)
        .passages
    )


# Characters that are not what they seem.


_TRICKS = {
    "bidirectional": "\u202eabc\u202c\u2066def\u2069\u200f", "zero width": "a\u200bb\u200cc\u200dd\u2060e\ufefff", "confusables": "раураӏ Ⅿicrosoft ｆｕｌｌ",
    "combining flood": "a" + "\u0301\u0489" * 2000, "astral": "𝔘𝔫𝔦 😀👩‍👩‍👧‍👦🇩🇪 \U000e0041", "right to left": "שלום עולם مرحبا", "variation": "☃\ufe0f\ufe0e",
    "line ends": "a\x0bb\x0cc\x1cd\x1ee\x85f\u2028g\u2029h", "byte order marks": "\ufeffa\ufeff\ufeffb", "fullwidth": "１９２２．", "decomposed": "Ko\u0308ln",
    "turkish": "Iİıi\u0307", "sharp s": "STRASSE straße ẞ", "ligatures": "ﬁ ﬀ ﷺ ㎏ ½", "noncharacters": "\ufffe\uffff\U0010ffff", "private": "\ue000\uf8ff", "tags": "\U000e0020\U000e007f",
    "escapes": "\x1b[31mred\x07\x08", "soft hyphens": "co\xadoperate", "hangul filler": "\u3164\u115f",
}  # fmt: skip
_BROKEN = ("\ud800", "a\udfffb", "\0", "a\0b")


def _unicode() -> Row:
    """Sources, titles, headings, ids and questions made of them."""
    tally = Tally("Unicode tricks in sources, titles, ids and questions")
    documents = [
        Document(
            f"{trick}-{number}",
            f"Title {trick}",
            f"Lead {trick}.\n\n== H {trick} ==\n\nThe {name} river {trick} rises here. {trick} It ends {trick}.\n",
        )
        for number, (name, trick) in enumerate(_TRICKS.items())
    ]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "index"
        Index.build(documents, path, encoder=int8_encoder())
        index = Index.open(path, encoder=int8_encoder())
    tally.check(
        [d.text for d in index.documents] == [d.text for d in documents], "another text than given"
    )
    known = {document.id: document for document in documents}
    for name, trick in _TRICKS.items():
        for question in (f"Where does the {name} river {trick} rise?", trick, f"{trick}?"):
            try:
                answer = index.ask(question, threshold=0)
            except QuestionError:
                tally.saw("question refused")
                continue
            tally.saw("answered")
            for passage in answer.passages:
                citation = passage.citation
                document = known[citation.document_id]
                fine = (
                    document.text[citation.start : citation.end] == citation.quote
                    and citation.verify(document).ok
                )
                tally.check(fine, f"{name}: {citation}")
            json.dumps(answer.to_dict(), ensure_ascii=False).encode()
            answer.to_markdown().encode()
    for broken in _BROKEN:
        said: tuple[dict[str, Any], ...] = (
            {"id": f"x{broken}"},
            {"title": f"X{broken}"},
            {"text": f"text {broken}"},
            {"metadata": {"a": broken}},
            {"metadata": {broken: "a"}},
            {"url": f"http://e.org/{broken}"},
        )
        for fields in said:
            document = Document(**{"id": "x", "title": "X", "text": "text", **fields})
            _builds_or_is_refused(document, repr(fields), tally)
        try:
            index.ask(f"Where {broken}?")
            tally.check(False, f"asked {broken!r}")
        except QuestionError:
            tally.saw("question refused")
    return tally.row()


def _builds_or_is_refused(document: Document, example: str, tally: Tally) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "index"
        try:
            Index.build([document], path, encoder=int8_encoder())
            answer = Index.open(path, encoder=int8_encoder()).ask("text?", threshold=0)
            json.dumps(answer.to_dict(), ensure_ascii=False).encode()
            tally.saw("source taken")
        except RagkitError:
            tally.saw("source refused")
        except Exception as error:
            tally.broke(error, example)
        else:
            tally.check(answer.passages[0].citation.verify(document).ok, example)


# Names that lead elsewhere.


_PATHS = (
    "../../../../etc/passwd",
    "/etc/passwd",
    "..\\..\\x",
    "file:///etc/passwd",
    "a/../../b",
    "C:\\x",
    "%2e%2e%2fx",
    "..%00/x",
    ".",
    "..",
    "-rf",
    "~root",
    "$(touch x)",
    "con",
    "x\ny",
)


def _names() -> Row:
    tally = Tally("names that lead elsewhere: ids, titles, members of archives")
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch)
        (top / "corpus").mkdir()
        for name in _PATHS:
            (top / "corpus" / "a.txt").write_text("Some text of it.", encoding="utf-8")
            (top / "corpus" / "a.meta.json").write_text(
                json.dumps({"id": name, "title": name, "url": name}), encoding="utf-8"
            )
            before = _below(top)
            index = Index.build(top / "corpus", top / "index", encoder=int8_encoder())
            citation = index.ask("text?", threshold=0).passages[0].citation
            tally.saw("read")
            tally.check(citation.verify(index.documents[0]).ok, f"{name!r}: {citation}")
            outside = [p for p in _below(top) - before if p.parts[0] != "index"]
            tally.check(not outside, f"{name!r} made {outside}")
            shutil.rmtree(top / "index")
            for suffix, content in _with_name(name):
                path = Path(f"a{suffix}")
                try:
                    texts = [read.text for read in parser_for(path)(io.BytesIO(content), path)]
                    tally.saw("read")
                except SourceError:
                    texts = []
                    tally.saw("refused")
                tally.check(
                    not any("root:" in text for text in texts),
                    f"{suffix} {name!r} read a file of this machine",
                )
    return tally.row()


def _below(top: Path) -> set[Path]:
    return {path.relative_to(top) for path in top.rglob("*")}


def _with_name(name: str) -> Iterator[tuple[str, bytes]]:
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").encode()
    yield (
        ".epub",
        make_epub(
            {
                "O/b.opf": b'<package><manifest><item id="a" href="%s" media-type="text/html"/></manifest><spine><itemref idref="a"/></spine></package>'
                % escaped
            }
        ),
    )
    yield (
        ".epub",
        make_epub({"META-INF/container.xml": b'<c><rootfile full-path="%s"/></c>' % escaped}),
    )
    yield ".docx", make_docx({"_rels/.rels": _TO_BIN.replace(b"word/a.bin", escaped)})
    yield ".docx", make_docx({name: b"<a/>"})
    yield (
        ".xml",
        b"<mediawiki><page><title>%s</title><ns>0</ns><id>1</id><revision><text>text</text></revision></page></mediawiki>"
        % escaped,
    )


_ELSEWHERE = "secret of another folder"


def _links() -> Row:
    """A folder of links, pipes and devices, given as folder, as pattern, and file by file."""
    tally = Tally("links, circles of links, pipes, sockets and devices in a folder of sources")
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch)
        folder, outside = top / "corpus", top / "outside"
        for made in (folder / "real", outside):
            made.mkdir(parents=True)
        (outside / "secret.txt").write_text(_ELSEWHERE, encoding="utf-8")
        (outside / "secret.meta.json").write_text(
            json.dumps({"title": _ELSEWHERE}), encoding="utf-8"
        )
        (folder / "real" / "a.txt").write_text("Some text.", encoding="utf-8")
        (folder / "b.txt").write_text("Some other text.", encoding="utf-8")
        for name, target in {
            "leads-out.txt": "../outside/secret.txt", "out": "../outside", "up": "..", "here": ".", "again": ".", "real/back": "..", "inside": "real",
            "itself.txt": "itself.txt", "zero.txt": "/dev/zero", "random.txt": "/dev/urandom", "memory.txt": "/proc/self/mem", "nothing.txt": "/nowhere",
        }.items():  # fmt: skip
            (folder / name).symlink_to(target)
        os.mkfifo(folder / "pipe.txt")
        with socket.socket(socket.AF_UNIX) as listening:
            before = Path.cwd()
            os.chdir(folder)  # the name of a socket is at most a hundred bytes long
            try:
                listening.bind("socket.txt")
            finally:
                os.chdir(before)
            for given in [
                folder,
                folder / "**/*.txt",
                folder / "*/*.txt",
                *sorted(folder.glob("*.txt")),
            ]:
                _read_linked(
                    given, named=given.suffix == ".txt" and "*" not in str(given), tally=tally
                )
        (folder / "b.meta.json").symlink_to(outside / "secret.meta.json")
        _read_linked(folder, named=False, tally=tally)
    return tally.row()


def _read_linked(given: Path, *, named: bool, tally: Tally) -> None:
    """Only a file that was named itself may lead out of its folder."""
    try:
        with _at_most(20):
            read = [document for document, _ in load_sources(given)]
    except SourceError:
        tally.saw("refused")
        tally.check(True, "")
    except (_TooLongError, OSError) as error:
        tally.saw("another error")
        tally.check(False, f"{given.name}: {type(error).__name__}")
    else:
        tally.saw("read")
        leaked = [d.id for d in read if _ELSEWHERE in (d.text, d.title)]
        tally.check(named or not leaked, f"{given.name}: {leaked}")
        tally.check(
            {d.id for d in read} <= {"a", "b"} or named, f"{given.name}: {[d.id for d in read]}"
        )


# Models that bring code.


def _models(effort: float) -> Row:
    """Each is loaded and reads a text in a process of its own; a marker tells whether its code ran."""
    tally = Tally("models with code of their own, and names of models")
    names = [
        "https://e.org/x",
        "../..",
        "file:///etc",
        "a/../../b",
        "-rf",
        "a\0b",
        "",
        " ",
        "x" * 5000,
        "/etc",
        "user/model",
        "os",
        "{}",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch)
        marker = top / "it-ran"
        for kind, made in _MODELS.items():
            folder = top / kind.replace(" ", "-")
            _a_model(folder)
            made(folder, f"open({str(marker)!r}, 'w')")
            for runtime in ("reference", "float32")[: 2 // min(2, _every(effort))]:
                _load_apart(str(folder), runtime, kind, tally)
                tally.check(not marker.exists(), f"{kind}, {runtime}: its code ran")
                marker.unlink(missing_ok=True)
        for name in names:
            became = _load(name, "reference")
            tally.saw(became)
            tally.check(became.startswith("refused"), f"{name[:40]!r}: {became}")
    return tally.row()


def _a_model(folder: Path) -> None:
    from ragkit.encoding.models import base_model_folder

    shutil.copytree(base_model_folder(), folder, copy_function=os.symlink)
    for name in ("config.json", "modules.json", "tokenizer_config.json"):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / name).write_bytes(content)


def _changed(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def _auto_map(folder: Path, code: str) -> None:
    (folder / "modeling_x.py").write_text(code, encoding="utf-8")
    for name, kind in (
        ("config.json", "AutoModel"),
        ("config.json", "AutoConfig"),
        ("tokenizer_config.json", "AutoTokenizer"),
    ):
        _changed(folder / name, partial(_mapped, kind=kind))


def _mapped(config: dict[str, Any], *, kind: str) -> None:
    config.setdefault("auto_map", {})[kind] = "modeling_x.X"


def _custom_module(folder: Path, code: str) -> None:
    (folder / "module_x.py").write_text(f"{code}\nclass X: pass", encoding="utf-8")
    _changed(folder / "modules.json", lambda modules: modules[-1].update(type="module_x.X"))


def _pickled(folder: Path, code: str) -> None:
    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return exec, (code,)

    (folder / "model.safetensors").unlink()
    for name in ("pytorch_model.bin", "model.pt"):
        (folder / name).write_bytes(pickle.dumps(Runs()))


def _pickled_beside(folder: Path, code: str) -> None:
    weights = (folder / "model.safetensors").readlink()
    _pickled(folder, code)
    (folder / "model.safetensors").symlink_to(weights)


_MODELS: Mapping[str, Callable[[Path, str], None]] = {
    "code by auto_map": _auto_map,
    "a module of its own": _custom_module,
    "pickled weights": _pickled,
    "pickled weights beside": _pickled_beside,
}

_LOADING = """
import sys
from benchmarks.torture.inputs import _load
print(_load(*sys.argv[1:]))
"""


def _load(name: str, runtime: Any) -> str:
    try:
        ragkit.load_encoder(name, runtime=runtime).encode(["Some text."])
    except RagkitError as error:
        return f"refused by {type(error).__name__}"
    except Exception as error:
        return f"another error: {type(error).__name__}"
    return "loaded"


def _load_apart(name: str, runtime: str, kind: str, tally: Tally) -> None:
    root = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-c", _LOADING, name, runtime],
            check=False, capture_output=True, timeout=120, cwd=root,
            env={**os.environ, "RAGKIT_CACHE": cache, "HF_HOME": cache, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
    told = done.stdout.decode().strip().splitlines()
    became = told[-1] if told else f"ended by {done.returncode}: {done.stderr.decode()[-200:]}"
    tally.saw(became)
    tally.check(became == "loaded" or became.startswith("refused"), f"{kind}, {runtime}: {became}")


if __name__ == "__main__":
    _only_read(Path(sys.argv[1]), int(sys.argv[2]))
