"""Errors as HTTP answers: one shape, OpenAI's, with ragkit's own message in it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Match

from ragkit.errors import FilterError, InputError, LanguageModelError, RagkitError
from ragkit.serving.access import problem
from ragkit.serving.schemas import ProblemOut

if TYPE_CHECKING:
    from ragkit.serving.state import State

__all__ = ["handle_problems", "kind_of", "note_failure", "responses"]

_log = logging.getLogger("ragkit.serving")
_MEANING = {
    400: "The question or another argument cannot be used.",
    401: "The access token is missing or wrong.",
    404: "There is no such thing here.",
    408: "The body did not arrive in time.",
    409: "No document of this corpus has a property that a condition is on.",
    413: "The body is too long.",
    422: "The body is not what the schema says.",
    502: "The language model failed.",
    503: "Too many questions are under way, or the index cannot be used; try again.",
    504: "The answer took too long.",
}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors an operation may end in, for its OpenAPI entry; some, any may."""
    return {
        status: {"model": ProblemOut, "description": _MEANING[status]}
        for status in sorted({*statuses, 401, 408, 413, 422})
    }


def note_failure(here: State, request: Request, error: Exception) -> None:
    """What the operator should know: in the log with its cause, by name in the request's line."""
    _log.warning("%s: %s", type(error).__name__, error)
    request.scope["state"]["log"]["error"] = type(error).__name__
    here.figures.failed()


def status_of(error: Exception) -> int:
    """Which status an error of ragkit's is."""
    if isinstance(error, FilterError):
        return 409
    if isinstance(error, InputError):
        return 400
    if isinstance(error, LanguageModelError):
        return 502
    return 503 if isinstance(error, RagkitError) else 500


def handle_problems(app: FastAPI) -> None:
    """Give every error the one shape. What was not foreseen is logged and told to nobody."""

    @app.exception_handler(RagkitError)
    async def _ragkit(request: Request, error: RagkitError) -> JSONResponse:
        if status_of(error) >= 500:
            note_failure(app.state.ragkit, request, error)
        return _answer(status_of(error), type(error).__name__, str(error))

    @app.exception_handler(StarletteHTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        status = error.status_code
        headers = {"allow": _allowed(app, request)} if status == 405 else error.headers
        return _answer(status, kind_of(status), str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        found = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        return _answer(422, "ValidationError", f"{found}. See /openapi.json for what is expected.")

    @app.exception_handler(Exception)
    async def _unforeseen(_: Request, error: Exception) -> JSONResponse:
        _log.error("unforeseen %s", type(error).__name__, exc_info=error)
        return _answer(500, "InternalError", "The server failed; its log says why.")


def _allowed(app: FastAPI, request: Request) -> str:
    """All methods of a path (RFC 9110, 15.5.6); the framework names those of one route alone."""
    methods = ("DELETE", "GET", "HEAD", "POST")
    tries = [(method, {**request.scope, "method": method}) for method in methods]
    return ", ".join(
        method
        for method, scope in tries
        if any(route.matches(scope)[0] is Match.FULL for route in app.routes)
    )


def kind_of(status: int) -> str:
    """``NotFoundError``, ``GatewayTimeoutError``, …"""
    return f"{HTTPStatus(status).phrase.title().replace(' ', '')}Error"


def _answer(
    status: int, kind: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(problem(kind, message), status, dict(headers or {}))
