"""The commands of ``ragkit index``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

import ragkit
from ragkit.cli.configuration import without_credentials
from ragkit.cli.generation import replace_option
from ragkit.cli.options import IndexLocation, json_option, setting_option
from ragkit.cli.output import (
    ended_by_signal,
    print_json,
    print_json_line,
    print_left_out,
    progress_bar,
    use_colour,
)

if TYPE_CHECKING:
    from ragkit.encoding import Runtime
    from ragkit.index.vectors import SearchSettings
    from ragkit.indexing.reports import IndexInfo

__all__ = ["index"]

path_argument = click.argument("path", type=click.Path(path_type=Path))
runtime_option = click.option(
    "--runtime",
    type=click.Choice(["reference", "float32", "int8"]),
    default=None,
    help="Runtime that encodes the sources (default: that of the index; of a new one int8, where "
    "the model allows it). If you change it, everything is encoded again.",
)
workers_option = click.option(
    "--workers",
    metavar="ADDRESS",
    help="Encode on this Ray cluster, such as ray://host:10001; `ray` means the one on this "
    "machine.",
)
strict_option = click.option(
    "--strict",
    is_flag=True,
    help="Refuse a folder or pattern with a file that cannot be indexed, instead of leaving the "
    "file out.",
)


@click.group()
def index() -> None:
    """Build, update, watch, describe, verify, repair and export indexes."""


@index.command()
@click.argument("sources", nargs=-1, required=True)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder to write the index to."
)
@click.option(
    "--encoder",
    "--model",  # its first name
    "model",
    default=None,
    help="Folder or hub name of a bi-encoder, or of a model for late interaction (default: the one "
    "that ragkit carries).",
)
@click.option(
    "--question-prompt",
    metavar="TEXT",
    help='Text that the model was trained to read in front of questions, such as "query: ". By '
    "default what the model's files or its publisher say.",
)
@click.option("--passage-prompt", metavar="TEXT", help="The same for passages.")
@runtime_option
@click.option(
    "--memory",
    default=None,
    metavar="SIZE",
    help="Memory budget of each process that answers questions, such as 500MB (default: 2GiB).",
)
@click.option(
    "--compact",
    is_flag=True,
    help="Make the index about half as large, with 2 bits instead of 4 for each component of a "
    "token vector. Only for models that were trained for late interaction, as the default one is.",
)
@setting_option("build.language")
@workers_option
@strict_option
@click.option(
    "--replace",
    is_flag=True,
    help="Drop the documents of an index that stands there already and are not in SOURCES.",
)
@json_option
def build(
    *, sources: tuple[str, ...], out: Path, model: str | None, question_prompt: str | None,
    passage_prompt: str | None, runtime: Runtime | None, memory: str | None, compact: bool,
    language: str | None, workers: str | None, strict: bool, replace: bool, as_json: bool,
) -> None:  # fmt: skip
    """Build an index of SOURCES: files, folders or patterns.

    Files of folders and patterns that cannot be indexed are left out and listed on standard error.
    If a build was interrupted, the same command resumes it.
    """
    from ragkit.encoding import DEFAULT_MODEL

    with _writing("Encoding texts") as show:
        prompts = None
        if question_prompt is not None or passage_prompt is not None:
            prompts = ragkit.Prompts(question_prompt or "", passage_prompt or "")
        encoder = ragkit.load_encoder(model or DEFAULT_MODEL, runtime=runtime, prompts=prompts)
        built = ragkit.Index.build(
            list(sources), out, encoder=encoder, memory=memory, compact=compact, progress=show,
            workers=workers, strict=strict, replace=replace, language=language,
        )  # fmt: skip
    print_left_out(built.left_out)
    if as_json:
        print_json({"index": str(out), **built.counts, "left_out": built.left_out.to_dict()})
    else:
        click.echo(f"Built {out}: {_sizes(built.counts)}.")


@index.command()
@path_argument
@click.argument("sources", nargs=-1)
@click.option(
    "--language",
    metavar="CODE",
    help="Language of documents that state none, from now on; `und` for what their words tell.",
)
@runtime_option
@workers_option
@strict_option
@click.option(
    "--drop-missing",
    is_flag=True,
    help="Without SOURCES, or with --add: drop the documents of files that are no longer there.",
)
@click.option(
    "--add", is_flag=True, help="Keep the files that it was built from, and add SOURCES to them."
)
@json_option
def update(
    *, path: Path, sources: tuple[str, ...], language: str | None, runtime: Runtime | None,
    workers: str | None, strict: bool, drop_missing: bool, add: bool, as_json: bool,
) -> None:  # fmt: skip
    """Update the index at PATH to match SOURCES, or the files that it was built from.

    Only chunks whose text changed are encoded. Without --add, documents that are not in SOURCES
    are removed. Those that `build` would leave out are removed, too.
    """
    with _writing("Encoding texts") as show:
        encoder = _encoder(path, runtime)
        updated = ragkit.Index.update(
            path,
            list(sources) or None,
            encoder=encoder,
            progress=show,
            workers=workers,
            strict=strict,
            drop_missing=drop_missing,
            add=add,
            language=language,
        )
    print_left_out(updated.left_out)
    if as_json:
        changes = updated.update_report.counts if updated.update_report else {}
        left_out = updated.left_out.to_dict()
        print_json({"index": str(path), **changes, **updated.counts, "left_out": left_out})
    else:
        click.echo(_updated_line(path, updated))


@index.command()
@click.argument("sources", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the index.")
@setting_option("watch.quiet")
@setting_option("watch.drop-missing")
@json_option
def watch(
    *, sources: tuple[str, ...], out: Path | None, quiet: float, drop_missing: bool, as_json: bool
) -> None:
    """Update the index at --out whenever SOURCES change; build it if it is not there.

    SOURCES are files, folders or patterns. Without --out, SOURCES is the folder of an index, and
    the files that it was built from are watched. Each update prints a line, or with --json an
    object. Ctrl+C ends it. A server that serves the index takes each update up by itself.
    """
    from ragkit.watching import watch as watched_updates

    if out is None and len(sources) > 1:
        raise click.UsageError("several SOURCES without --out; expected the folder of the index.")
    path, watched_sources = (Path(sources[0]), ()) if out is None else (out, sources)
    updates = watched_updates(path, watched_sources, quiet=quiet, drop_missing=drop_missing)
    left_out: list[str] = []
    with ended_by_signal():
        for number, update in enumerate(updates):
            if update.index is None:
                click.secho(f"Not updated: {update.error}", fg="red", err=True, color=use_colour())
                continue
            if left_out != (left_out := update.index.left_out.lines()):
                print_left_out(update.index.left_out)
            _print_watched(path, update.index, as_json=as_json)
            if number == 0:
                click.secho("Watching; Ctrl+C ends it.", err=True, dim=True, color=use_colour())


def _print_watched(path: Path, index: ragkit.Index, *, as_json: bool) -> None:
    report = index.update_report
    if as_json:
        changes = report.counts if report else {}
        print_json_line({"index": str(path), **changes, **index.counts})
    elif report is None:
        click.echo(f"Built {path}: {_sizes(index.counts)}.")
    else:
        click.echo(_updated_line(path, index))


def _updated_line(path: Path, updated: ragkit.Index) -> str:
    changes = updated.update_report.counts if updated.update_report else {}
    return f"Updated {path}: {_sizes(changes)}; {updated.counts['documents']} documents now."


@index.command()
@path_argument
@json_option
def info(path: Path, as_json: bool) -> None:
    """Show what made the index at PATH and what it holds.

    Only the manifest is read; --json prints all of it.
    """
    description = ragkit.Index.info(path)
    if as_json:
        print_json(description.to_dict())
        return
    for name, value in _info_rows(description).items():
        click.echo(f"{name:12}{value}")
    for source in description.sources:
        names = ", ".join(source.documents[:3])
        more = len(source.documents) - 3
        shown = f"{names} and {more} more" if more > 0 else names
        click.echo(f"{'source':12}{shown} ({source.path or 'in memory'})")


@index.command()
@click.argument("citations", type=click.Path(path_type=Path))
@click.option(
    "--index", "path", required=True, type=click.Path(path_type=Path), help="Folder of the index."
)
@json_option
def reanchor(citations: Path, path: Path, as_json: bool) -> None:
    """Find the quotes of CITATIONS again after their sources were edited.

    CITATIONS is a JSON file: a list of citations, or an answer that `ragkit ask --json` printed.
    The index must have been built from the edited sources.
    """
    from ragkit.answering.saved_citations import load_citations

    opened = ragkit.Index.open(path)
    anchors = [(citation, opened.reanchor(citation)) for citation in load_citations(citations)]
    if as_json:
        print_json(
            [
                {
                    "status": anchor.status.value,
                    "similarity": anchor.similarity,
                    "before": before.to_dict(),
                    "after": anchor.citation and anchor.citation.to_dict(),
                }
                for before, anchor in anchors
            ]
        )
        return
    for before, anchor in anchors:
        after = anchor.citation
        place = f"{after.start}–{after.end}" if after else "nowhere"
        click.echo(
            f"{anchor.status:10}{before.start}–{before.end} → {place}  {before.quote[:60]!r}"
        )


@index.command()
@path_argument
@json_option
def verify(path: Path, as_json: bool) -> None:
    """Verify every file, the model and the sources of the index at PATH."""
    with progress_bar("Verifying files"):
        verified = ragkit.Index.verify(path)
    missing = verified.missing_sources
    if as_json:
        sources = {"missing_sources": [str(file) for file in missing]}
        print_json({"index": str(path), "ok": True, **verified.counts, **sources})
    elif missing:
        click.echo(
            f"{path} is intact: every file and the model match the manifest. Its sources are not "
            f"where they were, so that they could not be compared: {len(missing)} files, such as "
            f"{missing[0]}."
        )
    else:
        click.echo(f"{path} is intact: every file, the model and the sources match the manifest.")


@index.command()
@path_argument
@click.argument("location")
def push(path: Path, location: str) -> None:
    """Copy the index at PATH to a server, such as milvus://localhost:19530/name."""
    with _writing("Pushing chunks") as show:
        ragkit.Index.open(path).push(location, progress=show)
    click.echo(f"Pushed {path} to {without_credentials(location)}.")


