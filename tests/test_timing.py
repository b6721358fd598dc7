"""Stages of a question: consecutive, exclusive, and free of cost while nobody measures."""

from __future__ import annotations

import sys
import time
from types import FrameType

import pytest

from ragkit import Index
from ragkit.timing import LAP, Part, timings


def test_stages_are_exclusive_and_sum_up_to_the_time_until_the_last_one_ended() -> None:
    start = time.perf_counter()
    with timings() as stages:
        time.sleep(0.02)
        LAP.get()("first")
        LAP.get()("second")
        end = time.perf_counter()
        time.sleep(0.02)
    assert [name for name, _ in stages] == ["first", "second"]
    assert 0.02 <= stages[0][1] <= sum(seconds for _, seconds in stages) <= end - start
    assert 0 <= stages[1][1] < 0.02


def test_no_python_function_runs_while_nobody_measures() -> None:
    called: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            called.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        LAP.get()("unheard")
    finally:
        sys.setprofile(None)
    assert called == []


def test_measuring_ends_with_the_block_even_after_an_error() -> None:
    with pytest.raises(KeyError), timings() as stages:
        raise KeyError
    LAP.get()("too late")
    assert stages == []


def test_timings_name_the_stages_of_a_question(
    german_soviet: Index,
) -> None:
    with timings() as stages:
        german_soviet.ask("Who signed the Treaty of Rapallo?")
    names = [name for name, _ in stages]
    assert [name for name in names if isinstance(name, Part)] == [
        "encode the question",
        "candidates by vector and words",
        "approximate scores",
        "late interaction",
        "read the passages",
        "compose the answer",
    ]
    assert any(name.startswith("forward pass of 22 tokens") for name in names)
    assert all(seconds >= 0 for _, seconds in stages)
