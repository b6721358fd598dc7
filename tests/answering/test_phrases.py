"""The phrase inside the highlighted sentence: marked where it is clear, and only there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit import Index
from ragkit.answering.phrases import phrase_of
from ragkit.text.spans import Span

SENTENCE = "It was signed on 16 April 1922, and 39 ships brought 1,500 tons of oil."


@pytest.mark.parametrize(
    ("question", "phrase"),
    [
        ("When was it signed?", "16 April 1922"),
        ("In what year was it signed?", "16 April 1922"),
        ("By when was it signed?", "16 April 1922"),
        ("How many ships came in 1922?", None),  # 39, or 1,500 tons, or 16
        ("Who signed it when Rathenau was minister?", None),
        ("Who signed it?", None),
        ("Was it signed on 16 April 1922?", None),
    ],
)
def test_the_phrase_is_the_only_new_one_of_the_kind_asked_for(
    question: str, phrase: str | None
) -> None:
    found = phrase_of(question, SENTENCE, Span(0, len(SENTENCE)))
    assert (SENTENCE[found.start : found.end] if found else None) == phrase


@pytest.mark.parametrize(
    ("question", "text", "phrase"),
    [
        ("When?", "They met in May 1939.", "May 1939"),
        ("When?", "On November 5, 1922, they met.", "November 5, 1922"),
        ("When?", "It began in 1931.", "1931"),
        ("When did the war of 1914 end?", "The war of 1914 ended in 1918.", "1918"),
        ("When?", "It began in 1931 and ended in 1934.", None),
        ("When?", "It began in 1931. Then 1931 passed.", "1931"),
        ("How much oil?", "It took 900,000 tons of it.", "900,000 tons"),
        ("How many died?", "Some seven died.", "seven"),
        ("What percentage?", "It rose by 28.3 percent.", "28.3 percent"),
        ("How many?", "Nobody counted.", None),
    ],
)
def test_dates_and_numbers_are_found_as_they_are_written(
    question: str, text: str, phrase: str | None
) -> None:
    found = phrase_of(question, text, Span(0, len(text)))
    assert (text[found.start : found.end] if found else None) == phrase


@given(st.text(max_size=40), st.text(max_size=120), st.data())
def test_a_phrase_lies_inside_its_sentence(question: str, text: str, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(text)))
    end = draw.draw(st.integers(start, len(text)))
    found = phrase_of(f"When, how many {question}", text, Span(start, end))
    assert found is None or start <= found.start < found.end <= end


def test_an_answers_phrase_is_shown_in_html_and_json(german_soviet: Index) -> None:
    answer = german_soviet.ask("When was Litvinov dismissed?", k=1)
    [passage] = answer.passages
    assert passage.phrase is not None
    quote = passage.quote(passage.phrase)
    assert quote == "May 3, 1939"
    assert f"<b>{quote}</b>" in answer._repr_html_()
    assert answer.to_dict()["passages"][0]["phrase"]["quote"] == quote
