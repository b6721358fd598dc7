"""The page at /docs in a real browser, which finds no other host. Run by ``scripts/browser``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from ragkit import Index
from ragkit.serving import Settings, create_app
from support.http_api import RAPALLO, TOKEN
from support.listening import listening

pytest_plugins = ["support.browsers"]
pytestmark = pytest.mark.browser


@dataclass
class Visit:
    """What a page asked for and complained about."""

    page: Page
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def visited(browser: Browser, url: str) -> Iterator[Visit]:
    page = browser.new_page()
    page.set_default_timeout(20_000)
    visit = Visit(page)
    page.on("request", lambda request: visit.hosts.add(urlsplit(request.url).netloc))
    page.on("console", lambda message: visit.complaints.append(message.text))
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.goto(url)
    yield visit
    page.close()


def ask_on(page: Page) -> None:
    """Try out the first operation."""
    operation = page.locator("#operations-ask-ask_v1_ask_post")
    operation.locator(".opblock-summary-control").click()
    operation.locator("textarea").fill(json.dumps({"question": RAPALLO}))
    operation.locator(".execute").click()
    answer = operation.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text("200", timeout=20_000)
    expect(answer).to_contain_text("Rathenau")


@pytest.mark.parametrize(("prefix", "wrap"), [("", None), ("/inside", FastAPI)])
def test_the_page_shows_and_tries_out_the_api_and_asks_no_other_host(
    german_soviet: Index, browser: Browser, prefix: str, wrap: Callable[[], FastAPI] | None
) -> None:
    app = create_app(german_soviet)
    if wrap:
        outer = wrap()
        outer.mount(prefix, app)
        app = outer
    with listening(app) as origin, visited(browser, f"{origin}{prefix}/docs") as visit:
        expect(visit.page).to_have_title("ragkit API", timeout=20_000)
        ask_on(visit.page)
        visit.page.locator(".models").scroll_into_view_if_needed()
        assert visit.hosts == {urlsplit(origin).netloc}
        assert visit.complaints == []


def test_the_page_asks_for_the_token_and_sends_it(german_soviet: Index, browser: Browser) -> None:
    settings = Settings(token=TOKEN)
    with (
        listening(create_app(german_soviet, settings)) as origin,
        visited(browser, f"{origin}/docs") as visit,
    ):
        page = visit.page
        expect(page.get_by_text("This server asks for an access token.")).to_be_visible()
        assert page.locator(".opblock").count() == 0
        page.get_by_label("Access token").fill("wrong")
        page.get_by_text("Continue").click()
        expect(page.get_by_text("This access token was refused.")).to_be_visible()
        page.get_by_label("Access token").fill(TOKEN)
        page.get_by_text("Continue").click()
        ask_on(page)
