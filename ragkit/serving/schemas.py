"""The JSON of the HTTP API: request and response bodies, which make up its OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    with_config,
)
from typing_extensions import TypedDict

from ragkit.conversation import MAX_TURNS
from ragkit.retrieval import ASKABLE, MAX_QUESTION
from ragkit.serving.feedback_file import Verdict

__all__ = [
    "EVENT_STREAM",
    "AnswerOut",
    "AskIn",
    "BlockOut",
    "ChatIn",
    "ChoiceOut",
    "ConversationIn",
    "ConversationOut",
    "CorpusOut",
    "DocumentOut",
    "DocumentsOut",
    "FeedbackIn",
    "PassageAloneOut",
    "ProblemOut",
    "SearchIn",
    "SearchOut",
]

MAX_PASSAGES = 50
MAX_COMMENT = 2000  # characters; the page's field has the same limit

EVENT_STREAM: dict[str, Any] = {
    "text/event-stream": {
        "schema": {
            "type": "object",
            "required": ["data"],
            "properties": {
                "event": {"type": "string"},
                "data": {"type": "string", "contentMediaType": "application/json"},
            },
        }
    }
}
"""The OpenAPI entry of server-sent events whose data is JSON."""


def _as_integer(value: object) -> object:
    """Convert 5.0 to 5, since JSON Schema counts it as an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Question = Annotated[
    str,
    # Only the schema has these bounds: the library's own error message is clearer.
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_QUESTION,
            "pattern": ASKABLE,
            "examples": ["Who signed the Treaty of Rapallo?"],
        }
    ),
]
PassageCount = Annotated[
    int,
    Field(ge=1, le=MAX_PASSAGES, description="How many passages to return."),
    BeforeValidator(_as_integer),
]


class _RequestBody(BaseModel):
    """Unknown fields and values of another type are errors."""

    model_config = ConfigDict(extra="forbid", strict=True)


Bounds = TypeVar("Bounds", bound=Mapping[str, object])
_RANGE_CONFIG = ConfigDict(extra="forbid", strict=True, json_schema_extra={"minProperties": 1})


@with_config(_RANGE_CONFIG)
class WithinTexts(TypedDict, total=False):
    """A range of texts, both ends included. ISO dates sort as texts."""

    min: str
    max: str


@with_config(_RANGE_CONFIG)
class WithinNumbers(TypedDict, total=False):
    """A range of numbers, both ends included."""

    min: float
    max: float


def _check_bounds(bounds: Bounds) -> Bounds:
    if not bounds:
        raise ValueError("expected min, max, or both")
    return bounds


Condition = (
    str
    | bool
    | float
    | list[str]
    | Annotated[WithinTexts, AfterValidator(_check_bounds)]
    | Annotated[WithinNumbers, AfterValidator(_check_bounds)]
)
Conditions = Annotated[
    dict[str, Condition],
    Field(
        description="Conditions on the documents' metadata: a value, one of several, or a range.",
        examples=[{"tag": ["pact", "treaty"], "date": {"min": "1922-01-01"}}],
    ),
]


class SearchIn(_RequestBody):
    """A question, and which passages to return."""

    question: Question
    k: PassageCount = 5
    where: Conditions | None = None


class AskIn(SearchIn):
    """A question, and how to answer it."""

    standalone: Question | None = Field(
        None, description="The question, reworded so that it stands alone."
    )
    threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="The confidence below which it abstains; the server's default if absent."
    )
    generate: bool = Field(True, description="Whether a language model may write, if there is one.")
    explain: bool = Field(False, description="Whether passages have their signals and matches.")


class CitationOut(BaseModel):
    """The span of a quote: half-open, in code points of the document's text."""

    document_id: str
    title: str
    section: list[str]
    start: int
    end: int
    quote: str
    url: str | None
    page: int | None


class QuoteOut(BaseModel):
    """A span of the document and its text."""

    start: int
    end: int
    quote: str


class MatchOut(BaseModel):
    """A word of the question and the most similar word of the passage."""

    word: str
    partner: str
    span: tuple[int, int] | None
    similarity: float
    contribution: float


class CellOut(BaseModel):
    """A cell of a table. Its ``text`` is the document's at its span."""

    start: int
    end: int
    text: str


