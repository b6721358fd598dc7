"""An index on a Milvus server gives the same values as on disk, and is published in one step."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymilvus import MilvusClient

from ragkit import Document, Encoder
from ragkit.errors import (
    FilterError,
    IndexDamagedError,
    IndexLockedError,
    IndexMismatchError,
    IndexNotFoundError,
    IndexServerError,
    IndexWriteError,
    InputError,
    MissingExtraError,
)
from ragkit.index import Conditions, IndexData, LocalData, Manifest, RetrievalConfig
from ragkit.index.milvus import MilvusData, MilvusLocation, open_data, push, server
from ragkit.index.milvus.encoding import (
    MAX_TEXT,
    BlobKind,
    BrokenBlobError,
    blob_id,
    delta_decode,
    delta_encode,
    join_pieces,
    number_of_pieces,
    pack_arrays,
    split_blob,
    unpack_arrays,
)
from ragkit.index.milvus.head import Head
from ragkit.index.milvus.server import Server, is_too_old
from ragkit.index.token_vectors import TokenLayout
from ragkit.indexing import BuildSettings, builder, is_remote
from ragkit.retrieval import encode_questions, score_chunks
from ragkit.retrieval.query import idf
from ragkit.storage.checksums import seal, unseal
from ragkit.text.words import words_of
from support.milvus_servers import free_port, full_server, lite_server
from support.parts import ROOT

SERVERS = ["file", "server", pytest.param("full", marks=pytest.mark.milvus)]
PLACES = ["disk", *SERVERS]

WORDS = (
    "treaty river bread war peace ship tank gold grain coal steel rye flour sea port city king "
    "queen law court trade tax road bridge tower stone wood fire water wind"
).split()


@dataclass(frozen=True)
class Built:
    """An index on disk."""

    path: Path
    data: LocalData
    manifest: Manifest


def built(path: Path, documents: Sequence[Document], encoder: Encoder) -> Built:
    made = builder.build(list(documents), encoder, BuildSettings(), path)
    return Built(path, made.data, Manifest.load(path))


def sentence(rng: random.Random) -> str:
    return f"{' '.join(rng.choices(WORDS, k=rng.randint(2, 9))).capitalize()} {rng.randint(0, 99)}."


def corpus() -> list[Document]:
    """800 chunks: documents of every size, with metadata of every kind, one that is over 64 KiB."""
    rng = random.Random(0)
    tags: list[Any] = [
        "law",
        ["law", "sea"],
        ["sea"],
        [],
        True,
        1,
        1.0,
        0.5,
        "1",
        "True",
        "qu\"o'te\\",
    ]
    found = [
        Document(
            f"document-{number}", f"{rng.choice(WORDS).title()} {number % 7}",
            "\n\n".join(" ".join(sentence(rng) for _ in range(3)) for _ in range(rng.randint(1, 6))),
            url=f"https://example.org/{number}" if number % 3 else None,
            metadata={} if number % 5 == 0 else {"tag": rng.choice(tags), "year": 1900 + number},
        )
        for number in range(100)
    ]  # fmt: skip
    noise = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=120_000))
    found.append(Document("long", "Long", f"A word. Another.\n\n{noise[:40]}.", pages=(0, 5)))
    found.append(
        Document("large", "Large", "Small text.", metadata={"noise": noise, 'a "name"': "x\ny"})
    )
    found.append(Document("straße", "Köln 🇩🇪", "= Köln =\n\nשלום из Берлина. Ko\u0308ln am Rhein."))
    return found


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, tiny: Encoder) -> Built:
    return built(tmp_path_factory.mktemp("reference") / "index", corpus(), tiny)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, tiny: Encoder) -> Callable[[str], Built]:
    """Return a function that builds an index of one document from its text."""
    folder = tmp_path_factory.mktemp("small")

    def make(text: str) -> Built:
        path = folder / f"index-{len(list(folder.iterdir()))}"
        return built(path, [Document("only", "Only", text)], tiny)

    return make


Places = Callable[[str, str], MilvusLocation]


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """Return a function that gives a location on a kind of server, started when it is first used."""
    addresses: dict[str, str] = {}
    with ExitStack() as stack:

        def place(kind: str, name: str) -> MilvusLocation:
            folder = tmp_path_factory.getbasetemp() / f"milvus-{kind}"
            if kind == "file":
                return MilvusLocation.parse(f"milvus://{folder}-{name}.db#{name}")
            if kind not in addresses:
                start = lite_server if kind == "server" else full_server
                addresses[kind] = stack.enter_context(start(folder))
            return MilvusLocation.parse(f"milvus://{addresses[kind]}/{name}")

        yield place


@pytest.fixture(scope="session", params=PLACES)
def stored(request: pytest.FixtureRequest, places: Places, reference: Built) -> Iterator[IndexData]:
    """The reference, stored in another place."""
    if request.param == "disk":
        yield builder.open_index(reference.path).data
        return
    location = places(request.param, "reference")
    push(reference.data, reference.manifest, location)
    opened = open_data(location)
    assert opened.manifest == reference.manifest
    yield opened.data
    opened.data.close()


@pytest.fixture(params=SERVERS)
def location(request: pytest.FixtureRequest, places: Places) -> MilvusLocation:
    """A location that no other test uses."""
    return places(request.param, f"own{abs(hash(request.node.name))}")


def unit(rng: np.random.Generator, dimension: int) -> Any:
    vector = rng.standard_normal(dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


def some(data: IndexData, number: int, seed: int = 0) -> Any:
    return np.sort(np.random.default_rng(seed).choice(len(data), number, replace=False))


def stem_weights(text: str) -> dict[str, float]:
    rng = random.Random(text)
    return {word.stem: rng.random() for word in words_of(text)}


def assert_equal(found: Any, expected: Any) -> None:
    """Assert that two dataclasses of arrays are equal to the bit, types included."""
    if isinstance(expected, TokenLayout):
        np.testing.assert_array_equal(found.sentences, expected.sentences)
        np.testing.assert_array_equal(found.first_run, expected.first_run)
        return
    for name in (field.name for field in fields(expected)):
        one, other = getattr(found, name), getattr(expected, name)
        if isinstance(other, np.ndarray):
            assert one.dtype == other.dtype, name
            np.testing.assert_array_equal(one, other, err_msg=name)
        elif isinstance(other, TokenLayout):
            assert_equal(one, other)
        else:
            assert one == other, name


def assert_same_nearest(found: tuple[Any, Any], expected: tuple[Any, Any]) -> None:
    """Assert equal cosines in equal order, of equal chunks except for ties with the last."""
    np.testing.assert_allclose(found[1], expected[1], atol=1e-6)
    one, other = (
        dict(zip(chunks.tolist(), cosines.tolist(), strict=True)) for chunks, cosines in (found, expected)
    )  # fmt: skip
    for chunk in one.keys() & other.keys():
        assert one[chunk] == pytest.approx(other[chunk], abs=1e-6)
    for chunk in one.keys() ^ other.keys():
        assert {**one, **other}[chunk] == pytest.approx(expected[1][-1], abs=1e-6)


# All values are the same wherever the index is stored.


def test_sizes_and_the_title_are_the_same(stored: IndexData, reference: Built) -> None:
    assert len(stored) == len(reference.data) > 600
    assert dict(stored.counts) == dict(reference.data.counts)
    assert stored.title_of() is None
    first = reference.data.documents[0]
    for conditions in (Conditions.of({"id": first.id}), Conditions.of({"id": "nobody"})):
        assert stored.title_of(conditions) == reference.data.title_of(conditions)
    assert stored.title_of(Conditions.of({"id": first.id})) == first.title


def test_every_chunk_has_its_place_and_text(stored: IndexData, reference: Built) -> None:
    for number in range(len(stored)):
        assert stored.chunks([number])[0] == reference.data.chunks([number])[0]
        assert stored.texts([number])[0] == reference.data.texts([number])[0]


def test_documents_are_the_same_one_by_one_by_slice_and_by_id(
    stored: IndexData, reference: Built
) -> None:
    expected = list(reference.data.documents)
    assert len(stored.documents) == len(expected)
    assert list(stored.documents) == expected
    assert list(stored.documents[3:90:7]) == expected[3:90:7]
    assert stored.documents[-1] == expected[-1]
    for document in expected:
        assert stored.document(document.id) == document
    for unknown in ("", "document-", "document-000", "zzz", "straßf"):
        with pytest.raises(KeyError):
            stored.document(unknown)
    with pytest.raises(IndexError):
        stored.documents[len(expected)]


def test_the_nearest_chunks_and_their_cosines_are_the_same_at_every_depth(
    stored: IndexData, reference: Built
) -> None:
    rng = np.random.default_rng(0)
    for depth in (1, 10, 512, len(stored), 20_000):
        vector = unit(rng, reference.manifest.dimension)
        assert_same_nearest(stored.nearest(vector, depth), reference.data.nearest(vector, depth))


def test_cosines_are_the_same_to_the_bit(stored: IndexData, reference: Built) -> None:
    vector = unit(np.random.default_rng(1), reference.manifest.dimension)
    for number in (0, 1, 300):
        chunks = some(stored, number)
        expected = reference.data.cosines(vector, chunks)
        np.testing.assert_array_equal(stored.cosines(vector, chunks), expected)


def test_words_have_the_same_frequencies_and_chunks(stored: IndexData, reference: Built) -> None:
    stems = [*dict(reference.data.stems()), "nonesuch", "", "zzzz", "\U0010ffff"]
    frequencies = stored.frequencies(stems)
    assert frequencies == reference.data.frequencies(stems)
    assert [idf(n, len(stored)) for n in frequencies] == [
        idf(reference.data.frequencies([stem])[0], len(reference.data)) for stem in stems
    ]
    rng = random.Random(1)
    for depth in (1, 20, 256, 5_000):
        weights = stem_weights(f"{sentence(rng)} {sentence(rng)} nonesuch Köln")
        expected = reference.data.with_stems(weights, depth)
        np.testing.assert_array_equal(stored.with_stems(weights, depth), expected)
        chunks = some(stored, 200)
        covered = reference.data.coverage(weights, chunks)
        np.testing.assert_array_equal(stored.coverage(weights, chunks), covered)
    assert len(stored.with_stems({"nonesuch": 1.0}, 9)) == len(stored.with_stems({}, 9)) == 0


def test_centroids_and_tokens_are_the_same_to_the_bit(stored: IndexData, reference: Built) -> None:
    for number in (0, 1, 24, 600, len(stored)):
        chunks = some(stored, number)
        assert_equal(stored.centroid_ids(chunks), reference.data.centroid_ids(chunks))
        assert_equal(stored.token_vectors(chunks), reference.data.token_vectors(chunks))


def test_questions_find_the_same_chunks_with_the_same_scores(
    stored: IndexData, reference: Built, tiny: Encoder
) -> None:
    rng = random.Random(2)
    questions = [sentence(rng) for _ in range(100)]
    found, expected = (
        [
            score_chunks(data, query, 5)
            for query in encode_questions(data, tiny, questions, RetrievalConfig())
        ]
        for data in (stored, reference.data)
    )
    agreeing = sum(a[0].chunk == b[0].chunk for a, b in zip(found, expected, strict=True))
    assert agreeing >= 99
    for ours, theirs in zip(found, expected, strict=True):
        if [one.chunk for one in ours] == [one.chunk for one in theirs]:
            np.testing.assert_allclose(
                [one.score for one in ours], [one.score for one in theirs], atol=1e-5
            )


PROPERTIES = st.sampled_from(["tag", "year", "id", "title", "url", 'a "name"'])
TEXTS = st.sampled_from(
    ["law", "sea", "1", "True", "qu\"o'te\\", "document-3", "x\ny", "Sea 3", ""]
)
NUMBERS = st.one_of(st.integers(1890, 2010), st.sampled_from([0, 1, 1.0, 0.5, -1.5, 1950.5]))
VALUES = st.one_of(TEXTS, NUMBERS, st.booleans())
WITHIN = st.one_of(
    st.builds(lambda ends: {"min": min(ends), "max": max(ends)}, st.tuples(TEXTS, TEXTS)),
    st.builds(lambda ends: {"min": min(ends), "max": max(ends)}, st.tuples(NUMBERS, NUMBERS)),
    st.builds(lambda end, value: {end: value}, st.sampled_from(["min", "max"]), TEXTS | NUMBERS),
)
WHERE = st.dictionaries(
    PROPERTIES, VALUES | st.lists(VALUES, max_size=4) | WITHIN, min_size=1, max_size=2
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(WHERE, st.integers(0, 99), st.sampled_from([1, 7, 900]))
def test_conditions_allow_the_same_chunks(
    stored: IndexData, reference: Built, where: Any, seed: int, depth: int
) -> None:
    conditions = Conditions.of(where)
    allowed, expected = stored.allowed(conditions), reference.data.allowed(conditions)
    vector = unit(np.random.default_rng(seed), reference.manifest.dimension)
    assert_same_nearest(
        stored.nearest(vector, depth, allowed), reference.data.nearest(vector, depth, expected)
    )
    weights = stem_weights("Treaty of the sea 7")
    np.testing.assert_array_equal(
        stored.with_stems(weights, depth, allowed),
        reference.data.with_stems(weights, depth, expected),
    )


def test_a_condition_on_a_property_that_no_document_has_is_refused(stored: IndexData) -> None:
    with pytest.raises(FilterError, match=r"'colour'.*tag"):
        stored.allowed(Conditions.of({"colour": "red"}))


@pytest.mark.parametrize("kind", SERVERS)
def test_a_depth_beyond_one_search_is_split_into_several(
    kind: str, places: Places, reference: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = places(kind, "several")
    push(reference.data, reference.manifest, location)
    monkeypatch.setattr(server, "_MAX_HITS", 100)
    _, data = open_data(location)
    vector = unit(np.random.default_rng(3), reference.manifest.dimension)
    conditions = Conditions.of({"tag": ["law", "sea"]})
    for depth in (101, 512, len(data)):
        assert_same_nearest(data.nearest(vector, depth), reference.data.nearest(vector, depth))
        assert_same_nearest(
            data.nearest(vector, depth, data.allowed(conditions)),
            reference.data.nearest(vector, depth, reference.data.allowed(conditions)),
        )
    data.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_the_graph_of_a_large_index_finds_nearly_all_nearest_chunks(
    kind: str, places: Places, reference: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_EXACT", 100)
    location = places(kind, "large")
    push(reference.data, reference.manifest, location)
    _, data = open_data(location)
    rng = np.random.default_rng(4)
    shares = []
    for _ in range(20):
        vector = unit(rng, reference.manifest.dimension)
        chunks, cosines = data.nearest(vector, 10)
        np.testing.assert_allclose(cosines, reference.data.cosines(vector, chunks), atol=1e-6)
        shares.append(np.isin(reference.data.nearest(vector, 10)[0], chunks).mean())
    assert np.mean(shares) >= 0.98
    data.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_an_empty_index_can_be_pushed_and_queried(
    kind: str, places: Places, tmp_path: Path, tiny: Encoder
) -> None:
    nothing = built(tmp_path / "index", [], tiny)
    location = places(kind, "nothing")
    push(nothing.data, nothing.manifest, location)
    _, data = open_data(location)
    assert (len(data), list(data.documents), data.title_of()) == (0, [], None)
    vector = unit(np.random.default_rng(0), nothing.manifest.dimension)
    assert len(data.nearest(vector, 5)[0]) == 0
    assert len(data.nearest(vector, 5, data.allowed(Conditions.of({"colour": "red"})))[0]) == 0
    data.close()


def test_properties_of_many_documents_are_split_into_blobs(
    places: Places, tmp_path: Path, tiny: Encoder
) -> None:
    documents = [
        Document(f"d{n:04}", "T", "One." if n % 2000 == 7 else "= One =", metadata={"n": n} if n > 4100 else {})
        for n in range(4200)
    ]  # fmt: skip
    many = built(tmp_path / "index", documents, tiny)
    location = places("file", "many")
    push(many.data, many.manifest, location)
    _, data = open_data(location)
    assert data.document("d4107") == documents[4107]
    for where in ({"n": 4107}, {"n": {"min": 4101}}, {"id": ["d0007", "d4007"]}, {"n": "4107"}):
        conditions = Conditions.of(where)
        np.testing.assert_array_equal(
            data.allowed(conditions).chunks, many.data.allowed(conditions).chunks
        )
    data.close()


# What is published is whole.


def top(data: IndexData) -> str:
    """Return the text of the chunk nearest to a fixed vector."""
    chunks, _ = data.nearest(np.full(16, 0.25, dtype=np.float32), 1)
    return data.texts([int(chunks[0])])[0]


def collections(location: MilvusLocation) -> set[str]:
    with_client = MilvusClient(uri=location.uri)
    names = set(with_client.list_collections())
    with_client.close()
    return {name for name in names if name.startswith(f"{location.name}__")}


def test_a_new_generation_is_seen_without_reopening_and_the_old_one_stays_for_its_readers(
    location: MilvusLocation, small: Callable[[str], Built]
) -> None:
    first, second, third = (small(f"Text number {word}.") for word in ("one", "two", "three"))
    push(first.data, first.manifest, location)
    _, old = open_data(location)
    assert old.newest() == old.generation
    named = push(second.data, second.manifest, location)
    assert old.newest() == named != old.generation
    assert top(old) == "Text number one."
    manifest, new = open_data(location)
    assert (top(new), manifest, new.generation) == ("Text number two.", second.manifest, named)
    push(third.data, third.manifest, location)
    assert top(new) == "Text number two."
    with pytest.raises(IndexNotFoundError, match="Open it anew"):
        top(old)
    assert len(collections(location)) == 4
    for data in (old, new):
        data.close()


def test_readers_in_flight_see_one_generation_or_the_other(
    location: MilvusLocation, small: Callable[[str], Built]
) -> None:
    texts = {f"Text number {word}." for word in ("one", "two")}
    first, second = (small(text) for text in sorted(texts))
    before = push(first.data, first.manifest, location)
    seen: list[tuple[str, str, str]] = []
    errors: list[Exception] = []
    stop = threading.Event()

    def read() -> None:
        data = open_data(location).data
        try:
            while not stop.is_set():
                if data.newest() != data.generation:
                    data.close()
                    data = open_data(location).data
                fresh = open_data(location, cache_size=0).data
                seen.append((top(fresh), fresh.documents[0].text, fresh.generation))
                fresh.close()
        except Exception as error:
            errors.append(error)
        finally:
            data.close()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    named = push(second.data, second.manifest, location)
    stop.set()
    for reader in readers:
        reader.join()
    assert not errors
    assert {one for one, _, _ in seen} <= texts
    assert all(one == other for one, other, _ in seen)
    assert {generation for *_, generation in seen} <= {before, named}
    _, data = open_data(location)
    assert data.generation == named
    data.close()


class StoppedError(Exception):
    """Raised by a test to interrupt a push."""


def test_an_interrupted_push_leaves_the_published_index_and_nothing_else(
    location: MilvusLocation, small: Callable[[str], Built]
) -> None:
    first, second = small("Text number one."), small("Text number two.")
    push(first.data, first.manifest, location)
    before = collections(location)

    def stop(*_: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        push(second.data, second.manifest, location, progress=stop)
    assert collections(location) == before
    _, data = open_data(location)
    assert top(data) == "Text number one."
    data.close()


PUSHING = """
import os, sys
from pathlib import Path
from ragkit.index import Manifest
from ragkit.indexing import builder
from ragkit.index.milvus import MilvusLocation, push
path, die = Path(sys.argv[1]), sys.argv[3] == "die"
data, manifest = builder.open_index(path).data, Manifest.load(path)
push(data, manifest, MilvusLocation.parse(sys.argv[2]), progress=lambda *_: die and os._exit(9))
"""

ASKING = """
import sys
import numpy as np
from ragkit.index.milvus import MilvusLocation, open_data
_, data = open_data(MilvusLocation.parse(sys.argv[1]))
for line in sys.stdin:
    [chunk], _ = data.nearest(np.full(16, int(line) / 4, dtype=np.float32), 1)
    print(chunk, data.texts([int(chunk)])[0], flush=True)
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, cwd=ROOT, timeout=180, check=False,
    )  # fmt: skip


