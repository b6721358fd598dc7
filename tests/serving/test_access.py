"""Somebody tries to read, through every route, what they may not read."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fastapi import FastAPI
from fastapi.routing import _IncludedRouter
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute

from ragkit import Index, InputError
from ragkit.serving import Settings, create_app
from ragkit.serving.access import Usage
from support.http_api import BASE
from support.parts import ROOT
from support.restricted_corpus import (
    BOARD,
    CORPUS,
    NOBODY,
    PRESS,
    PROXY,
    bearer,
    rules_file,
    secrets_in,
)

ASKED = {"question": "What does Anna earn?"}
EVENTS = {"accept": "text/event-stream"}
FEEDBACK = {
    "question": "Who?", "standalone": "Who?", "answered": True, "passages": ["pay#0-40"],
    "text": "Anna", "verdict": "good", "generation": "0",
}  # fmt: skip
STAFF = {"x-forwarded-user": "ann", "x-forwarded-groups": "readers, staff"}


class Attempt(NamedTuple):
    """One way to read what is hidden, and whether whoever may read everything succeeds with it."""

    send: Callable[[TestClient], Any]
    succeeds: bool = True


def get(path: str) -> Attempt:
    return Attempt(lambda web: web.get(path))


def post(path: str, body: Any, *, succeeds: bool = True) -> Attempt:
    return Attempt(lambda web: web.post(path, json=body), succeeds)


def events(path: str, body: Any) -> Attempt:
    return Attempt(lambda web: web.post(path, json=body, headers=EVENTS))


def chat(*texts: str, **more: Any) -> Attempt:
    messages = [{"role": "user", "content": text} for text in texts]
    return post("/v1/chat/completions", {"messages": messages, **more})


def attempts(conversation: str) -> dict[tuple[str, str], list[Attempt]]:
    """Ways to read through each route; ``conversation``: one that the board began."""
    here = f"/v1/conversations/{conversation}"
    return {
        ("POST", "/v1/ask"): [
            post("/v1/ask", ASKED),
            events("/v1/ask", ASKED),
            post("/v1/ask", {**ASKED, "explain": True, "k": 50, "threshold": 0}),
            post("/v1/ask", {**ASKED, "where": {"id": "pay"}}),
            post("/v1/ask", {**ASKED, "where": {"audience": ["staff", "board"]}}),
            post("/v1/ask", {"question": "Where?", "standalone": "Where will the library move?"}),
        ],
        ("POST", "/v1/search"): [
            post("/v1/search", {**ASKED, "k": 50}),
            post("/v1/search", {**ASKED, "where": {"title": {"min": "R", "max": "T"}}}),
            # The names of the properties that documents have are the error's hint.
            post("/v1/search", {**ASKED, "where": {"nothing": 1}}, succeeds=False),
        ],
        ("GET", "/v1/corpus"): [get("/v1/corpus")],
        ("GET", "/v1/documents"): [get("/v1/documents"), get("/v1/documents?offset=0&limit=1000")],
        ("GET", "/v1/documents/{document_id:path}"): [get("/v1/documents/pay"), get("/v1/documents/plan")],
        ("GET", "/v1/passages/{passage_id:path}"): [get("/v1/passages/pay%230-40")],
        ("POST", "/v1/conversations"): [
            post("/v1/conversations", {"history": [{"question": "Who?", "passage": "pay#0-57"}]}),
            post("/v1/conversations", {
                "history": [{"question": "Who?", "passage": "fees#0-9", "quote": "plan#0-38"}]
            }),
        ],
        ("GET", "/v1/conversations/{conversation_id}"): [get(here)],
        ("POST", "/v1/conversations/{conversation_id}/ask"): [
            post(f"{here}/ask", ASKED),
            post(f"{here}/ask", {"question": "say that again"}),
            events(f"{here}/ask", {"question": "who says so?"}),
        ],
        ("DELETE", "/v1/conversations/{conversation_id}"): [
            Attempt(lambda web: web.delete(here), succeeds=False)
        ],
        ("POST", "/v1/chat/completions"): [
            chat("What does Anna earn?"),
            chat("What does Anna earn?", stream=True),
            chat("What does Anna earn?", "say that again"),
        ],
        ("GET", "/v1/models"): [Attempt(lambda web: web.get("/v1/models"), succeeds=False)],
        ("GET", "/v1/models/{name}"): [Attempt(lambda web: web.get("/v1/models/pay"), succeeds=False)],
        ("POST", "/v1/feedback"): [post("/v1/feedback", FEEDBACK, succeeds=False)],
        ("GET", "/metrics"): [Attempt(lambda web: web.get("/metrics"), succeeds=False)],
        ("GET", "/openapi.json"): [Attempt(lambda web: web.get("/openapi.json"), succeeds=False)],
    }  # fmt: skip


PUBLIC = {"/", "/embed", "/widget.js", "/static", "/docs", "/healthz", "/readyz"}


def routes(app: FastAPI) -> set[tuple[str, str]]:
    """The methods and patterns of all routes that need an identity."""
    return {
        (method, route.path)
        for route in every_route(app.routes)
        for method in getattr(route, "methods", None) or {"GET"}
        if route.path not in PUBLIC and (method, route.path) != ("HEAD", "/openapi.json")
    }


def every_route(routes: Sequence[BaseRoute]) -> Iterator[Any]:
    """All routes, with those of included routers."""
    for route in routes:
        if isinstance(route, _IncludedRouter):
            yield from every_route(route.original_router.routes)
        else:
            yield route


class Served(NamedTuple):
    """A server with rules, a client with the board's token, and how to try to read."""

    app: FastAPI
    board: TestClient
    conversation: str

    def client(self, address: str = "192.0.2.7", **headers: str) -> TestClient:
        return TestClient(
            self.app, base_url=BASE, headers=headers, client=(address, 5000),
            raise_server_exceptions=False,
        )  # fmt: skip

    def attempts(self) -> Iterator[Attempt]:
        for several in attempts(self.conversation).values():
            yield from several


