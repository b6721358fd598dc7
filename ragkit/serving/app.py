"""The HTTP server: JSON, server-sent events, OpenAI's chat completions, the page and the widget.

Every route reads its request, calls the library in a worker thread and writes JSON. What all
requests share (limits, the token, logs, headers) stands in ``gates``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from ragkit.integrations.common import missing_extra

try:
    from fastapi import FastAPI
    from fastapi.responses import FileResponse
    from fastapi.staticfiles import StaticFiles
    from starlette.middleware.cors import CORSMiddleware
except ImportError as error:
    raise missing_extra("serve", "fastapi") from error

import ragkit
from ragkit.default import IndexLike
from ragkit.grounding import LanguageModel
from ragkit.serving import asking, chat, conversing, health, reading
from ragkit.serving.access import BodyLimit, Token
from ragkit.serving.gates import Hosts, Observed
from ragkit.serving.problems import handle_problems
from ragkit.serving.settings import Settings
from ragkit.serving.state import State

__all__ = ["create_app"]

PAGE = Path(__file__).parent / "page"
OPEN = ("/", "/embed", "/widget.js", "/healthz", "/readyz")
READ = ["GET", "HEAD"]
DESCRIPTION = """Cited passages for questions about a corpus. Spans are half-open and count Unicode
code points of a document's text; scores and confidences are higher where better."""


def create_app(
    index: IndexLike = None,
    settings: Settings | None = None,
    *,
    llm: LanguageModel | None = None,
) -> FastAPI:
    """The ASGI app that serves ``index`` (as for ``ragkit.ask``). With ``llm``, answers are
    written by it and checked.

    Raises what ``Index.open`` raises: a server that cannot answer does not start. An index given as
    a path is exchanged for each new generation that is published there, while the app's lifespan
    runs; who mounts it inside another app has to run that.
    """
    state = State.make(index, settings or Settings(), llm)
    app = FastAPI(
        title="ragkit",
        version=ragkit.__version__,
        description=DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,  # both would load scripts from elsewhere
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.state.ragkit = state
    handle_problems(app)
    for room in (asking, reading, conversing, chat, health):
        app.include_router(room.router)
    _add_page(app)
    _add_gates(app, state)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: State = app.state.ragkit
    every = state.settings.reload
    watching = asyncio.create_task(state.live.watch(every)) if every else None
    yield
    if watching:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def _add_page(app: FastAPI) -> None:
    page, widget = PAGE / "index.html", PAGE / "widget.js"
    for path in ("/", "/embed"):
        app.add_api_route(
            path,
            lambda: FileResponse(page, media_type="text/html"),
            methods=READ,
            include_in_schema=False,
        )
    app.add_api_route(
        "/widget.js",
        lambda: FileResponse(widget, media_type="text/javascript"),
        methods=READ,
        include_in_schema=False,
    )
    app.mount("/static", StaticFiles(directory=PAGE))


def _is_open(path: str) -> bool:
    """Whether it needs no token: the page, which asks for one, and whether the server lives."""
    return path in OPEN or path.startswith("/static/")


def _add_gates(app: FastAPI, state: State) -> None:
    """The last added is the first that a request meets."""
    settings = state.settings
    app.add_middleware(BodyLimit, most=settings.max_body, timeout=settings.timeout)
    if settings.token:
        app.add_middleware(Token, token=settings.token, is_open=_is_open)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(settings.origins),
        allow_methods=["GET", "POST", "DELETE"],
        # Clients send headers of their own; no cookie is ever read, so none can be abused.
        allow_headers=["*"],
        max_age=600,
    )
    app.add_middleware(Hosts, allowed=settings.hosts)
    app.add_middleware(Observed, state=state)
