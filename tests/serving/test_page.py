"""The page and the widget in a real browser, served by the real server. Run by ``scripts/browser``."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    FrameLocator,
    Page,
    Route,
    expect,
)
from starlette.types import Receive, Scope, Send

from ragkit import Document, Index, Section
from ragkit.grounding import LanguageModel, Message, Piece
from ragkit.serving import Settings, create_app
from ragkit.serving.feedback_file import load_feedback
from support.listening import listening
from support.parts import ROOT

pytest_plugins = ["support.browsers"]
pytestmark = pytest.mark.browser

OFFICERS = "When did the first German officers go to Soviet Russia?"
OFFICERS_WENT = "The first German officers went to Soviet Russia for these purposes in March 1922."
LEAGUE = "When did the USSR join the League of Nations?"
TOKEN = "-".join(["open", "sesame"])
RAPALLO = "Who signed the Treaty of Rapallo?"
THANKED = "You are welcome."
MEANT = "When was the Soviet Union expelled from the League of Nations?"
EXPELLED = "and when was it expelled?"
BREAD = "How do I bake sourdough bread?"
PHONE = {"width": 390, "height": 844}
EVIL = '<img src=x onerror="window.__pwned=1"><script>window.__pwned=1</script>'


class Parrot:
    """A language model that says what it was made to say, word by word."""

    name = "parrot-1b"

    def __init__(self, text: str, pause: float = 0.0) -> None:
        self._text = text
        self._pause = pause

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:  # noqa: ARG002
        for word in self._text.split(" "):
            time.sleep(self._pause)
            yield Piece(f"{word} ")
        yield Piece("", "stop")


@pytest.fixture(scope="session")
def index(german_soviet: Index) -> Index:
    return german_soviet


@pytest.fixture(scope="session")
def origin(index: Index) -> Iterator[str]:
    with listening(create_app(index, Settings())) as address:
        yield address


@pytest.fixture(scope="session")
def strange() -> Index:
    """Three documents: letters beyond the BMP, right to left, and ones that attack the page."""
    astral = (
        "== Tower 𝄞 ==\n\n🦉🦉🦉 𝔘𝔭 there it is cold. The 🧙🏽‍♂️ wizard keeps 17 owls 🦉 in his tower. 🎹 He "
        "plays.\n\n👩‍👩‍👧 The family of the wizard 🧙 lives in a house by the sea. 🌊 It is warm there.\n"
    )
    hebrew = "== הספרייה ==\n\nהספרייה 📚 נפתחת בשעה תשע בבוקר. בשבת היא סגורה.\n"
    attack = (
        f"== {EVIL} ==\n\nThe password of the treasury is {EVIL} javascript:alert(1) swordfish.\n"
    )
    return Index.build(
        [
            Document("wizards/#1 🧙?", "Wizards 𝕬", astral, "https://example.org/wizards"),
            Document("library", "ספרייה", hebrew),
            Document("attack", f"Treasury {EVIL}", attack, "javascript:window.__pwned=1"),
        ]
    )


@pytest.fixture(scope="session")
def strange_origin(strange: Index) -> Iterator[str]:
    with listening(create_app(strange, Settings())) as address:
        yield address


@dataclass
class Watch:
    """What a browser complained about, and where it went."""

    complaints: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def over(self, page: Page) -> None:
        page.on("console", lambda said: self._note(said.type, said.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("dialog", lambda dialog: self._note("error", f"dialog {dialog.message}"))
        page.on("request", lambda request: self.addresses.append(request.url))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(part in text for part in self.expected):
            self.complaints.append(text)


@pytest.fixture
def watch() -> Watch:
    return Watch()


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, watch: Watch) -> Iterator[Visit]:
    """Opens an address. No test passes if the console complained or a foreign host was asked."""
    contexts: list[BrowserContext] = []

    def opened(address: str, **options: Any) -> Page:
        wide = {"width": 1280, "height": 800}
        context = browser.new_context(**{"viewport": wide, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        watch.over(page)
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert watch.complaints == []
    assert {urlsplit(a).hostname for a in watch.addresses} <= {"127.0.0.1", "localhost", None}


def ask(page: Page, question: str) -> None:
    """By keyboard, and wait for the end of it."""
    turns = page.locator(".turn")
    before = turns.count()
    page.get_by_label("Your question").fill(question)
    page.get_by_label("Your question").press("Enter")
    expect(turns).to_have_count(before + 1)
    expect(page.locator("#turns")).to_have_attribute("aria-busy", "false")
    expect(turns.last.locator(".facts")).to_be_visible()


def focused(page: Page) -> str:
    found: str = page.evaluate("document.activeElement.id || document.activeElement.textContent")
    return found


def marked(page: Page) -> str:
    return "".join(page.locator("#text mark").all_inner_texts())


# --- asking


def test_a_question_is_asked_by_keyboard_and_its_sentence_is_marked_in_view(
    visit: Visit, origin: str
) -> None:
    page = visit(f"{origin}/")
    expect(page.get_by_label("Your question")).to_be_focused()
    ask(page, OFFICERS)
    expect(page.locator(".answer")).to_have_text(OFFICERS_WENT)
    expect(page.locator(".answer .phrase")).to_have_text("March 1922")
    expect(page.locator("#text mark")).to_have_text(OFFICERS_WENT)
    expect(page.locator("#text mark")).to_be_in_viewport(ratio=1)
    expect(page.locator("#text .cited")).to_contain_text("One month later, Junkers began")
    expect(page.locator(".sure")).to_contain_text("likely")
    expect(page.locator("#said")).to_contain_text(OFFICERS_WENT)
    expect(page.get_by_label("Your question")).to_be_focused()
    expect(page.get_by_label("Your question")).to_have_value("")


def test_who_asks_before_the_corpus_is_known_is_answered_when_it_is(
    visit: Visit, origin: str
) -> None:
    page = visit("about:blank")
    held: list[Route] = []
    page.route("**/v1/corpus", lambda route: held.append(route))  # noqa: PLW0108 - it is marked
    page.goto(f"{origin}/")
    page.get_by_label("Your question").fill(OFFICERS)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your question")).to_have_value(OFFICERS)
    held[0].continue_()
    expect(page.locator(".answer")).to_have_text(OFFICERS_WENT)


@pytest.fixture(params=["Enter", "Ask"])
def send(request: pytest.FixtureRequest) -> Callable[[FrameLocator | Page], None]:
    """Sends the question that was typed: by key, or by button."""

    def sent(page: FrameLocator | Page) -> None:
        if request.param == "Enter":
            page.get_by_label("Your question").press("Enter")
        else:
            # The click returns before the form has left for the address with the question in it.
            page.get_by_role("button", name="Ask", exact=True).click(no_wait_after=True)

    return sent


def test_a_question_sent_before_the_script_is_there_is_answered_when_it_is(
    visit: Visit, origin: str, send: Callable[[FrameLocator | Page], None]
) -> None:
    page = visit("about:blank")
    with held_back(page.context, "**/static/turn.js"):
        page.goto(f"{origin}/", wait_until="commit")
        page.get_by_label("Your question").fill(OFFICERS)
        send(page)
    expect(page.locator(".answer")).to_have_text(OFFICERS_WENT)
    expect(page.get_by_label("Your question")).to_have_value("")
    expect(page.locator(".turn")).to_have_count(1)
    expect(page).not_to_have_url(re.compile(r"\?"))
    assert parse_qs(urlsplit(page.url).fragment)["q"] == [OFFICERS]


def test_what_is_being_typed_when_the_script_comes_is_not_asked_yet(
    visit: Visit, origin: str
) -> None:
    page = visit("about:blank")
    with held_back(page.context, "**/static/turn.js"):
        page.goto(f"{origin}/", wait_until="commit")
        page.get_by_label("Your question").fill("When did the")
    expect(page.locator("#welcome")).to_be_visible()
    expect(page.get_by_label("Your question")).to_have_value("When did the")
    expect(page.locator(".turn")).to_have_count(0)


@contextmanager
def held_back(context: BrowserContext, pattern: str) -> Iterator[None]:
    """What is loaded from there arrives only when the block ends."""
    held: list[Route] = []
    context.route(pattern, lambda route: held.append(route))  # noqa: PLW0108 - it is marked
    yield
    context.unroute(pattern)
    for route in held:
        with suppress(Error):  # the page that wanted it was left
            route.continue_()


def test_what_is_loaded_is_said_before_the_first_question(
    visit: Visit, origin: str, index: Index
) -> None:
    page = visit(f"{origin}/")
    expect(page.locator("#welcome")).to_contain_text(index.documents[0].title)
    expect(page.locator("#welcome")).to_contain_text(f"{len(index)} passages")
    expect(page.locator("#text h2")).to_have_text(index.documents[0].title)
    ask(page, OFFICERS)
    expect(page.locator("#welcome")).to_be_hidden()


def test_another_passage_opens_in_the_article_and_escape_goes_back(
    visit: Visit, origin: str, index: Index
) -> None:
    page = visit(f"{origin}/")
    ask(page, OFFICERS)
    page.get_by_text("Other passages (4)").click()
    third = page.locator(".passages > li").nth(1)
    cite = third.get_by_role("button")
    cite.focus()
    page.keyboard.press("Enter")
    wanted = index.ask(OFFICERS).passages[2]
    expect(page.locator("#text mark").first).to_be_focused()
    expect(page.locator("#text mark").first).to_be_in_viewport()
    assert marked(page) == "".join(wanted.quote(span) for span in wanted.highlights)
    page.keyboard.press("Escape")
    expect(cite).to_be_focused()
    link = third.get_by_role("link").get_attribute("href")
    assert link
    assert link.startswith("https://en.wikipedia.org/")
    assert "#:~:text=" in link


def test_a_follow_up_says_how_it_was_understood_and_can_be_asked_differently(
    visit: Visit, origin: str
) -> None:
    page = visit(f"{origin}/")
    ask(page, LEAGUE)
    expect(page.locator(".understood")).to_have_count(0)
    ask(page, EXPELLED)
    expect(page.locator(".understood")).to_contain_text("You asked about:")
    expect(page.locator(".understood q")).to_have_text("when was the USSR expelled?")
    page.get_by_role("button", name="Ask it differently").click()
    field = page.get_by_label("How to understand the question")
    expect(field).to_be_focused()
    field.press("Escape")
    expect(page.get_by_role("button", name="Ask it differently")).to_be_focused()
    page.keyboard.press("Enter")
    field.fill(MEANT)
    field.press("Enter")
    expect(page.locator(".turn")).to_have_count(3)
    last = page.locator(".turn").last
    expect(last.get_by_role("heading", level=2)).to_have_text(EXPELLED)
    expect(last.locator("q")).to_have_text(MEANT)
    expect(page.get_by_label("Your question")).to_be_focused()


def test_what_the_article_does_not_say_is_said_plainly_with_the_nearest_passages(
    visit: Visit, origin: str
) -> None:
    page = visit(f"{origin}/")
    ask(page, OFFICERS)
    ask(page, BREAD)
    last = page.locator(".turn").last
    expect(last).to_contain_text("The article does not say. Nothing in it is about this.")
    expect(last.locator(".answer")).to_have_count(0)
    expect(last.locator(".nearest li")).to_have_count(5)
    expect(last.locator(".nearest li").first).to_be_visible()
    expect(page.locator("#text mark")).to_have_count(0)
    expect(page.locator("#said")).to_contain_text("The article does not say.")


def test_an_answer_is_copied_with_its_citations(visit: Visit, origin: str, index: Index) -> None:
    page = visit(f"{origin}/", permissions=["clipboard-read", "clipboard-write"])
    for number, question in enumerate([OFFICERS, BREAD]):
        ask(page, question)
        copy = page.locator(".turn").nth(number).get_by_role("button", name="Copy", exact=True)
        copy.click()
        expect(page.locator("#said")).to_have_text("Answer copied")
        assert page.evaluate("navigator.clipboard.readText()") == index.ask(question).to_markdown()
        expect(copy).to_have_text("Copy")  # it said "Copied" meanwhile


def test_where_copying_is_forbidden_the_reader_copies_by_hand(
    visit: Visit, origin: str, index: Index
) -> None:
    page = visit("about:blank")
    page.add_init_script("delete Navigator.prototype.clipboard")
    page.goto(f"{origin}/")
    ask(page, OFFICERS)
    page.get_by_role("button", name="Copy", exact=True).click()
    field = page.get_by_label("Answer", exact=True)
    expect(field).to_be_focused()
    expect(field).to_have_value(index.ask(OFFICERS).to_markdown())
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_label("Link", exact=True)).to_have_value(page.url)


def changing(page: Page, **fields: Any) -> None:
    """Every answer from now on has these fields, as another kind of answer would."""

    def changed(route: Route) -> None:
        response = route.fetch(headers={**route.request.headers, "accept": "application/json"})
        route.fulfill(json={**response.json(), **fields})

    page.route("**/ask", changed)


CHOICES = [
    {"label": "Treaty of Rapallo", "question": RAPALLO, "rank": 1},
    {"label": "German officers", "question": OFFICERS, "rank": 2},
]


def test_each_reading_of_a_question_is_a_button_that_asks_it(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/")
    changing(page, choices=CHOICES)
    ask(page, "When was it signed?")
    page.unroute_all()
    readings = page.get_by_role("group", name="Which do you mean?")
    expect(readings.get_by_role("button")).to_have_text(["Treaty of Rapallo", "German officers"])
    expect(page.locator("#said")).to_contain_text("Treaty of Rapallo? German officers?")
    readings.get_by_role("button", name="German officers").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".turn h2").last).to_have_text(OFFICERS)
    expect(page.locator(".answer").last).to_have_text(OFFICERS_WENT)
    expect(page.get_by_label("Your question")).to_be_focused()


def test_a_reply_is_said_instead_of_an_answer(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/")
    changing(page, remark="thanks", reply=THANKED, answered=False, passages=[], text="")
    page.get_by_label("Your question").fill("thanks")
    page.keyboard.press("Enter")
    expect(page.locator(".reply")).to_have_text(THANKED)
    expect(page.locator("#said")).to_contain_text(THANKED)
    expect(page.locator(".silence, .facts, .nearest, .answer")).to_have_count(0)


def test_a_reply_about_an_answer_has_its_passages_below(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/")
    changing(page, remark="source", reply="It stands here:")
    ask(page, OFFICERS)
    expect(page.locator(".reply")).to_have_text("It stands here:")
    expect(page.locator(".evidence")).to_have_text(OFFICERS_WENT)
    expect(page.locator(".source button")).to_be_visible()
    page.unroute_all()
    changing(page, reply="Which treaty?", choices=CHOICES, answered=False, text="")
    ask(page, RAPALLO)
    last = page.locator(".turn").last
    expect(last.locator(".reply")).to_have_text("Which treaty?")
    expect(last.get_by_role("button", name="German officers")).to_be_visible()
    expect(last.locator(".nearest")).to_contain_text("Passages")
    expect(last.locator(".nearest li")).to_have_count(5)
    expect(last.locator(".silence")).to_have_count(0)


def test_a_new_conversation_forgets_the_old_one(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/")
    ask(page, LEAGUE)
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.locator("#welcome")).to_be_visible()
    expect(page.get_by_label("Your question")).to_be_focused()
    assert page.url == f"{origin}/"
    ask(page, EXPELLED)
    expect(page.locator(".understood")).to_have_count(0)


def test_keys_lead_to_the_question_and_shift_enter_begins_a_line(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/")
    ask(page, OFFICERS)
    question = page.get_by_label("Your question")
    page.locator(".source button").focus()
    page.keyboard.press("/")
    expect(question).to_be_focused()
    expect(question).to_have_value("")
    page.keyboard.type("a/b")
    page.keyboard.press("Shift+Enter")
    expect(question).to_have_value("a/b\n")
    expect(page.locator(".turn")).to_have_count(1)
    before = page.url
    page.get_by_role("link", name="Skip to the question").focus()
    page.keyboard.press("Enter")
    expect(question).to_be_focused()
    assert page.url == before


# --- what the reader thinks of an answer


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feedback") / "feedback.jsonl"


@pytest.fixture(scope="session")
def listener(index: Index, stored: Path) -> Iterator[str]:
    """The origin of a server that stores feedback."""
    with listening(create_app(index, Settings(feedback=stored))) as address:
        yield address


def test_a_thumb_up_is_stored_at_once(visit: Visit, listener: str, stored: Path) -> None:
    page = visit(f"{listener}/")
    ask(page, OFFICERS)
    page.get_by_role("button", name="Helpful", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Thank you.")).to_be_focused()
    *_, last = load_feedback(stored)
    assert (last.question, last.verdict, last.text) == (OFFICERS, "good", OFFICERS_WENT)
    assert last.passages[0] == page.evaluate(
        "q => fetch('v1/ask', {method: 'POST', headers: {'content-type': 'application/json'},"
        " body: JSON.stringify({question: q})}).then(r => r.json()).then(a => a.passages[0].id)",
        OFFICERS,
    )


@pytest.mark.parametrize(("name", "verdict"), [("Not helpful", "bad"), ("This is wrong", "wrong")])
def test_what_is_wrong_can_be_explained_or_taken_back(
    visit: Visit, listener: str, stored: Path, name: str, verdict: str
) -> None:
    page = visit(f"{listener}/")
    ask(page, BREAD)
    opener = page.get_by_role("button", name=name)
    opener.click()
    field = page.get_by_label("What is wrong?")
    expect(field).to_be_focused()
    field.press("Escape")
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    field.fill(f"It is in the kitchen. {EVIL}")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Thank you.")).to_be_visible()
    *_, last = load_feedback(stored)
    assert (last.verdict, last.answered, last.text) == (verdict, False, "")
    assert last.comment == f"It is in the kitchen. {EVIL}"


def test_feedback_that_cannot_be_stored_is_not_lost(
    visit: Visit, listener: str, watch: Watch
) -> None:
    watch.expected = ("net::ERR_FAILED",)
    page = visit(f"{listener}/")
    ask(page, OFFICERS)
    page.route("**/feedback", lambda route: route.abort())
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_label("What is wrong?").fill("Nonsense.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    expect(page.get_by_label("What is wrong?")).to_have_value("Nonsense.")
    page.unroute("**/feedback")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Thank you.")).to_be_visible()


def test_nobody_is_asked_for_feedback_that_is_not_stored(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/")
    ask(page, OFFICERS)
    expect(page.get_by_role("group", name="Your opinion")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_mend_in_feedback(visit: Visit, listener: str, scheme: str) -> None:
    page = visit(f"{listener}/", bypass_csp=True, reduced_motion="reduce", color_scheme=scheme)
    ask(page, OFFICERS)
    ask(page, BREAD)
    page.get_by_role("button", name="This is wrong").last.click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


# --- a link to an answer


def test_a_link_asks_one_turn_as_it_was_understood_and_no_server_is_told_the_fragment(
    visit: Visit, origin: str, watch: Watch, index: Index
) -> None:
    page = visit(f"{origin}/", permissions=["clipboard-read", "clipboard-write"])
    ask(page, LEAGUE)
    ask(page, EXPELLED)
    page.get_by_role("button", name="Ask it differently").click()
    page.get_by_label("How to understand the question").fill(MEANT)
    page.keyboard.press("Enter")
    expect(page.locator(".turn").nth(2).locator(".facts")).to_be_visible()
    ask(page, BREAD)
    fragment = parse_qs(urlsplit(page.url).fragment)
    assert fragment == {"q": [BREAD], "k": ["5"], "g": [index.generation]}
    page.locator(".turn").nth(2).get_by_role("button", name="Copy link").click()
    expect(page.locator("#said")).to_have_text("Link copied")
    link = page.evaluate("navigator.clipboard.readText()")
    shared = parse_qs(urlsplit(link).fragment)
    assert (shared["q"], shared["s"]) == ([EXPELLED], [MEANT])

    again = visit(link)
    expect(again.locator(".turn")).to_have_count(1)
    expect(again.locator(".turn h2")).to_have_text(EXPELLED)
    expect(again.locator(".understood q")).to_have_text(MEANT)
    expect(again.locator(".answer")).to_contain_text("expelled")
    expect(again.locator(".notice")).to_have_count(0)
    assert again.url == link
    assert all("League" not in address for address in watch.addresses if "#" not in address)


def test_a_link_may_ask_several_questions_of_one_conversation(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/#{urlencode([('q', LEAGUE), ('q', EXPELLED)])}")
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator(".understood q")).to_have_text("when was the USSR expelled?")
    expect(page.locator(".turn").last).to_be_in_viewport()


def test_back_and_forward_walk_through_the_questions(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/")
    questions = [OFFICERS, RAPALLO, BREAD]
    links = []
    for question in questions:
        ask(page, question)
        links.append(page.url)
    turns = page.locator(".turn")

    page.go_back()
    expect(turns.nth(1).get_by_role("heading", name=RAPALLO)).to_be_in_viewport()
    expect(page.locator("#text mark")).to_contain_text("Rathenau")
    expect(page.locator("#said")).to_contain_text(RAPALLO)
    assert page.url == links[1]
    page.go_back()
    expect(turns.first.get_by_role("heading", name=OFFICERS)).to_be_in_viewport()
    expect(page.locator("#text mark")).to_have_text(OFFICERS_WENT)
    page.go_back()
    expect(page.locator("#welcome")).to_be_in_viewport()
    assert page.url == f"{origin}/"
    page.go_forward()
    expect(turns.first.get_by_role("heading", name=OFFICERS)).to_be_in_viewport()
    page.evaluate("history.go(2)")
    expect(page.locator("#text mark")).to_have_count(0)
    assert page.url == links[2]
    expect(turns).to_have_count(3)  # nothing was asked again, and nothing was lost


def test_a_thread_outlives_a_reload_and_back_leads_into_an_earlier_conversation(
    visit: Visit, origin: str
) -> None:
    page = visit(f"{origin}/")
    ask(page, LEAGUE)
    ask(page, EXPELLED)
    page.reload()
    headings = page.locator(".turn h2")
    expect(headings).to_have_text([LEAGUE, EXPELLED])
    expect(page.locator("#turns")).to_have_attribute("aria-busy", "false")
    page.go_back()
    expect(headings.first).to_be_in_viewport()
    expect(headings).to_have_count(2)
    page.get_by_role("button", name="New conversation").click()
    ask(page, RAPALLO)
    page.go_back()
    expect(page.locator("#welcome")).to_be_visible()
    page.go_back()
    expect(headings).to_have_text([LEAGUE])
    page.go_forward()
    page.go_forward()
    expect(headings).to_have_text([RAPALLO])


def test_going_back_stops_what_is_being_asked(visit: Visit, index: Index) -> None:
    slow: LanguageModel = Parrot("word " * 200, pause=0.05)
    with listening(create_app(index, Settings(), llm=slow)) as address:
        page = visit(f"{address}/")
        ask(page, BREAD)  # it abstains, so that no model writes
        ask(page, "zxqv blorp frimble")
        page.get_by_label("Your question").fill(OFFICERS)
        page.keyboard.press("Enter")
        expect(page.locator(".evidence")).to_be_visible()
        page.go_back()
        expect(page.locator(".turn h2")).to_have_text([BREAD, "zxqv blorp frimble"])
        expect(page.get_by_label("Your question")).to_have_value(OFFICERS)
        expect(page.locator("#turns")).to_have_attribute("aria-busy", "false")
        expect(page.get_by_role("alert")).to_have_count(0)


def test_a_link_made_from_another_generation_says_so(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/#q=Who+signed+the+Treaty+of+Rapallo%3F&k=2&g=0123456789abcdef")
    expect(page.get_by_role("status")).to_have_text(
        "The corpus has changed since this link was made."
    )
    expect(page.locator(".answer")).to_contain_text("Rathenau")
    expect(page.get_by_text("Other passages (1)")).to_be_visible()


def test_a_link_pasted_over_the_address_replaces_the_thread(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/")
    ask(page, OFFICERS)
    page.evaluate("location.hash = '#q=Who+signed+the+Treaty+of+Rapallo%3F'")
    expect(page.locator(".answer")).to_contain_text("Rathenau")
    expect(page.locator(".turn")).to_have_count(1)


# --- exact, and safe


@pytest.mark.parametrize(
    "question",
    [
        "How many owls does the wizard keep in his tower?",
        "Where does the family of the wizard live?",
    ],
)
def test_marks_are_exact_among_letters_beyond_the_bmp(
    visit: Visit, strange_origin: str, strange: Index, question: str
) -> None:
    page = visit(f"{strange_origin}/")
    ask(page, question)
    best = strange.ask(question).passages[0]
    assert best.citation.document_id == "wizards/#1 🧙?"
    expect(page.locator("#text mark").first).to_be_in_viewport()
    assert marked(page) == "".join(best.quote(span) for span in best.highlights)
    phrase = "".join(page.locator("#text .phrase").all_inner_texts())
    assert phrase == (best.quote(best.phrase) if best.phrase else "")
    assert "".join(page.locator("#text .cited").all_text_contents()) == best.text.replace(
        "\n\n", ""
    )


def test_a_highlight_over_two_paragraphs_is_marked_in_both(
    visit: Visit, strange_origin: str, strange: Index
) -> None:
    document = strange.documents[0]
    start, end = document.text.index("in his tower"), document.text.index(" lives in a house")
    span = {"start": start, "end": end, "quote": document.text[start:end]}

    def stretched(route: Route) -> None:
        answer = json.loads(route.fetch(headers={**route.request.headers, "accept": "*/*"}).text())
        passage = answer["passages"][0]
        passage["citation"].update(span)
        passage.update(text=span["quote"], highlights=[span], phrase=None)
        answer.update(text=span["quote"])
        route.fulfill(json=answer)

    page = visit(f"{strange_origin}/")
    page.route("**/ask", stretched)
    ask(page, "How many owls does the wizard keep in his tower?")
    expect(page.locator("#text mark")).to_have_text(
        ["in his tower. 🎹 He plays.", "👩‍👩‍👧 The family of the wizard 🧙"]
    )


def test_what_was_cited_of_an_older_text_is_not_marked_in_the_newer(
    visit: Visit, origin: str
) -> None:
    """First the loaded text is older than the answer; then the answer is older than the text."""
    loads: list[str] = []

    def moved(route: Route) -> None:
        content = route.fetch().json()
        loads.append(content["id"])
        for block in content["blocks"]:
            block["start"], block["end"] = block["start"] + 7, block["end"] + 7
        route.fulfill(json=content)

    def moved_once(route: Route) -> None:
        if loads:
            route.continue_()
        else:
            moved(route)

    page = visit("about:blank")
    page.route("**/v1/documents/*", moved_once)
    page.goto(f"{origin}/")
    expect(page.locator("#text article")).to_be_visible()
    ask(page, OFFICERS)
    expect(page.locator("#text mark")).to_have_text(OFFICERS_WENT)
    assert len(loads) == 1

    again = visit("about:blank")
    again.route("**/v1/documents/*", moved)
    again.goto(f"{origin}/")
    ask(again, OFFICERS)
    expect(again.locator("#text").get_by_role("status")).to_contain_text("no longer there")
    expect(again.locator("#text mark")).to_have_count(0)


def test_right_to_left_text_runs_right_to_left(
    visit: Visit, strange_origin: str, strange: Index
) -> None:
    question = "הספרייה 📚 נפתחת בשעה תשע בבוקר"
    page = visit(f"{strange_origin}/")
    ask(page, question)
    assert strange.ask(question).passages[0].citation.document_id == "library"
    expect(page.locator("#text mark")).to_have_text("הספרייה 📚 נפתחת בשעה תשע בבוקר.")
    for place in ("#text article p", ".answer", ".turn h2"):
        expect(page.locator(place).first).to_have_css("direction", "rtl")


def test_nothing_that_others_wrote_runs_or_becomes_a_link(
    visit: Visit, strange_origin: str
) -> None:
    page = visit(f"{strange_origin}/")
    ask(page, f"What is the password of the treasury? {EVIL}")
    expect(page.locator(".turn h2")).to_contain_text(EVIL)
    expect(page.locator(".answer")).to_contain_text(f"{EVIL} javascript:alert(1) swordfish")
    expect(page.locator(".source")).to_contain_text(f"Treasury {EVIL} § {EVIL}")
    expect(page.locator("#text h2")).to_have_text(f"Treasury {EVIL}")
    expect(page.locator("#text h3")).to_have_text(EVIL)
    expect(page.locator("#text mark")).to_contain_text("swordfish")
    assert page.evaluate("window.__pwned") is None
    assert page.locator("img, main script, #article script, iframe").count() == 0
    hrefs = [link.get_attribute("href") or "" for link in page.locator("a:not(.skip)").all()]
    assert hrefs
    assert all(href.startswith("https://example.org/") for href in hrefs)
    again = visit(page.url)
    expect(again.locator(".answer")).to_contain_text("swordfish")
    assert again.evaluate("window.__pwned") is None


TRAMS = """These are the trams of some cities.

