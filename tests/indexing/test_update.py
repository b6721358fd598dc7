"""An update is a fresh build that does not do again what was done; interruptions lose little."""

from __future__ import annotations

import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit import (
    Document,
    Encoder,
    Index,
    IndexExistsError,
    IndexLockedError,
    IndexMismatchError,
    IndexNotFoundError,
    IndexStaleError,
    SourceError,
    load_encoder,
)
from ragkit.cli import cli
from ragkit.index.journal import JOURNAL, Journal
from support.corpora import TEXTS, Counting, assert_same, document, many
from support.parts import SEED, make_model


@pytest.fixture(scope="module")
def int8(tiny_model: Path) -> Encoder:
    return load_encoder(str(tiny_model), runtime="int8")


NAMES = st.sampled_from(["a", "b", "c", "d"])
STATES = st.dictionaries(
    NAMES, st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3), max_size=4
)


@given(st.lists(STATES, min_size=2, max_size=4))
@settings(max_examples=25, deadline=None)
def test_any_series_of_updates_ends_in_what_a_fresh_build_gives(
    tmp_path_factory: pytest.TempPathFactory, int8: Encoder, states: list[dict[str, list[str]]]
) -> None:
    path = tmp_path_factory.mktemp("updated") / "i"
    for number, state in enumerate(states):
        documents = [document(name, "\n\n".join(texts)) for name, texts in state.items()]
        if number == 0:
            Index.build(documents, path, encoder=int8)
            continue
        updated = Index.update(path, documents, encoder=int8)
        assert_same(updated, Index.build(documents, encoder=int8))
        assert Index.open(path, encoder=int8).generation == updated.generation


def test_only_what_reads_otherwise_is_encoded(tmp_path: Path, int8: Encoder) -> None:
    first = [document("a", TEXTS[1]), document("b", TEXTS[2]), document("c", TEXTS[0])]
    Index.build(first, tmp_path / "i", encoder=int8)

    def read(documents: list[Document]) -> int:
        counting = Counting(int8)
        Index.update(tmp_path / "i", documents, encoder=counting)
        return max(0, counting.read - 1)  # the probe of the journal

    assert read(first) == 0
    assert read(first[:1]) == 0
    assert read(first[::-1]) > 0  # two were gone
    edited = document("a", "News first.\n\n" + TEXTS[1])
    assert read([edited, *first[:0:-1]]) == 1  # the rest of "a" has only moved
    assert read([edited, *first[:0:-1]]) == 0
    assert read([Document(id="a", title="Renamed", text=TEXTS[1])]) > 1  # the title is read too


def test_an_update_without_a_change_encodes_and_writes_nothing_but_new_checksums(
    tmp_path: Path, int8: Encoder
) -> None:
    page = f"<title>A</title><p>{TEXTS[1]}</p>"
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    built = Index.build(tmp_path / "a.html", tmp_path / "i", encoder=int8)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "i").rglob("*.npy")}
    counting = Counting(int8)
    same = Index.update(tmp_path / "i", encoder=counting)
    assert (counting.read, same.generation) == (0, built.generation)
    (tmp_path / "a.html").write_text(page + "<!-- other bytes -->", encoding="utf-8")
    [changed] = Index.update(tmp_path / "i", encoder=int8)._opened.sources  # type: ignore[union-attr]
    assert changed.sha256 == changed.current_sha256()
    Index.open(tmp_path / "i", encoder=int8, require_fresh=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "i").rglob("*.npy")} == before


def test_moved_chunks_know_where_they_stand_now(tmp_path: Path, int8: Encoder) -> None:
    Index.build([document("a", TEXTS[1])], tmp_path / "i", encoder=int8)
    moved = document("a", "News first, and quite some of it.\n\n" + TEXTS[1])
    index = Index.update(tmp_path / "i", [moved], encoder=int8)
    for passage in index.ask("Where does it rise?", threshold=0).passages:
        assert passage.citation.verify(moved).ok
        for match in passage.matches:
            if match.span:
                assert moved.text[match.span.start : match.span.end] == match.partner


def test_metadata_alone_may_change(tmp_path: Path, int8: Encoder) -> None:
    Index.build([document("a", TEXTS[0])], tmp_path / "i", encoder=int8)
    counting = Counting(int8)
    tagged = document("a", TEXTS[0], metadata={"tag": "x"})
    Index.update(tmp_path / "i", [tagged], encoder=counting)
    assert counting.read == 0
    [opened] = Index.open(tmp_path / "i", encoder=int8).documents
    assert opened.metadata == {"tag": "x"}


