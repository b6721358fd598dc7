"""The commands ``ask``, ``chat``, ``show`` and ``quotes``."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

import ragkit
from ragkit.citations.urls import is_web_url
from ragkit.cli.options import (
    fresh_option,
    index_option,
    json_option,
    language_model,
    llm_options,
    opened,
    reader_option,
    threshold_option,
    where_option,
)
from ragkit.cli.output import ExitStatus, print_json, print_timings, use_colour
from ragkit.errors import InputError, LanguageModelError
from ragkit.timing import timings

if TYPE_CHECKING:
    from ragkit.answering.answer import Answer, Passage
    from ragkit.grounding import Policy

__all__ = ["ask", "chat", "quotes", "show"]

WIDTH = 88


@click.command()
@click.argument("question", nargs=-1, required=True)
@click.option("-k", default=5, show_default=True, help="Number of passages to return.")
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
    print_json(_answer_json(answer, index)) if as_json else _print_answer(answer, index)
    if explain and not as_json:
        click.echo("\n" + answer.explain())
    if show_timings:
        print_timings(stages)
    if not answer.answered:
        sys.exit(ExitStatus.NEGATIVE)


@click.command()
@click.option("-k", default=1, show_default=True, help="Number of passages to show.")
@index_option
@fresh_option
@reader_option
@threshold_option
@llm_options
@json_option
def chat(
    *, k: int, index_path: Path | None, require_fresh: bool, reads: bool, threshold: float | None,
    llm_name: str | None, llm_url: str | None, unsupported: Policy, as_json: bool,
) -> None:  # fmt: skip
    """Hold a conversation: each question may refer to the ones before it.

    Enter one question a line; an empty line ends the conversation. With --json, print one JSON
    object a line.
    """
    index = opened(index_path, reads=reads, require_fresh=require_fresh)
    llm = language_model(llm_name, llm_url)
    conversation = ragkit.Conversation(index, llm=llm, unsupported=unsupported)
    for question in _input_lines():
        try:
            answer = conversation.ask(question, k=k, threshold=threshold)
        except (InputError, LanguageModelError) as error:
            click.secho(f"ragkit: {error}", fg="red", err=True, color=use_colour())
            continue
        if as_json:
            click.echo(json.dumps(_answer_json(answer, index), ensure_ascii=False))
            continue
        if answer.standalone != answer.question:
            click.secho(f"(understood as: {answer.standalone})", dim=True, color=use_colour())
        _print_answer(answer, index)
        click.echo()


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
@json_option
def show(*, passage: str, index_path: Path | None, as_json: bool) -> None:
    """Print the whole PASSAGE with this id: DOCUMENT#START-END, as `ask` prints it."""
    from ragkit.default import open_index

    index = open_index(index_path)
    citation = index.cite(passage)
    path = _local_path(citation.document_id, citation.url, index)
    if as_json:
        own = {} if path is None else {"path": str(path)}
        print_json({"id": citation.passage_id, "citation": citation.to_dict(), **own})
        return
    click.secho(citation.label, bold=True, color=use_colour())
    place = citation.url or (path and _shown(path))
    if place:
        click.secho(str(place), dim=True, color=use_colour())
    click.echo(f"\n{citation.quote}")


def _input_lines() -> Iterator[str]:
    """Yield the lines of standard input up to an empty one; prompt on a terminal."""
    while True:
        if sys.stdin.isatty():
            click.secho("> ", nl=False, err=True, fg="cyan", color=use_colour())
        line = sys.stdin.readline().strip()
        if not line:
            return
        yield line


def _answer_json(answer: Answer, index: ragkit.Index) -> dict[str, Any]:
    """Return ``Answer.to_dict``; passages have the ``path`` of a source without a web address."""
    content = answer.to_dict()
    for passage in content["passages"]:
        path = _local_path(passage["citation"]["document_id"], passage["citation"]["url"], index)
        if path is not None:
            passage["path"] = str(path)
    return content


def _local_path(document_id: str, url: str | None, index: ragkit.Index) -> Path | None:
    """Return the absolute path of a document's file, unless it has a web address or is missing."""
    path = None if is_web_url(url) else index.source_path(document_id)
    return path.resolve() if path is not None and path.is_file() else None


def _print_answer(answer: Answer, index: ragkit.Index) -> None:
    from ragkit.answering.confidence import in_words

    head = answer.text if answer.answered else f"The corpus does not say ({answer.reason})."
    if answer.short:
        short = " ".join(answer.short.quote.split())
        click.secho(textwrap.fill(short, WIDTH), fg="green", bold=True, color=use_colour())
        click.echo()
    click.secho(textwrap.fill(head, WIDTH), bold=not answer.short, color=use_colour())
    sure = f"confidence {answer.confidence:.2f} ({in_words(answer.confidence)})"
    click.secho(sure, dim=True, color=use_colour())
    for passage in answer.passages:
        click.echo()
        click.echo(_headline(passage), color=use_colour())
        if passage.lead:
            click.secho(_indented(passage.lead.quote), dim=True, color=use_colour())
        click.echo(_indented(" … ".join(passage.quote(span) for span in passage.highlights)))
        _print_place(passage.citation, index)


def _indented(text: str) -> str:
    indent = " " * 4
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _headline(passage: Passage) -> str:
    citation = passage.citation
    rank = click.style(f"[{passage.rank}]", fg="cyan")
    score = click.style(f"score {passage.score:.3f}", dim=True)
    return f"{rank} {citation.label}  {citation.start}–{citation.end}  {score}"


def _print_place(citation: ragkit.Citation, index: ragkit.Index) -> None:
    """Print the passage's id, for ``ragkit show``, and its file if that can be opened."""
    path = _local_path(citation.document_id, citation.url, index)
    place = citation.passage_id if path is None else f"{citation.passage_id}  {_shown(path)}"
    click.secho(f"    {place}", dim=True, color=use_colour())


def _shown(path: Path) -> Path:
    """Return the path relative to the working directory, if it is inside that."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