def test_the_next_push_removes_what_a_killed_push_left(
    location: MilvusLocation, small: Callable[[str], Built]
) -> None:
    first, second = small("Text number one."), small("Text number two.")
    for one, how, status in ((first, "live", 0), (second, "die", 9)):
        done = run(PUSHING, str(one.path), str(location), how)
        assert done.returncode == status, done.stderr
    assert len(collections(location)) == 4
    _, data = open_data(location)
    assert top(data) == "Text number one."
    data.close()
    push(second.data, second.manifest, location)
    push(first.data, first.manifest, location)
    assert len(collections(location)) == 4
    _, data = open_data(location)
    assert top(data) == "Text number one."
    data.close()


@pytest.mark.parametrize("kind", SERVERS[1:])
def test_processes_that_share_a_server_get_equal_results(
    kind: str, places: Places, reference: Built
) -> None:
    location = places(kind, "shared")
    push(reference.data, reference.manifest, location)
    lines = "1\n2\n-3\n"
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", ASKING, str(location)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for _ in range(2)
    ]  # fmt: skip
    one, other = (process.communicate(lines, timeout=120)[0] for process in asking)
    assert one == other
    for line, printed in zip(lines.split(), one.splitlines(), strict=True):
        number, text = printed.split(" ", 1)
        query = np.full(16, int(line) / 4, dtype=np.float32)
        _, [best] = reference.data.nearest(query, 1)
        # Of chunks that are equally near but for the last digits, processors differ in the first.
        [cosine] = reference.data.cosines(query, np.asarray([int(number)]))
        assert cosine == pytest.approx(best, abs=1e-5)
        assert text == reference.data.texts([int(number)])[0]


