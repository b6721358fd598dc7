"""The commands ``ask``, ``show`` and ``quotes``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

import ragkit
from ragkit.cli.options import (
    fresh_option,
    index_option,
    json_option,
    language_model,
    llm_options,
    opened,
    reader_option,
    setting_option,
    threshold_option,
    where_option,
)
from ragkit.cli.output import (
    ExitStatus,
    confidence_line,
    print_json,
    print_timings,
    reader_messages,
    use_colour,
    write_bytes,
)
from ragkit.cli.places import citation_json, local_path, place_of, relative_path, with_paths
from ragkit.cli.wrapping import text_width, wrap, wrap_quote
from ragkit.errors import InputError
from ragkit.timing import timings

if TYPE_CHECKING:
    from ragkit.answering.answer import Answer, Passage
    from ragkit.catalogue import Catalogue
    from ragkit.grounding import Policy

__all__ = ["ask", "quotes", "show"]


@click.command()
@click.argument("question", nargs=-1, required=True)
@setting_option("k", "-k")
@index_option
@fresh_option
@reader_option
@threshold_option
@where_option
@llm_options
@click.option("--explain", is_flag=True, help="Explain the score of each passage.")
@click.option(
    "--timings", "show_timings", is_flag=True, help="Print the time that each stage took."
)
@json_option
def ask(
    *, question: tuple[str, ...], k: int, index_path: Path | None, require_fresh: bool,
    reads: bool, threshold: float | None, conditions: tuple[str, ...], llm_name: str | None,
    llm_url: str | None, unsupported: Policy, explain: bool, show_timings: bool, as_json: bool,
) -> None:  # fmt: skip
    """Answer QUESTION with cited passages.

    QUESTION may be several words; it needs no quotation marks.
    """
    from ragkit.index.filters import parse_where

    llm = language_model(llm_name, llm_url)
    with timings() as stages:
        index = opened(index_path, reads=reads, require_fresh=require_fresh)
        where = parse_where(conditions, index.metadata) if conditions else None
        answer = index.ask(
            " ".join(question), k=k, threshold=threshold, where=where, llm=llm,
            unsupported=unsupported,
        )  # fmt: skip
    if as_json:
        print_json(with_paths(answer.to_dict(), answer, index))
    else:
        _print_answer(answer, index)
    if explain and not as_json:
        click.echo("\n" + answer.explain())
    if show_timings:
        print_timings(stages)
    if not answer.answered:
        sys.exit(ExitStatus.NEGATIVE)


@click.command()
@click.argument("text", type=click.File("rb"), default="-")
@index_option
@json_option
def quotes(text: BinaryIO, index_path: Path | None, as_json: bool) -> None:
    """Check every quotation in TEXT against the corpus.

    TEXT is a file; without it, standard input is checked. The exit status is 1 if the corpus lacks
    a quotation.
    """
    try:
        content = text.read().decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{text.name} is not UTF-8 ({error}); convert it to UTF-8 first."
        ) from error
    report = ragkit.check_quotes(content, index_path)
    print_json(report.to_dict()) if as_json else click.echo(str(report))
    if not report.ok:
        sys.exit(ExitStatus.NEGATIVE)


@click.command()
@click.argument("passage")
@index_option
@click.option(
    "--image",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a picture of the page with the passage marked, as PNG. For PDFs; where the "
    "passage is on several pages, the others are written beside it, with their numbers.",
)
@json_option
def show(*, passage: str, index_path: Path | None, image: Path | None, as_json: bool) -> None:
    """Print the whole PASSAGE with this id: DOCUMENT#START-END, as `ask` prints it."""
    from ragkit.default import open_index

    index = open_index(index_path)
    citation = index.cite(passage)
    if image is not None:
        _write_images(index.page_images(citation), image)
    if as_json:
        print_json(citation_json(citation, index))
        return
    click.secho(citation.label, bold=True, color=use_colour())
    place = place_of(citation, index)
    if place:
        click.secho(place, dim=True, color=use_colour())
    click.echo(f"\n{citation.quote}")


def _write_images(images: Sequence[ragkit.PageImage], path: Path) -> None:
    """Write the first picture to ``path``, and the others beside it."""
    for number, image in enumerate(images):
        own = path.with_stem(f"{path.stem}-p{image.page}") if number else path
        write_bytes(own, image.png)
        click.echo(f"Wrote {own}: page {image.page}.", err=True)


def _print_answer(answer: Answer, index: ragkit.Index) -> None:
    from ragkit.answering.render import abstention

    messages = reader_messages()
    head = answer.text if answer.answered else abstention(answer.reason, messages)
    if answer.short:
        short = wrap(answer.short.quote, text_width())
        click.secho(short, fg="green", bold=True, color=use_colour())
        click.echo()
    click.secho(wrap_quote(head, text_width()), bold=not answer.short, color=use_colour())
    click.secho(confidence_line(answer, messages), dim=True, color=use_colour())
    _print_choices(answer, messages)
    for passage in answer.passages:
        click.echo()
        click.echo(_headline(passage), color=use_colour())
        if passage.lead:
            click.secho(_quoted(passage.lead.quote), dim=True, color=use_colour())
        click.echo(_quoted(" … ".join(passage.quote(span) for span in passage.highlights)))
        _print_place(passage.citation, index)


def _print_choices(answer: Answer, messages: Catalogue) -> None:
    """Print what to ask for each reading of a question that has several."""
    if answer.choices:
        click.echo("\n" + messages.text("terminal.which_question"))
    for choice in answer.choices:
        click.echo(wrap(choice.question, text_width(), indent=" " * 4, first="  - "))


def _quoted(text: str) -> str:
    return wrap_quote(text, text_width(), indent=" " * 4)


def _headline(passage: Passage) -> str:
    citation = passage.citation
    rank = click.style(f"[{passage.rank}]", fg="cyan")
    score = click.style(f"score {passage.score:.3f}", dim=True)
    return f"{rank} {citation.label}  {citation.start}–{citation.end}  {score}"


def _print_place(citation: ragkit.Citation, index: ragkit.Index) -> None:
    """Print the passage's id, for ``ragkit show``, and its file if that can be opened."""
    path = local_path(citation, index)
    file = "" if path is None else f"  {relative_path(path)}"
    place = f"{citation.passage_id}{file}"
    click.secho(f"    {place}", dim=True, color=use_colour())
