"""What MkDocs needs beyond its plugins: pages from outside ``docs/``, generated reference tables,
``llms.txt``, and a check that no page loads anything from another host.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = (
    "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md",
    "benchmarks/results/*.md", "benchmarks/results/*.svg", "eval/README.md", "examples/README.md",
)  # fmt: skip
"""Files of the repository that are pages as they stand, at the same paths as there."""

_FOREIGN = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\ssrc=[\"']?(?:https?:)?//[^\"'\s>]+"
    r"|<link\b(?=[^>]*rel=[\"']?(?:stylesheet|preconnect|preload|icon|manifest))[^>]*"
    r"href=[\"']?(?:https?:)?//[^\"'\s>]+"
    r"|url\(\s*[\"']?(?:https?:)?//[^)]+\)|@import\s+[\"'](?:https?:)?//[^\"']+",
    re.IGNORECASE,
)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside ``docs/``."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Fill in the generated tables; make links of the repository's own files fit the site."""
    if page.file.src_uri in OUTSIDE:
        markdown = re.sub(r"\]\(((?:\.\./)*)docs/", r"](\1", markdown)
    for marker, generate in _GENERATED.items():
        if marker in markdown:
            markdown = markdown.replace(marker, "\n".join(generate()))
    return markdown


def on_nav(nav: Navigation, *, config: MkDocsConfig, files: Files) -> Navigation:
    """Remember the navigation, from which ``llms.txt`` is written."""
    config.extra["nav"] = nav
    return nav


def on_post_build(*, config: MkDocsConfig) -> None:
    """Write ``llms.txt``; refuse a site that loads anything from another host."""
    site = Path(config.site_dir)
    (site / "llms.txt").write_text("\n".join(_map_of(config)) + "\n", encoding="utf-8")
    foreign = [
        f"{path.relative_to(site)}: {found[0][:200]}"
        for path in sorted([*site.rglob("*.html"), *site.rglob("*.css")])
        if (found := _FOREIGN.search(path.read_text(encoding="utf-8")))
    ]
    if foreign:
        raise PluginError("the site loads files from other hosts:\n" + "\n".join(foreign))


def _map_of(config: MkDocsConfig) -> Iterator[str]:
    """The site in the form of https://llmstxt.org: a link and a sentence for each page."""
    yield f"# {config.site_name}\n\n> {config.site_description}\n"
    nav: Navigation = config.extra["nav"]
    single = [item for item in nav.items if isinstance(item, Page)]
    yield from _section("Start here", single)
    for item in nav.items:
        if item.is_section:
            yield from _section(item.title or "", [c for c in item.children or [] if c.is_page])


def _section(title: str, pages: list[Any]) -> Iterator[str]:
    yield f"## {title}\n"
    for page in pages:
        about = page.meta.get("description") or _first_sentence(page.markdown or "")
        yield f"- [{page.title}]({page.url or './'})" + (f": {about}" if about else "")
    yield ""


def _first_sentence(markdown: str) -> str:
    """Return the first sentence of the first paragraph, without markup."""
    paragraphs = (block for block in markdown.split("\n\n") if re.match(r"[\w`*\[]", block))
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", next(paragraphs, ""))
    return re.split(r"(?<=[.:])\s", " ".join(plain.split()), maxsplit=1)[0]


def _errors() -> Iterator[str]:
    from ragkit import RagkitError

    yield "```text"
    yield from _tree(RagkitError, "")
    yield "```"


def _tree(error: type, indent: str) -> Iterator[str]:
    summary = (inspect.getdoc(error) or "").partition("\n")[0]
    yield f"{indent}{error.__name__:{30 - len(indent)}}{summary}"
    for child in sorted(error.__subclasses__(), key=lambda one: one.__name__):
        if child.__module__ == "ragkit.errors":
            yield from _tree(child, indent + "    ")


def _routes() -> Iterator[str]:
    from ragkit.serving import create_app

    yield "| request | what it does |"
    yield "|---|---|"
    for path, methods in create_app().openapi()["paths"].items():
        for method, route in methods.items():
            about = " ".join(route.get("description", "").replace("``", "`").split())
            yield f"| `{method.upper()} {path}` | {about} |"


def _commands() -> Iterator[str]:
    from ragkit.cli import cli

    context = click.Context(cli, info_name="ragkit")
    for name, command in sorted(cli.commands.items()):
        yield from _command(command, click.Context(command, parent=context, info_name=name))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    depth = context.command_path.count(" ")
    yield f"{'#' * (depth + 1)} `{context.command_path}`\n"
    yield f"{inspect.cleandoc(command.help or '')}\n"
    yield f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```\n"
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if options:
        yield "| option | meaning |"
        yield "|---|---|"
        yield from (_option(option, context) for option in options)
        yield ""
    if isinstance(command, click.Group):
        for name, child in sorted(command.commands.items()):
            yield from _command(child, click.Context(child, parent=context, info_name=name))


def _option(option: click.Option, context: click.Context) -> str:
    names, about = option.get_help_record(context) or ("", "")
    escaped = (text.replace("|", "\\|") for text in (names, about))
    return "| `{}` | {} |".format(*escaped)


_GENERATED = {
    "<!-- generated: errors -->": _errors,
    "<!-- generated: routes -->": _routes,
    "<!-- generated: commands -->": _commands,
}
