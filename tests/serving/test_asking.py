"""Questions over HTTP: answers as JSON and as events, with and without a language model."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit import ChatModel, Document, Index
from support.chat_endpoint import endpoint
from support.http_api import (
    MADE_UP,
    OFF_TOPIC,
    RAPALLO,
    TRUE,
    Scripted,
    ask,
    client,
    events,
)

pytest_plugins = ["support.http_fixtures"]


def test_an_answer_equals_the_librarys_with_ids_links_and_confidence_words(
    web: TestClient, german_soviet: Index
) -> None:
    given = ask(web, k=3).json()
    expected = german_soviet.ask(RAPALLO, k=3)
    for name in ("question", "answered", "text", "confidence", "reason", "standalone", "generated"):
        assert given[name] == expected.to_dict()[name]
    assert given["confidence_words"] == "likely"
    assert given["index_generation"] == german_soviet.generation
    for passage, found in zip(given["passages"], expected.passages, strict=True):
        assert passage["text"] == found.text
        assert passage["link"].startswith("https://en.wikipedia.org/wiki/")
        assert "matches" not in passage
        again = web.get("/v1/passages/" + passage["id"].replace("#", "%23")).json()
        assert again["citation"] == passage["citation"]


def test_an_explained_answer_has_its_signals_and_matches(web: TestClient) -> None:
    [passage] = ask(web, k=1, explain=True).json()["passages"]
    assert sum(passage["signals"].values()) == pytest.approx(passage["score"])
    assert passage["matches"]


def test_an_abstention_is_not_an_error(web: TestClient) -> None:
    response = ask(web, OFF_TOPIC)
    assert response.status_code == 200
    assert response.json()["answered"] is False
    assert response.json()["reason"]
    assert response.json()["passages"]


def test_a_request_may_set_the_threshold_and_the_standalone_question(web: TestClient) -> None:
    assert ask(web, threshold=1).json()["answered"] is False
    assert ask(web, OFF_TOPIC, standalone=RAPALLO).json()["answered"] is True


def test_an_answer_is_streamed_as_events_where_the_client_accepts_them(web: TestClient) -> None:
    response = web.post(
        "/v1/ask", json={"question": RAPALLO}, headers={"accept": "text/event-stream"}
    )
    assert response.headers["content-type"].startswith("text/event-stream")
    (first, found), (last, answer) = events(response.text)
    assert (first, last) == ("found", "answer")
    assert found == answer == ask(web).json()


def test_search_returns_only_the_passages(web: TestClient, german_soviet: Index) -> None:
    given = web.post("/v1/search", json={"question": RAPALLO, "k": 7}).json()["passages"]
    assert [p["text"] for p in given] == [p.text for p in german_soviet.search(RAPALLO, k=7)]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"question": " "}, 400, "blank"),
        ({"question": "a\x00b"}, 400, "control character"),
        ({"question": ""}, 400, "blank"),
        ({"question": "x" * 4001}, 400, "4,000"),
        ({"question": 5}, 422, "string"),
        ({"question": RAPALLO, "k": 0}, 422, "greater than or equal to 1"),
        ({"question": RAPALLO, "k": "5"}, 422, "integer"),
        ({"question": RAPALLO, "threshold": 2}, 422, "less than or equal to 1"),
        ({"question": RAPALLO, "nonsense": 1}, 422, "nonsense"),
        ({}, 422, "question"),
        ([], 422, "object"),
    ],
)
def test_the_error_for_a_bad_body_says_what_is_wrong(
    web: TestClient, body: Any, status: int, says: str
) -> None:
    response = web.post("/v1/ask", json=body)
    assert response.status_code == status
    assert says in response.json()["error"]["message"]
    fields = {"type", "message", "param", "code", "request_id"}
    assert set(response.json()["error"]) == fields


def test_the_error_for_a_body_that_is_not_json_says_so(web: TestClient) -> None:
    response = web.post("/v1/ask", content=b"{", headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert "JSON" in response.json()["error"]["message"]


def test_a_models_sentences_are_checked_and_streamed_one_by_one(german_soviet: Index) -> None:
    with client(german_soviet, llm=Scripted(TRUE, MADE_UP)) as web:
        assert web.get("/v1/corpus").json()["llm"] == "scripted"
        response = web.post(
            "/v1/ask", json={"question": RAPALLO}, headers={"accept": "text/event-stream"}
        )
    names = [name for name, _ in events(response.text)]
    assert names == ["found", "sentence", "sentence", "answer"]
    (_, good), (_, bad), (_, answer) = events(response.text)[1:]
    assert (good["kept"], bad["kept"]) == (True, False)
    assert answer["text"] == good["text"] + " [1]"
    assert answer["generated"]["model"] == "scripted"


def test_search_and_ask_apply_conditions_on_metadata(web: TestClient) -> None:
    for path in ("/v1/ask", "/v1/search"):
        body = {"question": RAPALLO, "where": {"license": "CC BY-SA 4.0", "title": {"min": "G"}}}
        assert web.post(path, json=body).json()["passages"]
        none = web.post(path, json={"question": RAPALLO, "where": {"license": ["MIT"]}})
        assert none.json()["passages"] == []
        unknown = web.post(path, json={"question": RAPALLO, "where": {"licence": "MIT"}})
        assert unknown.status_code == 409
        assert "they have authors" in unknown.json()["error"]["message"]
        malformed: list[Any] = [{"title": {}}, {"title": {"least": 1}}, {"title": None}, []]
        for bad in malformed:
            assert web.post(path, json={"question": RAPALLO, "where": bad}).status_code == 422


def test_a_request_may_decline_the_language_model(german_soviet: Index) -> None:
    with client(german_soviet, llm=Scripted(MADE_UP)) as web:
        begun = web.post("/v1/conversations").json()["id"]
        for path in ("/v1/ask", f"/v1/conversations/{begun}/ask"):
            given = web.post(path, json={"question": RAPALLO, "generate": False}).json()
            assert given["answered"] is True
            assert given["generated"] is None


def test_a_model_that_fails_is_an_error_in_json_in_events_and_in_the_log(
    german_soviet: Index, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ragkit")
    with endpoint([TRUE]) as to:
        gone = ChatModel("m", base_url=to.url, retries=0)
    with client(german_soviet, llm=gone) as web:
        assert ask(web).status_code == 502
        response = web.post(
            "/v1/ask", json={"question": RAPALLO}, headers={"accept": "text/event-stream"}
        )
        assert ask(web, OFF_TOPIC).status_code == 200
        figures = web.get("/metrics").text
    (found, _), (last, problem) = events(response.text)
    assert (found, last) == ("found", "error")
    assert problem["error"]["type"] == "LanguageModelError"
    assert 'ragkit_answers_total{outcome="failed"} 2.0' in figures
    lines = [json.loads(r.message) for r in caplog.records if r.name == "ragkit.serving.access"]
    assert [line.get("error") for line in lines[:3]] == ["LanguageModelError"] * 2 + [None]
    assert "Check that it is served there" in caplog.text


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_no_body_breaks_the_server(web: TestClient, body: bytes) -> None:
    response = web.post("/v1/ask", content=body, headers={"content-type": "application/json"})
    assert response.status_code in (200, 400, 422)


@given(st.text(max_size=200).filter(bool))
@settings(deadline=None)
def test_any_question_is_answered_or_refused_with_a_reason(web: TestClient, question: str) -> None:
    response = ask(web, question.encode("utf-8", "replace").decode())
    assert response.status_code in (200, 400)
    if response.status_code == 400:
        assert response.json()["error"]["type"] == "QuestionError"


def test_a_passage_says_whether_it_is_of_a_table_or_of_code() -> None:
    table = "| City | Opened |\n|---|---|\n| Bari | 2006 |\n| Nantes | 1985 |\n"
    code = "Install the server:\n\n```sh\npip install timetable\n```\n"
    index = Index.build([Document("trams", "Trams", table), Document("server", "Server", code)])
    with client(index) as web:
        [row] = ask(web, "When was the tram of Nantes opened?", k=1).json()["passages"]
        [line] = ask(web, "How do I install the server?", k=1).json()["passages"]
    assert (row["kind"], line["kind"], line["rows"]) == ("table", "code", None)
    assert [(one["names"], [cell["text"] for cell in one["cells"]]) for one in row["rows"]] == [
        (True, ["City", "Opened"]), (False, ["Nantes", "1985"]),
    ]  # fmt: skip
    for cell in (cell for one in row["rows"] for cell in one["cells"]):
        assert table[cell["start"] : cell["end"]] == cell["text"]
