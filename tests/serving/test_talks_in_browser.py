"""Talks by script on the chat page in a real browser. Run by ``scripts/browser``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from ragkit import Index
from ragkit.serving import Settings, create_app
from support.listening import listening
from support.server_process import running
from support.talks import TALKS, Line, Shown, Talk, problems, spoken

pytest_plugins = ["support.browsers"]
pytestmark = pytest.mark.browser

LOST = "Failed to load resource: the server responded with a status of 404"


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield page
    page.close()


@pytest.fixture(scope="module")
def origins(german_soviet: Index, manuals: Index) -> Iterator[dict[str, str]]:
    """The origins of the servers, by what talks are about."""
    with (
        listening(create_app(german_soviet, Settings())) as article,
        listening(create_app(manuals, Settings())) as books,
    ):
        yield {"article": article, "manuals": books}


def conversing(page: Page) -> Callable[[Line], Shown]:
    """Hold a talk on the page: type each line, or choose one of the readings offered last."""
    turns = page.locator(".turn")

    def enter(line: Line) -> Shown:
        before = turns.count()
        if line.choose:
            turns.last.get_by_role("button", name=line.choose, exact=True).click()
        else:
            page.get_by_label("Your question").fill(line.say)
            page.get_by_label("Your question").press("Enter")
        expect(turns).to_have_count(before + 1)
        expect(page.locator("#turns")).to_have_attribute("aria-busy", "false")
        return shown(turns.last)

    return enter


def shown(turn: Locator) -> Shown:
    """What a person reads in a turn; "Other passages" are folded and not read."""
    said = turn.locator(".reply, .short, .answer, .silence").all_inner_texts()
    understood = turn.locator(".understood q")
    return Shown(
        " ".join(said),
        " ".join(turn.locator(".source").all_inner_texts()),
        understood.inner_text() if understood.count() else "",
        turn.locator(".silence").count() > 0,
    )


@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: talk.name)
def test_a_talk_goes_as_its_script_says(
    page: Page, origins: dict[str, str], talk: Talk, complaints: list[str]
) -> None:
    page.goto(f"{origins[talk.about]}/")
    assert spoken(talk, conversing(page)) == []
    asked = page.locator(".turn h2").all_inner_texts()
    assert [line.say for line in talk.lines if line.say] == [
        question for question, line in zip(asked, talk.lines, strict=True) if line.say
    ]
    assert complaints == []


@pytest.mark.parametrize("talk", TALKS[:3], ids=lambda talk: talk.name)
def test_a_talk_goes_on_where_the_server_forgets_it_after_each_turn(
    page: Page, origins: dict[str, str], talk: Talk, complaints: list[str]
) -> None:
    origin = origins[talk.about]
    begun: list[str] = []
    page.on(
        "response",
        lambda response: (
            begun.append(response.json()["id"])
            if urlsplit(response.url).path == "/v1/conversations"
            else None
        ),
    )
    page.goto(f"{origin}/")
    enter = conversing(page)

    def forgotten(line: Line) -> Shown:
        seen = enter(line)
        assert page.request.delete(f"{origin}/v1/conversations/{begun[-1]}").status == 204
        return seen

    assert spoken(talk, forgotten) == []
    assert len(begun) == len(talk.lines)
    assert all(complaint.startswith(LOST) for complaint in complaints)


def test_a_talk_goes_on_after_a_restart_of_the_server(page: Page, complaints: list[str]) -> None:
    first, second, third = TALKS[0].lines
    with running() as url:
        page.goto(f"{url}/")
        enter = conversing(page)
        assert problems(first, enter(first)) == []
        assert problems(second, enter(second)) == []
    page.get_by_label("Your question").fill(third.say)
    page.get_by_label("Your question").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    with running("--port", str(urlsplit(url).port)):
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".turn")).to_have_count(3)
        expect(page.locator("#turns")).to_have_attribute("aria-busy", "false")
        assert problems(third, shown(page.locator(".turn").last)) == []
        expect(page.get_by_role("alert")).to_have_count(0)
    assert all(c.startswith(LOST) or "ERR_CONNECTION_REFUSED" in c for c in complaints)
    assert any(c.startswith(LOST) for c in complaints)
