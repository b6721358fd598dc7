"""Spans of questions: which there are, whose children, what they say, and what they never say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from ragkit import Conversation, Index, InputError, LanguageModelError
from ragkit.grounding import ChatModel, Message, Piece
from ragkit.telemetry import CAPTURE_CONTENT, instrument, uninstrument
from ragkit.telemetry.conventions import SCHEMA_URL
from ragkit.timing import Part
from support.chat_endpoint import Reply, endpoint
from support.http_api import OFF_TOPIC, RAPALLO, TRUE, Scripted
from support.parts import ROOT

STAGES = [
    "ragkit.encode",
    "ragkit.candidates",
    "ragkit.approximate",
    "ragkit.exact",
    "ragkit.read",
    "ragkit.compose",
]


class Exported:
    """The spans that have ended, by what a test wants of them."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def one(self, name: str) -> ReadableSpan:
        [span] = [span for span in self.spans if span.name == name]
        return span

    def children(self, name: str) -> list[str]:
        parent = self.one(name).context
        assert parent is not None
        own = [s for s in self.spans if s.parent and s.parent.span_id == parent.span_id]
        return [span.name for span in sorted(own, key=lambda span: span.start_time or 0)]

    def text(self) -> str:
        return "".join(span.to_json() for span in self.spans)


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


@pytest.fixture
def provider() -> TracerProvider:
    return TracerProvider()


@pytest.fixture
def exported(provider: TracerProvider) -> Iterator[Exported]:
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrument(tracer_provider=provider, capture_content=False)
    yield Exported(exporter)
    uninstrument()


def test_a_question_has_a_span_its_retrieval_one_below_and_the_stages_below_that(
    german_soviet: Index, exported: Exported
) -> None:
    german_soviet.ask(RAPALLO, k=3)
    assert exported.children("ragkit.ask") == ["retrieval"]
    assert exported.children("retrieval") == STAGES
    assert set(exported.names) == {"ragkit.ask", "retrieval", *STAGES}
    assert exported.one("ragkit.ask").parent is None


def test_the_retrieval_has_the_attributes_of_the_conventions(
    german_soviet: Index, exported: Exported
) -> None:
    german_soviet.ask(RAPALLO, k=3)
    retrieval = exported.one("retrieval")
    assert retrieval.kind is SpanKind.INTERNAL
    assert attributes(retrieval) == {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": german_soviet.generation,
        "gen_ai.request.model": german_soviet.encoder.fingerprint.name,
        "gen_ai.retrieval.top_k": 3,
        "ragkit.passages": 3,
    }
    scope = retrieval.instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.schema_url) == ("ragkit", SCHEMA_URL)


def test_the_question_says_whether_it_was_answered_and_why_not(
    german_soviet: Index, exported: Exported
) -> None:
    answered = german_soviet.ask(RAPALLO)
    abstained = german_soviet.ask(OFF_TOPIC)
    first, second = [attributes(span) for span in exported.spans if span.name == "ragkit.ask"]
    assert first == {"ragkit.outcome": "answered", "ragkit.confidence": answered.confidence}
    assert second == {
        "ragkit.outcome": "abstained",
        "ragkit.reason": str(abstained.reason),
        "ragkit.confidence": abstained.confidence,
    }


def test_the_stages_follow_one_another_inside_the_retrieval(
    german_soviet: Index, exported: Exported
) -> None:
    german_soviet.ask(RAPALLO)
    retrieval = exported.one("retrieval")
    stages = [exported.one(name) for name in STAGES]
    assert retrieval.start_time is not None
    assert retrieval.end_time is not None
    ends = [retrieval.start_time, *(stage.end_time or 0 for stage in stages)]
    begins = [*(stage.start_time or 0 for stage in stages), retrieval.end_time]
    assert begins[1:-1] == ends[1:-1]
    assert begins[0] >= ends[0]
    assert begins[-1] >= ends[-1]


def test_a_span_has_no_text_of_questions_documents_or_answers(
    german_soviet: Index, exported: Exported
) -> None:
    answer = german_soviet.ask(RAPALLO, llm=Scripted(TRUE))
    german_soviet.search(RAPALLO)
    german_soviet.ask_many([RAPALLO])
    with pytest.raises(InputError, match="k is"):
        german_soviet.ask(RAPALLO, k=0)
    with pytest.raises(InputError):
        german_soviet.ask("Rapallo \0")
    text = exported.text().casefold()
    assert answer.passages[0].citation.document_id not in text
    for word in ("rapallo", "rathenau", "chicherin", "signed"):
        assert word not in text


