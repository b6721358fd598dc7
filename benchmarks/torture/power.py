"""What a disk holds when its power goes: only what was synced is sure to be there.

A file's content is kept from its last ``fsync`` on, a folder's names from the folder's. Of what
came later any part may be there: names in the order they were made or in none, contents whole, cut,
or as zeros (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.torture.steps import Step

__all__ = ["Disk"]


@dataclass(slots=True)
class _File:
    kept: bytes = b""
    now: bytes = b""
    is_dirty: bool = False


@dataclass(slots=True)
class _Folder:
    kept: dict[str, _Node] = field(default_factory=dict)
    now: dict[str, _Node] = field(default_factory=dict)


_Node = _File | _Folder
_Change = tuple[tuple[_Folder, str, "_Node | None"], ...]
"""Names set, or with None taken away, all at once."""


class Disk:
    """A folder as programs see it, and as it would be found after a loss of power."""

    def __init__(self, root: Path) -> None:
        """All that is in ``root`` now is synced."""
        self._root_path = root
        self._root = _read(root)
        self._pending: list[_Change] = []

    def meet(self, step: Step) -> None:
        """Take part in a step that is about to happen."""
        what, paths = step
        self._take_over_writes()
        match what, [Path(path).relative_to(self._root_path) for path in paths]:
            case "open", [path]:
                folder, name = self._at(path.parent), path.name
                if name not in folder.now:
                    self._change((folder, name, _File(is_dirty=True)))
                else:
                    self._file(path).is_dirty = True
            case "mkdir", [path]:
                if path.name not in self._at(path.parent).now:
                    self._change((self._at(path.parent), path.name, _Folder()))
            case "rename", [old, new] if old == new:
                pass
            case "rename", [old, new]:
                node = self._at(old.parent).now[old.name]
                self._change(
                    (self._at(new.parent), new.name, node), (self._at(old.parent), old.name, None)
                )
            case (("remove" | "rmdir"), [path]):
                if path.name in self._at(path.parent).now:
                    self._change((self._at(path.parent), path.name, None))
            case "sync", [path]:
                self._sync(path)
            case other, _:
                raise ValueError(f"no step of this model: {other}")

    def after_loss(self, to: Path, rng: random.Random, *, ordered: bool) -> None:
        """Write what may be left into ``to``, a new folder.

        ``ordered``: later names are there only if all earlier ones are, as disks with a journal
        have it.
        """
        self._take_over_writes()
        chosen = (
            self._pending[: rng.randint(0, len(self._pending))]
            if ordered
            else [change for change in self._pending if rng.random() < 0.5]
        )
        names: dict[int, dict[str, _Node]] = {}
        for change in chosen:
            for folder, name, node in change:
                left = names.setdefault(id(folder), dict(folder.kept))
                if node is None:
                    left.pop(name, None)
                else:
                    left[name] = node
        _write(self._root, to, names, rng)

    def _change(self, *change: tuple[_Folder, str, _Node | None]) -> None:
        for folder, name, node in change:
            if node is None:
                folder.now.pop(name, None)
            else:
                folder.now[name] = node
        self._pending.append(change)

    def _sync(self, path: Path) -> None:
        node = self._node(path)
        if isinstance(node, _File):
            node.kept, node.is_dirty = node.now, False
            return
        node.kept = dict(node.now)
        self._pending = [
            tuple(one for one in change if one[0] is not node) for change in self._pending
        ]
        self._pending = [change for change in self._pending if change]

    def _take_over_writes(self) -> None:
        """What was written since the last step, of files that were opened for it."""
        for path, node in _files(self._root, self._root_path):
            if node.is_dirty and path.is_file():
                node.now = path.read_bytes()

    def _node(self, path: Path) -> _Node:
        return self._at(path.parent).now[path.name] if path.parts else self._root

    def _at(self, path: Path) -> _Folder:
        folder = self._root
        for name in path.parts:
            found = folder.now[name]
            assert isinstance(found, _Folder)
            folder = found
        return folder

    def _file(self, path: Path) -> _File:
        found = self._node(path)
        assert isinstance(found, _File)
        return found


def _read(path: Path) -> _Folder:
    nodes: dict[str, _Node] = {}
    for child in path.iterdir():
        if child.is_dir():
            nodes[child.name] = _read(child)
        else:
            content = child.read_bytes()
            nodes[child.name] = _File(content, content)
    return _Folder(dict(nodes), dict(nodes))


def _files(folder: _Folder, path: Path) -> Iterator[tuple[Path, _File]]:
    for name, node in folder.now.items():
        if isinstance(node, _File):
            yield path / name, node
        else:
            yield from _files(node, path / name)


def _write(
    folder: _Folder, to: Path, names: dict[int, dict[str, _Node]], rng: random.Random
) -> None:
    to.mkdir()
    for name, node in names.get(id(folder), folder.kept).items():
        if isinstance(node, _Folder):
            _write(node, to / name, names, rng)
        else:
            (to / name).write_bytes(_left(node, rng) if node.is_dirty else node.now)


def _left(file: _File, rng: random.Random) -> bytes:
    """Of a file that was written and not synced: all, the former, a part, or zeros."""
    part = file.now[: rng.randint(0, len(file.now))]
    return rng.choice([file.now, file.kept, part, part + bytes(len(file.now) - len(part))])
