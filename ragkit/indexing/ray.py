"""Reading spread over the machines of a Ray cluster, by Ray Data (https://docs.ray.io).

This process keeps the corpus and the journal; what travels is a *shard*, one group of chunks
(about 256 texts): its texts to a worker, its vectors back, and from there onto this disk. A
*window* of shards is one dataset, streamed through a pool of workers that load the model once; the
next window is filled meanwhile. A worker that dies loses what it had under way, which another
reads; a build that dies loses what had not come back.

Ray Data does not run through Ray's client (``ray://``), so a *conductor*, one small process in the
cluster, runs it. It lives on the head's machine, or on this one where this is part of the cluster.

Workers need Python and Ray as the cluster has them, ``ragkit-cited`` in this process's version, and
the model under the name that it has here: the default model comes with ragkit, a folder must lie at
the same path, a hub's name must be in the worker's cache or reachable. Each proves that it reads as
this process does, to the last bit, before it reads anything else, so that the index is the one that
a single process builds. Where it does not, because its processor computes the last digits another
way, the work is refused: build on one kind of machine, the one that starts the build included.
Ray carries objects as pickles, so only a cluster that is trusted may be named. One that asks for a
token is given it by Ray's own variables, RAY_AUTH_MODE and RAY_AUTH_TOKEN.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import socket
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from ragkit import __version__
from ragkit.encoding import Encoder, Runtime, load_encoder, usable_cpus
from ragkit.errors import InputError, MissingExtraError, RagkitError, WorkersError
from ragkit.index.journal import EncodedChunk, Key, pack_chunks, unpack_chunks
from ragkit.indexing.pipeline import ChunkEncoder, ChunkTexts, Group, encode_group
from ragkit.text.spans import Span

__all__ = ["packed", "runtime_of", "spread", "unpacked"]

_TEXTS, _SHARE = 256 << 20, 8 << 20
"""Bytes of texts that are on their way at most, unless something else is said; and for each worker,
where that is more."""

_FIRST, _GROWTH = 8, 4
"""Shards a worker in the first window; shards put into the next window for each that came back."""

_AHEAD = 2
"""Results that are on their way while one is kept."""

_RETRIES = 8
"""So many workers may die of one shard: more, and it is the shard."""

_CONNECTING = 10.0
"""Seconds."""

_TRIES = 3
"""To connect as a client. Ray forks a process for each, which may die of the fork at once, since
other threads of the one that forks are in gRPC then."""

_STORE = 1 << 29
"""Of a cluster that is started here, bytes: the windows, and a few results a worker."""

_PROBES = ("What made these vectors?", "One text, longer than the window of a model: " * 40)

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
    """Context: a reader for ``build`` and ``update`` that reads on the workers of a Ray cluster.

    ``encoder``: one that ``load_encoder`` or ``query_encoder`` gave; workers load the same.
    ``address``: ``"ray://host:10001"``, a cluster anywhere; ``"host:6379"``, one that this machine
    is part of; ``"auto"``, the one that runs on this machine; ``"ray"``, that one or what the
    environment's RAY_ADDRESS says, and with neither one is started here and stopped at the end. A
    process that is connected to Ray already stays so and reads there.
    ``workers``: as many as the cluster's processors or GPUs allow, unless given. ``threads``: of
    each worker; one loses the least. ``gpus``: whether each worker has a GPU, which only the
    reference runtime uses; then yes if there are any, unless given. ``texts``: bytes of text that
    are on their way at most; each worker's share should last for minutes, since the model is loaded
    again for each window.

    Interrupted, the work in the cluster is stopped at once.

    Raises InputError for what cannot be meant, MissingExtraError without Ray, and WorkersError if
    the cluster cannot be reached (known within half a minute, or a few where something else
    answers), is of another version or has no room for a worker, or, from the reader, if a worker
    does not read as ``encoder`` does.
    """
    if threads < 1 or any(given is not None and given < 1 for given in (workers, texts)):
        raise InputError(
            f"workers {workers}, threads {threads}, texts {texts}; expected 1 or more of each."
        )
    runtime = runtime_of(encoder)
    with _connected(_checked(address)) as ray:
        pool = _Pool.of(ray.nodes(), runtime, workers=workers, threads=threads, gpus=gpus)
        plan = _Plan.of(encoder, runtime, threads)
        yield partial(_read, ray, plan, pool, texts or max(_TEXTS, _SHARE * pool.workers))


def runtime_of(encoder: Encoder) -> Runtime:
    """How a worker must load it. Raises InputError for an encoder that ragkit does not load."""
    from ragkit.encoding.onnx import OnnxEncoder
    from ragkit.encoding.sentence_transformer import SentenceTransformerEncoder

    if isinstance(encoder, OnnxEncoder):
        return encoder.export.precision
    if isinstance(encoder, SentenceTransformerEncoder):
        return "reference"
    raise InputError(
        f"the encoder is a {type(encoder).__name__}, which workers cannot load; expected one that "
        f"load_encoder gives. Build with it in this process."
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """What each worker must read with, and how this process reads: ``_probe`` of its encoder."""

    source: str
    runtime: Runtime
    digest: str
    probe: str
    version: str
    threads: int

    @classmethod
    def of(cls, encoder: Encoder, runtime: Runtime, threads: int) -> _Plan:
        made_by = encoder.fingerprint
        probe = _probe(encoder)
        return cls(made_by.source, runtime, made_by.digest, probe, __version__, threads)

    def loaded(self) -> Encoder:
        """A worker's own encoder, proved. Raises WorkersError or EncoderError."""
        if __version__ != self.version:
            raise WorkersError(
                f"ragkit is {__version__} here, but {self.version} where the build was started. "
                f"Install the same."
            )
        encoder = load_encoder(self.source, runtime=self.runtime)
        found = encoder.fingerprint.digest
        if found != self.digest:
            raise WorkersError(
                f"the model {self.source!r} is another here: its fingerprint is {found[:16]}, but "
                f"{self.digest[:16]} where the build was started. Put the same files there."
            )
        if _probe(encoder) != self.probe:
            raise WorkersError(
                f"the model {self.source!r} gives other last digits here than where the build was "
                f"started, so the index would not be the one that a single process builds: the "
                f"processor, or the version of a library, is another. Use machines of one kind, "
                f"with the same packages, and start the build on one of them."
            )
        return encoder


