"""Somebody tries to read over MCP what they may not read."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from ragkit import Index, InputError
from ragkit.serving.access import Access
from ragkit.serving.mcp import http_app, mcp_server
from support.listening import listening
from support.restricted_corpus import (
    BOARD,
    CORPUS,
    NOBODY,
    PRESS,
    bearer,
    rules_file,
    secrets_in,
)

QUESTION = "What does Anna earn?"
CALLS: dict[str, list[dict[str, Any]]] = {
    "ask": [{"question": QUESTION}, {"question": "Where will the library move?", "k": 20}],
    "search": [{"query": QUESTION}],
    "fetch": [{"id": "pay"}, {"id": "pay#0-40"}, {"id": "plan"}],
}
RESOURCES = ["ragkit://documents/pay", "ragkit://documents/plan"]


@pytest.fixture(scope="module")
def index() -> Index:
    return Index.build(list(CORPUS))


@pytest.fixture(scope="module")
def url(index: Index, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    access = Access.load(rules_file(tmp_path_factory.mktemp("rules")))
    with listening(http_app(index, access=access)) as origin:
        yield f"{origin}/mcp"


async def read_everything(client: Client) -> dict[str, str]:
    """Call every tool and read every resource; return what each gave."""
    texts = {"list": (await client.list_resources()).model_dump_json()}
    for tool, several in CALLS.items():
        for arguments in several:
            result = await client.call_tool(tool, arguments)
            texts[f"{tool} {arguments}"] = result.model_dump_json()
    for uri in RESOURCES:
        try:
            texts[uri] = (await client.read_resource(uri)).model_dump_json()
        except MCPError as error:
            texts[uri] = str(error)
    return texts


def as_caller(url: str, token: str, steps: Any, mode: str = "auto") -> Any:
    async def run() -> Any:
        async with httpx2.AsyncClient(headers=bearer(token), timeout=60) as carrier:
            transport = streamable_http_client(url, http_client=carrier)
            async with Client(transport, mode=mode) as client:
                return await steps(client)

    return asyncio.run(run())


def test_every_tool_and_resource_is_tried(index: Index) -> None:
    """A new tool fails here until this file tries to read with it."""

    async def names() -> tuple[set[str], list[str]]:
        async with Client(mcp_server(index)) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            templates = (await client.list_resource_templates()).resource_templates
            assert not (await client.list_prompts()).prompts
            return tools, [template.uri_template for template in templates]

    tools, templates = asyncio.run(names())
    assert tools == set(CALLS)
    assert templates == ["ragkit://documents/{id}"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_only_who_may_read_everything_reads_the_secrets(url: str, mode: str) -> None:
    for uri, text in as_caller(url, BOARD, read_everything, mode).items():
        assert secrets_in(text), uri
    for token in (PRESS, NOBODY):
        for uri, text in as_caller(url, token, read_everything, mode).items():
            assert not secrets_in(text), uri
    listed = as_caller(url, PRESS, read_everything, mode)["list"]
    assert [resource["name"] for resource in json.loads(listed)["resources"]] == ["fees", "hours"]


def test_callers_at_once_do_not_get_each_others_documents(url: str) -> None:
    async def one(token: str) -> str:
        async with httpx2.AsyncClient(headers=bearer(token), timeout=60) as carrier:
            transport = streamable_http_client(url, http_client=carrier)
            async with Client(transport) as client:
                result = await client.call_tool("ask", {"question": QUESTION})
                return result.model_dump_json()

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(one(token) for token in [PRESS, BOARD] * 4))

    texts = asyncio.run(all_of_them())
    assert [bool(secrets_in(text)) for text in texts] == [False, True] * 4


def test_a_request_without_a_rule_is_refused(url: str) -> None:
    for headers in ({}, bearer("guess"), {"x-forwarded-user": "ann"}):
        response = httpx2.post(url, json={}, headers=headers)
        assert response.status_code == 401


def test_questions_and_requests_are_limited(index: Index, tmp_path: Path) -> None:
    limits = "[limits]\nquestions_per_day = 1\nrequests_per_minute = 1000\n"
    access = Access.load(rules_file(tmp_path, limits))

    async def twice(client: Client) -> list[bool | None]:
        calls = [("search", {"query": "card"}), ("ask", {"question": "card"}), ("fetch", {"id": "fees"})]  # fmt: skip
        return [(await client.call_tool(tool, arguments)).is_error for tool, arguments in calls]

    with listening(http_app(index, access=access)) as origin:
        assert as_caller(f"{origin}/mcp", PRESS, twice) == [False, True, False]
    access = Access.load(rules_file(tmp_path, "[limits]\nrequests_per_minute = 1\n"))
    with listening(http_app(index, access=access)) as origin:
        responses = [httpx2.post(f"{origin}/mcp", json={}, headers=bearer(PRESS)) for _ in range(3)]
    refused = [response for response in responses if response.status_code == 429]
    assert refused
    assert 1 <= int(refused[0].headers["retry-after"]) <= 60


def test_there_are_rules_or_a_token(index: Index, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one of them"):
        http_app(index, token="x", access=Access.load(rules_file(tmp_path)))


def test_standard_input_has_one_caller_who_is_restricted_by_conditions(
    index: Index, tmp_path: Path
) -> None:
    index.save(tmp_path / "index")
    command = ["-m", "ragkit", "mcp", "--index", str(tmp_path / "index")]
    refused = subprocess.run(
        [sys.executable, *command, "--access", str(rules_file(tmp_path))],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "--where" in refused.stderr

    async def texts(*options: str) -> dict[str, str]:
        server = StdioServerParameters(
            command=sys.executable, args=[*command, *options], env=dict(os.environ)
        )
        async with Client(server, read_timeout_seconds=60) as client:
            return await read_everything(client)

    restricted = asyncio.run(texts("--where", "audience=all"))
    assert not secrets_in("".join(restricted.values()))
    assert "fees" in restricted["list"]
    assert secrets_in("".join(asyncio.run(texts()).values()))
