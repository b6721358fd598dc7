"""``ragkit eval …``: run, gate, compare, bless and lint."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ragkit.cli.printing import (
    console,
    index_option,
    json_option,
    print_json,
    progress,
    write_text,
    writing,
)
from ragkit.errors import InputError

if TYPE_CHECKING:
    from ragkit.api import Index
    from ragkit.evaluation import QuestionSet, Report

__all__ = ["evaluation", "tune"]

GATE_FAILED = 1

_set_option = click.option(
    "--set", "set_path", default=Path("eval"), show_default=True, type=click.Path(path_type=Path),
    help="A folder (questions.jsonl, baseline.json, floors.json), or a .jsonl or .csv file.",
)  # fmt: skip
_output_options = [
    click.option("--save", type=click.Path(path_type=Path), help="Save the whole report as JSON."),
    click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML."),
    click.option("--markdown", type=click.Path(path_type=Path), help="Write a Markdown summary."),
    click.option("--html", type=click.Path(path_type=Path), help="Write one HTML page with plots."),
]


def _with_outputs(command: Any) -> Any:
    for option in reversed(_output_options):
        command = option(command)
    return command


class _RunByDefault(click.Group):
    """``ragkit eval [OPTIONS]`` is ``ragkit eval run [OPTIONS]``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group("eval", cls=_RunByDefault)
def evaluation() -> None:
    """Measure on a question set (run, the default); gate changes on it. No LLM, no key."""


@evaluation.command()
@_set_option
@index_option
@click.option("--dataset", help="squad:FILE.json or beir:FOLDER: index that corpus, then score it.")
@click.option("--split", type=click.Choice(["dev", "test"]), help="Only this split.")
@click.option("--trec", type=click.Path(path_type=Path), help="Folder for a TREC run and qrels.")
@_with_outputs
@json_option
def run(
    *, set_path: Path, index_path: Path | None, dataset: str | None, split: str | None,
    trec: Path | None, as_json: bool, **outputs: Path | None,
) -> None:  # fmt: skip
    """Ask every question of a set and print what was measured."""
    questions, index = _subject(set_path, index_path, dataset)
    report = _report(questions.of_split(split), index)
    _write(report, None, outputs)
    if trec:
        _write_trec(report, trec)
    if as_json:
        print_json({"summary": report.summary(), "latency_ms": report.latency()})
        return
    from ragkit.evaluation.render import report_tables

    for table in report_tables(report):
        console().print(table)


@evaluation.command()
@_set_option
@index_option
@_with_outputs
@json_option
def gate(set_path: Path, index_path: Path | None, as_json: bool, **outputs: Path | None) -> None:
    """Fail (status 1) if the index falls behind the set's baseline, or under its floors."""
    from ragkit.evaluation import check_gate, read_baseline
    from ragkit.evaluation.harness import read_floors
    from ragkit.evaluation.render import changed_lines, comparison_table

    baseline = read_baseline(set_path)
    questions, index = _subject(set_path, index_path, None)
    report = _report(questions, index)
    verdict = check_gate(report, baseline, read_floors(set_path))
    _write(report, verdict, outputs)
    if as_json:
        print_json({"passed": verdict.passed, "reasons": verdict.reasons, "notes": verdict.notes})
    else:
        console().print(comparison_table(verdict.comparisons))
        for line in changed_lines(verdict.changed):
            click.echo(line)
        for note in verdict.notes:
            click.echo(f"made differently: {note}")
        for reason in verdict.reasons:
            click.secho(f"FAIL {reason}", fg="red")
        if verdict.passed:
            click.secho(f"The gate passes: {len(report.outcomes)} questions.", fg="green")
    if not verdict.passed:
        sys.exit(GATE_FAILED)


@evaluation.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@json_option
def compare(before: Path, after: Path, as_json: bool) -> None:
    """Compare two saved reports, question by question, and tell change from noise."""
    from dataclasses import asdict

    from ragkit.evaluation import compare_reports, load_report
    from ragkit.evaluation.render import comparison_table

    comparisons = compare_reports(load_report(before), load_report(after))
    if as_json:
        print_json([asdict(c) for c in comparisons])
    else:
        console().print(comparison_table(comparisons))


@evaluation.command()
@_set_option
@index_option
@click.option("--max-error", type=float, required=True, help="Most wrong answers, as a fraction.")
@click.option("--split", type=click.Choice(["dev", "test"]), help="Only this split.")
@json_option
def threshold(
    set_path: Path, index_path: Path | None, max_error: float, split: str | None, as_json: bool
) -> None:
    """Find the confidence below which to abstain, so that few answers are wrong."""
    from dataclasses import asdict

    from ragkit.evaluation.conformal import ASSUMPTION, threshold_for

    questions, index = _subject(set_path, index_path, None)
    promise = threshold_for(_report(questions.of_split(split), index), max_error)
    if as_json:
        print_json({**asdict(promise), "assumption": ASSUMPTION})
        return
    # Rounded up: rounding down could let a wrong answer through again.
    shown = math.ceil(promise.threshold * 10_000) / 10_000
    click.echo(
        f"Abstain below {shown:.4f}: at most {max_error:.1%} of all questions then get "
        f"a wrong answer ({promise.error:.1%} of these {promise.n} did; "
        f"{promise.answered:.1%} were answered). {ASSUMPTION}"
    )