@pytest.fixture(scope="module")
def index() -> Index:
    return Index.build(list(CORPUS))


@pytest.fixture
def served(index: Index, tmp_path: Path) -> Served:
    settings = Settings(access=rules_file(tmp_path), feedback=tmp_path / "feedback.jsonl", reload=0)
    app = create_app(index, settings)
    board = TestClient(app, base_url=BASE, headers=bearer(BOARD))
    conversation = board.post("/v1/conversations").json()["id"]
    board.post(f"/v1/conversations/{conversation}/ask", json=ASKED)
    return Served(app, board, conversation)


def test_every_route_is_tried(served: Served) -> None:
    """A new route fails here until this file tries to read through it."""
    assert routes(served.app) == set(attempts(served.conversation))


def test_whoever_may_read_everything_reads_the_secrets_by_these_attempts(served: Served) -> None:
    for attempt in served.attempts():
        if attempt.succeeds:
            response = attempt.send(served.board)
            assert secrets_in(response.text), (response.request.url, response.text)


@pytest.mark.parametrize("token", [PRESS, NOBODY])
def test_no_route_shows_what_the_caller_may_not_read(served: Served, token: str) -> None:
    web = served.client(**bearer(token))
    for attempt in served.attempts():
        response = attempt.send(web)
        assert response.status_code in {200, 201, 204, 403, 404, 409}, response.text
        shown = response.text + str(response.headers)
        assert not secrets_in(shown), (response.request.url, response.text)


def test_no_public_path_shows_a_document(served: Served) -> None:
    web = served.client()
    for path in [*sorted(PUBLIC - {"/static"}), "/static/page.js"]:
        response = web.get(path)
        assert response.status_code == 200
        assert not secrets_in(response.text)
        assert "ten euros" not in response.text


@pytest.mark.parametrize(
    ("headers", "address", "status"),
    [
        ({}, PROXY, 401),
        (bearer("guess"), PROXY, 401),
        ({"authorization": f"Basic {BOARD}"}, "192.0.2.7", 401),
        (STAFF, "192.0.2.7", 401),  # whoever is not the proxy cannot say who they are
        (STAFF, "testclient", 401),
        ({"x-forwarded-groups": "staff"}, PROXY, 401),
        ({**STAFF, "x-forwarded-user": " "}, PROXY, 401),
        ({**STAFF, "x-forwarded-groups": "staffing"}, PROXY, 403),
        ({"x-forwarded-user": "ann"}, PROXY, 403),
    ],
)
def test_every_route_refuses_whom_no_rule_lets_in(
    served: Served, headers: dict[str, str], address: str, status: int
) -> None:
    web = served.client(address, **headers)
    for attempt in served.attempts():
        response = attempt.send(web)
        assert response.status_code == status, (response.request.url, response.text)
        assert not secrets_in(response.text)


