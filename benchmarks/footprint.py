"""What an index costs by model: its size, its build, its updates, a warm question.

    python -m benchmarks.footprint FOLDER... --squad xquad.en.json --save

Each model builds an index of every corpus in a process of its own, in turn with the others; figures
are medians of the rounds. Corpora are folders of documents; of a file in SQuAD's format, each
article becomes one. ``--save`` writes ``benchmarks/results/footprint.md``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ragkit.encoding import usable_cpus

OUT: Final = Path(__file__).parent / "results" / "footprint.md"
MODELS: Final = {
    "late-MiniLM-L6, int8 (default)": ("late-MiniLM-L6", "int8"),
    "all-MiniLM-L6-v2, int8": ("all-MiniLM-L6-v2", "int8"),
    "all-MiniLM-L6-v2, reference": ("all-MiniLM-L6-v2", "reference"),
}
FIGURES: Final = {
    "ratio": "index / text",
    "passages_a_second": "passages/s built",
    "memory": "peak memory of the build, MB",
    "open": "open, ms",
    "unchanged": "update without a change, ms",
    "one_file": "update of one file, s",
    "warm": "warm question, p50, ms",
}
PROGRAM: Final = """
import json, resource, statistics, sys, time
from pathlib import Path
from ragkit import Index, load_encoder

corpus, out, model, runtime = sys.argv[1:]
load_encoder(model, runtime=runtime).encode(["The model is loaded, and exported if it must be."])

def seconds(run):
    started = time.perf_counter()
    run()
    return time.perf_counter() - started

found = {}
took = seconds(lambda: Index.build(corpus, out, encoder=load_encoder(model, runtime=runtime)))
found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
info = Index.info(out)
index = Index.open(out, reader=None)
text = sum(len(document.text.encode()) for document in index.documents)
found["ratio"] = info.bytes / text
found["passages_a_second"] = info.counts["chunks"] / took
found["open"] = 1000 * statistics.median(seconds(lambda: Index.open(out)) for _ in range(5))
found["unchanged"] = 1000 * statistics.median(seconds(lambda: Index.update(out)) for _ in range(3))
file = sorted(path for path in Path(corpus).rglob("*") if path.is_file())[0]
def edited():
    file.write_text(file.read_text() + "\\n\\nOne more sentence stands here now.\\n")
    return seconds(lambda: Index.update(out))
found["one_file"] = statistics.median(edited() for _ in range(3))
index = Index.open(out, reader=None)
questions = [document.title + ": what is said of it?" for document in index.documents][:100]
index.ask(questions[0])
asked = [seconds(lambda: index.ask(question)) for question in questions * 3]
found["warm"] = 1000 * statistics.median(asked)
print(json.dumps(found))
"""


def measured(corpus: Path, model: str, runtime: str) -> dict[str, float]:
    """One round; the corpus is copied, since a file of it is edited."""
    with tempfile.TemporaryDirectory() as folder:
        copy, out = Path(folder, "corpus"), Path(folder, "index")
        shutil.copytree(corpus, copy)
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", PROGRAM, str(copy), str(out), model, runtime],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    return dict(json.loads(done.stdout.splitlines()[-1]))


def articles_of(squad: Path, folder: Path) -> Path:
    """Write each article of a file in SQuAD's format as a Markdown file."""
    out = folder / squad.name.split(".")[0]
    out.mkdir()
    for number, article in enumerate(json.loads(squad.read_text(encoding="utf-8"))["data"]):
        title = article["title"].replace("_", " ")
        text = "\n\n".join([f"# {title}", *(p["context"] for p in article["paragraphs"])])
        (out / f"{number:03d}.md").write_text(text + "\n", encoding="utf-8")
    return out


def table(corpus: str, rounds: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    lines = [f"## {corpus}", "", f"| | {' | '.join(rounds)} |", "|---|" + "---:|" * len(rounds)]
    for figure, name in FIGURES.items():
        medians = [statistics.median(one[figure] for one in own) for own in rounds.values()]
        lines.append(f"| {name} | {' | '.join(f'{m:,.4g}' for m in medians)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--squad", nargs="*", type=Path, default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    parts = [
        "# What an index costs\n\nMade by `python -m benchmarks.footprint --squad …`, medians of "
        f"{options.rounds} interleaved rounds on {usable_cpus()} cores of a shared server."
    ]
    with tempfile.TemporaryDirectory() as folder:
        made = [articles_of(path, Path(folder)) for path in options.squad]
        for corpus in (*options.folders, *made):
            rounds: dict[str, list[dict[str, float]]] = {name: [] for name in MODELS}
            for _ in range(options.rounds):
                for name, (model, runtime) in MODELS.items():
                    rounds[name].append(measured(corpus, model, runtime))
            parts.append(table(corpus.name, rounds))
    text = "\n\n".join(parts) + "\n"
    print(text)
    if options.save:
        OUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