# Damaged and missing rows are detected.


def altered(location: MilvusLocation, kind: BlobKind, change: Callable[[str], str]) -> None:
    """Change the first piece of the first blob of a kind without ragkit."""
    client = MilvusClient(uri=location.uri)
    [name] = [name for name in collections(location) if name.endswith("_blobs")]
    key = blob_id(kind, 0)
    found = client.query(name, f"id == {key}", output_fields=["text"], consistency_level="Strong")
    row = {"id": key, "text": change(found[0]["text"]), "nothing": [0.0, 0.0]}
    client.upsert(name, [row])
    client.flush(name)
    assert client.query(name, f"id == {key}", output_fields=["id"], consistency_level="Strong")
    client.close()


def flipped(text: str) -> str:
    return text[:18] + ("A" if text[18] != "A" else "B") + text[19:]


FETCHES: dict[BlobKind, Callable[[MilvusData], object]] = {
    BlobKind.ROW: lambda data: data.chunks([0])[0],
    BlobKind.TOKENS: lambda data: data.token_vectors(np.arange(1)),
    BlobKind.DOCUMENT: lambda data: data.documents[0],
    BlobKind.STEMS: lambda data: data.frequencies(["text"]),
    BlobKind.IDS: lambda data: data.document("only"),
    BlobKind.COLUMNS: lambda data: data.allowed(Conditions.of({"id": "only"})),
}


