"""Questions for a number that would have to be counted or computed are told as such, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragkit import Abstention, Document, Index

ARCHIVE = """= The archive =

The archive lists what was signed.

| Treaty | Signed in | Year | Articles |
|---|---|---|---|
| Treaty of Rapallo | Rapallo | 1922 | 6 |
| Treaty of Berlin | Berlin | 1926 | 5 |
| Anti-Comintern Pact | Berlin | 1936 | 3 |
| Munich Agreement | Munich | 1938 | 8 |

== Districts ==

The city has 12 districts. The largest is Altona.

== Rules ==

Visitors must observe these rules:

- No dogs are admitted to the reading room.
- Bags are left at the cloakroom, where lockers cost 2 euros.
- Up to 5 books may be ordered at once.
- Photographs are allowed without flash.
"""
LINES = """line,city,opened,stops
U1,Hamburg,1912,47
U2,Berlin,1902,29
U3,Vienna,1991,21
M4,Paris,1908,29
T5,Basel,1895,37
"""


@pytest.fixture(scope="module")
def archive() -> Index:
    return Index.build([Document("archive", "The archive", ARCHIVE)])


@pytest.fixture(scope="module")
def metro(tmp_path_factory: pytest.TempPathFactory) -> Index:
    path: Path = tmp_path_factory.mktemp("metro") / "lines.csv"
    path.write_text(LINES, encoding="utf-8")
    return Index.build(path)


@pytest.mark.parametrize(
    "question",
    [
        "How many treaties are listed?",
        "How many treaties were signed in Berlin?",
        "How many treaties were signed before 1930?",
        "How many treaties were signed in Munich?",
        "What is the number of treaties?",
        "What is the average number of articles of the treaties?",
        "How many rules must visitors observe?",
    ],
)
@pytest.mark.parametrize("reader", [None, "shipped"])
def test_what_has_to_be_counted_is_told_and_the_rows_are_cited(
    archive: Index, question: str, reader: str | None
) -> None:
    answer = archive.with_reader(reader).ask(question)
    assert (answer.answered, answer.reason, answer.text) == (False, Abstention.COUNTING, "")
    assert answer.short is None
    quote = answer.passages[0].text
    assert "Treaty of Rapallo" in quote or "No dogs" in quote
    assert "would have to be worked out from the rows" in str(answer)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("How many articles does the Treaty of Berlin have?", "| 5 |"),
        ("How many articles does the Munich Agreement have?", "| 8 |"),
        ("How many districts does the city have?", "12 districts"),
        ("How many books may be ordered at once?", "5 books"),
        ("How many euros does a locker cost?", "2 euros"),
        ("When was the Treaty of Berlin signed?", "1926"),
    ],
)
def test_a_number_that_is_stated_is_answered(archive: Index, question: str, words: str) -> None:
    answer = archive.ask(question)
    assert answer.answered
    assert words in answer.text


@pytest.mark.parametrize("row", LINES.splitlines()[1:])
def test_every_row_of_a_table_can_still_be_asked_for_its_number(metro: Index, row: str) -> None:
    line, city, _, stops = row.split(",")
    answer = metro.ask(f"How many stops does the line {line} in {city} have?")
    assert answer.answered
    assert f"stops: {stops}" in answer.text


@pytest.mark.parametrize(
    "question",
    [
        "How many lines are there?",
        "How many lines opened before 1910?",
        "What is the total number of stops?",
        "What is the average number of stops?",
    ],
)
def test_rows_of_separated_values_are_counted_as_those_of_a_table(
    metro: Index, question: str
) -> None:
    assert metro.ask(question).reason is Abstention.COUNTING


STATED = [
    ("The archive holds 4 treaties.", "How many treaties does the archive hold?"),
    ("The four treaties of the archive:", "How many treaties does the archive have?"),
    ("The number of treaties is 4.", "What is the number of treaties?"),
]


@pytest.mark.parametrize(("sentence", "question"), STATED)
def test_a_number_above_the_table_is_no_matter_of_counting(sentence: str, question: str) -> None:
    text = ARCHIVE.replace("The archive lists what was signed.", sentence)
    answer = Index.build([Document("archive", "The archive", text)]).ask(question)
    assert answer.reason is not Abstention.COUNTING


def test_a_row_of_totals_is_no_matter_of_counting() -> None:
    text = ARCHIVE.replace("\n\n== Districts", "\n| Total | | | 22 |\n\n== Districts")
    answer = Index.build([Document("archive", "The archive", text)]).ask(
        "What is the total number of articles of all treaties?"
    )
    assert answer.reason is not Abstention.COUNTING
