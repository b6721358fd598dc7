"""Models for late interaction as people publish them: what the reference matches is matched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragkit import Document, Encoder, EncoderError, Index, Prompts
from ragkit.encoding import Runtime, load_encoder
from ragkit.encoding.export import why_not_exportable
from ragkit.index import RetrievalConfig
from ragkit.retrieval.query import encode_questions
from support.checkpoints import make_own_layout, make_pylate_layout, make_stanford_layout

QUESTIONS = ["do seas flow?", "a", "who?"]
"""Shorter than the least length of a question, over which the reference cuts."""
PASSAGES = ["rivers flow to the sea.", "bread, and flour? rye.", "...", "a"]

Make = Callable[[Path], Path]
LAYOUTS: dict[str, Make] = {
    "own": make_own_layout,
    "own, not attending": lambda folder: make_own_layout(folder, attend=False),
    "own, modernbert": lambda folder: make_own_layout(folder, kind="modernbert"),
    "own, mpnet": lambda folder: make_own_layout(folder, kind="mpnet"),
    "pylate": make_pylate_layout,
    "pylate, modernbert": lambda folder: make_pylate_layout(
        folder, kind="modernbert", query_length=18
    ),
    "pylate, attending": lambda folder: make_pylate_layout(folder, attend_to_expansion_tokens=True),
    "pylate, markers of several tokens": lambda folder: make_pylate_layout(
        folder, markers_are_tokens=False
    ),
    "pylate, before it named its kind": lambda folder: make_pylate_layout(
        folder, model_type=None, skiplist_words=None, query_length=None
    ),
    "pylate, not filled up": lambda folder: make_pylate_layout(folder, do_query_expansion=False),
    "stanford": make_stanford_layout,
    "stanford, attending": lambda folder: make_stanford_layout(
        folder, attend_to_mask_tokens=True, mask_punctuation=False
    ),
}


@pytest.fixture(scope="module", params=LAYOUTS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return LAYOUTS[request.param](tmp_path_factory.mktemp("layout"))


def reference_of(model: Path) -> Any:
    from sentence_transformers import MultiVectorEncoder

    return MultiVectorEncoder(str(model), device="cpu")


def load(model: Path, runtime: Runtime) -> Encoder:
    return load_encoder(str(model), runtime=runtime)


@pytest.mark.parametrize("runtime", ["reference", "float32"])
def test_tokens_and_late_interaction_are_those_of_sentence_transformers(
    model: Path, runtime: Runtime
) -> None:
    own, encoder = reference_of(model), load(model, runtime)
    questions, passages = own.encode_query(QUESTIONS), own.encode_document(PASSAGES)
    asked = encoder.encode(QUESTIONS, role="question")
    indexed = encoder.encode(PASSAGES)
    for encoded, expected in zip([*asked, *indexed], [*questions, *passages], strict=True):
        np.testing.assert_allclose(encoded.tokens, expected.numpy(), atol=1e-5)
    scores = [[float((q.tokens @ p.tokens.T).max(axis=1).sum()) for p in indexed] for q in asked]
    np.testing.assert_allclose(scores, own.similarity(questions, passages).numpy(), rtol=1e-5)


def test_both_runtimes_have_the_same_window_and_runs_agree_beyond_it(model: Path) -> None:
    reference, exported = load(model, "reference"), load(model, "float32")
    assert exported.window == reference.window
    text = "where do the rivers flow that come from the mountains of the north? " * 2
    for role in ("question", "passage"):
        [one], [other] = (e.encode([text], role=role) for e in (reference, exported))
        np.testing.assert_allclose(other.tokens, one.tokens, atol=1e-5)
        np.testing.assert_allclose(other.vector, one.vector, atol=1e-5)
        assert other.starts.tolist() == one.starts.tolist()
        letters = [i for i, c in enumerate(text) if c.isalpha()]
        assert set(letters) <= set(other.starts.tolist())


def test_int8_tokens_are_near_those_of_the_reference(model: Path) -> None:
    for role in ("question", "passage"):
        exact, rounded = (
            load(model, runtime).encode(QUESTIONS, role=role) for runtime in ("reference", "int8")
        )
        for one, other in zip(rounded, exact, strict=True):
            assert one.tokens.shape == other.tokens.shape
            assert np.einsum("ij,ij->i", one.tokens, other.tokens).mean() > 0.98


@pytest.mark.parametrize("runtime", ["reference", "int8"])
def test_only_tokens_of_letters_start_in_the_text(tmp_path: Path, runtime: Runtime) -> None:
    """[CLS] and the marker are before "a b", [SEP] after it, then masks up to 20 tokens."""
    encoder = load(make_pylate_layout(tmp_path), runtime)
    [question] = encoder.encode(["a b"], role="question")
    assert question.starts.tolist() == [-1, -1, 0, 2, -1, *[-1] * 15]
    [passage] = encoder.encode(["a b."])  # the full stop is left out
    assert passage.starts.tolist() == [-1, -1, 0, 2, -1]


def test_markers_are_the_prompts_and_others_may_be_asked_for(tmp_path: Path) -> None:
    model = make_stanford_layout(tmp_path)
    assert load_encoder(str(model)).fingerprint.prompts == Prompts("[unused0] ", "[unused1] ")
    other = load_encoder(str(model), prompts=Prompts("ask: ")).fingerprint.prompts
    assert other == Prompts("ask: ")


def test_markers_and_masks_weigh_as_the_mean_piece_of_a_word(tmp_path: Path) -> None:
    """With ``idf_power`` 0 all words weigh the same, and each of n pieces of a word 1 / √n."""
    encoder = load_encoder(str(make_pylate_layout(tmp_path)))
    index = Index.build([Document("a", "A", "Rye."), Document("b", "B", "Sea.")], encoder=encoder)
    [query] = encode_questions(index._data, encoder, ["ab c?"], RetrievalConfig(idf_power=0))
    pieces = np.asarray([1 / 2**0.5, 1 / 2**0.5, 1, 0])
    others = np.full(2 + 14, pieces[:3].mean())
    expected = np.concatenate([others[:2], pieces, others[2:]])
    np.testing.assert_allclose(query.weights, expected / expected.sum(), rtol=1e-5)
    assert [word is None for word in query.words] == [True] * 2 + [False] * 3 + [True] * 15


def test_an_index_of_such_a_model_is_asked_updated_and_cited_exactly(
    model: Path, tmp_path: Path
) -> None:
    documents = [
        Document("a", "Rivers", "Rivers flow to the sea. The rye is dark."),
        Document("b", "Bread", "Bread is made of flour. It is baked."),
    ]
    Index.build(documents[:1], tmp_path / "i", encoder=str(model))
    Index.update(tmp_path / "i", documents)
    index = Index.open(tmp_path / "i")
    assert index.generation == Index.build(documents, encoder=str(model)).generation
    for passage in index.search("Bread is made of flour.", k=2):
        citation = passage.citation
        text = next(d.text for d in documents if d.id == citation.document_id)
        assert text[citation.start : citation.end] == citation.quote
        assert all(text[slice(*m.span)] == m.partner for m in passage.matches if m.span)
        assert {m.word for m in passage.matches} == {"Bread", "is", "made", "of", "flour"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bias": True}, "its projection has a bias or an activation"),
        ({"activation_function": "torch.nn.modules.activation.Tanh"}, "a bias or an activation"),
        ({"module_input_name": "sentence_embedding"}, "its projection is of whole texts"),
    ],
)
def test_a_projection_that_is_not_linear_is_refused(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    model = make_pylate_layout(tmp_path)
    path = model / "1_Dense" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")
    with pytest.raises(EncoderError, match=reason):
        load_encoder(str(model))


def test_weights_that_are_not_safetensors_are_refused(tmp_path: Path) -> None:
    model = make_pylate_layout(tmp_path)
    path = model / "1_Dense" / "model.safetensors"
    path.rename(path.with_name("pytorch_model.bin"))
    with pytest.raises(EncoderError, match=r"its projection is not in model\.safetensors"):
        load_encoder(str(model))


def test_masks_that_local_layers_cannot_connect_with_words_are_left_to_the_reference(
    tmp_path: Path,
) -> None:
    model = make_pylate_layout(tmp_path, kind="modernbert", query_length=19)
    assert "beyond the reach of its layers" in str(why_not_exportable(model))
    assert load_encoder(str(model)).runtime == "reference"