def test_text_is_in_spans_where_it_is_asked_for(
    german_soviet: Index, exported: Exported, provider: TracerProvider
) -> None:
    instrument(tracer_provider=provider, capture_content=True)
    answer = german_soviet.ask(RAPALLO, llm=Scripted(TRUE))
    retrieval, chat = (
        attributes(exported.one("retrieval")),
        attributes(exported.one("chat scripted")),
    )
    assert retrieval["gen_ai.retrieval.query.text"] == RAPALLO
    assert json.loads(retrieval["gen_ai.retrieval.documents"]) == [
        {"id": passage.citation.passage_id, "score": passage.score} for passage in answer.passages
    ]
    system, user = json.loads(chat["gen_ai.input.messages"])
    assert (system["role"], user["role"]) == ("system", "user")
    assert RAPALLO in user["parts"][0]["content"]
    assert json.loads(chat["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": TRUE}],
            "finish_reason": "stop",
        }
    ]


@pytest.mark.parametrize(
    ("value", "captures"),
    [("true", True), ("SPAN_ONLY", True), ("span_and_event", True), ("EVENT_ONLY", False), ("no", False)],
)  # fmt: skip
def test_the_environment_variable_of_the_conventions_allows_text(
    german_soviet: Index,
    exported: Exported,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    *,
    value: str,
    captures: bool,
) -> None:
    monkeypatch.setenv(CAPTURE_CONTENT, value)
    instrument(tracer_provider=provider)
    german_soviet.search(RAPALLO)
    assert ("Rapallo" in exported.text()) is captures


def test_a_call_of_a_language_model_is_a_span_beside_the_retrieval(
    german_soviet: Index, exported: Exported
) -> None:
    usage = {"prompt_tokens": 321, "completion_tokens": 14}
    with endpoint([Reply(TRUE, usage=usage)]) as to:
        model = ChatModel("small", base_url=to.url, stream_options={"include_usage": True})
        assert german_soviet.ask(RAPALLO, llm=model).answered
        port = int(to.url.split(":")[2].split("/")[0])
    assert exported.children("ragkit.ask") == ["retrieval", "chat small"]
    chat = exported.one("chat small")
    assert chat.kind is SpanKind.CLIENT
    said = attributes(chat)
    assert said.pop("gen_ai.response.time_to_first_chunk") > 0
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "small",
        "gen_ai.request.stream": True,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 321,
        "gen_ai.usage.output_tokens": 14,
        "server.address": "127.0.0.1",
        "server.port": port,
    }


def test_without_the_servers_count_a_call_has_no_usage(
    german_soviet: Index, exported: Exported
) -> None:
    with endpoint([Reply(TRUE)]) as to:
        options = {"include_usage": True}
        german_soviet.ask(RAPALLO, llm=ChatModel("a", base_url=to.url, stream_options=options))
    said = attributes(exported.one("chat a"))
    assert said["gen_ai.response.finish_reasons"] == ("stop",)
    assert "gen_ai.usage.input_tokens" not in said


def test_an_error_is_named_and_not_quoted(german_soviet: Index, exported: Exported) -> None:
    with endpoint([Reply(status=401)]) as to, pytest.raises(LanguageModelError):
        german_soviet.ask(RAPALLO, llm=ChatModel("small", base_url=to.url))
    for name in ("ragkit.ask", "chat small"):
        span = exported.one(name)
        assert attributes(span)["error.type"] == "LanguageModelError"
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description is None
        assert not span.events
    assert attributes(exported.one("ragkit.ask"))["ragkit.outcome"] == "failed"
    assert exported.one("retrieval").status.status_code is StatusCode.UNSET


def test_a_question_that_cannot_be_asked_has_failed_spans(
    german_soviet: Index, exported: Exported
) -> None:
    with pytest.raises(InputError):
        german_soviet.ask("")
    assert exported.names == ["retrieval", "ragkit.ask"]
    assert {attributes(span)["error.type"] for span in exported.spans} == {"QuestionError"}


def test_a_caller_who_stops_reading_ends_all_spans(
    german_soviet: Index, exported: Exported
) -> None:
    stream = german_soviet.stream(RAPALLO, llm=Scripted(TRUE, TRUE))
    next(stream)
    next(stream)
    stream.close()  # type: ignore[attr-defined] # a generator
    assert exported.names[-2:] == ["chat scripted", "ragkit.ask"]
    assert attributes(exported.one("ragkit.ask"))["ragkit.outcome"] == "abandoned"
    assert exported.one("ragkit.ask").status.status_code is StatusCode.UNSET


