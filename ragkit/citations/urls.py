"""Which addresses are linked, and how they are percent-encoded."""

from __future__ import annotations

from urllib.parse import quote

__all__ = ["encode_url", "is_web_url", "percent_encode"]

# Characters that a URL may contain; "%" too, since addresses are stored percent-encoded.
_URL_CHARACTERS = "%:/?#[]@!$&'()*+,;=~"


def is_web_url(url: str | None) -> bool:
    """Whether the scheme is http or https; others, such as ``javascript:``, are never linked."""
    return (url or "").lower().startswith(("https://", "http://"))


def encode_url(url: str) -> str:
    """Percent-encode the characters that no URL may contain, such as spaces and quotation marks."""
    return quote(url, safe=_URL_CHARACTERS, errors="replace")


def percent_encode(text: str) -> str:
    """Percent-encode everything but ASCII letters, digits, ``_.-~``."""
    return quote(text, safe="", errors="replace")
