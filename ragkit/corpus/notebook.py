"""Jupyter notebooks (nbformat 3 and later): text cells as Markdown, code as fenced blocks.

Of what code printed only plain text is part of the text, as it was printed: pictures, HTML and the
state of widgets are not. https://nbformat.readthedocs.io/en/latest/format_description.html
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ragkit.corpus import markdown
from ragkit.corpus.decoding import decode, read_all, replace_surrogates
from ragkit.corpus.headings import BOM
from ragkit.corpus.parser import ParsedDocument
from ragkit.errors import SourceError

__all__ = ["parse"]

_MAX_OUTPUT = 20_000
"""Characters of what one cell printed."""

_FENCE = re.compile(r" {0,3}(`{3,}+(?!.*`)|~{3,})")
_PAIRS = (("<!--", "-->"), ("<pre>", "</pre>"))
_CODE = re.compile(r"`[^`\n]*`")
_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PLACEHOLDER = re.compile(r"<(?:Figure size [^<>\n]*|[\w.]++(?: object)? at 0x[0-9a-f]+)>\s*\Z")
"""What stands for a picture: ``<Figure size 640x480 with 1 Axes>``."""


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document."""
    source = decode(read_all(file, str(path)), str(path)).removeprefix(BOM)
    try:
        content = json.loads(source)
        sheets = [content] if "cells" in content else content["worksheets"]
        cells = [cell for sheet in sheets for cell in sheet["cells"]]
        language = _language(content.get("metadata", {}))
        parts = [text for cell in cells for text in _cell(cell, language)]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise SourceError(
            f"{path} cannot be parsed as a notebook ({type(error).__name__}: {error}); expected "
            f"JSON with a list of cells. Save it again, or leave it out."
        ) from error
    text = replace_surrogates("\n\n".join(parts)).replace("\0", "")
    yield from markdown.parse(io.BytesIO(text.encode()), path)


def _language(metadata: Mapping[str, Any]) -> str:
    about = metadata.get("language_info") or metadata.get("kernelspec") or {}
    name = about.get("language") if "language" in about else about.get("name")
    return name if isinstance(name, str) and name.isalnum() else ""


def _cell(cell: Mapping[str, Any], language: str) -> Iterator[str]:
    kind, text = cell.get("cell_type"), _joined(cell.get("source", cell.get("input", "")))
    if kind == "heading":
        text = "#" * int(cell.get("level", 1)) + " " + text
    if text.strip():
        is_code = kind in ("code", "raw")
        own = language if kind == "code" else ""
        yield _fenced(text, own) if is_code else _closed(text.strip("\n"))
    if kind != "code":
        return
    printed = "\n".join(filter(None, map(_printed, cell.get("outputs", []))))
    if printed.strip():
        yield _fenced(printed[:_MAX_OUTPUT], "")


def _printed(output: Mapping[str, Any]) -> str:
    data = output.get("data", output)
    text = _joined(output.get("text") or data.get("text/plain") or "")[:_MAX_OUTPUT]
    text = _TERMINAL_CODES.sub("", text).strip("\n")
    return "" if _PLACEHOLDER.match(text) else text


def _fenced(text: str, language: str) -> str:
    longest = max(map(len, re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    text = text.strip("\n")
    return f"{fence}{language}\n{text}\n{fence}"


def _closed(text: str) -> str:
    """A cell's Markdown with what it leaves open closed, which would take in the cells after it."""
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
            fence = ""
    if fence:
        return f"{text}\n{fence}"
    shown = _CODE.sub("", text)
    opened = [end for start, end in _PAIRS if shown.rfind(start) > shown.rfind(end)]
    return "\n".join([text, *opened])


def _joined(lines: Any) -> str:
    return lines if isinstance(lines, str) else "".join(map(str, lines))
