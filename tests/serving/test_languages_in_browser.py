"""The page and the widget in Arabic, Chinese and German, in a real browser. Run by ``scripts/browser``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from ragkit import Document, Index
from ragkit.catalogue import LANGUAGES, PLURAL_FORMS, catalogue, plural_form
from ragkit.serving import Settings, create_app
from support.listening import listening

pytest_plugins = ["support.browsers"]
pytestmark = pytest.mark.browser

OFFICERS = "When did the first German officers go to Soviet Russia?"
EXPELLED = "and when was it expelled?"
LEAGUE = "When did the USSR join the League of Nations?"
BREAD = "How do I bake sourdough bread?"
PHONE = {"width": 390, "height": 844}
LOCALES = ["ar-EG", "zh-CN", "de-DE"]

# What the page itself says: texts, names, titles and placeholders that are not the corpus's or a person's.
OWN_WORDS = """() => {
  const own = [];
  for (const node of document.querySelectorAll("body *:not(script)")) {
    if (node.closest('[lang=""]')) continue;
    for (const name of ["aria-label", "title", "placeholder"]) own.push(node.getAttribute(name));
    for (const child of node.childNodes) if (child.nodeType === 3) own.push(child.data);
  }
  return own.filter(Boolean).map((text) => text.trim());
}"""


@pytest.fixture(scope="module")
def origin(german_soviet: Index, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    feedback = tmp_path_factory.mktemp("feedback") / "feedback.jsonl"
    with listening(create_app(german_soviet, Settings(feedback=feedback))) as address:
        yield address


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens an address in a browser of that locale. No test passes if the page complained."""
    complaints: list[str] = []
    contexts = []

    def opened(address: str, locale: str, **options: Any) -> Page:
        options = {
            "viewport": {"width": 1280, "height": 800},
            "reduced_motion": "reduce",
            **options,
        }
        context = browser.new_context(locale=locale, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda said: complaints.append(said.text) if said.type == "error" else None
        )
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def ask(page: Page, question: str, shows: str = ".facts") -> None:
    turns = page.locator(".turn")
    before = turns.count()
    page.locator("#question").fill(question)
    page.locator("#question").press("Enter")
    expect(turns).to_have_count(before + 1)
    expect(page.locator("#turns")).to_have_attribute("aria-busy", "false")
    expect(turns.last.locator(shows)).to_be_visible()


def has(page: Page, place: str, locale: str, key: str, **values: str | int) -> None:
    text = catalogue(locale[:2]).text(key, **values)
    expect(page.locator(place).last).to_contain_text(text)


@pytest.mark.parametrize("locale", LOCALES)
def test_the_page_speaks_the_browsers_language(visit: Visit, origin: str, locale: str) -> None:
    page = visit(f"{origin}/", locale)
    language, direction = locale[:2], "rtl" if locale == "ar-EG" else "ltr"
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("body")).to_have_css("direction", direction)
    has(page, "#welcome .greeting", locale, "welcome.article")
    assert page.title() == catalogue(language).text(
        "page.title", title="Germany–Soviet Union relations (1918–1941)"
    )
    ask(page, OFFICERS)
    has(page, ".sure", locale, "confidence.likely")
    has(page, ".facts", locale, "copy.do_link")
    for place in (".answer", "#text article p"):  # the article keeps its own direction
        expect(page.locator(place).first).to_have_css("direction", "ltr")
        expect(
            page.locator(place).first.locator("xpath=ancestor-or-self::*[@lang][1]")
        ).to_have_attribute("lang", "")
    ask(page, LEAGUE)
    ask(page, EXPELLED)
    expect(page.locator(".understood button").last).to_have_text(
        catalogue(language).text("answer.rephrase")
    )
    ask(page, BREAD)
    has(page, ".silence", locale, "answer.article_silent")
    has(page, ".nearest h3", locale, "answer.nearest")
    ask(page, "thanks", ".reply")
    has(page, ".reply", locale, "reply.thanks")


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_nothing_of_the_page_is_left_in_english(visit: Visit, origin: str, language: str) -> None:
    page = visit(f"{origin}/?lang={language}", "en-GB")
    ask(page, LEAGUE)
    page.locator(".others summary").click()
    ask(page, EXPELLED)
    page.locator(".understood button").click()
    page.locator(".opinion .down").first.click()
    ask(page, BREAD)
    english, own = catalogue("en").messages, catalogue(language).messages
    translated = {
        text for key, text in english.items() if isinstance(text, str) and text != own[key]
    }
    shown = page.evaluate(OWN_WORDS)
    assert len(shown) > 30
    assert not translated & set(shown)
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", language)


