"""The query encoder: the exported model has the reference's vectors, and needs no torch."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ragkit import Document, Index
from ragkit.encoding import Encoder, Runtime, load_encoder, query_encoder, usable_cpus
from ragkit.encoding.export import find_export, make_export, why_not_exportable
from ragkit.encoding.models import BASE_MODEL, find_model
from ragkit.encoding.onnx import OnnxEncoder
from ragkit.errors import EncoderError, InputError
from support.parts import make_model

TEXTS = [
    "Who signed the Treaty of Rapallo?",
    "x",
    "Germany–Soviet Union relations (1918–1941). How many tonnes of oil, grain and manganese ore "
    "did the Soviet Union promise to deliver within eighteen months of the agreement?",
    "안녕하세요",
]


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    found: np.ndarray = (one * other).sum(axis=-1)
    return found


def test_an_exported_model_has_the_vectors_of_the_reference() -> None:
    reference = load_encoder(runtime="reference").encode(TEXTS)
    exported = load_encoder(runtime="float32").encode(TEXTS)
    for expected, found in zip(reference, exported, strict=True):
        assert found.starts.tolist() == expected.starts.tolist()
        assert cosines(found.vector, expected.vector) > 0.9999
        assert cosines(found.tokens, expected.tokens).min() > 0.9999


def test_int8_vectors_are_near_those_of_the_reference() -> None:
    reference = load_encoder(runtime="reference").encode(TEXTS)
    rounded = load_encoder(runtime="int8").encode(TEXTS)
    for expected, found in zip(reference, rounded, strict=True):
        assert cosines(found.vector, expected.vector) > 0.985
        assert cosines(found.tokens, expected.tokens).min() > 0.98
        np.testing.assert_allclose(np.linalg.norm(found.tokens, axis=1), 1, atol=1e-5)


def test_int8_vectors_do_not_depend_on_the_other_texts_of_the_batch() -> None:
    encoder = load_encoder(runtime="int8")
    for text, together in zip(TEXTS, encoder.encode(TEXTS), strict=True):
        [alone] = encoder.encode([text])
        np.testing.assert_allclose(together.tokens, alone.tokens, atol=1e-5)
        np.testing.assert_allclose(together.vector, alone.vector, atol=1e-5)


def test_int8_weights_have_seven_bits_so_that_all_processors_agree(tiny_model: Path) -> None:
    """Two products of 8 by 7 bits fit the 16 bits that processors without VNNI add in."""
    import onnx

    load_encoder(str(tiny_model), runtime="int8")
    fingerprint = load_encoder(str(tiny_model)).fingerprint
    export = find_export(fingerprint, "int8")
    assert export is not None
    model = onnx.load(export.model)
    weights = {n.input[1] for n in model.graph.node if n.op_type == "MatMulIntegerToFloat"}
    values = [onnx.numpy_helper.to_array(c) for c in model.graph.initializer if c.name in weights]
    assert len(values) == 4
    assert all(v.dtype == np.int8 and np.abs(v.astype(int)).max() <= 63 for v in values)


@pytest.mark.parametrize(
    ("file", "change", "reason"),
    [
        ("config.json", {"model_type": "electra"}, "its type is 'electra'"),
        ("config.json", {"hidden_act": "relu"}, "its activation is 'relu'"),
        ("1_Pooling/config.json", {"pooling_mode": "max"}, "neither mean nor CLS"),
    ],
)
def test_a_model_that_cannot_be_exported_encodes_questions_itself(
    tmp_path: Path, file: str, change: dict[str, str], reason: str
) -> None:
    model = make_model(tmp_path)
    config = json.loads((model / file).read_text(encoding="utf-8"))
    (model / file).write_text(json.dumps({**config, **change}), encoding="utf-8")
    assert reason in str(why_not_exportable(model))
    with pytest.raises(EncoderError, match="runtime='reference'"):
        load_encoder(str(model), runtime="int8")
    encoder = query_encoder(load_encoder(str(model)).fingerprint)
    assert not isinstance(encoder, OnnxEncoder)


@pytest.mark.parametrize("runtime", ["reference", "float32"])
def test_ligatures_are_read_as_the_letters_they_stand_for(runtime: Runtime) -> None:
    encoder = load_encoder(BASE_MODEL, runtime=runtime)
    written, plain = "Who classi\ufb01ed the \ufb02uid?", "Who classified the fluid?"
    [one, other] = encoder.encode([written, plain])
    np.testing.assert_allclose(one.tokens, other.tokens, atol=1e-5)
    assert [written[start] for start in one.starts] == ["W", "c", "t", "\ufb02", "?"]


def test_a_model_without_pooling_is_not_exportable(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    modules = json.loads((model / "modules.json").read_text(encoding="utf-8"))
    (model / "modules.json").write_text(json.dumps(modules[:1]), encoding="utf-8")
    assert "its modules are ['Transformer']" in str(why_not_exportable(model))


def test_a_damaged_or_missing_export_is_written_again(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("RAGKIT_CACHE", str(tmp_path))
    fingerprint = load_encoder(str(tiny_model), runtime="reference").fingerprint
    assert find_export(fingerprint, "int8") is None
    query_encoder(fingerprint)
    export = find_export(fingerprint, "int8")
    assert export is not None
    for path in sorted(export.directory.iterdir()):
        whole = path.read_bytes()
        for damaged in (whole[:-1], whole[: len(whole) // 2], b"", _flipped(whole)):
            path.write_bytes(damaged)
            caplog.clear()
            with caplog.at_level(logging.WARNING, logger="ragkit"):
                assert find_export(fingerprint, "int8") is None
            assert "exporting it again" in caplog.text
            encoder = query_encoder(fingerprint)
            assert isinstance(encoder, OnnxEncoder)
            assert path.read_bytes() == whole
    assert not list(tmp_path.rglob(".partial-*"))


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def test_questions_are_encoded_even_if_the_cache_cannot_be_written(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("RAGKIT_CACHE", str(tmp_path / "file"))
    encoder = query_encoder(load_encoder(str(tiny_model)).fingerprint)
    assert isinstance(encoder, OnnxEncoder)
    assert encoder.encode(["bread"])[0].vector.shape == (encoder.dimension,)


def test_weights_that_do_not_match_the_configuration_are_refused(tmp_path: Path) -> None:
    model = make_model(tmp_path)
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (model / "config.json").write_text(
        json.dumps({**config, "num_hidden_layers": 2}), encoding="utf-8"
    )
    directory, _ = find_model(str(model))
    with pytest.raises(EncoderError, match=r"could not be loaded \(KeyError"):
        make_export(directory, load_encoder(str(model)).fingerprint, "int8")


def test_an_unknown_runtime_is_refused_and_the_valid_ones_named() -> None:
    with pytest.raises(InputError, match="'reference', 'float32', 'int8'"):
        load_encoder(runtime="fp16")  # type: ignore[arg-type]


def test_the_reference_builds_an_index_and_its_export_encodes_questions(tiny_model: Path) -> None:
    index = Index.build([Document("a", "A", "Bread is made of flour.")], encoder=str(tiny_model))
    assert isinstance(index.encoder, OnnxEncoder)
    assert index.encoder.fingerprint.digest == load_encoder(str(tiny_model)).fingerprint.digest


def test_an_index_opened_elsewhere_keeps_the_fingerprint_it_was_built_with(
    tiny: Encoder, tiny_model: Path, tmp_path: Path
) -> None:
    built = Index.build([Document("a", "A", "Bread.")], tmp_path / "i", encoder=str(tiny_model))
    opened = Index.open(tmp_path / "i")
    assert opened.encoder.fingerprint == built.encoder.fingerprint == tiny.fingerprint
    assert opened.ask("bread?").to_dict() == built.ask("bread?").to_dict()


def test_answering_never_imports_torch(tmp_path: Path) -> None:
    """Not even the first time, when the model is exported."""
    code = (
        "import sys, ragkit\n"
        "answer = ragkit.ask('Who signed the Treaty of Rapallo?')\n"
        "assert 'Rapallo' in answer.passages[0].citation.section[-1], answer\n"
        "print({'torch', 'transformers', 'sentence_transformers', 'scipy', 'nupunkt', 'rich'}\n"
        "      & set(sys.modules))\n"
    )
    for _ in ("first", "again"):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "RAGKIT_CACHE": str(tmp_path)},
        )  # fmt: skip
        assert done.stdout.strip() == "set()"


def test_building_and_updating_with_the_default_model_never_import_torch(tmp_path: Path) -> None:
    (tmp_path / "bread.txt").write_text("Bread is made of flour.")
    code = (
        "import sys\n"
        "from ragkit import Index\n"
        "Index.build('bread.txt', 'index')\n"
        "open('bread.txt', 'a').write(' Rye bread is dark.')\n"
        "assert 'dark' in Index.update('index').ask('What is rye bread like?').passages[0].text\n"
        "print({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "set()"


def test_threads_follow_the_containers_quota(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path) >= 1
    (tmp_path / "cpu.max").write_text("50000 100000\n", encoding="ascii")
    assert usable_cpus(tmp_path) == 1  # half a processor
    (tmp_path / "cpu.max").write_text("max 100000\n", encoding="ascii")
    assert usable_cpus(tmp_path) == usable_cpus(tmp_path / "nothing here")
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000\n", encoding="ascii")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n", encoding="ascii")
    assert usable_cpus(tmp_path) == 1
