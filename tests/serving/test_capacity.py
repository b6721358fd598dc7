"""How many questions the HTTP server answers at once, and how long each may take."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from ragkit import ChatModel, Index
from ragkit.serving import Settings
from support.chat_endpoint import Reply, endpoint
from support.http_api import (
    RAPALLO,
    Waiting,
    ask,
    client,
    events,
)


def test_questions_over_the_limit_get_503_and_retry_after(german_soviet: Index) -> None:
    waiting = Waiting()
    with (
        client(german_soviet, Settings(waiting=1), llm=waiting) as web,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(ask, web)
        assert waiting.asked.wait(20)
        second = ask(web)
        streamed = web.post(
            "/v1/ask", json={"question": RAPALLO}, headers={"accept": "text/event-stream"}
        )
        waiting.go.set()
        assert first.result(20).status_code == 200
        assert ask(web).status_code == 200
    for refused in (second, streamed):
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"


def test_an_answer_that_times_out_counts_as_in_progress_until_its_thread_returns(
    german_soviet: Index,
) -> None:
    waiting = Waiting()
    with client(german_soviet, Settings(timeout=0.5, waiting=2), llm=waiting) as web:
        workers = web.app.state.ragkit.workers  # type: ignore[attr-defined]
        response = ask(web)
        streamed = web.post(
            "/v1/ask", json={"question": RAPALLO}, headers={"accept": "text/event-stream"}
        )
        assert workers.in_progress == 2
        assert ask(web).status_code == 503
        waiting.go.set()
        deadline = time.monotonic() + 20
        while workers.in_progress and time.monotonic() < deadline:
            time.sleep(0.01)
        assert workers.in_progress == 0
    assert response.status_code == 504
    assert events(streamed.text)[-1][0] == "error"
    assert events(streamed.text)[-1][1]["error"]["type"] == "TimeoutError"


def test_a_language_model_is_stopped_when_its_client_has_left(german_soviet: Index) -> None:
    endless = Reply("word " * 3000, piece=5, pause=0.01)
    with (
        endpoint([endless]) as to,
        client(german_soviet, Settings(timeout=0.5), llm=ChatModel("m", base_url=to.url)) as web,
    ):
        workers = web.app.state.ragkit.workers  # type: ignore[attr-defined]
        assert ask(web).status_code == 504
        deadline = time.monotonic() + 20
        while workers.in_progress and time.monotonic() < deadline:
            time.sleep(0.01)
        assert workers.in_progress == 0
