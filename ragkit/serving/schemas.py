"""The JSON of the HTTP API: what is taken and what is given, as its OpenAPI document has it."""

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

from ragkit.retrieval import ASKABLE, MAX_QUESTION

__all__ = [
    "EVENT_STREAM",
    "AnswerOut",
    "AskIn",
    "BlockOut",
    "ChatIn",
    "ConversationOut",
    "CorpusOut",
    "DocumentOut",
    "DocumentsOut",
    "PassageAloneOut",
    "ProblemOut",
    "SearchIn",
    "SearchOut",
]

MOST_PASSAGES = 50

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
"""Server-sent events, for the OpenAPI document: JSON in each one's data."""


def _whole(value: object) -> object:
    """JSON Schema counts 5.0 as an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Question = Annotated[
    str,
    # In the schema alone: the library's own message says better what is wrong.
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
HowMany = Annotated[
    int,
    Field(ge=1, le=MOST_PASSAGES, description="How many passages to give."),
    BeforeValidator(_whole),
]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Bounds = TypeVar("Bounds", bound=Mapping[str, object])
_Exact = ConfigDict(extra="forbid", strict=True, json_schema_extra={"minProperties": 1})


@with_config(_Exact)
class WithinTexts(TypedDict, total=False):
    """Ends included; dates are texts that sort as dates do."""

    min: str
    max: str


@with_config(_Exact)
class WithinNumbers(TypedDict, total=False):
    """Ends included."""

    min: float
    max: float


def _bounded(bounds: Bounds) -> Bounds:
    if not bounds:
        raise ValueError("expected min, max, or both")
    return bounds


Condition = (
    str
    | bool
    | float
    | list[str]
    | Annotated[WithinTexts, AfterValidator(_bounded)]
    | Annotated[WithinNumbers, AfterValidator(_bounded)]
)
Conditions = Annotated[
    dict[str, Condition],
    Field(
        description="What the documents' metadata must be: equal, one of several, or within.",
        examples=[{"tag": ["pact", "treaty"], "date": {"min": "1922-01-01"}}],
    ),
]


class SearchIn(_In):
    """What to look for."""

    question: Question
    k: HowMany = 5
    where: Conditions | None = None


class AskIn(SearchIn):
    """A question, and how to answer it."""

    standalone: Question | None = Field(None, description="How to understand the question.")
    threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="The confidence below which it abstains; the server's own if absent."
    )
    generate: bool = Field(True, description="Whether the language model, if any, may write.")
    explain: bool = Field(False, description="Give each passage's signals and matched words too.")


class CitationOut(BaseModel):
    """Where a quote stands: code points, half-open, of the document's text."""

    document_id: str
    title: str
    section: list[str]
    start: int
    end: int
    quote: str
    url: str | None
    page: int | None


class QuoteOut(BaseModel):
    """A span of the document and what it says."""

    start: int
    end: int
    quote: str


class MatchOut(BaseModel):
    """Which word of the question found which partner."""

    word: str
    partner: str
    span: tuple[int, int] | None
    similarity: float
    contribution: float


class PassageOut(BaseModel):
    """A passage found, best first; ``link`` scrolls to its highlight in the original."""

    id: str
    rank: int
    score: float
    text: str
    citation: CitationOut
    also: list[CitationOut]
    highlights: list[QuoteOut]
    phrase: QuoteOut | None
    link: str | None
    signals: dict[str, float] | None = None
    matches: list[MatchOut] | None = None


class SentenceOut(BaseModel):
    """A sentence that a language model said, after it was checked."""

    text: str
    status: Literal["verbatim", "supported", "misattributed", "unsupported"]
    passages: list[int]
    kept: bool
    reason: str


class GeneratedOut(BaseModel):
    """All that a language model said."""

    model: str
    finish: str
    sentences: list[SentenceOut]


class AnswerOut(BaseModel):
    """What the corpus says, with its proof; ``passages`` are the nearest where it does not say."""

    question: str
    standalone: str
    answered: bool
    text: str
    confidence: float
    confidence_words: str
    reason: str | None
    index_generation: str
    passages: list[PassageOut]
    generated: GeneratedOut | None


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
    """Some of the documents, in the order they were given."""

    documents: list[DocumentLine]
    total: int


class BlockOut(BaseModel):
    """A heading or paragraph. Of a paragraph, ``text`` is the document's at the span."""

    kind: Literal["heading", "paragraph"]
    level: int
    start: int
    end: int
    text: str


class DocumentOut(DocumentLine):
    """A document, whole, as blocks to show."""

    text: str
    blocks: list[BlockOut]


class PassageAloneOut(BaseModel):
    """A passage by its id, no question asked."""

    id: str
    citation: CitationOut
    link: str | None


class CorpusOut(BaseModel):
    """What is served."""

    generation: str
    counts: dict[str, int]
    documents: list[DocumentLine]
    llm: str | None
    version: str


class TurnOut(BaseModel):
    """One question of a conversation, as it was understood."""

    question: str
    standalone: str
    section: list[str]


class ConversationOut(BaseModel):
    """A conversation that the server keeps. ``expires_in``: seconds after its last turn."""

    id: str
    expires_in: int
    turns: list[TurnOut]


class TextPart(BaseModel):
    """A part of a user's message; there is nothing here that looks at pictures."""

    type: Literal["text"]
    text: Question


class UserMessage(BaseModel):
    """A question. Only the last one must be fit to be asked."""

    role: Literal["user"]
    content: Question | Annotated[list[TextPart], Field(min_length=1, max_length=20)]


class OtherMessage(BaseModel):
    """What is not a question is left unread."""

    role: Literal["system", "developer", "assistant", "tool", "function"]


ChatMessage = Annotated[UserMessage | OtherMessage, Field(discriminator="role")]


class StreamOptions(BaseModel):
    """Read so that clients may send it."""

    model_config = ConfigDict(strict=True)

    include_usage: bool | None = False


class ChatIn(BaseModel):
    """OpenAI's request for a chat completion; sampling settings are taken and left unread."""

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


class ModelLine(BaseModel):
    """A model, as OpenAI's API lists it."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsOut(BaseModel):
    """The models that may be named: one."""

    object: Literal["list"]
    data: list[ModelLine]


class ChatAnswer(BaseModel):
    """The assistant's message: Markdown, with citations as annotations."""

    role: Literal["assistant"]
    content: str
    refusal: str | None
    annotations: list[dict[str, Any]]


class ChatChoice(BaseModel):
    """The one choice."""

    index: int
    message: ChatAnswer
    finish_reason: Literal["stop"]
    logprobs: None


class ChatOut(BaseModel):
    """OpenAI's chat completion, and the whole Answer under ``ragkit``."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: dict[str, int]
    ragkit: AnswerOut


class Problem(BaseModel):
    """What went wrong: what was found, what was expected, what to do."""

    type: str
    message: str
    param: str | None
    code: str | None


class ProblemOut(BaseModel):
    """The body of every error."""

    error: Problem
