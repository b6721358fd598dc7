"""Writes what ships: the layers and the projection in half precision, and how they fit together.

``python -m training.encoder.export CHECKPOINT OUT``. Beside the weights stand the files of a
sentence-transformers ``MultiVectorEncoder``. The word embeddings are all-MiniLM-L6-v2's own.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file

from ragkit.encoding.encoder import load_tokenizer
from training.encoder.model import TokenEncoder, load_token_encoder
from training.encoder.texts import WINDOW, silent_ids
from training.model import shipped_alone
from training.sources import sha256
from training.windows import model_folder

LARGEST: Final = 25 * 2**20
BASE: Final = "sentence_transformers."


def export(checkpoint: Path, out: Path) -> dict[str, Any]:
    """What ``encoder.json`` says."""
    encoder = load_token_encoder(checkpoint)
    out.mkdir(parents=True, exist_ok=True)
    weights = out / "layers.safetensors"
    named = {
        name.removeprefix("body."): t
        for name, t in encoder.state_dict().items()
        if not shipped_alone(name) and not name.endswith("scale")
    }
    kept = {name: t.to(torch.float16).contiguous() for name, t in sorted(named.items())}
    save_file(kept, weights, metadata={"format": "pt"})
    if weights.stat().st_size > LARGEST:
        raise ValueError(f"{weights} is larger than what may ship")
    modules = _modules(encoder)
    for name, own in modules.items():
        path = out / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(own, indent=1) + "\n", encoding="utf-8")
    content = {
        "base": "sentence-transformers/all-MiniLM-L6-v2",
        "base_sha256": sha256(model_folder() / "model.safetensors"),
        "sha256": sha256(weights),
        "dtype": "float16",
        "dimension": encoder.design.dimension,
        "parameters": sum(t.numel() for t in kept.values()),
        "files": {name: sha256(out / name) for name in modules},
    }
    (out / "encoder.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return content


def _modules(encoder: TokenEncoder) -> dict[str, Any]:
    """The configuration files of a sentence-transformers model."""
    by_id = {i: t for t, i in load_tokenizer(model_folder() / "tokenizer.json").get_vocab().items()}
    of_tokens = {"module_input_name": "token_embeddings", "module_output_name": "token_embeddings"}
    kinds = {
        "": "base.modules.transformer.Transformer",
        "1_Dense": "base.modules.dense.Dense",
        "2_MultiVectorMask": "multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask",
        "3_Normalize": "base.modules.normalize.Normalize",
    }
    return {
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": BASE + kind}
            for i, (path, kind) in enumerate(kinds.items())
        ],
        "config_sentence_transformers.json": {
            "model_type": "MultiVectorEncoder",
            "prompts": {"document": "", "query": ""},
            "default_prompt_name": None,
            "similarity_fn_name": None,
        },
        "sentence_bert_config.json": {
            "transformer_task": "feature-extraction",
            "modality_config": {
                "text": {"method": "forward", "method_output_name": "last_hidden_state"}
            },
            "module_output_name": "token_embeddings",
            "max_seq_length": WINDOW + 2,
        },
        "1_Dense/config.json": {
            "in_features": encoder.body.config.hidden_size,
            "out_features": encoder.design.dimension,
            "bias": False,
            "activation_function": "torch.nn.modules.linear.Identity",
            **of_tokens,
        },
        "2_MultiVectorMask/config.json": {
            "skiplist_words": [by_id[i] for i in silent_ids().tolist()],
            "skiplist_tasks": ["query", "document"],
            "keep_only_token_ids": None,
        },
        "3_Normalize/config.json": of_tokens,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    print(json.dumps(export(options.checkpoint, options.out), indent=1))


if __name__ == "__main__":
    main()
