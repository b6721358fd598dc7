"""Writes what ships: the layers and the projection in half precision, and how they fit together.

``python -m training.encoder.export CHECKPOINT OUT``. Beside the weights stand the files of a
sentence-transformers ``MultiVectorEncoder``. The word embeddings are all-MiniLM-L6-v2's own.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

from ragkit.encoding.encoder import load_tokenizer
from training.encoder.model import TokenEncoder, load_token_encoder
from training.encoder.texts import WINDOW, silent_ids
from training.export import own_weights, write_description, write_weights
from training.sources import sha256
from training.windows import model_folder

BASE: Final = "sentence_transformers."


def export(checkpoint: Path, out: Path) -> dict[str, Any]:
    """What ``encoder.json`` says."""
    encoder = load_token_encoder(checkpoint)
    weights = {
        name.removeprefix("body."): t
        for name, t in own_weights(encoder).items()
        if not name.endswith("scale")
    }
    written = write_weights(weights, out / "layers.safetensors")
    modules = _modules(encoder)
    for name, own in modules.items():
        path = out / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(own, indent=1) + "\n", encoding="utf-8")
    content = {
        **written,
        "dimension": encoder.design.dimension,
        "parameters": sum(t.numel() for t in weights.values()),
        "files": {name: sha256(out / name) for name in modules},
    }
    write_description(content, out / "encoder.json")
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
