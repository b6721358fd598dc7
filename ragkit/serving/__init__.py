"""ragkit over the network: the HTTP server with its chat page and widget, and MCP.

    ragkit.serving.app      the HTTP server    extra: serve
    ragkit.serving.mcp      an MCP server      extra: mcp

An extra is installed as ``pip install 'ragkit-cited[serve]'``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragkit.serving.app import create_app
    from ragkit.serving.settings import Settings

__all__ = ["Settings", "create_app"]


def __getattr__(name: str) -> object:
    """Each door loads only its own libraries (PEP 562)."""
    if name == "create_app":
        from ragkit.serving.app import create_app

        return create_app
    if name == "Settings":
        from ragkit.serving.settings import Settings

        return Settings
    raise AttributeError(f"module 'ragkit.serving' has no attribute {name!r}")
