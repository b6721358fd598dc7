"""The contract of answers: exact citations, refused questions, safe renderings."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit import (
    Answer,
    Citation,
    Document,
    Encoder,
    Index,
    InputError,
    Passage,
    QuestionError,
    Span,
    aask,
    ask,
    ask_many,
)
from support.strategies import articles


@pytest.fixture(scope="module")
def small(tiny: Encoder) -> Index:
    text = (
        "== Danube ==\n\nIt rises in Germany. It ends in the sea.\n\n"
        "== Rhine ==\n\nIt rises <b>high</b>.\n"
    )
    return Index.build([Document("rivers", "Rivers", text, "javascript:alert(1)")], encoder=tiny)


def assert_cites_exactly(answer: Answer, index: Index) -> None:
    assert [p.rank for p in answer.passages] == list(range(1, len(answer.passages) + 1))
    # What was read stands first, in the order of reading and finding together.
    scores = [p.score for p in answer.passages if p.answers is None]
    assert scores == sorted(scores, reverse=True)
    for passage in answer.passages:
        citation = passage.citation
        text = index.document(citation.document_id).text
        assert text[citation.start : citation.end] == citation.quote == passage.text
        assert passage.highlights
        for span in passage.highlights:
            assert text[span.start : span.end] == passage.quote(span)


@settings(max_examples=25, deadline=None)
@given(articles(), st.integers(1, 9))
def test_every_citation_of_any_article_resolves(tiny: Encoder, text: str, k: int) -> None:
    if not text.strip().strip("\ufeff\u200b").strip():
        return
    index = Index.build([Document("d", "D", text)], encoder=tiny)
    assert_cites_exactly(index.ask("Who signed the treaty?", k=k), index)


def test_the_answer_is_verbatim_from_the_best_passage(german_soviet: Index) -> None:
    answer = ask("Who signed the Treaty of Rapallo?")
    assert_cites_exactly(answer, german_soviet)
    assert answer.answered
    assert answer.text in answer.passages[0].text
    assert 0 <= answer.confidence <= 1
    assert len(answer.passages) == 5


def test_ask_many_and_aask_give_what_ask_gives(small: Index) -> None:
    questions = ["Where does the Danube rise?", "the Rhine"]
    expected = [small.ask(q, k=2) for q in questions]
    many = small.ask_many(questions, k=2)
    for one, other in zip(expected, many, strict=True):
        assert one.text == other.text
        assert [p.citation for p in one.passages] == [p.citation for p in other.passages]
    assert asyncio.run(small.aask(questions[0], k=2)) == expected[0]
    assert asyncio.run(aask(questions[0], k=2, index=small)) == expected[0]
    assert ask_many([], index=small) == []


def test_search_gives_the_passages_of_ask(small: Index) -> None:
    assert small.search("the Rhine", k=2) == list(small.ask("the Rhine", k=2).passages)


def test_k_beyond_the_corpus_gives_all_of_it(small: Index) -> None:
    assert len(small.ask("rivers", k=10**9).passages) == len(small) == 2


@pytest.mark.parametrize("k", [0, -1, 2.0, "5", None, True])
def test_an_unusable_k_is_refused(small: Index, k: object) -> None:
    with pytest.raises(InputError, match="expected"):
        small.ask("rivers", k=k)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("", "blank"),
        (" \n\t ", "blank"),
        ("\u200b\u2060", "blank"),
        ("x" * 100_000, "100,000 characters"),
        ("who\x00signed", r"U\+0000 at position 3"),
        ("who \x1b[31m signed", r"U\+001B"),
        ("who \ud800", r"U\+D800"),
        (None, "NoneType"),
        (b"who", "bytes"),
        (["who"], "list"),
    ],
)
def test_an_unusable_question_is_refused_with_the_reason(
    small: Index, question: object, message: str
) -> None:
    with pytest.raises(QuestionError, match=message):
        small.ask(question)  # type: ignore[arg-type]


def test_line_breaks_in_a_question_are_layout(small: Index) -> None:
    assert small.ask("the\n\tRhine ").question == "the Rhine"


def test_a_question_over_the_window_is_read_to_its_end(small: Index) -> None:
    long = "please tell me " * 100
    assert small.search(long + "danube") != small.search(long + "bread")


def test_one_string_for_many_questions_is_refused(small: Index) -> None:
    with pytest.raises(InputError, match="expected a list"):
        small.ask_many("who?")


def test_an_index_of_another_type_and_an_unknown_document_are_refused(small: Index) -> None:
    with pytest.raises(InputError, match="index is a int"):
        ask("who?", index=3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"no document 'x'; it has 1, e\.g\. 'rivers'"):
        small.document("x")


def test_values_are_frozen_and_wrong_citations_cannot_be_built() -> None:
    citation = Citation("d", "T", (), 2, 5, "abc")
    with pytest.raises(dataclasses.FrozenInstanceError):
        citation.start = 0  # type: ignore[misc]
    builds: list[Callable[[], object]] = [
        lambda: Citation("d", "T", (), 2, 6, "abc"),
        lambda: Citation("d", "T", (), -1, 2, "abc"),
        lambda: Citation("d", "T", (), 2, 2, ""),
        lambda: Passage("abd", 1.0, 1, citation),
        lambda: Passage("abc", 1.0, 1, citation, (Span(1, 3),)),
        lambda: Passage("abc", 1.0, 1, citation, (Span(4, 4),)),
    ]
    for build in builds:
        with pytest.raises(InputError):
            build()


def test_to_dict_is_json_ready_and_whole(small: Index) -> None:
    answer = small.ask("the Rhine", k=1)
    content = json.loads(json.dumps(answer.to_dict()))
    [passage] = content["passages"]
    assert content["text"] == answer.text
    assert passage["citation"] == {
        "document_id": "rivers",
        "title": "Rivers",
        "section": list(answer.passages[0].citation.section),
        "start": answer.passages[0].citation.start,
        "end": answer.passages[0].citation.end,
        "quote": answer.passages[0].text,
        "url": "javascript:alert(1)",
        "page": None,
    }
    assert passage["highlights"][0]["quote"] in passage["text"]


def test_markdown_numbers_its_citations_and_escapes_the_corpus(small: Index) -> None:
    text = small.ask("high", k=2, threshold=0).to_markdown()
    assert "[1]\n\n1. " in text
    assert "\n\n2. " in text
    assert "<b>" not in text
    assert "](<javascript" not in text


def test_html_marks_the_answer_and_lets_nothing_run(small: Index) -> None:
    html = small.ask("high", k=2)._repr_html_()
    assert "<mark>" in html
    assert "<b>" not in html
    assert "href" not in html


def test_web_addresses_are_linked_in_markdown_and_html(tiny: Encoder) -> None:
    index = Index.build(
        [Document("d", "D", "Bread.", "https://example.org/a b_(c)>")], encoder=tiny
    )
    answer = index.ask("bread")
    assert "[D](<https://example.org/a%20b_(c)%3E>)" in answer.to_markdown()
    assert 'href="https://example.org/a b_(c)&gt;"' in answer._repr_html_()


def test_str_shows_the_answer_and_where_it_stands(small: Index) -> None:
    answer = small.ask("the Rhine", k=1)
    assert str(answer).startswith(answer.text)
    citation = answer.passages[0].citation
    assert f"[1] Rivers § {citation.section[0]} [{citation.start}:{citation.end}]" in str(answer)


def test_an_abstention_says_so_in_every_rendering(tiny: Encoder) -> None:
    answer = Index.build([], encoder=tiny).ask("who?")
    for text in (str(answer), answer.to_markdown(), answer._repr_html_()):
        assert "The corpus does not say (" in text
        assert "empty corpus" in text


def test_a_year_at_the_beginning_does_not_become_a_list_in_markdown(tiny: Encoder) -> None:
    answer = Index.build([Document("d", "D", "1922. A year.")], encoder=tiny).ask(
        "1922", threshold=0
    )
    assert answer.to_markdown().startswith("1922\\.")
