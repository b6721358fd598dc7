"""ragkit over the network: the HTTP server with its chat page and widget, and the MCP server.

    ragkit.serving.create_app    the HTTP server, an ASGI app    extra: serve
    ragkit.serving.mcp           the MCP server                  extra: mcp

Install an extra with ``pip install 'ragkit-cited[serve]'``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragkit.serving.app import create_app
    from ragkit.serving.settings import Settings

__all__ = ["Settings", "create_app"]


def __getattr__(name: str) -> object:
    """Load a public name when it is first used, so that each extra needs only its own libraries."""
    if name == "create_app":
        from ragkit.serving.app import create_app

        return create_app
    if name == "Settings":
        from ragkit.serving.settings import Settings

        return Settings
    raise AttributeError(f"module 'ragkit.serving' has no attribute {name!r}")
