"""Paths → the files that they stand for, each with a default id.

A folder stands for its files of a supported format, and those of its folders, sorted. Left out are
hidden files (names that begin with a dot), links to outside the folder, linked folders (their files
are found where they are), XML other than MediaWiki dumps, and formats that are not supported. A
pattern such as ``docs/**/*.md`` stands for the files that it matches, with the same exceptions. A
path of a file stands for that file, without exceptions.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, NoReturn

from ragkit.corpus.formats import SUFFIXES, split_suffix
from ragkit.corpus.ids import choose_distinct, slug, valid_unicode
from ragkit.corpus.metadata import load_metadata
from ragkit.errors import SourceError

__all__ = ["DiscoveredFile", "discover"]


class DiscoveredFile(NamedTuple):
    """A file, and the id of its document where the file sets none.

    ``default_id`` is ``""`` where the file's name has no letters or digits.
    """

    path: Path
    default_id: str


class _Match(NamedTuple):
    """A file, and the folder in the sources that it is from; None for a file that is a source."""

    path: Path
    root: Path | None


def discover(paths: Sequence[Path]) -> list[list[DiscoveredFile]]:
    """Find the files that paths of files and folders, and patterns, stand for.

    Args:
        paths: all paths at once, since their files' default ids differ where possible.

    Returns:
        For each path its files, sorted.

    Raises:
        SourceError: a folder or pattern stands for no file, or cannot be listed.

    """
    matches = [_matches(path) for path in paths]
    ids = iter(choose_distinct([_possible_ids(*match) for own in matches for match in own]))
    return [
        [
            DiscoveredFile(match.path, name)
            for match, name in zip(own, islice(ids, len(own)), strict=True)
        ]
        for own in matches
    ]


def _matches(path: Path) -> list[_Match]:
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        files = _supported(_files_under(path), path)
    elif glob.has_magic(str(path)) and not os.path.lexists(path):
        path, pattern = _fixed_folder(path), path
        files = _supported(_glob(pattern, path), path)
        if not files:
            raise SourceError(
                f"the pattern {pattern} matches no readable file ({', '.join(SUFFIXES)}). Check "
                f"the pattern."
            )
    else:
        return [_Match(path, None)]
    if not files:
        raise SourceError(
            f"the directory {path} holds no text file or other readable one "
            f"({', '.join(SUFFIXES)}). Add such files, or name files elsewhere."
        )
    return [_Match(file, path) for file in sorted(files)]


def _files_under(directory: Path) -> list[Path]:
    paths: list[Path] = []
    for folder, folders, files in os.walk(directory, onerror=_refuse_unlisted):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        paths += [Path(folder, name) for name in files if not _is_hidden(name)]
    return paths


def _glob(pattern: Path, root: Path) -> list[Path]:
    """List matches by ``Path.glob``, whose ``**``, unlike that of ``glob``, follows no links."""
    rest = pattern.relative_to(root)
    if rest.name == "**":
        rest /= "*"
    try:
        paths = list(root.glob(str(rest)))
    except (OSError, ValueError, NotImplementedError) as error:
        raise SourceError(
            f"the pattern {pattern} cannot be used: {error}. Correct the pattern."
        ) from error
    if any(_is_hidden(part) for part in rest.parts):
        return paths
    return [path for path in paths if not any(map(_is_hidden, path.relative_to(root).parts))]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and name != ".."


def _refuse_unlisted(error: OSError) -> NoReturn:
    raise SourceError(
        f"{error.filename} cannot be listed: {error.strerror}. Check its permissions."
    ) from error


def _supported(paths: Iterable[Path], root: Path) -> list[Path]:
    real_root = os.path.realpath(root)
    return [path for path in paths if _is_supported(path, root, real_root)]


def _is_supported(path: Path, root: Path, real_root: str) -> bool:
    suffix = split_suffix(path)[1]
    if not suffix or not path.is_file():
        return False
    unlinked = os.path.normpath(Path(real_root, path.parent.relative_to(root)))
    if os.path.realpath(path.parent) != unlinked:
        return False  # in a linked folder
    if path.is_symlink() and os.path.commonpath([real_root, os.path.realpath(path)]) != real_root:
        return False
    return not suffix.startswith(".xml") or _is_dump(path)


def _is_dump(path: Path) -> bool:
    from ragkit.corpus.mediawiki_dump import is_dump

    return is_dump(path)


def _fixed_folder(pattern: Path) -> Path:
    """Return the innermost folder that contains all matches of a pattern."""
    parts: list[str] = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)


def _possible_ids(path: Path, root: Path | None) -> tuple[str, ...]:
    """Return ids from short to long: name, with folders, with the root, with the suffix.

    The root of a file that is a source itself is taken to be its folder's parent.
    """
    stem, suffix = split_suffix(path)
    set_id = load_metadata(path, stem).id
    if set_id is not None:
        return (set_id,)
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 - resolve() fails for odd names
    root = folder.parent if root is None else Path(os.path.abspath(root))  # noqa: PTH100
    inner = " ".join([*folder.relative_to(root).parts, stem])
    whole = f"{root.name} {inner}"
    return tuple(slug(valid_unicode(name)) for name in (stem, inner, whole, whole + suffix))
