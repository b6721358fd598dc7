"""Where things are in the repository, and a tiny model made on the spot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ragkit.storage.checksums import seal

ROOT = Path(__file__).parent.parent.parent
SEED = ROOT / "seeds" / "germany-soviet-union-relations-1918-1941.txt"
DEFAULT_INDEX = ROOT / "indexes" / "germany-soviet-union-relations-1918-1941"

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz0123456789"]
VOCABULARY += [f"##{c}" for c in VOCABULARY[5:]] + list(".,:;!?-=()'\"")

_BEFORE_FIRST = {"bert": 0, "distilbert": 0, "modernbert": 0, "mpnet": 2}
_DISTILBERT = {
    "hidden_size": "dim",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "intermediate_size": "hidden_dim",
}
_SETTINGS: dict[str, dict[str, Any]] = {
    "bert": {"type_vocab_size": 2},
    "roberta": {"type_vocab_size": 1},
    "xlm-roberta": {"type_vocab_size": 1},
    "camembert": {"type_vocab_size": 1},
    "modernbert": {"local_attention": 16, "global_attn_every_n_layers": 3, "cls_token_id": 2,
                   "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3},
}  # fmt: skip


def make_model(
    folder: Path, *, kind: str = "bert", seed: int = 0, window: int = 64, width: int = 16,
    layers: int = 1, noise: float = 0, vocabulary: Sequence[str] = VOCABULARY,
) -> Path:  # fmt: skip
    """A whole sentence-transformers model of a few thousand weights, saved in ``folder``.

    ``noise`` is added to the weights: as they are initialised, they hardly tell places apart.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoConfig, AutoModel, BertTokenizerFast

    torch.manual_seed(seed)
    bert = folder / "bert"
    bert.mkdir(parents=True)
    (bert / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    BertTokenizerFast(str(bert / "vocab.txt")).save_pretrained(bert)
    settings = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 2 * width,
        "max_position_embeddings": window + _BEFORE_FIRST.get(kind, 1),
    }
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(vocabulary),
        pad_token_id=0,
        **{_DISTILBERT.get(name, name) if kind == "distilbert" else name: value
           for name, value in settings.items()},
        **_SETTINGS.get(kind, {}),
    )  # fmt: skip
    transformer = AutoModel.from_config(config)
    if noise:
        with torch.no_grad():
            for weight in transformer.parameters():
                weight.add_(torch.randn_like(weight) * noise)
    transformer.save_pretrained(bert)
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
