"""The commands ``ragkit eval generate`` and ``ragkit eval review``: a question set of one's own."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ragkit.cli.options import index_option, language_model
from ragkit.cli.output import ExitStatus, naming_unwritable, progress_bar, use_colour
from ragkit.commands import command
from ragkit.errors import InputError

__all__ = ["generate", "refuse_existing", "replace_option", "review"]

_NOTHING_EXTRACTED = (
    "No question can be proposed: the templates find names, dates, numbers and definitions in "
    "English sentences. Write questions by hand, or have a model write them: --llm"
)
_NOTHING_WRITTEN = "None of the model's proposals can be used. Try another model."
_MAX_TOKENS = 1000
"""Most tokens of one reply of a model."""

replace_option = click.option(
    "--replace", is_flag=True, help="Overwrite the file of --out if it exists."
)


def refuse_existing(out: Path, *, replace: bool) -> None:
    """Raise InputError if the file exists and may not be replaced."""
    if out.exists() and not replace:
        raise InputError(f"{out} exists. Choose another file, or overwrite it: --replace")


@click.command()
@index_option
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the proposals to this file, such as proposals.jsonl.",
)
@click.option(
    "--answerable", default=50, show_default=True, help="Most questions that the corpus answers."
)
@click.option(
    "--unanswerable", default=25, show_default=True, help="Most questions that it does not answer."
)
@click.option("--seed", default=0, show_default=True, help="Another seed draws other passages.")
@click.option(
    "--llm",
    "llm_name",
    help="Name of a language model that writes the questions; each is checked against the passage "
    "(default: templates, which read English).",
)
@click.option(
    "--llm-url",
    help="With --llm: base URL of an OpenAI-compatible endpoint. Its key is taken from "
    "OPENAI_API_KEY.",
)
@click.option(
    "--max-calls",
    type=click.IntRange(min=1),
    help="With --llm: most calls of the model (default: one for each of --answerable).",
)
@replace_option
def generate(
    *, index_path: Path | None, out: Path, answerable: int, unanswerable: int, seed: int,
    llm_name: str | None, llm_url: str | None, max_calls: int | None, replace: bool,
) -> None:  # fmt: skip
    """Propose questions from the documents of an index, to be reviewed by a person.

    Each has its span of the document, or is one of six kinds of question that the documents nearly
    answer.
    """
    from ragkit.default import open_index
    from ragkit.evaluation import propose_questions, save_questions
    from ragkit.evaluation.proposals import MOST_CHARACTERS, default_calls

    model = language_model(llm_name, llm_url, max_tokens=_MAX_TOKENS)
    if max_calls is not None and llm_name is None:
        raise InputError(f"--max-calls {max_calls} has no --llm beside it; expected both.")
    refuse_existing(out, replace=replace)
    if model is not None:
        calls = default_calls(answerable) if max_calls is None else max_calls
        click.echo(
            f"{llm_name} is called at most {calls:,} times; each call reads at most "
            f"{MOST_CHARACTERS:,} characters and writes at most {_MAX_TOKENS:,} tokens. To limit "
            f"that: --max-calls",
            err=True,
        )
    with progress_bar("Proposing") as show:
        proposals = propose_questions(
            open_index(index_path).documents, answerable=answerable, unanswerable=unanswerable,
            seed=seed, model=model, max_calls=max_calls, progress=show,
        )  # fmt: skip
    if len(proposals.questions):
        with naming_unwritable(out):
            save_questions(proposals.questions, out)
    for reason, number in sorted(proposals.refused.items()):
        click.echo(f"Refused of the model's proposals: {number}, {reason}.", err=True)
    if not len(proposals.questions):
        click.echo(_NOTHING_EXTRACTED if model is None else _NOTHING_WRITTEN, err=True)
        sys.exit(ExitStatus.NEGATIVE)
    index = () if index_path is None else ("--index", index_path)
    review = command("ragkit eval review", out, "--out", "my-eval/questions.jsonl", *index)
    count = sum(question.answerable for question in proposals.questions)
    click.echo(
        f"Wrote {out}: {count} answerable and {len(proposals.questions) - count} unanswerable "
        f"questions. Review them: {review}"
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@index_option
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the accepted questions to this file, such as my-eval/questions.jsonl.",
)
@click.option("--port", default=8002, show_default=True, help="Port to listen on; 0 picks one.")
@replace_option
def review(file: Path, index_path: Path | None, out: Path, port: int, replace: bool) -> None:
    """Accept, edit or reject proposed questions on a page of this machine.

    Every decision is saved at once, beside FILE; run the command again to go on.
    """
    from ragkit.default import open_index
    from ragkit.evaluation.review import Review
    from ragkit.evaluation.review_server import listen

    opened = Review.open(file, out, open_index(index_path).documents, replace=replace)
    with listen(opened, port) as server:
        click.secho(f"Review at {server.url} (Ctrl+C ends it).", bold=True, color=use_colour())
        server.wait()
    click.echo(f"{opened.summary} Accepted questions are in {out}.")