def test_a_route_that_nobody_thought_of_is_refused_too(served: Served) -> None:
    served.app.add_api_route("/v2/everything", lambda: [d.text for d in CORPUS])
    assert routes(served.app) != set(attempts(served.conversation))
    assert served.client().get("/v2/everything").status_code == 401
    assert served.client().get("/v1/nothing").status_code == 401


def test_routes_take_the_index_of_their_caller() -> None:
    """Only the health checks look at the whole index; others would have to be added here."""
    folder = ROOT / "ragkit" / "serving" / "routes"
    users = {
        path.name
        for path in [*folder.glob("*.py"), ROOT / "ragkit/serving/answer_responses.py"]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"index", "readable"}
    }
    assert users == {"health.py"}


def test_a_caller_sees_what_the_rule_lets_them_read_and_no_more(served: Served) -> None:
    def ids(web: TestClient) -> list[str]:
        listed = web.get("/v1/documents").json()
        assert listed["total"] == len(listed["documents"])
        return [document["id"] for document in listed["documents"]]

    assert ids(served.client(**bearer(PRESS))) == ["fees", "hours"]
    assert ids(served.client(PROXY, **STAFF)) == ["pay", "fees", "hours"]
    assert ids(served.board) == ["pay", "fees", "plan", "hours"]
    assert ids(served.client(**bearer(NOBODY))) == []
    staff = served.client(PROXY, **STAFF).post("/v1/ask", json=ASKED).json()
    assert "3,000 euros" in staff["text"]
    fee = {"question": "What does a library card cost?"}
    press = served.client(**bearer(PRESS))
    assert "ten euros" in press.post("/v1/ask", json=fee).json()["text"]
    assert press.get("/v1/corpus").json()["counts"] == {"documents": 2, "chunks": 2}
    reason = served.client(**bearer(NOBODY)).post("/v1/ask", json=fee).json()["reason"]
    assert reason == "empty corpus"


def test_a_hidden_document_answers_as_one_that_does_not_exist(served: Served) -> None:
    web = served.client(**bearer(PRESS))
    for path in ("/v1/documents/{}", "/v1/passages/{}%230-40"):
        hidden, missing = web.get(path.format("pay")), web.get(path.format("nil"))
        assert (hidden.status_code, missing.status_code) == (404, 404)
        messages = [response.json()["error"]["message"] for response in (hidden, missing)]
        assert messages[0] == messages[1].replace("nil", "pay")
    bodies = [{**FEEDBACK, "passages": [f"{name}#0-40"]} for name in ("pay", "nil")]
    assert {web.post("/v1/feedback", json=body).status_code for body in bodies} == {204}


def test_a_conversation_belongs_to_whoever_began_it(served: Served) -> None:
    ann, bob = served.client(PROXY, **STAFF), served.client(PROXY, **STAFF)
    bob.headers["x-forwarded-user"] = "bob"
    here = f"/v1/conversations/{ann.post('/v1/conversations').json()['id']}"
    assert "3,000" in ann.post(f"{here}/ask", json=ASKED).json()["text"]
    for other in (bob, served.board, served.client(**bearer(PRESS))):
        assert other.get(here).status_code == 404
        assert other.post(f"{here}/ask", json={"question": "say that again"}).status_code == 404
        assert other.delete(here).status_code == 404
    assert len(ann.get(here).json()["turns"]) == 1
    assert ann.delete(here).status_code == 204


def test_only_a_rule_that_says_so_lets_read_the_metrics(served: Served) -> None:
    assert served.client(**bearer(PRESS)).get("/metrics").status_code == 403
    assert served.client(PROXY, **STAFF).get("/metrics").status_code == 403
    assert "ragkit_requests" in served.board.get("/metrics").text


