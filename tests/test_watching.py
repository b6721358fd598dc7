"""An index that follows its sources: real files, real processes, real editors' ways of saving."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from filelock import FileLock

from ragkit import Index, IndexNotFoundError, RagkitError, SourceError
from ragkit.watching import Watched, watch
from support.parts import ROOT

PATIENCE = 60  # seconds within which a line must come, on a machine with other work


class Process:
    """A command whose lines, of standard output and error together, are waited for."""

    def __init__(self, *arguments: str | Path, cwd: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ragkit", *map(str, arguments)], cwd=cwd,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        self.seen: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))

    def wait_for(self, pattern: str) -> str:
        """Return the next line with the pattern."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and (self._process.poll() is None or self._lines.qsize()):
            try:
                self.seen.append(self._lines.get(timeout=0.2))
            except queue.Empty:
                continue
            if re.search(pattern, self.seen[-1]):
                return self.seen[-1]
        raise AssertionError(f"{pattern!r} did not come after {self.seen}")

    def end(self, number: signal.Signals) -> int:
        """Send a signal; return the exit status."""
        self._process.send_signal(number)
        status = self._process.wait(PATIENCE)
        self._reader.join()
        while not self._lines.empty():
            self.seen.append(self._lines.get())
        return status


@contextmanager
def running(*arguments: str | Path, cwd: Path) -> Iterator[Process]:
    process = Process(*arguments, cwd=cwd)
    try:
        yield process
    finally:
        if process._process.poll() is None:
            process.end(signal.SIGKILL)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "bread.txt").write_text("Bread is made of flour.\n", encoding="utf-8")
    return folder


def texts(index: Path) -> dict[str, str]:
    return {document.id: document.text for document in Index.open(index).documents}


def test_an_index_follows_its_folder_and_ctrl_c_ends_it_with_the_index_intact(
    notes: Path, tmp_path: Path
) -> None:
    with running("index", "watch", "notes", "--out", "index", cwd=tmp_path) as process:
        process.wait_for(r"^Built index: 1 documents, 1 chunks, 1 sentences\.$")
        process.wait_for("^Watching")
        (notes / "milk.txt").write_text("Milk is white.\n", encoding="utf-8")
        process.wait_for(r"^Updated index: 1 added, 0 changed, 0 removed; 2 documents now\.$")
        replaced = notes / ".milk.txt.swp"  # an editor writes another file and renames it
        replaced.write_text("Milk is cold.\n", encoding="utf-8")
        replaced.rename(notes / "milk.txt")
        process.wait_for(r"^Updated index: 0 added, 1 changed, 0 removed; 2 documents now\.$")
        assert texts(tmp_path / "index")["milk"] == "Milk is cold.\n"
        (notes / "bread.txt").rename(tmp_path / "bread.txt")
        process.wait_for(r"^Updated index: 0 added, 0 changed, 1 removed; 1 documents now\.$")
        (notes / "deep" / "down").mkdir(parents=True)
        (notes / "deep" / "down" / "rye.md").write_text("# Rye\n\nRye is dark.\n", encoding="utf-8")
        process.wait_for(r"^Updated index: 1 added, 0 changed, 0 removed; 2 documents now\.$")
        assert process.end(signal.SIGINT) == 0
    assert process.seen[-1] == "Stopped."
    assert not any("Traceback" in line for line in process.seen)
    assert Index.verify(tmp_path / "index").counts["documents"] == 2


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_indexed(
    notes: Path, tmp_path: Path
) -> None:
    with running("index", "watch", "notes", "--out", "index", cwd=tmp_path) as process:
        process.wait_for("^Watching")
        (notes / "torn.md").write_bytes(b"\xc3")  # half a character: written in part
        process.wait_for("torn.md")
        (notes / "milk.txt").write_text("Milk is white.\n", encoding="utf-8")
        process.wait_for(r"1 added, 0 changed, 0 removed; 2 documents now")
        (notes / "torn.md").write_bytes("é is a letter.".encode())
        process.wait_for(r"1 added, 0 changed, 0 removed; 3 documents now")
        assert process.end(signal.SIGTERM) == 0
    assert texts(tmp_path / "index")["torn"] == "é is a letter."


