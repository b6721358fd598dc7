"""A little of what `benchmarks/torture` does for hours: crashes, failing disks, few file handles."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.torture import disks
from benchmarks.torture.crashes import OPERATIONS, Torture
from benchmarks.torture.power import Disk
from benchmarks.torture.steps import Step, steps_below
from ragkit import Document, Encoder, Index, IndexReadError, check_quotes, load_encoder
from ragkit.storage.caching import cached_method
from support.parts import make_model


@pytest.fixture(scope="module")
def int8(tiny_model: Path) -> Encoder:
    return load_encoder(str(tiny_model), runtime="int8")


def handles() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names alone


@pytest.mark.parametrize("name", OPERATIONS)
def test_whenever_the_power_goes_the_old_index_or_the_new_one_is_there(
    name: str, int8: Encoder
) -> None:
    row = Torture(int8).power_lost(name, 0.05)
    assert not row.wrong, row.examples
    assert row.checked > 30


@pytest.mark.parametrize("name", ["first build", "update", "repair"])
def test_a_step_that_fails_is_told_and_loses_nothing(name: str, int8: Encoder) -> None:
    row = Torture(int8).steps_that_fail(name, 0.03)
    assert not row.wrong, row.examples
    assert row.outcomes["told by IndexWriteError"]


def test_writers_killed_at_some_step_lose_nothing(int8: Encoder) -> None:
    row = Torture(int8).killed_at_each_step("repair", 0.02)
    assert not row.wrong, row.examples
    assert row.outcomes["killed"]


def test_without_file_handles_reading_and_writing_say_so(int8: Encoder) -> None:
    row = disks.out_of_handles(int8, 0.1)
    assert not row.wrong, row.examples
    assert row.outcomes["asked: told by IndexReadError"]


def test_what_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, documents: list[Document], int8: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "i"
    Index.build(documents, path, encoder=int8)
    real = Path.open

    def refused(self: Path, *given: Any, **named: Any) -> Any:
        if self.name == "bags.npy":
            raise PermissionError(13, "Permission denied")
        return real(self, *given, **named)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(IndexReadError, match=r"bags\.npy could not be read: Permission denied"):
        Index.open(path, encoder=int8)


def test_a_folder_where_a_file_was_is_built_over(
    tmp_path: Path, documents: list[Document], int8: Encoder
) -> None:
    path = tmp_path / "i"
    Index.build(documents, path, encoder=int8)
    [victim] = path.glob("*/bags.npy")
    victim.unlink()
    (victim / "inside").mkdir(parents=True)
    Index.build(documents, path, encoder=int8)
    assert Index.open(path, encoder=int8).search("Danube?")
    assert not [p for p in path.iterdir() if p.name.startswith(".partial")]


def test_an_index_that_nobody_holds_gives_its_file_handles_back_at_once(
    tmp_path: Path, documents: list[Document], int8: Encoder
) -> None:
    path = tmp_path / "i"
    Index.build(documents, path, encoder=int8)
    Index.open(path, encoder=int8).ask("Where does the Danube rise?")
    before = handles()
    for _ in range(3):
        opened = Index.open(path, encoder=int8)
        opened.ask("Where does the Danube rise?")
        check_quotes('He said "It rises in Germany".', opened)
    del opened
    assert handles() == before


def test_documents_outlive_the_index_that_they_were_asked_of(
    tmp_path: Path, documents: list[Document], int8: Encoder
) -> None:
    Index.build(documents, tmp_path / "i", encoder=int8)
    assert [d.id for d in Index.open(tmp_path / "i", encoder=int8).documents] == ["rivers", "bread"]


def test_kept_results_are_the_latest_and_keep_nobody_alive() -> None:
    class Squares:
        def __init__(self) -> None:
            self.asked: list[int] = []
            self.of = cached_method(self._of, 2)

        def _of(self, number: int) -> int:
            self.asked.append(number)
            return number * number

    squares = Squares()
    assert [squares.of(n) for n in (2, 3, 2, 4, 3)] == [4, 9, 4, 16, 9]
    assert squares.asked == [2, 3, 4, 3]
    of, asked = squares.of, squares.asked
    del squares
    with pytest.raises(AssertionError):
        of(7)
    assert asked == [2, 3, 4, 3]


# The model of a disk, by which the others are judged.


def written(path: Path, *, sync: bool) -> None:
    with path.open("wb") as file:
        file.write(b"content")
        file.flush()
        if sync:
            os.fsync(file.fileno())


def after_loss(disk: Disk, to: Path, seed: int) -> dict[str, bytes]:
    disk.after_loss(to, random.Random(seed), ordered=seed % 2 == 0)
    return {str(p.relative_to(to)): p.read_bytes() for p in to.rglob("*") if p.is_file()}


def test_only_what_was_synced_with_its_folder_is_sure_to_be_there(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "old").write_bytes(b"old")
    disk = Disk(root)
    with steps_below(root, disk.meet):
        written(root / "half", sync=False)
        written(root / "named", sync=True)
    found = [after_loss(disk, tmp_path / str(seed), seed) for seed in range(40)]
    assert all(left["old"] == b"old" for left in found)
    assert {left.get("named") for left in found} == {None, b"content"}
    assert {b"", b"content", bytes(7)} <= {left.get("half") for left in found if "half" in left}
    with steps_below(root, disk.meet):
        folder = os.open(root, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    for seed in range(40, 60):
        assert after_loss(disk, tmp_path / str(seed), seed)["named"] == b"content"


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from("wsrdmf"), st.sampled_from("abc"), st.sampled_from("abc")))
)
def test_a_disk_that_was_synced_whole_is_what_programs_see(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str, str]]
) -> None:
    top = tmp_path_factory.mktemp("disk")
    root = top / "root"
    root.mkdir()
    disk = Disk(root)
    with steps_below(root, disk.meet):
        for what, one, other in acts:
            _act(root, what, one, other)
        for path in [*root.rglob("*"), root]:
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
    left = after_loss(disk, top / "left", 0)
    assert left == {
        str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()
    }


def _act(root: Path, what: str, one: str, other: str) -> None:
    path = root / one
    if what in "ws" and not path.is_dir():
        written(path, sync=what == "s")
    elif what == "r" and path.is_file() and not (root / other).is_dir():
        path.replace(root / other)
    elif what == "d" and path.is_file():
        path.unlink()
    elif what == "m" and not path.exists():
        path.mkdir()
    elif what == "f" and path.is_dir():
        written(path / other, sync=False)


def test_steps_are_told_before_they_are_taken_and_may_be_stopped(tmp_path: Path) -> None:
    told: list[Step] = []
    (tmp_path / "elsewhere").mkdir()
    root = tmp_path / "root"
    root.mkdir()
    with steps_below(root, told.append):
        written(root / "a", sync=True)
        written(tmp_path / "elsewhere" / "a", sync=True)
        (root / "a").rename(root / "b")
        (root / "b").unlink()
    assert [what for what, _ in told] == ["open", "sync", "rename", "remove"]
    assert told[2][1] == (str(root / "a"), str(root / "b"))

    def stop(_: Step) -> None:
        raise OSError(28, "No space left on device")

    with steps_below(root, stop), pytest.raises(OSError, match="No space left"):
        (root / "c").mkdir()
    assert not (root / "c").exists()


def test_another_runtime_may_update_and_repair_by_the_command(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from ragkit.cli import cli

    model = str(make_model(tmp_path / "m"))
    source = tmp_path / "a.txt"
    source.write_text("The river Rhine is long.", encoding="utf-8")
    path = str(tmp_path / "i")
    run = CliRunner()
    build = ["index", "build", str(source), "--out", path, "--model", model, "--runtime", "int8"]
    assert run.invoke(cli, build, catch_exceptions=False).exit_code == 0
    fresh = Index.open(path).generation
    source.write_text("The river Elbe is long.", encoding="utf-8")
    update = ["index", "update", path, str(source), "--runtime", "int8"]
    assert "1 changed" in run.invoke(cli, update, catch_exceptions=False).output
    [tokens] = Path(path).glob("*/tokens.npy")
    tokens.write_bytes(b"")
    repair = ["index", "repair", path, "--runtime", "int8"]
    assert "tokens.npy" in run.invoke(cli, repair, catch_exceptions=False).output
    source.write_text("The river Rhine is long.", encoding="utf-8")
    run.invoke(cli, update, catch_exceptions=False)
    assert Index.open(path).generation == fresh
