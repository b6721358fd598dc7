"""Indexes of many passages: searched in lists, coded in few bits, proved as they are read.

What is large is made small here, so that a few dozen passages go the ways of a million.
"""

from __future__ import annotations

import json
import mmap
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ragkit import Answer, Document, Encoder, Index, InputError, StoreError, load_encoder
from ragkit.cli import cli
from ragkit.errors import IndexDamagedError
from ragkit.index import documents as documents_module
from ragkit.index import parse_memory
from ragkit.index import publish as store
from ragkit.index import vectors as layout_module
from ragkit.index.config import DEFAULT_MEMORY
from ragkit.index.token_quantizer import TokenQuantizer
from ragkit.index.vectors import VectorIndex, choose_layout
from ragkit.storage import checksums
from ragkit.storage.arrays import Table, take_runs
from ragkit.storage.checksums import block_digests
from ragkit.storage.mapped import Residency, map_file
from ragkit.storage.tables import FolderTables, MemoryTables
from support.corpora import assert_same
from support.parts import manifest_of

QUESTION = "Which river flows by seven towns?"


@pytest.fixture(scope="module")
def int8(tiny_model: Path) -> Encoder:
    return load_encoder(str(tiny_model), runtime="int8")


@pytest.fixture(name="large", params=[(30, 40), (30, 30)], ids=["4 bits", "2 bits"])
def _large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty passages are many, and every file is large."""
    eight, four = request.param
    monkeypatch.setattr(layout_module, "_EXACT", 30)
    monkeypatch.setattr(layout_module, "_EIGHT_BITS", eight)
    monkeypatch.setattr(layout_module, "_FOUR_BITS", four)
    monkeypatch.setattr(checksums, "LARGE", 0)
    monkeypatch.setattr(checksums, "BLOCK", 64)


def rivers(number: int) -> list[Document]:
    names = "Aare Oder Rhine Spree Volga Weser Elbe Isar Lech Main".split()
    return [
        Document(
            f"d{i}", f"River {names[i % 10]} {i}",
            f"The river {names[i % 10]} flows by {i} towns. It is {3 * i} km long.\n\n"
            f"== Mouth ==\n\nIt ends in the {names[(i + 3) % 10]}. Ships sail it since {1800 + i}.",
            metadata={"number": i},
        )
        for i in range(number)
    ]  # fmt: skip


def told_or_asked(path: Path, encoder: Encoder) -> Answer | StoreError:
    try:
        return Index.open(path, encoder=encoder).ask(QUESTION, threshold=0)
    except StoreError as error:
        return error


def unit(seed: int, n: int, d: int) -> np.ndarray:
    return normed(np.random.default_rng(seed).normal(size=(n, d)))


def normed(vectors: np.ndarray) -> np.ndarray:
    found: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found.astype(np.float32)


# The layout.


@pytest.mark.usefixtures("large")
def test_the_layout_follows_from_size_and_memory_and_stands_in_the_manifest(
    tmp_path: Path, int8: Encoder
) -> None:
    built = Index.build(rivers(20), tmp_path / "i", encoder=int8)
    manifest = manifest_of(tmp_path / "i")
    dense: Any = manifest["dense"]
    assert dense["faiss"].startswith("IVF")
    assert dense["recall"] >= 0.98
    assert dense["sample"] == len(built) // 4
    assert dense["probes"] >= 1
    tokens: Any = manifest["tokens"]
    assert tokens["bits"] in (2, 4)
    assert manifest["memory"] is None


@pytest.mark.parametrize(
    ("chunks", "memory", "faiss", "bits"),
    [
        (100, None, "Flat", 8),
        (25_001, None, "IVF632,SQ8", 8),
        (100_000, None, "IVF1265,SQ8", 4),
        (1_000_000, None, "IVF4000,SQ8", 2),
        (1_000_000, 400 << 20, "IVF4000,RaBitQ", 2),
        (40_000_000, None, "IVF25298,RaBitQ", 2),
    ],
)
def test_what_is_chosen_for_384_dimensions(
    chunks: int, memory: int | None, faiss: str, bits: int
) -> None:
    if chunks == 40_000_000:
        memory = 8 << 30
    chosen = choose_layout(chunks, 384, memory)
    assert (chosen.faiss, chosen.token_bits) == (faiss, bits)


def test_a_budget_that_nothing_keeps_to_is_refused_with_the_least_that_would_do() -> None:
    with pytest.raises(
        InputError, match=r"budget of 100 MiB is too small for 1,000,000 .* least 1"
    ):
        choose_layout(1_000_000, 384, 100 << 20)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GiB", 2 << 30), ("500 MB", 500_000_000), ("1.5gib", 3 << 29), ("1000000", 1_000_000)],
)
def test_a_budget_is_written_as_people_do(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "lots", "-1GiB", "2 GiBB", "1e9"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected a size such as 2GiB"):
        parse_memory(text)


def test_the_command_takes_a_budget(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "a.txt").write_text("Bread is made of flour.", encoding="utf-8")
    run = ["index", "build", str(tmp_path / "a.txt"), "--out", str(tmp_path / "i")]
    done = CliRunner().invoke(cli, [*run, "--model", str(tiny_model), "--memory", "1GiB"])
    assert done.exit_code == 0, done.output
    assert manifest_of(tmp_path / "i")["memory"] == 1 << 30
    assert "1,024 MiB" in CliRunner().invoke(cli, ["index", "info", str(tmp_path / "i")]).output


# Vectors in lists.


@pytest.mark.parametrize("memory", [DEFAULT_MEMORY, 3 << 20], ids=["SQ8", "RaBitQ"])
def test_a_search_in_lists_finds_nearly_what_brute_force_finds_with_its_very_scores(
    memory: int,
) -> None:
    centres = unit(0, 60, 64)
    vectors = normed(centres[np.arange(25_500) % 60] + 0.64 * unit(1, 25_500, 64))
    queries = normed(vectors[:40] + 0.02 * unit(2, 40, 64))
    layout = choose_layout(len(vectors), 64, memory)
    assert ("RaBitQ" in layout.faiss) == (memory != DEFAULT_MEMORY)
    index = VectorIndex.write(MemoryTables(), layout, vectors, queries)
    shares = []
    for query in queries:
        cosines, ids = index.search(query, 10)
        truth = vectors @ query
        np.testing.assert_allclose(cosines, truth[ids], atol=1e-5)
        assert (np.diff(cosines) <= 0).all()
        shares.append(len(np.intersect1d(ids, np.argsort(-truth)[:10])) / 10)
    assert np.mean(shares) >= 0.98
    assert index.settings.recall == pytest.approx(np.mean(shares), abs=0.02)


@pytest.mark.parametrize("few", [5, 20_000])
def test_a_filtered_search_in_lists_finds_only_what_is_allowed(few: int) -> None:
    vectors = unit(3, 26_000, 32)
    layout = choose_layout(len(vectors), 32)
    index = VectorIndex.write(MemoryTables(), layout, vectors, vectors[:20])
    allowed = np.zeros(len(vectors), np.bool_)
    allowed[np.random.default_rng(4).choice(len(vectors), few, replace=False)] = True
    _, ids = index.search(vectors[0], 10, allowed)
    assert allowed[ids].all()
    expected = np.argsort(-np.where(allowed, vectors @ vectors[0], -9))[: min(10, few)]
    assert len(np.intersect1d(ids, expected)) >= 0.9 * len(expected)


# Token vectors in few bits.


@pytest.mark.parametrize(("bits", "cosine"), [(4, 0.99), (2, 0.93)])
def test_a_code_keeps_directions_and_its_products_are_right_on_average(
    bits: int, cosine: float
) -> None:
    vectors = unit(5, 500, 96)
    eight = np.rint(vectors / (np.abs(vectors).max(1) / 127)[:, None]).astype(np.int8)
    scales = (np.abs(vectors).max(1) / 127).astype(np.float32)
    code = TokenQuantizer(bits, 96)
    codes, kept = code.quantize(eight, scales)
    assert codes.shape == (500, 96 * bits // 8)
    back = code.rotate_back(code.decode(codes) * kept[:, None])
    lengths = np.linalg.norm(back, axis=1)
    assert ((back * vectors).sum(1) / lengths).mean() > cosine
    # With its own vector the product is right; with others its error has no direction.
    np.testing.assert_allclose((back * vectors).sum(1), 1, atol=0.02)
    queries = unit(6, 20, 96)
    products = code.products(codes, queries) * kept[:, None]
    by_hand = (code.decode(codes) * kept[:, None]) @ code.rotate(queries).T
    np.testing.assert_allclose(products, by_hand, atol=1e-5)
    error = products - vectors @ queries.T
    assert abs(error.mean()) < 0.002
    assert error.std() < (0.012 if bits == 4 else 0.04)


@given(arrays(np.uint8, (3, 12)), st.sampled_from([2, 4]), st.integers(1, 8))
def test_bytes_are_decoded_as_the_docstring_has_them(
    codes: np.ndarray, bits: int, spare: int
) -> None:
    dimension = 12 * 8 // bits - min(spare, 8 // bits - 1)
    middle = (2**bits - 1) / 2
    expected = [
        [int(f"{byte:08b}"[i : i + bits], 2) - middle for i in range(0, 8, bits) for byte in row]
        for row in codes
    ]
    found = TokenQuantizer(bits, dimension).decode(codes)
    np.testing.assert_allclose(found, np.asarray(expected)[:, :dimension], rtol=1e-6)


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_no_tokens_and_tokens_of_nothing_are_coded_too(bits: int) -> None:
    code = TokenQuantizer(bits, 10)
    codes, scales = code.quantize(np.zeros((0, 10), np.int8), np.zeros(0, np.float32))
    assert codes.shape == (0, code.width)
    codes, scales = code.quantize(np.zeros((2, 10), np.int8), np.ones(2, np.float32))
    assert np.isfinite(code.decode(codes) * scales[:, None]).all()


# Whole indexes.


@pytest.mark.usefixtures("large")
def test_a_large_index_answers_about_as_a_small_one(
    tmp_path: Path, int8: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    Index.build(rivers(20), tmp_path / "i", encoder=int8)
    opened = Index.open(tmp_path / "i", encoder=int8)
    monkeypatch.setattr(layout_module, "_EXACT", 1000)
    monkeypatch.setattr(layout_module, "_EIGHT_BITS", 1000)
    small = Index.build(rivers(20), encoder=int8)
    questions = [f"Which river flows by {i} towns?" for i in range(20)]
    for first, others in ((opened.search(q)[0], small.search(q, k=40)) for q in questions):
        [same] = [p for p in others if first.citation in (p.citation, *p.also)]
        assert first.score == pytest.approx(same.score, abs=0.15)
        assert first.score == pytest.approx(sum(first.signals.values()))
    assert list(opened.documents) == list(small.documents)


@pytest.mark.usefixtures("large")
def test_updates_of_a_large_index_equal_fresh_builds(tmp_path: Path, int8: Encoder) -> None:
    Index.build(rivers(17), tmp_path / "i", encoder=int8)
    for number in (20, 16, 10, 18):  # ten are not many: what was kept of them is not enough
        updated = Index.update(tmp_path / "i", rivers(number), encoder=int8)
        assert_same(updated, Index.build(rivers(number), tmp_path / f"f{number}", encoder=int8))


@pytest.mark.usefixtures("large")
def test_filters_hold_in_a_large_index(tmp_path: Path, int8: Encoder) -> None:
    index = Index.build(rivers(20), tmp_path / "i", encoder=int8)
    found = index.search(QUESTION, k=30, where={"number": {"min": 5, "max": 8}})
    assert {p.citation.document_id for p in found} == {"d5", "d6", "d7", "d8"}


@pytest.mark.usefixtures("large")
def test_no_wrong_answer_comes_of_a_flipped_byte_in_a_large_file(
    tmp_path: Path, int8: Encoder
) -> None:
    path = tmp_path / "i"
    Index.build(rivers(16), path, encoder=int8)
    truth = Index.open(path, encoder=int8).ask(QUESTION, threshold=0)
    rng, told = random.Random(1), 0
    for file in sorted(p for p in path.rglob("*") if p.is_file() and p.name != ".lock"):
        whole = file.read_bytes()
        for position in {0, len(whole) - 1, *rng.sample(range(len(whole)), min(12, len(whole)))}:
            damaged = bytearray(whole)
            damaged[position] ^= 1 << rng.randrange(8)
            file.write_bytes(damaged)
            said = told_or_asked(path, int8)
            assert said == truth or file.name.removesuffix(".sums") in str(said)
            told += said != truth
            done = CliRunner().invoke(cli, ["index", "verify", str(path)])
            assert isinstance(done.exception, StoreError)
            assert file.name.removesuffix(".sums") in str(done.exception)
        file.write_bytes(whole)
    assert told > 100


@pytest.mark.usefixtures("large")
def test_a_large_file_cut_short_is_refused_at_once(tmp_path: Path, int8: Encoder) -> None:
    Index.build(rivers(16), tmp_path / "i", encoder=int8)
    [tokens] = (tmp_path / "i").rglob("tokens.npy")
    tokens.write_bytes(tokens.read_bytes()[:-1])
    with pytest.raises(IndexDamagedError, match=r"tokens\.npy is damaged: found \d+ bytes"):
        Index.open(tmp_path / "i", encoder=int8)


@pytest.mark.usefixtures("large")
def test_questions_find_everything_though_what_is_read_must_go_at_once(
    tmp_path: Path, int8: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "i"
    Index.build(rivers(16), path, encoder=int8)
    truth = Index.open(path, encoder=int8).ask(QUESTION, threshold=0)
    monkeypatch.setattr(store, "DEFAULT_MEMORY", 2)
    assert Index.open(path, encoder=int8).ask(QUESTION, threshold=0) == truth


# Rows.


def taken(rows: Table, key: Any) -> np.ndarray | int:
    """The rows, or the block that is damaged."""
    try:
        found: np.ndarray = take_runs([rows], *key)[0] if isinstance(key, tuple) else rows[key]
        return found
    except KeyError as error:
        return int(error.args[0])


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_mapped_rows_are_the_arrays_and_every_damaged_row_is_told(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    n, width = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 9))
    array = np.arange(n * width, dtype=np.int16).reshape(n, width)
    path = tmp_path_factory.mktemp("rows") / "a.npy"
    np.save(path, array)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checksums, "BLOCK", 32)
        _, sums = block_digests(path)
        whole = path.read_bytes()
        place = data.draw(st.integers(128, len(whole) - 1))
        damaged = bytearray(whole)
        damaged[place] ^= 1
        for content in (whole, bytes(damaged)):
            path.write_bytes(content)
            mapped = map_file(path, Residency(64), sums, KeyError)
            assert mapped.shape == array.shape
            keys: list[Any] = [
                data.draw(st.integers(-n, n - 1)),
                slice(*sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n))))),
                data.draw(arrays(np.int64, st.integers(0, 5), elements=st.integers(0, n - 1))),
            ]
            cuts = np.asarray(sorted(data.draw(st.lists(st.integers(0, n), max_size=6))), np.int64)
            starts, ends = cuts[0 : len(cuts) - 1 : 2], cuts[1::2]
            joined = [array[:0], *(array[a:b] for a, b in zip(starts, ends, strict=False))]
            found = taken(mapped, (starts, ends))
            assert found == place // 32 if isinstance(found, int) else True
            if not isinstance(found, int):
                np.testing.assert_array_equal(found, np.concatenate(joined))
            for key in keys:
                found = taken(mapped, key)
                if isinstance(found, int):
                    assert (content != whole, found) == (True, place // 32)
                else:
                    np.testing.assert_array_equal(found, array[key])
            if content != whole:
                with pytest.raises(KeyError):
                    map_file(path, Residency(64), sums, KeyError)[:]


def test_tables_in_a_folder_are_those_in_memory_and_files_that_numpy_reads(
    tmp_path: Path,
) -> None:
    memory, folder = MemoryTables(), FolderTables(tmp_path)
    parts = [np.arange(6).reshape(3, 2), np.zeros((0, 2), np.int64), np.ones((70_000, 2), np.int64)]
    for tables in (memory, folder):
        for part in parts:
            tables.append("a.npy", part)
        tables.append("b.bin", np.frombuffer(b"bytes", dtype=np.uint8))
    with pytest.raises(TypeError):
        folder.append("a.npy", np.zeros((1, 3), np.int64))
    for found in (memory.finish(), folder.finish()):
        np.testing.assert_array_equal(found["a.npy"][:], np.concatenate(parts))
        assert found["b.bin"][:].tobytes() == b"bytes"
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.concatenate(parts))
    reference = tmp_path / "reference.npy"
    np.save(reference, np.concatenate(parts))
    assert reference.read_bytes() == (tmp_path / "a.npy").read_bytes()


def test_an_array_of_objects_is_never_made_of_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asarray([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="of objects"):
        map_file(tmp_path / "a.npy", Residency(1))


def test_documents_are_found_by_id_even_if_all_ids_had_one_digest(
    int8: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents_module, "_key", lambda _: 7)
    index = Index.build(rivers(5), encoder=int8)
    assert [index.document(f"d{i}").title for i in range(5)] == [d.title for d in rivers(5)]
    with pytest.raises(InputError, match="has no document 'd9'; it has 5"):
        index.document("d9")
    assert index.documents[-1].text == rivers(5)[-1].text
    assert [d.id for d in index.documents[1:3]] == ["d1", "d2"]
    with pytest.raises(IndexError):
        index.documents[5]


def test_a_file_of_many_documents_is_named_once_in_the_manifest(
    tmp_path: Path, int8: Encoder
) -> None:
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(f"River {name} is long.", encoding="utf-8")
    Index.build(tmp_path / "*.txt", tmp_path / "i", encoder=int8)
    sources = json.loads((tmp_path / "i" / "manifest.json").read_text(encoding="utf-8"))["sources"]
    assert [(s["path"], s["documents"]) for s in sources] == [
        ("../a.txt", ["a"]),
        ("../b.txt", ["b"]),
    ]


class Advised(mmap.mmap):
    """A mapping that remembers what it was advised of."""

    advice: list[tuple[int, int, int]]

    def madvise(self, option: int, start: int = 0, length: int = 0) -> None:
        self.advice.append((option, start, length))
        super().madvise(option, start, length)


def test_the_pages_of_all_rows_asked_for_are_fetched_before_the_first_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Advised] = []

    def mapping(*args: Any, **options: Any) -> Advised:
        made.append(Advised(*args, **options))
        made[-1].advice = []
        return made[-1]

    page, block = mmap.PAGESIZE, checksums.BLOCK
    array = np.arange(8 * block // 4, dtype=np.int32).reshape(-1, page // 4)
    np.save(tmp_path / "a.npy", array)
    _, sums = block_digests(tmp_path / "a.npy")
    monkeypatch.setattr(mmap, "mmap", mapping)
    mapped = map_file(tmp_path / "a.npy", Residency(1), sums, KeyError)
    [advised] = made
    last = len(array) - 1
    np.testing.assert_array_equal(mapped[np.asarray([0, last])], array[[0, last]])
    fetched = [tuple(rest) for kind, *rest in advised.advice if kind == mmap.MADV_WILLNEED]
    whole = (tmp_path / "a.npy").stat().st_size
    # 128 bytes of header stand before the rows, and proved the first block; others are read whole.
    assert fetched == [(0, page + 128), (7 * block, whole - 7 * block)]
    advised.advice.clear()
    assert take_runs([mapped], np.asarray([1]), np.asarray([3]))[0][0, 0] == array[1, 0]
    assert (mmap.MADV_WILLNEED, page, 2 * page + 128) in advised.advice
    monkeypatch.undo()
    small = map_file(tmp_path / "a.npy", Residency(4 * whole), sums, KeyError)
    assert small[np.asarray([0, last])].shape == (2, page // 4)


def resident(path: Path) -> int:
    """Bytes of that mapped file in this process's memory."""
    found, is_path = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            is_path = line.endswith(str(path))
        elif is_path and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


def test_of_mapped_files_the_large_go_from_memory_over_budget_and_the_small_stay(
    tmp_path: Path,
) -> None:
    residency = Residency(8 << 20)
    mapped = []
    for name, size in (("small", 1 << 20), ("large", 32 << 20)):
        path = tmp_path / f"{name}.bin"
        path.write_bytes(bytes(size))
        _, sums = block_digests(path)
        mapped.append(map_file(path, residency, sums, KeyError))
    small, large = mapped
    for start in range(0, len(large), 1 << 16):
        assert not small[:].any()
        assert not large[start : start + (1 << 16)].any()
    assert resident(tmp_path / "small.bin") == 1 << 20
    assert resident(tmp_path / "large.bin") <= 8 << 20
