"""The command ``ragkit serve`` as a process: start, shutdown, errors, its OpenAPI document."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from ragkit import IndexNotFoundError
from ragkit.serving import Settings, create_app
from ragkit.serving.server import unreachable_warning
from ragkit.serving.sockets import listening_socket
from support.chat_endpoint import Reply, endpoint
from support.http_api import (
    RAPALLO,
    TOKEN,
    TRUE,
)
from support.server_process import address, running, serve


def test_an_index_that_cannot_be_opened_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFoundError):
        create_app(tmp_path)


@pytest.mark.parametrize("command", ["serve", "mcp"])
def test_an_empty_token_variable_is_an_error(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ragkit", command, *(["--http"] if command == "mcp" else []), "--port", "0"],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "RAGKIT_TOKEN": ""},
    )  # fmt: skip
    assert done.returncode == 2
    assert "the token is blank" in done.stderr


def test_the_command_serves_until_sigterm() -> None:
    process = serve(RAGKIT_TOKEN=TOKEN)
    try:
        url = address(process)
        headers = {"authorization": f"Bearer {TOKEN}"}
        given = httpx.post(f"{url}/v1/ask", json={"question": RAPALLO}, headers=headers)
        assert "Rathenau" in given.json()["text"]
        assert "server" not in given.headers
        assert httpx.get(f"{url}/v1/corpus").status_code == 401
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    assert json.loads(log.splitlines()[0])["status"] == 200
    assert "Traceback" not in log


def test_small_responses_are_sent_without_delay() -> None:
    with (
        listening_socket("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP  # else asyncio leaves Nagle's algorithm on


def test_an_answer_in_progress_is_finished_before_the_server_stops() -> None:
    with endpoint([Reply(TRUE, pause=0.05, piece=2)]) as to:
        process = serve("--llm", "m", "--llm-url", to.url)
        try:
            url = address(process)
            with ThreadPoolExecutor(1) as pool:
                asked = pool.submit(
                    httpx.post, f"{url}/v1/ask", json={"question": RAPALLO}, timeout=30
                )
                while not to.requests:
                    assert process.poll() is None
                process.send_signal(signal.SIGTERM)
                assert asked.result(30).json()["text"].startswith("The treaty was signed")
        finally:
            process.terminate()
            process.communicate(timeout=30)


def test_a_server_on_all_interfaces_says_how_others_can_reach_it() -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - nothing listens
    assert "--allow-host" in (unreachable_warning(everywhere, Settings()) or "")
    assert unreachable_warning(everywhere, Settings(hosts=("example.org",))) is None
    assert unreachable_warning("127.0.0.1", Settings()) is None


@pytest.mark.parametrize(
    "arguments", [["--port", "99999"], ["--host", "203.0.113.1"], ["--llm-url", "http://x"]]
)
def test_a_server_that_cannot_start_says_why(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ragkit", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("ragkit: ")
    assert "Traceback" not in done.stderr


def test_without_its_libraries_the_error_has_the_install_line(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from ragkit import MissingExtraError\n"
        "try:\n    from ragkit.serving import create_app\n"
        "except MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "pip install 'ragkit-cited[serve]'" in done.stdout


def test_a_missing_extra_has_an_exit_status_of_its_own() -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "sys.argv = ['ragkit', 'serve']\n"
        "from ragkit.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert "pip install 'ragkit-cited[serve]'" in done.stderr


def test_the_server_does_what_its_openapi_document_says(tmp_path: Path) -> None:
    run = "from schemathesis.cli import schemathesis; schemathesis()"
    # Its own list lacks 413, with which a body over 256 KiB is refused before it is parsed.
    (tmp_path / "schemathesis.toml").write_text(
        "[checks.negative_data_rejection]\n"
        'expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422"]\n',
        encoding="utf-8",
    )
    with running() as url:
        done = subprocess.run(
            [sys.executable, "-c", run, "run", f"{url}/openapi.json", "--max-examples", "10", "--no-color"],
            capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
