"""Real parts for the tests: a tiny model, the seed article, the default index, its question set."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
os.environ["LC_ALL"] = "C.UTF-8"  # messages are English unless a test asks for others
os.environ["RAGKIT_CACHE"] = tempfile.mkdtemp(prefix="ragkit-tests-")

from ragkit import Answer, Document, Index
from ragkit.corpus import load_sources
from ragkit.default import default_index
from ragkit.encoding import Encoder, load_encoder
from ragkit.evaluation import QuestionSet, Report, evaluate_index, load_set
from support.parts import ROOT, SEED, make_model
from support.talks import MANUALS


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["RAGKIT_CACHE"], ignore_errors=True)


# Browser tests are run by themselves (scripts/browser); a plain run needs none of their packages.
_BROWSER_TESTS = [
    "tests/serving/test_page.py",
    "tests/serving/test_api_page_in_browser.py",
    "tests/serving/test_talks_in_browser.py",
    "tests/serving/test_languages_in_browser.py",
    "tests/evaluation/test_review_in_browser.py",
]
collect_ignore = [] if find_spec("axe_playwright_python") else _BROWSER_TESTS


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny(tiny_model: Path) -> Encoder:
    return load_encoder(str(tiny_model), runtime="reference")


@pytest.fixture(scope="session")
def article() -> Document:
    [(document, _)] = load_sources(SEED)
    return document


@pytest.fixture(scope="session")
def german_soviet() -> Index:
    return default_index()


@pytest.fixture(scope="session")
def manuals() -> Index:
    """The index of the manuals that scripted talks are about."""
    return Index.build(MANUALS)


@pytest.fixture(scope="session")
def committed(german_soviet: Index) -> QuestionSet:
    """The question set of ``eval/``."""
    return load_set(ROOT / "eval" / "questions.jsonl", german_soviet)


@pytest.fixture(scope="session")
def committed_answers(committed: QuestionSet, german_soviet: Index) -> Mapping[str, Answer]:
    """The default index's answer to each question of ``eval/``; several tests measure them."""
    questions = [question.text for question in committed]
    return dict(zip(questions, german_soviet.ask_many(questions, k=10), strict=True))


@pytest.fixture(scope="session")
def report(
    committed: QuestionSet, german_soviet: Index, committed_answers: Mapping[str, Answer]
) -> Report:
    """The report of the default index on the question set of ``eval/``."""
    return evaluate_index(committed, german_soviet, ask=committed_answers.__getitem__)


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