def test_an_update_needs_an_index_and_its_own_model(
    tmp_path: Path, int8: Encoder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(IndexNotFoundError):
        Index.update(tmp_path / "none", [document("a", TEXTS[0])], encoder=int8)
    assert not (tmp_path / "none").exists()
    Index.build([document("a", TEXTS[0])], tmp_path / "i", encoder=int8)
    other = load_encoder(str(make_model(tmp_path_factory.mktemp("other"), seed=7)))
    with pytest.raises(IndexMismatchError, match="cannot be compared"):
        Index.update(tmp_path / "i", [document("a", TEXTS[0])], encoder=other)


def test_a_second_updater_is_told(tmp_path: Path, int8: Encoder) -> None:
    from ragkit.index import write_lock

    Index.build([document("a", TEXTS[0])], tmp_path / "i", encoder=int8)
    with write_lock(tmp_path / "i"), pytest.raises(IndexLockedError):
        Index.update(tmp_path / "i", [document("a", TEXTS[1])], encoder=int8)


# Interruptions.


def test_an_interrupted_build_goes_on_where_it_stopped(tmp_path: Path, int8: Encoder) -> None:
    documents = many(200)
    failing = Counting(int8, fail_after=700)
    with pytest.raises(KeyboardInterrupt):
        Index.build(documents, tmp_path / "i", encoder=failing)
    with pytest.raises(IndexNotFoundError):
        Index.open(tmp_path / "i", encoder=int8)
    going_on = Counting(int8)
    built = Index.build(documents, tmp_path / "i", encoder=going_on)
    fresh = Counting(int8)
    assert_same(built, Index.build(documents, encoder=fresh))
    assert going_on.read < fresh.read / 2
    assert not list((tmp_path / "i").glob(f"{JOURNAL}*"))


def test_an_interrupted_update_leaves_the_old_and_goes_on(tmp_path: Path, int8: Encoder) -> None:
    before = Index.build(many(3), tmp_path / "i", encoder=int8)
    with pytest.raises(KeyboardInterrupt):
        Index.update(tmp_path / "i", many(200), encoder=Counting(int8, fail_after=700))
    assert Index.open(tmp_path / "i", encoder=int8).generation == before.generation
    going_on = Counting(int8)
    updated = Index.update(tmp_path / "i", many(200), encoder=going_on)
    assert_same(updated, Index.build(many(200), encoder=int8))
    assert going_on.read < 700


def test_a_damaged_journal_entry_is_passed_over(tmp_path: Path, int8: Encoder) -> None:
    with pytest.raises(KeyboardInterrupt):
        Index.build(many(200), tmp_path / "i", encoder=Counting(int8, fail_after=700))
    [folder] = (tmp_path / "i").glob(f"{JOURNAL}*")
    first, second, *_ = sorted(folder.iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    data = bytearray(second.read_bytes())
    data[len(data) // 2] ^= 1
    second.write_bytes(data)
    (folder / "partial").write_bytes(b"half")
    assert_same(
        Index.build(many(200), tmp_path / "i", encoder=int8), Index.build(many(200), encoder=int8)
    )


def test_another_models_journal_is_not_used(tmp_path: Path, int8: Encoder, tiny: Encoder) -> None:
    with pytest.raises(KeyboardInterrupt):
        Index.build(many(200), tmp_path / "i", encoder=Counting(int8, fail_after=700))
    assert len(Journal(tmp_path / "i", int8)) > 0
    assert len(Journal(tmp_path / "i", tiny)) == 0  # the same weights, another runtime


def test_a_journal_gives_back_what_was_put_in(tmp_path: Path, int8: Encoder) -> None:
    index = Index.build([document("a", TEXTS[1]), document("b", TEXTS[2])], encoder=int8)
    read = [index._local().data.encoded_chunk(chunk) for chunk in range(len(index))]
    keys = [bytes([i]) * 16 for i in range(len(index))]
    Journal(tmp_path, int8).add(keys, read)
    again = Journal(tmp_path, int8)
    for key, one in zip(keys, read, strict=True):
        [found] = again.get([key])
        assert found is not None
        assert np.array_equal(found.vector, one.vector)
        pairs: list[tuple[Any, Any]] = list(zip(found.tokens, one.tokens, strict=True))
        assert all(np.array_equal(left, right) for left, right in pairs)
    assert again.get([b"x" * 16]) == [None]


def test_updates_killed_at_any_moment_lose_nothing(tmp_path: Path) -> None:
    index, source = tmp_path / "i", tmp_path / "s"
    source.mkdir()
    text = SEED.read_text(encoding="utf-8")
    (source / "a.txt").write_text(text[:6000], encoding="utf-8")
    run = [sys.executable, "-m", "ragkit", "index"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    build = [*run, "build", str(source), "--out", str(index), "--runtime", "int8"]
    subprocess.run(build, check=True, capture_output=True, env=environment)
    moments = random.Random(5)
    for turn in range(4):
        before = Index.open(index).generation
        (source / "a.txt").write_text(
            text[: 6000 + 3000 * turn] + f"\n\nTurn {turn}.", encoding="utf-8"
        )
        process = subprocess.Popen([*build], env=environment, stdout=subprocess.DEVNULL)
        time.sleep(moments.uniform(0.3, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        opened = Index.open(index, check_sources=False)
        assert opened.generation == before or f"Turn {turn}." in opened.documents[0].text
        subprocess.run(build, check=True, capture_output=True, env=environment)
        assert f"Turn {turn}." in Index.open(index).documents[0].text
        assert not [p for p in index.iterdir() if p.name.startswith((".partial", JOURNAL))]


def test_the_command_updates_and_counts(tmp_path: Path, tiny_model: Path) -> None:
    index, source = tmp_path / "i", tmp_path / "s"
    source.mkdir()
    for name in "abc":
        (source / f"{name}.txt").write_text(f"River {name} is long.", encoding="utf-8")
    run = CliRunner()
    assert (
        run.invoke(
            cli, ["index", "build", str(source), "--out", str(index), "--model", str(tiny_model)]
        ).exit_code
        == 0
    )
    (source / "a.txt").write_text("River a is short.", encoding="utf-8")
    (source / "b.txt").unlink()
    (source / "d.txt").write_text("River d is long.", encoding="utf-8")
    done = run.invoke(cli, ["index", "update", str(index), str(source)])
    assert done.exit_code == 0, done.output
    assert "1 added, 1 changed, 1 removed; 3 documents now" in done.output


@pytest.fixture
def three(tmp_path: Path, tiny_model: Path) -> Path:
    """A folder with an index of three files, built by the command line."""
    for name, text in zip("abc", TEXTS, strict=False):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    sources = [str(tmp_path / f"{name}.txt") for name in "abc"]
    run("index", "build", *sources, "--out", str(tmp_path / "i"), "--model", str(tiny_model))
    return tmp_path


def run(*command: str) -> str:
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    return done.output


def ids(folder: Path) -> list[str]:
    return [d.id for d in Index.open(folder / "i", check_sources=False).documents]


def test_a_build_does_not_drop_the_documents_of_an_index_that_stands_there(
    three: Path, tiny_model: Path
) -> None:
    with pytest.raises(IndexExistsError, match=r"documents.*, 2 in all \(b, c\).*--replace"):
        Index.build(three / "a.txt", three / "i", encoder=str(tiny_model))
    assert ids(three) == ["a", "b", "c"]
    Index.build(three / "a.txt", three / "i", encoder=str(tiny_model), replace=True)
    assert ids(three) == ["a"]


def test_the_cure_for_a_changed_source_cures_it_and_loses_nothing(three: Path) -> None:
    (three / "b.txt").write_text("Bees make honey.", encoding="utf-8")
    with pytest.raises(IndexStaleError) as stale:
        Index.open(three / "i", require_fresh=True)
    [command] = re.findall(r"Update it: `ragkit (.*)`", str(stale.value))
    run(*shlex.split(command))
    opened = Index.open(three / "i")
    assert [d.id for d in opened.documents] == ["a", "b", "c"]
    assert opened.documents[1].text == "Bees make honey."


def test_an_update_without_sources_names_one_that_is_missing(three: Path) -> None:
    (three / "c.txt").unlink()
    with pytest.raises(SourceError, match=r"are missing: .*c\.txt\. Restore"):
        Index.update(three / "i")
    assert ids(three) == ["a", "b", "c"]


def test_an_update_without_sources_needs_files(tmp_path: Path, tiny: Encoder) -> None:
    Index.build([document("a", "One.")], tmp_path / "i", encoder=tiny)
    with pytest.raises(SourceError, match="documents in memory"):
        Index.update(tmp_path / "i", encoder=tiny)
