"""Readings: a question that means several things is offered as choices; others are not."""

from __future__ import annotations

import pytest

from ragkit import Document, Index


def test_a_name_that_the_documents_tell_apart_by_year_is_offered_with_each_year(
    german_soviet: Index,
) -> None:
    answer = german_soviet.ask("When was the Treaty of Berlin signed?", k=1)
    labels = [choice.label for choice in answer.choices]
    assert labels == ["Treaty of Berlin (August 27, 1918)", "Treaty of Berlin (1926)"]
    for choice in answer.choices:
        meant = german_soviet.ask(choice.question)
        assert meant.choices == ()
        assert choice.label.removeprefix("Treaty of Berlin ").strip("()") in choice.question


def test_titles_tell_a_name_apart_by_any_words(german_soviet: Index) -> None:
    planet = Document("planet", "Mercury (planet)", "Mercury is the planet nearest to the Sun.")
    metal = Document("metal", "Mercury (element)", "Mercury is a metal that is liquid.")
    index = Index.build([planet, metal], encoder=german_soviet.encoder)
    answer = index.ask("What is mercury?")
    assert {choice.label for choice in answer.choices} == {"Mercury (planet)", "Mercury (element)"}
    for choice in answer.choices:
        assert answer.passages[choice.rank - 1].citation.title == choice.label
        assert index.ask(choice.question).passages[0].citation.title == choice.label


def test_two_documents_that_answer_with_different_numbers_are_two_readings(
    german_soviet: Index,
) -> None:
    acme = Document("a", "Acme handbook", "Employees have 28 days of annual leave.")
    beta = Document("b", "Beta handbook", "Employees have 30 days of annual leave.")
    index = Index.build([acme, beta], encoder=german_soviet.encoder)
    answer = index.ask("How many days of annual leave do employees have?")
    assert {choice.label for choice in answer.choices} == {
        "Acme handbook: 28 days", "Beta handbook: 30 days",
    }  # fmt: skip
    for choice in answer.choices:
        assert index.ask(choice.question).passages[0].citation.title in choice.label


@pytest.mark.parametrize(
    "question",
    [
        "What was agreed in the Treaty of Berlin (1926)?",
        "When was the 1926 Treaty of Berlin signed?",
        "Who was the ambassador, Dirksen or Schulenburg?",  # each has years, but they are two names
        "When did the Winter War begin?",
    ],
)
def test_a_question_with_one_reading_has_no_choices(german_soviet: Index, question: str) -> None:
    assert german_soviet.ask(question).choices == ()


def test_a_question_that_no_document_answers_has_no_readings(german_soviet: Index) -> None:
    documents = [
        Document(name, f"{name} handbook", f"Employees have {days} days of annual leave.")
        for name, days in (("Acme", 28), ("Beta", 30), ("Gamma", 27))
    ]
    index = Index.build(documents, encoder=german_soviet.encoder)
    answer = index.ask("How many dogs may employees bring?", threshold=0.5)
    assert not answer.answered
    assert answer.choices == ()


def test_a_qualifier_is_a_word_of_the_question_or_none(german_soviet: Index) -> None:
    documents = [
        Document("us", "Leave policy (US)", "The leave policy is used for holidays."),
        Document("uk", "Leave policy (UK)", "The leave policy is used for illness."),
    ]
    index = Index.build(documents, encoder=german_soviet.encoder)
    labels = {choice.label for choice in index.ask("What is the leave policy used for?").choices}
    assert labels == {"Leave policy (US)", "Leave policy (UK)"}
    assert index.ask("What is the leave policy (UK) used for?").choices == ()
