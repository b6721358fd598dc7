"""Hostile input: bombs, endless things, tricks of Unicode, links, made-up streams; refused or read."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit import Document, Index, load_encoder
from ragkit.answering.answer import Passage
from ragkit.answering.generated import GOOD
from ragkit.chunking import Chunker
from ragkit.corpus import decoding, load_sources
from ragkit.corpus.formats import parser_for
from ragkit.corpus.mediawiki import plain_text
from ragkit.encoding import Encoder
from ragkit.errors import EncoderError, LanguageModelError, QuestionError, SourceError
from ragkit.grounding import ChatModel, Message, Piece, SupportChecker, generate_sentences
from ragkit.grounding.markers import strip_markers
from ragkit.text.sentences import split_sentences
from ragkit.text.spans import Span
from support.parts import make_model
from support.strategies import articles

MANY = 50_000  # so many of anything takes hours where time grows as the square


def read_as(name: str, data: bytes | str) -> str:
    """The text that a file of this name and content is read as."""
    data = data.encode() if isinstance(data, str) else data
    [read] = parser_for(Path(name))(io.BytesIO(data), Path(name))
    return read.text


def zipped(members: dict[str, bytes]) -> bytes:
    done = io.BytesIO()
    with zipfile.ZipFile(done, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return done.getvalue()


# --- Sources


def aliases(first: str, line: str) -> str:
    """Ten lines, each of which stands for ten of the line before."""
    lines = [
        line.format(name=chr(b + 1), same=",".join(f"*{chr(b)}" for _ in range(10)))
        for b in range(97, 107)
    ]
    return f"---\na: &a {first}\n" + "".join(lines) + "---\nText."


@pytest.mark.parametrize(
    "source",
    [
        aliases("[x, x]", "{name}: &{name} [{same}]\n"),
        aliases("{x: 1}", "{name}: &{name} {{<<: [{same}]}}\n"),
        "---\na: &a [*a]\n---\nText.",
        "---\na: !!timestamp x\n---\nText.",
        "---\na: !!bool x\n---\nText.",
        '---\na: !!int ""\n---\nText.',
        f"---\n0x{'F' * 5000}: a\n---\nText.",
    ],
)
def test_front_matter_that_grows_or_lies_is_refused_by_name(source: str) -> None:
    with pytest.raises(SourceError, match=r"front matter of a\.md"):
        read_as("a.md", source)


def test_a_number_of_thousands_of_digits_is_no_metadata() -> None:
    [read] = parser_for(Path("a.md"))(
        io.BytesIO(f"---\na: 0x{'F' * 5000}\nb: [0x{'F' * 5000}]\nc: 1\n---\nText.".encode()),
        Path("a.md"),
    )
    assert read.metadata == {"c": 1}


def test_a_key_of_front_matter_is_valid_unicode() -> None:
    [read] = parser_for(Path("a.md"))(
        io.BytesIO(b'---\na: 1\n"\\ud800": 1\n---\nText.'), Path("a.md")
    )
    assert read.metadata == {"a": 1, "\ufffd": 1}


@pytest.mark.parametrize(("name", "mark"), [("a.txt", "=="), ("a.wiki", "=="), ("a.md", "##")])
def test_an_endless_heading_is_text(tmp_path: Path, name: str, mark: str) -> None:
    long = "x" * 5000
    (tmp_path / name).write_text(f"Lead.\n\n{mark} {long} {mark}\n\nBody.\n", encoding="utf-8")
    [(document, _)] = load_sources(tmp_path / name)
    assert [section.path for section in document.sections] == [()]
    assert long in document.text


def test_an_endless_title_is_refused_since_it_would_stand_in_front_of_every_passage(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.html").write_text(f"<title>{'x' * 5000}</title><p>Text.", encoding="utf-8")
    with pytest.raises(SourceError, match=r"a\.html has a title of 5,000 characters"):
        load_sources(tmp_path)


@pytest.mark.parametrize(
    ("suffix", "size"),
    [("txt", 10**9), *((suffix, 2**26 + 1) for suffix in ("md", "html", "wiki", "docx"))],
)
def test_a_line_of_a_billion_characters_is_refused_before_memory_is_full(
    tmp_path: Path, suffix: str, size: int
) -> None:
    path = tmp_path / f"a.{suffix}"
    with path.open("wb") as file:
        file.truncate(size)
    with pytest.raises(SourceError, match=r"more than 64 MiB, all of it one document.*split -C"):
        load_sources(path)


def test_the_largest_file_that_may_be_one_document_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("River towns.", encoding="utf-8")
    monkeypatch.setattr(decoding, "_MAX_BYTES", 12)
    assert load_sources(path)[0][0].text == "River towns."
    monkeypatch.setattr(decoding, "_MAX_BYTES", 11)
    with pytest.raises(SourceError):
        load_sources(path)


TO_BIN = b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/a.bin"/></Relationships>'
BODY = (
    b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.docx", lambda: zipped({"_rels/.rels": TO_BIN, "word/a.bin": b"<!DOCTYPE a><a/>"}), "Could not find main document part"),
        ("a.docx", lambda: zipped({"word/document.xml": BODY + b"<a/>" * 1_000_001}), "more than 1,000,000 tags"),
        ("a.epub", lambda: zipped({"META-INF/container.xml": b"<c>" + b"<a/>" * 200_001}), "more than 200,000 elements"),
        ("a.xml", lambda: b"<mediawiki>" + b"<a>" * 200, "more than 100 elements are open"),
        ("a.xml", lambda: b"<mediawiki>" + b"".join(b"<a%d/>" % n for n in range(20_000)), "more than 1,000 names"),
        ("a.xml", lambda: b"<mediawiki>" + b'<namespace key="6">n%d</namespace>' * 2000 % tuple(range(2000)), "more than 1,000 names"),
        ("a.xml.gz", lambda: gzip.compress(b'<mediawiki a="' + b"a" * (2 << 20), 1), "a tag is longer"),
    ],
)  # fmt: skip
def test_what_is_small_and_stands_for_gigabytes_is_refused(
    name: str, data: Callable[[], bytes], message: str
) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        read_as(name, data())
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "source", ["{|\n|" + "a" * MANY * 20, "{|\n|+" + "a" * MANY * 20, "{|\n!" + "[a" * MANY]
)
def test_a_cell_without_attributes_is_read_in_time(source: str) -> None:
    assert "a" in plain_text(source)


def test_cells_keep_their_text_and_lose_their_attributes() -> None:
    assert plain_text("{|\n! a=1 | B !! C\n|-\n| x = 1 | y || z\n|}\n") == "B | C\ny | z\n"


def test_a_page_of_too_many_tags_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragkit.corpus.html._MAX_TOKENS", 1000)
    with pytest.raises(SourceError, match=r"a\.html has more than 1,000 tags"):
        read_as("a.html", "text" + "<b></b>" * 500)
    assert read_as("a.html", "text" + "<b></b>" * 499) == "text"


# --- Sentences and chunks


@pytest.mark.parametrize("unit", ["!?", '."', "(.)", "a. ", " ", "\n", "x", "- a\n"])
def test_sentences_of_much_of_the_same_are_found_in_time(unit: str) -> None:
    text = "A. " + unit * MANY + "b"
    spans = split_sentences(text, Span(0, len(text)))
    assert "".join("".join(text[a:b] for a, b in spans).split()) == "".join(text.split())


@settings(max_examples=20)
@given(articles())
def test_a_long_block_read_in_pieces_has_every_character_once(article: str) -> None:
    text = " ".join([article.replace("\n", " ").replace("\r", " ")] * 40)
    spans = split_sentences(text, Span(0, len(text)))
    between = [
        text[a:b] for (_, a), (b, _) in zip([(0, 0), *spans], [*spans, (len(text), 0)], strict=True)
    ]
    assert not "".join(between).replace("\ufeff", "").replace("\u200b", "").strip()


def characters(texts: Sequence[str]) -> list[int]:
    """A tokenizer to whom nothing but white space is nothing."""
    return [len(text.split()) for text in texts]


@pytest.mark.parametrize(
    "unit", ["x", "x ", "x" + " " * 3000, "x.  ", "\u00a0", "x\n" + " \n" * 50_000]
)
def test_chunks_are_narrow_whatever_a_tokenizer_counts(unit: str) -> None:
    text = "a " + unit * (MANY // len(unit)) + " b"
    document = Document("x", "X", text, sections=())
    [(document, _)] = load_sources([document])
    chunks = Chunker(max_tokens=16).chunks(document, count=characters, window=16)
    assert max(chunk.end - chunk.start for chunk in chunks) <= 40 * 16
    assert all(text[chunk.start : chunk.end].strip() for chunk in chunks)
    held = "".join(text[a:b] for chunk in chunks for a, b in chunk.sentences)
    assert "".join(held.split()) == "".join(text.split())


def test_no_tokenizer_is_given_what_cannot_fit() -> None:
    asked: list[int] = []

    def count(texts: Sequence[str]) -> list[int]:
        asked.extend(map(len, texts))
        return characters(texts)

    [(document, _)] = load_sources([Document("x", "X", "word " * MANY)])
    assert Chunker(max_tokens=16).chunks(document, count=count, window=16)
    assert max(asked) <= 40 * 16


# --- Unicode


TRICKS = ["\u202eabc\u202c", "a\u200bb\ufeffc", "раураӏ", "a" + "\u0301" * 500, "😀👩‍👩‍👧‍👦\U0010ffff", "שלום", "a\x0bb\x1ec\x85d\u2028e", "ﬁ ﷺ ½", "\ufeff\ufeffx\ufffe", "\x1b[31m"]  # fmt: skip


def test_citations_are_exact_whatever_the_characters(tiny: Encoder) -> None:
    documents = [
        Document(
            f"{trick}-{n}",
            f"T {trick}",
            f"Lead {trick}.\n\n== H {trick} ==\n\n{trick} rises {trick}. It ends {trick}.\n",
        )
        for n, trick in enumerate(TRICKS)
    ]
    index = Index.build(documents, encoder=tiny)
    assert [d.text for d in index.documents] == [d.text for d in documents]
    known = {document.id: document for document in documents}
    for passage in index.ask("What rises?", k=100, threshold=0).passages:
        citation = passage.citation
        assert known[citation.document_id].text[citation.start : citation.end] == citation.quote
        assert citation.verify(known[citation.document_id]).ok


@pytest.mark.parametrize(
    "said",
    [{"id": "\ud800"}, {"title": "a\ud800"}, {"url": "http://e.org/\udfff"}, {"metadata": {"\ud800": 1}}, {"metadata": {"a": ["\ud800"]}}],
)  # fmt: skip
def test_a_lone_surrogate_is_refused_wherever_it_stands(said: dict[str, object]) -> None:
    document = Document(**{"id": "x", "title": "X", "text": "Text.", **said})  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="lone surrogate"):
        load_sources([document])


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_any_question_is_answered_or_refused(german_soviet: Index, question: str) -> None:
    try:
        answer = german_soviet.ask(question, threshold=0)
    except QuestionError:
        return
    json.dumps(answer.to_dict(), ensure_ascii=False).encode()
    assert all(
        german_soviet.documents[0].text[p.citation.start : p.citation.end] == p.text
        for p in answer.passages
    )


# --- Links, pipes, names


SECRET = "Secret of another folder."


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A folder whose links lead out of it, in circles, and to a pipe."""
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    for made in (folder / "real", outside):
        made.mkdir(parents=True)
    (outside / "secret.txt").write_text(SECRET, encoding="utf-8")
    (outside / "secret.meta.json").write_text(json.dumps({"title": SECRET}), encoding="utf-8")
    (folder / "real" / "a.txt").write_text("Text.", encoding="utf-8")
    for name, target in {"out": "../outside", "up": "..", "here": ".", "again": ".", "inside": "real", "real/back": "..", "device.txt": "/dev/zero", "secret.txt": "../outside/secret.txt"}.items():  # fmt: skip
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.txt")
    return folder


