"""The id of a request, the log as JSON, and traces of requests; in this process and as a server."""

from __future__ import annotations

import json
import logging
import re
import signal
from collections.abc import Iterator

import httpx
import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ragkit import Index
from ragkit.grounding import ChatModel
from ragkit.serving import Settings
from ragkit.telemetry import instrument, uninstrument
from support.chat_endpoint import Reply, endpoint
from support.http_api import RAPALLO, TOKEN, TRUE, ask, client, events
from support.otlp import collector
from support.server_process import address, serve

pytest_plugins = ["support.http_fixtures"]

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


@pytest.mark.parametrize("sent", ["7", "3f0c.a_b:c=d-e", "x" * 128])
def test_a_well_formed_id_of_the_client_is_the_requests(web: TestClient, sent: str) -> None:
    response = web.get("/healthz", headers={"x-request-id": sent})
    assert response.headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["", "who signed it?", "a\tb", "ä", "x" * 129, '{"a":1}'])
def test_any_other_gets_a_new_id(web: TestClient, sent: str) -> None:
    response = web.get("/healthz", headers=[(b"x-request-id", sent.encode())])
    assert re.fullmatch("[0-9a-f]{16}", response.headers["x-request-id"])


def test_two_ids_in_one_request_are_no_id(web: TestClient) -> None:
    headers = [("x-request-id", "one"), ("x-request-id", "two")]
    assert re.fullmatch(
        "[0-9a-f]{16}", web.get("/healthz", headers=headers).headers["x-request-id"]
    )


def test_every_error_has_the_id_of_its_request_in_header_body_and_log(
    german_soviet: Index, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with client(german_soviet, Settings(token=TOKEN)) as web, caplog.at_level(logging.INFO):
        headers = {"authorization": f"Bearer {TOKEN}"}
        responses = [
            web.get("/v1/corpus"),
            web.get("/v1/nothing", headers=headers),
            web.post("/v1/ask", json={"question": ""}, headers=headers),
            web.post("/v1/ask", json={}, headers=headers),
            web.post("/v1/ask", content=b"x" * 300_000, headers=headers),
            web.get("/healthz", headers={"host": "evil.example"}),
        ]
        monkeypatch.setattr(Index, "stream", None)
        responses.append(web.post("/v1/ask", json={"question": "a"}, headers=headers))
    assert [one.status_code for one in responses] == [401, 404, 400, 422, 413, 400, 500]
    ids = [one.headers["x-request-id"] for one in responses]
    assert [one.json()["error"]["request_id"] for one in responses] == ids
    lines = [json.loads(r.message) for r in caplog.records if r.name == "ragkit.serving.access"]
    assert [line["id"] for line in lines] == ids
    assert len(set(ids)) == len(ids)


def test_an_error_in_a_stream_has_the_id_too(german_soviet: Index) -> None:
    headers = {"accept": "text/event-stream", "x-request-id": "abc"}
    with (
        endpoint([Reply(status=401)]) as to,
        client(german_soviet, llm=ChatModel("m", base_url=to.url)) as web,
    ):
        response = web.post("/v1/ask", json={"question": RAPALLO}, headers=headers)
    name, error = events(response.text)[-1]
    assert (name, error["error"]["request_id"]) == ("error", "abc")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What a process with a tracer provider of its own collects."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    instrument(tracer_provider=provider)
    yield exporter
    uninstrument()


def test_a_request_continues_the_trace_of_its_caller(
    german_soviet: Index, spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    with client(german_soviet) as web, caplog.at_level(logging.INFO):
        headers = {"traceparent": TRACEPARENT, "x-request-id": "abc"}
        web.post("/v1/ask", json={"question": RAPALLO}, headers=headers)
    ended = {span.name: span for span in spans.get_finished_spans()}
    request, question = ended["POST /v1/ask"], ended["ragkit.ask"]
    assert request.parent is not None
    assert f"{request.parent.trace_id:032x} {request.parent.span_id:016x}" == f"{TRACE} {CALLER}"
    assert question.parent == request.context
    assert request.attributes is not None
    assert request.attributes["http.response.header.x-request-id"] == ("abc",)
    assert request.attributes["http.route"] == "/v1/ask"
    [line] = [json.loads(r.message) for r in caplog.records if r.name == "ragkit.serving.access"]
    assert (line["id"], line["trace_id"]) == ("abc", TRACE)


def test_a_stream_of_events_is_one_trace(german_soviet: Index, spans: InMemorySpanExporter) -> None:
    headers = {"accept": "text/event-stream", "traceparent": TRACEPARENT}
    with (
        endpoint([Reply(TRUE)]) as to,
        client(german_soviet, llm=ChatModel("m", base_url=to.url)) as web,
    ):
        path = f"/v1/conversations/{web.post('/v1/conversations').json()['id']}/ask"
        response = web.post(path, json={"question": RAPALLO}, headers=headers)
    assert events(response.text)[-1][0] == "answer"
    own = [
        s for s in spans.get_finished_spans() if s.context and f"{s.context.trace_id:x}" in TRACE
    ]
    by_id = {span.context.span_id: span.name for span in own if span.context}
    parents = {span.name: by_id.get(span.parent.span_id) for span in own if span.parent}
    assert parents["retrieval"] == "ragkit.ask"
    assert parents["chat m"] == "ragkit.ask"
    assert parents["ragkit.ask"] == "ragkit.turn"
    assert parents["ragkit.turn"] == "POST /v1/conversations/{conversation_id}/ask"


def test_no_span_of_a_request_has_what_a_person_typed(
    german_soviet: Index, spans: InMemorySpanExporter
) -> None:
    with client(german_soviet) as web:
        web.get("/", params={"q": "zaphod"})
        web.get("/v1/documents/zaphod", params={"q": "zaphod"})
        web.get("/v1/zaphod")
        ask(web, "Did Zaphod sign it?")
        web.post("/v1/ask", json={"question": "zaphod\x00"})
        ids = web.post("/v1/conversations").json()["id"]
        web.get(f"/v1/conversations/{ids}")
    text = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "GET /v1/conversations/{conversation_id}" in text
    assert "zaphod" not in text.lower()
    assert ids not in text


def test_files_health_checks_and_metrics_have_no_spans(
    german_soviet: Index, spans: InMemorySpanExporter
) -> None:
    with client(german_soviet) as web:
        for path in ("/", "/static/page.js", "/docs", "/healthz", "/readyz", "/metrics"):
            assert web.get(path).status_code == 200
    assert spans.get_finished_spans() == ()


def test_a_server_process_logs_json_alone_and_exports_what_it_did() -> None:
    with collector() as collected:
        process = serve("--log-format", "json", OTEL_EXPORTER_OTLP_ENDPOINT=collected.url)
        try:
            url = address(process)
            headers = {"x-request-id": "abc", "traceparent": TRACEPARENT}
            httpx.post(f"{url}/v1/ask", json={"question": RAPALLO}, headers=headers)
        finally:
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=60)
    [line] = [json.loads(line) for line in log.splitlines()]
    assert (line["id"], line["trace_id"], line["route"]) == ("abc", TRACE, "/v1/ask")
    assert collected.one("POST /v1/ask").parent == CALLER
    assert collected.one("ragkit.ask").parent == collected.one("POST /v1/ask").id
    assert {span.trace for span in collected.spans} == {TRACE}
    assert {"http.server.request.duration", "ragkit.question.duration"} <= collected.metrics
    assert b"Rapallo" not in collected.received


def test_messages_within_a_request_have_its_id() -> None:
    process = serve("--log-format", "json", "--llm", "m", "--llm-url", "http://127.0.0.1:9/v1")
    try:
        url = address(process)
        headers = {"x-request-id": "abc"}
        response = httpx.post(
            f"{url}/v1/ask", json={"question": RAPALLO}, headers=headers, timeout=60
        )
        assert response.status_code == 502
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    failure, request = [json.loads(line) for line in log.splitlines()]
    assert (failure["level"], failure["id"], request["id"]) == ("warning", "abc", "abc")
    assert failure["message"].startswith("LanguageModelError: ")


def test_without_a_collector_the_server_answers_all_the_same() -> None:
    process = serve(
        "--otel", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT="1"
    )
    try:
        assert (
            httpx.post(f"{address(process)}/v1/ask", json={"question": RAPALLO}).status_code == 200
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
