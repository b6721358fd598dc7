"""An MCP server, for assistants that call tools: over standard input and output, or over HTTP.

    ask       answer a question, with cited passages
    search    find passages, in the shape that ChatGPT's connectors and deep research expect
    fetch     return one of those passages, or a whole document, by its id

Every document is a resource too: ``ragkit://documents/{id}``, the id percent-encoded.
"""

from __future__ import annotations

from ragkit.errors import MissingExtraError

try:
    from ragkit.serving.mcp.server import mcp_server
    from ragkit.serving.mcp.transports import http_app, serve_http, serve_stdio
except ImportError as error:
    raise MissingExtraError.of("mcp", "mcp") from error

__all__ = ["http_app", "mcp_server", "serve_http", "serve_stdio"]