@pytest.mark.parametrize("pattern", ["", "**/*.txt", "*/*.txt", "**", "*/**/a.txt"])
def test_no_link_leads_out_of_a_folder_or_round_in_circles(linked: Path, pattern: str) -> None:
    assert [(d.id, d.text) for d, _ in load_sources(linked / pattern)] == [("a", "Text.")]


@pytest.mark.parametrize("name", ["pipe.txt", "device.txt"])
def test_a_pipe_or_device_is_refused_and_not_waited_for(linked: Path, name: str) -> None:
    with pytest.raises(SourceError, match=f"{name} is not a regular file"):
        load_sources(linked / name)


def test_what_is_said_of_a_file_is_not_read_from_another_folder(linked: Path) -> None:
    (linked / "real" / "a.meta.json").symlink_to(linked.parent / "outside" / "secret.meta.json")
    with pytest.raises(SourceError, match=r"a\.meta\.json is a link"):
        load_sources(linked)


def test_a_file_that_cannot_be_hashed_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "memory.txt").symlink_to("/proc/self/mem")
    with pytest.raises(SourceError, match=r"memory\.txt cannot be read"):
        load_sources(tmp_path / "memory.txt")


@pytest.mark.parametrize("pattern", ["**x/*.txt", "*/../../x*"])
def test_an_impossible_pattern_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(SourceError, match="the pattern"):
        load_sources(tmp_path / pattern)


