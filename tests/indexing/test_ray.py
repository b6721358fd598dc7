"""A build spread over a real Ray cluster: three nodes of it on this machine, two of them workers."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ragkit import Document, Encoder, InputError, Prompts, WorkersError, load_encoder
from ragkit.chunking import Chunker
from ragkit.index.journal import JOURNAL
from ragkit.index.protocol import Progress
from ragkit.indexing import BuildSettings, ChunkEncoder, LocalIndex, build
from ragkit.indexing.pipeline import Group, _chunk_texts
from ragkit.indexing.ray import spread
from ragkit.indexing.ray_cluster import pack_group, unpack_group
from support.parts import make_model

pytestmark = pytest.mark.ray

SHARDS = 8


FLOWS = "River {0}.{1} is long, and it flows by {1} towns and out to sea."
DOCUMENTS = [
    Document(id=f"d{i}", title=f"About {i}", text=" ".join(FLOWS.format(i, j) for j in range(6)))
    for i in range(SHARDS * 28)
]
"""Encoded in ``SHARDS`` shards, which are one window for two workers."""


@pytest.fixture(scope="module", autouse=True)
def settings() -> Iterator[None]:
    """Ray's settings: clusters that only these tests can use, without usage reports."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        yield


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """An encoder that takes a good part of a second for a shard."""
    folder = tmp_path_factory.mktemp("model")
    return load_encoder(str(make_model(folder, window=128, width=128, layers=4)), runtime="int8")


