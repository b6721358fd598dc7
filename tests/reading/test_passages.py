"""Reading what was found: how much is read, in what order it then stands, what is shown of it."""

from __future__ import annotations

import pytest

from ragkit import Document, Encoder, Index
from ragkit.answering.answer import Abstention
from ragkit.reading import Calibration, Kind
from ragkit.reading.passages import DEEP, SURE
from support.readers import WordReader

TEXT = """== Baking ==
Bread is baked in an oven. It weighs one pound.

== Selling ==
Bread is sold at seven. A loaf costs two pence.

== Eating ==
Bread is eaten fresh. Old bread is given to the hens.
"""


def index_with(reader: WordReader | None, encoder: Encoder) -> Index:
    document = Document(id="bread", title="Bread", text=TEXT)
    return Index.build([document], encoder=encoder, reader=reader)


def test_the_passage_whose_words_answer_comes_first_and_the_words_are_the_short_answer(
    tiny: Encoder,
) -> None:
    for word in ("one pound", "two pence", "hens"):
        answer = index_with(WordReader(word), tiny).ask("What about bread?")
        assert answer.answered
        assert answer.short is not None
        assert answer.short.quote == word
        assert TEXT[answer.short.start : answer.short.end] == word
        first = answer.passages[0]
        assert first.phrase == answer.short.span
        assert first.answers is not None
        assert first.answers > SURE
        assert word in answer.text
        assert answer.text == first.quote(first.highlights[0])  # the sentence that has the words


def test_a_heading_that_asks_is_read_with_its_answer(tiny: Encoder) -> None:
    text = "= Inn =\n\n== When is check-in? ==\nFrom three o'clock.\n\n== Rooms ==\nIt has nine.\n"
    reader = WordReader("three")
    index = Index.build([Document("inn", "Inn", text)], encoder=tiny, reader=reader)
    index.ask("When is check-in?")
    titles = {window.title for window in reader.read_windows}
    assert "When is check-in?" in titles
    assert titles <= {"When is check-in?", "Inn"}


@pytest.mark.parametrize(
    ("word", "short"), [("750", "1,750"), ("1,7", "1,750"), ("90", "90"), ("2", "2")]
)
def test_no_short_answer_is_a_part_of_a_number(word: str, short: str, tiny: Encoder) -> None:
    text = "The income was 1,750 in all, 90 of it from rooms 4,2,3."
    index = Index.build([Document("d", "D", text)], encoder=tiny, reader=WordReader(word))
    answer = index.ask("What was the income?")
    assert answer.short is not None
    assert answer.short.quote == short


def test_code_is_one_answer() -> None:
    code = 'import tomllib\nwith open("a.toml", "rb") as f:\n    data = tomllib.load(f)'
    text = f"Parsing a TOML file:\n\n```python\n{code}\n```\n"
    index = Index.build([Document("d", "D", text)], reader=WordReader("tomllib"))
    assert index.ask("How is a TOML file parsed?").text == code


def test_without_a_reader_nothing_is_read(tiny: Encoder) -> None:
    answer = index_with(None, tiny).ask("What about bread?", threshold=0)
    assert [passage.answers for passage in answer.passages] == [None] * len(answer.passages)
    assert answer.to_dict()["passages"][0]["candidate"] is None


