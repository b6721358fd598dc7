"""The MCP server, called by the SDK's own client: in memory, over standard streams, over HTTP."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import jsonschema  # type: ignore[import-untyped]
import pytest
import uvicorn
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult, ReadResourceResult, TextContent, TextResourceContents
from starlette.types import ASGIApp

from ragkit import Document, Index, IndexNotFoundError, InputError, citations_in
from ragkit.encoding import Encoder
from ragkit.quotes.checker import QuoteChecker
from ragkit.serving.mcp import http_app, mcp_server
from ragkit.serving.mcp.results import ask_text
from ragkit.serving.mcp.server import MAX_LISTED, MAX_PASSAGES
from ragkit.serving.mcp.transports import SHUTDOWN_TIMEOUT

QUESTION = "Who signed the Treaty of Rapallo?"
OFF_TOPIC = "What does a haircut in Osaka cost?"
TOKEN = "correct-horse-battery-staple"
SECONDS = 60
"""How long a server may take to start, answer or stop before a test gives up."""

Result = TypeVar("Result")


def talk(
    server: Any, steps: Callable[[Client], Awaitable[Result]], *, mode: str = "auto"
) -> Result:
    """Return what ``steps`` returns for a client of ``server`` (anything that ``Client`` accepts)."""

    async def run() -> Result:
        async with Client(server, mode=mode, read_timeout_seconds=SECONDS) as client:
            return await steps(client)

    return asyncio.run(run())


def call(server: Any, tool: str, *, mode: str = "auto", **arguments: Any) -> CallToolResult:
    return talk(server, lambda client: client.call_tool(tool, arguments), mode=mode)


def text_of(result: CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


def body_of(result: ReadResourceResult) -> str:
    [content] = result.contents
    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "text/plain"
    return content.text


def structured(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, text_of(result)
    assert isinstance(result.structured_content, dict)
    return result.structured_content


@pytest.fixture(scope="module")
def server(german_soviet: Index) -> MCPServer:
    return mcp_server(german_soviet, about="German–Soviet relations")


@pytest.fixture(params=["legacy", "auto"])
def mode(request: pytest.FixtureRequest) -> str:
    """Clients with a handshake, and those of the newest protocol, which has none."""
    value: str = request.param
    return value


def test_ask_returns_the_answer_as_markdown_and_structured(
    server: MCPServer, german_soviet: Index, mode: str
) -> None:
    result = call(server, "ask", mode=mode, question=QUESTION, k=2)
    answer = german_soviet.ask(QUESTION, k=2)
    content = structured(result)
    assert text_of(result).startswith(answer.to_markdown())
    assert [line for line in text_of(result).splitlines() if line.startswith("- [")] == [
        f"- [{passage.rank}] {passage.citation.passage_id}" for passage in answer.passages
    ]
    assert content["answered"] is True
    assert content["reason"] is None
    assert (content["question"], content["standalone"]) == (QUESTION, QUESTION)
    assert (content["text"], content["confidence"]) == (answer.text, answer.confidence)
    for shown, passage in zip(content["passages"], answer.passages, strict=True):
        citation = passage.citation
        document = german_soviet.document(citation.document_id)
        assert shown["id"] == passage.citation.passage_id
        assert shown["text"] == shown["quote"] == document.text[shown["start"] : shown["end"]]
        assert (shown["label"], shown["title"]) == (citation.label, citation.title)
        assert tuple(shown["section"]) == citation.section
        assert shown["url"] == document.url
        assert shown["link"] == citation.deep_link(document, span=passage.highlights[0])
        assert shown["highlight"] == passage.quote(passage.highlights[0])


def test_citations_hold_and_check_quotations_at_the_far_side(
    server: MCPServer, german_soviet: Index
) -> None:
    """With nothing but what arrived: the result of ``ask``, and the documents by ``fetch``."""

    async def steps(client: Client) -> tuple[dict[str, Any], list[Document]]:
        asked = (await client.call_tool("ask", {"question": QUESTION, "k": 3})).model_dump(
            mode="json", by_alias=True
        )
        ids = {passage["document_id"] for passage in asked["structuredContent"]["passages"]}
        fetched = [structured(await client.call_tool("fetch", {"id": one})) for one in ids]
        return asked, [Document(one["id"], one["title"], one["text"]) for one in fetched]

    asked, documents = talk(server, steps)
    citations = citations_in(json.loads(json.dumps(asked)))
    assert citations == [one.citation for one in german_soviet.ask(QUESTION, k=3).passages]
    [document] = documents
    for citation in citations:
        assert citation.verify(document).ok
    [first, *_] = asked["structuredContent"]["passages"]
    highlight = first["highlights"][0]
    assert document.text[highlight["start"] : highlight["end"]] == highlight["quote"]
    checker = QuoteChecker(documents)
    assert checker.check(f"“{highlight['quote']}” [1]", citations).ok
    assert not checker.check(f"“{highlight['quote']}” [2]", citations).ok
    altered = highlight["quote"].replace("Rathenau", "Ebert")
    assert not checker.check(f"“{altered}” [1]", citations).ok


def test_a_document_without_a_web_address_is_cited_over_mcp(tiny: Encoder) -> None:
    index = Index.build([Document("a", "A", "Here is a.")], encoder=tiny)
    asked = structured(call(mcp_server(index), "ask", question="Here is a.", k=1))
    assert asked["passages"][0]["url"] == "ragkit://documents/a"
    [citation] = citations_in(asked)
    assert citation.url is None
    assert citation.verify(index.document("a")).ok


def test_ask_says_where_the_corpus_does_not(server: MCPServer) -> None:
    content = structured(call(server, "ask", question=OFF_TOPIC))
    assert (content["answered"], content["text"]) == (False, "")
    assert content["reason"]
    assert len(content["passages"]) == 5


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("ask", {"question": QUESTION, "k": MAX_PASSAGES}),
        ("ask", {"question": OFF_TOPIC}),
        ("search", {"query": QUESTION}),
        ("fetch", {"id": "germany-soviet-union-relations-1918-1941"}),
    ],
)
def test_a_tools_result_matches_its_schema(
    tool: str, arguments: dict[str, Any], server: MCPServer
) -> None:
    async def steps(client: Client) -> tuple[dict[str, Any] | None, CallToolResult]:
        tools = {each.name: each for each in (await client.list_tools()).tools}
        return tools[tool].output_schema, await client.call_tool(tool, arguments)

    schema, result = talk(server, steps)
    assert schema is not None
    assert set(schema["required"]) == set(structured(result))
    jsonschema.validate(structured(result), schema)


def test_the_tools_say_that_they_only_read_and_that_passages_are_no_instructions(
    server: MCPServer, mode: str
) -> None:
    async def steps(client: Client) -> tuple[Any, str | None]:
        return (await client.list_tools()).tools, client.instructions

    tools, instructions = talk(server, steps, mode=mode)
    assert [tool.name for tool in tools] == ["ask", "search", "fetch"]
    for tool in tools:
        assert tool.annotations.read_only_hint is True
        assert tool.annotations.idempotent_hint is True
        assert tool.annotations.open_world_hint is False
        assert "never instructions" in tool.description
        assert "German–Soviet relations" in tool.description
    k = tools[0].input_schema["properties"]["k"]
    assert (k["minimum"], k["maximum"], k["default"]) == (1, MAX_PASSAGES, 5)
    assert [tool.input_schema["required"] for tool in tools] == [["question"], ["query"], ["id"]]
    assert instructions is not None
    assert "never instructions" in instructions


def test_fetch_returns_exactly_the_passages_that_search_found(
    server: MCPServer, german_soviet: Index, mode: str
) -> None:
    found = call(server, "search", mode=mode, query=QUESTION)
    assert json.loads(text_of(found)) == structured(found)
    passages = german_soviet.search(QUESTION, k=10)
    results = structured(found)["results"]
    assert [line["id"] for line in results] == [p.citation.passage_id for p in passages]
    for line, passage in zip(results, passages, strict=True):
        assert set(line) == {"id", "title", "url"}
        assert line["url"].startswith("https://")
        fetched = call(server, "fetch", mode=mode, id=line["id"])
        content = structured(fetched)
        assert json.loads(text_of(fetched)) == content
        assert set(content) == {"id", "title", "text", "url", "metadata"}
        assert (content["id"], content["title"]) == (line["id"], line["title"])
        metadata = content["metadata"]
        document = german_soviet.document(metadata["document_id"])
        start, end = int(metadata["start"]), int(metadata["end"])
        assert content["text"] == document.text[start:end] == passage.text
        assert metadata["section"] == " › ".join(passage.citation.section)
        assert content["url"] == passage.citation.deep_link(document)


def test_fetch_returns_a_whole_document_by_its_id(server: MCPServer, article: Document) -> None:
    content = structured(call(server, "fetch", id=article.id))
    assert (content["text"], content["title"]) == (article.text, article.title)
    assert content["url"] == article.url
    assert content["metadata"] == {"document_id": article.id}


@pytest.fixture(scope="module")
def odd(tiny: Encoder) -> Index:
    """Documents without addresses, by ids that a careless URI or path would break."""
    ids = ["../a b/ü", "/etc/passwd", "c#0-5", "c", "50% {id}?x=1&y", "C:\\d"]
    return Index.build([Document(id=i, title=f"On {i}", text=f"Here is {i}.") for i in ids],
                       encoder=tiny)  # fmt: skip


def test_every_document_is_a_resource_whatever_its_id(odd: Index, mode: str) -> None:
    async def steps(client: Client) -> list[tuple[Any, ReadResourceResult]]:
        listed = (await client.list_resources()).resources
        return [(each, await client.read_resource(each.uri)) for each in listed]

    read = talk(mcp_server(odd), steps, mode=mode)
    assert len(read) == len(odd.documents)
    for document, (resource, result) in zip(odd.documents, read, strict=True):
        assert resource.uri.removeprefix("ragkit://documents/").count("/") == 0
        assert (resource.name, resource.title) == (document.id, document.title)
        assert resource.size == len(document.text.encode())
        assert body_of(result) == document.text


def test_the_article_is_listed_and_read_whole(server: MCPServer, article: Document) -> None:
    async def steps(client: Client) -> tuple[Any, ReadResourceResult]:
        [resource] = (await client.list_resources()).resources
        return resource, await client.read_resource(resource.uri)

    resource, result = talk(server, steps)
    assert resource.uri == f"ragkit://documents/{article.id}"
    assert resource.mime_type == "text/plain"
    assert body_of(result) == article.text


def test_a_document_beyond_those_listed_is_reached_by_the_template(tiny: Encoder) -> None:
    many = Index.build(
        [Document(id=f"n{n}", title="N", text=f"Number {n}.") for n in range(MAX_LISTED + 1)],
        encoder=tiny,
    )

    async def steps(client: Client) -> tuple[Any, Any, ReadResourceResult]:
        listed = (await client.list_resources()).resources
        [template] = (await client.list_resource_templates()).resource_templates
        uri = template.uri_template.replace("{id}", many.documents[-1].id)
        return listed, template, await client.read_resource(uri)

    listed, template, last = talk(mcp_server(many), steps)
    assert len(listed) == MAX_LISTED
    assert "never instructions" in template.description
    assert body_of(last) == many.documents[-1].text


def test_an_unknown_resource_is_an_error_that_says_which_there_are(
    server: MCPServer, mode: str
) -> None:
    async def steps(client: Client) -> None:
        with pytest.raises(MCPError, match="the index has no document 'nowhere'"):
            await client.read_resource("ragkit://documents/nowhere")

    talk(server, steps, mode=mode)


def test_a_document_without_a_url_has_its_resource_uri_instead(odd: Index) -> None:
    server = mcp_server(odd)
    for line in structured(call(server, "search", query="Here is c."))["results"]:
        assert line["url"].startswith("ragkit://documents/")
    [passage] = structured(call(server, "ask", question="Here is c.", k=1))["passages"]
    document = odd.document(passage["id"].rpartition("#")[0])

    async def steps(client: Client) -> list[ReadResourceResult]:
        return [await client.read_resource(passage[name]) for name in ("url", "link")]

    for result in talk(server, steps):
        assert body_of(result) == document.text


def test_a_document_whose_id_looks_like_a_passages_is_fetched_whole(odd: Index) -> None:
    server = mcp_server(odd)
    assert structured(call(server, "fetch", id="c#0-5"))["text"] == "Here is c#0-5."
    assert structured(call(server, "fetch", id="c#0-4"))["text"] == "Here"
    assert structured(call(server, "fetch", id="c#0-5#0-4"))["text"] == "Here"


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("ask", {"question": " \n"}, "the question is blank"),
        ("ask", {"question": "?" * 5000}, "expected at most 4,000"),
        ("ask", {"question": QUESTION, "k": 0}, "k is 0; expected 1"),
        ("ask", {"question": QUESTION, "k": 21}, "k is 21; expected 1 to 20"),
        ("ask", {}, "question"),
        ("search", {"query": ""}, "the question is blank"),
        ("fetch", {"id": ""}, "the index has no document ''"),
        ("fetch", {"id": "nowhere"}, "the index has no document 'nowhere'"),
        ("fetch", {"id": "nowhere#0-5"}, "the index has no document 'nowhere'"),
        ("fetch", {"id": "germany-soviet-union-relations-1918-1941#9-9"}, "is no span"),
        ("fetch", {"id": "germany-soviet-union-relations-1918-1941#0-999999999"}, "is no span"),
        (
            "fetch",
            {"id": f"germany-soviet-union-relations-1918-1941#0-{'9' * 9000}"},
            "is not a passage id",
        ),
        ("fetch", {"id": "#"}, "is not a passage id"),
    ],
)
def test_the_error_for_a_bad_call_is_ragkits_own_message(
    tool: str, arguments: dict[str, Any], message: str, server: MCPServer, mode: str
) -> None:
    result = call(server, tool, mode=mode, **arguments)
    assert result.is_error
    assert message in text_of(result)
    assert "Traceback" not in text_of(result)
    assert result.structured_content is None


def test_an_unexpected_error_is_logged_but_not_sent_to_the_client(
    german_soviet: Index, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> object:
        raise RuntimeError("/secret/place")

    monkeypatch.setattr(german_soviet, "ask", broken, raising=True)
    result = call(mcp_server(german_soviet), "ask", question=QUESTION)
    assert result.is_error
    assert "secret" not in text_of(result)
    assert "/secret/place" in caplog.text


def test_sixteen_questions_at_once_are_answered_as_one_by_one(
    server: MCPServer, german_soviet: Index, mode: str
) -> None:
    questions = [QUESTION, OFF_TOPIC, "When did the USSR join the League of Nations?", "Who won?"]

    async def steps(client: Client) -> list[CallToolResult]:
        calls = [client.call_tool("ask", {"question": q, "k": 3}) for q in questions * 4]
        return await asyncio.gather(*calls)

    together = talk(server, steps, mode=mode)
    alone = [ask_text(german_soviet.ask(question, k=3)) for question in questions]
    assert [text_of(result) for result in together] == alone * 4


def test_calls_overlap(german_soviet: Index, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    ask, all_here = german_soviet.ask, threading.Barrier(4)

    def meeting(question: str, *, k: int) -> object:
        all_here.wait(SECONDS)
        return ask(question, k=k)

    monkeypatch.setattr(german_soviet, "ask", meeting)

    async def steps(client: Client) -> list[CallToolResult]:
        calls = [client.call_tool("ask", {"question": QUESTION}) for _ in range(4)]
        return await asyncio.gather(*calls)

    for result in talk(mcp_server(german_soviet), steps, mode=mode):
        assert structured(result)["answered"] is True


def test_an_index_that_cannot_be_opened_fails_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFoundError):
        mcp_server(tmp_path)
    with pytest.raises(IndexNotFoundError):
        http_app(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "ragkit", "mcp", "--index", "nowhere"],
        capture_output=True, text=True, cwd=tmp_path, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stdout == ""
    assert "there is no index at nowhere" in done.stderr


def test_creating_a_server_does_not_change_the_root_logger(german_soviet: Index) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    mcp_server(german_soviet)
    assert (root.handlers, root.level) == before


def test_the_error_for_a_missing_sdk_has_the_install_line(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['mcp'] = None\n"
        "from ragkit import MissingExtraError\n"
        "try:\n    import ragkit.serving.mcp\n"
        "except MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "pip install 'ragkit-cited[mcp]'" in done.stdout


# Standard input and output.

SERVE = "from ragkit.serving.mcp import serve_stdio; serve_stdio(None)"


def stdio() -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable, args=["-m", "ragkit", "mcp"], env=dict(os.environ)
    )


def test_a_client_starts_the_server_and_talks_over_standard_streams(
    german_soviet: Index, article: Document
) -> None:
    async def steps(client: Client) -> tuple[CallToolResult, CallToolResult, ReadResourceResult]:
        asked = await client.call_tool("ask", {"question": QUESTION, "k": 2})
        refused = await client.call_tool("ask", {"question": " "})
        return asked, refused, await client.read_resource(f"ragkit://documents/{article.id}")

    asked, refused, read = talk(stdio(), steps)
    assert text_of(asked) == ask_text(german_soviet.ask(QUESTION, k=2))
    assert refused.is_error
    assert body_of(read) == article.text


NOISY = """
import os
from ragkit import Index
ask = Index.ask
def noisy(*args, **kwargs):
    print("noise")
    os.write(1, b"louder noise\\n")
    return ask(*args, **kwargs)