class RowOut(BaseModel):
    """A row of a table; ``names``: whether it names the columns, or the table."""

    names: bool
    cells: list[CellOut]


class PassageOut(BaseModel):
    """A passage of the result, best first; ``link`` scrolls to its highlight in the original.

    ``kind``: what its first highlight is part of; ``rows``: of a table, the names of its columns
    and the highlighted rows.
    """

    id: str
    rank: int
    score: float
    answers: float | None
    candidate: QuoteOut | None
    text: str
    citation: CitationOut
    also: list[CitationOut]
    lead: CitationOut | None
    highlights: list[QuoteOut]
    phrase: QuoteOut | None
    link: str | None
    kind: Literal["paragraph", "table", "code"]
    rows: list[RowOut] | None
    signals: dict[str, float] | None = None
    matches: list[MatchOut] | None = None


class SentenceOut(BaseModel):
    """A sentence of a language model, and the result of its check."""

    text: str
    status: Literal["verbatim", "supported", "misattributed", "contradicted", "unsupported"]
    passages: list[int]
    kept: bool
    reason: str


class GeneratedOut(BaseModel):
    """Everything that a language model wrote."""

    model: str
    finish: str
    sentences: list[SentenceOut]


class ChoiceOut(BaseModel):
    """One reading of a question that has several, and the rank of the passage that answers it."""

    label: str
    question: str
    rank: int


class AnswerOut(BaseModel):
    """An answer and its passages; where it is not answered, the nearest passages.

    ``markdown``: the answer with its numbered citations, as CommonMark.
    """

    question: str
    standalone: str
    answered: bool
    text: str
    short: CitationOut | None
    confidence: float
    confidence_words: str
    reason: str | None
    index_generation: str
    passages: list[PassageOut]
    generated: GeneratedOut | None
    choices: list[ChoiceOut]
    remark: str | None
    reply: str
    markdown: str
    stale: bool
    calibrated: bool


class SearchOut(BaseModel):
    """Passages, best first."""

    passages: list[PassageOut]


class DocumentLine(BaseModel):
    """A document without its text; ``characters`` counts code points."""

    id: str
    title: str
    url: str | None
    characters: int


class DocumentsOut(BaseModel):
    """Some of the documents, in the order of the index."""

    documents: list[DocumentLine]
    total: int


class BlockOut(BaseModel):
    """A heading, or what stands below it; the ``text`` of that is the document's at its span.

    The rows of ``properties`` are a title, then the name and the value of each property.
    """

    kind: Literal["heading", "paragraph", "table", "properties", "code"]
    level: int
    start: int
    end: int
    text: str
    rows: list[RowOut] | None = None


class DocumentOut(DocumentLine):
    """A document: its text, and the same text as blocks to show on a page."""

    text: str
    blocks: list[BlockOut]


class PassageAloneOut(BaseModel):
    """A passage by its id, without a question."""

    id: str
    citation: CitationOut
    link: str | None


class CorpusOut(BaseModel):
    """The corpus that is served."""

    generation: str
    counts: dict[str, int]
    documents: list[DocumentLine]
    llm: str | None
    feedback: bool
    version: str


PlaceId = Annotated[
    str,
    Field(
        pattern=r"^[\s\S]+#[0-9]{1,12}-[0-9]{1,12}$",
        max_length=1000,
        examples=["germany-soviet-union-relations-1918-1941#7485-7996"],
    ),
]


class TurnIn(_RequestBody):
    """A question that was asked before, and the places of its answer.

    The words of the answer are read from the documents. Places that are not in them, or that the
    caller may not read, are not used.
    """

    question: Question
    standalone: Question | None = Field(None, description="As the answer had it.")
    passage: PlaceId | None = Field(
        None, description="The first passage's id; null if there was no answer."
    )
    quote: PlaceId | None = Field(None, description="The same of its first highlight.")
    short: PlaceId | None = Field(None, description="The same of the short answer.")
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.0


class ConversationIn(_RequestBody):
    """How a conversation begins: with nothing, or where another one was lost."""

    history: Annotated[list[TurnIn], Field(max_length=MAX_TURNS)] = Field(
        default_factory=list, description="Its last turns, oldest first."
    )