@index.command()
@click.argument("path", type=IndexLocation(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; its suffix is .jsonl (JSON Lines) or .parquet.",
)
@click.option("--vectors", is_flag=True, help="Add the vector of each chunk.")
@replace_option
@json_option
def export(*, path: Path, out: Path, vectors: bool, replace: bool, as_json: bool) -> None:
    """Write all documents and chunks of the index at PATH to one file.

    Each document is followed by its chunks, with ids, spans, sections and metadata. PATH may be the
    milvus:// address of an index on a server.
    """
    opened = ragkit.Index.open(path)
    with progress_bar("Exporting") as show:
        opened.export(out, vectors=vectors, replace=replace, progress=show)
    counts = {name: opened.counts[name] for name in ("documents", "chunks")}
    if as_json:
        print_json({"file": str(out), **counts})
    else:
        click.echo(f"Exported {without_credentials(path)} to {out}: {_sizes(counts)}.")


@index.command()
@path_argument
@runtime_option
@json_option
def repair(path: Path, runtime: Runtime | None, as_json: bool) -> None:
    """Repair the index at PATH from its intact files and its sources."""
    with _writing("Encoding texts") as show:
        damaged = ragkit.Index.repair(path, encoder=_encoder(path, runtime), progress=show)
    if as_json:
        print_json({"index": str(path), "repaired": damaged})
    elif damaged:
        click.echo(f"Repaired {path}: {', '.join(damaged)}.")
    else:
        click.echo(f"{path} is intact; there was nothing to repair.")


@index.command()
@path_argument
@json_option
def upgrade(path: Path, as_json: bool) -> None:
    """Upgrade the index at PATH to the format of this version of ragkit."""
    with _writing("Encoding texts") as show:
        upgraded = ragkit.Index.upgrade(path, progress=show)
    if as_json:
        print_json({"index": str(path), "upgraded": upgraded})
    elif upgraded:
        click.echo(f"Upgraded {path}.")
    else:
        click.echo(f"{path} has the current format; there was nothing to upgrade.")


@contextmanager
def _writing(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress; say what an interruption leaves behind."""
    try:
        with progress_bar(label) as show:
            yield show
    except KeyboardInterrupt:
        click.echo("The existing index is unchanged; run the command again to resume.", err=True)
        raise


def _encoder(path: Path, runtime: Runtime | None) -> ragkit.Encoder | None:
    """Load the index's model for a runtime; None for the one that the index was built with."""
    from ragkit.encoding.models import recorded_encoder

    if runtime is None:
        return None
    return recorded_encoder(ragkit.Index.info(path).encoder, runtime=runtime)


def _sizes(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _info_rows(info: IndexInfo) -> dict[str, str]:
    encoder = info.encoder
    return {
        "generation": info.generation,
        "encoder": f"{encoder.name} ({info.dimension}-d, {encoder.digest[:16]})",
        "runtime": info.runtime or "not recorded",
        "chunker": ", ".join(f"{k}={v}" for k, v in info.chunker.to_dict().items()),
        "dense": _search_method(info.search),
        "tokens": f"{info.token_bits} bits a component{', compact' if info.compact else ''}",
        "memory": f"{info.memory / 2**20:,.0f} MiB",
        **{name: str(number) for name, number in info.counts.items()},
        **({"languages": _languages(info)} if info.languages else {}),
        "bytes": f"{info.bytes:,}",
    }


def _languages(info: IndexInfo) -> str:
    return ", ".join(f"{name} {number}" for name, number in info.languages.items())


def _search_method(search: SearchSettings) -> str:
    if not search.sample:
        return f"{search.faiss}, cosine, exact"
    return (
        f"{search.faiss}, cosine, {search.probes} lists searched, recall@10 "
        f"{search.recall:.3f} on {search.sample} sentences"
    )