def test_callers_at_once_do_not_get_each_others_documents(served: Served) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with served.client() as web, ThreadPoolExecutor(8) as pool:

        def asked(token: str) -> str:
            text: str = web.post("/v1/ask", json=ASKED, headers=bearer(token)).text
            return text

        texts = list(pool.map(asked, [PRESS, BOARD] * 10))
    assert [bool(secrets_in(text)) for text in texts] == [False, True] * 10


def test_a_mounted_app_is_enforced_too(served: Served) -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    outer = Starlette(routes=[Mount("/rag", served.app)])
    web = TestClient(outer, base_url=BASE)
    assert web.get("/rag/v1/documents").status_code == 401
    listed = web.get("/rag/v1/documents", headers=bearer(PRESS)).json()
    assert listed["total"] == 2


def test_another_web_page_cannot_ask_with_a_visitors_session_at_the_proxy(served: Served) -> None:
    """A page can send a simple request with the visitor's cookies; that must not be a question."""
    web = served.client(PROXY, **STAFF, origin="https://evil.example")
    simple = web.post("/v1/ask", content=json.dumps(ASKED), headers={"content-type": "text/plain"})
    assert simple.status_code == 422
    read = web.get("/v1/documents")  # the browser keeps it from the page
    assert "access-control-allow-origin" not in read.headers


QUESTIONS: dict[str, Any] = {
    "/v1/ask": ASKED,
    "/v1/search": ASKED,
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "What does Anna earn?"}]},
    "/v1/conversations/{}/ask": ASKED,
}


@pytest.mark.parametrize("path", QUESTIONS)
def test_each_kind_of_question_counts_for_the_day(index: Index, tmp_path: Path, path: str) -> None:
    rules = rules_file(tmp_path, "[limits]\nquestions_per_day = 2\n")
    app = create_app(index, Settings(access=rules, reload=0))
    app.state.ragkit.usage = Usage(clock=lambda: 1000.0)
    press, board = (TestClient(app, base_url=BASE, headers=bearer(t)) for t in (PRESS, BOARD))

    def ask(web: TestClient) -> Any:
        conversation = web.post("/v1/conversations").json()["id"]
        return web.post(path.format(conversation), json=QUESTIONS[path])

    assert press.post("/v1/search", json=ASKED).status_code == 200
    assert ask(press).status_code == 200
    refused = ask(press)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == str(24 * 60 * 60 - 1000)
    assert press.get("/v1/documents").status_code == 200  # no question
    assert ask(board).status_code == 200


def test_every_request_counts_for_the_minute(index: Index, tmp_path: Path) -> None:
    rules = rules_file(tmp_path, "[limits]\nrequests_per_minute = 1\n")
    for path in ("/v1/corpus", "/v1/nothing", "/metrics"):
        app = create_app(index, Settings(access=rules, reload=0))
        web = TestClient(app, base_url=BASE, headers=bearer(PRESS))
        responses = [web.get(path) for _ in range(3)]  # a minute may begin meanwhile
        refused = next(response for response in responses if response.status_code == 429)
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert web.get("/healthz").status_code == 200


def test_a_rule_that_lets_read_nothing_is_reported(
    index: Index, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    create_app(index, Settings(access=rules_file(tmp_path)))
    [message] = [record.getMessage() for record in caplog.records]
    assert "'misspelt' lets read no document" in message


def test_a_server_with_a_broken_file_or_with_a_token_as_well_does_not_start(
    index: Index, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="expected one of them"):
        Settings(token="x", access=rules_file(tmp_path))
    (tmp_path / "broken.toml").write_text("[[token]]\nname = 'press'\n", encoding="utf-8")
    for name in ("broken.toml", "missing.toml"):
        with pytest.raises(InputError, match=name):
            create_app(index, Settings(access=tmp_path / name))


def test_a_new_generation_is_restricted_too(index: Index, tmp_path: Path) -> None:
    index.save(tmp_path / "index")
    app = create_app(tmp_path / "index", Settings(access=rules_file(tmp_path), reload=0))
    press = TestClient(app, base_url=BASE, headers=bearer(PRESS))
    assert press.get("/v1/documents").json()["total"] == 2
    Index.build([CORPUS[0], CORPUS[3]]).save(tmp_path / "index")
    app.state.ragkit.index.reload()
    listed = press.get("/v1/documents").json()["documents"]
    assert [document["id"] for document in listed] == ["hours"]