Index.ask = noisy
"""


@contextmanager
def started(code: str, **streams: Any) -> Iterator[subprocess.Popen[str]]:
    """Run code in a process, which is killed after ``SECONDS``."""
    process = subprocess.Popen([sys.executable, "-c", code], text=True, **streams)
    watchdog = threading.Timer(SECONDS, process.kill)
    watchdog.start()
    try:
        with process:
            yield process
    finally:
        watchdog.cancel()


def exchange(process: subprocess.Popen[str], messages: Sequence[dict[str, Any]]) -> list[Any]:
    """Send each message; for each with an id, read one line."""
    assert process.stdin is not None
    assert process.stdout is not None
    lines = []
    for message in messages:
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        process.stdin.flush()
        if "id" in message:
            lines.append(json.loads(process.stdout.readline()))
    return lines


HELLO = {
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "0"},
    },
}


def test_nothing_but_the_protocol_is_written_to_standard_output() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(NOISY + SERVE, **pipes) as process:
        [hello, asked] = exchange(
            process,
            [
                HELLO,
                {"method": "notifications/initialized"},
                {
                    "id": 2,
                    "method": "tools/call",
                    "params": {"name": "ask", "arguments": {"question": QUESTION}},
                },
            ],
        )
        rest, errors = process.communicate()
    assert hello["result"]["serverInfo"]["name"] == "ragkit"
    assert (asked["id"], asked["result"]["isError"]) == (2, False)
    assert rest == ""
    assert "louder noise" in errors
    assert process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals to send")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_while_it_waits_for_input(number: signal.Signals) -> None:
    with started(SERVE, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        exchange(process, [HELLO])
        process.send_signal(number)
        assert process.wait() == -number


# HTTP, over a real socket.


@contextmanager
def listening(app: ASGIApp) -> Iterator[int]:
    """Serve ``app`` on loopback; yield the port."""
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=SHUTDOWN_TIMEOUT)
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            last = time.monotonic() + SECONDS
            while not server.started and thread.is_alive() and time.monotonic() < last:
                time.sleep(0.01)
            assert server.started
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(SECONDS)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def open_port(german_soviet: Index) -> Iterator[int]:
    with listening(http_app(german_soviet, allowed_origins=["https://chat.example.org"])) as port:
        yield port


@pytest.fixture(scope="module")
def guarded_port(german_soviet: Index) -> Iterator[int]:
    app = http_app(german_soviet, token=f"{TOKEN}\n", allowed_hosts=["docs.example.org"])
    with listening(app) as port:
        yield port


def post(port: int, **headers: str) -> http.client.HTTPResponse:
    """Send a client's first message with additional headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    needed = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    body = json.dumps({"jsonrpc": "2.0", **HELLO})
    try:
        connection.request("POST", "/mcp", body, {**needed, **headers})
        response = connection.getresponse()
        response.read()
    finally:
        connection.close()
    return response


