"""Packs the folders in which questions in other words were written into ``training/paraphrase/``.

In a folder, ``NN.json`` has paragraphs of SQuAD 1.1 and ``NN.tsv`` the questions, a line each:
``paragraph | sentence | + | answer | question`` or ``paragraph | sentence | - | kind | question``.
An unanswerable question follows the answerable one that it is paired with.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.pack_contrast import write_lines
from training.sources import PARAPHRASE
from training.windows import sentences


def pairs(folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The pairs of one folder; a line without its other half is left out."""
    for path in sorted(folder.glob("*.tsv")):
        paragraphs = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        waiting: dict[str, dict[str, Any]] = {}
        for text in path.read_text(encoding="utf-8").split("\n"):
            line = parsed(text, paragraphs)
            if line is None:
                continue
            if line["answerable"]:
                waiting[line["p"]] = line
            elif line["p"] in waiting:
                yield waiting.pop(line["p"]), line


def parsed(text: str, paragraphs: list[dict[str, str]]) -> dict[str, Any] | None:
    """One line as it is kept; None if it is not one, or its answer is not where it says.

    >>> text = [{"id": "a", "text": "It rains. The sun is hot."}]
    >>> parsed("0 | 1 | + | hot | How warm is our star?", text)["start"]
    21
    >>> parsed("0 | 0 | + | hot | How warm is our star?", text) is None
    True
    """
    fields = [field.strip() for field in text.split("|")]
    if len(fields) != 5:
        return None
    paragraph = paragraphs[int(fields[0].lstrip("P"))]
    places, number = sentences(paragraph["text"]), int(fields[1].strip("[]"))
    if number >= len(places):
        return None
    begin, end = places[number]
    made: dict[str, Any] = {"p": paragraph["id"], "question": fields[4]}
    if fields[2] == "-":
        return {**made, "answerable": False, "why": fields[3], "near": begin}
    start = paragraph["text"].find(fields[3], begin, end)
    if start < 0:
        return None
    return {**made, "answerable": True, "answer": fields[3], "start": start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder that has 0/, 1/, …")
    parser.add_argument("--out", type=Path, default=PARAPHRASE)
    options = parser.parse_args()
    folders = sorted((p for p in options.folder.iterdir() if p.is_dir()), key=lambda p: int(p.name))
    lines = [line for folder in folders for pair in pairs(folder) for line in pair]
    options.out.mkdir(parents=True, exist_ok=True)
    write_lines(options.out / "questions.jsonl.gz", lines)
    print(len(lines) // 2, "pairs")


if __name__ == "__main__":
    main()
