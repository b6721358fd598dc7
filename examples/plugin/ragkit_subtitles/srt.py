"""Subtitles in the SubRip format: what is said is the text, and each minute is a section of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ragkit import ParsedDocument, Section, SourceError

__all__ = ["parse"]

# 1
# 00:01:02,500 --> 00:01:04,000
# Where were you?
_CUE = re.compile(
    r"^(?P<hour>\d+):(?P<minute>\d\d):\d\d[,.]\d{1,3} --> \S+.*\n(?P<said>(?:.*\S.*\n?)+)",
    re.MULTILINE,
)
_TAG = re.compile(r"<[^<>\n]{1,40}>|\{\\[^{}\n]{1,40}\}")


class _Cue(NamedTuple):
    minute: int
    said: str


def parse(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
    """Yield one document. Whatever is wrong with the file is a SourceError that says what to do."""
    try:
        content = file.read().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not UTF-8 ({error}). Convert it to UTF-8 first.") from error
    cues = list(_cues(content))
    if not cues:
        raise SourceError(f"{path} has no subtitles; expected times such as 00:01:02,500 --> ….")
    text, sections = "", []
    for minute, group in groupby(cues, key=lambda cue: cue.minute):
        start = len(text)
        text += "\n".join(cue.said for cue in group)
        sections.append(Section((f"{minute // 60}:{minute % 60:02}",), start, len(text)))
        text += "\n\n"
    yield ParsedDocument(text, tuple(sections), metadata={"minutes": cues[-1].minute + 1})


def _cues(content: str) -> Iterator[_Cue]:
    for cue in _CUE.finditer(content):
        said = " ".join(_TAG.sub("", cue["said"]).split())
        if said:
            yield _Cue(60 * int(cue["hour"]) + int(cue["minute"]), said)
