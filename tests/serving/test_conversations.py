"""Conversations by id over HTTP, and the store that remembers them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from fastapi.testclient import TestClient

from ragkit.conversation import MAX_TURNS, Turn
from ragkit.serving.conversation_store import ConversationStore
from support.http_api import (
    RAPALLO,
)

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
