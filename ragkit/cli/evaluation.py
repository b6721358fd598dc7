"""The commands of ``ragkit eval``, and ``ragkit tune``."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ragkit.cli.chatbots import chatbot_options
from ragkit.cli.generation import generate, refuse_existing, replace_option, review
from ragkit.cli.options import (
    index_option,
    json_option,
    reader_option,
    setting_option,
    with_reader,
)
from ragkit.cli.output import (
    ExitStatus,
    naming_unwritable,
    print_json,
    progress_bar,
    table_console,
    write_text,
)
from ragkit.commands import command
from ragkit.errors import InputError

if TYPE_CHECKING:
    from ragkit.api import Index
    from ragkit.evaluation import Chatbot, QuestionSet, Report, Verdict

__all__ = ["evaluation", "tune"]

_set_option = setting_option("eval.set", "set_path")
_split_option = setting_option("eval.split")
_output_options = [
    click.option("--save", type=click.Path(path_type=Path), help="Save the full report as JSON."),
    click.option("--junit", type=click.Path(path_type=Path), help="Write a JUnit XML report."),
    click.option("--markdown", type=click.Path(path_type=Path), help="Write a Markdown summary."),
    click.option("--html", type=click.Path(path_type=Path), help="Write an HTML page with plots."),
    click.option(
        "--history", type=click.Path(path_type=Path),
        help="Append this run to a file, such as eval/history.jsonl; --html and --markdown then "
        "show the trend.",
    ),
]  # fmt: skip


_OUTPUTS = {"save", "junit", "markdown", "html", "history", "as_json"}


def _with_outputs(command: Any) -> Any:
    for option in reversed(_output_options):
        command = option(command)
    return command


class _RunByDefault(click.Group):
    """Take ``ragkit eval [OPTIONS]`` as ``ragkit eval run [OPTIONS]``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group("eval", cls=_RunByDefault)
def evaluation() -> None:
    """Evaluate an index on a question set; without a command, `run` it.

    No language model and no API key are needed.
    """


@evaluation.command()
@_set_option
@index_option
@click.option(
    "--dataset",
    help="Build an index of this corpus and evaluate it: squad:FILE.json or beir:FOLDER. Replaces "
    "--set and --index.",
)
@reader_option
@_split_option
@click.option(
    "--trec",
    type=click.Path(path_type=Path),
    help="Write a TREC run and its qrels to this folder.",
)
@chatbot_options
@_with_outputs
@json_option
def run(
    *, set_path: Path, index_path: Path | None, dataset: str | None, reads: bool,
    split: str | None, trec: Path | None, chatbot: Chatbot | None, history: Path | None,
    as_json: bool, **outputs: Path | None,
) -> None:  # fmt: skip
    """Ask every question of the set and print the measures."""
    _check_history(history)
    questions, index = _build(dataset) if dataset else _load(set_path, index_path)
    report = _evaluate(questions.of_split(split), with_reader(index, reads=reads), chatbot)
    _write_reports(report, None, history, outputs)
    if trec:
        _write_trec(report, trec)
    if as_json:
        absent = {"absent": dict(report.absent)} if report.absent else {}
        print_json({"summary": report.summary(), "latency_ms": report.latency(), **absent})
        return
    from ragkit.evaluation.render import report_tables

    for table in report_tables(report):
        table_console().print(table)


@evaluation.command()
@_set_option
@index_option
@chatbot_options
@_with_outputs
@json_option
def gate(
    *, set_path: Path, index_path: Path | None, chatbot: Chatbot | None, history: Path | None,
    as_json: bool, **outputs: Path | None,
) -> None:  # fmt: skip
    """Fail if the index is worse than the set's baseline or floors.

    The exit status is then 1. Only significant losses against the baseline count.
    """
    from ragkit.evaluation import check_gate, load_baseline
    from ragkit.evaluation.harness import load_folder_floors
    from ragkit.evaluation.render import changed_lines, comparison_table

    _check_history(history)
    bless = _same_options("ragkit eval bless")
    baseline = load_baseline(set_path, bless=bless)
    questions, index = _load(set_path, index_path)
    report = _evaluate(questions, index, chatbot)
    with progress_bar("Comparing with the baseline"):
        verdict = check_gate(
            report, baseline, load_folder_floors(set_path), bless=bless,
            paraphrases=chatbot is not None and chatbot.paraphrases,
        )  # fmt: skip
    _write_reports(report, verdict, history, outputs)
    if as_json:
        print_json({"passed": verdict.passed, "reasons": verdict.reasons, "notes": verdict.notes})
    else:
        table_console().print(comparison_table(verdict.comparisons))
        for line in changed_lines(verdict.changed):
            click.echo(line)
        for note in verdict.notes:
            click.echo(f"note: {note}")
        for reason in verdict.reasons:
            click.secho(f"FAIL {reason}", fg="red")
        if verdict.passed:
            click.secho(f"The gate passes: {len(report.outcomes)} questions.", fg="green")
    if not verdict.passed:
        sys.exit(ExitStatus.NEGATIVE)


