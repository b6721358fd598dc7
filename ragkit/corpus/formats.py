"""Which parser parses which file, by suffix or name: ragkit's own formats, and those of plugins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ragkit.corpus.decoding import refuse_unusable
from ragkit.corpus.parser import ParsedDocument, Parser
from ragkit.errors import PluginError, RagkitError, SourceError
from ragkit.plugins import Plugin, Registry

__all__ = [
    "FORMATS",
    "is_supported",
    "parser_for",
    "plugin_of",
    "split_suffix",
    "suffixes",
]

# Suffix → module of this package, with the function ``parse`` where none is named.
_MODULES = {
    ".txt": "plain", ".text": "plain",
    ".md": "markdown", ".markdown": "markdown", ".mdx": "markdown",
    ".rst": "rst",
    ".csv": "rows", ".tsv": "rows",
    ".html": "html", ".htm": "html", ".xhtml": "html",
    ".wiki": "mediawiki", ".mediawiki": "mediawiki",
    ".xml": "mediawiki_dump", ".xml.bz2": "mediawiki_dump", ".xml.gz": "mediawiki_dump",
    ".eml": "mail", ".mbox": "mail:parse_mailbox",
    ".ipynb": "notebook",
    ".pdf": "pdf", ".docx": "docx", ".epub": "epub",
}  # fmt: skip

FORMATS = Registry(
    "ragkit.formats",
    {
        suffix: f"ragkit.corpus.{module}" + ("" if ":" in module else ":parse")
        for suffix, module in _MODULES.items()
    },
    names=r"(\.[a-z0-9_-]+)+",
)
"""Suffix in lower case → parser, imported for the first such file."""

# Names of files that are plain text by convention and have no suffix, in lower case.
_PLAIN_NAMES = frozenset(
    "authors changelog changes contributing copying history install license news notice readme "
    "todo".split()
)


def suffixes() -> list[str]:
    """Return the suffixes of all formats, in lower case; case does not matter in a file's name."""
    return FORMATS.names()


def split_suffix(path: Path) -> tuple[str, str]:
    """Split a file's name into stem and suffix.

    Returns:
        The stem, and the suffix in lower case as in ``suffixes``; ``""`` for any other suffix.

    """
    name = path.name.lower()
    # The longest one, so that .xml.bz2 would win over a later .bz2.
    ends = [suffix for suffix in suffixes() if name.endswith(suffix) and len(name) > len(suffix)]
    suffix = max(ends, key=len, default="")
    return (path.name[: -len(suffix)], suffix) if suffix else (path.stem, "")


def is_supported(path: Path) -> bool:
    """Return whether a file has a parser, by its name alone."""
    return bool(_format_of(path))


def plugin_of(path: Path) -> Plugin | None:
    """Return the plugin that parses a file; None for ragkit's own formats.

    Raises:
        PluginError: several packages provide the format.

    """
    plugin = FORMATS.find(_format_of(path))
    return plugin if plugin and plugin.is_foreign else None


def parser_for(path: Path) -> Parser:
    """Return the parser for a file by its suffix or name.

    Raises:
        SourceError: no format has that suffix.
        PluginError: a plugin provides it and cannot be imported, or several do.

    """
    plugin = FORMATS.find(_format_of(path))
    if plugin is None:
        raise SourceError(
            f"{path} has the suffix {path.suffix!r}; expected one of {', '.join(suffixes())}. "
            f"Convert the file to one of these formats first, or install a plugin that reads it."
        )
    parse = cast(Parser, plugin.load())
    return _guarded(parse, plugin) if plugin.is_foreign else parse


def _format_of(path: Path) -> str:
    """The suffix of a file's format; "" if it has none."""
    suffix = split_suffix(path)[1]
    return ".txt" if not suffix and path.name.lower() in _PLAIN_NAMES else suffix


def _guarded(parse: Parser, plugin: Plugin) -> Parser:
    """A plugin's parser whose failures are of the one file, and name the plugin."""

    def parsing(file: BinaryIO, path: Path) -> Iterator[ParsedDocument]:
        try:
            for document in parse(file, path):
                if not isinstance(document, ParsedDocument):
                    raise PluginError(
                        f"the plugin {plugin.package} parsed {path} as a "
                        f"{type(document).__name__}; expected ragkit.ParsedDocument. Repair it, or "
                        f"remove it: pip uninstall {plugin.package}"
                    )
                refuse_unusable(document.text, str(path))
                yield document
        except (RagkitError, OSError):
            raise
        # A foreign parser may raise anything for a file that it does not understand.
        except Exception as error:
            raise SourceError(
                f"{path} cannot be parsed by the plugin {plugin.package} {plugin.version} "
                f"({type(error).__name__}: {error}). Leave the file out, or repair the plugin."
            ) from error

    return parsing