@pytest.mark.parametrize(
    "name", ["../../../../etc/passwd", "/etc/passwd", "a/../../b", "x\ny", "-rf", "~root"]
)
def test_an_id_is_a_name_and_no_path(tmp_path: Path, tiny: Encoder, name: str) -> None:
    (tmp_path / "a.txt").write_text("Text.", encoding="utf-8")
    (tmp_path / "a.meta.json").write_text(json.dumps({"id": name}), encoding="utf-8")
    index = Index.build(tmp_path / "a.txt", tmp_path / "index", encoder=tiny)
    assert index.documents[0].id == name
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "a.meta.json", "index"}


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_blank_name_is_none(tmp_path: Path, blank: str) -> None:
    (tmp_path / "a.txt").write_text("Text.", encoding="utf-8")
    (tmp_path / "a.meta.json").write_text(
        json.dumps({"id": blank, "title": blank}), encoding="utf-8"
    )
    [(document, _)] = load_sources(tmp_path)
    assert (document.id, document.title) == ("a", "a")


# --- Models


def test_code_that_comes_with_a_model_is_never_run(tmp_path: Path) -> None:
    model, marker = make_model(tmp_path / "made"), tmp_path / "it-ran"
    (model / "module_x.py").write_text(
        f"open({str(marker)!r}, 'w')\nclass X: pass", encoding="utf-8"
    )
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    config["auto_map"] = {"AutoModel": "module_x.X", "AutoConfig": "module_x.X"}
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    load_encoder(str(model)).encode(["Text."])
    modules = json.loads((model / "modules.json").read_text(encoding="utf-8"))
    modules[-1]["type"] = "module_x.X"
    (model / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    with pytest.raises(EncoderError):
        load_encoder(str(model)).encode(["Text."])
    assert not marker.exists()


NO_MODELS = ["https://example.org/model", "../..", "a\0b", "", "{}", "-rf", "x" * 5000]


@pytest.mark.parametrize("name", NO_MODELS)
def test_what_names_no_model_is_refused(name: str) -> None:
    with pytest.raises(EncoderError):
        load_encoder(name)


# --- What a language model says


@pytest.mark.parametrize(
    "said",
    ["[1" + ",  1" * 5000 + " x", "[1" + " , passage  1" * 2000, "a" + " " * MANY + "b", "[" + " " * MANY + "b", "[1] " * 5000, "(1)" + " " * MANY + "x", "[" * MANY, "[1:" + ":" * MANY],
)  # fmt: skip
def test_markers_that_are_never_closed_are_read_in_time(said: str) -> None:
    assert isinstance(strip_markers(said)[0], str)


class Saying:
    """A language model that says these pieces."""

    name = "m"

    def __init__(self, *pieces: Piece) -> None:
        self._pieces = pieces

    def stream(self, _: Sequence[Message]) -> Iterator[Piece]:
        yield from self._pieces


@pytest.fixture(scope="module")
def passages(german_soviet: Index) -> tuple[Passage, ...]:
    return german_soviet.ask("Who signed the Treaty of Rapallo?").passages


SAID = st.lists(
    st.one_of(
        st.sampled_from(["[1]", "[1, ", "]", "【", "】", "†", "<think>", "</think>", "(1)", ". ", "\n", "  ", "“", '"', "> ", "1922", "not ", "Rapallo ", "Treaty ", "[passage 1]", "Stalin signed it"]),
        st.text(max_size=5),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(SAID)
def test_only_what_is_found_good_is_kept_of_any_stream(
    passages: tuple[Passage, ...], said: list[str]
) -> None:
    sentences = list(
        generate_sentences(
            Saying(*map(Piece, said), Piece("", "stop")), "Who?", passages, policy="drop"
        )
    )
    checker = SupportChecker(passages)
    for sentence in sentences:
        assert sentence.kept == (sentence.status in GOOD)
        if sentence.kept:
            again = checker.check(
                sentence.text + "".join(f"[{rank}]" for rank in sentence.passages)
            )
            assert again is not None
            assert again.status in GOOD


@pytest.mark.parametrize("unit", ["<!--", "]", "\n", " .", "[1, "])
def test_a_reply_without_a_sentence_is_looked_at_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch, passages: tuple[Passage, ...], unit: str
) -> None:
    from ragkit.grounding import generation

    looked: list[int] = []
    really = generation._split_reply

    def counted(text: str) -> list[tuple[str, int]]:
        looked.append(len(text))
        return really(text)

    monkeypatch.setattr(generation, "_split_reply", counted)
    pieces = [Piece(character) for character in unit * (20_000 // len(unit))]
    assert not [
        s
        for s in generate_sentences(
            Saying(*pieces, Piece("", "stop")), "Who?", passages, policy="drop"
        )
        if s.kept
    ]
    assert sum(looked) < 5_000_000  # 200,000,000 where each piece is looked at with all before it


@contextmanager
def stream(*parts: bytes, endless: bytes = b"") -> Iterator[str]:
    """An endpoint that answers any request with these bytes, and then, for ever, with others."""
    server = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            try:
                client, _ = server.accept()
                with client:
                    client.recv(65536)
                    client.sendall(
                        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
                    )
                    for part in parts:
                        client.sendall(part)
                    while endless and not done.wait(0.001):
                        client.sendall(endless)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
    finally:
        done.set()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


def event(content: object) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


def said(content: object, finish: str | None = None) -> bytes:
    return event(
        {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}
    )


def replied(url: str, *, timeout: float = 20) -> list[Piece]:
    model = ChatModel("m", base_url=url, timeout=timeout, retries=0)
    return list(model.stream([{"role": "user", "content": "x"}]))


@pytest.mark.parametrize(
    "part",
    [said(5), said(["a"]), said({"a": 1}), event({"choices": {"a": 1}}), event({"choices": 5}), event({"choices": [None]}), event([1]), event(5), b"data: " + b"[" * MANY + b"\n\n", b"data: \xff\n\n", b"data: " + b"1" * 5000 + b"\n\n"],
)  # fmt: skip
def test_a_stream_of_another_form_is_one_clear_error(part: bytes) -> None:
    with stream(part) as url, pytest.raises(LanguageModelError, match=r"'m' at .* failed"):
        replied(url)
    with stream(said("Text. "), part) as url:
        assert replied(url) == [Piece("Text. "), Piece("", "cut")]


@pytest.mark.parametrize("endless", [b": ping\n\n" * 100, b"\n" * 1000, event({"choices": []})])
def test_a_stream_of_nothing_ends_with_the_timeout(endless: bytes) -> None:
    with stream(endless=endless) as url, pytest.raises(LanguageModelError, match="for too long"):
        replied(url, timeout=1)
    with stream(said("Text. "), endless=endless) as url:
        assert replied(url, timeout=1) == [Piece("Text. "), Piece("", "cut")]


def test_a_line_that_never_ends_is_not_gathered() -> None:
    with (
        stream(endless=b"a" * (1 << 20)) as url,
        pytest.raises(LanguageModelError, match="for too long"),
    ):
        replied(url)


def test_what_a_model_says_is_valid_unicode() -> None:
    with stream(said("a \ud800."), said("", "stop")) as url:
        assert "".join(piece.text for piece in replied(url)) == "a ?."


@pytest.mark.parametrize("mark", ["[reference 1]", "[references 1, 2]", "[ref. 1]", "[source 1]"])
def test_markers_with_words_are_still_markers(mark: str) -> None:
    assert strip_markers(f"The pact was signed {mark}.")[0] == "The pact was signed."


def test_a_key_that_no_header_can_carry_is_a_clear_error() -> None:
    model = ChatModel("m", base_url="http://127.0.0.1:9/v1", api_key="clé", retries=0)
    with pytest.raises(LanguageModelError):
        list(model.stream([{"role": "user", "content": "Who?"}]))


def test_patterns_go_up_and_long_ones_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_text("Text.", encoding="utf-8")
    [(document, _)] = load_sources(str(tmp_path / "*" / ".." / "a" / "x.txt"))
    assert document.text == "Text."
    with pytest.raises(SourceError):
        load_sources(str(tmp_path / "*" / ("y" * 300 + ".txt")))


def test_metadata_may_be_a_link_within_its_folder(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()  # as mounted configurations have it
    (tmp_path / "..data" / "a.meta.json").write_text('{"title": "A"}', encoding="utf-8")
    (tmp_path / "a.txt").write_text("Text.", encoding="utf-8")
    (tmp_path / "a.meta.json").symlink_to(tmp_path / "..data" / "a.meta.json")
    [(document, _)] = load_sources(tmp_path / "a.txt")
    assert document.title == "A"