def test_a_row_that_was_altered_is_an_error_that_names_it(
    location: MilvusLocation, small: Callable[[str], Built]
) -> None:
    one = small("Text number one.")
    push(one.data, one.manifest, location)
    for kind in FETCHES:
        altered(location, kind, flipped)
    _, data = open_data(location)
    for kind, read in FETCHES.items():
        with pytest.raises(IndexDamagedError, match=f"{kind.name.lower()} 0: its checksum"):
            read(data)
    data.close()
    altered(location, BlobKind.TABLE, lambda text: text[:28])
    with pytest.raises(IndexDamagedError, match=r"table 0: its checksum does not match\. Push"):
        open_data(location)


def test_a_missing_row_is_an_error_when_opening_and_when_fetching(
    location: MilvusLocation, small: Callable[[str], Built]
) -> None:
    one = small("Text number one.")
    push(one.data, one.manifest, location)
    _, data = open_data(location)
    client = MilvusClient(uri=location.uri)
    [name] = [name for name in collections(location) if name.endswith("_blobs")]
    client.delete(name, ids=[blob_id(BlobKind.TOKENS, 0)])
    client.flush(name)
    assert not client.query(
        name,
        f"id == {blob_id(BlobKind.TOKENS, 0)}",
        output_fields=["id"],
        consistency_level="Strong",
    )
    client.close()
    with pytest.raises(IndexDamagedError, match="tokens 0: it is missing"):
        data.texts([0])[0]
    data.close()
    with pytest.raises(IndexDamagedError, match=r"_blobs has .* rows; expected"):
        open_data(location)


