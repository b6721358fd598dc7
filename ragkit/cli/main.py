"""The commands ``ask`` and ``index``, and the program's entrance."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

import ragkit
from ragkit.cli.evaluating import evaluation, tune
from ragkit.cli.printing import (
    colour,
    index_option,
    json_option,
    language_model,
    llm_options,
    log_to_terminal,
    print_json,
    print_timings,
    progress,
    threshold_option,
    where_of,
    where_option,
    workers_option,
)
from ragkit.cli.serving import mcp, serve
from ragkit.errors import (
    EncoderError,
    InputError,
    LanguageModelError,
    MissingExtraError,
    RagkitError,
    StoreError,
    WorkersError,
)
from ragkit.timing import timings
from ragkit.types import Citation

if TYPE_CHECKING:
    from ragkit.answering.answer import Answer, Passage
    from ragkit.encoding import Runtime
    from ragkit.grounding import Policy

__all__ = ["cli", "main"]

NOT_ANSWERED, BAD_INPUT, BAD_STORE, BAD_MODEL, INTERRUPTED = 1, 2, 3, 4, 130
WIDTH = 88


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(ragkit.__version__, prog_name="ragkit")
def cli() -> None:
    """Ask an article, get cited passages: offline, no key, no server."""


@cli.command()
@click.argument("question", nargs=-1, required=True)
@click.option("-k", default=5, show_default=True, help="How many passages to return.")
@index_option
@threshold_option
@where_option
@llm_options
@click.option("--explain", is_flag=True, help="Say why each passage scored as it did.")
@click.option("--timings", "show_timings", is_flag=True, help="Say where the time went.")
@json_option
def ask(
    *, question: tuple[str, ...], k: int, index_path: Path | None, threshold: float | None,
    conditions: tuple[str, ...], llm_name: str | None, llm_url: str | None, unsupported: Policy,
    explain: bool, show_timings: bool, as_json: bool,
) -> None:  # fmt: skip
    """Answer QUESTION with cited passages. Several words need no quotes."""
    from ragkit.default import open_index

    chosen: dict[str, Any] = {} if threshold is None else {"threshold": threshold}
    chosen |= {"llm": language_model(llm_name, llm_url), "unsupported": unsupported}
    with timings() as stages:
        index = open_index(index_path)
        where = where_of(conditions, index.documents)
        answer = index.ask(" ".join(question), k=k, where=where, **chosen)
    print_json(answer.to_dict()) if as_json else _print_answer(answer)
    if explain and not as_json:
        click.echo("\n" + answer.explain())
    if show_timings:
        print_timings(stages)
    if not answer.answered:
        sys.exit(NOT_ANSWERED)


@cli.command()
@click.option("-k", default=1, show_default=True, help="How many passages to show.")
@index_option
@threshold_option
@llm_options
@json_option
def chat(
    *, k: int, index_path: Path | None, threshold: float | None, llm_name: str | None,
    llm_url: str | None, unsupported: Policy, as_json: bool,
) -> None:  # fmt: skip
    """Talk: follow-up questions are understood by what was asked before. An empty line ends."""
    conversation = ragkit.Conversation(
        index_path, llm=language_model(llm_name, llm_url), unsupported=unsupported
    )
    chosen: dict[str, Any] = {} if threshold is None else {"threshold": threshold}
    for question in _typed():
        try:
            answer = conversation.ask(question, k=k, **chosen)
        except (InputError, LanguageModelError) as error:
            click.secho(f"ragkit: {error}", fg="red", err=True, color=colour())
            continue
        if as_json:
            click.echo(json.dumps(answer.to_dict(), ensure_ascii=False))
            continue
        if answer.standalone != answer.question:
            click.secho(f"(understood as: {answer.standalone})", dim=True, color=colour())
        _print_answer(answer)
        click.echo()


@cli.command()
@click.argument("text", type=click.File("rb"), default="-")
@index_option
@json_option
def quotes(text: BinaryIO, index_path: Path | None, as_json: bool) -> None:
    """Check whether every quotation in TEXT (a file, or standard input) stands in the corpus."""
    try:
        content = text.read().decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{text.name} is not UTF-8 ({error}). Convert it first.") from error
    report = ragkit.check_quotes(content, index_path)
    print_json(report.to_dict()) if as_json else click.echo(str(report))
    if not report.ok:
        sys.exit(NOT_ANSWERED)


runtime_option = click.option(
    "--runtime",
    type=click.Choice(["reference", "float32", "int8"]),
    default="reference",
    show_default=True,
    help="What reads the sources; int8 is twice as fast. One index is best read by one of them.",
)


@cli.group()
def index() -> None:
    """Build, describe and verify indexes."""


@index.command()
@click.argument("sources", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The index's folder.")
@click.option("--model", default=None, help="Folder or hub name of a bi-encoder.")
@runtime_option
@click.option(
    "--memory",
    default=None,
    metavar="SIZE",
    help="What an asking process may keep in memory, such as 500MB; default 2GiB.",
)
@workers_option
@json_option
def build(
    *,
    sources: tuple[str, ...],
    out: Path,
    model: str | None,
    runtime: Runtime,
    memory: str | None,
    workers: str | None,
    as_json: bool,
) -> None:
    """Build the index of SOURCES: files, folders, patterns. Run it again after an interruption."""
    with progress("Encoding") as show:
        named = {} if model is None else {"name": model}
        encoder = model if runtime == "reference" else ragkit.load_encoder(**named, runtime=runtime)
        built = ragkit.Index.build(
            list(sources), out, encoder=encoder, memory=memory, progress=show, workers=workers
        )
    if as_json:
        print_json({"index": str(out), **built.counts})
    else:
        sizes = ", ".join(f"{number} {name}" for name, number in built.counts.items())
        click.echo(f"Built {out}: {sizes}.")


@index.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("sources", nargs=-1, required=True)
@runtime_option
@workers_option
@json_option
def update(
    *,
    path: Path,
    sources: tuple[str, ...],
    runtime: Runtime,
    workers: str | None,
    as_json: bool,
) -> None:
    """Make the index at PATH that of SOURCES; only what is new or changed is read by the model."""
    from ragkit.index import Manifest

    before = {s.document_id: s.sha256 for s in Manifest.load(path).sources}
    with progress("Encoding") as show:
        encoder = _reading(path, runtime)
        updated = ragkit.Index.update(
            path, list(sources), encoder=encoder, progress=show, workers=workers
        )
    after = {s.document_id: s.sha256 for s in Manifest.load(path).sources}
    both = before.keys() & after.keys()
    changes = {
        "added": len(after.keys() - both),
        "changed": sum(before[name] != after[name] for name in both),
        "removed": len(before.keys() - both),
    }
    if as_json:
        print_json({"index": str(path), **changes, **updated.counts})
    else:
        sizes = ", ".join(f"{number} {name}" for name, number in changes.items())
        click.echo(f"Updated {path}: {sizes}; {updated.counts['documents']} documents now.")


@index.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def info(path: Path, as_json: bool) -> None:
    """Say what made the index at PATH and what it holds, from its manifest."""
    from ragkit.index import DEFAULT_MEMORY, Manifest

    manifest = Manifest.load(path).to_dict()
    if as_json:
        print_json(manifest)
        return
    encoder = manifest["encoder"]
    rows = {
        "generation": manifest["generation"],
        "encoder": f"{encoder['name']} ({encoder['dimension']}-d, {encoder['digest'][:16]})",
        "chunker": ", ".join(f"{k}={v}" for k, v in manifest["chunker"].items()),
        "dense": _searching(manifest["dense"]),
        "tokens": f"{manifest['tokens']['bits']} bits a component",
        "memory": f"{(manifest['memory'] or DEFAULT_MEMORY) / 2**20:,.0f} MiB",
        **{name: str(number) for name, number in manifest["counts"].items()},
        "bytes": f"{sum(f['bytes'] for f in manifest['files'].values()):,}",
    }
    for name, value in rows.items():
        click.echo(f"{name:12}{value}")
    for source in manifest["sources"]:
        names = ", ".join(source["documents"][:3])
        more = len(source["documents"]) - 3
        shown = f"{names} and {more} more" if more > 0 else names
        click.echo(f"{'source':12}{shown} ({source['path'] or 'in memory'})")


@index.command()
@click.argument("citations", type=click.Path(path_type=Path))
@click.option("--index", "path", required=True, type=click.Path(path_type=Path))
@json_option
def reanchor(citations: Path, path: Path, as_json: bool) -> None:
    """Find old CITATIONS again in the index at PATH, built from the edited sources.

    CITATIONS is JSON: a list of citations, or an answer as `ragkit ask --json` printed it.
    """
    opened = ragkit.Index.open(path)
    anchors = [(old, _reanchored(old, opened)) for old in _citations(citations)]
    if as_json:
        print_json(
            [
                {
                    "status": anchor.status.value,
                    "similarity": anchor.similarity,
                    "before": old.to_dict(),
                    "after": anchor.citation and anchor.citation.to_dict(),
                }
                for old, anchor in anchors
            ]
        )
        return
    for old, anchor in anchors:
        now = anchor.citation
        place = f"{now.start}–{now.end}" if now else "nowhere"
        click.echo(f"{anchor.status:10}{old.start}–{old.end} → {place}  {old.quote[:60]!r}")


@index.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def verify(path: Path, as_json: bool) -> None:
    """Check every file, the model and the sources of the index at PATH."""
    from ragkit.index import Manifest
    from ragkit.index import verify as prove

    prove(path, Manifest.load(path))
    opened = ragkit.Index.open(path)
    if as_json:
        print_json({"index": str(path), "ok": True, **opened.counts})
    else:
        click.echo(f"{path} is whole: every file, the model and the sources match the manifest.")


@index.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("location")
def push(path: Path, location: str) -> None:
    """Copy the index at PATH to a server, such as milvus://localhost:19530/name."""
    with progress("Pushing") as show:
        ragkit.Index.open(path).push(location, progress=show)
    click.echo(f"Pushed {path} to {location.rpartition('@')[2]}.")


