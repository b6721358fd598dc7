"""A short run of `benchmarks/torture`: crashes, failing disks, few file handles."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.torture import disks
from benchmarks.torture.crashes import OPERATIONS, Torture
from benchmarks.torture.power import Disk
from benchmarks.torture.steps import Step, steps_below
from ragkit import Encoder, load_encoder


@pytest.fixture(scope="module")
def int8(tiny_model: Path) -> Encoder:
    return load_encoder(str(tiny_model), runtime="int8")


@pytest.mark.parametrize("name", OPERATIONS)
def test_after_a_power_loss_the_old_or_the_new_index_is_there(name: str, int8: Encoder) -> None:
    row = Torture(int8).power_lost(name, 0.05)
    assert not row.wrong, row.examples
    assert row.checked > 30


@pytest.mark.parametrize("name", ["first build", "update", "repair"])
def test_a_failing_step_is_reported_and_loses_nothing(name: str, int8: Encoder) -> None:
    row = Torture(int8).steps_that_fail(name, 0.03)
    assert not row.wrong, row.examples
    assert row.outcomes["told by IndexWriteError"]


def test_a_writer_killed_at_any_step_loses_nothing(int8: Encoder) -> None:
    row = Torture(int8).killed_at_each_step("repair", 0.02)
    assert not row.wrong, row.examples
    assert row.outcomes["killed"]


def test_reads_and_writes_without_file_handles_fail_with_a_clear_error(int8: Encoder) -> None:
    row = disks.out_of_handles(int8, 0.1)
    assert not row.wrong, row.examples
    assert row.outcomes["asked: told by IndexReadError"]


# The disk model that judges the other tests.


def written(path: Path, *, sync: bool) -> None:
    with path.open("wb") as file:
        file.write(b"content")
        file.flush()
        if sync:
            os.fsync(file.fileno())


def after_loss(disk: Disk, to: Path, seed: int) -> dict[str, bytes]:
    disk.after_loss(to, random.Random(seed), ordered=seed % 2 == 0)
    return {str(p.relative_to(to)): p.read_bytes() for p in to.rglob("*") if p.is_file()}


def test_only_files_synced_with_their_folder_survive_for_certain(tmp_path: Path) -> None:
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
def test_a_fully_synced_disk_has_what_programs_see(
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


def test_steps_are_announced_before_they_run_and_can_be_stopped(tmp_path: Path) -> None:
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
