"""A pytest plugin: ``pytest --ragkit eval`` adds a test for each check of the gate.

Every pytest run of an environment that has ragkit imports this module, so it imports the rest of
ragkit only if ``--ragkit`` is passed.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ragkit.errors import RagkitError
    from ragkit.evaluation import Verdict

__all__ = ["GateCheck", "GateCollector"]

_MARK = "ragkit"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--ragkit`` and ``--ragkit-index``."""
    group = parser.getgroup("ragkit", "ragkit: gate the answers to a question set")
    group.addoption(
        "--ragkit",
        type=Path,
        metavar="FOLDER",
        help="Test the gate of this evaluation folder (questions.jsonl, baseline.json and, "
        "optionally, floors.json), one test for each check.",
    )
    group.addoption(
        "--ragkit-index",
        type=Path,
        metavar="PATH",
        help="With --ragkit: folder of the index (default: the bundled example article).",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark of the added tests."""
    config.addinivalue_line(
        "markers", f"{_MARK}: a check of ragkit's gate; added by the option --ragkit"
    )


@pytest.hookimpl(tryfirst=True)  # so that -k and -m select from these tests as well
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add the gate's checks after the tests that pytest collected itself."""
    folder: Path | None = session.config.getoption("--ragkit")
    if folder is not None:
        items += GateCollector.of(folder, session).collect()


class GateCollector(pytest.Collector):
    """The gate of an evaluation folder: its checks are the tests, which share one run."""

    folder: Path
    index: Path | None
    check_names: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, session: pytest.Session) -> GateCollector:
        """Return the collector of a folder.

        Raises:
            pytest.UsageError: a file of the folder is missing or malformed.

        """
        from ragkit.errors import InputError

        collector: GateCollector = cls.from_parent(session, name=str(folder), nodeid=str(folder))
        collector.folder = folder
        collector.index = session.config.getoption("--ragkit-index")
        try:
            collector.check_names = _check_names(folder, collector.index)
        except InputError as error:
            raise pytest.UsageError(f"--ragkit: {error}") from error
        return collector

    def collect(self) -> list[pytest.Item]:
        """Return a test for each check."""
        return [GateCheck.from_parent(self, name=name) for name in self.check_names]

    @cached_property
    def verdict(self) -> Verdict | RagkitError:
        """The gate's verdict, or why there is none; the first check asks the questions, once."""
        from ragkit.errors import RagkitError
        from ragkit.evaluation import gate

        try:
            return gate(self.folder, index=self.index)
        except RagkitError as error:
            return error


class GateCheck(pytest.Item):
    """One check of the gate."""

    parent: GateCollector

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_marker(_MARK)

    def runtest(self) -> None:
        """Fail with the gate's own message."""
        from ragkit.errors import RagkitError
        from ragkit.evaluation import GateError

        verdict = self.parent.verdict
        if isinstance(verdict, RagkitError):
            raise verdict
        reason = verdict.checks[self.name]
        if reason:
            raise GateError(reason)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the message alone, since a traceback through ragkit explains nothing."""
        from ragkit.errors import RagkitError

        if isinstance(excinfo.value, RagkitError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return what heads the test's report."""
        return self.parent.folder, None, f"ragkit gate: {self.name}"


def _check_names(folder: Path, index: Path | None) -> tuple[str, ...]:
    """Return the names of the folder's checks. Raises InputError if a file cannot be used."""
    from ragkit.evaluation import load_baseline, load_questions
    from ragkit.evaluation.gate import check_names
    from ragkit.evaluation.harness import QUESTIONS, bless_command, load_folder_floors

    questions = load_questions(folder / QUESTIONS)
    load_baseline(folder, bless=bless_command(folder, index))
    return check_names((q.id for q in questions if q.must_pass), load_folder_floors(folder))
