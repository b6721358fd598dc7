"""The settings: each option that ``ragkit.toml`` and the environment set too, in one table.

The options of commands, the keys of ``ragkit.toml``, the names of environment variables, the errors
of wrong values and the reference documentation are all derived from ``SETTINGS``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["SETTINGS", "Kind", "Setting"]

Kind = Literal["text", "whole number", "number", "switch", "path", "index", "list"]
"""What a value is. ``index`` is a folder or a server's address; ``list`` has texts."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        key: its name in the file: the option without its dashes, after the table of the command
            if it belongs to one, such as ``serve.port``.
        kind: what its value is.
        help: what it does, as ``--help`` says it.
        default: value without file, variable and option; None for none.
        choices: all values that a text may have; empty for any text.
        low: smallest number.
        high: largest number.
        secret: whether no value may be shown.
        in_file: whether the file may set it.
        metavar: what ``--help`` shows in place of the value; None for its type.

    """

    key: str
    kind: Kind
    help: str
    default: Any = None
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    secret: bool = False
    in_file: bool = True
    metavar: str | None = None

    @property
    def name(self) -> str:
        """The key without the table."""
        return self.key.rpartition(".")[2]

    @property
    def variable(self) -> str:
        """The environment variable, such as ``RAGKIT_SERVE_PORT`` for ``serve.port``."""
        return "RAGKIT_" + self.key.upper().replace(".", "_").replace("-", "_")

    @property
    def expected(self) -> str:
        """What a value has to be, for errors and for the reference."""
        if self.choices:
            return " or ".join(self.choices)
        if self.kind == "list":
            return "a list of texts"
        if self.kind == "index":
            return "a folder, or an address such as milvus://host:19530/name"
        if self.kind == "switch":
            return "true or false"
        return f"a {self.kind}{self._range}"

    @property
    def _range(self) -> str:
        if self.low is None:
            return ""
        return f", {self.low} or more" if self.high is None else f" from {self.low} to {self.high}"


def _listening(table: str, port: int) -> tuple[Setting, ...]:
    """Return the settings of a server that listens."""
    return (
        Setting(f"{table}.host", "text", "Address to listen on.", "127.0.0.1"),
        Setting(
            f"{table}.port", "whole number", "Port to listen on; 0 picks a free one.", port,
            low=0, high=65535,
        ),
        Setting(
            f"{table}.allow-host", "list",
            "Host name under which clients may reach the server; * allows any. Repeatable.", (),
        ),
        Setting(
            f"{table}.allow-origin", "list",
            "Web site, such as https://example.org, that may embed the server's page and call it "
            "from browsers. Repeatable.", (),
        ),
        Setting(
            f"{table}.access", "path",
            "File of rules, such as access.toml, that say who may read which documents; instead of "
            "a token.",
        ),
    )  # fmt: skip


_SHARED = (
    Setting(
        "index", "index",
        "Folder of the index, or its milvus:// address (default: the bundled example article).",
    ),
    Setting("k", "whole number", "Number of passages to return.", 5, low=1),
    Setting(
        "threshold", "number", "Abstain if the confidence is below this value (0–1).",
        low=0, high=1,
    ),
    Setting(
        "reader", "switch",
        "Read the best passages for the words that answer (default), or answer by similarity "
        "alone.", True,
    ),
    Setting(
        "where", "list",
        "Search only documents with this metadata; also NAME>=VALUE and NAME<=VALUE. Repeat to "
        "match any of several values of one NAME; conditions on different names must all hold.",
        (), metavar="NAME=VALUE",
    ),
    Setting(
        "require-fresh", "switch",
        "Refuse an index whose sources changed, instead of answering from it with a warning "
        "(default).", False,
    ),
    Setting(
        "llm", "text",
        "Name of a language model that writes the answer; each of its sentences is checked against "
        "the passages.",
    ),
    Setting(
        "llm-url", "text",
        "With --llm: base URL of an OpenAI-compatible endpoint. Its key is taken from "
        "OPENAI_API_KEY.",
    ),
    Setting(
        "unsupported", "text",
        "With --llm: drop or mark its sentences that the passages do not support.", "drop",
        choices=("drop", "mark"),
    ),
)  # fmt: skip

_ENVIRONMENT = (
    Setting(
        "config", "path",
        "Configuration file (default: the nearest ragkit.toml of this folder and those above it, "
        "up to the one with .git).", in_file=False,
    ),
    Setting(
        "token", "text",
        "Access token that clients must send. Prefer the environment variable RAGKIT_TOKEN: other "
        "users of the machine can see a command's options.", secret=True, in_file=False,
    ),
    Setting(
        "endpoint-token", "text", "Token that `ragkit eval --endpoint` sends.",
        secret=True, in_file=False,
    ),
    Setting(
        "cache", "path", "Folder for exported models (default: the user's cache).", in_file=False
    ),
)  # fmt: skip

_BUILD = (
    Setting(
        "build.language", "text",
        "Language of all documents that state none, such as de (default: their words tell).",
        metavar="CODE",
    ),
)  # fmt: skip

_CHAT = (
    Setting(
        "chat.k", "whole number",
        "Number of passages to show, or that --llm writes from (default: 1; 5 with --llm).", low=1,
    ),
    Setting(
        "chat.history", "switch",
        "Remember the lines entered in a terminal for later chats (default), or do not.", True,
    ),
)  # fmt: skip

_SERVE = (
    *_listening("serve", 8000),
    Setting(
        "serve.workers", "whole number",
        "Number of processes that answer; they listen on one port and share the index's files in "
        "memory. About as many as there are processors.", 1, low=1,
    ),
    Setting(
        "serve.timeout", "number",
        "Seconds allowed for receiving a request, for answering it, and for sending the response "
        "(default: 90).", low=0,
    ),
    Setting(
        "serve.log-questions", "switch", "Log the questions that people ask, or do not (default).",
        False,
    ),
    Setting(
        "serve.log-format", "text",
        "Format of messages on standard error. Each request is a line of JSON in either.", "text",
        choices=("text", "json"),
    ),
    Setting(
        "serve.otel", "switch",
        "Export traces and metrics over OTLP, to the collector that the OTEL_* environment "
        "variables name, or else to port 4318 of this machine. By default only if they name one.",
    ),
    Setting(
        "serve.feedback", "path",
        "File to append readers' feedback to, as JSON Lines. Without it, the page offers no "
        "feedback.",
    ),
)  # fmt: skip

_MCP = (
    Setting(
        "mcp.http", "switch",
        "Serve streamable HTTP at /mcp, or standard input and output (default).", False,
    ),
    *_listening("mcp", 8001),
    Setting("mcp.name", "text", "Name of the server, shown to clients.", "ragkit"),
    Setting(
        "mcp.about", "text",
        "What the corpus is about; tells the client's model when to ask.", "the corpus",
    ),
)  # fmt: skip

_EVAL = (
    Setting(
        "eval.set", "path",
        "Question set: a folder with questions.jsonl, baseline.json and floors.json, or a .jsonl "
        "or .csv file.", "eval",
    ),
    Setting(
        "eval.split", "text", "Use only the questions of this split.", choices=("dev", "test")
    ),
    Setting(
        "eval.endpoint", "text",
        "Evaluate the chatbot at this address in place of the index, in whose documents its "
        "citations are looked up: the base URL of an OpenAI-compatible API or, with --text-path, "
        "the address to call. A token is taken from RAGKIT_ENDPOINT_TOKEN.", metavar="URL",
    ),
    Setting("eval.endpoint-model", "text", "With --endpoint: name of the model.", "default"),
    Setting(
        "eval.body", "text",
        "With --endpoint: the request as JSON, with {question} in one of its strings "
        '(default with --text-path: {"question": "{question}"}).', metavar="JSON",
    ),
    Setting(
        "eval.text-path", "text",
        "With --endpoint: where the text of the answer is in a reply of another shape, such as "
        "result.answer or choices.0.text.", metavar="PATH",
    ),
    Setting(
        "eval.citations-path", "text",
        "With --endpoint: where the quotations that the answer cites are, best first, such as "
        "sources.*.content (default: the quotations in the text).", metavar="PATH",
    ),
    Setting(
        "eval.answered-path", "text",
        "With --endpoint: where a reply says, true or false, whether it answers.", metavar="PATH",
    ),
    Setting(
        "eval.confidence-path", "text", "With --endpoint: where a reply has its confidence, 0–1.",
        metavar="PATH",
    ),
    Setting(
        "eval.abstains-with", "text",
        "With --endpoint or --callable: a reply with this text in it is an abstention.",
        metavar="TEXT",
    ),
    Setting(
        "eval.paraphrases", "switch",
        "With --endpoint or --callable: it cites in its own words, so that a citation which is not "
        "verbatim in the corpus does not fail the gate by itself; a floor of `citation validity` "
        "still can.", False,
    ),
)  # fmt: skip

_WATCH = (
    Setting(
        "watch.quiet", "number",
        "Seconds without a change before the index is updated, so that files are whole.", 1.0,
        low=0.1, high=600,
    ),
    Setting(
        "watch.drop-missing", "switch",
        "Drop the documents of recorded files that are gone, or wait for these files (default). "
        "Files of watched folders are dropped when they are gone.", False,
    ),
)  # fmt: skip

SETTINGS: Mapping[str, Setting] = {
    setting.key: setting
    for setting in (*_SHARED, *_BUILD, *_CHAT, *_SERVE, *_MCP, *_EVAL, *_WATCH, *_ENVIRONMENT)
}
"""Key → setting, in the order of the reference."""