def test_a_client_talks_over_http(
    open_port: int, german_soviet: Index, article: Document, mode: str
) -> None:
    async def steps(client: Client) -> tuple[CallToolResult, ReadResourceResult]:
        asked = await client.call_tool("ask", {"question": QUESTION, "k": 2})
        return asked, await client.read_resource(f"ragkit://documents/{article.id}")

    asked, read = talk(f"http://127.0.0.1:{open_port}/mcp", steps, mode=mode)
    answer = german_soviet.ask(QUESTION, k=2)
    assert text_of(asked) == ask_text(answer)
    assert structured(asked)["text"] == answer.text
    assert body_of(read) == article.text


def test_many_clients_ask_over_http_at_once(open_port: int, german_soviet: Index) -> None:
    async def one(question: str) -> CallToolResult:
        async with Client(f"http://127.0.0.1:{open_port}/mcp") as client:
            return await client.call_tool("ask", {"question": question, "k": 2})

    async def all_of_them() -> list[CallToolResult]:
        return await asyncio.gather(*(one(q) for q in [QUESTION, OFF_TOPIC] * 4))

    alone = [ask_text(german_soviet.ask(q, k=2)) for q in (QUESTION, OFF_TOPIC)]
    assert [text_of(result) for result in asyncio.run(all_of_them())] == alone * 4


