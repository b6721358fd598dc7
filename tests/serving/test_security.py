"""What the HTTP server refuses: bodies, tokens, hosts, origins; and the headers it sends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Mount

from ragkit import Index, InputError
from ragkit.serving import Settings, create_app
from support.http_api import (
    BASE,
    TOKEN,
    ask,
    client,
)

pytest_plugins = ["support.http_fixtures"]


def test_the_error_for_an_unsupported_method_names_the_supported_ones(web: TestClient) -> None:
    response = web.put("/v1/conversations/x")
    assert response.status_code == 405
    assert response.headers["allow"] == "DELETE, GET"


def test_a_body_over_the_limit_is_refused_with_and_without_a_content_length(
    german_soviet: Index,
) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 100

    with client(german_soviet, Settings(max_body=1000)) as web:
        assert ask(web).status_code == 200
        announced = web.post("/v1/ask", content=b" " * 1001)
        unannounced = web.post("/v1/ask", content=pieces())
    for response in (announced, unannounced):
        assert response.status_code == 413
        assert "1,000 bytes" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "given", [None, "secret", "Bearer", "Bearer wrong", "Basic secret", "Bearer secret2"]
)
def test_without_the_token_only_the_page_and_health_checks_answer(
    german_soviet: Index, given: str | None
) -> None:
    headers = {"authorization": given} if given else {}
    with client(german_soviet, Settings(token=TOKEN)) as web:
        for path in ("/v1/corpus", "/metrics", "/openapi.json", "/v1/none"):
            response = web.get(path, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
        for path in ("/", "/healthz", "/readyz", "/widget.js"):
            assert web.get(path, headers=headers).status_code == 200


def test_a_mounted_app_needs_the_token_too(german_soviet: Index) -> None:
    app = create_app(german_soviet, Settings(token=TOKEN, reload=0))
    outer = Starlette(routes=[Mount("/rag", app)])
    web = TestClient(outer, base_url=BASE)
    assert web.get("/rag/v1/corpus").status_code == 401
    assert web.get("/rag/").status_code == 200
    assert (
        "default-src 'none'; script-src 'self'"
        in web.get("/rag/").headers["content-security-policy"]
    )
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert web.get("/rag/v1/corpus", headers=headers).status_code == 200


def test_a_request_with_the_token_is_answered(german_soviet: Index) -> None:
    with client(german_soviet, Settings(token=TOKEN)) as web:
        web.headers["authorization"] = f"Bearer {TOKEN}"
        assert ask(web).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("localhost:8000", 200), ("127.0.0.1:1", 200), ("[::1]:9", 200), ("LOCALHOST", 200),
     ("evil.example", 400), ("localhost.evil.example", 400), ("evil.example:80", 400), ("", 400)],
)  # fmt: skip
def test_only_allowed_host_names_are_answered(web: TestClient, host: str, status: int) -> None:
    assert web.get("/healthz", headers={"host": host}).status_code == status


def test_only_listed_origins_may_call_the_api_and_frame_the_page(german_soviet: Index) -> None:
    def preflight(web: TestClient, origin: str) -> Any:
        asks = {"origin": origin, "access-control-request-method": "POST",
                "access-control-request-headers": "content-type"}  # fmt: skip
        return web.options("/v1/ask", headers=asks)

    with client(german_soviet, Settings(origins=("https://good.example",), token=TOKEN)) as web:
        good, bad = preflight(web, "https://good.example"), preflight(web, "https://evil.example")
        refused = web.get("/v1/corpus", headers={"origin": "https://good.example"})
        framed = web.get("/embed").headers["content-security-policy"]
        page = web.get("/").headers["content-security-policy"]
    assert good.headers["access-control-allow-origin"] == "https://good.example"
    assert "access-control-allow-origin" not in bad.headers
    assert refused.headers["access-control-allow-origin"] == "https://good.example"
    assert "access-control-allow-credentials" not in good.headers
    assert framed.endswith("frame-ancestors 'self' https://good.example")
    assert page.endswith("frame-ancestors 'none'")


def test_every_response_has_the_security_headers_and_an_id(web: TestClient) -> None:
    for path in ("/", "/embed", "/docs", "/widget.js", "/static/page.js", "/v1/corpus", "/none"):
        headers = web.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert re.fullmatch(r"[0-9a-f]{16}", headers["x-request-id"])
    policy = web.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert web.get("/v1/corpus").headers["content-security-policy"].startswith("default-src 'none'")


def test_static_files_may_be_cached_and_loaded_by_other_sites(web: TestClient) -> None:
    for path in ("/static/page.js", "/static/page.css", "/widget.js"):
        headers = web.get(path).headers
        assert headers["cache-control"] == "no-cache"
        assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert web.get("/v1/corpus").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/embed", "/widget.js", "/healthz", "/readyz"])
def test_pages_and_health_checks_answer_head_requests(web: TestClient, path: str) -> None:
    response = web.head(path)
    assert response.status_code == 200
    assert response.content == b""


def test_static_files_stay_in_their_folder(web: TestClient) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/"):
        assert web.get(path).status_code == 404


@pytest.mark.parametrize(
    "given",
    [{"token": " "}, {"token": "ü"}, {"origins": ("example.org",)}, {"origins": ("https://a/b",)},
     {"origins": ("*",)}, {"origins": ("https://A.example",)}, {"origins": ("https://a.example\nx",)},
     {"origins": "https://a.example"}, {"hosts": "localhost"}, {"reload": -1}, {"timeout": float("nan")}, {"max_body": 0}, {"timeout": 0}, {"threshold": 2}, {"unsupported": "hide"}],
)  # fmt: skip
def test_invalid_settings_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Settings(**given)
