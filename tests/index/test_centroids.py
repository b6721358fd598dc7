"""The arithmetic below the retriever, against plain NumPy; and that the coarse order loses nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ragkit import Document, Encoder, Index
from ragkit.chunking import Chunker
from ragkit.index import RetrievalConfig
from ragkit.index import centroids as centroids_module
from ragkit.retrieval import encode_questions, score_chunks
from ragkit.retrieval import ranking as ranking_module
from ragkit.retrieval.scoring import approximate_scores
from ragkit.storage.arrays import (
    gathered_run_max,
    matmul,
    offsets_of,
    ranges,
    row_max,
    run_max,
    run_mean,
)
from ragkit.storage.checksums import SealBrokenError, seal, unseal

lengths = st.lists(st.integers(0, 5), max_size=8)


@given(lengths, st.integers(1, 4))
def test_runs_are_reduced_like_slices(sizes: list[int], columns: int) -> None:
    values = np.random.default_rng(0).normal(size=(sum(sizes), columns)).astype(np.float32)
    borders = offsets_of(np.asarray(sizes, dtype=np.int64))
    runs = [values[a:b] for a, b in pairwise(borders)]
    most = [run.max(axis=0) if len(run) else np.zeros(columns) for run in runs]
    np.testing.assert_array_equal(run_max(values, borders), np.reshape(most, (-1, columns)))
    means = [run[:, 0].mean() if len(run) else 0.0 for run in runs]
    np.testing.assert_allclose(run_mean(values[:, 0], borders), means, atol=1e-6)
    np.testing.assert_array_equal(row_max(values), values.max(axis=1))
    expected = [i for a, b in pairwise(borders) for i in range(a, b)]
    assert ranges(borders[:-1], borders[1:]).tolist() == expected


@given(st.lists(st.integers(0, 50), max_size=8), st.integers(1, 4))
def test_the_greatest_of_gathered_rows_is_that_of_each_run(sizes: list[int], columns: int) -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(7, columns)).astype(np.float32)
    numbers = rng.integers(0, len(values), sum(sizes)).astype(np.uint16)
    borders = offsets_of(np.asarray(sizes, dtype=np.int64))
    runs = [values[numbers[a:b]] for a, b in pairwise(borders)]
    most = [run.max(axis=0) if len(run) else np.zeros(columns) for run in runs]
    found = gathered_run_max(values, numbers, borders)
    np.testing.assert_array_equal(found, np.reshape(most, (-1, columns)))


@given(arrays(np.int8, st.tuples(st.integers(1, 300), st.just(7))), st.integers(1, 5))
def test_products_in_pieces_are_products(matrix: np.ndarray, columns: int) -> None:
    right = np.random.default_rng(1).normal(size=(7, columns)).astype(np.float32)
    floats = matrix.astype(np.float32)
    np.testing.assert_allclose(matmul(floats, right), floats @ right, rtol=1e-4, atol=1e-3)


def test_products_of_more_rows_than_fit_one_piece_are_whole() -> None:
    matrix = np.random.default_rng(2).normal(size=(5000, 384)).astype(np.float32)
    right = np.random.default_rng(3).normal(size=(384, 13)).astype(np.float32)
    np.testing.assert_allclose(matmul(matrix, right), matrix @ right, atol=1e-4)


def test_coarse_scores_are_those_of_the_centroids_token_by_token(
    tiny: Encoder, article: Document
) -> None:
    index = Index.build([article], encoder=tiny, chunker=Chunker(min_chars=400))
    data = index._data
    [query] = encode_questions(data, tiny, ["Who signed the Treaty of Rapallo?"], RetrievalConfig())
    rows = data.centroid_ids(np.arange(len(data)))
    found = approximate_scores(rows, query)
    similarity = query.tokens @ rows.centroids.T
    for chunk in (0, 7, len(data) - 1):
        tokens = data.token_vectors(np.asarray([chunk]))
        nearest = ((tokens.codes * tokens.scales[:, None]) @ rows.centroids.T).argmax(axis=1)
        context, *runs = np.split(nearest, np.cumsum(tokens.lengths)[:-1])
        forward = query.weights @ similarity[:, np.concatenate([context, *runs[1::2]])].max(axis=1)
        reverse = max(similarity[:, run].max(axis=0).mean() for run in runs[::2] if len(run))
        assert found[chunk] == pytest.approx(forward + 0.5 * reverse, abs=1e-5)


def test_the_coarse_order_keeps_what_exact_late_interaction_puts_first(
    german_soviet: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = [
        "Who signed the Treaty of Rapallo?",
        "How much oil was promised?",
        "When was Litvinov dismissed?",
        "Why did the talks with Britain and France fail?",
        "What was built at Lipetsk?",
    ]
    data = german_soviet._data
    queries = encode_questions(data, german_soviet.encoder, questions, german_soviet.config)
    pruned = [[r.chunk for r in score_chunks(data, query, 3)] for query in queries]
    monkeypatch.setattr(ranking_module, "EXACT", len(data))
    exact = [[r.chunk for r in score_chunks(data, query, 3)] for query in queries]
    assert pruned == exact


def test_a_rare_word_makes_a_chunk_a_candidate_even_if_no_vector_is_near(
    tiny: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"{'abcdefghij'[i % 10] * 3} {i} bread and flour." for i in range(40)]
    texts[31] = "zyxw zyxw zyxw."
    index = Index.build([Document(str(i), "T", t) for i, t in enumerate(texts)], encoder=tiny)
    monkeypatch.setattr(ranking_module, "CANDIDATES", 4)
    data = index._data
    [query] = encode_questions(
        data, tiny, ["Who likes bread, flour, flour and zyxw?"], RetrievalConfig()
    )
    near, _ = data.nearest(query.vector, 4)
    assert 31 not in near
    assert 31 in {r.chunk for r in score_chunks(data, query, 6)}


@given(
    st.dictionaries(
        st.text(max_size=5).filter(lambda key: key != "checksum"),
        st.one_of(st.integers(), st.text(max_size=8), st.lists(st.booleans(), max_size=3)),
        max_size=4,
    ),
    st.data(),
)
def test_what_is_sealed_is_unsealed_and_no_byte_may_change(
    content: dict[str, object], draw: st.DataObject
) -> None:
    data = seal(content)
    assert unseal(data) == content
    place = draw.draw(st.integers(0, len(data) - 1))
    value = draw.draw(st.integers(0, 255).filter(lambda byte: byte != data[place]))
    with pytest.raises(SealBrokenError):
        unseal(data[:place] + bytes([value]) + data[place + 1 :])
    with pytest.raises(SealBrokenError):
        unseal(data[:place])


def test_of_thousands_of_centroids_nearly_the_nearest_is_found() -> None:
    rng = np.random.default_rng(5)
    centroids = rng.normal(size=(2000, 32)).astype(np.float32)
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    vectors = centroids[rng.integers(0, 2000, 500)] + 0.1 * rng.normal(size=(500, 32))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    cosines = vectors @ centroids.T
    found = centroids_module._assignment(centroids)(vectors)
    assert (found == cosines.argmax(axis=1)).mean() > 0.9
    assert cosines[np.arange(500), found].mean() > 0.995 * cosines.max(axis=1).mean()
    few = centroids_module._assignment(centroids[:100])(vectors)
    np.testing.assert_array_equal(few, cosines[:, :100].argmax(axis=1))
    assert centroids_module._assignment(centroids[:0])(vectors).tolist() == [0] * 500
