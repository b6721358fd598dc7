"""Encoders: unit vectors, no text truncated, no model mistaken for another."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ragkit import Document, Index
from ragkit.encoding import DEFAULT_MODEL, Encoder, load_encoder, load_reranker, shipped
from ragkit.encoding import models as models_module
from ragkit.encoding.models import BASE_MODEL
from ragkit.errors import EncoderError
from support.parts import make_model

PUBLISHED = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""sha256 of the weights of all-MiniLM-L6-v2."""


def test_the_default_model_is_made_from_published_weights() -> None:
    fingerprint = load_encoder().fingerprint
    assert fingerprint.name == DEFAULT_MODEL
    assert fingerprint.files["model.safetensors"] == PUBLISHED
    assert load_encoder(BASE_MODEL).fingerprint.files["model.safetensors"] == PUBLISHED


def test_the_default_model_is_one_that_sentence_transformers_loads() -> None:
    from sentence_transformers import MultiVectorEncoder

    folder = shipped.cached_model(models_module.base_model_folder(), models_module._shipped_model())
    own = MultiVectorEncoder(str(folder), device="cpu", model_kwargs={"dtype": "float32"})
    text = "The Treaty of Rapallo was signed in 1922."
    [encoded] = load_encoder(runtime="float32").encode([text])
    np.testing.assert_allclose(encoded.tokens, own.encode_document([text])[0].numpy(), atol=1e-3)


@pytest.mark.parametrize("altered", ["layers.safetensors", "2_MultiVectorMask/config.json"])
def test_an_altered_part_of_the_default_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, altered: str
) -> None:
    copy = tmp_path / "weights"
    shutil.copytree(shipped._FOLDER, copy)
    content = bytearray((copy / altered).read_bytes())
    content[-1] ^= 1
    (copy / altered).write_bytes(content)
    monkeypatch.setattr(shipped, "_FOLDER", copy)
    models_module._shipped_model.cache_clear()
    try:
        with pytest.raises(EncoderError, match="not what the model late-MiniLM-L6 was made from"):
            load_encoder()
    finally:
        models_module._shipped_model.cache_clear()


@pytest.mark.parametrize("name", [BASE_MODEL, DEFAULT_MODEL])
@pytest.mark.parametrize("damaged", ["tokenizer.json", "1_Pooling/config.json"])
def test_an_altered_bundled_model_is_refused_before_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: str, name: str
) -> None:
    copy = tmp_path / "model"
    shutil.copytree(models_module.base_model_folder(), copy)
    (copy / damaged).write_text(
        (copy / damaged).read_text(encoding="utf-8") + " ", encoding="utf-8"
    )
    monkeypatch.setattr(models_module, "base_model_folder", lambda: copy)
    models_module._base_model.cache_clear()
    models_module._shipped_model.cache_clear()
    try:
        with pytest.raises(EncoderError, match="not the published all-MiniLM-L6-v2"):
            load_encoder(name)
    finally:
        models_module._base_model.cache_clear()
        models_module._shipped_model.cache_clear()