@pytest.mark.parametrize(
    ("text", "question", "is_read"),
    [
        ("Bread is baked in the oven.", "What about bread?", True),
        ("Bread is baked in the oven.", "how did bread die", True),
        ("Bread is baked in the oven.", "Wo wird das Brot von der Frau gebacken?", False),
        ("Bread is baked in the oven.", "パンはどこで焼かれますか。", False),
        ("Das Brot wird in dem Ofen gebacken.", "What about bread?", False),
        ("パンはオーブンで焼かれる。", "パンはどこで焼かれますか。", False),
    ],
)
def test_only_what_is_in_a_language_of_the_reader_is_read(
    text: str, question: str, is_read: bool, tiny: Encoder
) -> None:
    reader = WordReader("oven")
    index = Index.build([Document(id="d", title="d", text=text)], encoder=tiny, reader=reader)
    answer = index.ask(question, threshold=0)
    assert bool(reader.read_windows) == is_read
    assert (answer.passages[0].answers is not None) == is_read


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Kind.OFF_TOPIC, Abstention.OFF_TOPIC),
        (Kind.NOT_STATED, Abstention.NOT_STATED),
        (Kind.CONTRADICTS, Abstention.CONTRADICTED),
    ],
)
def test_why_nothing_answers_is_said(kind: Kind, reason: Abstention, tiny: Encoder) -> None:
    answer = index_with(WordReader("no such words", kind), tiny).ask("What about bread?")
    assert not answer.answered
    assert answer.reason is reason
    assert answer.short is None
    assert answer.passages  # the nearest ones stay
    assert all(passage.phrase is None for passage in answer.passages)


def test_little_is_read_where_the_first_passage_answers(tiny: Encoder) -> None:
    documents = [
        Document(id=f"d{i}", title="Bread", text=f"Bread number {i} is baked by baker {i}.")
        for i in range(12)
    ]
    sure = WordReader("baked")
    Index.build(documents, encoder=tiny, reader=sure).ask("Who bakes bread?")
    unsure = WordReader("no such words")
    Index.build(documents, encoder=tiny, reader=unsure).ask("Who bakes bread?")
    assert len(sure.read_windows) == 1
    assert len(unsure.read_windows) == DEEP


def test_reading_and_finding_are_weighed_as_was_fitted(tiny: Encoder) -> None:
    """A reader that counts for little against what was found leaves its order."""
    reader = WordReader("hens", calibration=Calibration(1e6, (1.0, 0.0), {"read": 1.0}, 0.0, 0.5))
    with_reader = index_with(reader, tiny).search("What is bread baked in?")
    without = index_with(None, tiny).search("What is bread baked in?")
    assert [p.citation for p in with_reader] == [p.citation for p in without]


def test_many_questions_are_read_as_one_is(tiny: Encoder) -> None:
    index = index_with(WordReader("two pence"), tiny)
    questions = ["What does a loaf cost?", "Where is bread baked?", "What is given to the hens?"]
    for many, one in zip(index.ask_many(questions), map(index.ask, questions), strict=True):
        assert many.to_dict() == one.to_dict()


def test_many_questions_about_the_article_get_the_answers_of_each_to_the_last_digit(
    german_soviet: Index,
) -> None:
    questions = [
        "Who signed the Treaty of Rapallo?",
        "and why?",
        "When did the first German officers go to Soviet Russia for these purposes?",
        "How do I bake sourdough bread?",
        "What did the Soviet Union deliver to Germany under the agreement of February 1940?",
    ]
    alone = [german_soviet.ask(question).to_dict() for question in questions]
    assert [answer.to_dict() for answer in german_soviet.ask_many(questions)] == alone


def test_the_threshold_is_the_readers_unless_the_asker_names_one(tiny: Encoder) -> None:
    strict = WordReader("hens", calibration=Calibration(1.0, (1.0, 0.0), {"read": 1.0}, 0.0, 0.99))
    index = index_with(strict, tiny)
    answer = index.ask("What is old bread given to?")
    assert 0.5 < answer.confidence < 0.99
    assert not answer.answered
    assert index.ask("What is old bread given to?", threshold=0.5).answered


def test_an_explanation_says_what_was_read_and_what_no_passage_meets(tiny: Encoder) -> None:
    answer = index_with(WordReader("hens"), tiny).ask("What is old bread given to?")
    assert "read: answers with chance 0.98, with “hens”" in answer.explain()
    assert set(answer.unmet) <= {"What", "is", "old", "bread", "given", "to"}


def test_a_reader_can_be_exchanged_and_taken_away(tiny: Encoder) -> None:
    index = index_with(WordReader("hens"), tiny)
    other = index.with_reader(WordReader("two pence")).ask("What about bread?")
    assert other.short is not None
    assert other.short.quote == "two pence"
    assert index.with_reader(None).ask("What about bread?").passages[0].answers is None
