"""Edits: a question with words left out and words of the conversation put in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.conversation.decoding import TurnScores, understood
from ragkit.conversation.edits import AFTER, BEFORE, Edits, Insertion, edited, question_words
from ragkit.conversation.tokens import LaidOut, laid_out
from ragkit.encoding.models import base_model_folder
from ragkit.encoding.onnx import load_tokenizer_of

NAMES = ["Who", "signed", "it", "and", "the", "treaty", "Rome", "it's", "well-known"]


@pytest.mark.parametrize(
    ("question", "removed", "insertions", "standalone"),
    [
        ("and who signed it?", {0, 3}, [Insertion(3, "The treaty")], "who signed the treaty?"),
        ("And when?", {0}, [Insertion(2, "did Rome fall")], "When did Rome fall?"),
        ("Its capital?", {0}, [Insertion(0, "Rome", after="'s")], "Rome's capital?"),
        ("who led the army", (), [Insertion(4, "Rome", "of")], "who led the army of Rome"),
        ("why", (), [Insertion(1, "did it fall")], "why did it fall"),
        ("Who's he?", {2}, [Insertion(2, "Lenin")], "Who's Lenin?"),
        ("(and) what's “it”?", (), (), "(and) what's “it”?"),
    ],
)  # fmt: skip
def test_edits_leave_words_out_and_put_words_in(
    question: str, removed: set[int], insertions: list[Insertion], standalone: str
) -> None:
    assert edited(question, Edits(frozenset(removed), tuple(insertions))) == standalone


@given(st.text(max_size=60))
def test_without_edits_a_question_keeps_every_character_but_white_space(question: str) -> None:
    same = edited(question, Edits())
    assert "".join(same.split()).casefold() == "".join(question.split()).casefold()


@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=8),
    st.sets(st.integers(0, 7)),
    st.integers(0, 8),
    st.sampled_from(BEFORE),
    st.sampled_from(AFTER),
)
def test_an_edited_question_has_the_words_that_stay_and_those_put_in_and_no_others(
    words: list[str], removed: set[int], at: int, before: str, after: str
) -> None:
    question = " ".join(words)
    spans = question_words(question)
    at = min(at, len(spans))
    edits = Edits(frozenset(removed), (Insertion(at, "Lenin", before, after),))
    shown = edited(question, edits)
    stay = [question[slice(*span)] for n, span in enumerate(spans) if n not in removed]
    put_in = f"{before} Lenin{after}"
    expected = "".join(stay) + "".join(put_in.split())
    assert sorted(shown.replace(" ", "").casefold()) == sorted(expected.casefold())


def laid(question: str, *history: str) -> LaidOut:
    return laid_out(load_tokenizer_of(base_model_folder() / "tokenizer.json"), question, history)


def test_the_latest_utterance_is_laid_out_first_and_every_token_knows_its_place() -> None:
    history = ("Who signed the Treaty of Rapallo?", "Rathenau and Chicherin signed it.")
    layout = laid("and when?", *history)
    assert next(one and one[0] for one in layout.of) == 1
    assert [one and one[0] for one in layout.of][-2:] == [0, None]
    begin = history[0].index("Treaty")
    place = layout.place(0, begin, begin + len("Treaty of Rapallo"))
    assert place is not None
    first, last = (layout.of[token] for token in place)
    assert first is not None
    assert last is not None
    assert history[0][first[1].start : last[1].end] == "Treaty of Rapallo"


def test_what_does_not_fit_is_not_laid_out_and_has_no_place() -> None:
    long = "word " * 300
    layout = laid("why?", "Who won?", *[long] * 12)
    assert len(layout.earlier) == len(layout.of) <= 128
    assert layout.place(0, 0, 3) is None
    assert len(laid("why " * 200).turn) == 64


def scores_of(layout: LaidOut) -> TurnScores:
    turn, said = len(layout.turn), len(layout.earlier)
    none = np.full((turn, 1 + len(BEFORE)), -5.0, dtype=np.float32)
    none[:, 0] = 0
    return TurnScores(
        np.full(turn, -5.0, dtype=np.float32), none, np.eye(1, len(AFTER), dtype=np.float32).repeat(turn, 0),
        np.zeros((turn, said), dtype=np.float32), np.zeros((turn, said), dtype=np.float32),
        np.zeros(10, dtype=np.float32),
    )  # fmt: skip


def test_the_scores_of_each_word_become_the_standalone_question() -> None:
    question, history = "and who signed it?", ("When was the Treaty of Rapallo signed?", "In 1922.")
    layout = laid(question, *history)
    scores = scores_of(layout)
    token = layout.words[3]  # "it"
    begin = history[0].index("the Treaty")
    place = layout.place(0, begin, begin + len("the Treaty of Rapallo"))
    assert place is not None
    scores.removed[layout.words[0]] = scores.removed[token] = 3
    scores.inserted[token, 1] = 3  # behind no connecting word
    scores.first[token, place[0]] = scores.last[token, place[1]] = 9
    assert (
        understood(question, history, layout, scores).standalone
        == "who signed the Treaty of Rapallo?"
    )


def test_a_word_is_left_out_only_if_something_stands_for_it_or_it_merely_joins() -> None:
    question, history = "so who signed it?", ("Was the treaty secret?",)
    layout = laid(question, *history)
    scores = scores_of(layout)
    scores.removed[:] = 3  # of every word
    assert understood(question, history, layout, scores).standalone == "who signed it?"


def test_a_first_question_stays_as_it_is() -> None:
    layout = laid("and who signed it?")
    scores = scores_of(layout)
    scores.inserted[:, 1] = scores.removed[:] = 9
    assert understood("and who signed it?", (), layout, scores).standalone == "and who signed it?"


@pytest.mark.parametrize("said", ["of the pump", "to the of the pump", "!"])
def test_a_question_that_would_stumble_stays_as_it_is(said: str) -> None:
    question, history = "how long is the warranty of?", (f"Is it {said}",)
    layout = laid(question, *history)
    scores = scores_of(layout)
    place = layout.place(0, len("Is it "), len(history[0]))
    assert place is not None
    scores.inserted[layout.words[6], 1] = 9  # in front of "?"
    scores.first[layout.words[6], place[0]] = scores.last[layout.words[6], place[1]] = 9
    assert understood(question, history, layout, scores).standalone == question
