"""When and where the server exports: as the environment says, to a collector that decodes it."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from ragkit import InputError
from ragkit.telemetry import exporting
from ragkit.telemetry.export import should_export
from support.otlp import collector
from support.parts import ROOT

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        ENDPOINT,
        "OTEL_SDK_DISABLED",
        "OTEL_TRACES_EXPORTER",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
    ):
        monkeypatch.delenv(name, raising=False)


def test_it_exports_where_it_is_asked_to_or_the_environment_names_a_collector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not should_export(None)
    assert should_export(True)
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:4318")
    assert should_export(None)
    assert not should_export(False)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not should_export(None)


def test_variables_for_all_programs_do_not_keep_one_without_the_extra_from_starting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:4318")
    monkeypatch.setattr("ragkit.telemetry.export._is_installed", lambda: False)
    with caplog.at_level(logging.WARNING, "ragkit"):
        assert not should_export(None)
    assert "pip install 'ragkit-cited[otel]'" in caplog.text


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
)
def test_an_exporter_that_there_is_not_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=f"{name} is '{value}'; expected"), exporting():
        pass


def test_a_program_sends_what_is_left_when_it_ends() -> None:
    code = (
        "from ragkit import ask\n"
        "from ragkit.telemetry import exporting\n"
        "with exporting():\n    ask('Who signed the Treaty of Rapallo?')\n"
    )
    with collector() as collected:
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            cwd=ROOT,
            timeout=120,
            env={ENDPOINT: collected.url, "PYTHONPATH": str(ROOT), "PATH": ""},
        )
    question, retrieval = collected.one("ragkit.ask"), collected.one("retrieval")
    assert retrieval.parent == question.id
    assert retrieval.trace == question.trace
    assert retrieval.attributes["gen_ai.retrieval.top_k"] == 5
    assert question.resource["service.name"] == "ragkit"
    assert {
        "ragkit.question.duration",
        "ragkit.answers",
        "gen_ai.retrieval.duration",
    } <= collected.metrics
    assert b"Rapallo" not in collected.received
