"""Conversations by id over HTTP, and the store that remembers them."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from ragkit.conversation import MAX_TURNS, Turn
from ragkit.serving.conversation_store import ConversationStore
from support.http_api import (
    RAPALLO,
)
from support.parts import ROOT
from support.server_process import running

pytest_plugins = ["support.http_fixtures"]


def test_a_conversation_is_remembered_by_its_id_until_it_is_deleted(web: TestClient) -> None:
    begun = web.post("/v1/conversations")
    assert begun.status_code == 201
    here = f"/v1/conversations/{begun.json()['id']}"
    web.post(f"{here}/ask", json={"question": "When did the USSR join the League of Nations?"})
    follow_up = web.post(f"{here}/ask", json={"question": "and when was it thrown out?"}).json()
    assert follow_up["standalone"] == "when was the USSR thrown out?"
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


def turn_of(answer: dict[str, Any]) -> dict[str, Any]:
    """What a client remembers of an answer, as the guide says."""
    if not answer["answered"]:
        return {"question": answer["question"], "standalone": answer["standalone"]}
    [best, *_] = answer["passages"]
    [first, *_] = best["highlights"]
    document = best["citation"]["document_id"]
    short = answer["short"]
    return {
        "question": answer["question"],
        "standalone": answer["standalone"],
        "passage": best["id"],
        "quote": f"{document}#{first['start']}-{first['end']}",
        "short": short and f"{document}#{short['start']}-{short['end']}",
        "confidence": answer["confidence"],
    }


def test_a_lost_conversation_goes_on_from_what_the_client_remembers(web: TestClient) -> None:
    questions = ["How do I bake sourdough bread?", "When did the USSR join the League of Nations?"]
    here = f"/v1/conversations/{web.post('/v1/conversations').json()['id']}"
    answers = [web.post(f"{here}/ask", json={"question": asked}).json() for asked in questions]
    before = web.get(here).json()
    web.delete(here)
    lost = web.post(f"{here}/ask", json={"question": "why?"})
    assert "with the last questions as its history" in lost.json()["error"]["message"]
    history = [turn_of(answer) for answer in answers]
    again = web.post("/v1/conversations", json={"history": history}).json()
    assert again["turns"] == before["turns"]
    assert again["id"] != before["id"]
    here = f"/v1/conversations/{again['id']}"
    follow_up = web.post(f"{here}/ask", json={"question": "and when was it thrown out?"}).json()
    assert follow_up["standalone"] == "when was the USSR thrown out?"


def test_the_words_of_a_remembered_answer_are_the_documents(web: TestClient) -> None:
    [answer] = [web.post("/v1/ask", json={"question": RAPALLO}).json()]
    turn = turn_of(answer)
    begun = web.post("/v1/conversations", json={"history": [turn]}).json()
    [remembered] = begun["turns"]
    assert remembered["answer"] in answer["passages"][0]["text"]
    said = web.post(f"/v1/conversations/{begun['id']}/ask", json={"question": "say that again"})
    assert said.json()["reply"] == remembered["answer"]


def test_the_history_of_the_guide_is_a_talk_that_goes_on(web: TestClient) -> None:
    guide = (ROOT / "docs" / "how-to" / "conversations.md").read_text(encoding="utf-8")
    [history] = re.findall(r"```json\n(.*?)```", guide, re.S)
    begun = web.post("/v1/conversations", json=json.loads(history)).json()
    [turn] = begun["turns"]
    assert turn["answer"].endswith("went to Soviet Russia for these purposes in March 1922.")
    answer = web.post(f"/v1/conversations/{begun['id']}/ask", json={"question": "shorter"}).json()
    assert answer["reply"] == "March 1922"


@pytest.mark.parametrize(
    "place",
    ["nil#0-40", "germany-soviet-union-relations-1918-1941#0-99999999",
     "germany-soviet-union-relations-1918-1941#9-3", "germany-soviet-union-relations-1918-1941#0-30000"],
)  # fmt: skip
def test_places_that_are_no_passages_are_not_used(web: TestClient, place: str) -> None:
    begun = web.post(
        "/v1/conversations", json={"history": [{"question": RAPALLO, "passage": place}]}
    )
    assert begun.status_code == 201
    [turn] = begun.json()["turns"]
    assert (turn["question"], turn["answer"], turn["passage"]) == (RAPALLO, "", "")


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ([{"question": "  "}], "blank"),
        ([{"question": RAPALLO, "standalone": "\x07"}], "U+0007"),
        ([{"question": RAPALLO}] * (MAX_TURNS + 1), "at most 6"),
        ([{"question": RAPALLO, "passage": "somewhere"}], "passage"),
        ([{"question": RAPALLO, "answer": "jazz"}], "answer"),
        ([{"question": RAPALLO, "confidence": 2}], "confidence"),
        ([{}], "question"),
    ],
)
def test_a_history_that_is_none_is_refused(
    web: TestClient, history: list[dict[str, Any]], reason: str
) -> None:
    refused = web.post("/v1/conversations", json={"history": history})
    assert 400 <= refused.status_code < 500
    assert reason in refused.text


def test_a_conversation_outlives_a_restart_of_the_server() -> None:
    question = "When did the USSR join the League of Nations?"
    with running() as url:
        here = f"{url}/v1/conversations/{httpx.post(f'{url}/v1/conversations').json()['id']}"
        answer = httpx.post(f"{here}/ask", json={"question": question}, timeout=60).json()
    with running("--port", here.split("/")[2].rpartition(":")[2]) as url:
        follow_up = {"question": "and when was it thrown out?"}
        assert httpx.post(f"{here}/ask", json=follow_up, timeout=60).status_code == 404
        begun = httpx.post(f"{url}/v1/conversations", json={"history": [turn_of(answer)]})
        here = f"{url}/v1/conversations/{begun.json()['id']}"
        meant = httpx.post(f"{here}/ask", json=follow_up, timeout=60).json()
    assert meant["standalone"] == "when was the USSR thrown out?"
    assert "expelled" in meant["text"]


def test_conversations_do_not_mix(web: TestClient) -> None:
    ids = [web.post("/v1/conversations").json()["id"] for _ in range(2)]
    web.post(f"/v1/conversations/{ids[0]}/ask", json={"question": RAPALLO})
    alone = web.post(f"/v1/conversations/{ids[1]}/ask", json={"question": "why?"}).json()
    assert alone["standalone"] == "why?"


def test_conversations_expire_and_make_room() -> None:
    now = 0.0
    store = ConversationStore(capacity=2, expiry=10, clock=lambda: now)
    turn = Turn("why?", "why?", ())
    first = store.create("me")
    now = 5.0
    second = store.create("me")
    store.add_turn(first, "me", turn)
    now = 14.0
    assert store.turns(first, "me") == (turn,)
    third = store.create("me")
    assert store.turns(second, "me") is None  # silent longest
    assert len(store) == 2
    now = 15.0
    assert store.turns(first, "me") is None
    assert store.turns(third, "me") == ()
    store.add_turn(first, "me", turn)
    assert store.turns(first, "me") is None
    assert len({first, second, third}) == 3


def test_concurrent_questions_leave_the_last_turns() -> None:
    store = ConversationStore(capacity=2, expiry=10)
    name = store.create("me")
    turns = [Turn(f"{i}?", f"{i}?", ()) for i in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda turn: store.add_turn(name, "me", turn), turns))
    found = store.turns(name, "me")
    assert found is not None
    assert len(found) == len(set(found)) == MAX_TURNS