@index.command()
@click.argument("path", type=click.Path(path_type=Path))
@runtime_option
@json_option
def repair(path: Path, runtime: Runtime, as_json: bool) -> None:
    """Make the index at PATH whole again, from what of it is whole and from its sources."""
    with progress("Encoding") as show:
        damaged = ragkit.Index.repair(path, encoder=_reading(path, runtime), progress=show)
    if as_json:
        print_json({"index": str(path), "repaired": damaged})
    elif damaged:
        click.echo(f"Repaired {path}: {', '.join(damaged)}.")
    else:
        click.echo(f"{path} is whole; nothing was done.")


cli.add_command(evaluation)
cli.add_command(tune)
cli.add_command(serve)
cli.add_command(mcp)


def main() -> None:
    """Run the command line; every ragkit error becomes one line and an exit status."""
    log_to_terminal()
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Interrupted. What stood before still stands; a build can go on.", err=True)
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except RagkitError as error:
        click.secho(f"ragkit: {error}", fg="red", err=True, color=colour())
        sys.exit(_status(error))
    except BrokenPipeError:
        # The reader (head, less) has seen enough; Python must not complain while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _reanchored(old: Citation, index: ragkit.Index) -> ragkit.Anchor:
    """A document that the index no longer has took its quotes along."""
    if all(document.id != old.document_id for document in index.documents):
        return ragkit.Anchor(ragkit.AnchorStatus.GONE, None, 0.0)
    return old.reanchor(index.document(old.document_id))