@evaluation.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@json_option
def compare(before: Path, after: Path, as_json: bool) -> None:
    """Compare two saved reports question by question.

    BEFORE and AFTER are reports that `ragkit eval run --save` wrote. Each difference comes with its
    confidence interval and p-values.
    """
    from dataclasses import asdict

    from ragkit.evaluation import compare_reports, load_report
    from ragkit.evaluation.render import comparison_table

    comparisons = compare_reports(load_report(before), load_report(after))
    if as_json:
        print_json([asdict(c) for c in comparisons])
    else:
        table_console().print(comparison_table(comparisons))


@evaluation.command()
@_set_option
@index_option
@click.option(
    "--max-error",
    type=float,
    required=True,
    help="Largest fraction of all questions that may get a wrong answer.",
)
@reader_option
@_split_option
@json_option
def threshold(
    *, set_path: Path, index_path: Path | None, max_error: float, reads: bool, split: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Find the confidence threshold that bounds the rate of wrong answers."""
    from dataclasses import asdict

    from ragkit.evaluation.conformal import ASSUMPTION, threshold_for

    questions, index = _load(set_path, index_path)
    report = _evaluate(questions.of_split(split), with_reader(index, reads=reads))
    promise = threshold_for(report, max_error)
    if as_json:
        print_json({**asdict(promise), "assumption": ASSUMPTION})
        return
    # Rounded up, since a lower threshold could admit one more wrong answer.
    rounded = math.ceil(promise.threshold * 10_000) / 10_000
    click.echo(
        f"Abstain below {rounded:.4f}: at most {max_error:.1%} of all questions then get "
        f"a wrong answer ({promise.error:.1%} of these {promise.n} did; "
        f"{promise.answered:.1%} were answered). {ASSUMPTION}"
    )


@evaluation.command()
@_set_option
@index_option
@chatbot_options
def bless(*, set_path: Path, index_path: Path | None, chatbot: Chatbot | None) -> None:
    """Evaluate the index and save the result as the baseline for the gate."""
    from ragkit.evaluation.harness import save_baseline

    questions, index = _load(set_path, index_path)
    report = _evaluate(questions, index, chatbot)
    path = save_baseline(report, set_path)
    click.echo(f"Saved {path}: {len(report.outcomes)} questions. Commit it with the reason.")


@click.command()
@_set_option
@click.option(
    "--index",
    "index_path",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the index to tune; better parameters are saved in it.",
)
@_split_option
@json_option
def tune(set_path: Path, index_path: Path, split: str | None, as_json: bool) -> None:
    """Fit the parameters of score and confidence to a question set.

    They are saved in the index only if they are significantly better on questions that they were
    not fitted to.
    """
    from dataclasses import asdict

    from ragkit.evaluation.tuning import EACH
    from ragkit.evaluation.tuning import tune as fit

    questions, index = _load(set_path, index_path)
    with progress_bar("Tuning") as show:
        tuning = fit(questions.of_split(split), index, progress=show)
    if tuning.gained:
        index.with_config(tuning.chosen).save(index_path)
    if as_json:
        print_json(asdict(tuning))
        return
    for c in filter(None, (tuning.held_out, tuning.confidence)):
        click.echo(
            f"{c.measure} on held-out questions: {c.before:.3f} → {c.after:.3f} "
            f"({c.difference:+.3f}, 95 % interval {c.low:+.3f} … {c.high:+.3f}, p {c.p:.3f}, "
            f"{c.n} questions)."
        )
    if tuning.confidence is None:
        click.echo(
            f"Confidence stays as it is: to fit it, the set needs {EACH} questions whose first "
            f"passage is right and {EACH} others, such as questions without an answer."
        )
    if tuning.gained:
        click.echo(f"Saved {tuning.chosen}.")
    else:
        click.echo(f"No gain is significant: {tuning.before} stays.")


@evaluation.command()
@_set_option
@index_option
@json_option
def lint(set_path: Path, index_path: Path | None, as_json: bool) -> None:
    """Check a question set: its spans, answers, duplicates, word overlap and size."""
    from dataclasses import asdict

    from ragkit.evaluation.lint import lint as check
    from ragkit.evaluation.render import lint_table

    questions, index = _load(set_path, index_path)
    report = check(questions, {document.id: document for document in index.documents})
    if as_json:
        print_json(asdict(report))
    else:
        table_console().print(lint_table(report))
        for finding in report.findings:
            click.echo(f"{finding.level}: {finding.question}: {finding.message}")
    if report.errors:
        sys.exit(ExitStatus.NEGATIVE)


@evaluation.command("import-feedback")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write: the lines of a question set.",
)
@index_option
@replace_option
def import_feedback(file: Path, out: Path, index_path: Path | None, replace: bool) -> None:
    """Make candidate questions of what people said about answers.

    FILE is what `ragkit serve --feedback` wrote. Liked answers become questions with gold; the
    others, of the category `to review`, need theirs from you. Duplicates are merged.
    """
    from ragkit.default import open_index
    from ragkit.evaluation.feedback import candidate_questions, save_candidates
    from ragkit.serving.feedback_file import load_feedback

    if file.resolve() == out.resolve():
        raise InputError(f"--out is {out}, the feedback itself; expected another file.")
    refuse_existing(out, replace=replace)
    candidates = candidate_questions(load_feedback(file), open_index(index_path))
    with naming_unwritable(out):
        save_candidates(candidates, out)
    to_review = sum(candidate.needs_review for candidate in candidates)
    click.echo(f"Wrote {out}: {len(candidates)} questions, {to_review} of them to review.")


for proposing in (generate, review):
    evaluation.add_command(proposing)


def _same_options(words: str) -> str:
    """Return a command with the options of this one that say what is measured."""
    context = click.get_current_context()
    typed = [
        argument
        for option in context.command.params
        if context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        and option.name not in _OUTPUTS
        for argument in _typed(option, context.params[option.name or ""])
    ]
    return command(words, *typed)


def _typed(option: click.Parameter, value: Any) -> tuple[object, ...]:
    """An option as it was typed; a flag has no value, and a second name for no."""
    if isinstance(value, bool):
        return ((option.opts if value else option.secondary_opts)[0],)
    return (option.opts[0], value)


def _load(set_path: Path, index_path: Path | None) -> tuple[QuestionSet, Index]:
    from ragkit.default import open_index
    from ragkit.evaluation import load_set

    with progress_bar("Opening the index"):
        index = open_index(index_path)
        return load_set(set_path, index), index


def _build(dataset: str) -> tuple[QuestionSet, Index]:
    from ragkit.api import Index
    from ragkit.evaluation import load_dataset

    documents, questions = load_dataset(dataset)
    with progress_bar("Indexing") as show:
        return questions, Index.build(documents, progress=show)


def _evaluate(questions: QuestionSet, index: Index, chatbot: Chatbot | None = None) -> Report:
    from ragkit.evaluation import evaluate_chatbot, evaluate_index

    with progress_bar("Asking") as show:
        if chatbot is not None:
            return evaluate_chatbot(questions, chatbot, index, progress=show)
        return evaluate_index(questions, index, progress=show)


def _check_history(path: Path | None) -> None:
    """Report a file that is no history before the questions are asked."""
    from ragkit.evaluation import load_history

    for line in load_history(path).skipped if path else ():
        click.echo(f"Skipped of {path}: {line}.", err=True)


def _write_reports(
    report: Report, verdict: Verdict | None, history: Path | None, outputs: dict[str, Path | None]
) -> None:
    from ragkit.evaluation import html_report, junit, markdown, record_run

    runs = record_run(report, history) if history else None
    contents = {
        "save": lambda: json.dumps(report.to_dict(), ensure_ascii=False, indent=1) + "\n",
        "junit": lambda: junit(report, verdict),
        "markdown": lambda: markdown(report, verdict, runs),
        "html": lambda: html_report(report, runs),
    }
    with progress_bar("Writing the reports"):
        for name, path in outputs.items():
            if path is not None:
                write_text(path, contents[name]())
    for path in filter(None, outputs.values()):
        click.echo(f"Wrote {path}.", err=True)


def _write_trec(report: Report, folder: Path) -> None:
    from ragkit.evaluation import to_qrels, to_run, write_qrels, write_run

    with naming_unwritable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_run(to_run(report), folder / "run.trec")
        write_qrels(to_qrels(report), folder / "qrels.trec")
