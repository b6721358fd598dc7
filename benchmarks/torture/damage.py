"""Bytes of an index flipped, cut off, added and put where others were."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

from benchmarks.torture.corpora import QUESTIONS, SEED_INDEX, few_documents, int8_encoder
from benchmarks.torture.rows import Row, Tally
from ragkit import Answer, Encoder, Index, StoreError
from ragkit.errors import IndexDamagedError
from ragkit.index import Manifest
from ragkit.index.documents import Documents
from ragkit.indexing.repair import damaged_files
from ragkit.storage import checksums
from ragkit.storage.checksums import SUMS

TITLE = "Damage"
ABOUT = """\
After each change to one file the index was opened and asked. The result had to be an error that
names the file or, where files are verified as they are read, the answer of the intact index.
*Large* means that every file was treated like those over 32 MiB, in blocks of 256 bytes. `verify`
had to name the file each time, and repairs had to restore every byte."""

_EVERY = 6_000
"""Files up to so many bytes are flipped at every byte, larger ones at so many places."""

_CHANGED = 300


def run(effort: float) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        small = Path(scratch) / "small"
        Index.build(few_documents(), small, encoder=int8_encoder())
        most = int(_EVERY * effort)
        yield _each_file(small, "small index, one bit flipped", _flips, most)
        yield _each_file(small, "small index, cut", _cuts, most // 4)
        yield _each_file(small, "small index, other changes", _changes, int(_CHANGED * effort))
        yield _each_file(small, "large, one bit flipped", _flips, most // 4, large=True)
        yield _each_file(small, "large, cut", _cuts, most // 20, large=True)
        yield _each_file(
            small, "large, other changes", _changes, int(_CHANGED * effort), large=True
        )
        yield _each_file(SEED_INDEX, "the seed's index, one bit flipped", _flips, int(60 * effort))
        yield _repairs(small, int(150 * effort))


Change = tuple[str, bytes | None]
"""What is said of a damaged content, and that; None where the file is gone."""

Changes = Callable[[bytes, Sequence[bytes], int, random.Random], Iterator[Change]]
"""Of a file's content, those of all files, and at most how many."""