def test_a_head_of_another_format_says_so(
    small: Callable[[str], Built],
) -> None:
    manifest = small("Text.").manifest
    location = MilvusLocation.parse("milvus://localhost/name")
    head = Head(manifest, 3, None, {}, None)
    assert Head.from_bytes(head.to_bytes(), location) == head
    content = unseal(head.to_bytes())
    with pytest.raises(IndexMismatchError, match=r"format 9.*reads.*format 1.*Push"):
        Head.from_bytes(seal({**content, "format": 9}), location)
    old = {**content["manifest"], "format": 0}
    with pytest.raises(IndexMismatchError, match="of an index of format 0"):
        Head.from_bytes(seal({**content, "manifest": old}), location)
    with pytest.raises(IndexDamagedError, match="milvus://localhost:19530/name"):
        Head.from_bytes(head.to_bytes()[:-9], location)


@pytest.mark.parametrize("kind", SERVERS)
def test_no_index_of_that_name_says_how_to_push_one(kind: str, places: Places) -> None:
    location = places(kind, "nonesuch")
    with pytest.raises(IndexNotFoundError, match=r"`ragkit index push INDEX '?milvus://"):
        open_data(location)
    assert not location.is_file or not Path(location.uri).exists()


@pytest.mark.parametrize("kind", SERVERS)
def test_a_name_that_another_program_uses_is_left_alone(
    kind: str, places: Places, small: Callable[[str], Built]
) -> None:
    location = places(kind, "foreign")
    client = MilvusClient(uri=location.uri)
    client.create_collection("somebody", dimension=2)
    client.create_alias("somebody", location.name)
    one = small("Text.")
    with pytest.raises(IndexWriteError, match="'somebody', which is not an index of ragkit"):
        push(one.data, one.manifest, location)
    with pytest.raises(IndexDamagedError, match="Choose another name"):
        open_data(location)
    assert client.has_collection("somebody")
    client.close()


def test_the_error_for_a_missing_server_names_its_address(
    capfd: pytest.CaptureFixture[str],
) -> None:
    port = free_port()
    location = MilvusLocation.parse(f"milvus://ann:geheim@127.0.0.1:{port}/name")
    with pytest.raises(IndexServerError, match=f"127.0.0.1:{port}.*connecting") as caught:
        open_data(location, timeout=2)
    assert "geheim" not in f"{caught.value} {location} {location!r}"
    assert "Traceback" not in capfd.readouterr().err


def test_a_server_that_does_not_answer_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        location = MilvusLocation.parse(f"milvus://127.0.0.1:{silent.getsockname()[1]}/name")
        with pytest.raises(IndexServerError):
            open_data(location, timeout=1)


def test_a_server_that_stopped_is_an_error_at_the_next_call(
    tmp_path: Path, small: Callable[[str], Built], capfd: pytest.CaptureFixture[str]
) -> None:
    one = small("Text number one.")
    with lite_server(tmp_path / "data") as address:
        location = MilvusLocation.parse(f"milvus://{address}/name")
        push(one.data, one.manifest, location)
        data = open_data(location, timeout=2).data
        assert top(data) == "Text number one."
    with pytest.raises(IndexServerError, match=address):
        top(data)
    with pytest.raises(IndexServerError, match=address):
        data.newest()
    data.close()
    with pytest.raises(IndexServerError):
        data.newest()
    assert "Traceback" not in capfd.readouterr().err


