"""The one shape of every error, and how a middleware sends one instead of calling the app.

The body has OpenAI's shape, ``{"error": {"type", "message", "param", "code"}}``, and in it the
id of the request, ``request_id``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Message, Scope, Send

from ragkit.serving.request_id import REQUEST_ID

__all__ = ["ErrorResponse", "UnsupportedParameterError", "error_body", "send_error"]


_UNSUPPORTED = "unsupported_parameter"
"""OpenAI's ``code`` of an error about a parameter that is valid, but not for this model."""


class UnsupportedParameterError(HTTPException):
    """A request has a parameter of OpenAI's API that this server does not support."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(400, message)
        self.param = param


def error_body(error_type: str, message: str, *, param: str | None = None) -> dict[str, object]:
    """Return the JSON body of an error; ``param`` names the parameter that is not supported."""
    code = _UNSUPPORTED if param else None
    fields = {"type": error_type, "message": message, "param": param, "code": code}
    return {"error": {**fields, "request_id": REQUEST_ID.get()}}


class ErrorResponse(NamedTuple):
    """A response that reports an error."""

    status: int
    error_type: str
    message: str
    headers: Mapping[str, str] | None = None


async def send_error(scope: Scope, send: Send, error: ErrorResponse) -> None:
    """Send ``error`` without receiving the request's body."""
    body = error_body(error.error_type, error.message)
    await JSONResponse(body, error.status, error.headers)(scope, _disconnected, send)


async def _disconnected() -> Message:
    return {"type": "http.disconnect"}
