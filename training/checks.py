"""Proves the data before anything is trained on it: checksums, counts, and that no split leaks.

``python -m training.checks --data DIR`` ends with status 1 and says what is wrong.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from training.sources import CONTRAST, EVERYDAY, FILES, PARAPHRASE, Source, load_all, sha256
from training.splits import RUN, Splits, load_splits, shared_text

KNOWN: Final = Path(__file__).parent / "checksums.json"


def checksums(data: Path) -> dict[str, str]:
    public = {name: sha256(data / name) for name in FILES}
    own = sorted(
        path for folder in (CONTRAST, PARAPHRASE, EVERYDAY) for path in folder.glob("*.gz")
    )
    return {**public, **{f"{path.parent.name}/{path.name}": sha256(path) for path in own}}


def wrong_files(data: Path) -> Iterator[str]:
    known: dict[str, str] = json.loads(KNOWN.read_text())
    for name, found in checksums(data).items():
        if found != known.get(name):
            yield f"{name}: sha256 {found}, not {known.get(name)}"


def leaks(sources: Mapping[str, Source], splits: Splits) -> Iterator[str]:
    """Text that stands in paragraphs of two splits, whatever their titles say."""
    for (one, other), count in sorted(shared_text(sources, splits).items()):
        yield f"{count} runs of {RUN} words in {one} and {other}"


def counts(sources: Mapping[str, Source], splits: Splits) -> dict[str, dict[str, Any]]:
    """Articles, paragraphs and questions of each source in each split."""
    found: dict[str, dict[str, Any]] = {}
    for name, source in sources.items():
        split_of = {p.id: splits.of(p.article) for p in source.paragraphs}
        articles: dict[str, set[str]] = defaultdict(set)
        for paragraph in source.paragraphs:
            articles[split_of[paragraph.id]].add(paragraph.article)
        asked = Counter(split_of[q.paragraph] for q in source.questions)
        unanswerable = Counter(split_of[q.paragraph] for q in source.questions if not q.answerable)
        paragraphs = Counter(split_of.values())
        for split in sorted(articles):
            found[f"{name} {split}"] = {
                "articles": len(articles[split]),
                "paragraphs": paragraphs[split],
                "questions": asked[split],
                "unanswerable": unanswerable[split],
            }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="write the checksums instead")
    options = parser.parse_args()
    if options.write:
        KNOWN.write_text(json.dumps(checksums(options.data), indent=1) + "\n")
    sources, splits = load_all(options.data), load_splits()
    for name, count in counts(sources, splits).items():
        print(name, json.dumps(count))
    wrong = [*wrong_files(options.data), *leaks(sources, splits)]
    print("\n".join(wrong) or "checksums right; no text in two splits")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