@pytest.fixture(scope="module")
def alone(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The index that this process builds by itself."""
    path, calls = tmp_path_factory.mktemp("alone") / "i", []
    index = build(
        DOCUMENTS, encoder, BuildSettings(), path, progress=lambda *done: calls.append(done)
    )
    assert len(calls) == SHARDS
    return Built(index, path)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with a worker each; the conductor runs on the head."""
    from ray.cluster_utils import Cluster

    head = {"include_dashboard": False, "ray_client_server_port": free_port(), **NODE}
    started: Any = Cluster(initialize_head=True, head_node_args=head)
    try:
        started.add_node(**NODE)
        yield started
    finally:
        started.shutdown()


NODE = {"num_cpus": 1, "object_store_memory": 200 << 20}


def client_address(cluster: Any) -> str:
    return f"ray://127.0.0.1:{cluster.head_node._ray_params.ray_client_server_port}"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def build_all(
    encoder: Encoder,
    path: Path,
    chunk_encoder: ChunkEncoder | None,
    *,
    progress: Progress | None = None,
) -> LocalIndex:
    """Build the index of ``DOCUMENTS`` with the workers of ``chunk_encoder``."""
    return build(
        DOCUMENTS,
        encoder,
        BuildSettings(),
        path,
        chunk_encoder=chunk_encoder,
        progress=progress,
    )


class Built(NamedTuple):
    """An index, and the folder that it was published in."""

    local: LocalIndex
    path: Path


def assert_same(built: Built, alone: Built) -> None:
    """Both are equal to the last byte, and no journal is left."""
    generation = str(alone.local.generation)
    assert built.local.generation == generation
    for path in (alone.path / generation).iterdir():
        assert (built.path / generation / path.name).read_bytes() == path.read_bytes()
    assert not list(built.path.glob(f"{JOURNAL}*"))


class EncodedShards:
    """Which worker encoded each shard, as logged: ``(process, turn)`` in the order of arrival."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "ragkit")
        self._caplog = caplog

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for record in self._caplog.records:
            if record.name == "ragkit" and record.msg.startswith("shard"):
                _, worker, turn = record.args  # type: ignore[misc]
                yield int(str(worker).split()[0]), int(str(turn))

    @property
    def processes(self) -> set[int]:
        return {process for process, _ in self}

    def assert_only_lost_shards_were_encoded_again(self, dead: set[int]) -> None:
        """Every shard that a surviving worker encoded has arrived."""
        for process in self.processes - dead:
            turns = [turn for worker, turn in self if worker == process]
            assert sorted(turns) == list(range(1, len(turns) + 1))


def test_a_cluster_is_started_and_stopped_if_none_runs(tmp_path: Path, tiny_model: Path) -> None:
    encoder = load_encoder(str(tiny_model), runtime="int8")
    with spread(encoder, "ray", workers=1) as chunk_encoder:
        index = build(
            DOCUMENTS[:3], encoder, BuildSettings(), tmp_path / "i", chunk_encoder=chunk_encoder
        )
    assert (
        index.generation
        == build(DOCUMENTS[:3], encoder, BuildSettings(), tmp_path / "j").generation
    )
    with pytest.raises(WorkersError, match="no Ray cluster runs"), spread(encoder, "auto"):
        pass


def test_a_process_of_a_dead_cluster_is_not_taken_for_a_cluster(tiny_model: Path) -> None:
    encoder = load_encoder(str(tiny_model), runtime="int8")
    address = f"--gcs-address=127.0.0.1:{free_port()}"
    asleep = [sys.executable, "-c", "import time; time.sleep(60)", address]
    with subprocess.Popen(["bash", "-c", 'exec -a raylet "$@"', "-", *asleep]) as left_over:
        try:
            while b"raylet" not in Path(f"/proc/{left_over.pid}/cmdline").read_bytes()[:6]:
                time.sleep(0.01)
            with (
                pytest.raises(WorkersError, match="nothing answers at"),
                spread(encoder, "auto"),
            ):
                pass
        finally:
            left_over.kill()


def test_a_cluster_builds_the_index_that_one_process_builds(
    tmp_path: Path,
    cluster: Any,
    encoder: Encoder,
    alone: Built,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shards = EncodedShards(caplog)
    with spread(encoder, client_address(cluster)) as chunk_encoder:
        index = build_all(encoder, tmp_path / "i", chunk_encoder)
    assert_same(Built(index, tmp_path / "i"), alone)
    assert len(shards.processes) == 2
    shards.assert_only_lost_shards_were_encoded_again(set())


def test_only_the_shards_of_a_killed_worker_are_encoded_again(
    tmp_path: Path,
    cluster: Any,
    encoder: Encoder,
    alone: Built,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shards = EncodedShards(caplog)
    killed: set[int] = set()

    def kill(*_: int) -> None:
        if not killed:
            killed.update(shards.processes)
            [process] = killed
            os.kill(process, signal.SIGKILL)

    with spread(encoder, cluster.address) as chunk_encoder:
        index = build_all(encoder, tmp_path / "i", chunk_encoder, progress=kill)
    assert_same(Built(index, tmp_path / "i"), alone)
    assert shards.processes - killed
    shards.assert_only_lost_shards_were_encoded_again(killed)


def test_only_the_shards_of_a_lost_node_are_encoded_again(
    tmp_path: Path,
    cluster: Any,
    encoder: Encoder,
    alone: Built,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shards = EncodedShards(caplog)
    lost: set[int] = set()
    [node] = cluster.worker_nodes
    raylet = node.all_processes["raylet"][0].process.pid

    def remove(*_: int) -> None:
        here = set() if lost else children(raylet) & shards.processes
        if here:
            lost.update(here)
            cluster.remove_node(node, allow_graceful=False)

    try:
        with spread(encoder, cluster.address) as chunk_encoder:
            index = build_all(encoder, tmp_path / "i", chunk_encoder, progress=remove)
    finally:
        cluster.add_node(**NODE)
    assert_same(Built(index, tmp_path / "i"), alone)
    assert lost
    assert shards.processes - lost
    shards.assert_only_lost_shards_were_encoded_again(lost)


def children(process: int) -> set[int]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return {int(child) for child in listed.split()}


BUILD = """
import sys
from pathlib import Path
from ragkit import load_encoder
from ragkit.indexing import BuildSettings, build
from ragkit.indexing.ray import spread
from test_ray import DOCUMENTS

address, model, out = sys.argv[1:]
encoder = load_encoder(model, runtime="int8")
with spread(encoder, address) as chunk_encoder:
    build(DOCUMENTS, encoder, BuildSettings(), Path(out), chunk_encoder=chunk_encoder)
"""


def test_a_killed_build_resumes_with_the_shards_that_had_not_come_back(
    tmp_path: Path,
    cluster: Any,
    encoder: Encoder,
    alone: Built,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "i"
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD, cluster.address, encoder.fingerprint.source, path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    wait_for_entry(path, process)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    saved = len(entries(path))
    assert saved < SHARDS
    shards = EncodedShards(caplog)
    with spread(encoder, cluster.address) as chunk_encoder:
        index = build_all(encoder, path, chunk_encoder)
    assert_same(Built(index, path), alone)
    assert len(list(shards)) == SHARDS - saved


def entries(index: Path) -> list[Path]:
    return [path for path in index.glob(f"{JOURNAL}*/*") if path.name != "partial"]


def wait_for_entry(index: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while not entries(index):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)


def test_an_interruption_stops_the_cluster_at_once_and_keeps_finished_shards(
    tmp_path: Path,
    cluster: Any,
    encoder: Encoder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    import ray

    shards, moments = EncodedShards(caplog), []
    # Where tests run in the background, a shell may have had the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt(*_: int) -> None:
        moments.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    try:
        with pytest.raises(KeyboardInterrupt), spread(encoder, cluster.address) as chunk_encoder:
            build_all(encoder, tmp_path / "i", chunk_encoder, progress=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - moments[0] < 10
    assert len(entries(tmp_path / "i")) == len(list(shards)) == 1
    ray.init(cluster.address, log_to_driver=False)
    try:
        until = time.monotonic() + 10
        while ray.available_resources().get("CPU") != 2:
            assert time.monotonic() < until
            time.sleep(0.1)
    finally:
        ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_the_bytes_of_text_under_way_are_limited(
    tmp_path: Path, encoder: Encoder, alone: Built
) -> None:
    taken: list[int] = []
    under_way: list[int] = []

    def counted(chunk_encoder: ChunkEncoder) -> ChunkEncoder:
        def counting(groups: Iterable[Group]) -> Iterator[Group]:
            for group in groups:
                taken.append(len(pack_group(group)))
                yield group

        def encode(groups: Iterable[Group]) -> Iterator[Any]:
            for returned, result in enumerate(chunk_encoder(counting(groups))):
                under_way.append(len(taken) - returned)
                yield result

        return encode

    with spread(encoder, "auto", texts=80_000) as chunk_encoder:
        index = build_all(encoder, tmp_path / "i", counted(chunk_encoder))
    assert_same(Built(index, tmp_path / "i"), alone)
    assert len(taken) == SHARDS
    assert max(under_way) * min(taken) < 80_000 + 2 * max(taken)
    assert max(under_way) < SHARDS


def test_a_worker_with_another_model_is_refused(tmp_path: Path, cluster: Any) -> None:
    model = make_model(tmp_path / "one")
    encoder = load_encoder(str(model), runtime="int8")
    encoder.encode(["It is loaded."])
    other = make_model(tmp_path / "other", seed=7)
    shutil.rmtree(model)
    other.rename(model)
    with (
        pytest.raises(WorkersError, match=r"another here: its fingerprint is \w{16}"),
        spread(encoder, cluster.address) as chunk_encoder,
    ):
        build_all(encoder, tmp_path / "i", chunk_encoder)


PRINT_SPEC = """
import sys
from ragkit.encoding import load_encoder
from ragkit.indexing.ray_cluster import WorkerSpec

spec = WorkerSpec.of(load_encoder(sys.argv[1]), "reference", 1)
print(*(getattr(spec, name) for name in WorkerSpec.__slots__), sep="\\n")
"""


def test_a_worker_whose_processor_rounds_differently_is_refused(encoder: Encoder) -> None:
    from ragkit.indexing.ray_cluster import WorkerSpec

    other = {**os.environ, "ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
    done = subprocess.run(
        [sys.executable, "-c", PRINT_SPEC, encoder.fingerprint.source],
        capture_output=True,
        text=True,
        check=True,
        env=other,
    )
    source, runtime, digest, probe, version, threads = done.stdout.split("\n")[:6]
    spec = WorkerSpec(source, runtime, digest, probe, version, int(threads), Prompts())  # type: ignore[arg-type]
    with pytest.raises(WorkersError, match="other last digits"):
        spec.load()


def test_a_client_whose_process_dies_at_its_start_connects_again(
    tmp_path: Path, cluster: Any, encoder: Encoder, alone: Built
) -> None:
    killed: list[int] = []
    watching = threading.Thread(target=kill_first_client, args=(killed,), daemon=True)
    watching.start()
    with spread(encoder, client_address(cluster)) as chunk_encoder:
        index = build_all(encoder, tmp_path / "i", chunk_encoder)
    watching.join()
    assert len(killed) == 1
    assert_same(Built(index, tmp_path / "i"), alone)


def kill_first_client(killed: list[int]) -> None:
    """Kill the process that the cluster starts for the next client before it is ready."""
    until = time.monotonic() + 60
    while not killed and time.monotonic() < until:
        for listed in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if b"--mode=specific-server" in listed.read_bytes():
                    killed.append(int(listed.parent.name))
                    os.kill(killed[0], signal.SIGKILL)
                    return
        time.sleep(0.002)


def test_an_address_where_nothing_answers_is_an_error_within_seconds(encoder: Encoder) -> None:
    for address in (f"ray://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"):
        started = time.monotonic()
        with pytest.raises(WorkersError, match="nothing answers"), spread(encoder, address):
            pass
        assert time.monotonic() - started < 15


@pytest.mark.parametrize("address", ["", "host", "ray://host", "http://host:1", "host:0", "a b:1"])
def test_a_malformed_address_is_refused(address: str, encoder: Encoder) -> None:
    with pytest.raises(InputError, match="expected 'ray'"), spread(encoder, address):
        pass


def test_an_encoder_that_workers_cannot_load_is_refused(encoder: Encoder) -> None:
    class Wrapped:
        fingerprint = encoder.fingerprint
        dimension = encoder.dimension
        window = encoder.window
        readings = encoder.readings
        runtime = encoder.runtime
        encode = encoder.encode
        count_tokens = encoder.count_tokens

    with pytest.raises(InputError, match="which workers cannot load"), spread(Wrapped()):
        pass


def test_texts_arrive_as_they_were_sent(article: Document, encoder: Encoder) -> None:
    odd = Document(id="odd", title="Odd \ud83d", text="One \ud83d\ude00 is.\x00 Two \ude00 are.\n")
    for document in (article, odd):
        chunks = Chunker().chunks(document, count=encoder.count_tokens, window=encoder.window)
        group = _chunk_texts([(document, chunk) for chunk in chunks[:50]])
        assert unpack_group(pack_group(group)) == group
