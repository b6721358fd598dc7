"""Encoders of each shape: the graph that is written by hand computes what transformers computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragkit.encoding import load_encoder
from ragkit.encoding.encoder import starts_of
from ragkit.encoding.export import find_export, why_not_exportable
from ragkit.encoding.mpnet import bias_by_distance
from ragkit.encoding.onnx import OnnxEncoder
from ragkit.encoding.shapes import SHAPES
from support.parts import make_model

TEXTS = [
    "rye",
    "who signed the treaty of rapallo in march 1922, and where?",  # longer than a local window
    "bread of rye, " * 20,  # longer than the model's window
]


def change(path: Path, *removed: str, **changes: object) -> None:
    config = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps({k: v for k, v in config.items() if k not in removed}), "utf-8")


def assert_exported_as_computed(model: Path) -> None:
    reference, exported = (load_encoder(str(model), runtime=r) for r in ("reference", "float32"))
    assert isinstance(exported, OnnxEncoder)
    assert exported.window == reference.window
    assert exported.dimension == reference.dimension
    for expected, actual in zip(reference.encode(TEXTS), exported.encode(TEXTS), strict=True):
        np.testing.assert_allclose(actual.vector, expected.vector, atol=1e-5)
        np.testing.assert_allclose(actual.tokens, expected.tokens, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_an_exported_model_of_each_shape_has_the_vectors_of_the_reference(
    tmp_path: Path, kind: str, pooling: str
) -> None:
    model = make_model(tmp_path, kind=kind, seed=3, layers=4, noise=0.2)
    change(model / "1_Pooling" / "config.json", pooling_mode=pooling)
    assert_exported_as_computed(model)


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_int8_vectors_of_each_shape_are_near_those_of_the_reference(
    tmp_path: Path, kind: str
) -> None:
    model = make_model(tmp_path, kind=kind, seed=3, layers=4, noise=0.2)
    expected = load_encoder(str(model), runtime="reference").encode(TEXTS)
    rounded = load_encoder(str(model), runtime="int8").encode(TEXTS)
    for one, other in zip(rounded, expected, strict=True):
        assert one.vector @ other.vector > 0.98
        assert np.einsum("ij,ij->i", one.tokens, other.tokens).min() > 0.98


def test_a_modernbert_is_read_as_its_publishers_wrote_its_configuration(tmp_path: Path) -> None:
    """Before transformers 5, with one number for the global layers and one theta for each kind."""
    model = make_model(tmp_path, kind="modernbert", seed=3, layers=4, noise=0.2)
    change(
        model / "config.json", "layer_types", "rope_parameters",
        global_attn_every_n_layers=2, global_rope_theta=50.0, local_rope_theta=20.0,
    )  # fmt: skip
    assert_exported_as_computed(model)


def test_a_modernbert_follows_the_layer_types_and_angles_that_transformers_5_lists(
    tmp_path: Path,
) -> None:
    model = make_model(tmp_path, kind="modernbert", seed=3, layers=4, noise=0.2)
    kinds = ["sliding_attention", "full_attention", "full_attention", "sliding_attention"]
    angles = {kind: {"rope_theta": 10.0 + len(kind), "rope_type": "default"} for kind in kinds}
    change(model / "config.json", layer_types=kinds, rope_parameters=angles)
    assert_exported_as_computed(model)


def test_an_encoder_inside_a_model_for_masked_words_is_exported_alone(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    model = make_model(tmp_path, kind="modernbert", seed=3, layers=2, noise=0.2)
    weights = load_file(model / "model.safetensors")
    save_file({f"model.{n}": w for n, w in weights.items()}, model / "model.safetensors")
    assert_exported_as_computed(model)


def test_weights_in_bfloat16_are_exported(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    model = make_model(tmp_path, kind="modernbert", seed=3, layers=2, noise=0.2)
    path = model / "model.safetensors"
    save_file({n: w.to(torch.bfloat16) for n, w in load_file(path).items()}, path, {"format": "pt"})
    expected = load_encoder(str(model), runtime="reference").encode(TEXTS)
    exported = load_encoder(str(model), runtime="float32").encode(TEXTS)
    for one, other in zip(exported, expected, strict=True):
        assert one.vector @ other.vector > 0.999


def test_the_bias_of_each_distance_is_that_of_transformers() -> None:
    import torch
    from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

    own = np.arange(64, dtype=np.float32).reshape(32, 2)
    distances = torch.arange(-599, 600)
    expected = own[MPNetEncoder.relative_position_bucket(distances).numpy()].T
    np.testing.assert_array_equal(bias_by_distance(own, 600), expected)


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("mpnet", {"relative_attention_num_buckets": 64}, "have 64 buckets, not 32"),
        ("mpnet", {"hidden_act": "relu"}, "its activation is 'relu', not 'gelu'"),
        ("distilbert", {"activation": "relu"}, "its activation is 'relu', not 'gelu'"),
        ("modernbert", {"hidden_activation": "silu"}, "its activation is 'silu', not 'gelu'"),
        ("modernbert", {"mlp_bias": True}, "its layers have biases"),
        ("modernbert", {"rope_scaling": {"rope_type": "linear"}}, "its positions are scaled"),
        (
            "modernbert",
            {"rope_parameters": {"full_attention": {"rope_type": "yarn"}}},
            "its positions are scaled",
        ),
    ],
)
def test_what_a_graph_does_not_compute_is_refused(
    tmp_path: Path, kind: str, changes: dict[str, Any], reason: str
) -> None:
    model = make_model(tmp_path, kind=kind)
    change(model / "config.json", **changes)
    assert reason in str(why_not_exportable(model))


def test_the_least_that_a_token_costs_counts_the_gate_of_a_modernbert(tmp_path: Path) -> None:
    """Two layers: 4 · 16² for attention, and 3 products of 16 · 32 with a gate, else 2."""
    expected = {"bert": 2 * (4 * 256 + 2 * 512), "modernbert": 2 * (4 * 256 + 3 * 512)}
    for kind, macs in expected.items():
        encoder = load_encoder(str(make_model(tmp_path / kind, kind=kind, layers=2)))
        export = find_export(encoder.fingerprint, "int8")
        assert export is not None
        assert export.macs == macs


def test_a_token_of_byte_pairs_starts_at_its_letters_and_not_at_the_blank_before_them() -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    text = "the caf\u00e9\u00a0was closed\n on  Sunday"
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([text] * 9, trainer)
    encoding = tokenizer.encode(text)
    starts = starts_of(text, encoding, range(len(encoding)))
    firsts = [text[start] for start in starts if not text[start].isspace()]
    assert firsts == ["t", "c", "w", "c", "o", "S"]
    assert "\u0120closed" in encoding.tokens
