"""Lines that are sentences of their own, and reference marks that belong to theirs."""

from __future__ import annotations

import pytest

from ragkit.text.sentences import split_sentences
from ragkit.text.spans import Span


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text, Span(0, len(text)))]


@pytest.mark.parametrize(
    "marks",
    ["▪▪", "●●", "○○", "◦◦", "‣‣", "··", "→→", "++", "––", "\uf0b7\uf0b7", "①②", ("a)", "b)"), ("i.", "ii."),
     ("(a)", "(b)"), ("[1]", "[2]"), ("§ 1", "§ 2"), ("1.", "2."), ("(9)", "(10)"), ("A)", "B)")],
)  # fmt: skip
def test_each_item_is_a_sentence_whatever_its_mark(marks: tuple[str, str]) -> None:
    first, second = f"{marks[0]} Apples cost two euros", f"{marks[1]} Pears cost three"
    assert sentences(f"{first}\n{second}") == [first, second]
    assert sentences(f"Our prices in the market today:\n{first}\n{second}")[1:] == [first, second]


@pytest.mark.parametrize(
    "text",
    [
        "The conference met at Genoa on April\n16. It adjourned in May.",
        "The weather was fine and nobody at all\n- not even the cook - complained\nabout it.",
        "It was shown at length by Smith and by Jones\n[4] and by others.",
        "It was all written in Oxford by J. R.\nR. Tolkien in his house.",
    ],
)
def test_a_wrapped_line_does_not_end_a_sentence(text: str) -> None:
    assert any("\n" in sentence for sentence in sentences(text))
    assert sentences(text)[0].startswith(text.split("\n", maxsplit=1)[0])


@pytest.mark.parametrize(
    "turns",
    [
        ["[2024-03-01 10:03] Ann: the build is broken", "[2024-03-01 10:04] Bob: I will fix it"],
        ["10:03 Ann: hi", "10:04 Bob: hello"],
        ["<ann> hi", "<bob> hello"],
        ["Ann: the build is broken", "Bob: I will\nfix it by noon", "Ann: thanks"],
        ["01/03/24, 10:03 - Ann: hi", "01/03/24, 10:04 - Bob: hello"],
    ],
)
def test_each_turn_of_a_conversation_is_a_sentence(turns: list[str]) -> None:
    assert sentences("\n".join(turns)) == turns


def test_reference_marks_stay_with_their_sentence() -> None:
    text = "Ada was born in Lyon.[3] Her father sold clocks.[4][5] She died in 1899.[note 6]:12 It ended."
    assert sentences(text) == [
        "Ada was born in Lyon.[3]", "Her father sold clocks.[4][5]", "She died in 1899.[note 6]:12", "It ended.",
    ]  # fmt: skip