@evaluation.command()
@_set_option
@index_option
def bless(set_path: Path, index_path: Path | None) -> None:
    """Make this run the baseline that the gate compares with."""
    from ragkit.evaluation.harness import BASELINE

    questions, index = _subject(set_path, index_path, None)
    report = _report(questions, index)
    if not set_path.is_dir():
        raise InputError(f"{set_path} is no folder; expected one with questions.jsonl to bless in.")
    place = set_path / BASELINE
    write_text(place, _baseline_json(report))
    click.echo(f"Blessed {place}: {len(report.outcomes)} questions. Commit it with the reason.")


@click.command()
@_set_option
@click.option(
    "--index",
    "index_path",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the index to tune; a proved gain is saved into it.",
)
@click.option("--split", type=click.Choice(["dev", "test"]), help="Only this split.")
@json_option
def tune(set_path: Path, index_path: Path, split: str | None, as_json: bool) -> None:
    """Fit the retriever's parameters to a set; keep them only if the gain is proved."""
    from dataclasses import asdict

    from ragkit.evaluation.tuning import tune as fit

    questions, index = _subject(set_path, index_path, None)
    with progress("Tuning") as show:
        tuning = fit(questions.of_split(split), index, progress=show)
    if tuning.gained:
        index.with_config(tuning.chosen).save(index_path)
    if as_json:
        print_json(asdict(tuning))
        return
    c = tuning.held_out
    click.echo(
        f"RR on questions not fitted to: {c.before:.3f} → {c.after:.3f} ({c.difference:+.3f}, 95 % "
        f"interval {c.low:+.3f} … {c.high:+.3f}, p {c.p:.3f}, {c.n} questions)."
    )
    click.echo(
        f"Saved {tuning.chosen}." if tuning.gained else f"No gain is proved: {tuning.before} stays."
    )


@evaluation.command()
@_set_option
@index_option
@json_option
def lint(set_path: Path, index_path: Path | None, as_json: bool) -> None:
    """Check a question set: spans, answers, duplicates, word overlap, size."""
    from dataclasses import asdict

    from ragkit.evaluation.lint import lint as check
    from ragkit.evaluation.render import lint_table

    questions, index = _subject(set_path, index_path, None)
    report = check(questions, {document.id: document for document in index.documents})
    if as_json:
        print_json(asdict(report))
    else:
        console().print(lint_table(report))
        for finding in report.findings:
            click.echo(f"{finding.level}: {finding.question}: {finding.message}")
    if report.errors:
        sys.exit(GATE_FAILED)


def _subject(
    set_path: Path, index_path: Path | None, dataset: str | None
) -> tuple[QuestionSet, Index]:
    """The questions and the index that the options mean."""
    from ragkit.api import Index
    from ragkit.default import open_index
    from ragkit.evaluation import load_dataset, load_set
    from ragkit.evaluation.harness import QUESTIONS

    if dataset:
        documents, questions = load_dataset(dataset)
        with progress("Indexing") as show:
            return questions, Index.build(documents, progress=show)
    index = open_index(index_path)
    return load_set(set_path / QUESTIONS if set_path.is_dir() else set_path, index), index


def _report(questions: QuestionSet, index: Index) -> Report:
    from ragkit.evaluation import evaluate_index

    with progress("Asking") as show:
        return evaluate_index(questions, index, progress=show)


def _write(report: Report, verdict: Any, outputs: dict[str, Path | None]) -> None:
    from ragkit.evaluation import html_report, junit, markdown

    contents = {
        "save": lambda: json.dumps(report.to_dict(), ensure_ascii=False, indent=1) + "\n",
        "junit": lambda: junit(report, verdict),
        "markdown": lambda: markdown(report, verdict),
        "html": lambda: html_report(report),
    }
    for name, path in outputs.items():
        if path is not None:
            write_text(path, contents[name]())
            click.echo(f"Wrote {path}.", err=True)


def _write_trec(report: Report, folder: Path) -> None:
    from ragkit.evaluation import to_qrels, to_run, write_qrels, write_run

    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_run(to_run(report), folder / "run.trec")
        write_qrels(to_qrels(report), folder / "qrels.trec")


def _baseline_json(report: Report) -> str:
    """One question a line, so that a change of the baseline can be read in a diff."""
    content = report.to_dict(depth=1, timed=False)
    lines = [
        f'"{key}": '
        + (_lines(value) if isinstance(value, (list, dict)) and value else _dump(value))
        for key, value in content.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _lines(value: Any) -> str:
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(_dump, value)) + "\n]"
    return "{\n" + ",\n".join(f"{_dump(k)}: {_dump(v)}" for k, v in value.items()) + "\n}"


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
