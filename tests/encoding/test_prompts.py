"""Models that read questions and passages after prompts of their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ragkit import Document, Index, IndexMismatchError, Prompts, load_encoder
from ragkit.encoding import Runtime
from ragkit.encoding.encoder import Role, to_encoded
from ragkit.encoding.prompts import find_prompts
from support.parts import make_model, manifest_of

PROMPTS = {"query": "ask: ", "document": "say: "}


@pytest.fixture(scope="module")
def prompted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose own configuration names its prompts."""
    model = make_model(tmp_path_factory.mktemp("prompted"))
    path = model / "config_sentence_transformers.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "prompts": PROMPTS}), encoding="utf-8")
    return model


@pytest.mark.parametrize("runtime", ["reference", "float32"])
@pytest.mark.parametrize(("role", "prompt"), [("question", "ask: "), ("passage", "say: ")])
def test_vectors_are_those_of_sentence_transformers_with_the_prompt(
    prompted: Path, runtime: Runtime, role: Role, prompt: str
) -> None:
    from sentence_transformers import SentenceTransformer

    text = "Bread is made of flour."
    [encoded] = load_encoder(str(prompted), runtime=runtime).encode([text], role=role)
    reference = SentenceTransformer(str(prompted), device="cpu")
    expected = reference.encode(text, prompt=prompt, normalize_embeddings=True)
    np.testing.assert_allclose(encoded.vector, expected, atol=1e-5)
    tokens = reference.encode(text, prompt=prompt, output_value="token_embeddings").numpy()
    own = tokens[1 + len("ask:") : -1]  # the tiny model has a token for each letter
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    np.testing.assert_allclose(encoded.tokens, own, atol=1e-5)
    assert [text[start] for start in encoded.starts] == list(text.replace(" ", ""))


@pytest.mark.parametrize("runtime", ["reference", "float32"])
def test_each_window_of_a_long_text_follows_the_prompt(prompted: Path, runtime: Runtime) -> None:
    encoder = load_encoder(str(prompted), runtime=runtime)
    assert encoder.window == 64 - 2 - len("ask:")
    words, letters = divmod(encoder.window, 3)
    cut = 4 * words + letters
    text = "abc " * (2 * encoder.window // 3)
    [long] = encoder.encode([text])
    first, second = encoder.encode([text[:cut], text[cut:]])
    assert long.starts.tolist() == [i for i, c in enumerate(text) if c != " "]
    parts = np.concatenate([first.tokens, second.tokens])
    np.testing.assert_allclose(long.tokens, parts, atol=1e-5)


def test_a_prompt_for_every_text_is_put_in_front_once(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    path = model / "config_sentence_transformers.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {"prompts": {"any": "x: "}, "default_prompt_name": "any"}
    path.write_text(json.dumps(config), encoding="utf-8")
    [by_default] = load_encoder(str(model), runtime="reference").encode(["bread"])
    [exported] = load_encoder(str(model), runtime="float32").encode(["bread"])
    [plain] = load_encoder(str(model), prompts=Prompts(), runtime="reference").encode(["x: bread"])
    assert find_prompts(model, "model") == Prompts("x: ", "x: ")
    np.testing.assert_allclose(by_default.vector, plain.vector, atol=1e-6)
    np.testing.assert_allclose(exported.vector, plain.vector, atol=1e-5)


def test_an_index_is_asked_with_the_prompts_that_it_was_built_with(
    prompted: Path, tmp_path: Path, documents: list[Document]
) -> None:
    given = Prompts("who? ", "this: ")
    Index.build(documents, tmp_path / "i", encoder=load_encoder(str(prompted), prompts=given))
    assert Index.open(tmp_path / "i").encoder.fingerprint.prompts == given
    by_name = Index.open(tmp_path / "i", encoder=str(prompted))
    assert by_name.encoder.fingerprint.prompts == given
    updated = Index.update(tmp_path / "i", documents[:2])
    assert updated.update_report is not None
    assert updated.update_report.counts["removed"] == len(documents) - 2
    with pytest.raises(IndexMismatchError, match="fingerprint"):
        Index.open(tmp_path / "i", encoder=load_encoder(str(prompted)))


def test_an_index_without_prompts_is_recorded_as_before_there_were_any(
    tiny_model: Path, tmp_path: Path, documents: list[Document]
) -> None:
    Index.build(documents, tmp_path / "i", encoder=str(tiny_model))
    recorded = manifest_of(tmp_path / "i")["encoder"]
    assert isinstance(recorded, dict)
    assert "prompts" not in recorded


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("intfloat/multilingual-e5-small", Prompts("query: ", "passage: ")),
        ("models/e5-base-v2", Prompts("query: ", "passage: ")),
        ("intfloat/multilingual-e5-large-instruct", Prompts()),
        ("nomic-ai/nomic-embed-text-v1.5", Prompts("search_query: ", "search_document: ")),
        ("Snowflake/snowflake-arctic-embed-m-v2.0", Prompts("query: ")),
        ("BAAI/bge-m3", Prompts()),
        ("all-MiniLM-L6-v2", Prompts()),
    ],
)
def test_prompts_of_families_whose_files_name_none_are_known(
    tmp_path: Path, name: str, expected: Prompts
) -> None:
    assert find_prompts(tmp_path, name) == expected


def test_a_blank_that_a_tokenizer_counts_to_the_next_word_is_not_where_the_word_starts() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    pieces = [("<unk>", 0.0), ("▁one", -1.0), ("▁two", -1.0), ("▁", -2.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    encoding = tokenizer.encode("one two")
    assert encoding.offsets == [(0, 3), (3, 7)]
    vectors = np.eye(2, dtype=np.float32)
    assert to_encoded(vectors[0], vectors, "one two", encoding).starts.tolist() == [0, 4]
