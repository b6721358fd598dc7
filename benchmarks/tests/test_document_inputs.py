"""Each input out of a public bug report of a document loader has the right value."""

from __future__ import annotations

import pytest

from benchmarks.documents import FOLDER, INPUTS, Input


@pytest.mark.parametrize("one", INPUTS, ids=[one.name for one in INPUTS])
def test_an_input_of_a_bug_report_has_the_right_value(one: Input) -> None:
    assert one.came(FOLDER / one.name) == one.expected


def test_every_input_is_run() -> None:
    assert {one.name for one in INPUTS} == {path.name for path in FOLDER.iterdir()}
