"""OpenAI's chat completions, called by OpenAI's client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openai import BadRequestError, OpenAI

from ragkit import Document, Index, check_quotes, citations_in
from ragkit.conversation import MAX_TURNS
from ragkit.serving import Settings
from ragkit.serving.routes.chat_completions import MAX_HISTORY, recent_questions
from support.http_api import (
    BASE,
    MADE_UP,
    RAPALLO,
    TRUE,
    Scripted,
    client,
)

pytest_plugins = ["support.http_fixtures"]


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


@pytest.mark.parametrize("left", ["all", "message", "annotations"])
def test_citations_hold_and_check_quotations_at_the_far_side(
    openai: OpenAI, german_soviet: Index, left: str
) -> None:
    """Complete and streamed, even where programs in between leave only OpenAI's own fields."""
    messages: Any = [{"role": "user", "content": RAPALLO}]
    reply = openai.chat.completions.create(model="m", messages=messages)
    *_, last = openai.chat.completions.create(model="m", messages=messages, stream=True)
    expected = [one.citation for one in german_soviet.ask(RAPALLO, k=3).passages]
    for whole in (json.loads(reply.to_json()), json.loads(last.to_json())):
        if left != "all":
            del whole["ragkit"]
        message = whole["choices"][0].get("message") or whole["choices"][0]["delta"]
        citations = citations_in(
            {"all": whole, "message": message, "annotations": message["annotations"]}[left]
        )
        assert citations == (expected if left == "all" else expected[:1])
        document = german_soviet.document(citations[0].document_id)
        assert citations[0].verify(document).ok
        highlight = message["annotations"][0]["url_citation"]["highlights"][0]
        quoted = f"“{highlight['quote']}” [1]"
        assert check_quotes(quoted, german_soviet, passages=citations).ok
        altered = quoted.replace("Rathenau", "Ebert")
        assert not check_quotes(altered, german_soviet, passages=citations).ok


def test_a_document_without_a_web_address_has_the_address_of_its_passage() -> None:
    document = Document("notes#1", "Notes", "The keeper of the lamp left in March 1951.")
    with client(Index.build([document])) as web:
        openai = OpenAI(base_url=f"{BASE}/v1", api_key="none", http_client=web)
        messages: Any = [{"role": "user", "content": "When did the keeper of the lamp leave?"}]
        message = openai.chat.completions.create(model="m", messages=messages).choices[0].message
        assert message.annotations
        place = message.annotations[0].url_citation
        passage = web.get(place.url).json()
    assert passage["citation"] == citations_in(json.loads(message.to_json()))[0].to_dict()
    assert passage["citation"]["quote"] == document.text


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
def test_marked_sentences_are_the_same_streamed_and_complete(
    german_soviet: Index, said: str
) -> None:
    with client(german_soviet, Settings(unsupported="mark"), llm=Scripted(said)) as web:
        openai = OpenAI(base_url=f"{BASE}/v1", api_key="none", http_client=web)
        messages: Any = [{"role": "user", "content": RAPALLO}]
        whole = openai.chat.completions.create(model="m", messages=messages).choices[0].message
        pieces = openai.chat.completions.create(model="m", stream=True, messages=messages)
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in pieces)
    assert streamed == whole.content
    assert "~~Adolf Hitler" in streamed


def test_earlier_messages_form_a_conversation(openai: OpenAI) -> None:
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
    assert extra["ragkit"]["standalone"] == "when was the USSR thrown out?"
    assert "expelled" in (reply.choices[0].message.content or "")


def test_a_chat_without_a_question_is_refused(web: TestClient) -> None:
    def status(*messages: dict[str, Any]) -> int:
        return web.post("/v1/chat/completions", json={"messages": messages}).status_code

    assert status({"role": "system", "content": "x"}) == 400
    assert status({"role": "user", "content": " "}) == 400
    assert status({"role": "user", "content": None}) == 422
    assert status({"role": "nobody", "content": "x"}) == 422
    assert status() == 422


def test_earlier_messages_that_cannot_be_asked_are_left_out(web: TestClient) -> None:
    messages = [{"role": "user", "content": text} for text in ("x" * 5000, " ", RAPALLO)]
    response = web.post("/v1/chat/completions", json={"messages": messages})
    assert "Rathenau" in response.json()["choices"][0]["message"]["content"]


def test_history_is_cut_by_number_and_by_length() -> None:
    short, half = "Who signed it?", "x" * (MAX_HISTORY // 2)
    assert recent_questions([]) == []
    assert recent_questions([short] * (MAX_TURNS + 1)) == [short] * MAX_TURNS
    assert recent_questions([half, half]) == [half, half]
    assert recent_questions([short, half, half]) == [half, half]
    assert recent_questions([half, half, short]) == [half, short]


WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {}}}


@pytest.mark.parametrize(
    ("param", "more"),
    [
        ("tools", {"tools": [WEATHER]}),
        ("tools", {"tools": [WEATHER], "tool_choice": "auto"}),
        ("tool_choice", {"tool_choice": "required"}),
        ("functions", {"functions": [WEATHER["function"]]}),
        ("function_call", {"function_call": {"name": "weather"}}),
        ("response_format", {"response_format": {"type": "json_object"}}),
    ],
)
def test_what_asks_for_another_kind_of_reply_is_refused_by_name(
    openai: OpenAI, param: str, more: Any
) -> None:
    messages: Any = [{"role": "user", "content": RAPALLO}]
    for stream in (False, True):
        with pytest.raises(BadRequestError, match=f"{param} is not supported") as refused:
            openai.chat.completions.create(model="m", messages=messages, stream=stream, **more)
        assert (refused.value.param, refused.value.code) == (param, "unsupported_parameter")


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [WEATHER], "tool_choice": "none"},
        {"tools": [], "functions": [], "response_format": {"type": "text"}},
        {"tools": None, "tool_choice": None, "response_format": None},
    ],
)
def test_what_asks_for_a_plain_reply_is_answered(web: TestClient, more: Any) -> None:
    body = {"messages": [{"role": "user", "content": RAPALLO}], **more}
    assert web.post("/v1/chat/completions", json=body).status_code == 200