def test_vectors_have_unit_norm_and_do_not_depend_on_their_batch(tiny: Encoder) -> None:
    texts = ["Rivers flow.", "A longer text about bread and flour.", "x"]
    for text, together in zip(texts, tiny.encode(texts), strict=True):
        [alone] = tiny.encode([text])
        assert together.vector.dtype == together.tokens.dtype == np.float32
        assert together.vector.shape == (tiny.dimension,)
        np.testing.assert_allclose(np.linalg.norm(together.vector), 1, atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(together.tokens, axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(together.vector, alone.vector, atol=1e-5)
        np.testing.assert_allclose(together.tokens, alone.tokens, atol=1e-5)


def test_vectors_are_those_of_sentence_transformers(tiny: Encoder, tiny_model: Path) -> None:
    from sentence_transformers import SentenceTransformer

    text = "Bread is made of flour."
    [encoded] = tiny.encode([text])
    reference = SentenceTransformer(str(tiny_model), device="cpu")
    np.testing.assert_allclose(
        encoded.vector, reference.encode(text, normalize_embeddings=True), atol=1e-6
    )
    tokens = reference.encode(text, output_value="token_embeddings").numpy()[1:-1]
    tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    np.testing.assert_allclose(encoded.tokens, tokens, atol=1e-6)


def test_token_starts_are_code_points_of_the_whole_text_however_long(tiny: Encoder) -> None:
    [encoded] = tiny.encode(["ab c. "])
    assert encoded.starts.tolist() == [0, 1, 3, 4]
    text = "abc " * 100
    [long] = tiny.encode([text])
    assert len(long.tokens) == len(long.starts) == 300
    assert long.starts.tolist() == [i for i, c in enumerate(text) if c != " "]


def test_a_text_over_the_window_is_encoded_to_its_end(tiny: Encoder) -> None:
    start = "abc " * tiny.window
    one, other = tiny.encode([start + "river " * 40, start + "bread " * 40])
    assert not np.allclose(one.vector, other.vector, atol=1e-4)


def test_a_long_texts_vector_is_the_token_weighted_mean_of_its_windows(tiny: Encoder) -> None:
    # Ten words of 6 tokens fill 60 of 62; the 11th straddles the boundary after 2 of its pieces.
    text = "abcdef " * 11
    [vector] = tiny.encode([text])
    cut = 10 * 7 + 2
    parts = tiny.encode([text[:cut], text[cut:]])
    mean = sum(part.vector * len(part.tokens) for part in parts)
    np.testing.assert_allclose(vector.vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_tokens_are_counted_without_special_ones(tiny: Encoder) -> None:
    assert tiny.count_tokens(["abc d", ""]) == [4, 0]


def test_no_texts_give_no_vectors(tiny: Encoder) -> None:
    assert tiny.encode([]) == []


def test_the_fingerprint_depends_on_the_files_not_on_their_folder(
    tiny_model: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(tiny_model, moved)
    assert (
        load_encoder(str(moved)).fingerprint.digest
        == load_encoder(str(tiny_model)).fingerprint.digest
    )
    other = make_model(tmp_path / "other", seed=1)
    assert (
        load_encoder(str(other)).fingerprint.digest
        != load_encoder(str(tiny_model)).fingerprint.digest
    )


def test_an_unknown_name_a_folder_without_weights_and_a_broken_model_are_refused(
    tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(EncoderError, match="could not be fetched from the model hub"):
        load_encoder("nobody/no-such-model")
    with pytest.raises(EncoderError, match=r"has no \.safetensors"):
        load_encoder(str(tmp_path))
    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    (broken / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(EncoderError, match="could not be loaded"):
        load_encoder(str(broken)).encode(["x"])


@pytest.fixture(scope="session")
def tiny_reranker(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random cross-encoder of a few thousand weights."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("reranker")
    tokenizer = BertTokenizerFast.from_pretrained(str(tiny_model))
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=128, num_labels=1,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_a_cross_encoder_reranks_the_best_passages(
    tiny: Encoder, tiny_reranker: Path, article: Document
) -> None:
    plain = Index.build([article], encoder=tiny)
    reranked = Index.build([article], encoder=tiny, reranker=str(tiny_reranker))
    question = "Who signed the Treaty of Rapallo?"
    best = {p.citation for p in plain.search(question, k=50)}
    passages = reranked.search(question, k=5)
    assert {p.citation for p in passages} <= best
    scores = load_reranker(str(tiny_reranker)).scores(
        question, [f"{'. '.join([article.title, *p.citation.section])}. {p.text}" for p in passages]
    )
    assert [p.score for p in passages] == pytest.approx(scores.tolist(), abs=1e-5)
    assert sorted(scores, reverse=True) == pytest.approx(scores.tolist())
    assert passages[0].signals == {"reranker": passages[0].score}


def test_a_cross_encoder_with_several_outputs_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    tokenizer = BertTokenizerFast.from_pretrained(str(tiny_model))
    tokenizer.save_pretrained(tmp_path)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_labels=3,
    )
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match="has 3 outputs"):
        load_reranker(str(tmp_path)).scores("q", ["t"])
    assert load_reranker(str(tiny_model)).scores("q", []).shape == (0,)


def test_a_text_with_more_tokens_than_code_points_is_encoded_window_by_window() -> None:
    """Hangul has about two tokens a syllable: a text shorter than the window may not fit it."""
    encoder = load_encoder()
    text = "안녕하세요 한국 서울 " * 40
    [encoded] = encoder.encode([text])
    assert len(encoded.tokens) > encoder.window
    assert (np.diff(encoded.starts) >= 0).all()
    assert encoded.starts[-1] >= len(text) - 4


def test_another_model_needs_no_default_model(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_installed() -> Path:
        raise EncoderError("the default model is not installed")

    monkeypatch.setattr(models_module, "base_model_folder", not_installed)
    models_module._base_model.cache_clear()
    [encoded] = load_encoder(str(tiny_model)).encode(["bread"])
    assert encoded.tokens.shape[0] == len("bread")
