"""Tiny models for late interaction, in each of the layouts in which people publish them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from support.parts import VOCABULARY, make_model

WIDTH = 8


def make_own_layout(folder: Path, *, kind: str = "bert", attend: bool = True) -> Path:
    """As sentence-transformers saves one, with prompts and questions that are filled up."""
    import torch
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    words = [*VOCABULARY, "[unused0]", "[unused1]"]
    model = make_model(folder, kind=kind, seed=5, layers=3, noise=0.2, vocabulary=words)
    expansion: Any = {"strategy": "fixed", "attend": attend, "length": 24}
    transformer = Transformer(str(model), max_seq_length=64, query_expansion=expansion)
    tokens: Any = {"module_input_name": "token_embeddings"}
    torch.manual_seed(1)
    identity = torch.nn.Identity()
    wide = Dense(16, 16, bias=False, activation_function=identity, use_residual=True, **tokens)
    narrow = Dense(16, WIDTH, bias=False, activation_function=identity, **tokens)
    modules = [transformer, wide, narrow, MultiVectorMask([".", "?"]), Normalize(**tokens)]
    prompts = {"query": "ask: ", "document": "read: "}
    whole = folder / "whole"
    MultiVectorEncoder(modules=modules, device="cpu", prompts=prompts).save_pretrained(str(whole))
    return whole


def make_pylate_layout(
    folder: Path, *, kind: str = "bert", markers_are_tokens: bool = True, **settings: object
) -> Path:
    """As PyLate saves one: a transformer and a projection, its settings beside the modules.

    A setting that is None is left out.
    """
    model = make_model(folder, kind=kind, seed=6, layers=3, noise=0.2)
    if kind == "modernbert":
        config = json.loads((model / "config.json").read_text(encoding="utf-8"))
        _write(model / "config.json", config | {"local_attention": 36})
    if markers_are_tokens:
        _add_tokens(model, ["[Q] ", "[D] "])
    shutil.rmtree(model / "1_Pooling")
    (model / "1_Dense").mkdir()
    _save_projection(model / "1_Dense" / "model.safetensors")
    identity = "torch.nn.modules.linear.Identity"
    dense = {"in_features": 16, "out_features": WIDTH, "bias": False,
             "activation_function": identity}  # fmt: skip
    _write(model / "1_Dense" / "config.json", dense)
    types = [("", "sentence_transformers.models.Transformer"),
             ("1_Dense", "pylate.models.Dense.Dense")]  # fmt: skip
    modules = [{"idx": i, "name": str(i), "path": path, "type": kind}
               for i, (path, kind) in enumerate(types)]  # fmt: skip
    _write(model / "modules.json", modules)
    own = {"model_type": "ColBERT", "query_prefix": "[Q] ", "document_prefix": "[D] ",
           "query_length": 20, "document_length": 48, "attend_to_expansion_tokens": False,
           "skiplist_words": [".", ",", "?"], "prompts": {}}  # fmt: skip
    _write(model / "config_sentence_transformers.json", {
        name: value for name, value in (own | settings).items() if value is not None
    })  # fmt: skip
    return model


def make_stanford_layout(folder: Path, **settings: object) -> Path:
    """As ColBERT itself saves one: the projection is among the weights of the transformer."""
    from safetensors.numpy import load_file, save_file

    words = [*VOCABULARY, "[unused0]", "[unused1]"]
    model = make_model(folder, seed=7, layers=2, noise=0.2, vocabulary=words)
    weights = {f"bert.{n}": w for n, w in load_file(model / "model.safetensors").items()}
    projection = folder / "projection.safetensors"
    _save_projection(projection)
    save_file(weights | load_file(projection), model / "model.safetensors", {"format": "pt"})
    for name in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"):
        (model / name).unlink()
    shutil.rmtree(model / "1_Pooling")
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    _write(model / "config.json", config | {"architectures": ["HF_ColBERT"]})
    own = {"query_maxlen": 20, "doc_maxlen": 50, "mask_punctuation": True,
           "attend_to_mask_tokens": False}  # fmt: skip
    _write(model / "artifact.metadata", own | settings)
    return model


def _add_tokens(model: Path, tokens: list[str]) -> None:
    from safetensors.numpy import load_file, save_file
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_tokens(tokens)
    tokenizer.save_pretrained(model)
    weights = load_file(model / "model.safetensors")
    [name] = [n for n in weights if n.endswith(("word_embeddings.weight", "tok_embeddings.weight"))]
    rows = np.random.default_rng(0).normal(size=(len(tokens), 16)).astype(np.float32)
    weights[name] = np.concatenate([weights[name], rows])
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    _write(model / "config.json", config | {"vocab_size": len(weights[name])})


def _save_projection(path: Path) -> None:
    from safetensors.numpy import save_file

    weight = np.random.default_rng(1).normal(size=(WIDTH, 16)).astype(np.float32)
    save_file({"linear.weight": weight}, path)


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