def test_the_error_for_a_file_open_elsewhere_says_what_to_do(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with lite_server(tmp_path / "store.db"):
        location = MilvusLocation.parse(f"milvus://{tmp_path / 'store.db'}#name")
        with pytest.raises(IndexLockedError, match="milvus-lite server --data-dir"):
            open_data(location)
    assert "Traceback" not in capfd.readouterr().err


def test_a_missing_folder_is_an_error_that_names_the_file(
    tmp_path: Path, small: Callable[[str], Built]
) -> None:
    location = MilvusLocation.parse(f"milvus://{tmp_path / 'no' / 'store.db'}#name")
    one = small("Text.")
    with pytest.raises(IndexServerError, match=r"no/store\.db"):
        push(one.data, one.manifest, location)


def test_without_the_client_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'ragkit-cited\[milvus\]'"):
        Server(MilvusLocation.parse("milvus://localhost/name"))


def test_servers_before_2_3_are_too_old() -> None:
    assert is_too_old("v2.2.16")
    assert not any(
        map(is_too_old, ["v2.3.5-lite", "2.6.1", "v10.0", "milvus_lite-3.2.2", "nightly"])
    )


# Bytes as texts.

KINDS = st.sampled_from(list(BlobKind))
NUMBER = st.integers(0, (1 << 40) - 1)


@given(KINDS, NUMBER, st.binary(max_size=200), st.integers(0, 150_000))
def test_a_blob_is_split_into_pieces_that_fit_and_joined_again(
    kind: BlobKind, number: int, end: bytes, size: int
) -> None:
    content = bytes(size) + end
    keys, texts = zip(*split_blob(kind, number, content), strict=True)
    assert list(keys) == [blob_id(kind, number, i) for i in range(len(keys))]
    assert max(map(len, texts)) <= MAX_TEXT
    assert 0 <= min(keys) <= max(keys) < 1 << 63
    assert number_of_pieces(texts[0]) == len(texts)
    assert join_pieces(kind, number, texts) == content


@given(st.binary(max_size=60), st.data())
def test_an_altered_or_moved_blob_is_detected(content: bytes, data: st.DataObject) -> None:
    [(_, text)] = split_blob(BlobKind.ROW, 7, content)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("AB+/=\x00é") | st.just(""))
    touched = text[:place] + other + text[place + 1 :]
    for changed in (touched, text[:place], text + "AAAA", ""):
        with suppress(BrokenBlobError):
            assert join_pieces(BlobKind.ROW, 7, [changed]) == content
    for kind, number in ((BlobKind.ROW, 8), (BlobKind.TOKENS, 7)):
        with pytest.raises(BrokenBlobError, match="checksum"):
            join_pieces(kind, number, [text])


