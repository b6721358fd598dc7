"""``ragkit serve --workers``: several processes that are one server to whoever asks it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from ragkit import Document, Index, InputError
from ragkit.serving import Settings, server
from ragkit.serving.feedback_file import load_feedback
from ragkit.serving.server import run
from ragkit.serving.workers.supervisor import WorkerRecord, due_for_new_generation
from support.http_api import RAPALLO
from support.otlp import collector
from support.restricted_corpus import BOARD, CORPUS, PRESS, bearer, rules_file
from support.server_process import Workers, until, workers

ASKED = {"question": RAPALLO}


@pytest.fixture(scope="module")
def feedback(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feedback") / "feedback.jsonl"


@pytest.fixture(scope="module")
def two(feedback: Path) -> Iterator[Workers]:
    """A server with two workers and the seed article."""
    with workers("--feedback", str(feedback), "--no-reader") as served:
        yield served


def ask(served: Workers, question: str = RAPALLO, **headers: str) -> httpx.Response:
    """Ask on a connection of its own."""
    body = {"question": question, "threshold": 0}
    return httpx.post(f"{served.url}/v1/ask", json=body, headers=headers, timeout=30)


def counted(metrics: dict[tuple[str, ...], float], name: str) -> float:
    return sum(value for (own, *_), value in metrics.items() if own == name)


def test_both_workers_answer_and_either_has_the_sums_of_what_both_counted(two: Workers) -> None:
    before = two.metrics()

    def send() -> None:
        assert "Rathenau" in ask(two).json()["text"]

    sent = two.by_all("/v1/ask", send)
    for _ in range(6):  # whichever answers
        metrics = two.metrics()
        for name in ("ragkit_answers_total", "ragkit_request_seconds_count"):
            label = "answered" if name == "ragkit_answers_total" else "/v1/ask"
            assert metrics[name, label] - before.get((name, label), 0) == sent
        assert metrics["ragkit_workers",] == 2
        assert counted(metrics, "ragkit_index_chunks") > 0
    assert two.process.poll() is None


def test_a_conversation_goes_on_whichever_worker_answers(two: Workers) -> None:
    here = f"{two.url}/v1/conversations"
    here += f"/{httpx.post(here, timeout=30).json()['id']}"
    follow_ups: list[str] = []

    def send() -> None:
        first = {"question": "When did the USSR join the League of Nations?"}
        httpx.post(f"{here}/ask", json=first, timeout=30)
        then = {"question": "and when was it thrown out?"}
        follow_ups.append(httpx.post(f"{here}/ask", json=then, timeout=30).json()["standalone"])

    two.by_all("/v1/conversations/{conversation_id}/ask", send)
    assert set(follow_ups) == {"when was the USSR thrown out?"}
    for _ in range(6):
        assert httpx.get(here, timeout=30).json()["turns"][-1]["standalone"] == follow_ups[-1]
        assert two.metrics()["ragkit_conversations",] == 1
    assert httpx.delete(here, timeout=30).status_code == 204
    assert {httpx.get(here, timeout=30).status_code for _ in range(6)} == {404}


def test_feedback_of_all_workers_is_whole(two: Workers, feedback: Path) -> None:
    comments: list[str] = []

    def said(comment: str) -> None:
        comments.append(comment)
        body = {
            "question": RAPALLO, "standalone": RAPALLO, "answered": True, "passages": [],
            "text": "Rathenau", "verdict": "good", "generation": "0", "comment": comment,
        }  # fmt: skip
        assert httpx.post(f"{two.url}/v1/feedback", json=body, timeout=30).status_code == 204

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(said, [f"{number} " * 500 for number in range(20)]))
    two.by_all("/v1/feedback", lambda: said("more"))
    assert sorted(one.comment for one in load_feedback(feedback)) == sorted(comments)


def test_a_killed_worker_is_replaced_and_no_request_waits_for_it(two: Workers) -> None:
    before = two.metrics()
    killed, other = two.pids()
    stop = threading.Event()
    statuses: list[int] = []

    def asking() -> None:
        while not stop.is_set():
            try:
                statuses.append(ask(two).status_code)
            except (httpx.RemoteProtocolError, httpx.ReadError):
                statuses.append(0)  # its worker was killed

    with ThreadPoolExecutor(2) as pool:
        askers = [pool.submit(asking) for _ in range(2)]
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(two.pids()) == 2 and killed not in two.pids())
        until(lambda: two.metrics()["ragkit_workers",] == 2)
        stop.set()
        for asker in askers:
            asker.result(60)
    assert other in two.pids()
    assert set(statuses) <= {0, 200}
    assert statuses.count(0) <= 2
    after = two.metrics()
    grown = {name: after.get(name, 0.0) - value for name, value in before.items()}
    totals = [value for (name, *_), value in grown.items() if name.endswith(("_total", "_count"))]
    assert totals
    assert min(totals) >= 0
    assert after["ragkit_answers_total", "answered"] >= statuses.count(200)
    line = f"(process {killed}) was ended by SIGKILL; starting another"
    assert any(line in message for message in two.log)
    seen = len(two.requests("/healthz"))
    while {one["worker"] for one in two.requests("/healthz")[seen:]} != {1, 2}:
        assert httpx.get(f"{two.url}/healthz", timeout=30).status_code == 200
        assert len(two.requests("/healthz")) < seen + 300


def test_only_workers_load_models_and_none_loads_torch(two: Workers) -> None:
    assert ask(two).status_code == 200
    supervisor = _mapped(two.process.pid)
    assert "python" in supervisor
    assert "onnxruntime" not in supervisor
    assert "faiss" not in supervisor
    workers = [_mapped(pid) for pid in two.pids()]
    assert "onnxruntime" in "".join(workers)
    assert all("libtorch" not in mapped for mapped in [supervisor, *workers])


def _mapped(pid: int) -> str:
    """The files that a process has mapped into its memory."""
    return Path(f"/proc/{pid}/maps").read_text()


def rivers(text: str) -> Document:
    return Document(id="rivers", title="Rivers", text=text)


def test_all_workers_serve_the_index_that_was_published_last(tmp_path: Path) -> None:
    old = Index.build([rivers("The Rhine rises in Switzerland.")], tmp_path / "i").generation
    asked = "Where does the Rhine rise?"
    with workers("--index", str(tmp_path / "i"), "--no-reader") as served:
        assert ask(served, asked).json()["index_generation"] == old
        new = Index.build([rivers("The Rhine rises in the Alps.")], tmp_path / "i").generation
        line = f"serving generation {new} instead of {old}"
        until(lambda: sum(line in message for message in served.log) == 2)

        def send() -> None:
            answer = ask(served, asked).json()
            assert (answer["index_generation"], "Alps" in answer["text"]) == (new, True)

        served.by_all("/v1/ask", send)
        metrics = served.metrics()
        assert metrics["ragkit_index_swaps_total", "served"] == 2
        assert metrics["ragkit_index_chunks", new] == 1


def record(number: int, serving: str | None, opened: str | None, at: float = 0) -> WorkerRecord:
    return WorkerRecord(number, serving=serving, opened=opened, changed_at=at)


def test_a_new_generation_is_served_when_every_worker_has_it_open_or_one_keeps_them_waiting() -> (
    None
):
    def due(*records: WorkerRecord, now: float = 1.0) -> list[int]:
        return [worker.number for worker in due_for_new_generation(records, now)]

    first, second = record(1, "old", "new"), record(2, "old", "new")
    assert due(first, record(2, "old", "old")) == []
    assert due(first, second) == [1, 2]
    assert due(first, record(2, "new", "new")) == [1]  # a replacement opened what was newest
    assert due(first, record(2, None, None)) == [1]  # and one that still starts will
    assert due(first, record(2, "old", "newer")) == []
    assert due(first, record(2, "old", "newer"), now=100) == [1, 2]
    assert due(record(1, "old", "old"), record(2, "old", "old"), now=100) == []


def test_limits_of_users_hold_for_all_workers_together(tmp_path: Path) -> None:
    Index.build(list(CORPUS), tmp_path / "i")
    rules = rules_file(tmp_path, "[limits]\nquestions_per_day = 5\n")
    arguments = ("--index", str(tmp_path / "i"), "--access", str(rules), "--no-reader")
    with workers(*arguments) as served:
        statuses: list[int] = []
        served.by_all("/v1/ask", lambda: statuses.append(ask(served, **bearer(PRESS)).status_code))
        while len(statuses) < 8:
            statuses.append(ask(served, **bearer(PRESS)).status_code)
        assert statuses[:5] == [200] * 5
        assert set(statuses[5:]) == {429}
        assert ask(served, **bearer(BOARD)).status_code == 200
        assert counted(served.metrics(**bearer(BOARD)), "ragkit_answers_total") == 6


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_leaves_nothing_there(
    tmp_path: Path, number: signal.Signals
) -> None:
    with workers("--no-reader", TMPDIR=str(tmp_path)) as served:
        pids = served.pids()
        assert len(pids) == 2
        assert list(tmp_path.iterdir())
        served.process.send_signal(number)
        served.process.wait(60)
    expected = -signal.SIGTERM if number == signal.SIGTERM else 130
    assert served.process.returncode == expected
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert list(tmp_path.iterdir()) == []
    assert "Traceback" not in "".join(served.log)
    with pytest.raises(httpx.ConnectError):
        httpx.get(served.url)


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with workers("--no-reader", TMPDIR=str(tmp_path)) as served:
        pids = served.pids()
        served.process.kill()
        served.process.wait(30)
        until(lambda: not any(_runs(pid) for pid in pids))
        assert not list(tmp_path.glob("ragkit-serve-*"))  # with what people typed


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_each_worker_is_an_instance_of_the_service_to_a_collector() -> None:
    with collector() as collected:
        with workers("--no-reader", OTEL_EXPORTER_OTLP_ENDPOINT=collected.url) as served:
            served.by_all("/v1/ask", lambda: ask(served).raise_for_status())
        names = [f"/{number}".encode() for number in (1, 2)]
        assert b"service.instance.id" in collected.received
        assert all(name in collected.received for name in names)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ragkit", "serve", "--port", "0", *arguments],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_server_whose_workers_cannot_start_says_why_as_one_process_would(tmp_path: Path) -> None:
    one, two = (command("--index", str(tmp_path), "--workers", n) for n in "12")
    assert one.returncode == two.returncode == 3
    assert one.stderr == two.stderr.splitlines(keepends=True)[-1]
    assert "Traceback" not in two.stderr


def test_several_workers_need_an_index_that_each_can_open(german_soviet: Index) -> None:
    with pytest.raises(InputError, match=r"serve a Index; expected\s+the path or address"):
        run(german_soviet, Settings(), port=0, workers=2)


def test_where_processes_cannot_share_a_socket_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "os", SimpleNamespace(name="nt"))
    with pytest.raises(InputError, match="several servers behind a proxy"):
        run(None, Settings(), port=0, workers=2)