def test_the_recorded_files_are_watched_without_sources_and_a_missing_one_is_waited_for(
    notes: Path, tmp_path: Path
) -> None:
    bread, index = notes / "bread.txt", tmp_path / "index"
    (notes / "milk.txt").write_text("Milk is white.\n", encoding="utf-8")
    Index.build([bread, notes / "milk.txt"], index)
    with running("index", "watch", index, "--json", cwd=tmp_path) as process:
        process.wait_for("^Watching")
        (notes / "rye.txt").write_text("Rye is no source of this index.\n", encoding="utf-8")
        bread.rename(tmp_path / "bread.txt")
        assert "bread.txt" in process.wait_for("^Not updated: .*missing.*--drop-missing")
        assert len(texts(index)) == 2
        (tmp_path / "bread.txt").write_text("Bread is brown.\n", encoding="utf-8")
        (tmp_path / "bread.txt").rename(bread)
        line = json.loads(process.wait_for('"changed": 1'))
        assert (line["index"], line["added"], line["removed"]) == (str(index), 0, 0)
        process.end(signal.SIGINT)
    assert texts(index) == {"bread": "Bread is brown.\n", "milk": "Milk is white.\n"}


def test_drop_missing_drops_the_documents_of_recorded_files_that_are_gone(
    notes: Path, tmp_path: Path
) -> None:
    (notes / "milk.txt").write_text("Milk is white.\n", encoding="utf-8")
    Index.build(notes, tmp_path / "index")
    with running("index", "watch", "index", "--drop-missing", cwd=tmp_path) as process:
        process.wait_for("^Watching")
        (notes / "bread.txt").unlink()
        process.wait_for(r"0 added, 0 changed, 1 removed; 1 documents now")
        process.end(signal.SIGINT)


def test_a_server_takes_the_updates_up(notes: Path, tmp_path: Path) -> None:
    Index.build(notes, tmp_path / "index")
    with (
        running("index", "watch", "notes", "--out", "index", cwd=tmp_path) as watching,
        running("serve", "--index", "index", "--port", "0", cwd=tmp_path) as server,
    ):
        watching.wait_for("^Watching")
        url = server.wait_for(r"listening on http").split()[-1]
        (notes / "milk.txt").write_text("Milk is white.\n", encoding="utf-8")
        watching.wait_for("1 added")
        server.wait_for("serving generation")
        answer = httpx.post(f"{url}/v1/ask", json={"question": "What is white?"}).json()
        assert answer["passages"][0]["citation"]["quote"] == "Milk is white."
        assert watching.end(signal.SIGTERM) == 0
        server.end(signal.SIGTERM)


def test_the_index_inside_the_watched_folder_does_not_update_itself(notes: Path) -> None:
    with running("index", "watch", ".", "--out", "index", cwd=notes) as process:
        process.wait_for("^Watching")
        for number in range(1, 4):
            (notes / f"note-{number}.txt").write_text(f"Number {number}.\n", encoding="utf-8")
            process.wait_for(f"1 added, 0 changed, 0 removed; {number + 1} documents now")
        process.end(signal.SIGINT)
    assert sum(line.startswith("Updated") for line in process.seen) == 3


def test_an_update_that_fails_leaves_the_index_and_the_next_change_tries_again(
    notes: Path, tmp_path: Path
) -> None:
    stop = threading.Event()
    updates = watch(tmp_path / "index", [notes], quiet=0.2, stop=stop)
    assert next(updates).index is not None
    with FileLock(tmp_path / "index" / ".lock"):
        (notes / "milk.txt").write_text("Milk is white.\n", encoding="utf-8")
        failed = next(updates)
        assert failed.index is None
        assert "another process is writing the index" in str(failed.error)
    (notes / "rye.txt").write_text("Rye is dark.\n", encoding="utf-8")
    assert reported(next(updates)) == {"added": 2, "changed": 0, "removed": 0}
    stop.set()
    assert list(updates) == []


def reported(watched: Watched) -> dict[str, int]:
    assert watched.index
    assert watched.index.update_report
    return watched.index.update_report.counts


def test_patterns_single_files_and_their_metadata_are_watched(notes: Path, tmp_path: Path) -> None:
    (tmp_path / "todo.txt").write_text("Bake.\n", encoding="utf-8")
    for sources in ([notes / "*.txt"], [notes / "bread.txt", tmp_path / "todo.txt"]):
        stop = threading.Event()
        updates = watch(tmp_path / "index", sources, quiet=0.2, stop=stop)
        next(updates)
        (notes / "bread.meta.json").write_text('{"title": "Bread"}', encoding="utf-8")
        assert reported(next(updates))["changed"] == 1
        (notes / "bread.meta.json").unlink()
        assert reported(next(updates))["changed"] == 1
        stop.set()
        assert list(updates) == []


def test_a_first_update_that_cannot_be_made_is_an_error(notes: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexNotFoundError):
        next(watch(tmp_path / "none"))
    with pytest.raises(SourceError, match="does not exist"):
        next(watch(tmp_path / "index", [notes / "none"]))
    with running("index", "watch", "a", "b", cwd=tmp_path) as process:
        process.wait_for("several SOURCES without --out")


def test_without_its_library_the_error_has_the_install_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(RagkitError, match=re.escape("pip install 'ragkit-cited[watch]'")):
        next(watch(tmp_path))
