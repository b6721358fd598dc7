"""The log, the metrics and the health checks of the HTTP server."""

from __future__ import annotations

import json
import logging

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from ragkit import Index
from ragkit.serving import Settings
from support.http_api import (
    OFF_TOPIC,
    ask,
    client,
)

pytest_plugins = ["support.http_fixtures"]


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


def test_an_unexpected_error_is_shown_in_the_log_but_not_to_the_client(
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


def test_prometheus_can_parse_the_metrics(german_soviet: Index) -> None:
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


def test_healthz_answers_and_readyz_names_the_generation(
    web: TestClient, german_soviet: Index
) -> None:
    assert web.get("/healthz").json() == {"status": "ok"}
    assert web.get("/readyz").json() == {"status": "ok", "generation": german_soviet.generation}
