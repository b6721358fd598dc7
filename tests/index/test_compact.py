"""A compact index: half as large, of models for late interaction alone, and otherwise like any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit import Encoder, Index, InputError, load_encoder
from ragkit.cli import cli
from ragkit.index import vectors as layout_module
from ragkit.index.milvus.rows import (
    ChunkContent,
    ChunkRow,
    centroid_rows_of,
    split_chunks,
    token_rows_of,
)
from ragkit.index.token_quantizer import TokenQuantizer
from ragkit.index.token_vectors import QuantizedTokens, TokenVectors, TokenVectorsBuilder
from ragkit.storage.tables import MemoryTables
from support.corpora import TEXTS, assert_same, document, many
from support.parts import SEED, make_multi_vector_model, manifest_of


@pytest.fixture(scope="module")
def multi_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_multi_vector_model(tmp_path_factory.mktemp("multi"))


@pytest.fixture(scope="module")
def multi(multi_model: Path) -> Encoder:
    return load_encoder(str(multi_model), runtime="int8")


STATES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3),
    max_size=3,
)


@given(st.lists(STATES, min_size=2, max_size=3))
@settings(max_examples=10, deadline=None)
def test_updates_of_a_compact_index_equal_fresh_builds(
    tmp_path_factory: pytest.TempPathFactory, multi: Encoder, states: list[dict[str, list[str]]]
) -> None:
    path = tmp_path_factory.mktemp("compact") / "i"
    first, *others = [
        [document(name, "\n\n".join(texts)) for name, texts in state.items()] for state in states
    ]
    Index.build(first, path, encoder=multi, compact=True)
    for documents in others:
        updated = Index.update(path, documents, encoder=multi)
        assert_same(updated, Index.build(documents, encoder=multi, compact=True))
        assert Index.info(path).compact


def test_updates_of_a_compact_index_whose_vectors_are_in_lists_equal_fresh_builds(
    tmp_path: Path, multi: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout_module, "_EXACT", 30)
    Index.build(many(60), tmp_path / "i", encoder=multi, compact=True)
    updated = Index.update(tmp_path / "i", many(63)[1:], encoder=multi)
    assert updated._local().data.search_settings.sample > 0
    assert_same(updated, Index.build(many(63)[1:], encoder=multi, compact=True))


def test_compactness_is_recorded_and_shown_and_stays(tmp_path: Path, multi_model: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXTS[1], encoding="utf-8")
    index, run = str(tmp_path / "i"), CliRunner()
    source, model = str(tmp_path / "a.txt"), str(multi_model)
    build = ["index", "build", source, "--out", index, "--model", model, "--compact"]
    assert run.invoke(cli, build, catch_exceptions=False).exit_code == 0
    assert "2 bits a component, compact" in run.invoke(cli, ["index", "info", index]).output
    assert manifest_of(tmp_path / "i")["tokens"] == {"bits": 2, "readings": 1, "compact": True}
    (tmp_path / "a.txt").write_text(TEXTS[2], encoding="utf-8")
    assert run.invoke(cli, ["index", "update", index], catch_exceptions=False).exit_code == 0
    assert "2 bits a component, compact" in run.invoke(cli, ["index", "info", index]).output
    Index.verify(tmp_path / "i")


def test_an_index_that_is_not_compact_does_not_speak_of_it(tmp_path: Path, multi: Encoder) -> None:
    Index.build([document("a", TEXTS[0])], tmp_path / "i", encoder=multi)
    assert manifest_of(tmp_path / "i")["tokens"] == {"bits": 4, "readings": 1}
    assert not Index.info(tmp_path / "i").compact


def test_a_model_that_reads_twice_is_refused_before_anything_is_read(
    tmp_path: Path, tiny_model: Path
) -> None:
    two = load_encoder(str(tiny_model))
    with pytest.raises(InputError, match=r"trained for late interaction.*Build without --compact"):
        Index.build("no such file", tmp_path / "i", encoder=two, compact=True)
    assert not (tmp_path / "i").exists()


def test_the_seed_takes_half_the_space_and_is_cited_where_the_larger_index_cites_it(
    german_soviet: Index,
) -> None:
    compact = Index.build(SEED, compact=True)
    sizes = [
        sum(record.bytes for name, record in one._local().files.items() if name != "texts.bin")
        for one in (compact, german_soviet)
    ]
    assert sizes[0] < 0.55 * sizes[1]
    rows = [one._data.token_vectors(np.arange(len(one))) for one in (compact, german_soviet)]
    np.testing.assert_array_equal(rows[0].starts, rows[1].starts)
    np.testing.assert_allclose(rows[0].scales.mean(), _true_scale(rows[0].codes), rtol=0.02)


def _true_scale(codes: np.ndarray) -> float:
    quantizer = TokenQuantizer(2, 96)
    return float(1 / np.linalg.norm(quantizer.decode(codes), axis=1).mean() / 0.9387)


@given(st.sampled_from([2, 4]), st.sampled_from([5, 8, 96, 97]), st.integers(0, 9))
def test_scales_from_codes_make_products_right_on_average(
    bits: int, dimension: int, seed: int
) -> None:
    vectors = np.random.default_rng(seed).normal(size=(300, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scales = np.full(len(vectors), 1 / 127, np.float32)
    eight = np.rint(vectors * 127).astype(np.int8)
    compact, stored = TokenQuantizer(bits, dimension, compact=True), TokenQuantizer(bits, dimension)
    codes, own = compact.quantize(eight, scales)
    np.testing.assert_array_equal(codes, stored.quantize(eight, scales)[0])
    lengths = np.linalg.norm(compact.decode(codes), axis=1)
    np.testing.assert_allclose(own * lengths, own[0] * lengths[0], rtol=1e-5)
    products = np.einsum("ij,ij->i", compact.decode(codes) * own[:, None], compact.rotate(vectors))
    assert abs(products.mean() - 1) < (0.02 if dimension > 8 else 0.1)


def test_a_token_too_far_from_its_chunks_beginning_has_no_place() -> None:
    quantizer, writer = TokenQuantizer(2, 8, compact=True), MemoryTables()
    starts = np.asarray([-1, 0, 5, (1 << 16) - 2, (1 << 16) - 1, 1 << 20])
    codes, scales = np.ones((6, 8), np.int8), np.ones(6, np.float32)
    builder = TokenVectorsBuilder(writer, quantizer)
    builder.add([QuantizedTokens(codes, scales, starts, np.asarray([1, 5]))], [1000])
    tables = {name: writer.table(name) for name in TokenVectors.names(quantizer)}
    tokens = TokenVectors(tables, quantizer, np.asarray([0, 1]), np.asarray([[1000, 1 << 21]]), 1)
    placed = [-1, 1000, 1005, 1000 + (1 << 16) - 2, -1, -1]
    assert tokens.rows(np.asarray([0])).starts.tolist() == placed
    again = tokens.chunk(0, 1000)
    assert again.starts.tolist() == [-1, 0, 5, (1 << 16) - 2, -1, -1]


def test_a_compact_index_goes_to_a_server_as_it_is(multi: Encoder) -> None:
    index = Index.build(many(9), encoder=multi, compact=True)
    data, numbers = index._data, np.arange(len(index))
    ids, tokens = data.centroid_ids(numbers), data.token_vectors(numbers)
    vectors = index._local().data.vectors_of(numbers)
    split = list(
        split_chunks(
            data.chunks(numbers.tolist()), data.texts(numbers.tolist()), vectors, ids, tokens
        )
    )
    rows = centroid_rows_of(
        [ChunkRow.from_bytes(row.to_bytes()) for row, _ in split], ids.centroids
    )
    np.testing.assert_array_equal(rows.distinct, ids.distinct)
    np.testing.assert_array_equal(rows.within, ids.within)
    contents = [ChunkContent.from_bytes(content.to_bytes()) for _, content in split]
    joined = token_rows_of(contents, tokens.quantizer, 1)
    for name in ("codes", "scales", "starts", "lengths"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(tokens, name))
