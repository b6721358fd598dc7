"""Words and sentences of languages other than English."""

from __future__ import annotations

import pytest

from ragkit import Document, Index
from ragkit.text.sentences import split_sentences
from ragkit.text.spans import Span
from ragkit.text.words import compounds_of, words_of


def stems(text: str) -> list[str]:
    return [word.stem for word in words_of(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["港口的调查于四月开始。", "他发现了！", "修复工程完成了。"],
        ["これは本です。", "彼は「はい。」と言った。", "終わり。"],
    ],
)
def test_chinese_and_japanese_sentences_end_without_blanks(sentences: list[str]) -> None:
    text = "".join(sentences)
    spans = split_sentences(text, Span(0, len(text)))
    assert [text[start:end] for start, end in spans] == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["ما هذا؟", "هذا كتاب."],
        ["यह घर है।", "वह बड़ा है।"],
        ["Der Vertrag wurde am 16. April 1922 unterzeichnet.", "Im 2. Weltkrieg war er tot."],
        ["Smlouva byla podepsána 16. dubna 1922.", "Je na stole."],
        ["It was told in section 16.", "Then it ended."],
        ["¿Quién es el Sr. García?", "Es el jefe."],
    ],
)
def test_sentences_end_as_the_language_ends_them(sentences: list[str]) -> None:
    text = " ".join(sentences)
    spans = split_sentences(text, Span(0, len(text)))
    assert [text[start:end] for start, end in spans] == sentences


def test_where_a_script_has_no_blanks_each_two_characters_are_a_word() -> None:
    assert stems("东码头") == ["东码", "码头"]
    assert stems("日") == ["日"]
    assert stems("abc東京x") == ["abc", "東京", "x"]
    text = "ภาษาไทย"
    assert [(w.start, w.end) for w in words_of(text)] == [(n, n + 2) for n in range(len(text) - 1)]


@pytest.mark.parametrize("word", ["हिन्दी", "தமிழ்", "বাংলা", "العَرَبِيّة", "עִבְרִית", "Москва́"])
def test_marks_do_not_cut_a_word(word: str) -> None:
    assert [(w.start, w.end) for w in words_of(word)] == [(0, len(word))]


@pytest.mark.parametrize(
    ("one", "other"), [("café", "cafe"), ("ﬁre", "fire"), ("مَدرسة", "مدرسة"), ("Ａ", "a"), ("Ελλάδα", "ελλαδα")]
)  # fmt: skip
def test_words_match_whatever_their_accents_and_width(one: str, other: str) -> None:
    assert stems(one) == stems(other)


def test_a_word_with_a_hyphen_is_indexed_as_one_as_well() -> None:
    assert compounds_of("Free Wi-Fi and e\u2011mails") == {"wifi", "email"}
    index = Index.build([Document("d", "Office", "Guests may use the Wi-Fi. It opens at nine.")])
    answer = index.ask("wifi")
    assert answer.answered
    assert answer.text == "Guests may use the Wi-Fi."


def test_a_chinese_question_is_answered() -> None:
    text = (
        "港口的调查由奥杜亚船长领导。\n\n修复工程耗资三百万元，由市政府支付。\n\n西码头建在钢桩上。"
    )
    index = Index.build([Document("d", "港口", text)])
    answer = index.ask("修复工程耗资多少？")
    assert answer.answered
    assert "三百万元" in answer.passages[0].text
    assert not index.ask("月亮上有水吗？").answered


def test_an_unknown_word_is_evidence_against_an_answer_and_no_proof() -> None:
    index = Index.build([Document("d", "Office", "The colour of the badge is red.")])
    assert 0 < index.ask("colorful").confidence < 0.9
    assert not index.ask("hi").answered
