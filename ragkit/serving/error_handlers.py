"""Exceptions as HTTP errors: the status and type of each, and its entry in the OpenAPI document."""

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
from ragkit.serving.error_responses import UnsupportedParameterError, error_body
from ragkit.serving.request_id import HEADER, REQUEST_ID
from ragkit.serving.request_log import add_to_log
from ragkit.serving.schemas import ProblemOut

if TYPE_CHECKING:
    from ragkit.serving.state import ServerState

__all__ = ["add_error_handlers", "documented_errors", "error_type_of", "record_failure"]

_log = logging.getLogger("ragkit.serving")
_DESCRIPTIONS = {
    400: "The question or another argument cannot be used.",
    401: "The access token is missing or wrong.",
    403: "No access rule allows this.",
    404: "Nothing has this id.",
    408: "The body did not arrive in time.",
    409: "A condition names a property that no document of this corpus has.",
    413: "The body is too long.",
    422: "The body does not match the schema.",
    429: "The caller has sent as many requests or questions as they may.",
    502: "The language model failed.",
    503: "Too many questions are in progress, or the index cannot be used; try again.",
    504: "The answer took too long.",
    507: "There is no room for more feedback, or its file cannot be written.",
}
_ALWAYS = (401, 403, 408, 413, 422, 429)  # errors that every operation may return


def documented_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries of an operation's errors: ``statuses``, and those of every one."""
    return {
        status: {"model": ProblemOut, "description": _DESCRIPTIONS[status]}
        for status in sorted({*statuses, *_ALWAYS})
    }


def record_failure(state: ServerState, request: Request, error: Exception) -> None:
    """Log an error that is not the client's, add its name to the request's line, and count it."""
    _log.warning("%s: %s", type(error).__name__, error)
    add_to_log(request.scope, error=type(error).__name__)
    state.metrics.count_failure()


def _status_of(error: RagkitError) -> int:
    if isinstance(error, FilterError):
        return 409
    if isinstance(error, InputError):
        return 400
    return 502 if isinstance(error, LanguageModelError) else 503


def error_type_of(status: int) -> str:
    """Return ``NotFoundError``, ``GatewayTimeoutError``, … for an HTTP status."""
    return f"{HTTPStatus(status).phrase.title().replace(' ', '')}Error"


def add_error_handlers(app: FastAPI) -> None:
    """Give every error the one shape. The client never sees the text of an unexpected exception."""

    @app.exception_handler(RagkitError)
    async def _ragkit_error(request: Request, error: RagkitError) -> JSONResponse:
        status = _status_of(error)
        if status >= 500:
            record_failure(app.state.ragkit, request, error)
        return _response(status, type(error).__name__, str(error))

    @app.exception_handler(UnsupportedParameterError)
    async def _unsupported(_: Request, error: UnsupportedParameterError) -> JSONResponse:
        status = error.status_code
        body = error_body(error_type_of(status), str(error.detail), param=error.param)
        return JSONResponse(body, status)

    @app.exception_handler(StarletteHTTPException)
    async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
        status = error.status_code
        headers = {"allow": _allowed_methods(app, request)} if status == 405 else error.headers
        return _response(status, error_type_of(status), str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def _validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
        details = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        return _response(422, "ValidationError", f"{details}. The schema is at /openapi.json.")

    @app.exception_handler(Exception)
    async def _unexpected_error(_: Request, error: Exception) -> JSONResponse:
        _log.error("unexpected %s", type(error).__name__, exc_info=error)
        headers = {HEADER: REQUEST_ID.get() or ""}  # no middleware sees this response
        return _response(500, "InternalError", "The server failed; its log says why.", headers)


def _allowed_methods(app: FastAPI, request: Request) -> str:
    """Return all methods of a path (RFC 9110, 15.5.6); Starlette names those of one route only."""
    methods = ("DELETE", "GET", "HEAD", "POST")
    scopes = [(method, {**request.scope, "method": method}) for method in methods]
    return ", ".join(
        method
        for method, scope in scopes
        if any(route.matches(scope)[0] is Match.FULL for route in app.routes)
    )


def _response(
    status: int, error_type: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(error_body(error_type, message), status, dict(headers or {}))
