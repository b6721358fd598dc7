"""Encode chunks on the machines of a Ray cluster, by Ray Data (https://docs.ray.io).

This process keeps the corpus and the journal. It sends *shards*, groups of chunks of about 256
texts: texts go to a worker, vectors come back into the journal on this machine's disk. A *window*
of shards is one dataset, streamed through a pool of workers that load the model once; the next
window is filled meanwhile. If a worker dies, another encodes what it had not returned; if the build
dies, only what had not come back is encoded again.

Ray Data does not run through Ray's client (``ray://``), so a *conductor*, one small process in the
cluster, runs it (``ray_cluster``): on the head's machine, or on this one if it is part of the
cluster.

Workers need the cluster's versions of Python and Ray, this process's version of ``ragkit-cited``,
and the model under the same name: the default model comes with ragkit, a folder must be at the same
path, a hub name must be in the worker's cache or reachable. Before its first shard each worker
verifies that it encodes as this process does, to the last bit, so that the index is the one that a
single process builds. If it does not, because its processor rounds otherwise, the work is refused:
build on machines of one kind, including the one that starts the build.

Ray sends objects as pickles, so name only clusters that you trust. For a cluster that asks for a
token, set Ray's own variables RAY_AUTH_MODE and RAY_AUTH_TOKEN.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from ragkit.encoding import Encoder, Runtime, usable_cpus
from ragkit.errors import InputError, MissingExtraError, WorkersError
from ragkit.index.journal import EncodedChunk, Key, unpack_chunks
from ragkit.indexing.pipeline import ChunkEncoder, Group
from ragkit.indexing.ray_cluster import (
    Conductor,
    ShardResult,
    WorkerPool,
    WorkerSpec,
    pack_group,
)

__all__ = ["runtime_of", "spread"]

_TEXTS = 256 << 20
"""Default limit of the bytes of text that are sent and not yet encoded."""

_TEXTS_PER_WORKER = 8 << 20
"""The default limit is at least this for each worker."""

_FIRST_WINDOW = 8
"""Number of shards a worker in the first window."""

_GROWTH = 4
"""Number of shards put into the next window for each that comes back."""

_REQUESTED = 2
"""Number of results that are requested before they are needed."""

_CONNECT_TIMEOUT = 10.0
"""Seconds that connecting to an address may take."""

_CONNECT_TRIES = 3
"""Number of tries to connect as a client. Ray forks a process for each client, which may die at
once if another thread of the forking process is inside gRPC."""

_HOW_TO_START = "Start one with: ray start --head --ray-client-server-port 10001"

_OBJECT_STORE = 1 << 29
"""Bytes of the object store of a cluster started here: the windows, and some results a worker."""

_log = logging.getLogger("ragkit")


@contextmanager
def spread(
    encoder: Encoder,
    address: str = "ray",
    *,
    workers: int | None = None,
    threads: int = 1,
    gpus: bool | None = None,
    texts: int | None = None,
) -> Iterator[ChunkEncoder]:
    """Context: a chunk encoder for ``build`` and ``update`` that runs on a Ray cluster.

    If the build is interrupted, the work in the cluster is stopped at once.

    Args:
        encoder: an encoder from ``load_encoder`` or ``query_encoder``; workers load the same model.
        address: ``"ray://host:10001"``, any cluster; ``"host:6379"``, one that this machine is part
            of; ``"auto"``, the one that runs on this machine; ``"ray"``, that one or the one named
            by RAY_ADDRESS, or else one that is started here and stopped at the end. A process that
            is already connected to Ray uses that connection.
        workers: number of workers; by default as many as the cluster has room for.
        threads: number of threads of each worker; one is the most efficient.
        gpus: whether each worker gets a GPU, which only the reference runtime uses; by default yes
            if the cluster has any.
        texts: limit of the bytes of text that are sent and not yet encoded. Each worker's share
            should last for minutes, since the model is loaded again for each window.

    Raises:
        InputError: an argument cannot be used.
        MissingExtraError: Ray is not installed.
        WorkersError: the cluster cannot be reached (after half a minute, or a few if something else
            answers), has another version or no room for a worker; or a worker encodes differently.

    """
    _check_numbers(workers=workers, threads=threads, texts=texts)
    runtime = runtime_of(encoder)
    with _connected(_checked_address(address)) as ray:
        pool = WorkerPool.of(ray.nodes(), runtime, workers=workers, threads=threads, gpus=gpus)
        spec = WorkerSpec.of(encoder, runtime, threads)
        limit = texts or max(_TEXTS, _TEXTS_PER_WORKER * pool.workers)
        yield partial(_encode_groups, ray, spec, pool, limit)


def _check_numbers(**numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise InputError(f"{name} is {number}; expected 1 or more.")


def runtime_of(encoder: Encoder) -> Runtime:
    """Return the runtime with which workers must load the encoder's model.

    Raises:
        InputError: ``load_encoder`` did not make the encoder, so workers cannot load it.

    """
    from ragkit.encoding.onnx import OnnxEncoder
    from ragkit.encoding.sentence_transformer import SentenceTransformerEncoder

    if isinstance(encoder, OnnxEncoder):
        return encoder.export.precision
    if isinstance(encoder, SentenceTransformerEncoder):
        return "reference"
    raise InputError(
        f"the encoder is a {type(encoder).__name__}, which workers cannot load; expected one from "
        f"load_encoder. Build with it in this process."
    )


class _Shard(NamedTuple):
    """One group: the keys of its chunks, and its texts as they are sent."""

    keys: list[Key]
    texts: bytes

    @classmethod
    def of(cls, group: Group) -> _Shard:
        return cls([texts.key for texts in group], pack_group(group))


def _encode_groups(
    ray: Any, spec: WorkerSpec, pool: WorkerPool, limit: int, groups: Iterable[Group]
) -> Iterator[tuple[list[Key], list[EncodedChunk]]]:
    """A ``ChunkEncoder``. Half of the limit is for one window, half for the next."""
    shards = map(_Shard.of, groups)
    window = _take_shards(shards, _FIRST_WINDOW * pool.workers, limit // 2)
    with _conductor(ray, spec, pool) as conductor:
        while window:
            following: list[_Shard] = []
            for number, chunks in _results(ray, conductor, window):
                size = sum(len(shard.texts) for shard in following)
                following += _take_shards(shards, _GROWTH, limit // 2 - size)
                yield window[number].keys, chunks
            window = following


def _take_shards(shards: Iterator[_Shard], number: int, room: int) -> list[_Shard]:
    """The next ``number`` shards, or as many as fill ``room`` bytes."""
    taken: list[_Shard] = []
    for shard in islice(shards, number if room > 0 else 0):
        taken.append(shard)
        room -= len(shard.texts)
        if room <= 0:
            break
    return taken


def _results(
    ray: Any, conductor: Any, window: Sequence[_Shard]
) -> Iterator[tuple[int, list[EncodedChunk]]]:
    """The number and the chunks of each shard, in the order they come. Raises WorkersError."""
    for shard in window:
        conductor.add.remote(shard.texts)
    ray.get(conductor.start.remote())
    missing = set(range(len(window)))
    requested = deque(conductor.next.remote() for _ in range(_REQUESTED))
    while (table := ray.get(requested.popleft())) is not None:
        result = ShardResult(**table.to_pylist()[0])
        requested.append(conductor.next.remote())
        chunks = _checked_chunks(result, window, missing)
        _log.debug("shard %d was encoded by %s, its %d.", result.shard, result.worker, result.turn)
        missing.remove(result.shard)
        yield result.shard, chunks
    if missing:
        raise WorkersError(
            f"{len(missing)} of {len(window)} shards did not come back. Run the build again; it "
            f"resumes where it stopped."
        )


def _checked_chunks(
    result: ShardResult, window: Sequence[_Shard], missing: set[int]
) -> list[EncodedChunk]:
    """The chunks of a result, which must be those of a missing shard. Raises WorkersError."""
    if result.refusal:
        raise WorkersError(f"the worker {result.worker} encodes nothing: {result.refusal}")
    keys, chunks = zip(*unpack_chunks(result.chunks), strict=True)
    if result.shard not in missing or list(keys) != window[result.shard].keys:
        raise WorkersError(
            f"the worker {result.worker} returned chunks that it was not sent. Run the build "
            f"again; it resumes where it stopped."
        )
    return list(chunks)


@contextmanager
def _conductor(ray: Any, spec: WorkerSpec, pool: WorkerPool) -> Iterator[Any]:
    """Context: a handle of a new conductor; everything that it started ends with it.

    Errors of Ray become a WorkersError.
    """
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(Conductor).options(num_cpus=0, scheduling_strategy=here)
    conductor = actor.remote(spec, pool)
    try:
        yield conductor
    except (RayError, ConnectionError) as error:
        raise WorkersError(
            f"the cluster failed while it encoded ({_last_line(error)}). What came back is saved: "
            f"run the build again, and it resumes there. Workers need ragkit-cited {spec.version}."
        ) from error
    finally:
        ray.kill(conductor)


# Connecting.


def _checked_address(address: str) -> str:
    """The address as Ray takes it, or ``ray``. Raises InputError, or WorkersError.

    The connection is tried here because Ray itself takes minutes to report that nothing answers.
    """
    if address == "ray":
        address = os.environ.get("RAY_ADDRESS") or "ray"
    if address in ("ray", "auto"):
        return address
    match = re.fullmatch(r"(?:ray://)?(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):([0-9]{1,5})", address)
    if match is None or not 0 < int(match[2]) < 1 << 16:
        raise InputError(
            f"the workers' address is {address!r}; expected 'ray', 'auto', 'ray://HOST:PORT' or "
            f"'HOST:PORT'."
        )
    try:
        socket.create_connection((match[1].strip("[]"), int(match[2])), _CONNECT_TIMEOUT).close()
    except OSError as error:
        raise WorkersError(
            f"nothing answers at {address} ({error.strerror or error}); expected a Ray cluster. "
            f"{_HOW_TO_START}"
        ) from error
    return address


def _address_on_this_machine() -> str:
    """The address of the cluster that runs on this machine. Raises WorkersError if none answers.

    Ray takes a process that a dead cluster left for a cluster, and half an hour to give it up.
    """
    from ray._private.services import canonicalize_bootstrap_address_or_die

    try:
        address = canonicalize_bootstrap_address_or_die("auto")
    except ConnectionError as error:
        raise WorkersError(f"no Ray cluster runs on this machine. {_HOW_TO_START}") from error
    return _checked_address(address)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Context: the module ``ray``, connected."""
    ray = _import_ray()
    if ray.is_initialized():
        yield ray
        return
    try:
        _connect(ray, address)
    except WorkersError:
        raise
    # Ray raises many unrelated types, and a RuntimeError for another version.
    except Exception as error:
        ray.shutdown()  # a half-connected client would break the next connection
        raise WorkersError(
            f"the Ray cluster at {address!r} cannot be used ({_last_line(error)}); expected Ray "
            f"{ray.__version__} and this version of Python. Use ray://HOST:10001 for a cluster "
            f"that this machine is not part of, and set RAY_AUTH_MODE for one that asks for a "
            f"token."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    if address == "auto":
        _init(ray, _address_on_this_machine())
    elif address != "ray":
        _init(ray, address)
    else:
        try:
            address = _address_on_this_machine()
        except WorkersError:
            _start_cluster(ray)
        else:
            _init(ray, address)


def _start_cluster(ray: Any) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    _init(
        ray,
        "local",
        num_cpus=usable_cpus(),
        object_store_memory=_OBJECT_STORE,
        include_dashboard=False,
    )


def _init(ray: Any, address: str, **options: Any) -> None:
    for tries_left in reversed(range(_CONNECT_TRIES)):
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
            return
        except (ConnectionAbortedError, RuntimeError) as error:
            if not tries_left or not _died_at_its_start(error):
                raise
            ray.shutdown()


def _died_at_its_start(error: Exception) -> bool:
    """Whether the process of a client died: as it answered, or before it was ready."""
    return isinstance(error, ConnectionAbortedError) or "client server failed" in str(error)


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            "encoding on several machines needs ray, which is not installed. Install it: "
            "pip install 'ragkit-cited[ray]'"
        ) from error
    return ray


def _last_line(error: Exception) -> str:
    """The last line of a message, which may carry a remote traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:300]
