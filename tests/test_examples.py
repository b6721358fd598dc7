"""The examples run as they stand."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from nbclient import NotebookClient

from support.chat_endpoint import endpoint
from support.parts import ROOT

EXAMPLES = ROOT / "examples"
QUOTED = "The first German officers went to Soviet Russia for these purposes in March 1922."


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / command[0]), *command[1:]], capture_output=True, text=True, check=True,
        cwd=ROOT, env={**os.environ, **environment}, timeout=120,
    )  # fmt: skip


def test_every_example_is_in_the_list() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for path in EXAMPLES.rglob("*"):
        if path.is_file() and path.suffix != ".md" and "__pycache__" not in path.parts:
            assert f"`{path.relative_to(EXAMPLES).as_posix()}`" in readme


def test_the_terminal_bot_talks() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "terminal_bot.py")], capture_output=True, text=True, check=True,
        input="When did the first German officers go to Soviet Russia?\n\nHow do I bake sourdough bread?\n",
        timeout=120,
    )  # fmt: skip
    assert QUOTED in done.stdout
    assert "the question is blank" in done.stdout
    assert "The article does not say." in done.stdout


def test_the_langchain_bot_answers_and_its_quotations_are_checked() -> None:
    question = "When did the first German officers go to Soviet Russia?"
    with endpoint([f"“{QUOTED}”"]) as to:
        done = run("langchain_bot.py", "m", question, OPENAI_BASE_URL=to.url, OPENAI_API_KEY="none")
    assert QUOTED in json.dumps(to.requests[0]["messages"], ensure_ascii=False)
    assert "ok: 1 verbatim" in done.stdout


def test_the_mcp_configuration_starts_a_server() -> None:
    config = json.loads((EXAMPLES / "mcp.json").read_text(encoding="utf-8"))
    [(name, server)] = config["mcpServers"].items()
    command = Path(sys.executable).parent / server["command"]
    parameters = StdioServerParameters(
        command=str(command), args=server["args"], env=dict(os.environ)
    )

    async def talk() -> tuple[str, set[str]]:
        async with stdio_client(parameters) as streams, ClientSession(*streams) as session:
            begun = await session.initialize()
            tools = await session.list_tools()
            return begun.server_info.name, {tool.name for tool in tools.tools}

    assert asyncio.run(talk()) == (name, {"ask", "search", "fetch"})


NOTEBOOK = EXAMPLES / "tutorial.ipynb"


def outputs(notebook: Any) -> list[tuple[str, list[str]]]:
    """The code of each cell and what it shows, without figures: they may differ between machines."""

    def shown(output: Any) -> str:
        data = output.get("data", {})
        text = output.get("text") or data.get("text/html") or data["text/plain"]
        return re.sub(r"confidence \S+ \(.*?\)|\d\.\d+|\b[0-9a-f]{16}\b", "#", text)

    return [
        (cell["source"], [shown(output) for output in cell["outputs"]])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def test_the_notebook_shows_what_it_shows_here_when_it_is_run(tmp_path: Path) -> None:
    stored, run_here = (nbformat.read(NOTEBOOK, as_version=4) for _ in range(2))
    nbformat.validate(stored)
    for cell in run_here.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs = []
    client = NotebookClient(run_here, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()  # CellExecutionError if a cell fails
    assert all(shown for _, shown in outputs(stored)[:2])
    assert outputs(run_here) == outputs(stored)


def test_the_notebook_has_no_trace_of_the_machine_that_ran_it() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    content = json.loads(text)
    assert tempfile.gettempdir() not in text
    assert str(Path.home()) not in text
    for cell in content["cells"]:
        assert "execution" not in cell["metadata"]  # when it was run
