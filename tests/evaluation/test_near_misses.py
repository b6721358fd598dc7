"""Near-misses: wordings that a passage does not answer, derived from questions that it does."""

import random

import pytest

from ragkit.evaluation.near_misses import Asked, make_misses
from ragkit.evaluation.near_misses.makers import (
    antonym,
    asked_otherwise,
    attribute,
    negation,
    roles,
    swap_name,
    swap_number,
    swap_year,
)
from ragkit.evaluation.near_misses.words import base_of, past_of

PASSAGE = (
    "In 980 Otto II marched from Rome to Bari, the largest port, with 2,000 men, and was defeated."
)


def asked(question: str, passage: str = PASSAGE, answer: str = "") -> Asked:
    return Asked(
        question=question,
        answer=answer,
        passage=passage,
        title="Holy Roman Empire",
        names=("Henry IV", "Milan", "Rome"),
        years=("980", "1077", "1080"),
        numbers=("2,000", "6,000", "12"),
        places=frozenset({"Milan", "Rome"}),
        rng=random.Random(1),
    )


def texts(maker: object, one: Asked) -> list[str]:
    assert callable(maker)
    return [miss.text for miss in maker(one)]


def test_a_year_becomes_another_that_the_passage_lacks() -> None:
    passage = "Henry went to Canossa in 1077."
    found = texts(swap_year, asked("Where did Henry go in 1077?", passage))
    assert found == ["Where did Henry go in 1080?"]
    assert texts(swap_year, asked("Where did Henry go in 1080?", passage)) == []


def test_a_number_keeps_its_length() -> None:
    found = texts(swap_number, asked("Who led 2,000 men?"))
    assert found == ["Who led 6,000 men?"]


def test_a_name_becomes_one_of_its_sort() -> None:
    assert texts(swap_name, asked("Who marched from Rome?")) == ["Who marched from Milan?"]
    assert texts(swap_name, asked("When did Otto II march?")) == ["When did Henry IV march?"]


def test_a_name_of_the_title_or_of_no_passage_stays() -> None:
    assert texts(swap_name, asked("What was the Roman army?")) == []
    assert texts(swap_name, asked("Who was Charles?")) == []


def test_an_antonym_only_where_the_passage_has_the_word_and_not_its_opposite() -> None:
    assert texts(antonym, asked("What was the largest port?")) == ["What was the smallest port?"]
    both = "The largest port is Bari, the smallest Trani."
    assert texts(antonym, asked("What is the largest port?", both)) == []


@pytest.mark.parametrize(
    ("question", "made"),
    [
        ("Who defeated Otto II in 980?", "Who did Otto II defeat in 980?"),
        ("Who did Otto II defeat?", "Who defeated Otto II?"),
        ("Who was Otto II defeated by?", "Who was defeated by Otto II?"),
        ("When did Otto II attack Bari?", "When did Bari attack Otto II?"),
    ],
)
def test_roles_are_exchanged(question: str, made: str) -> None:
    assert texts(roles, asked(question)) == [made]


@pytest.mark.parametrize(
    "question", ["When did Otto II and Bari meet?", "Who married Otto II?", "What is Bari?"]
)
def test_roles_of_what_holds_both_ways_are_not(question: str) -> None:
    assert texts(roles, asked(question)) == []


def test_another_attribute() -> None:
    passage = "The population of Bari was small."
    found = texts(attribute, asked("What was the population of Bari?", passage))
    assert len(found) == 1
    assert found[0].startswith("What was the ")
    assert "population" not in found[0]


def test_when_and_how_many_where_nothing_is_told_of_it() -> None:
    passage = "Otto lived at Bari because of the sea."
    assert texts(asked_otherwise, asked("Where did Otto live?", passage)) == ["When did Otto live?"]
    assert texts(asked_otherwise, asked("Where did Otto march?")) == []


def test_nothing_is_denied_where_something_is_already() -> None:
    denied = asked("Who did Otto defeat?", "Otto did not march.")
    assert texts(negation, denied) == []


def test_the_same_every_time() -> None:
    one = asked("Who did Otto II defeat in 980?")
    other = asked("Who did Otto II defeat in 980?")
    assert make_misses(one) == make_misses(other)
    assert one.question not in {miss.text for miss in make_misses(one)}


@pytest.mark.parametrize("verb", ["defeat", "write", "create", "marry", "stop", "visit"])
def test_a_verb_there_and_back(verb: str) -> None:
    assert base_of(past_of(verb)) == verb
