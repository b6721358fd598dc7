"""The review page in a real browser. Run by ``scripts/browser``, which brings Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from ragkit import Document
from ragkit.evaluation import Evidence, Provenance, Question, QuestionSet, load_questions
from ragkit.evaluation.questions import save_questions
from ragkit.evaluation.review import Review
from ragkit.evaluation.review_server import listen

pytest_plugins = ["support.browsers"]
pytestmark = pytest.mark.browser

EVIL = '<img src=x onerror="window.__pwned=1">'
TEXT = (
    f"Bread is baked at dawn. Rye bread 🍞 keeps for a week. {EVIL} On Sundays the shop is closed."
)
BAKERY = Document("bakery", "Bakery", TEXT)
WEEK = "Rye bread 🍞 keeps for a week."
PASSAGE = f"bakery#0-{len(TEXT)}"


@pytest.fixture
def review(tmp_path: Path) -> Review:
    start = TEXT.index(WEEK)
    evidence = (Evidence("bakery", start, start + len(WEEK), WEEK),)
    origin = Provenance("template date", PASSAGE)
    questions = QuestionSet(
        "proposals",
        (
            Question("a", "How long does rye bread keep?", True, ("a week",), evidence, "number", provenance=origin),
            Question("b", "Who or what keeps?", True, ("Rye bread",), evidence, "name", provenance=origin),
            Question("c", f"How long does {EVIL} keep?", False, category="swapped entity", provenance=Provenance("template date", PASSAGE, "a")),
        ),
    )  # fmt: skip
    save_questions(questions, tmp_path / "proposals.jsonl")
    return Review.open(tmp_path / "proposals.jsonl", tmp_path / "questions.jsonl", [BAKERY])


@pytest.fixture
def page(browser: Browser, review: Review) -> Iterator[Page]:
    with listen(review, 0) as server:
        page = browser.new_page()
        page.goto(server.url)
        expect(page.locator("#question")).to_have_value("How long does rye bread keep?")
        yield page
        assert page.evaluate("window.__pwned") is None
        page.close()


def test_two_keys_review_a_set(page: Page, review: Review) -> None:
    expect(page.locator("mark")).to_have_text(WEEK)
    expect(page.locator("mark b")).to_have_text("a week")
    page.keyboard.press("a")
    expect(page.locator("#question")).to_have_value("Who or what keeps?")
    page.keyboard.press("r")
    expect(page.locator("#note")).to_contain_text("Derived from: “How long does rye bread keep?”")
    expect(page.locator("mark")).to_have_count(0)
    page.keyboard.press("a")
    expect(page.locator("#done")).to_be_visible()
    expect(page.locator("#progress")).to_have_text("3 of 3: 2 accepted, 1 rejected")
    assert [question.id for question in load_questions(review.out)] == ["a", "c"]


def test_a_question_is_edited_with_the_keyboard_alone(page: Page, review: Review) -> None:
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("Am I right that rye is good for days?")  # a and r are letters here
    page.keyboard.press("Enter")
    expect(page.locator("#question")).to_have_value("Who or what keeps?")
    [question] = load_questions(review.out)
    assert question.text == "Am I right that rye is good for days?"
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#question")).to_have_value("Am I right that rye is good for days?")
    expect(page.locator("#accept")).to_have_attribute("aria-pressed", "true")


def test_a_refused_decision_says_why_and_stays(page: Page, review: Review) -> None:
    page.locator("#answers").fill("a month")
    page.keyboard.press("Enter")
    expect(page.locator("#error")).to_contain_text("does not stand in the marked sentence")
    expect(page.locator("#answers")).to_have_value("a month")
    assert review.counts["pending"] == 3


def test_the_page_is_accessible_in_light_and_dark(page: Page) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        result = Axe().run(page)
        assert result.violations_count == 0, result.generate_report()
