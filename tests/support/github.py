"""GitHub in a test: its API for comments on loopback, and a runner for a composite action's steps."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from support.listening import handled

__all__ = ["Comments", "Job", "comments_api", "run_action"]

REPOSITORY = "somebody/handbook"


@dataclass
class Comments:
    """The comments on a pull request, and the requests that came."""

    url: str = ""
    bodies: list[str] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    refuses: int | None = None


def _handler(comments: Comments) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            size, page = int(query["per_page"][0]), int(query["page"][0])
            all_of_them = [{"id": i, "body": body} for i, body in enumerate(comments.bodies)]
            self._reply(200, all_of_them[(page - 1) * size : page * size])

        def do_POST(self) -> None:
            comments.bodies.append(self._body())
            self._reply(201, {"html_url": f"https://example.org/{len(comments.bodies) - 1}"})

        def do_PATCH(self) -> None:
            number = int(self.path.rpartition("/")[2])
            comments.bodies[number] = self._body()
            self._reply(200, {"html_url": f"https://example.org/{number}"})

        def _body(self) -> str:
            content = json.loads(self.rfile.read(int(self.headers["content-length"])))
            return str(content["body"])

        def _reply(self, status: int, content: Any) -> None:
            comments.requests.append((self.command, urlsplit(self.path).path))
            comments.tokens.add(self.headers["authorization"])
            self.send_response(comments.refuses or status)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

    return Handler


@contextmanager
def comments_api() -> Iterator[Comments]:
    """Serve until the block ends."""
    comments = Comments()
    with handled(_handler(comments)) as origin:
        comments.url = origin
        yield comments


@dataclass
class Job:
    """What running an action left.

    Attributes:
        status: exit status of the last step that ran.
        log: what all steps printed.
        summary: the job's summary, Markdown.
        outputs: the action's outputs.
        used: the actions that it uses, with their inputs.

    """

    status: int = 0
    log: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    used: dict[str, dict[str, str]] = field(default_factory=dict)


def run_action(
    action: Path, folder: Path, *, inputs: Mapping[str, str], environment: Mapping[str, str],
    event: Mapping[str, Any],
) -> Job:  # fmt: skip
    """Run the shell steps of a composite action as GitHub's runner does, in ``folder``.

    Other actions are only recorded. A failing step ends the run, since no step says ``always()``.
    """
    content = yaml.safe_load(action.read_text(encoding="utf-8"))
    temp = folder / "runner-temp"
    temp.mkdir(exist_ok=True)
    files = {name: temp / name.lower() for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    files["GITHUB_EVENT_PATH"] = temp / "event.json"
    files["GITHUB_EVENT_PATH"].write_text(json.dumps(event), encoding="utf-8")
    context: dict[str, Any] = {
        "github": {"token": "job-token", "event": event, "run_id": "42", "run_attempt": "1"},
        "runner": {"temp": str(temp)},
        "inputs": {},
        "steps": {},
    }
    context["inputs"] = {
        name: inputs.get(name, _filled(str(one["default"]), context))
        for name, one in content["inputs"].items()
    }
    common = {
        **os.environ,
        **environment,
        **{name: str(path) for name, path in files.items()},
        "RUNNER_TEMP": str(temp),
        "GITHUB_ACTION_PATH": str(action.parent),
        "GITHUB_REPOSITORY": REPOSITORY,
    }
    job = Job()
    for step in content["runs"]["steps"]:
        if not _holds(step.get("if", "true"), context):
            continue
        if "uses" in step:
            job.used[step["uses"]] = {k: _filled(v, context) for k, v in step["with"].items()}
            continue
        files["GITHUB_OUTPUT"].write_text("")
        assert "${{" not in step["run"], "values reach a script through env alone"
        own = {name: _filled(value, context) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=folder, env={**common, **own}, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        job.status, job.log = done.returncode, job.log + done.stdout + done.stderr
        lines = files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
        outputs = dict(line.split("=", 1) for line in lines)
        context["steps"][step.get("id", "")] = {"outputs": outputs}
        if job.status:
            break
    if files["GITHUB_STEP_SUMMARY"].exists():
        job.summary = files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
    job.outputs = {n: _filled(one["value"], context) for n, one in content["outputs"].items()}
    return job


def _filled(text: str, context: Mapping[str, Any]) -> str:
    return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda m: str(_value(m[1], context)), text)


def _value(name: str, context: Mapping[str, Any]) -> Any:
    value: Any = context
    for part in name.split("."):
        value = value.get(part, "") if isinstance(value, Mapping) else ""
    return value


def _holds(condition: str, context: Mapping[str, Any]) -> bool:
    """Evaluate an ``if`` of names, strings in single quotes, ``==``, ``!=`` and ``&&``."""

    def term(text: str) -> bool:
        left, operator, right = re.fullmatch(r"([\w.-]+)(?: (==|!=) '(.*)')?", text).groups()  # type: ignore[union-attr]
        if left == "true":
            return True
        value = _value(left, context)
        return bool(value) if operator is None else (value == right) == (operator == "==")

    return all(term(part.strip()) for part in condition.split("&&"))
