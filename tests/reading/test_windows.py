"""What of a passage is read: whole sentences around the most promising one, within a budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragkit.reading.spans import LONGEST, best_span
from ragkit.reading.windows import windows_by_promise
from ragkit.text.spans import Span


def laid_out(sizes: list[int]) -> tuple[list[Span], list[Span]]:
    """Sentences of so many tokens each, one code point a token, a blank between sentences."""
    sentences, tokens, at = [], [], 0
    for size in sizes:
        sentences.append(Span(at, at + size))
        tokens += [Span(i, i + 1) for i in range(at, at + size)]
        at += size + 1
    return sentences, tokens


def test_the_first_window_is_around_the_best_sentence_and_the_next_around_what_is_left() -> None:
    sentences, tokens = laid_out([10, 10, 10, 10])
    scores = [0.1, 0.2, 0.3, 0.9]
    assert list(windows_by_promise(sentences, scores, tokens, 20)) == [
        Span(22, 43),  # the last two sentences
        Span(0, 21),  # the first two
    ]


def test_a_passage_that_fits_is_one_window() -> None:
    sentences, tokens = laid_out([10, 10])
    assert list(windows_by_promise(sentences, [0.1, 0.9], tokens, 80)) == [Span(0, 21)]


def test_a_sentence_that_is_too_long_is_cut_between_tokens() -> None:
    sentences, tokens = laid_out([25])
    assert list(windows_by_promise(sentences, [1.0], tokens, 10)) == [
        Span(0, 10),
        Span(10, 20),
        Span(20, 25),
    ]


@given(
    st.lists(st.tuples(st.integers(1, 40), st.floats(0, 1)), min_size=1, max_size=12),
    st.integers(1, 60),
)
def test_windows_fit_their_budget_and_leave_no_sentence_out(
    sized: list[tuple[int, float]], most: int
) -> None:
    sentences, tokens = laid_out([size for size, _ in sized])
    windows = list(windows_by_promise(sentences, [score for _, score in sized], tokens, most))
    assert all(sum(w.start <= t.start < w.end for t in tokens) <= most for w in windows)
    assert all(any(w.start <= t.start and t.end <= w.end for w in windows) for t in tokens)
    best = max(range(len(sized)), key=lambda i: (sized[i][1], -i))
    assert windows[0].start <= sentences[best].start < windows[0].end


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=50))
def test_no_other_span_has_a_higher_sum(scores: list[tuple[float, float]]) -> None:
    import numpy as np

    first, last = np.asarray(scores, dtype=np.float32).T
    found = best_span(first, last)
    sums = {
        (i, j): float(first[i] + last[j])
        for i in range(len(scores))
        for j in range(i, min(len(scores), i + LONGEST))
    }
    assert sums[found] == max(sums.values())