@dataclass(frozen=True, slots=True)
class _Pool:
    """How many workers there are, and what each has."""

    workers: int
    threads: int
    gpus: int

    @classmethod
    def of(
        cls,
        nodes: Iterable[dict[str, Any]],
        runtime: Runtime,
        *,
        workers: int | None,
        threads: int,
        gpus: bool | None,
    ) -> _Pool:
        """``nodes``: as ``ray.nodes`` gives them. Raises InputError or WorkersError."""
        if gpus and runtime != "reference":
            raise InputError(
                f"the runtime {runtime!r} reads on processors alone; expected 'reference' for GPUs."
            )
        having = [node["Resources"] for node in nodes if node["Alive"]]
        if gpus is None:
            gpus = runtime == "reference" and any(each.get("GPU", 0) >= 1 for each in having)
        room = sum(
            int(min(each.get("CPU", 0) // threads, each.get("GPU", 0) if gpus else float("inf")))
            for each in having
        )
        if workers is None and not room:
            raise WorkersError(
                f"no machine of the cluster has room for a worker of {threads} threads"
                f"{' and a GPU' if gpus else ''}. Ask for fewer threads, or say how many workers "
                f"there shall be, if more machines come when they are asked for."
            )
        return cls(workers or room, threads, int(gpus))


class _Shard(NamedTuple):
    """One group, as it is sent."""

    keys: list[Key]
    texts: bytes

    @classmethod
    def of(cls, group: Group) -> _Shard:
        return cls([texts.key for texts in group], packed(group))


class _Answer(NamedTuple):
    """What came of the shard of that number in its window.

    ``refusal``: why it was not read, or empty. ``read``: a journal's entry. ``worker``: which
    process on which machine; ``turn``: its how many-th shard this is.
    """

    shard: int
    refusal: str
    read: bytes
    worker: str
    turn: int


def _read(
    ray: Any, plan: _Plan, pool: _Pool, texts: int, groups: Iterable[Group]
) -> Iterator[tuple[list[Key], list[EncodedChunk]]]:
    """A ``Reader``. Of the texts' bytes one half is for a window, one for the next."""
    shards = map(_Shard.of, groups)
    window = _some(shards, _FIRST * pool.workers, texts // 2)
    with _conducted(ray, plan, pool) as conductor:
        while window:
            following: list[_Shard] = []
            for number, found in _answers(ray, conductor, window):
                size = sum(len(shard.texts) for shard in following)
                following += _some(shards, _GROWTH, texts // 2 - size)
                yield window[number].keys, found
            window = following


def _some(shards: Iterator[_Shard], count: int, room: int) -> list[_Shard]:
    """The next ``count`` shards, or as many as fill ``room`` bytes."""
    found: list[_Shard] = []
    for shard in islice(shards, count if room > 0 else 0):
        found.append(shard)
        room -= len(shard.texts)
        if room <= 0:
            break
    return found


def _answers(
    ray: Any, conductor: Any, window: Sequence[_Shard]
) -> Iterator[tuple[int, list[EncodedChunk]]]:
    """Each shard's number and what was read of it, as they come. Raises WorkersError."""
    for shard in window:
        conductor.add.remote(shard.texts)
    ray.get(conductor.begin.remote())
    unread = set(range(len(window)))
    asked = deque(conductor.next.remote() for _ in range(_AHEAD))
    while (table := ray.get(asked.popleft())) is not None:
        answer = _Answer(**table.to_pylist()[0])
        asked.append(conductor.next.remote())
        if answer.refusal:
            raise WorkersError(f"the worker {answer.worker} does not read: {answer.refusal}")
        keys, read = zip(*unpack_chunks(answer.read), strict=True)
        if answer.shard not in unread or list(keys) != window[answer.shard].keys:
            raise WorkersError(
                f"the worker {answer.worker} answered with chunks that it was not given. Run the "
                f"build again; it goes on where it stopped."
            )
        _log.debug("shard %d was read by %s, its %d.", answer.shard, answer.worker, answer.turn)
        unread.remove(answer.shard)
        yield answer.shard, list(read)
    if unread:
        raise WorkersError(
            f"{len(unread)} of {len(window)} shards were not read. Run the build again; it goes "
            f"on where it stopped."
        )


# In the cluster.


@contextmanager
def _conducted(ray: Any, plan: _Plan, pool: _Pool) -> Iterator[Any]:
    """Context: a conductor's handle; all that it has started ends with it.

    What Ray raises meanwhile becomes a WorkersError.
    """
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(_Conductor).options(num_cpus=0, scheduling_strategy=here)
    conductor = actor.remote(plan, pool)
    try:
        yield conductor
    except (RayError, ConnectionError) as error:
        raise WorkersError(
            f"reading on the cluster failed ({_last_line(error)}). What had come back is kept: run "
            f"the build again, and it goes on there. Workers need ragkit-cited {plan.version}."
        ) from error
    finally:
        ray.kill(conductor)


class _Conductor:
    """Runs Ray Data, window by window."""

    def __init__(self, plan: _Plan, pool: _Pool) -> None:
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        self._plan = plan
        self._pool = pool
        self._added: list[bytes] = []
        self._answers: Iterator[Any] = iter(())

    def add(self, texts: bytes) -> None:
        """The next shard of the window that is begun next."""
        self._added.append(texts)

    def begin(self) -> None:
        """Start reading what was added."""
        import pyarrow
        import ray.data

        rows = [
            pyarrow.Table.from_pylist([{"shard": number, "texts": texts}])
            for number, texts in enumerate(self._added)
        ]
        workers = min(self._pool.workers, len(rows))
        read = ray.data.from_arrow(rows).map_batches(
            _ShardReader,
            fn_constructor_args=(self._plan,),
            batch_size=None,
            batch_format="pyarrow",
            # Fewer may stay when a machine is lost.
            compute=ray.data.ActorPoolStrategy(
                min_size=1, max_size=workers, initial_size=workers, max_tasks_in_flight_per_actor=2
            ),
            num_cpus=self._pool.threads,
            num_gpus=self._pool.gpus,
            max_task_retries=_RETRIES,
        )
        self._added = []
        batches = read.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1)
        self._answers = iter(batches)

    def next(self) -> Any:
        """The next answer, as a table of one row that is passed on unread; None after the last."""
        return next(self._answers, None)


class _ShardReader:
    """What runs in each worker. One that cannot be trusted answers with why."""

    def __init__(self, plan: _Plan) -> None:
        # Read by the libraries of the model when they are loaded.
        os.environ["OMP_NUM_THREADS"] = str(plan.threads)
        self._name = f"{os.getpid()} on {socket.gethostname()}"
        self._turn = 0
        self._refusal = ""
        try:
            self._encoder = plan.loaded()
        except RagkitError as error:
            self._refusal = str(error)

    def __call__(self, shard: Any) -> Any:
        """``shard``: an Arrow table of one row; the answer is one too."""
        import pyarrow

        [row] = shard.to_pylist()
        read = b"" if self._refusal else self._read(unpacked(row["texts"]))
        answer = _Answer(row["shard"], self._refusal, read, self._name, self._turn)
        return pyarrow.Table.from_pylist([answer._asdict()])

    def _read(self, group: Group) -> bytes:
        self._turn += 1
        return pack_chunks([texts.key for texts in group], encode_group(group, self._encoder))


def _probe(encoder: Encoder) -> str:
    """A digest of what it reads of two texts, to the last bit."""
    digest = hashlib.sha256()
    for read in encoder.encode(_PROBES):
        digest.update(read.vector.tobytes() + read.tokens.tobytes())
    return digest.hexdigest()


def packed(group: Group) -> bytes:
    """As it is sent: without each sentence alone, which stands in the whole."""
    rows = [(texts.context, texts.whole, texts.places) for texts in group]
    return json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass")


def unpacked(data: bytes) -> list[ChunkTexts]:
    """What ``packed`` packed."""
    found = []
    for front, whole, spans in json.loads(data.decode("utf-8", "surrogatepass")):
        places = tuple(Span(start, end) for start, end in spans)
        alone = tuple(whole[:front] + whole[front + p.start : front + p.end] for p in places)
        found.append(ChunkTexts(front, whole, alone, places))
    return found


# Getting there.


def _checked(address: str) -> str:
    """An address that Ray takes, or ``ray``. Raises InputError, or WorkersError if no one is there.

    Whether anyone is there is asked first because Ray itself takes minutes to say so.
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
        socket.create_connection((match[1].strip("[]"), int(match[2])), _CONNECTING).close()
    except OSError as error:
        raise WorkersError(
            f"no one answers at {address} ({error.strerror or error}); expected a Ray cluster. "
            f"Start one with: ray start --head --ray-client-server-port 10001"
        ) from error
    return address


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Context: the module ``ray``, connected."""
    ray = _library()
    if ray.is_initialized():
        yield ray
        return
    try:
        _connect(ray, address)
    # Ray raises many unrelated types, and another version's refusal as a RuntimeError.
    except Exception as error:
        ray.shutdown()  # a client that could not connect would stand in the next one's way
        raise WorkersError(
            f"the Ray cluster at {address!r} cannot be used ({_last_line(error)}); expected one of "
            f"Ray {ray.__version__} and of this Python's version. One that this machine is no part "
            f"of is reached as ray://HOST:10001; one that asks for a token needs RAY_AUTH_MODE."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address != "ray":
        _connect_client(ray, address, quiet)
        return
    try:
        ray.init("auto", **quiet)
    except ConnectionError:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            "local",
            num_cpus=usable_cpus(),
            object_store_memory=_STORE,
            include_dashboard=False,
            **quiet,
        )


def _connect_client(ray: Any, address: str, quiet: Mapping[str, Any]) -> None:
    for tries_left in reversed(range(_TRIES)):
        try:
            ray.init(address, **quiet)
            return
        # What the other side says when it could not start.
        except ConnectionAbortedError:
            if not tries_left:
                raise
            ray.shutdown()


def _library() -> Any:
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            "ray is not installed; work is spread over machines by it. "
            "Run: pip install 'ragkit-cited[ray]'"
        ) from error
    return ray


def _last_line(error: Exception) -> str:
    """Of a message that carries a remote traceback, what it ends in."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:300]
