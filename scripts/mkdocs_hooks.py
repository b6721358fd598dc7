"""What MkDocs needs beyond its plugins: pages from outside ``docs/``, generated reference tables,
``llms.txt``, and a check that no page loads anything from another host.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {
    "ARCHITECTURE.md": "The modules, and the path of one question and of one build.",
    "CHANGELOG.md": "What changed in which version.",
    "CONTRIBUTING.md": "Set up, run the checks, and add a format, a measure or an option.",
    "SECURITY.md": "What is promised, which threats are met and how, and what is not covered.",
    "benchmarks/README.md": "ragkit beside four libraries: conditions, commands, all figures.",
    "benchmarks/results/ablation.md": "Each row takes one part of retrieval away.",
    "benchmarks/results/imports.md": "What a process that asks imports, before and after.",
    "benchmarks/results/milvus.md": "The same index on disk and on Milvus.",
    "benchmarks/results/mixed.md": "One article among a hundred thousand other passages.",
    "benchmarks/results/scale.md": "Time, memory and disk from a thousand passages to a million.",
    "benchmarks/results/serving.md": "Answers a second and latency of the HTTP server.",
    "benchmarks/results/spreading.md": "A build by one process and by Ray's workers.",
    "benchmarks/results/torture.md": "Damage, crashes, full disks and hostile clients.",
    "eval/README.md": "The question set of the project, and the fields of a set of your own.",
    "examples/README.md": "Programs that run as they stand.",
}
"""Pages that lie outside ``docs/``, at the same paths as in the repository, and what each has."""

PICTURES = "benchmarks/results/*.svg"

_log = get_plugin_logger(__name__)

_FOREIGN = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\ssrc=[\"']?(?:https?:)?//[^\"'\s>]+"
    r"|<link\b(?=[^>]*rel=[\"']?(?:stylesheet|preconnect|preload|icon|manifest))[^>]*"
    r"href=[\"']?(?:https?:)?//[^\"'\s>]+"
    r"|url\(\s*[\"']?(?:https?:)?//[^)]+\)|@import\s+[\"'](?:https?:)?//[^\"']+",
    re.IGNORECASE,
)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside ``docs/``."""
    for path in [*(ROOT / name for name in OUTSIDE), *ROOT.glob(PICTURES)]:
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Fill in the generated tables; make links of the repository's own files fit the site."""
    if page.file.src_uri in OUTSIDE:
        page.meta["description"] = OUTSIDE[page.file.src_uri]
        markdown = re.sub(r"\]\(((?:\.\./)*)docs/", r"](\1", markdown)
    else:
        # Links to files beside ``docs/``, which the site has one level nearer.
        up = "../" * (page.file.src_uri.count("/") + 1)
        markdown = markdown.replace(f"]({up}", f"]({up[3:]}")
    if not page.meta.get("description"):
        _log.warning("%s has no description; llms.txt needs one.", page.file.src_uri)
    for marker, generate in _GENERATED.items():
        if marker in markdown:
            markdown = markdown.replace(marker, "\n".join(generate()))
    return markdown


def on_nav(nav: Navigation, *, config: MkDocsConfig, **_: object) -> Navigation:
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
        yield f"- [{page.title}]({page.url or './'}): {page.meta.get('description')}"
    yield ""


def _errors() -> Iterator[str]:
    from ragkit import RagkitError

    yield from _tree(RagkitError, "")


def _tree(error: type, indent: str) -> Iterator[str]:
    summary = _summary(inspect.getdoc(error))
    yield f"{indent}- [`{error.__name__}`](#ragkit.{error.__name__}): {summary}"
    children: list[type] = error.__subclasses__()
    for child in sorted(children, key=lambda one: one.__name__):
        if child.__module__ == error.__module__:
            yield from _tree(child, f"{indent}    ")


def _summary(docstring: str | None) -> str:
    """Return a docstring's first paragraph in one line, as Markdown."""
    return " ".join((docstring or "").partition("\n\n")[0].replace("``", "`").split())


def _modules() -> Iterator[str]:
    """List every module with the first paragraph of its docstring, a table for each package."""
    package = ROOT / "ragkit"
    folders = [package, *sorted({path.parent for path in package.rglob("*.py")} - {package})]
    for folder in folders:
        yield f"## `{folder.relative_to(ROOT).as_posix()}/`\n"
        yield "| module | what it does |"
        yield "|---|---|"
        for path in sorted(folder.glob("*.py")):
            about = _summary(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))))
            if about and path.name != "__init__.py":
                yield f"| `{path.name}` | {about.replace('|', chr(92) + '|')} |"
        yield ""


def _routes() -> Iterator[str]:
    from ragkit.serving import create_app

    yield "| request | what it does |"
    yield "|---|---|"
    for path, methods in create_app().openapi()["paths"].items():
        for method, route in methods.items():
            about = _summary(route.get("description"))
            yield f"| `{method.upper()} {path}` | {about} |"


def _commands() -> Iterator[str]:
    from ragkit.cli import cli

    context = click.Context(cli, info_name="ragkit")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None, name  # noqa: S101 - it was just listed
        yield from _command(command, click.Context(command, parent=context, info_name=name))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    depth = context.command_path.count(" ")
    yield f"{'#' * (depth + 1)} `{context.command_path}`\n"
    yield f"{inspect.cleandoc(command.help or '')}\n"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```\n"
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


def _settings() -> Iterator[str]:
    from ragkit.cli.settings import SETTINGS

    commands = _commands_of_settings()
    yield "| setting | meaning |"
    yield "|---|---|"
    for key, setting in SETTINGS.items():
        names = [key] * setting.in_file + [setting.variable]
        default = "" if setting.default in (None, ()) else f"; default `{_toml(setting.default)}`"
        used = ", ".join(f"`{command}`" for command in commands.get(key, []))
        about = setting.help.replace("|", "\\|")
        facts = [
            about,
            f"Value: {setting.expected}{default}.",
            *([f"Commands: {used}."] * bool(used)),
        ]
        yield f"| {'<br>'.join(f'`{name}`{{.whole}}' for name in names)} | {'<br>'.join(facts)} |"


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _commands_of_settings() -> dict[str, list[str]]:
    """Return the key of each setting that is an option, with the commands that have it."""
    from ragkit.cli import cli
    from ragkit.cli.options import SettingOption

    used: dict[str, list[str]] = {}
    remaining: list[tuple[str, click.Command]] = [("", cli)]
    while remaining:
        path, command = remaining.pop(0)
        for option in command.params:
            if isinstance(option, SettingOption):
                used.setdefault(option.setting.key, []).append(path.strip())
        if isinstance(command, click.Group):
            context = click.Context(command)
            named = [
                (name, command.get_command(context, name))
                for name in command.list_commands(context)
            ]
            remaining += [(f"{path} {name}", child) for name, child in named if child]
    return used


_GENERATED = {
    "<!-- generated: errors -->": _errors,
    "<!-- generated: modules -->": _modules,
    "<!-- generated: routes -->": _routes,
    "<!-- generated: commands -->": _commands,
    "<!-- generated: settings -->": _settings,
}
