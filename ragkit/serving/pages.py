"""The pages and the widget with their words in the reader's language.

In a file of ``page/``, ``{{key}}`` stands for a message. The chat page also carries the
catalogue for its scripts: it needs no request more and never shows another language first.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ragkit.catalogue import LANGUAGES, Catalogue, catalogue

__all__ = ["FOLDER", "page_html", "widget_script"]

FOLDER = Path(__file__).parent / "page"
_KEY = re.compile(r"\{\{([^}]+)\}\}")
_NOT_ON_PAGES = ("terminal.", "reply.", "number.")
_WIDGET_KEYS = {"title": "page.ask_article", "close": "close"}
_WIDGET_WORDS = "const WORDS = {};"


@cache
def page_html(name: str, language: str) -> str:
    """Return a page.

    Args:
        name: the file in ``page/``, such as "index.html".
        language: one of ``LANGUAGES``.

    """
    messages = catalogue(language)
    text = (FOLDER / name).read_text(encoding="utf-8")
    return _KEY.sub(lambda match: _filled(match[1], messages), text)


@cache
def widget_script() -> str:
    """Return the widget's script, with its few words in every language."""
    words = {
        language: {
            "dir": catalogue(language).direction,
            **{name: catalogue(language).text(key) for name, key in _WIDGET_KEYS.items()},
        }
        for language in LANGUAGES
    }
    script = (FOLDER / "widget.js").read_text(encoding="utf-8")
    return script.replace(_WIDGET_WORDS, f"const WORDS = {_json(words)};")


def _filled(key: str, messages: Catalogue) -> str:
    """Return what stands for ``{{key}}``, as HTML."""
    if key == "language":
        return messages.language
    if key == "direction":
        return messages.direction
    if key == "messages":
        return _json(_of_pages(messages))
    if key.startswith("keys."):
        return _with_key_caps(key, messages)
    return html.escape(messages.text(key))


def _of_pages(messages: Catalogue) -> Mapping[str, Any]:
    """Return the messages without those that only the terminal or the server says."""
    return {
        key: message
        for key, message in messages.messages.items()
        if not key.startswith(_NOT_ON_PAGES)
    }


def _with_key_caps(key: str, messages: Catalogue) -> str:
    caps = {
        name: f"<kbd>{html.escape(text)}</kbd>"
        for name, text in (
            ("enter", messages.text("key.enter")),
            ("shift", messages.text("key.shift")),
            ("slash", "/"),
        )
    }
    return messages.text(key, **caps)


def _json(content: Mapping[str, Any]) -> str:
    """Return JSON that can stand inside a script element."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
