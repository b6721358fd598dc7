"""The names of spans, attributes and metrics.

Those of ``gen_ai`` are OpenTelemetry's, from release v0.1.0 of its GenAI semantic conventions:
https://github.com/open-telemetry/semantic-conventions-genai/tree/v0.1.0 (status: development). It
defines the spans ``retrieval`` and ``chat``. What has no name there is called ``ragkit``.
"""

from __future__ import annotations

from opentelemetry.metrics import Meter
from opentelemetry.trace import Span, StatusCode

__all__ = ["SCHEMA_URL", "SCOPE", "Instruments", "mark_failed"]

SCOPE = "ragkit"
"""Name of the instrumentation scope."""

SCHEMA_URL = "https://opentelemetry.io/schemas/1.45.0"
"""The schema of the core conventions that release v0.1.0 of those for GenAI builds on."""

OPERATION_NAME = "gen_ai.operation.name"
DATA_SOURCE = "gen_ai.data_source.id"
TOP_K = "gen_ai.retrieval.top_k"
QUERY_TEXT = "gen_ai.retrieval.query.text"
DOCUMENTS = "gen_ai.retrieval.documents"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
FINISH_REASONS = "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
ERROR_TYPE = "error.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
OUTCOME = "ragkit.outcome"
"""``answered``, ``abstained``, ``failed``, ``abandoned`` (the caller stopped), or ``done``."""
REASON = "ragkit.reason"
"""Why an answer abstained."""
CONFIDENCE = "ragkit.confidence"
PASSAGES = "ragkit.passages"
STAGE = "ragkit.stage"
OPERATION = "ragkit.operation"

_QUESTION_SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
_MODEL_SECONDS = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip


class Instruments:
    """The metrics of one meter. Durations are in seconds."""

    def __init__(self, meter: Meter) -> None:
        self.questions = meter.create_histogram(
            "ragkit.question.duration",
            "s",
            "Time from the question to the complete answer.",
            explicit_bucket_boundaries_advisory=_QUESTION_SECONDS,
        )
        self.answers = meter.create_counter("ragkit.answers", "{answer}", "Questions by outcome.")
        self.stages = meter.create_histogram(
            "ragkit.stage.duration",
            "s",
            "Time of one stage of a question.",
            explicit_bucket_boundaries_advisory=_QUESTION_SECONDS,
        )
        self.retrievals = meter.create_histogram(
            "gen_ai.retrieval.duration",
            "s",
            "GenAI retrieval duration.",
            explicit_bucket_boundaries_advisory=_QUESTION_SECONDS,
        )
        self.calls = meter.create_histogram(
            "gen_ai.client.inference.duration",
            "s",
            "GenAI client inference operation duration.",
            explicit_bucket_boundaries_advisory=_MODEL_SECONDS,
        )
        self.input_tokens = meter.create_counter(
            "gen_ai.client.inference.usage.input_tokens",
            "{token}",
            "The number of input (prompt) tokens used.",
        )
        self.output_tokens = meter.create_counter(
            "gen_ai.client.inference.usage.output_tokens",
            "{token}",
            "The number of output (completion) tokens used.",
        )


def mark_failed(span: Span, error: BaseException) -> str:
    """Set a span's status to an error, and return the error's name. Its message may quote."""
    name = type(error).__qualname__
    span.set_attribute(ERROR_TYPE, name)
    span.set_status(StatusCode.ERROR)
    return name
