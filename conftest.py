"""Real parts for the tests: a tiny model made on the spot, the seed article, the default index."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
os.environ["RAGKIT_CACHE"] = tempfile.mkdtemp(prefix="ragkit-tests-")

from ragkit import Document, Index
from ragkit.corpus import load_sources
from ragkit.default import default_index
from ragkit.encoding import Encoder, load_encoder
from support.parts import SEED, make_model


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["RAGKIT_CACHE"], ignore_errors=True)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny(tiny_model: Path) -> Encoder:
    return load_encoder(str(tiny_model))


@pytest.fixture(scope="session")
def article() -> Document:
    [(document, _)] = load_sources(SEED)
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
