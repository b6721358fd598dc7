"""Questions get the same tokens from the table of a vocabulary as from the whole tokenizer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE, Unigram
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import UnigramTrainer

from ragkit.encoding.encoder import Tokens, load_tokenizer
from ragkit.encoding.pieces import PieceTokenizer, has_pieces, write_pieces

CORPUS = [
    "When was the treaty signed, and by whom? The treaty was signed in 1922.",
    "Wann wurde der Vertrag unterzeichnet? Der Vertrag wurde 1922 unterzeichnet.",
    "条约是什么时候签署的？条约于1922年签署。",
    "متى تم توقيع المعاهدة؟ تم توقيع المعاهدة عام 1922.",
    "Когда был подписан договор? Договор был подписан в 1922 году.",
] * 4
SPECIAL = ["<s>", "</s>", "<unk>"]


def _trained() -> Tokenizer:
    """A tokenizer of XLM-R's kind: pieces of words behind a mark for the blank."""
    tokenizer = Tokenizer(Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = UnigramTrainer(vocab_size=150, special_tokens=SPECIAL, unk_token="<unk>")
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return tokenizer


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tokenizer.json"
    _trained().save(str(path))
    write_pieces(path, path.parent, fewest=10)
    return path


def _same(one: Sequence[Tokens], other: Sequence[Tokens]) -> bool:
    return all(
        (a.ids, a.offsets, list(a.special_tokens_mask), len(a))
        == (b.ids, b.offsets, b.special_tokens_mask, len(b))
        for a, b in zip(one, other, strict=True)
    )


@given(
    st.lists(
        st.one_of(
            st.sampled_from(CORPUS), st.text(max_size=40), st.text("trey 约ةп<>s/", max_size=30)
        ),
        min_size=1,
        max_size=3,
    ),
    st.booleans(),
)
def test_the_tokens_are_those_of_the_whole_tokenizer(
    path: Path, texts: list[str], special: bool
) -> None:
    """The library itself is the oracle, for words of the corpus and for any text."""
    whole, own = load_tokenizer(path), PieceTokenizer(path)
    expected = whole.encode_batch(texts, add_special_tokens=special)
    assert _same(own.encode_batch(texts, add_special_tokens=special), expected)


def test_a_special_token_in_a_text_is_one(path: Path) -> None:
    """What stands around it is normalised by itself, so the whole tokenizer reads such a text."""
    whole, own = load_tokenizer(path), PieceTokenizer(path)
    texts = ["the </s>treaty", "plain"]
    assert _same(own.encode_batch(texts), whole.encode_batch(texts))
    assert 1 in own.encode(texts[0]).ids[1:-1]


def test_a_character_that_no_piece_has_is_unknown(path: Path) -> None:
    """Its id is the model's own, not that of the vocabulary made for the text."""
    assert PieceTokenizer(path).encode("ж☃", add_special_tokens=False).ids.count(2) >= 1


def test_the_special_tokens_are_counted(path: Path) -> None:
    assert PieceTokenizer(path).num_special_tokens_to_add(is_pair=False) == 2


def test_the_table_is_not_loaded(path: Path) -> None:
    """It is mapped: what no question needs stays on the disk."""
    assert not PieceTokenizer(path)._hashes.flags.owndata


def test_small_vocabularies_have_no_table(path: Path, tmp_path: Path) -> None:
    write_pieces(path, tmp_path)
    assert not has_pieces(tmp_path)


def test_other_kinds_of_tokenizers_have_no_table(path: Path, tmp_path: Path) -> None:
    """Byte pairs merge in an order that depends on more than the text's own pieces."""
    other = tmp_path / "tokenizer.json"
    Tokenizer(BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")])).save(str(other))
    write_pieces(other, tmp_path, fewest=1)
    assert not has_pieces(tmp_path)
    fallback = json.loads(path.read_text(encoding="utf-8"))
    fallback["model"]["byte_fallback"] = True
    other.write_text(json.dumps(fallback), encoding="utf-8")
    write_pieces(other, tmp_path, fewest=1)
    assert not has_pieces(tmp_path)