@given(st.sets(st.integers(0, 2**31 - 1)))
def test_delta_encoding_is_decoded_to_the_same_numbers(numbers: set[int]) -> None:
    ascending = np.asarray(sorted(numbers), dtype=np.int32)
    [read] = unpack_arrays(pack_arrays(delta_encode(ascending)))
    np.testing.assert_array_equal(delta_decode(read), ascending)
    assert delta_decode(read).dtype == np.int32


def test_arrays_of_every_type_are_unpacked_as_they_were_packed() -> None:
    arrays = [
        np.arange(n, dtype=kind)
        for n, kind in enumerate(
            (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64, np.float32)
        )
    ]
    for found, expected in zip(unpack_arrays(pack_arrays(*arrays)), arrays, strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    assert unpack_arrays(pack_arrays()) == []


# Where an index lies, as people write it.

NAMES = st.from_regex(r"[A-Za-z](_?[A-Za-z0-9]){0,40}", fullmatch=True)
HOSTS = st.sampled_from(["localhost", "127.0.0.1", "example.org", "[::1]", "my-host.internal"])
SECRETS = st.text(st.characters(codec="utf-8", exclude_characters=":"), min_size=1, max_size=9)


@given(
    st.sampled_from(["milvus", "milvus+https"]),
    st.tuples(HOSTS, st.integers(1, 65_535)),
    st.tuples(NAMES, NAMES),
    st.tuples(SECRETS, SECRETS),
)
def test_a_location_on_a_server_is_parsed_and_printed(
    scheme: str, at: tuple[str, int], names: tuple[str, str], login: tuple[str, str]
) -> None:
    address, (name, database) = f"{at[0]}:{at[1]}", names
    user, password = (quote(secret, safe="") for secret in login)
    location = MilvusLocation.parse(
        f"{scheme}://{user}:{password}@{address}/{name}?database={database}"
    )
    assert location.uri == f"{'https' if scheme == 'milvus+https' else 'http'}://{address}"
    assert location.token == ":".join(login)
    assert (location.name, location.database, location.is_file) == (name, database, False)
    again = MilvusLocation.parse(str(location))
    assert again == replace(location, token="")
    assert is_remote(str(location))


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30), NAMES
)
def test_a_location_in_a_file_is_parsed_and_printed(path: str, name: str) -> None:
    location = MilvusLocation(f"/{path}.db", name)
    assert location.is_file
    assert MilvusLocation.parse(str(location)) == location


def test_parts_of_a_location_have_defaults() -> None:
    location = MilvusLocation.parse("milvus://localhost/handbook")
    assert location == MilvusLocation("http://localhost:19530", "handbook")
    key = MilvusLocation.parse("milvus+https://:KEY@example.org/handbook")
    assert (key.uri, key.token) == ("https://example.org:19530", "KEY")


@pytest.mark.parametrize("text", [
    "", "handbook", "/srv/store.db", "http://localhost/name", "milvus:", "milvus://", "milvus://localhost",
    "milvus://localhost/", "milvus://localhost/a/b", "milvus://localhost/1st", "milvus://localhost/a__b",
    "milvus://localhost/a_", "milvus://localhost/a-b", "milvus://localhost:x/a", "milvus://localhost:99999/a",
    "milvus://ho st/a", "milvus://localhost/a?db=x", "milvus://localhost/a?database=x&database=y",
    "milvus://localhost/a#b", "milvus:store.db#a", "milvus:///srv/store#a", "milvus:///srv/store.db",
    "milvus+https:///srv/store.db#a", "milvus:///srv/store.db?database=x#a", f"milvus://localhost/{'a' * 101}",
])  # fmt: skip
def test_a_malformed_location_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(InputError, match="expected"):
        MilvusLocation.parse(text)


@given(st.text(max_size=60).map(lambda end: f"milvus://{end}"))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(InputError):
        assert MilvusLocation.parse(str(MilvusLocation.parse(text))).name


def test_a_path_is_no_location() -> None:
    for path in ("indexes/seed", "/srv/milvus", "C:\\milvus", "milvus"):
        assert not is_remote(path)
    for text in ("indexes/seed", "/srv/milvus", "C:\\milvus", "milvus", "https://example.org/x"):
        with pytest.raises(InputError, match="its scheme is"):
            MilvusLocation.parse(text)
