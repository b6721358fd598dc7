"""Where things are in the repository, and a tiny model made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ragkit.storage.checksums import seal

ROOT = Path(__file__).parent.parent.parent
SEED = ROOT / "seeds" / "germany-soviet-union-relations-1918-1941.txt"
DEFAULT_INDEX = ROOT / "indexes" / "germany-soviet-union-relations-1918-1941"

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz0123456789"]
VOCABULARY += [f"##{c}" for c in VOCABULARY[5:]] + list(".,:;!?-=()'\"")


def make_model(
    folder: Path, *, kind: str = "bert", seed: int = 0, window: int = 64, width: int = 16,
    layers: int = 1,
) -> Path:  # fmt: skip
    """A whole sentence-transformers model of a few thousand weights, saved in ``folder``."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoConfig, AutoModel, BertTokenizerFast

    torch.manual_seed(seed)
    bert = folder / "bert"
    bert.mkdir(parents=True)
    (bert / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    BertTokenizerFast(str(bert / "vocab.txt")).save_pretrained(bert)
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(VOCABULARY),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * width,
        max_position_embeddings=window + (kind != "bert"),
        type_vocab_size=2 if kind == "bert" else 1,
        pad_token_id=0,
    )
    AutoModel.from_config(config).save_pretrained(bert)
    words = Transformer(str(bert), max_seq_length=window)
    model = folder / "model"
    SentenceTransformer(
        modules=[words, Pooling(words.get_embedding_dimension())], device="cpu"
    ).save(str(model))
    return model


def make_multi_vector_model(folder: Path, *, bias: bool = False, width: int = 8) -> Path:
    """A model for late interaction, as ``MultiVectorEncoder`` saves it, in ``folder``."""
    import torch
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    words = Transformer(str(make_model(folder)), max_seq_length=64)
    torch.manual_seed(1)
    tokens = {"module_input_name": "token_embeddings"}
    projection = Dense(16, width, bias=bias, activation_function=torch.nn.Identity(), **tokens)
    silent = ["[CLS]", "[SEP]", ".", "?"]
    mask = MultiVectorMask(silent, skiplist_tasks=["query", "document"])
    model = folder / "multi"
    MultiVectorEncoder(
        modules=[words, projection, mask, Normalize(**tokens)], device="cpu"
    ).save_pretrained(str(model))
    return model


def manifest_of(index: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((index / "manifest.json").read_text(encoding="utf-8"))
    return content


def rewrite_manifest(index: Path, **changes: object) -> None:
    """Give the manifest other fields and a checksum that fits them."""
    content = manifest_of(index) | changes
    del content["checksum"]
    (index / "manifest.json").write_bytes(seal(content))