def test_steps_in_several_threads_make_one_trace(german_soviet: Index, exported: Exported) -> None:
    stream = german_soviet.stream(RAPALLO, llm=Scripted(TRUE))
    while True:
        with ThreadPoolExecutor(1) as pool:
            if pool.submit(next, stream, None).result() is None:
                break
    assert exported.children("ragkit.ask") == ["retrieval", "chat scripted"]
    assert exported.children("retrieval") == STAGES


def test_spans_are_children_of_the_callers_and_current_while_it_works(
    german_soviet: Index, exported: Exported, provider: TracerProvider
) -> None:
    class Curious(Scripted):
        def stream(self, _: Sequence[Message]) -> Iterator[Piece]:
            seen.append(trace.get_current_span())
            yield Piece(TRUE, "stop")

    seen: list[Any] = []
    with provider.get_tracer("app").start_as_current_span("request") as request:
        german_soviet.ask(RAPALLO, llm=Curious())
        assert trace.get_current_span() is request
    assert exported.children("request") == ["ragkit.ask"]
    assert seen[0].name == "chat scripted"


def test_searches_and_batches_have_spans_of_their_own(
    german_soviet: Index, exported: Exported
) -> None:
    german_soviet.search(RAPALLO, k=2)
    german_soviet.ask_many([RAPALLO, OFF_TOPIC], k=1)
    assert [
        name for name in exported.names if name.startswith("ragkit.") and name not in STAGES
    ] == [
        "ragkit.search",
        "ragkit.ask_many",
    ]
    search, batch = [attributes(span) for span in exported.spans if span.name == "retrieval"]
    assert (search["gen_ai.retrieval.top_k"], search["ragkit.passages"]) == (2, 2)
    assert (batch["gen_ai.retrieval.top_k"], batch["ragkit.passages"]) == (1, 2)


def test_a_turn_of_a_conversation_has_its_question_below_it(
    german_soviet: Index, exported: Exported
) -> None:
    talk = Conversation(german_soviet)
    talk.ask(RAPALLO)
    assert exported.children("ragkit.turn") == ["ragkit.understand", "ragkit.ask"]
    assert exported.children("ragkit.ask") == ["retrieval"]
    assert exported.children("retrieval") == STAGES


def test_without_a_reader_nothing_is_read(german_soviet: Index, exported: Exported) -> None:
    german_soviet.with_reader(None).ask(RAPALLO)
    stages = [stage for stage in STAGES if stage != "ragkit.read"]
    assert exported.children("retrieval") == stages


def test_nothing_is_traced_once_it_is_off(german_soviet: Index, exported: Exported) -> None:
    uninstrument()
    german_soviet.ask(RAPALLO)
    assert exported.names == []


def test_while_it_is_off_nothing_of_opentelemetry_is_imported() -> None:
    code = (
        "import sys\n"
        "from ragkit import Conversation\n"
        "Conversation().ask('Who signed the Treaty of Rapallo?')\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'ragkit.telemetry'))])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_without_the_extra_the_error_has_the_install_line() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from ragkit import MissingExtraError\n"
        "from ragkit.telemetry import exporting, instrument\n"
        "for turn_on in (instrument, lambda: exporting().__enter__()):\n"
        "    try:\n        turn_on()\n"
        "    except MissingExtraError as error:\n        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.count("pip install 'ragkit-cited[otel]'") == 2


def test_the_reference_lists_every_name_and_no_other() -> None:
    page = (ROOT / "docs/reference/telemetry.md").read_text(encoding="utf-8")
    written = set(re.findall(r"`((?:gen_ai|ragkit|error|server)\.[a-z_.]+)`", page))
    sources = (ROOT / "ragkit/telemetry").glob("*.py")
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    named = set(re.findall(r'"((?:gen_ai|ragkit|error|server)\.[a-z_.]+)"', code))
    spans = {f"ragkit.{part.name.lower()}" for part in Part}
    spans |= {f"ragkit.{name}" for name in ("ask", "ask_many", "search", "turn")}
    assert written - {"ragkit.telemetry"} == (named - {"ragkit.telemetry"}) | spans
    assert SCHEMA_URL in page