def test_a_client_with_the_token_is_answered(guarded_port: int, mode: str) -> None:
    async def run() -> CallToolResult:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx2.AsyncClient(headers=headers, timeout=SECONDS) as carrier:
            transport = streamable_http_client(
                f"http://127.0.0.1:{guarded_port}/mcp", http_client=carrier
            )
            async with Client(transport, mode=mode) as client:
                return await client.call_tool("ask", {"question": QUESTION})

    assert structured(asyncio.run(run()))["answered"] is True


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer \xfc"},
    ],
)
def test_a_request_without_the_token_is_refused(headers: dict[str, str], guarded_port: int) -> None:
    response = post(guarded_port, **headers)
    assert response.status == 401
    assert response.headers["www-authenticate"] == "Bearer"


def test_the_name_of_the_scheme_may_be_written_in_any_case(guarded_port: int) -> None:
    assert post(guarded_port, Authorization=f"bearer {TOKEN}").status == 200


def test_a_host_that_is_not_the_servers_own_is_refused(open_port: int, guarded_port: int) -> None:
    assert post(open_port).status == 200
    assert post(open_port, Host=f"localhost:{open_port}").status == 200
    for host in ("evil.example", f"evil.example:{open_port}", "docs.example.org"):
        assert post(open_port, Host=host).status == 421
    allowed = {"Authorization": f"Bearer {TOKEN}"}
    for host in ("docs.example.org", "docs.example.org:8001"):
        assert post(guarded_port, Host=host, **allowed).status == 200
    assert post(guarded_port, Host="evil.example", **allowed).status == 421


def test_an_origin_that_was_not_allowed_is_refused(open_port: int) -> None:
    assert post(open_port, Origin="https://chat.example.org").status == 200
    assert post(open_port, Origin=f"http://localhost:{open_port}").status == 200
    for origin in ("https://evil.example", "https://chat.example.org.evil.example", "null"):
        assert post(open_port, Origin=origin).status == 403


@pytest.mark.parametrize("token", ["", "  ", "schlüssel"])
def test_a_blank_or_non_ascii_token_is_refused(token: str, german_soviet: Index) -> None:
    with pytest.raises(InputError, match="the token is blank or not ASCII"):
        http_app(german_soviet, token=token)


@pytest.mark.parametrize("port", [None, 70_000])
def test_a_port_that_cannot_be_used_is_an_error(port: int | None, german_soviet: Index) -> None:
    from ragkit.serving.mcp import serve_http

    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(InputError, match="cannot listen on 127"),
    ):
        serve_http(german_soviet, port=port or taken.getsockname()[1])


SERVE_HTTP = """
import logging
logging.basicConfig(level=logging.INFO)
from ragkit.serving.mcp import serve_http
serve_http(host="127.0.0.1", port=0)
print("stopped")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_the_http_server_stops_when_interrupted() -> None:
    with started(SERVE_HTTP, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        url = next(line.split()[-1] for line in process.stderr if "MCP at http" in line)
        asked = call(url, "ask", question=QUESTION)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate()
    assert structured(asked)["answered"] is True
    assert (rest, process.returncode) == ("stopped\n", 0)


def test_a_tool_says_that_the_sources_changed(tmp_path: Path) -> None:
    source = tmp_path / "bread.txt"
    source.write_text("Bread is made of flour.")
    Index.build(source, tmp_path / "i")
    fresh = call(mcp_server(tmp_path / "i"), "ask", question="What is bread made of?")
    assert structured(fresh)["stale"] is False
    source.write_text("Bread is made of rye.")
    stale = call(mcp_server(tmp_path / "i"), "ask", question="What is bread made of?")
    assert structured(stale)["stale"] is True
    assert "changed after they were indexed" in text_of(stale)
