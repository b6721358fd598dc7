"""What notebooks show: whole, escaped fragments without scripts, style sheets or anything to load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from ragkit import Conversation, Document, Encoder, Index
from ragkit.answering.confidence import in_words
from ragkit.evaluation import Report

EVIL = '<script>alert(1)</script><b onclick="x">&amp;'


class Fragment(HTMLParser):
    """Collects elements and text, and checks that elements are closed in order."""

    VOID = ("br",)

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes.update(name for name, _ in attrs)
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(value: Any) -> Fragment:
    html: str = value._repr_html_()
    assert html.startswith("<div>")
    fragment = Fragment(html)
    assert not {"script", "style", "link", "img", "iframe"} & set(fragment.elements)
    assert fragment.attributes <= {"style", "scope", "tabindex", "href", "rel"}
    # No colour of its own: the notebook's theme, light or dark, decides.
    assert "color" not in html
    return fragment


@pytest.fixture(scope="module")
def evil(tiny: Encoder) -> Index:
    document = Document(
        id="evil", title=EVIL, text=f"Bread is made of flour. {EVIL}", url="javascript:x"
    )
    return Index.build([document], encoder=tiny)


Show = Callable[[Index], object]


def conversation(index: Index) -> Conversation:
    talk = Conversation(index)
    talk.ask(f"What is bread made of? {EVIL}", threshold=0)
    return talk


@pytest.mark.parametrize(
    "value",
    [
        lambda index: index,
        lambda index: index.ask(f"bread {EVIL}", threshold=0),
        lambda index: replace(index.ask("bread"), standalone=EVIL, stale=True),
        lambda index: index.search("bread")[0],
        conversation,
    ],
    ids=["index", "answer", "abstention", "passage", "conversation"],
)
def test_text_of_others_is_shown_and_is_no_markup(evil: Index, value: Show) -> None:
    fragment = shown(value(evil))
    assert EVIL in fragment.text
    assert "a" not in fragment.elements  # javascript: is no address


def test_an_index_shows_what_it_holds(german_soviet: Index, tiny: Encoder) -> None:
    text = shown(german_soviet).text
    assert "Germany–Soviet Union relations (1918–1941)" in text
    assert german_soviet.generation in text
    many = Index.build([Document(f"d{i}", f"T{i}", f"Text {i}.") for i in range(8)], encoder=tiny)
    assert "T0, T1, T2, T3, T4 and 3 more" in shown(many).text
    assert "documents0" in shown(Index.build([], encoder=tiny)).text


def test_an_answer_shows_its_confidence_and_each_passage_is_marked(german_soviet: Index) -> None:
    answer = german_soviet.ask("When did the first German officers go to Soviet Russia?", k=2)
    fragment = shown(answer)
    assert answer.text in fragment.text
    assert f"confidence {answer.confidence:.2f} ({in_words(answer.confidence)})" in fragment.text
    assert fragment.elements.count("blockquote") == 2
    passage = shown(answer.passages[0])
    assert f"rank 1, score {answer.passages[0].score:.3f}" in passage.text
    assert "mark" in passage.elements
    assert "a" in passage.elements


def test_a_conversation_shows_how_each_turn_was_understood(german_soviet: Index) -> None:
    talk = Conversation(german_soviet)
    assert "No question is remembered yet." in shown(talk).text
    talk.ask("When did the USSR join the League of Nations?")
    talk.ask("and when was it thrown out?")
    talk.ask("How do I bake sourdough bread?")
    fragment = shown(talk)
    assert fragment.elements.count("li") == 3
    assert "You asked about: when was the USSR thrown out?" in fragment.text
    assert fragment.text.count("You asked about") == 1
    assert "The corpus does not say." in fragment.text
    assert fragment.elements.count("a") == 2
    elsewhere = Conversation(Index.build([Document("b", "B", "B.")]), turns=talk.turns)
    assert "a" not in shown(elsewhere).elements


def test_a_report_shows_its_measures_by_category(report: Report) -> None:
    evil = replace(
        report, name=EVIL, outcomes=tuple(replace(o, category=EVIL) for o in report.outcomes[:3])
    )
    fragment = shown(evil)
    assert fragment.text.count(EVIL) == 2
    assert fragment.elements.count("table") == 2
    success = report.summary()["Success@1"]
    assert f"Success@1{success:.3f}" in shown(report).text
