"""What was given → the files that are meant, each with the names it can have.

A folder stands for its readable files, sorted, and those of its folders. What begins with a dot is
left out there, and so is what a link leads to outside of the folder, a linked folder (its files are
read where they lie), XML that is no dump, and what cannot be read at all. A pattern such as
``docs/**/*.md`` stands for the readable files that it matches. A file named as such is never left
out.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import NamedTuple, NoReturn

from ragkit.corpus.metadata import beside
from ragkit.corpus.naming import distinct, slug, utf8
from ragkit.corpus.readers import SUFFIXES, split_suffix
from ragkit.errors import SourceError
from ragkit.types import Document

__all__ = ["NamedFile", "Source", "Sources", "find"]

Source = str | PathLike[str] | Document
Sources = Source | Iterable[Source]


class NamedFile(NamedTuple):
    """A file, and the id it has unless it says another; ``""`` for a name without letters."""

    path: Path
    name: str


class _Found(NamedTuple):
    path: Path
    root: Path | None
    """The folder that was given, None for a file that was itself."""


def find(sources: Sources) -> list[Document | NamedFile]:
    """Documents as they are and files with names, in the order given."""
    if isinstance(sources, (str, PathLike, Document)):
        sources = [sources]
    found: list[Document | _Found] = []
    for source in sources:
        if isinstance(source, Document):
            found.append(source)
        elif isinstance(source, (str, PathLike)):
            found += _files(Path(source))
        else:
            raise SourceError(
                f"a source is a {type(source).__name__}; expected a path or a ragkit.Document."
            )
    files = [one for one in found if isinstance(one, _Found)]
    names = dict(zip(map(id, files), _names(files), strict=True))
    return [
        one if isinstance(one, Document) else NamedFile(one.path, names[id(one)]) for one in found
    ]


def _files(path: Path) -> list[_Found]:
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        files = _readable(_under(path), path)
    elif glob.has_magic(str(path)) and not os.path.lexists(path):
        path, pattern = _fixed(path), path
        files = _readable(_matching(pattern, path), path)
        if not files:
            raise SourceError(
                f"the pattern {pattern} matches no readable file ({', '.join(SUFFIXES)}). Check it."
            )
    else:
        return [_Found(path, None)]
    if not files:
        raise SourceError(
            f"the directory {path} holds no text file or other readable one "
            f"({', '.join(SUFFIXES)}). Name the files, or put some there."
        )
    return [_Found(file, path) for file in sorted(files)]


def _under(directory: Path) -> list[Path]:
    found: list[Path] = []
    for folder, folders, files in os.walk(directory, onerror=_refuse_unlisted):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        found += [Path(folder, name) for name in files if not _is_hidden(name)]
    return found


def _matching(pattern: Path, root: Path) -> list[Path]:
    """By ``Path.glob``, whose ``**``, unlike that of ``glob``, follows no links in a circle."""
    rest = pattern.relative_to(root)
    if rest.name == "**":
        rest /= "*"
    try:
        found = list(root.glob(str(rest)))
    except (OSError, ValueError, NotImplementedError) as error:
        raise SourceError(f"the pattern {pattern} cannot be read: {error}. Mend it.") from error
    if any(_is_hidden(part) for part in rest.parts):
        return found
    return [path for path in found if not any(map(_is_hidden, path.relative_to(root).parts))]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and name != ".."


def _refuse_unlisted(error: OSError) -> NoReturn:
    raise SourceError(
        f"{error.filename} cannot be listed: {error.strerror}. Check its permissions."
    ) from error


def _readable(paths: Iterable[Path], root: Path) -> list[Path]:
    inside = os.path.realpath(root)
    return [path for path in paths if _is_meant(path, root, inside)]


def _is_meant(path: Path, root: Path, inside: str) -> bool:
    suffix = split_suffix(path)[1]
    if not suffix or not path.is_file():
        return False
    here = os.path.normpath(Path(inside, path.parent.relative_to(root)))
    if os.path.realpath(path.parent) != here:
        return False  # in a linked folder
    if path.is_symlink() and os.path.commonpath([inside, os.path.realpath(path)]) != inside:
        return False
    return not suffix.startswith(".xml") or _is_dump(path)


def _is_dump(path: Path) -> bool:
    from ragkit.corpus.dump import is_dump

    return is_dump(path)


def _fixed(pattern: Path) -> Path:
    """The folder that a pattern's matches are all in."""
    plain: list[str] = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        plain.append(part)
    return Path(*plain)


def _names(files: list[_Found]) -> list[str]:
    return distinct([_candidates(one.path, one.root) for one in files])


def _candidates(path: Path, root: Path | None) -> tuple[str, ...]:
    """The bare name; that in its folder; that with the folder given; that with its suffix.

    A file that was named itself stands, for this, in the folder of its folder.
    """
    stem, suffix = split_suffix(path)
    said = beside(path, stem).id
    if said is not None:
        return (said,)
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 - resolve() fails for odd names
    root = folder.parent if root is None else Path(os.path.abspath(root))  # noqa: PTH100
    folders = [*folder.relative_to(root).parts, stem]
    whole = " ".join([root.name, *folders])
    return tuple(slug(utf8(name)) for name in (stem, " ".join(folders), whole, whole + suffix))