class TurnOut(BaseModel):
    """One question of a conversation; ``standalone`` is how it was understood.

    ``passage``, ``quote`` and ``short`` are ids of places, empty if there was no answer.
    """

    question: str
    standalone: str
    section: list[str]
    answer: str
    passage: str
    quote: str
    short: str
    confidence: float


class ConversationOut(BaseModel):
    """A conversation, deleted ``expires_in`` seconds after its last turn."""

    id: str
    expires_in: int
    turns: list[TurnOut]


class TextPart(BaseModel):
    """A part of a user's message. Only text is supported."""

    type: Literal["text"]
    text: Question


class UserMessage(BaseModel):
    """A question. Only the last one must be valid."""

    role: Literal["user"]
    content: Question | Annotated[list[TextPart], Field(min_length=1, max_length=20)]


class OtherMessage(BaseModel):
    """A message that is not a question; it is ignored."""

    role: Literal["system", "developer", "assistant", "tool", "function"]


ChatMessage = Annotated[UserMessage | OtherMessage, Field(discriminator="role")]


class StreamOptions(BaseModel):
    """OpenAI's options for streams."""

    model_config = ConfigDict(strict=True)

    include_usage: bool | None = False


# What the schemas leave out is parsed, so that its error can name the field and say why.
Calls = Annotated[list[Any] | None, WithJsonSchema({"type": ["array", "null"], "maxItems": 0})]
CallChoice = Annotated[Any, WithJsonSchema({"enum": [None, "none"]})]
ResponseFormat = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": ["object", "null"],
            "properties": {"type": {"const": "text"}},
            "required": ["type"],
        }
    ),
]


class ChatIn(BaseModel):
    """OpenAI's request for a chat completion. Sampling settings are accepted and ignored.

    Tools, functions and formats other than text are refused: answers are quoted from the corpus.
    """

    model_config = ConfigDict(extra="allow", strict=True)

    model: str = "ragkit"
    messages: Annotated[
        list[ChatMessage],
        Field(
            min_length=1,
            json_schema_extra={
                "contains": {"properties": {"role": {"const": "user"}}, "required": ["role"]}
            },
        ),
    ]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    tools: Calls = None
    tool_choice: CallChoice = None
    functions: Calls = None
    function_call: CallChoice = None
    response_format: ResponseFormat = None


class FeedbackIn(_RequestBody):
    """What a person thinks of an answer; the other fields are the answer's own."""

    question: Annotated[str, Field(min_length=1, max_length=MAX_QUESTION)]
    standalone: Annotated[str, Field(min_length=1, max_length=MAX_QUESTION)]
    answered: bool
    passages: Annotated[
        list[Annotated[str, Field(max_length=1000)]],
        Field(max_length=MAX_PASSAGES, description="Their ids, best first."),
    ]
    short: Annotated[str, Field(max_length=2000)] = ""
    text: Annotated[str, Field(max_length=20_000)]
    verdict: Annotated[Verdict, Field(strict=False)]
    comment: Annotated[str, Field(max_length=MAX_COMMENT)] = ""
    generation: Annotated[str, Field(max_length=100)]


class ModelLine(BaseModel):
    """A model, as OpenAI's API lists it."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsOut(BaseModel):
    """The list of models: there is one."""

    object: Literal["list"]
    data: list[ModelLine]


class ChatAnswer(BaseModel):
    """The assistant's message: Markdown, with citations as annotations."""

    role: Literal["assistant"]
    content: str
    refusal: str | None
    annotations: list[dict[str, Any]]


class ChatChoice(BaseModel):
    """The only choice."""

    index: int
    message: ChatAnswer
    finish_reason: Literal["stop"]
    logprobs: None


class ChatOut(BaseModel):
    """OpenAI's chat completion, with the complete answer under ``ragkit``."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: dict[str, int]
    ragkit: AnswerOut


class Problem(BaseModel):
    """An error: what was found, what was expected, what to do."""

    type: str
    message: str
    param: str | None
    code: str | None
    request_id: str | None


class ProblemOut(BaseModel):
    """The body of every error."""

    error: Problem
