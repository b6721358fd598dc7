"""The page at /docs: Swagger UI, served from here alone."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from ragkit import Index
from ragkit.serving import Settings
from support.http_api import TOKEN, client

pytest_plugins = ["support.http_fixtures"]


@pytest.mark.parametrize("path", ["/docs", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"])
def test_the_page_and_its_files_are_served_from_here(web: TestClient, path: str) -> None:
    response = web.get(path)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-cache"
    assert web.head(path).status_code == 200


def test_the_page_names_no_other_host(web: TestClient) -> None:
    page = web.get("/docs").text
    assert re.findall(r'(?:src|href)="([^"]+)"', page.replace("http://www.w3.org/2000/svg", ""))
    assert not re.findall(r'(?:src|href)="(?:\w+:)?//', page)


def test_the_policy_of_the_page_allows_no_script_or_style_but_files_of_this_server(
    web: TestClient,
) -> None:
    rules = web.get("/docs").headers["content-security-policy"].split("; ")
    policy = dict(rule.split(" ", 1) for rule in rules)
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in " ".join(rules)


def test_the_page_is_public_and_the_description_of_the_api_is_not(german_soviet: Index) -> None:
    with client(german_soviet, Settings(token=TOKEN)) as web:
        assert web.get("/docs").status_code == 200
        assert web.get("/docs/swagger-ui.css").status_code == 200
        assert web.get("/openapi.json").status_code == 401
        assert web.get("/docsopenapi.json").status_code == 401
