"""Models trained for late interaction: their own vectors, each chunk read once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ragkit import Document, Encoder, EncoderError, Index
from ragkit.encoding import Runtime, load_encoder
from ragkit.index.token_vectors import TokenLayout
from support.parts import make_multi_vector_model

TEXTS = ["Rivers flow to the sea.", "bread, and flour?", "...", "a"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_multi_vector_model(tmp_path_factory.mktemp("multi"))


@pytest.fixture(params=["reference", "float32"])
def encoder(model: Path, request: pytest.FixtureRequest) -> Encoder:
    runtime: Runtime = request.param
    return load_encoder(str(model), runtime=runtime)


def test_its_tokens_are_those_of_sentence_transformers(encoder: Encoder, model: Path) -> None:
    from sentence_transformers import MultiVectorEncoder

    own = MultiVectorEncoder(str(model), device="cpu")
    for role, expected in (
        ("passage", own.encode_document(TEXTS)),
        ("question", own.encode_query(TEXTS)),
    ):
        for encoded, tokens in zip(encoder.encode(TEXTS, role=role), expected, strict=True):  # type: ignore[arg-type]
            if len(tokens):
                np.testing.assert_allclose(encoded.tokens, tokens.numpy(), atol=1e-4)


def test_its_late_interaction_is_that_of_sentence_transformers(
    encoder: Encoder, model: Path
) -> None:
    from sentence_transformers import MultiVectorEncoder

    own = MultiVectorEncoder(str(model), device="cpu")
    question, passages = "Where do rivers flow?", TEXTS[:2]
    expected = own.similarity(own.encode_query([question]), own.encode_document(passages))[0]
    [asked] = encoder.encode([question], role="question")
    found = [(asked.tokens @ one.tokens.T).max(axis=1).sum() for one in encoder.encode(passages)]
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4)


def test_the_vector_of_a_text_is_the_mean_of_its_tokens(encoder: Encoder) -> None:
    for encoded in encoder.encode(TEXTS):
        mean = encoded.tokens.mean(axis=0)
        np.testing.assert_allclose(encoded.vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_silent_tokens_are_left_out_unless_there_are_no_others(encoder: Encoder) -> None:
    encoded = encoder.encode(["a.b?", "?.", "", "a,"])
    assert [one.starts.tolist() for one in encoded] == [[0, 2], [0, 1], [], [0, 1]]


def test_an_int8_model_has_nearly_the_same_tokens(model: Path) -> None:
    exact = load_encoder(str(model), runtime="reference").encode(TEXTS)
    for one, other in zip(load_encoder(str(model)).encode(TEXTS), exact, strict=True):
        assert np.einsum("ij,ij->i", one.tokens, other.tokens).mean() > 0.98


def test_a_projection_with_a_bias_is_refused(tmp_path: Path) -> None:
    biased = make_multi_vector_model(tmp_path, bias=True)
    runtimes: tuple[Runtime | None, ...] = (None, "int8", "reference")
    for runtime in runtimes:
        with pytest.raises(EncoderError, match="cannot be used: its projection has a bias"):
            load_encoder(str(biased), runtime=runtime)


@pytest.mark.parametrize(
    ("added", "reason"),
    [("Dense", "its projections do not fit each other"), ("Dropout", "its modules are")],
)
def test_modules_that_do_not_fit_are_refused(
    model: Path, tmp_path: Path, added: str, reason: str
) -> None:
    copy = tmp_path / "two"
    shutil.copytree(model, copy)
    modules = json.loads((copy / "modules.json").read_text(encoding="utf-8"))
    modules.insert(1, modules[1] | {"type": f"sentence_transformers.base.modules.{added}"})
    (copy / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    with pytest.raises(EncoderError, match=reason):
        load_encoder(str(copy))


def test_a_plain_transformers_model_is_still_a_model(model: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(model, plain)
    (plain / "modules.json").unlink()
    (plain / "config_sentence_transformers.json").unlink(missing_ok=True)
    encoder = load_encoder(str(plain))
    assert (encoder.readings, encoder.runtime) == (2, "reference")
    assert len(encoder.encode(["bread"])[0].tokens) == len("bread")


def test_a_malformed_list_of_modules_is_an_error_of_its_own(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "malformed"
    shutil.copytree(model, copy)
    (copy / "modules.json").write_text("[{", encoding="utf-8")
    with pytest.raises(EncoderError, match=r"modules\.json cannot be parsed"):
        load_encoder(str(copy))


def test_each_chunk_is_read_once(encoder: Encoder, documents: list[Document]) -> None:
    steps: list[tuple[int, int]] = []
    index = Index.build(documents, encoder=encoder, progress=lambda *step: steps.append(step))
    assert steps[-1] == (index.counts["chunks"], index.counts["chunks"])
    rows = index._opened.data.token_vectors(np.arange(index.counts["chunks"]))
    assert rows.layout.readings == 1
    assert len(rows.lengths) == index.counts["chunks"] + index.counts["sentences"]
    assert rows.quantizer.bits == 4


def test_scores_are_late_interaction_over_each_sentence_and_its_context(
    encoder: Encoder, documents: list[Document]
) -> None:
    """By hand: forward over sentence and context, reverse over the sentence, best of both."""
    index = Index.build(documents, encoder=encoder)
    question = "Where does the Rhine rise?"
    [query] = index._find(index._data, [question], 5, None)
    counted = query.query.weights
    chunks = index._data.chunks(range(len(index._data)))
    by_number = {one.chunk: one.score for one in query.retrieved.scored}
    for number, score in by_number.items():
        chunk = chunks[number]
        document = index.document(chunk.document_id)
        front = ". ".join([document.title, *document.sections[chunk.section].path]) + ". "
        body = document.text[slice(*chunk.body)]
        [whole] = encoder.encode([front + body])
        place = whole.starts - len(front) + chunk.body.start
        similar = query.query.tokens @ whole.tokens.T
        forward, reverse = [], []
        for sentence in chunk.sentences:
            inside = (place >= sentence.start) & (place < sentence.end)
            matched = similar[:, inside | (place < chunk.body.start)]
            forward.append(matched.max(axis=1) @ counted)
            reverse.append(similar[:, inside].max(axis=0).mean())
        expected = (max(forward) + 0.5 * max(reverse)) / 1.5
        assert score == pytest.approx(expected, abs=0.03)  # four bits a component


def test_words_are_marked_where_they_stand(encoder: Encoder, documents: list[Document]) -> None:
    [passage] = Index.build(documents, encoder=encoder).search("Rye bread is dark", k=1)
    [document] = [one for one in documents if one.id == passage.citation.document_id]
    partners = [(document.text[slice(*m.span)], m.partner) for m in passage.matches if m.span]
    assert partners
    assert all(written == partner for written, partner in partners)


def test_an_update_equals_a_fresh_build(
    model: Path, documents: list[Document], tmp_path: Path
) -> None:
    encoder = load_encoder(str(model))
    Index.build(documents[:1], tmp_path / "i", encoder=encoder)
    updated = Index.update(tmp_path / "i", documents, encoder=encoder)
    assert updated.generation == Index.build(documents, encoder=encoder).generation


def test_the_first_of_two_readings_is_within_and_of_one_is_both() -> None:
    sentences = np.asarray([2, 1])
    twice, once = TokenLayout(sentences, 2), TokenLayout(sentences, 1)
    assert twice.is_within().tolist() == [False, True, False, True, False, False, True, False]
    assert twice.is_matched().tolist() == (~twice.is_within()).tolist()
    assert once.is_within().tolist() == [False, True, True, False, True]
    assert once.is_matched().all()
    assert once.sentence_runs()[1].tolist() == [1, 2, 4]
    assert twice.sentence_runs()[1].tolist() == [1, 3, 6]