In 2020 there were:

| City | Opened | Stops |
|---|---|---|
| Bari | 2006 | 12 |
| Nantes | 1985 | 87 |
| Croydon | 2000 | 39 |
"""
SERVER = """Run this to install the timetable server:

```sh
pip install timetable
  timetable serve --port 9000
```
"""
NANTES = "When was the tram of Nantes opened?"
INSTALL = "How do I install the timetable server?"


@pytest.fixture(scope="session")
def shaped_origin() -> Iterator[str]:
    """A table, code, and a report of two pages."""
    report = "It is about the harbour. " * 30 + "\n\nThe budget of the harbour was 42 million."
    pages = (0, report.index("The budget"))
    sections = (Section(("Start",), 0, pages[1]), Section(("Budget",), pages[1], len(report)))
    index = Index.build(
        [
            Document("trams", "Trams", TRAMS),
            Document("server", "Server", SERVER),
            Document("report", "Report", report, sections=sections, pages=pages),
        ],
        reader=None,  # it takes the second line of the code for the first
    )
    with listening(create_app(index, Settings())) as address:
        yield address


def test_a_row_of_a_table_is_shown_below_the_names_of_its_columns(
    visit: Visit, shaped_origin: str
) -> None:
    page = visit(f"{shaped_origin}/", bypass_csp=True, reduced_motion="reduce")
    ask(page, NANTES)
    rows = page.locator(".turn table").first.get_by_role("row")
    expect(rows).to_have_text(["In 2020 there were:", "CityOpenedStops", "Nantes198587"])
    expect(page.locator(".turn table").first.get_by_role("columnheader")).to_have_count(4)
    expect(page.locator("#text table").get_by_role("row")).to_have_count(4)
    expect(page.locator("#text mark")).to_have_text(["Nantes", "1985", "87"])
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_code_is_shown_as_code_without_its_fences(visit: Visit, shaped_origin: str) -> None:
    page = visit(f"{shaped_origin}/", bypass_csp=True, viewport=PHONE, reduced_motion="reduce")
    ask(page, INSTALL)
    expect(page.locator(".turn .leading")).to_have_text("Run this to install the timetable server:")
    expect(page.locator(".answer pre")).to_have_text(
        "pip install timetable\n  timetable serve --port 9000"
    )
    page.locator(".source button").click()
    code = page.locator("#text pre")
    assert code.text_content() == "pip install timetable\n  timetable serve --port 9000"
    expect(code.locator("mark")).to_have_text(
        "pip install timetable\n  timetable serve --port 9000"
    )
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_the_page_of_a_paged_document_is_named(visit: Visit, shaped_origin: str) -> None:
    page = visit(f"{shaped_origin}/")
    ask(page, "What was the budget of the harbour?")
    expect(page.locator(".source")).to_have_text("Report § Budget, p. 2")
    expect(page.locator("#said")).to_contain_text("From Report, Budget, page 2.")


def test_an_infobox_is_a_box_and_is_cited_in_it(visit: Visit, origin: str, index: Index) -> None:
    page = visit(f"{origin}/")
    box = page.locator("#text .properties")
    expect(box.locator("p")).to_have_text("Infobox")
    expect(box.get_by_role("term")).to_have_text(
        ["Map", "Filetype", "Flagvariant1", "Flagvariant2"]
    )
    expect(box.get_by_role("definition").nth(2)).to_have_text("Weimar Germany")
    document = index.documents[0]
    start = document.text.index("- Filetype: png")
    span = {"start": start, "end": start + 15, "quote": "- Filetype: png"}
    passage = index.ask(OFFICERS).to_dict()["passages"][0]
    passage |= {"id": "x", "link": None, "kind": "paragraph", "rows": None, "phrase": None}
    passage |= {"text": span["quote"], "highlights": [span]}
    passage["citation"].update(span)
    changing(page, passages=[passage], text=span["quote"])
    ask(page, OFFICERS)
    expect(box.locator("mark")).to_have_text(["Filetype", "png"])


def test_many_documents_are_listed_and_the_corpus_speaks_for_them(
    visit: Visit, strange_origin: str
) -> None:
    page = visit(f"{strange_origin}/")
    expect(page.locator("#text h2")).to_have_text("3 documents")
    page.locator("#text").get_by_role("button", name="Wizards 𝕬").click()
    expect(page.locator("#text article")).to_contain_text("The 🧙🏽‍♂️ wizard keeps 17 owls")
    page.get_by_role("button", name="All documents").click()
    expect(page.locator("#text h2")).to_have_text("3 documents")
    page.locator("#text").get_by_role("button", name="Wizards 𝕬").click()
    expect(page.locator("#text article")).to_be_visible()
    ask(page, "zxqv blorp frimble")
    expect(page.locator(".silence")).to_contain_text("The corpus does not say.")


# --- a language model


def test_a_models_sentences_come_one_by_one_checked_and_cited(visit: Visit, index: Index) -> None:
    said = f"{OFFICERS_WENT} [1] Junkers began building aircraft at Fili. [1] They liked the food. [2] "
    app = create_app(index, Settings(unsupported="mark"), llm=Parrot(said, pause=0.05))
    with listening(app) as address:
        page = visit(f"{address}/", permissions=["clipboard-read", "clipboard-write"])
        page.get_by_label("Your question").fill(OFFICERS)
        page.keyboard.press("Enter")
        expect(page.locator(".claims[aria-busy]")).to_be_visible()
        expect(page.locator(".evidence")).to_have_text(OFFICERS_WENT)
        expect(page.locator("#turns")).to_have_attribute("aria-busy", "true")
        expect(page.locator(".claims > .verbatim").first).to_have_text(OFFICERS_WENT)
        expect(page.locator("#turns")).to_have_attribute("aria-busy", "false")
        expect(page.locator(".claims .unsupported")).to_have_text("They liked the food.")
        expect(page.locator(".claims small")).to_contain_text("not supported by the passages")
        expect(page.locator(".evidence")).to_have_text(OFFICERS_WENT)
        expect(page.locator(".byline")).to_contain_text("Written by parrot-1b")
        page.get_by_role("button", name="Copy", exact=True).click()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert "They liked the food" in copied
        page.get_by_role("button", name="Passage 1: ").first.click()
        expect(page.locator("#text mark")).to_have_text(OFFICERS_WENT)


def test_a_models_sentence_that_was_dropped_is_never_seen(visit: Visit, index: Index) -> None:
    said = f"They liked the food. [2] {OFFICERS_WENT} [1] Junkers began building aircraft. [1] "
    with listening(create_app(index, Settings(), llm=Parrot(said, pause=0.1))) as address:
        page = visit(f"{address}/")
        page.get_by_label("Your question").fill(OFFICERS)
        page.keyboard.press("Enter")
        expect(page.locator(".claims > .verbatim").first).to_be_visible()
        assert "liked the food" not in page.locator("main").inner_text()
        expect(page.locator(".claims > .verbatim, .claims > .supported")).to_have_count(2)
        expect(page.locator(".byline")).to_be_visible()
        expect(page.locator("main")).not_to_contain_text("liked the food")


@pytest.mark.parametrize("said", ["Not stated.", "Purple cows sang for Napoleon [1]."])
def test_a_model_that_says_nothing_supported_leaves_no_answer(
    visit: Visit, index: Index, said: str
) -> None:
    with listening(create_app(index, Settings(), llm=Parrot(said))) as address:
        page = visit(f"{address}/")
        ask(page, OFFICERS)
        expect(page.locator(".silence")).to_contain_text("No supported answer.")
        expect(page.locator("main")).not_to_contain_text(said)


def test_asking_can_be_stopped_and_the_question_comes_back(visit: Visit, index: Index) -> None:
    slow: LanguageModel = Parrot("word " * 200, pause=0.05)
    with listening(create_app(index, Settings(), llm=slow)) as address:
        page = visit(f"{address}/")
        page.get_by_label("Your question").fill(OFFICERS)
        page.keyboard.press("Enter")
        expect(page.locator(".evidence")).to_be_visible()
        page.get_by_role("button", name="Stop").click()
        expect(page.locator(".turn")).to_have_count(0)
        expect(page.get_by_label("Your question")).to_have_value(OFFICERS)
        expect(page.locator("#said")).to_have_text("Stopped.")
        expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
        assert "#" not in page.url


# --- when something fails


def test_a_failure_is_told_keeps_the_question_and_can_be_tried_again(
    visit: Visit, origin: str, watch: Watch
) -> None:
    watch.expected = ("net::ERR_FAILED",)
    page = visit(f"{origin}/")
    page.route("**/ask", lambda route: route.abort())
    page.get_by_label("Your question").fill(OFFICERS)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    expect(page.get_by_label("Your question")).to_have_value(OFFICERS)
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.locator("#welcome")).to_be_visible()
    page.unroute("**/ask")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".answer")).to_have_text(OFFICERS_WENT)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_label("Your question")).to_have_value("")


def test_the_servers_own_words_are_shown(visit: Visit, origin: str, watch: Watch) -> None:
    watch.expected = ("400", "422")
    page = visit(f"{origin}/")
    page.get_by_label("Your question").fill("\x07?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("control character")


def test_a_server_that_is_away_at_first_is_met_later(
    visit: Visit, origin: str, watch: Watch
) -> None:
    watch.expected = ("net::ERR_FAILED",)
    page = visit("about:blank")
    page.route("**/v1/corpus", lambda route: route.abort())
    page.goto(f"{origin}/#q=Who+signed+the+Treaty+of+Rapallo%3F")
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    page.unroute("**/v1/corpus")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".answer")).to_contain_text("Rathenau")


def test_a_conversation_that_expired_is_begun_anew(visit: Visit, origin: str, watch: Watch) -> None:
    watch.expected = ("404",)
    page = visit(f"{origin}/")
    with page.expect_response("**/v1/conversations") as begun:
        ask(page, LEAGUE)
    page.request.delete(f"{origin}/v1/conversations/{begun.value.json()['id']}")
    ask(page, OFFICERS)
    expect(page.locator(".answer").last).to_have_text(OFFICERS_WENT)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_access_token_is_asked_for_and_kept_for_the_session(
    visit: Visit, index: Index, watch: Watch
) -> None:
    watch.expected = ("401",)
    with listening(create_app(index, Settings(token=TOKEN))) as address:
        page = visit(f"{address}/")
        expect(page.get_by_role("alert")).to_have_text("This server asks for an access token.")
        page.get_by_label("Access token").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("This access token was refused.")
        page.get_by_label("Access token").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.get_by_label("Access token")).to_have_count(0)
        ask(page, OFFICERS)
        page.reload()
        expect(page.locator(".answer")).to_have_text(OFFICERS_WENT)
        assert TOKEN not in page.url


def test_the_page_works_behind_a_prefix(visit: Visit, index: Index, watch: Watch) -> None:
    app = create_app(index, Settings())

    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        assert scope["type"] != "http" or path.startswith("/rag/"), path
        await app({**scope, "path": path.removeprefix("/rag")}, receive, send)

    with listening(proxy) as address:
        for place in ("/rag/", "/rag/embed"):
            page = visit(f"{address}{place}")
            ask(page, OFFICERS)
            expect(page.locator(".answer")).to_have_text(OFFICERS_WENT)
        assert all(urlsplit(asked).path.startswith("/rag/") for asked in watch.addresses)


# --- how it looks


def test_on_a_phone_the_article_is_a_sheet_that_gives_the_focus_back(
    visit: Visit, origin: str
) -> None:
    page = visit(f"{origin}/", viewport=PHONE, has_touch=True, is_mobile=True)
    ask(page, OFFICERS)
    expect(page.locator("#article")).to_be_hidden()
    cite = page.locator(".source button")
    cite.tap()
    sheet = page.get_by_role("dialog", name="Article")
    expect(sheet).to_be_visible()
    expect(sheet.locator("mark")).to_have_text(OFFICERS_WENT)
    expect(sheet.locator("mark")).to_be_in_viewport()
    expect(page.locator("main")).to_have_js_property("inert", True)
    box = sheet.bounding_box()
    assert box
    assert (box["width"], box["height"]) == (PHONE["width"], PHONE["height"])
    page.keyboard.press("Escape")
    expect(page.locator("#article")).to_be_hidden()
    expect(cite).to_be_focused()
    page.get_by_role("button", name="Article", exact=True).tap()
    page.get_by_role("button", name="Close the article").tap()
    expect(page.locator("main")).to_have_js_property("inert", False)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_dark_where_the_system_is_dark(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/", color_scheme="dark")
    lightness = (
        "getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert max(page.evaluate(lightness)) < 40
    page.emulate_media(color_scheme="light")
    assert min(page.evaluate(lightness)) > 200


def test_nothing_moves_where_motion_is_unwanted(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/", reduced_motion="reduce")
    ask(page, OFFICERS)
    expect(page.locator("#text mark")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.getAnimations().length") == 0


def nothing_yet(page: Page) -> None:
    expect(page.locator("#welcome")).to_be_visible()


def answered(page: Page) -> None:
    ask(page, OFFICERS)
    ask(page, "and who signed it?")
    page.locator(".others summary").last.click()


def contents_open(page: Page) -> None:
    ask(page, OFFICERS)
    page.get_by_text("Contents", exact=True).evaluate("node => node.click()")
    expect(page.get_by_role("button", name="Molotov–Ribbentrop Pact", exact=True)).to_be_visible()


def abstained(page: Page) -> None:
    ask(page, BREAD)


def choosing(page: Page) -> None:
    changing(page, choices=CHOICES, reply="I found two. Which do you mean?", answered=False)
    ask(page, "When was it signed?")


def sheet_open(page: Page) -> None:
    ask(page, OFFICERS)
    page.locator(".source button").click()
    expect(page.get_by_role("dialog").locator("mark")).to_be_visible()


STATES: list[tuple[str, Callable[[Page], None], dict[str, Any]]] = [
    ("/", nothing_yet, {}),
    ("/", answered, {}),
    ("/", abstained, {}),
    ("/", contents_open, {}),
    ("/", answered, {"color_scheme": "dark"}),
    ("/", abstained, {"color_scheme": "dark"}),
    ("/", answered, {"viewport": PHONE}),
    ("/", choosing, {}),
    ("/", choosing, {"color_scheme": "dark", "viewport": PHONE}),
    ("/", sheet_open, {"viewport": PHONE}),
    ("/embed", nothing_yet, {"viewport": {"width": 400, "height": 600}}),
    ("/embed", sheet_open, {"viewport": {"width": 1280, "height": 600}, "color_scheme": "dark"}),
]


@pytest.mark.parametrize(("path", "reach", "options"), STATES)
def test_axe_finds_nothing_to_mend(
    visit: Visit, origin: str, path: str, reach: Callable[[Page], None], options: dict[str, Any]
) -> None:
    # axe itself is a script from nowhere, which the page's policy would refuse.
    page = visit(f"{origin}{path}", bypass_csp=True, reduced_motion="reduce", **options)
    reach(page)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_axe_finds_nothing_to_mend_in_what_a_model_wrote(visit: Visit, index: Index) -> None:
    said = f"{OFFICERS_WENT} [1] They liked the food. [2]"
    with listening(create_app(index, Settings(unsupported="mark"), llm=Parrot(said))) as address:
        for scheme in ("light", "dark"):
            page = visit(
                f"{address}/", bypass_csp=True, color_scheme=scheme, reduced_motion="reduce"
            )
            ask(page, OFFICERS)
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()


def test_axe_finds_nothing_to_mend_in_forms_and_alerts(
    visit: Visit, index: Index, origin: str, watch: Watch
) -> None:
    watch.expected = ("401", "net::ERR_FAILED")
    with listening(create_app(index, Settings(token=TOKEN))) as address:
        locked = visit(f"{address}/", bypass_csp=True)
        expect(locked.get_by_label("Access token")).to_be_focused()
        page = visit(f"{origin}/", bypass_csp=True, reduced_motion="reduce", color_scheme="dark")
        ask(page, LEAGUE)
        ask(page, EXPELLED)
        page.get_by_role("button", name="Ask it differently").click()
        page.route("**/ask", lambda route: route.abort())
        page.get_by_label("Your question").fill("Why?")
        page.get_by_label("Your question").press("Enter")
        expect(page.get_by_role("alert")).to_be_visible()
        for shown in (locked, page):
            found = Axe().run(shown)
            assert found.violations_count == 0, found.generate_report()


# --- the widget, on somebody else's site


@dataclass
class Site:
    """Another origin, which includes the widget twice under a strict policy of its own."""

    origin: str
    server: ThreadingHTTPServer
    ragkit: str = ""


@pytest.fixture(scope="session")
def site(index: Index) -> Iterator[Site]:
    with embedding(index, "Ask us") as made:
        yield made


@contextmanager
def embedding(index: Index, title: str) -> Iterator[Site]:
    """A site that has the widget, of a server of that index."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here = made.ragkit
            script = f'<script src="{here}/widget.js" data-title="{escape(title)}" async></script>'
            policy = f"default-src 'none'; script-src {here}; frame-src {here}; img-src data:"
            body = (
                f"<!doctype html><html lang=en><title>Site</title><link rel=icon href='data:,'>"
                f"<main><h1>Site</h1><a href='#'>First</a></main>{script}{script}</html>"
            )
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Site(f"http://localhost:{server.server_port}", server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with listening(create_app(index, Settings(origins=(made.origin,)))) as address:
        made.ragkit = address
        yield made
    server.shutdown()


OPEN_SHADOWS = """
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (options) {
  return attach.call(this, { ...options, mode: "open" });
};
"""


CLOSE_SAID_BY = """([origin, who]) => {
  const { shadowRoot } = document.querySelector("[data-ragkit-widget]");
  const frame = shadowRoot.querySelector("iframe").contentWindow;
  const source = { frame, window, null: null }[who];
  dispatchEvent(new MessageEvent("message", { origin, source, data: { ragkit: "close" } }));
}"""


@pytest.fixture
def host(visit: Visit, site: Site) -> Callable[..., Page]:
    """The site's page."""
    return partial(visited, visit, site)


def visited(visit: Visit, site: Site, **options: Any) -> Page:
    """Its shadow roots are made open for the test."""
    page = visit("about:blank", **options)
    page.add_init_script(OPEN_SHADOWS)
    page.goto(site.origin)
    return page


def test_the_widget_asks_from_another_site_by_keyboard_alone(
    host: Callable[..., Page], watch: Watch
) -> None:
    page = host()
    launcher = page.get_by_role("button", name="Ask us")
    expect(launcher).to_have_count(1)  # though it was included twice
    expect(launcher).to_have_attribute("aria-expanded", "false")
    assert not any("/embed" in address for address in watch.addresses)
    launcher.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Ask us")).to_be_visible()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_label("Your question")).to_be_focused()
    page.keyboard.type(OFFICERS)
    page.keyboard.press("Enter")
    expect(frame.locator(".answer")).to_have_text(OFFICERS_WENT)
    expect(frame.locator("#article")).to_be_hidden()
    frame.locator(".source button").click()
    expect(frame.locator("#text mark")).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(frame.locator("#article")).to_be_hidden()
    expect(page.get_by_role("dialog", name="Ask us")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Ask us")).to_be_hidden()
    expect(launcher).to_be_focused()
    page.keyboard.press("Enter")
    expect(frame.locator(".answer")).to_have_text(OFFICERS_WENT)
    page.get_by_role("button", name="Close", exact=True).click()
    expect(launcher).to_be_focused()


def test_the_widget_loses_no_question_sent_before_its_script_is_there(
    host: Callable[..., Page], send: Callable[[FrameLocator | Page], None]
) -> None:
    page = host()
    frame = page.frame_locator("iframe")
    with held_back(page.context, "**/static/turn.js"):
        page.get_by_role("button", name="Ask us").click()
        frame.get_by_label("Your question").fill(OFFICERS)
        send(frame)
    expect(frame.locator(".answer")).to_have_text(OFFICERS_WENT)


def test_the_widget_leaves_the_browsers_back_to_the_site(host: Callable[..., Page]) -> None:
    page = host()
    page.get_by_role("button", name="Ask us").click()
    before = page.evaluate("history.length")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_label("Your question")).to_be_focused()
    for number, question in enumerate([OFFICERS, RAPALLO], start=1):
        page.keyboard.type(question)
        page.keyboard.press("Enter")
        expect(frame.locator(".turn .facts")).to_have_count(number)
    expect(frame.locator("#turns")).to_have_attribute("aria-busy", "false")
    assert page.evaluate("history.length") == before


def test_the_widget_closes_for_its_own_frame_only_and_leaves_no_globals(
    host: Callable[..., Page], site: Site
) -> None:
    page = host()
    names = set(page.evaluate("Object.getOwnPropertyNames(window)"))
    page.goto(f"{site.ragkit}/healthz")
    page.evaluate("0")
    plain = set(page.evaluate("Object.getOwnPropertyNames(window)"))
    assert {name for name in names - plain if not name.isdigit()} == set()
    page = host()
    page.get_by_role("button", name="Ask us").click()
    panel = page.get_by_role("dialog", name="Ask us")
    expect(panel).to_be_visible()
    for origin, source in (
        ("https://evil.example", "frame"),
        (site.ragkit, "window"),
        (site.ragkit, "null"),
    ):
        page.evaluate(CLOSE_SAID_BY, [origin, source])
        expect(panel).to_be_visible()
    page.evaluate(CLOSE_SAID_BY, [site.ragkit, "frame"])
    expect(panel).to_be_hidden()


def test_nothing_that_others_wrote_runs_in_the_widget(visit: Visit, strange: Index) -> None:
    with embedding(strange, EVIL) as site:
        page = visited(visit, site)
        page.get_by_role("button", name=EVIL).click()
        expect(page.get_by_role("dialog", name=EVIL)).to_be_visible()
        frame = page.frame_locator("iframe")
        frame.get_by_label("Your question").fill(f"What is the password of the treasury? {EVIL}")
        frame.get_by_label("Your question").press("Enter")
        expect(frame.locator(".answer")).to_contain_text(f"{EVIL} javascript:alert(1) swordfish")
        frame.locator(".source button").first.click()
        expect(frame.locator("#text h2")).to_have_text(f"Treasury {EVIL}")
        expect(frame.locator("#text mark")).to_contain_text("swordfish")
        assert [each.evaluate("window.__pwned") for each in page.frames] == [None, None]
        assert page.locator("img").count() == 0
        assert frame.locator("img, main script, #article script, iframe").count() == 0


def test_the_widget_fills_a_phone(host: Callable[..., Page]) -> None:
    page = host(viewport=PHONE)
    page.get_by_role("button", name="Ask us").click()
    box = page.get_by_role("dialog", name="Ask us").bounding_box()
    assert box
    assert (box["width"], box["height"]) == (PHONE["width"], PHONE["height"])


def test_axe_finds_nothing_to_mend_around_the_widget(host: Callable[..., Page]) -> None:
    page = host(bypass_csp=True)
    for reach in ("closed", "open"):
        if reach == "open":
            page.get_by_role("button", name="Ask us").click()
            expect(page.frame_locator("iframe").locator("#welcome")).to_be_visible()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


# --- the example


def test_the_example_of_a_website_has_the_chat(browser: Browser, index: Index) -> None:
    example = (ROOT / "examples" / "website" / "index.html").read_text(encoding="utf-8")
    settings = Settings(origins=("http://localhost:9000",))
    with listening(create_app(index, settings)) as address:
        # Its addresses are fixed, so they are led to where the test serves.
        context = browser.new_context()
        context.add_init_script(OPEN_SHADOWS)
        context.route(
            "http://localhost:9000/",
            lambda route: route.fulfill(body=example, content_type="text/html"),
        )
        context.route("http://localhost:9000/favicon.ico", lambda route: route.fulfill(status=204))
        context.route(
            "http://localhost:8000/**",
            lambda route: route.fulfill(
                response=route.fetch(
                    url=route.request.url.replace("http://localhost:8000", address)
                )
            ),
        )
        page = context.new_page()
        page.goto("http://localhost:9000/")
        page.get_by_role("button", name="Ask the article").click()
        frame = page.frame_locator("iframe")
        expect(frame.get_by_label("Your question")).to_be_focused()  # its script is there
        frame.get_by_label("Your question").fill(OFFICERS)
        frame.get_by_label("Your question").press("Enter")
        expect(frame.locator(".answer")).to_have_text(OFFICERS_WENT)
        context.close()


def test_a_double_click_on_an_opinion_sends_it_once(
    visit: Visit, listener: str, stored: Path
) -> None:
    before = len(list(load_feedback(stored))) if stored.exists() else 0
    page = visit(f"{listener}/")
    ask(page, OFFICERS)
    page.get_by_role("button", name="Helpful", exact=True).dblclick()
    expect(page.get_by_text("Thank you.")).to_be_visible()
    assert len(list(load_feedback(stored))) == before + 1


def test_a_draft_stays_through_a_reload_until_it_is_asked(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/")
    box = page.get_by_role("textbox").first
    box.fill("When did the first")
    page.reload()
    expect(box).to_have_value("When did the first")
    ask(page, OFFICERS)
    expect(box).to_have_value("")
    page.goto(f"{origin}/")
    expect(box).to_have_value("")


def test_a_stale_answer_says_so(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "bread.txt").write_text("Bread is made of flour.")
    Index.build(tmp_path / "bread.txt", tmp_path / "i")
    (tmp_path / "bread.txt").write_text("Bread is made of rye.")
    with listening(create_app(tmp_path / "i", Settings())) as address:
        page = visit(f"{address}/")
        ask(page, "What is bread made of?")
        expect(page.get_by_text("changed after they were indexed")).to_be_visible()
