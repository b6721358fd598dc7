"""Text in a terminal: lines break at words, wide characters count twice, and nothing commands it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ragkit.cli.wrapping import (
    Paragraph,
    printable_lines,
    text_width,
    wrap,
    wrap_lines,
    wrap_quote,
)


def test_lines_break_between_words_and_use_the_width() -> None:
    assert wrap("one two three  four\nfive", 9) == "one two\nthree\nfour five"


def test_lines_are_indented_and_the_first_may_have_a_mark() -> None:
    assert wrap("one two three", 9, indent="    ") == "    one\n    two\n    three"
    assert wrap("one two", 8, indent="    ", first=" a) ") == " a) one\n    two"


def test_wide_characters_take_two_cells_and_break_anywhere_but_at_marks() -> None:
    assert wrap("日本語日本語", 6) == "日本語\n日本語"
    assert wrap("日本語。日本語", 6) == "日本\n語。日\n本語"
    assert wrap("ab日本「語」", 7) == "ab日本\n「語」"


def test_a_word_that_is_wider_than_a_line_is_cut() -> None:
    assert wrap("a " + "x" * 12, 5) == "a\nxxxxx\nxxxxx\nxx"


def test_lines_that_fit_keep_their_blanks_and_others_are_wrapped() -> None:
    code = "def f(x):\n    return  x\n\tpass"
    assert wrap_lines(code, 30) == "def f(x):\n    return  x\n        pass"
    assert wrap_lines("one  two three\n\n  four", 9) == "one two\nthree\n\n  four"
    assert wrap_lines("\x1b[2Ja  b", 30) == "[2Ja  b"


def test_control_characters_are_left_out() -> None:
    assert wrap("red \x1b[31mtext\x07 \x00 end", 40) == "red [31mtext end"


def test_what_sets_the_direction_of_text_is_left_out() -> None:
    assert wrap("a\u202eb\u202c \u2066c\u2069 \u05d0\u200f", 40) == "ab c \u05d0\u200f"


def test_lines_become_printable_one_by_one() -> None:
    assert printable_lines("a\x1b[2J\n\n\tb\u202e") == "a[2J\n\n        b"


@given(st.text(), st.integers(4, 40), st.sampled_from(["", "  "]))
def test_no_line_is_too_wide_and_no_word_is_lost(text: str, width: int, indent: str) -> None:
    wrapped = wrap(text, width, indent=indent)
    assert max(map(cell_len, wrapped.split("\n"))) <= width
    printable = "".join(c for c in text if not c.isspace() and c.isprintable())
    shown = "".join(c for c in wrapped if not c.isspace() and c.isprintable())
    assert shown == printable


@given(st.lists(st.text("ab日。 ", min_size=1), max_size=5), st.integers(4, 20))
def test_a_paragraph_that_arrives_in_parts_is_that_which_arrives_at_once(
    parts: list[str], width: int
) -> None:
    paragraph = Paragraph(width)
    assert "".join(map(paragraph.add, parts)) == wrap(" ".join(parts), width)


def test_text_is_as_wide_as_the_terminal_but_never_too_wide_to_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for columns, width in (("60", 60), ("240", 100)):
        monkeypatch.setenv("COLUMNS", columns)
        assert text_width() == width


def test_a_quotation_is_wrapped_and_code_keeps_its_lines_without_fences() -> None:
    code = 'Parsing:\n\n```python\nwith open("a") as f:\n    load(f)\n```'
    assert wrap_quote(code, 40, indent="  ").split("\n") == [
        "  Parsing:", "  ", '  with open("a") as f:', "      load(f)",
    ]  # fmt: skip
    assert wrap_quote("a line of\nprose that goes on", 40) == "a line of prose that goes on"
