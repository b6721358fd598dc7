# ruff: noqa: S101
from itertools import pairwise

from training.windows import windows_of

SENTENCE = "The treaty was signed by the minister in the city of Rapallo on that day. "


def test_a_short_passage_is_one_window() -> None:
    [window] = windows_of(SENTENCE)
    assert (window.start, window.end) == (0, len(SENTENCE.rstrip()))


def test_the_next_window_begins_with_the_last_sentence_of_the_one_before() -> None:
    windows = windows_of(SENTENCE * 9, limit=50)
    assert all(len(window.ids) <= 50 for window in windows)
    for one, other in pairwise(windows):
        assert one.start < other.start < one.end < other.end
    assert windows[-1].end == len(SENTENCE * 9) - 1


def test_a_long_sentence_is_cut_but_not_lost() -> None:
    text = "word " * 200
    windows = windows_of(text, limit=80)
    assert [len(window.ids) for window in windows] == [80, 80, 40]


def test_tokens_of_an_answer() -> None:
    [window] = windows_of("Signed in Rapallo, by two.")
    first, last = window.tokens_of(10, 17) or (0, 0)
    assert (window.offsets[first][0], window.offsets[last][1]) == (10, 17)
    assert window.tokens_of(10, 99) is None
