"""The HTTP server: each route as its clients use it, its limits, and what it keeps to itself."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import OpenAI
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Mount

from ragkit import ChatModel, Document, Index, IndexNotFoundError, InputError
from ragkit.conversation import Turn
from ragkit.grounding import Message, Piece
from ragkit.serving import Settings, create_app
from ragkit.serving.access import listening
from ragkit.serving.conversations import Conversations
from ragkit.serving.live import LiveIndex
from ragkit.serving.rendering import citation_of, document_json
from support.chat_endpoint import Reply, endpoint

RAPALLO = "Who signed the Treaty of Rapallo?"
OFF_TOPIC = "How do I bake sourdough bread?"
BASE = "http://localhost"
TOKEN = "secret"


def client(index: Index | Path, settings: Settings | None = None, **options: Any) -> TestClient:
    return TestClient(
        create_app(index, settings, **options), base_url=BASE, raise_server_exceptions=False
    )


@pytest.fixture(scope="module")
def web(german_soviet: Index) -> Iterator[TestClient]:
    with client(german_soviet) as talking:
        yield talking


def ask(web: TestClient, question: str = RAPALLO, **more: Any) -> Any:
    return web.post("/v1/ask", json={"question": question, **more})


def events(text: str) -> list[tuple[str, Any]]:
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(data)) for name, data in found]


# Asking.


def test_an_answer_is_the_librarys_with_ids_links_and_words(
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


def test_an_explained_answer_has_its_signals(web: TestClient) -> None:
    [passage] = ask(web, k=1, explain=True).json()["passages"]
    assert sum(passage["signals"].values()) == pytest.approx(passage["score"])
    assert passage["matches"]


def test_what_the_corpus_does_not_say_is_no_error(web: TestClient) -> None:
    response = ask(web, OFF_TOPIC)
    assert response.status_code == 200
    assert response.json()["answered"] is False
    assert response.json()["reason"]
    assert response.json()["passages"]


def test_the_threshold_and_the_reading_are_the_callers(web: TestClient) -> None:
    assert ask(web, threshold=1).json()["answered"] is False
    assert ask(web, OFF_TOPIC, standalone=RAPALLO).json()["answered"] is True


def test_an_answer_comes_as_events_where_they_are_accepted(web: TestClient) -> None:
    response = web.post(
        "/v1/ask", json={"question": RAPALLO}, headers={"accept": "text/event-stream"}
    )
    assert response.headers["content-type"].startswith("text/event-stream")
    (first, found), (last, answer) = events(response.text)
    assert (first, last) == ("found", "answer")
    assert found == answer == ask(web).json()


def test_search_gives_the_passages_alone(web: TestClient, german_soviet: Index) -> None:
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
def test_a_bad_body_is_told_what_is_wrong_with_it(
    web: TestClient, body: Any, status: int, says: str
) -> None:
    response = web.post("/v1/ask", json=body)
    assert response.status_code == status
    assert says in response.json()["error"]["message"]
    assert set(response.json()["error"]) == {"type", "message", "param", "code"}


def test_a_body_that_is_no_json_is_told_so(web: TestClient) -> None:
    response = web.post("/v1/ask", content=b"{", headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert "JSON" in response.json()["error"]["message"]


# With a language model.


class Scripted:
    """A language model that says what it is told to."""

    name = "scripted"

    def __init__(self, *said: str) -> None:
        self.said = said

    def stream(self, _: Sequence[Message]) -> Iterator[Piece]:
        for text in self.said:
            yield Piece(text)
        yield Piece("", "stop")


TRUE = "The treaty was signed by Walther Rathenau and Georgy Chicherin [1]. "
MADE_UP = "Adolf Hitler was present at the ceremony [1]."


def test_what_a_model_says_comes_sentence_by_sentence_checked(german_soviet: Index) -> None:
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


def test_conditions_hold_over_http(web: TestClient) -> None:
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


def test_a_client_may_do_without_the_model(german_soviet: Index) -> None:
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


# Documents.


def test_documents_are_listed_and_given_whole(web: TestClient, german_soviet: Index) -> None:
    listed = web.get("/v1/documents").json()
    assert listed["total"] == 1
    [line] = listed["documents"]
    given = web.get(f"/v1/documents/{line['id']}").json()
    document = german_soviet.documents[0]
    assert given["text"] == document.text
    assert web.get("/v1/documents", params={"offset": 1}).json()["documents"] == []
    assert web.get("/v1/documents/none").status_code == 404


def test_the_blocks_of_a_document_are_all_it_says(german_soviet: Index) -> None:
    document = german_soviet.documents[0]
    blocks = document_json(document)["blocks"]
    paragraphs = [b for b in blocks if b["kind"] == "paragraph"]
    for block in paragraphs:
        assert document.text[block["start"] : block["end"]] == block["text"]
    assert [b["start"] for b in blocks] == sorted(b["start"] for b in blocks)
    covered = sum(len("".join(b["text"].split())) for b in paragraphs)
    bodies = sum(len("".join(document.text[s.start : s.end].split())) for s in document.sections)
    assert covered == bodies
    headings = [(b["level"], b["text"]) for b in blocks if b["kind"] == "heading"]
    assert (2, "World War II") in headings
    assert (3, "Soviet war with Finland") in headings
    assert len({text for _, text in headings}) == len(headings)


def test_headings_that_repeat_are_shown_each_time() -> None:
    text = "= T =\n\n== A ==\n\none\n\n== A ==\n\ntwo\n\n=== B ===\n\nthree\n\n== C ==\n\n=== B ===\n\nfour\n"
    [document] = Index.build([Document(id="d", title="T", text=text)]).documents
    shown = [(b["level"], b["text"]) for b in document_json(document)["blocks"]]
    assert shown == [
        (2, "A"), (0, "one"), (2, "A"), (0, "two"), (3, "B"), (0, "three"), (2, "C"), (3, "B"), (0, "four"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["d", "d#", "d#1", "d#5-5", "d#7-5", "d#0-999", "e#0-5", "d#-1-5", "#0-5", "d#0-5x"]
)
def test_an_id_that_names_no_passage_is_not_found(name: str) -> None:
    index = Index.build([Document(id="d", title="T", text="Rivers flow to the sea.")])
    with pytest.raises(InputError):
        citation_of(name, index)
    with client(index) as web:
        assert web.get("/v1/passages/" + name.replace("#", "%23")).status_code == 404


def test_ids_with_slashes_and_blanks_are_reached() -> None:
    name = "a b/ü?#1"
    index = Index.build([Document(id=name, title="T", text="Rivers flow to the sea.")])
    with client(index) as web:
        quoted = "a%20b/%C3%BC%3F%231"
        assert web.get(f"/v1/documents/{quoted}").json()["id"] == name
        assert web.get(f"/v1/passages/{quoted}%230-6").json()["citation"]["quote"] == "Rivers"


# Conversations.


def test_a_conversation_is_kept_by_its_id(web: TestClient) -> None:
    begun = web.post("/v1/conversations")
    assert begun.status_code == 201
    here = f"/v1/conversations/{begun.json()['id']}"
    web.post(f"{here}/ask", json={"question": "When did the USSR join the League of Nations?"})
    follow_up = web.post(f"{here}/ask", json={"question": "and when was it thrown out?"}).json()
    assert follow_up["standalone"].startswith("When did the USSR join")
    assert [turn["question"] for turn in web.get(here).json()["turns"]] == [
        "When did the USSR join the League of Nations?", "and when was it thrown out?",
    ]  # fmt: skip
    assert web.delete(here).status_code == 204
    for response in (
        web.get(here),
        web.delete(here),
        web.post(f"{here}/ask", json={"question": "why?"}),
    ):
        assert response.status_code == 404
        assert "expired" in response.json()["error"]["message"]


def test_conversations_do_not_mix(web: TestClient) -> None:
    ids = [web.post("/v1/conversations").json()["id"] for _ in range(2)]
    web.post(f"/v1/conversations/{ids[0]}/ask", json={"question": RAPALLO})
    alone = web.post(f"/v1/conversations/{ids[1]}/ask", json={"question": "why?"}).json()
    assert alone["standalone"] == "why?"


def test_conversations_expire_and_make_room() -> None:
    now = 0.0
    kept = Conversations(most=2, expiry=10, clock=lambda: now)
    turn = Turn("why?", "why?", ())
    first = kept.begin()
    now = 5.0
    second = kept.begin()
    kept.add(first, turn)
    now = 14.0
    assert kept.turns(first) == (turn,)
    third = kept.begin()
    assert kept.turns(second) is None  # silent longest
    assert len(kept) == 2
    now = 15.0
    assert kept.turns(first) is None
    assert kept.turns(third) == ()
    kept.add(first, turn)
    assert kept.turns(first) is None
    assert len({first, second, third}) == 3


def test_questions_asked_at_once_are_all_remembered_as_far_as_any_is() -> None:
    kept = Conversations(most=2, expiry=10)
    name = kept.begin()
    turns = [Turn(f"{i}?", f"{i}?", ()) for i in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda turn: kept.add(name, turn), turns))
    found = kept.turns(name)
    assert found is not None
    assert len(found) == len(set(found)) == 3


# OpenAI's API, by OpenAI's client.


@pytest.fixture
def openai(web: TestClient) -> OpenAI:
    return OpenAI(base_url=f"{BASE}/v1", api_key="none", http_client=web, max_retries=0)


def test_the_openai_client_gets_an_answer_with_annotations(
    openai: OpenAI, german_soviet: Index
) -> None:
    assert [model.id for model in openai.models.list()] == ["ragkit"]
    assert openai.models.retrieve("ragkit").id == "ragkit"
    reply = openai.chat.completions.create(
        model="ragkit", temperature=0.3, messages=[{"role": "user", "content": RAPALLO}]
    )
    message = reply.choices[0].message
    assert message.content == german_soviet.ask(RAPALLO, k=3).to_markdown()
    assert message.annotations
    [annotation] = message.annotations
    place = annotation.url_citation
    assert message.content[place.start_index : place.end_index] == "[1]"
    assert "#:~:text=" in place.url
    assert reply.choices[0].finish_reason == "stop"


def test_the_openai_client_can_stream(openai: OpenAI, german_soviet: Index) -> None:
    chunks = list(
        openai.chat.completions.create(
            model="any", stream=True, messages=[{"role": "user", "content": RAPALLO}]
        )
    )
    *_, usage = openai.chat.completions.create(
        model="any", stream=True, messages=[{"role": "user", "content": RAPALLO}],
        stream_options={"include_usage": True},
    )  # fmt: skip
    assert usage.usage is not None
    assert usage.choices == []
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == german_soviet.ask(RAPALLO, k=3).to_markdown()
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_model_streams_through_the_openai_client_checked(german_soviet: Index) -> None:
    with client(german_soviet, llm=Scripted(TRUE, MADE_UP)) as web:
        openai = OpenAI(base_url=f"{BASE}/v1", api_key="none", http_client=web)
        messages: Any = [{"role": "user", "content": RAPALLO}]
        whole = openai.chat.completions.create(model="m", messages=messages).choices[0].message
        pieces = openai.chat.completions.create(model="m", stream=True, messages=messages)
        streamed = [chunk.choices[0].delta.content or "" for chunk in pieces]
    assert whole.content
    assert "".join(streamed) == whole.content
    assert whole.content.startswith(TRUE.replace(" [1]. ", ". [1]"))
    assert "Hitler" not in whole.content.split("\n\n")[0]
    assert whole.annotations


@pytest.mark.parametrize("said", [MADE_UP, TRUE + MADE_UP])
def test_marked_sentences_are_the_same_streamed_and_whole(german_soviet: Index, said: str) -> None:
    with client(german_soviet, Settings(unsupported="mark"), llm=Scripted(said)) as web:
        openai = OpenAI(base_url=f"{BASE}/v1", api_key="none", http_client=web)
        messages: Any = [{"role": "user", "content": RAPALLO}]
        whole = openai.chat.completions.create(model="m", messages=messages).choices[0].message
        pieces = openai.chat.completions.create(model="m", stream=True, messages=messages)
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in pieces)
    assert streamed == whole.content
    assert "~~Adolf Hitler" in streamed


def test_the_messages_before_are_read_as_a_conversation(openai: OpenAI) -> None:
    reply = openai.chat.completions.create(
        model="ragkit",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "When did the USSR join the League of Nations?"}]},
            {"role": "assistant", "content": "In 1934."},
            {"role": "user", "content": "and when was it thrown out?"},
        ],
    )  # fmt: skip
    extra = reply.model_extra
    assert extra
    assert extra["ragkit"]["standalone"].startswith("When did the USSR join")
    assert "expelled" in (reply.choices[0].message.content or "")


def test_a_chat_without_a_question_is_refused(web: TestClient) -> None:
    def status(*messages: dict[str, Any]) -> int:
        return web.post("/v1/chat/completions", json={"messages": messages}).status_code

    assert status({"role": "system", "content": "x"}) == 400
    assert status({"role": "user", "content": " "}) == 400
    assert status({"role": "user", "content": None}) == 422
    assert status({"role": "nobody", "content": "x"}) == 422
    assert status() == 422


def test_what_could_not_be_asked_before_does_not_end_the_chat(web: TestClient) -> None:
    messages = [{"role": "user", "content": text} for text in ("x" * 5000, " ", RAPALLO)]
    response = web.post("/v1/chat/completions", json={"messages": messages})
    assert "Rathenau" in response.json()["choices"][0]["message"]["content"]


def test_a_method_that_is_not_there_is_told_which_are(web: TestClient) -> None:
    response = web.put("/v1/conversations/x")
    assert response.status_code == 405
    assert response.headers["allow"] == "DELETE, GET"


# Limits.


def test_a_body_over_the_limit_is_refused_however_it_comes(german_soviet: Index) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 100

    with client(german_soviet, Settings(max_body=1000)) as web:
        assert ask(web).status_code == 200
        announced = web.post("/v1/ask", content=b" " * 1001)
        unannounced = web.post("/v1/ask", content=pieces())
    for response in (announced, unannounced):
        assert response.status_code == 413
        assert "1,000 bytes" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "given", [None, "secret", "Bearer", "Bearer wrong", "Basic secret", "Bearer secret2"]
)
def test_without_the_token_the_api_is_closed(german_soviet: Index, given: str | None) -> None:
    headers = {"authorization": given} if given else {}
    with client(german_soviet, Settings(token=TOKEN)) as web:
        for path in ("/v1/corpus", "/metrics", "/openapi.json", "/v1/none"):
            response = web.get(path, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
        for path in ("/", "/healthz", "/readyz", "/widget.js"):
            assert web.get(path, headers=headers).status_code == 200


def test_the_token_is_needed_where_the_app_is_mounted_too(german_soviet: Index) -> None:
    app = create_app(german_soviet, Settings(token=TOKEN, reload=0))
    outer = Starlette(routes=[Mount("/rag", app)])
    web = TestClient(outer, base_url=BASE)
    assert web.get("/rag/v1/corpus").status_code == 401
    assert web.get("/rag/").status_code == 200
    assert (
        "default-src 'none'; script-src 'self'"
        in web.get("/rag/").headers["content-security-policy"]
    )
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert web.get("/rag/v1/corpus", headers=headers).status_code == 200


def test_with_the_token_it_is_open(german_soviet: Index) -> None:
    with client(german_soviet, Settings(token=TOKEN)) as web:
        web.headers["authorization"] = f"Bearer {TOKEN}"
        assert ask(web).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("localhost:8000", 200), ("127.0.0.1:1", 200), ("[::1]:9", 200), ("LOCALHOST", 200),
     ("evil.example", 400), ("localhost.evil.example", 400), ("evil.example:80", 400), ("", 400)],
)  # fmt: skip
def test_only_its_own_names_are_answered(web: TestClient, host: str, status: int) -> None:
    assert web.get("/healthz", headers={"host": host}).status_code == status


def test_other_sites_may_call_only_if_they_are_listed(german_soviet: Index) -> None:
    def preflight(web: TestClient, origin: str) -> Any:
        asks = {"origin": origin, "access-control-request-method": "POST",
                "access-control-request-headers": "content-type"}  # fmt: skip
        return web.options("/v1/ask", headers=asks)

    with client(german_soviet, Settings(origins=("https://good.example",), token=TOKEN)) as web:
        good, bad = preflight(web, "https://good.example"), preflight(web, "https://evil.example")
        refused = web.get("/v1/corpus", headers={"origin": "https://good.example"})
        framed = web.get("/embed").headers["content-security-policy"]
        page = web.get("/").headers["content-security-policy"]
    assert good.headers["access-control-allow-origin"] == "https://good.example"
    assert "access-control-allow-origin" not in bad.headers
    assert refused.headers["access-control-allow-origin"] == "https://good.example"
    assert "access-control-allow-credentials" not in good.headers
    assert framed.endswith("frame-ancestors 'self' https://good.example")
    assert page.endswith("frame-ancestors 'none'")


def test_nothing_that_is_given_may_run_or_be_sniffed(web: TestClient) -> None:
    for path in ("/", "/embed", "/widget.js", "/static/page.js", "/v1/corpus", "/none", "/healthz"):
        headers = web.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert re.fullmatch(r"[0-9a-f]{16}", headers["x-request-id"])
    policy = web.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert web.get("/v1/corpus").headers["content-security-policy"].startswith("default-src 'none'")


def test_what_the_page_is_made_of_may_be_kept_and_framed(web: TestClient) -> None:
    for path in ("/static/page.js", "/static/page.css", "/widget.js"):
        headers = web.get(path).headers
        assert headers["cache-control"] == "no-cache"
        assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert web.get("/v1/corpus").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/embed", "/widget.js", "/healthz", "/readyz"])
def test_who_watches_may_ask_for_the_head_alone(web: TestClient, path: str) -> None:
    response = web.head(path)
    assert response.status_code == 200
    assert response.content == b""


def test_static_files_stay_in_their_folder(web: TestClient) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/"):
        assert web.get(path).status_code == 404


class Waiting:
    """A language model that says nothing until it is let."""

    name = "waiting"

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()

    def stream(self, _: Sequence[Message]) -> Iterator[Piece]:
        self.asked.set()
        self.go.wait(20)
        yield Piece(TRUE, "stop")


def test_more_questions_than_it_takes_are_told_to_come_back(german_soviet: Index) -> None:
    waiting = Waiting()
    with (
        client(german_soviet, Settings(waiting=1), llm=waiting) as web,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(ask, web)
        assert waiting.asked.wait(20)
        second = ask(web)
        streamed = web.post(
            "/v1/ask", json={"question": RAPALLO}, headers={"accept": "text/event-stream"}
        )
        waiting.go.set()
        assert first.result(20).status_code == 200
        assert ask(web).status_code == 200
    for refused in (second, streamed):
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"


def test_an_answer_that_takes_too_long_is_given_up_and_holds_its_place_till_it_ends(
    german_soviet: Index,
) -> None:
    waiting = Waiting()
    with client(german_soviet, Settings(timeout=0.5, waiting=2), llm=waiting) as web:
        workers = web.app.state.ragkit.workers  # type: ignore[attr-defined]
        response = ask(web)
        streamed = web.post(
            "/v1/ask", json={"question": RAPALLO}, headers={"accept": "text/event-stream"}
        )
        assert workers.under_way == 2
        assert ask(web).status_code == 503
        waiting.go.set()
        deadline = time.monotonic() + 20
        while workers.under_way and time.monotonic() < deadline:
            time.sleep(0.01)
        assert workers.under_way == 0
    assert response.status_code == 504
    assert events(streamed.text)[-1][0] == "error"
    assert events(streamed.text)[-1][1]["error"]["type"] == "TimeoutError"


def test_a_model_is_cut_off_when_its_client_has_gone(german_soviet: Index) -> None:
    endless = Reply("word " * 3000, piece=5, pause=0.01)
    with (
        endpoint([endless]) as to,
        client(german_soviet, Settings(timeout=0.5), llm=ChatModel("m", base_url=to.url)) as web,
    ):
        workers = web.app.state.ragkit.workers  # type: ignore[attr-defined]
        assert ask(web).status_code == 504
        deadline = time.monotonic() + 20
        while workers.under_way and time.monotonic() < deadline:
            time.sleep(0.01)
        assert workers.under_way == 0


@pytest.mark.parametrize(
    "given",
    [{"token": " "}, {"token": "ü"}, {"origins": ("example.org",)}, {"origins": ("https://a/b",)},
     {"origins": ("*",)}, {"origins": ("https://A.example",)}, {"origins": ("https://a.example\nx",)},
     {"origins": "https://a.example"}, {"hosts": "localhost"}, {"reload": -1}, {"timeout": float("nan")}, {"max_body": 0}, {"timeout": 0}, {"threshold": 2}, {"unsupported": "hide"}],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Settings(**given)


def test_an_index_that_cannot_be_opened_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFoundError):
        create_app(tmp_path)


# What it tells, and what it does not.


def test_the_log_has_no_text_that_people_typed(
    german_soviet: Index, caplog: pytest.LogCaptureFixture
) -> None:
    typed = "Did Zaphod sign it?"
    with client(german_soviet) as web, caplog.at_level(logging.DEBUG, "ragkit"):
        ask(web, typed)
        web.get("/v1/documents/zaphod", params={"q": "zaphod"})
        web.get("/zaphod", headers={"authorization": "Bearer zaphod"})
        web.post("/v1/ask", json={"question": "zaphod\x00"})
    lines = [json.loads(r.message) for r in caplog.records if r.name == "ragkit.serving.access"]
    assert [line["status"] for line in lines] == [200, 404, 404, 400]
    assert lines[0]["route"] == "/v1/ask"
    assert "zaphod" not in caplog.text.lower()
    with client(german_soviet, Settings(log_questions=True)) as web, caplog.at_level(logging.INFO):
        ask(web, typed)
    assert typed in caplog.text


def test_an_unforeseen_error_tells_the_log_and_nobody_else(
    german_soviet: Index, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(Index, "stream", broken)
    with client(german_soviet) as web:
        response = ask(web)
    assert response.status_code == 500
    assert "swordfish" not in response.text
    assert "swordfish" in caplog.text


def test_prometheus_can_read_what_was_done(german_soviet: Index) -> None:
    with client(german_soviet) as web:
        ask(web)
        ask(web, OFF_TOPIC)
        web.post("/v1/conversations")
        text = web.get("/metrics").text
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["ragkit_requests_total", "/v1/ask", "200", "POST"] == 2
    assert found["ragkit_answers_total", "answered"] == 1
    assert found["ragkit_answers_total", "abstained"] == 1
    assert found["ragkit_conversations",] == 1
    assert found["ragkit_request_seconds_count", "/v1/ask"] == 2
    assert found["ragkit_index_chunks", german_soviet.generation] == len(german_soviet)


def test_health_says_that_it_lives_and_readiness_what_it_serves(
    web: TestClient, german_soviet: Index
) -> None:
    assert web.get("/healthz").json() == {"status": "ok"}
    assert web.get("/readyz").json() == {"status": "ok", "generation": german_soviet.generation}


# New generations.


def rivers(text: str) -> Document:
    return Document(id="rivers", title="Rivers", text=text)


def test_a_new_generation_is_served_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    Index.build([rivers("The Rhine rises in Switzerland.")], tmp_path / "i")
    told: list[bool] = []
    live = LiveIndex(tmp_path / "i", on_swap=told.append)
    before = live.current
    live.refresh()
    assert live.current is before
    Index.build([rivers("The Rhine rises in the Alps.")], tmp_path / "i")
    live.refresh()
    after = live.current
    assert "Alps" in after.ask("Where does the Rhine rise?", threshold=0).text
    assert "Switzerland" in before.ask("Where does the Rhine rise?", threshold=0).text
    Index.build([rivers("The Rhine rises on the moon.")], tmp_path / "i")
    [generation] = [p for p in (tmp_path / "i").iterdir() if p.is_dir()]
    next(p for p in generation.iterdir() if p.is_file()).write_bytes(b"damage")
    live.refresh()
    assert live.current is after
    assert told == [True, False]


def test_generations_are_exchanged_without_a_dropped_or_mixed_answer(tmp_path: Path) -> None:
    texts = ["The Rhine rises in Switzerland.", "The Rhine rises in the Alps, high up."]
    Index.build([rivers(texts[0])], tmp_path / "i")
    stop = threading.Event()
    answers: list[dict[str, Any]] = []

    with client(tmp_path / "i", Settings(reload=0.05)) as web:

        def asking() -> None:
            while not stop.is_set():
                response = ask(web, "Where does the Rhine rise?", threshold=0)
                assert response.status_code == 200, response.text
                answers.append(response.json())

        with ThreadPoolExecutor(4) as pool:
            askers = [pool.submit(asking) for _ in range(4)]
            for turn in range(1, 6):
                Index.build([rivers(texts[turn % 2])], tmp_path / "i")
            done = threading.Event()
            done.wait(0.5)
            stop.set()
            for asker in askers:
                asker.result(30)
    pairs = {(a["index_generation"], a["passages"][0]["text"]) for a in answers}
    assert {text for _, text in pairs} == set(texts)
    assert len({generation for generation, _ in pairs}) == len(pairs) == 2


# As a process.


def serve(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ragkit", "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
    )  # fmt: skip


def address(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    for line in process.stderr:
        if found := re.search(r"listening on (http://\S+)", line):
            return found[1]
    raise AssertionError("it did not start")


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """The address of a server whose log nobody needs."""
    process = serve(*arguments)
    try:
        url = address(process)
        assert process.stderr
        reader = threading.Thread(target=process.stderr.read)  # a full pipe would stop it
        reader.start()
        yield url
    finally:
        process.terminate()
        process.wait(30)
        reader.join()


@pytest.mark.parametrize("command", ["serve", "mcp"])
def test_an_empty_token_is_no_wish_for_none(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ragkit", command, *(["--http"] if command == "mcp" else []), "--port", "0"],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "RAGKIT_TOKEN": ""},
    )  # fmt: skip
    assert done.returncode == 2
    assert "the token is blank" in done.stderr


def test_the_command_serves_until_it_is_told_to_stop() -> None:
    process = serve(RAGKIT_TOKEN=TOKEN)
    try:
        url = address(process)
        headers = {"authorization": f"Bearer {TOKEN}"}
        given = httpx.post(f"{url}/v1/ask", json={"question": RAPALLO}, headers=headers)
        assert "Rathenau" in given.json()["text"]
        assert "server" not in given.headers
        assert httpx.get(f"{url}/v1/corpus").status_code == 401
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    assert json.loads(log.splitlines()[0])["status"] == 200
    assert "Traceback" not in log


def test_small_answers_are_not_held_back() -> None:
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP  # else asyncio leaves Nagle's algorithm on


def test_an_answer_under_way_is_given_before_it_stops() -> None:
    with endpoint([Reply(TRUE, pause=0.05, piece=2)]) as to:
        process = serve("--llm", "m", "--llm-url", to.url)
        try:
            url = address(process)
            with ThreadPoolExecutor(1) as pool:
                asked = pool.submit(
                    httpx.post, f"{url}/v1/ask", json={"question": RAPALLO}, timeout=30
                )
                while not to.requests:
                    assert process.poll() is None
                process.send_signal(signal.SIGTERM)
                assert asked.result(30).json()["text"].startswith("The treaty was signed")
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.mark.parametrize(
    "arguments", [["--port", "99999"], ["--host", "203.0.113.1"], ["--llm-url", "http://x"]]
)
def test_a_server_that_cannot_start_says_why(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ragkit", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("ragkit: ")
    assert "Traceback" not in done.stderr


def test_without_its_libraries_the_error_has_the_install_line(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from ragkit import MissingExtraError\n"
        "try:\n    from ragkit.serving import create_app\n"
        "except MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "pip install 'ragkit-cited[serve]'" in done.stdout


# Whatever is sent.


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


# The OpenAPI document.


def test_the_server_does_what_its_openapi_document_says(tmp_path: Path) -> None:
    run = "from schemathesis.cli import schemathesis; schemathesis()"
    with served() as url:
        done = subprocess.run(
            [sys.executable, "-c", run, "run", f"{url}/openapi.json", "--max-examples", "10", "--no-color"],
            capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
