"""Packs the folders in which the minimal pairs were written into ``training/contrast/``.

The bytes depend on the content alone: folders in the order of their numbers, no time stamp.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from training.sources import CONTRAST


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def pack(folder: Path, out: Path) -> dict[str, int]:
    """Writes paragraphs, questions and talks; says how many of each."""
    parts = sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda p: int(p.name))
    content = {
        "paragraphs": [p for part in parts for p in _array(part / "paragraphs.json")],
        "questions": [q for part in parts for q in _lines(part / "qa.jsonl")],
        "talks": [t for part in parts for t in _lines(part / "talks.jsonl")],
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, lines in content.items():
        write_lines(out / f"{name}.jsonl.gz", lines)
    return {name: len(lines) for name, lines in content.items()}


def _array(path: Path) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder that has 0/, 1/, …")
    parser.add_argument("--out", type=Path, default=CONTRAST)
    options = parser.parse_args()
    print(pack(options.folder, options.out))


if __name__ == "__main__":
    main()