def _flips(whole: bytes, _: Sequence[bytes], most: int, rng: random.Random) -> Iterator[Change]:
    every = range(len(whole))
    for position in every if len(whole) <= most else sorted(rng.sample(every, most)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << rng.randrange(8)
        yield f"bit flipped in byte {position}", bytes(damaged)


def _cuts(whole: bytes, _: Sequence[bytes], most: int, rng: random.Random) -> Iterator[Change]:
    every = range(len(whole))
    for length in every if len(whole) <= most else sorted(rng.sample(every, most)):
        yield f"cut to {length}", whole[:length]


def _changes(
    whole: bytes, all_: Sequence[bytes], most: int, rng: random.Random
) -> Iterator[Change]:
    yield "gone", None
    yield "one byte more", whole + b"\0"
    yield "zeros for all of it", bytes(len(whole))
    yield from (("another file's content", other) for other in all_ if other != whole)
    for _ in range(most):
        start, end = sorted(rng.sample(range(len(whole) + 1), 2))
        other = rng.choice(all_)
        place = rng.randrange(len(whole))
        size = min(end - start, len(whole) - place)
        for what, changed in (
            ("zeros", whole[:start] + bytes(end - start) + whole[end:]),
            ("noise", whole[:start] + rng.randbytes(end - start) + whole[end:]),
            ("a piece left out", whole[:start] + whole[end:]),
            ("a piece twice", whole[:end] + whole[start:]),
            ("a piece moved", whole[:place] + whole[start : start + size] + whole[place + size :]),
            ("a piece of another file", (whole[:start] + other[start:end] + whole[end:])),
        ):
            if changed != whole:
                yield f"{what} [{start}, {end})", changed


def _each_file(path: Path, what: str, changes: Changes, most: int, *, large: bool = False) -> Row:
    """All files of a copy of the index, shared among two processes."""
    with tempfile.TemporaryDirectory() as scratch:
        copies = [Path(scratch) / str(number) for number in range(2)]
        for copy in copies:
            shutil.copytree(path, copy, ignore=shutil.ignore_patterns(".lock"))
        names = sorted(str(file.relative_to(path)) for file in _files(copies[0], relative_to=path))
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            jobs = [
                pool.submit(_tortured, copy, names[number::2], changes, most, large)
                for number, copy in enumerate(copies)
            ]
            tallies = [job.result() for job in jobs]
    whole = Tally(f"{what} ({len(names)} files)")
    for one in tallies:
        whole.tried += one.tried
        whole.checked += one.checked
        whole.wrong += one.wrong
        whole.outcomes.update(one.outcomes)
        whole.examples += one.examples
    return whole.row()


def _files(copy: Path, *, relative_to: Path) -> list[Path]:
    return [relative_to / p.relative_to(copy) for p in copy.rglob("*") if p.is_file()]


def _tortured(copy: Path, names: Sequence[str], changes: Changes, most: int, large: bool) -> Tally:
    encoder, rng = int8_encoder(), random.Random(repr(names))
    with _all_large() if large else _as_it_is():
        if large:
            Index.open(copy, encoder=encoder).save(copy.with_name(f"{copy.name}-large"))
            copy = copy.with_name(f"{copy.name}-large")
            names = _names_of(copy, names)
        victim = _Victim(copy, encoder)
        contents = {p: p.read_bytes() for p in _files(copy, relative_to=copy) if p.name != ".lock"}
        for name in names:
            file = copy / name
            for change, content in changes(contents[file], [*contents.values()], most, rng):
                file.unlink(missing_ok=True)
                if content is not None:
                    file.write_bytes(content)
                victim.check(file, change)
            file.unlink(missing_ok=True)
            file.write_bytes(contents[file])
    return victim.tally


def _names_of(copy: Path, names: Sequence[str]) -> list[str]:
    """Those files of the index with digests of blocks, in a generation of its own."""
    wanted = {Path(name).name for name in names}
    return [
        str(p.relative_to(copy))
        for p in sorted(copy.rglob("*"))
        if p.is_file() and p.name.removesuffix(SUMS) in wanted
    ]


class _Victim:
    """An index, as it was when it was whole."""

    def __init__(self, path: Path, encoder: Encoder) -> None:
        self.tally = Tally("")
        self._path = path
        self._encoder = encoder
        self._manifest = Manifest.load(path)
        self._truth = self._asked()

    def check(self, file: Path, change: str) -> None:
        example = f"{file.name}: {change}"
        try:
            found = self._asked()
        except StoreError as error:
            self.tally.saw("refused by an error that names the file")
            self.tally.check(file.name.removesuffix(SUMS) in str(error), f"{example}: {error}")
        except Exception as error:  # any other is what is looked for
            self.tally.broke(error, example)
        else:
            self.tally.saw("the very answer of the whole index")
            self.tally.check(found == self._truth, f"{example}: another answer")
        if file.parent != self._path:
            damaged = damaged_files(self._path, self._manifest)
            self.tally.check(damaged == [file.name], f"{example}: not found by verify")

    def _asked(self) -> list[Answer]:
        index = Index.open(self._path, encoder=self._encoder, check_sources=False)
        return [index.ask(question, threshold=0) for question in QUESTIONS]


def _repairs(path: Path, number: int) -> Row:
    """Some files of a copy damaged at once, then repaired."""
    encoder, rng = int8_encoder(), random.Random(3)
    tally = Tally("repaired after one to all data files were damaged")
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(path, copy, ignore=shutil.ignore_patterns(".lock"))
        files = [p for p in _files(copy, relative_to=copy) if p.parent != copy]
        contents = {p: p.read_bytes() for p in files}
        for _ in range(number):
            victims = rng.sample(files, rng.randint(1, len(files)))
            for victim in victims:
                [(_, content)] = _flips(contents[victim], [], 1, rng)
                victim.write_bytes(content if content and rng.random() < 0.8 else b"")
            _repaired(copy, contents, victims, encoder, tally)
            for file in files:
                file.write_bytes(contents[file])
    return tally.row()


def _repaired(
    copy: Path,
    contents: Mapping[Path, bytes],
    victims: Sequence[Path],
    encoder: Encoder,
    tally: Tally,
) -> None:
    names = sorted(victim.name for victim in victims)
    try:
        repaired = Index.repair(copy, encoder=encoder)
    except IndexDamagedError:
        # These documents came from memory: where their texts are damaged, nothing brings them back.
        tally.saw("told that texts and sources are both lost")
        tally.check(bool({*names} & {*Documents.NAMES}), f"not repaired: {names}")
        return
    tally.saw("whole to the byte")
    tally.check(sorted(repaired) == names, f"{names}: said {repaired}")
    tally.check({p: p.read_bytes() for p in contents} == contents, f"{names}: other bytes")


@contextmanager
def _all_large() -> Iterator[None]:
    with mock.patch.object(checksums, "LARGE", 0), mock.patch.object(checksums, "BLOCK", 256):
        yield


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield
