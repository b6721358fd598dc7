"""Paths → the files that they stand for, each with a default id.

A folder stands for its files of a supported format, and those of its folders, sorted. Left out are
hidden files (names that begin with a dot), Office's lock files, links to outside the folder, linked
folders (their files are found where they are), XML other than MediaWiki dumps, and formats that are
not supported. A pattern such as ``docs/**/*.md`` stands for the files that it matches, with the
same exceptions. A path of a file stands for that file, without exceptions.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ragkit.corpus.formats import is_supported, split_suffix, suffixes
from ragkit.corpus.ids import choose_distinct, digest_id, slug, valid_unicode
from ragkit.corpus.left_out import LeftOutBuilder
from ragkit.corpus.metadata import METADATA_SUFFIX, load_metadata
from ragkit.errors import SourceError

__all__ = ["DiscoveredFile", "discover"]

_LOCK_FILE = "~$"
"""How the name of a file begins that Office writes while a document is open."""

_MAX_SIBLINGS = 10_000
"""Names that are compared with that of a missing file, in about 0.1 s."""


class DiscoveredFile(NamedTuple):
    """A file, the id of its document where the file sets none, and whether it is a source itself.

    A file that is a source itself must be indexed; one in a folder may be left out.
    """

    path: Path
    default_id: str
    is_source: bool


class _Match(NamedTuple):
    """A file, and the folder in the sources that it is from; None for a file that is a source."""

    path: Path
    root: Path | None


def discover(
    paths: Sequence[Path], left_out: LeftOutBuilder, *, ids: Mapping[Path, str] | None = None
) -> list[list[DiscoveredFile]]:
    """Find the files that paths of files and folders, and patterns, stand for.

    Args:
        paths: all paths at once, since their files' default ids differ where possible.
        left_out: takes note of the files of folders and patterns that are left out.
        ids: default ids that files have already, whatever else is among the sources.

    Returns:
        For each path its files, sorted.

    Raises:
        SourceError: a path does not exist, or a folder or pattern stands for no file or cannot be
            listed.

    """
    matches = [_matches(path, left_out) for path in paths]
    own_ids = {os.path.realpath(path): name for path, name in (ids or {}).items()}
    every = [match for own in matches for match in own]
    chosen = iter(choose_distinct([_possible_ids(*match, own_ids) for match in every]))
    return [
        [
            DiscoveredFile(match.path, name, match.root is None)
            for match, name in zip(own, islice(chosen, len(own)), strict=True)
        ]
        for own in matches
    ]


def _matches(path: Path, left_out: LeftOutBuilder) -> list[_Match]:
    is_pattern = glob.has_magic(str(path)) and not os.path.lexists(path)
    root = _fixed_folder(path) if is_pattern else path
    if not os.path.lexists(root):
        raise _missing(root)
    if not os.path.isdir(root):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        if is_pattern:
            raise SourceError(f"{root}, in the pattern {path}, is not a folder. Check the pattern.")
        return [_Match(path, None)]
    candidates = _glob(path, root) if is_pattern else _files_under(path, left_out)
    files = _select(candidates, root, left_out)
    if not files:
        raise _no_files(path, left_out, is_pattern=is_pattern)
    return [_Match(file, root) for file in sorted(files)]


def _no_files(path: Path, left_out: LeftOutBuilder, *, is_pattern: bool) -> SourceError:
    expected = ", ".join(suffixes())
    others = "".join(f" Left out: {line}." for line in left_out.build().lines())
    if is_pattern:
        return SourceError(
            f"the pattern {path} matches no readable file ({expected}). Check the pattern.{others}"
        )
    return SourceError(
        f"the directory {path} holds no text file or other readable one ({expected}). Add such "
        f"files, or name files elsewhere.{others}"
    )


def _missing(path: Path) -> SourceError:
    """Return the error for a path that does not exist; it names a similar one that does."""
    similar = _similar(path)
    hint = "Check the path." if similar is None else f"Did you mean {similar}?"
    return SourceError(f"the source {path} does not exist. {hint}")


def _similar(path: Path) -> Path | None:
    """Return the existing path whose last part is most similar to the first missing part."""
    for folder, part in zip(path.parents, reversed(path.parts), strict=False):
        if not os.path.isdir(folder):  # noqa: PTH112 - as above
            continue
        with suppress(OSError), os.scandir(folder) as entries:
            names = {entry.name.casefold(): entry.name for entry in islice(entries, _MAX_SIBLINGS)}
            return next(
                (folder / names[name] for name in get_close_matches(part.casefold(), names, 1)),
                None,
            )
        break
    return None


def _files_under(directory: Path, left_out: LeftOutBuilder) -> list[Path]:
    def leave_out(error: OSError) -> None:
        unlisted = SourceError(
            f"{error.filename} cannot be listed: {error.strerror}. Check its permissions."
        )
        if Path(error.filename) == directory:
            raise unlisted from error
        left_out.add(Path(error.filename), unlisted)

    paths: list[Path] = []
    for folder, folders, files in os.walk(directory, onerror=leave_out):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        paths += [Path(folder, name) for name in sorted(files) if not _is_hidden(name)]
    return paths


def _glob(pattern: Path, root: Path) -> list[Path]:
    """List matches by ``Path.glob``, whose ``**``, unlike that of ``glob``, follows no links."""
    rest = pattern.relative_to(root)
    if rest.name == "**":
        rest /= "*"
    try:
        paths = sorted(root.glob(str(rest)))
    except (OSError, ValueError, NotImplementedError) as error:
        raise SourceError(
            f"the pattern {pattern} cannot be used: {error}. Correct the pattern."
        ) from error
    if not any(_is_hidden(part) for part in rest.parts):
        paths = [path for path in paths if not any(map(_is_hidden, path.relative_to(root).parts))]
    real_root = os.path.realpath(root)
    return [path for path in paths if not _is_in_linked_folder(path, root, real_root)]


def _is_in_linked_folder(path: Path, root: Path, real_root: str) -> bool:
    unlinked = os.path.normpath(Path(real_root, path.parent.relative_to(root)))
    return os.path.realpath(path.parent) != unlinked


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and name != ".."


def _select(paths: Iterable[Path], root: Path, left_out: LeftOutBuilder) -> list[Path]:
    """Return the files to parse; take note of the others."""
    real_root = os.path.realpath(root)
    return [path for path in paths if _is_selected(path, real_root, left_out)]


def _is_selected(path: Path, real_root: str, left_out: LeftOutBuilder) -> bool:
    # Path.is_dir raises without permission.
    if os.path.isdir(path) or path.name.lower().endswith(METADATA_SUFFIX):  # noqa: PTH112
        return False
    if path.name.startswith(_LOCK_FILE):
        left_out.lock_files += 1
        return False
    suffix = split_suffix(path)[1]
    reason = _unusable_link(path, real_root) if is_supported(path) else None
    if reason:
        left_out.note(path, reason)
    elif not is_supported(path) or (suffix.startswith(".xml") and not _is_dump(path)):
        left_out.suffixes[suffix or path.suffix.lower()] += 1
    else:
        return True
    return False


def _unusable_link(path: Path, real_root: str) -> str | None:
    """Say why a path is no file of the folder; None if it is one."""
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises without permission
        return f"{path} is a broken link, a pipe or not permitted."
    if path.is_symlink() and os.path.commonpath([real_root, os.path.realpath(path)]) != real_root:
        return f"{path} is a link to outside the folder. Replace it by a copy."
    return None


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


def _possible_ids(path: Path, root: Path | None, own_ids: Mapping[str, str]) -> tuple[str, ...]:
    """Return names from short to long: name, with folders, with the root, with the suffix; digests.

    A file that has an id already has no other choice.

    The root of a file that is a source itself is taken to be its folder's parent.
    """
    with suppress(SourceError):  # damaged metadata is reported when the file is loaded
        set_id = load_metadata(path).id
        if set_id is not None:
            return (set_id,)
    if own_ids and (own_id := own_ids.get(os.path.realpath(path))):
        return (own_id,)
    stem, suffix = split_suffix(path)
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 - resolve() fails for odd names
    root = folder.parent if root is None else Path(os.path.abspath(root))  # noqa: PTH100
    inside = "/".join([root.name, *folder.relative_to(root).parts, path.name])
    # The whole path only for two folders of one name, since it differs between machines.
    digests = (digest_id(stem, inside), digest_id(stem, str(folder / path.name)))
    if not slug(valid_unicode(stem)):
        return digests
    inner = "-".join([*folder.relative_to(root).parts, stem])
    whole = f"{slug(valid_unicode(root.name))}-{inner}"
    return (stem, inner, whole, whole + suffix.replace(".", "-"), *digests)
