"""Import profile of one question, package by package, with and without torch.

    python -m benchmarks.imports

Writes ``benchmarks/results/imports.md``. Before: sentence-transformers encodes the question.
After: the exported model does. Times are of one run each, in milliseconds, and of importing alone.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

OUT = Path(__file__).parent / "results" / "imports.md"
QUESTION = "Who signed the Treaty of Rapallo?"
AFTER = f"import ragkit; ragkit.default_index().with_reader(None).ask({QUESTION!r})"
BEFORE = (
    "import ragkit; index = ragkit.default_index().with_reader(None); "
    "index._encoder = ragkit.load_encoder(runtime='reference'); "
    f"index.ask({QUESTION!r})"
)
LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)")
SHOWN = 12


def profile(program: str) -> Counter[str]:
    """Return for each package the microseconds that its own modules take."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-X", "importtime", "-c", program],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    times: Counter[str] = Counter()
    for own, module in LINE.findall(done.stderr):
        times[module.split(".")[0]] += int(own)
    return times


def table(title: str, times: Counter[str]) -> str:
    total = sum(times.values())
    lines = [f"## {title}: {total / 1000:,.0f} ms, {len(times)} packages", ""]
    lines += ["| package | ms |", "|---|---:|"]
    lines += [f"| {package} | {own / 1000:,.0f} |" for package, own in times.most_common(SHOWN)]
    return "\n".join(lines)


def main() -> None:
    profile(AFTER)  # not measured: fills the disk's cache and creates the export
    parts = [
        "# Import profile of one question\n\nMade by `python -m benchmarks.imports`. It shows the "
        f"{SHOWN} packages whose own modules take longest.",
        table("Before, through sentence-transformers", profile(BEFORE)),
        table("After, through the exported model", profile(AFTER)),
    ]
    OUT.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(OUT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
