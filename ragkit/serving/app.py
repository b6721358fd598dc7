"""The ASGI app: JSON, server-sent events, OpenAI's chat completions, the page and the widget.

Each route parses its request, calls the library in a worker thread and sends JSON. What applies to
every request (limits, access, log, headers) is middleware.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ragkit.errors import MissingExtraError

try:
    from fastapi import FastAPI, Request, Response
    from fastapi.responses import HTMLResponse
    from fastapi.staticfiles import StaticFiles
    from starlette.middleware.cors import CORSMiddleware
except ImportError as error:
    raise MissingExtraError.of("serve", "fastapi") from error

import ragkit
from ragkit.catalogue import best_language
from ragkit.default import IndexLike
from ragkit.grounding import LanguageModel
from ragkit.serving.answer_responses import language_of
from ragkit.serving.api_page import add_api_page
from ragkit.serving.error_handlers import add_error_handlers
from ragkit.serving.http_spans import HTTP_TELEMETRY
from ragkit.serving.middleware import (
    AccessMiddleware,
    BodyLimitMiddleware,
    HostMiddleware,
    SecurityHeadersMiddleware,
)
from ragkit.serving.pages import FOLDER, page_html, widget_script
from ragkit.serving.request_log import RequestLogMiddleware
from ragkit.serving.routes import ask, chat_completions, conversations, documents, feedback, health
from ragkit.serving.settings import Settings
from ragkit.serving.state import ServerState

__all__ = ["app_of", "create_app"]

_PUBLIC_PATHS = ("/", "/embed", "/widget.js", "/healthz", "/readyz", "/docs")
_PUBLIC_FOLDERS = ("/static/", "/docs/")
_DESCRIPTION = """Cited passages for questions about a corpus. Spans are half-open and count Unicode
code points of a document's text; scores and confidences are higher where better."""


def create_app(
    index: IndexLike = None,
    settings: Settings | None = None,
    *,
    llm: LanguageModel | None = None,
) -> FastAPI:
    """Return the ASGI app that serves ``index``.

    An index given as a path is replaced by each new generation published there, while the app's
    lifespan runs; an app that mounts this one has to run its lifespan.

    Args:
        index: As for ``ragkit.ask``.
        settings: Limits, access, and what may be logged.
        llm: Language model that writes the answers, sentence by sentence checked against the
            passages; None quotes them from the corpus.

    Raises:
        RagkitError: As ``Index.open`` raises; a server that cannot answer does not start.

    Example: ``uvicorn.run(create_app("my-index", Settings(token=secret)))``

    """
    return app_of(ServerState.create(index, settings or Settings(), llm))


def app_of(state: ServerState) -> FastAPI:
    """Return the ASGI app of a state that is open already."""
    app = FastAPI(
        title="ragkit",
        version=ragkit.__version__,
        description=_DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,  # both pages would load scripts from another host; ours is api_page
        redoc_url=None,
        telemetry=HTTP_TELEMETRY,
        separate_input_output_schemas=False,
    )
    app.state.ragkit = state
    add_error_handlers(app)
    for module in (ask, documents, conversations, feedback, chat_completions, health):
        app.include_router(module.router)
    _add_page(app)
    add_api_page(app)
    _add_middleware(app, state)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Watch for new generations of the index while the app runs."""
    state: ServerState = app.state.ragkit
    interval = state.settings.reload
    announce = None if state.member is None else state.member.announce
    watching = asyncio.create_task(state.index.watch(interval, announce)) if interval else None
    yield
    if watching:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def _add_page(app: FastAPI) -> None:
    def page(request: Request) -> HTMLResponse:
        chosen = request.query_params.get("lang", "")
        language = best_language([chosen, language_of(request)])
        headers = {"content-language": language, "vary": "accept-language"}
        return HTMLResponse(page_html("index.html", language), headers=headers)

    def widget() -> Response:
        return Response(widget_script(), media_type="text/javascript")

    for path, endpoint in (("/", page), ("/embed", page), ("/widget.js", widget)):
        app.add_api_route(path, endpoint, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/static", StaticFiles(directory=FOLDER))


def _is_public(path: str) -> bool:
    """Return whether a path needs no identity: pages, which ask for a token, and health checks."""
    return path in _PUBLIC_PATHS or path.startswith(_PUBLIC_FOLDERS)


def _add_middleware(app: FastAPI, state: ServerState) -> None:
    """Add the middleware, innermost first: a request passes the last one added first."""
    settings = state.settings
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_body, timeout=settings.timeout)
    if state.access:
        app.add_middleware(
            AccessMiddleware, access=state.access, usage=state.usage, is_public=_is_public
        )
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(settings.origins),
        allow_methods=["GET", "POST", "DELETE"],
        # Clients send headers of their own. The server uses no cookies, so none can be abused.
        allow_headers=["*"],
        max_age=600,
    )
    app.add_middleware(HostMiddleware, allowed_hosts=settings.hosts)
    app.add_middleware(SecurityHeadersMiddleware, frame_origins=settings.origins)
    worker = None if state.member is None else state.member.number
    app.add_middleware(RequestLogMiddleware, metrics=state.metrics, worker=worker)