def _citations(path: Path) -> list[Citation]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content["passages"] if isinstance(content, dict) else content
        return [Citation.from_dict(item.get("citation", item)) for item in found]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} holds no citations ({type(error).__name__}: {error}); expected what "
            f"`ragkit ask --json` prints, or a list of citations."
        ) from error


def _reading(path: Path, runtime: Runtime) -> ragkit.Encoder | None:
    """The model that made the index at ``path``, if another runtime than usual is to run it."""
    from ragkit.index import Manifest

    if runtime == "reference":
        return None
    return ragkit.load_encoder(Manifest.load(path).encoder.source, runtime=runtime)


def _searching(dense: Mapping[str, Any]) -> str:
    if not dense["sample"]:
        return f"{dense['faiss']}, {dense['similarity']}, exact"
    return (
        f"{dense['faiss']}, {dense['similarity']}, {dense['probes']} lists looked into, recall@10 "
        f"{dense['recall']:.3f} on {dense['sample']} sentences"
    )


def _status(error: RagkitError) -> int:
    if isinstance(error, StoreError):
        return BAD_STORE
    models = (EncoderError, LanguageModelError, MissingExtraError, WorkersError)
    return BAD_MODEL if isinstance(error, models) else BAD_INPUT


def _typed() -> Iterator[str]:
    """The lines of standard input up to an empty one, with a prompt where a person types."""
    while True:
        if sys.stdin.isatty():
            click.secho("> ", nl=False, err=True, fg="cyan", color=colour())
        line = sys.stdin.readline().strip()
        if not line:
            return
        yield line


def _print_answer(answer: Answer) -> None:
    head = answer.text if answer.answered else f"The corpus does not say ({answer.reason})."
    click.secho(textwrap.fill(head, WIDTH), bold=True, color=colour())
    if answer.answered and not answer.generated and answer.passages[0].phrase:
        click.secho(
            f"→ {answer.passages[0].quote(answer.passages[0].phrase)}", fg="green", color=colour()
        )
    for passage in answer.passages:
        click.echo()
        click.echo(_headline(passage), color=colour())
        quotes = " … ".join(passage.quote(span) for span in passage.highlights)
        indent = " " * 4
        click.echo(textwrap.fill(quotes, WIDTH, initial_indent=indent, subsequent_indent=indent))


def _headline(passage: Passage) -> str:
    citation = passage.citation
    number = click.style(f"[{passage.rank}]", fg="cyan")
    place = f"{citation.label}  {citation.start}–{citation.end}"
    return f"{number} {place}  " + click.style(f"score {passage.score:.3f}", dim=True)
