"""The server's pages and replies in the language that a request asks for."""

from __future__ import annotations

import json
import re

import pytest
from starlette.testclient import TestClient

from ragkit import Index
from ragkit.catalogue import LANGUAGES, catalogue
from ragkit.serving import Settings, create_app

LEAGUE = "When did the USSR join the League of Nations?"
BREAD = "How do I bake sourdough bread?"


@pytest.fixture(scope="module")
def web(german_soviet: Index) -> TestClient:
    return TestClient(create_app(german_soviet, Settings()), base_url="http://localhost")


@pytest.mark.parametrize("path", ["/", "/embed"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_written_in_the_language_that_the_browser_accepts(
    web: TestClient, path: str, language: str
) -> None:
    reply = web.get(path, headers={"Accept-Language": f"tlh, {language}-XX;q=0.9, en;q=0.1"})
    direction = "rtl" if language == "ar" else "ltr"
    assert f'<html lang="{language}" dir="{direction}">' in reply.text
    assert reply.headers["content-language"] == language
    assert "accept-language" in reply.headers["vary"].lower()
    assert "{{" not in reply.text
    [written] = re.findall(r'id="messages">(.*)</script>', reply.text)
    messages = json.loads(written)
    assert messages["page.new"] == catalogue(language).messages["page.new"]
    assert not [key for key in messages if key.startswith(("terminal.", "reply."))]


@pytest.mark.parametrize(
    ("query", "language"), [("?lang=ja", "ja"), ("?lang=zh-TW", "zh"), ("?lang=%3Cx%3E", "fr")]
)
def test_the_address_overrides_the_browser(web: TestClient, query: str, language: str) -> None:
    reply = web.get(f"/{query}", headers={"Accept-Language": "fr"})
    assert reply.headers["content-language"] == language
    assert "<x>" not in reply.text


def test_a_remark_is_replied_to_in_the_language_of_the_request(web: TestClient) -> None:
    begun = web.post("/v1/conversations").json()["id"]
    for language, text in (
        ("de", "Gern geschehen."),
        ("ar", "على الرحب والسعة."),
        ("", "You are welcome."),
    ):
        reply = web.post(
            f"/v1/conversations/{begun}/ask",
            json={"question": "thanks"},
            headers={"Accept-Language": language},
        )
        assert (reply.json()["reply"], reply.json()["remark"]) == (text, "thanks")


def test_only_sentences_for_people_follow_the_language(web: TestClient) -> None:
    for question in (LEAGUE, BREAD):
        english, chinese = (
            web.post(
                "/v1/ask", json={"question": question}, headers={"Accept-Language": one}
            ).json()
            for one in ("en", "zh-CN")
        )
        differing = {name for name in english if english[name] != chinese[name]}
        assert differing == (set() if question == LEAGUE else {"markdown"})
    assert chinese["markdown"].startswith("文档中没有相关说明（")


def test_chat_completions_abstain_in_the_language_of_the_request(web: TestClient) -> None:
    body = {"model": "ragkit", "messages": [{"role": "user", "content": BREAD}]}
    for stream in (False, True):
        reply = web.post(
            "/v1/chat/completions",
            json={**body, "stream": stream},
            headers={"Accept-Language": "es"},
        )
        assert "Los documentos no lo dicen (" in reply.text


def test_the_widgets_script_has_its_words_in_every_language(web: TestClient) -> None:
    [written] = re.findall(r"const WORDS = (.*);", web.get("/widget.js").text)
    words = json.loads(written)
    assert sorted(words) == list(LANGUAGES)
    assert words["ar"] == {"dir": "rtl", "title": "اسأل المقال", "close": "إغلاق"}