def test_digits_are_those_of_the_readers_region(visit: Visit, origin: str) -> None:
    for locale, digits in (("ar-EG", "١١١"), ("ar-MA", "111")):
        page = visit(f"{origin}/", locale)
        expect(page.locator("#welcome")).to_contain_text(digits)


def test_arabic_documents_run_right_to_left_on_every_page(visit: Visit) -> None:
    text = "== المكتبة ==\n\nتفتح المكتبة أبوابها في الساعة التاسعة صباحًا. وتغلق يوم الجمعة.\n"
    index = Index.build([Document("library", "المكتبة", text)])
    with listening(create_app(index, Settings())) as address:
        for locale in ("ar-EG", "de-DE"):
            page = visit(f"{address}/", locale)
            ask(page, "تفتح المكتبة أبوابها في الساعة التاسعة صباحًا")
            for place in ("#text article", "#text article p", ".turn h2", ".cite"):
                expect(page.locator(place).first).to_have_css("direction", "rtl")
            page_side = "rtl" if locale == "ar-EG" else "ltr"
            expect(page.locator("#text .about, .facts").first).to_have_css("direction", page_side)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("viewport", [None, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing_to_mend_in_other_languages(
    visit: Visit, origin: str, locale: str, viewport: dict[str, int] | None
) -> None:
    options = {"viewport": viewport} if viewport else {}
    page = visit(f"{origin}/", locale, bypass_csp=True, **options)
    ask(page, LEAGUE)
    page.locator(".others summary").click()
    ask(page, EXPELLED)
    ask(page, BREAD)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_plural_forms_are_those_of_the_browser(visit: Visit, origin: str) -> None:
    page = visit(f"{origin}/", "en-GB")
    counts = [*range(130), 1000, 1_000_000, 1_000_001, 2_000_000]
    for language in LANGUAGES:
        select = (
            "([language, counts]) => counts.map((n) => new Intl.PluralRules(language).select(n))"
        )
        assert page.evaluate(select, [language, counts]) == [
            plural_form(language, n) for n in counts
        ]
        names = "(language) => new Intl.PluralRules(language).resolvedOptions().pluralCategories"
        assert set(page.evaluate(names, language)) == set(PLURAL_FORMS[language])


OPEN_SHADOWS = """
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (options) {
  return attach.call(this, { ...options, mode: "open" });
};
"""


def widget(visit: Visit, origin: str, locale: str, attributes: str = "") -> Page:
    """The page of a site with the widget; its shadow root is made open for the test."""
    page = visit("about:blank", locale)
    page.add_init_script(OPEN_SHADOWS)
    body = f'<!doctype html><html lang=en><title>Site</title><h1>Site</h1><script src="widget.js" {attributes}></script></html>'
    page.route("**/site", lambda route: route.fulfill(body=body, content_type="text/html"))
    page.goto(f"{origin}/site")
    return page


def test_the_widget_speaks_the_browsers_language_and_stands_where_its_lines_end(
    visit: Visit, origin: str
) -> None:
    page = widget(visit, origin, "ar-EG")
    launcher = page.get_by_role("button", name="اسأل المقال")
    box = launcher.bounding_box()
    assert box is not None
    assert box["x"] == 20
    launcher.click()
    expect(page.get_by_role("dialog", name="اسأل المقال")).to_have_css("direction", "rtl")
    expect(page.get_by_role("button", name="إغلاق", exact=True)).to_be_visible()
    frame = page.frame_locator("iframe")
    expect(frame.locator("html")).to_have_attribute("dir", "rtl")
    expect(frame.locator("#go")).to_have_text("اسأل")


def test_the_site_may_choose_the_widgets_language_side_and_title(visit: Visit, origin: str) -> None:
    chosen = 'data-lang="zh-CN" data-position="left" data-title="Ask us"'
    page = widget(visit, origin, "de-DE", chosen)
    launcher = page.get_by_role("button", name="Ask us")
    box = launcher.bounding_box()
    assert box is not None
    assert box["x"] == 20
    launcher.click()
    expect(page.get_by_role("button", name="关闭", exact=True)).to_be_visible()
    expect(page.frame_locator("iframe").locator("html")).to_have_attribute("lang", "zh")


def test_a_widget_in_a_language_without_a_catalogue_is_english(visit: Visit, origin: str) -> None:
    page = widget(visit, origin, "fi-FI", 'data-lang="tlh"')
    expect(page.get_by_role("button", name="Ask the article")).to_be_visible()
