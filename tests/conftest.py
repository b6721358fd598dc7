"""Real parts for the tests: a tiny model made on the spot, the seed article, the default index."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
os.environ["RAGKIT_CACHE"] = tempfile.mkdtemp(prefix="ragkit-tests-")

from ragkit import Document, Index
from ragkit.api import default_index
from ragkit.corpus import read_sources
from ragkit.encoding import Encoder, load_encoder

ROOT = Path(__file__).parent.parent
SEED = ROOT / "seeds" / "germany-soviet-union-relations-1918-1941.txt"
DEFAULT_INDEX = ROOT / "indexes" / "germany-soviet-union-relations-1918-1941"

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz0123456789"]
VOCABULARY += [f"##{c}" for c in VOCABULARY[5:]] + list(".,:;!?-=()'\"")


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["RAGKIT_CACHE"], ignore_errors=True)


def make_model(
    folder: Path, *, seed: int = 0, window: int = 64, width: int = 16, layers: int = 1
) -> Path:
    """A whole sentence-transformers model of a few thousand weights, saved in ``folder``."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(seed)
    bert = folder / "bert"
    bert.mkdir(parents=True)
    (bert / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    BertTokenizerFast(str(bert / "vocab.txt")).save_pretrained(bert)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * width,
        max_position_embeddings=window,
    )
    BertModel(config).save_pretrained(bert)
    words = Transformer(str(bert), max_seq_length=window)
    model = folder / "model"
    SentenceTransformer(
        modules=[words, Pooling(words.get_embedding_dimension())], device="cpu"
    ).save(str(model))
    return model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny(tiny_model: Path) -> Encoder:
    return load_encoder(str(tiny_model))


@pytest.fixture(scope="session")
def article() -> Document:
    [(document, _)] = read_sources(SEED)
    return document


@pytest.fixture(scope="session")
def german_soviet() -> Index:
    return default_index()


@pytest.fixture
def documents() -> list[Document]:
    """Two short articles, small enough to reason about by hand."""
    return [
        Document(
            id="rivers",
            title="Rivers",
            text="= Rivers =\n\nRivers flow to the sea.\n\n== Danube ==\n\nIt rises in Germany. "
            "It ends in the Black Sea.\n\n== Rhine ==\n\nIt rises in Switzerland.\n",
            url="https://example.org/rivers",
        ),
        Document(id="bread", title="Bread", text="Bread is made of flour. Rye bread is dark.\n"),
    ]


def manifest_of(index: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((index / "manifest.json").read_text(encoding="utf-8"))
    return content
