"""The date or number that answers is told in other languages than English, too."""

from __future__ import annotations

import pytest

from ragkit.answering.phrase_patterns import PATTERNS_OF
from ragkit.answering.phrases import phrase_of
from ragkit.text.spans import Span

CASES = [
    ("Wann wurde der Vertrag unterzeichnet?", "Er wurde am 16. April 1922 geschlossen.", "16. April 1922"),
    ("Wie hoch ist die Miete der Wohnung?", "Sie beträgt 1.200,50 Euro.", "1.200,50 Euro"),
    ("¿Cuándo se firmó el tratado?", "Se firmó el 16 de abril de 1922.", "16 de abril de 1922"),
    ("Combien de livres sont dans la salle ?", "Elle en contient 12 000.", "12 000"),
    ("Когда был подписан договор?", "Он подписан 16 апреля 1922 года.", "16 апреля 1922 года"),
    ("متى تأسس المستشفى؟", "تأسّس المستشفى عام ١٩٥٤ في المدينة.", "١٩٥٤"),
    ("كم سريرا في المستشفى؟", "فيه ٣٢٠ سريرًا.", "٣٢٠"),
    ("图书馆是哪一年建成的？", "图书馆于1978年10月1日建成。", "1978年10月1日"),
    ("主楼的面积是多少？", "主楼面积２万４千平方米。", "２万４千"),
    ("押金是多少钱？", "押金为100元。", "100元"),
    ("鉄道はいつ開業しましたか？", "１９２６年４月に開業した。", "１９２６年４月"),
    ("新しい橋の長さはどれくらいですか？", "長さは215メートルある。", "215メートル"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "sentence", "phrase"), CASES)
def test_the_phrase_that_answers_is_told(question: str, sentence: str, phrase: str) -> None:
    span = phrase_of(question, sentence, Span(0, len(sentence)))
    assert span is not None
    assert sentence[span.start : span.end] == phrase


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("一张证最多可以借几本书？", "每张证可借十册图书，借期为三十天。"),
        ("Wie viele Tore hatte die Stadt?", "Die Stadt hatte 1922 einige Tore."),
        ("Wer hat den Vertrag unterzeichnet?", "Er wurde am 16. April 1922 geschlossen."),
    ],
)
def test_no_phrase_is_told_where_it_is_not_clear(question: str, sentence: str) -> None:
    assert phrase_of(question, sentence, Span(0, len(sentence))) is None


@pytest.mark.parametrize("text", ["1" * 20_000, "一" * 20_000, "1," * 10_000, "十1 " * 5_000])
def test_long_runs_of_digits_take_linear_time(text: str) -> None:
    for asked in (asked for own in PATTERNS_OF.values() for asked in own):
        assert sum(1 for _ in asked.phrase.finditer(text)) < len(text)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Quand a-t-il été signé ?", "Il est parti, mais sans signer."),
        ("Wann wurde er gewählt?", "Er wurde in Mainz gewählt."),
        ("¿Cuándo se firmó?", "La mayoría no firmó."),
        ("متى وُلد الطبيب؟", "مارس الطبيب مهنته في القاهرة."),
    ],
)
def test_a_word_that_begins_like_a_month_is_no_date(question: str, text: str) -> None:
    assert phrase_of(question, text, Span(0, len(text))) is None


@pytest.mark.parametrize(
    ("question", "text", "phrase"),
    [
        ("How many members did the party of 1912 have?", "It had 12 members.", "12"),
        ("How many members did the party of 1912 have?", "It had 12 members in 3 towns.", None),
        ("Combien de livres a-t-elle ?", "Elle a six livres.", "six"),
    ],
)
def test_digits_inside_a_number_of_the_question_are_another_number(
    question: str, text: str, phrase: str | None
) -> None:
    span = phrase_of(question, text, Span(0, len(text)))
    assert (span and text[slice(*span)]) == phrase
