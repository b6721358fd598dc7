"""What runs in a Ray cluster when chunks are encoded there (``ragkit.indexing.ray`` starts it).

A *conductor*, one small process, runs Ray Data; *workers* encode one shard after the other. Ray
sends these classes as pickles that name this module, so the cluster needs it in the same version.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from ragkit import __version__
from ragkit.encoding import Encoder, Prompts, Runtime, load_encoder
from ragkit.errors import InputError, RagkitError, WorkersError
from ragkit.index.journal import pack_chunks
from ragkit.indexing.pipeline import ChunkTexts, Group, encode_group
from ragkit.text.spans import Span

__all__ = [
    "Conductor",
    "ShardResult",
    "WorkerPool",
    "WorkerSpec",
    "pack_group",
    "unpack_group",
]

_RETRIES = 8
"""Number of times that a shard is tried again after its worker died, before it is declared bad."""

_PROBES = ("What made these vectors?", "One text, longer than the window of a model: " * 40)


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """The model that each worker must load, and how this process encodes with it.

    Attributes:
        source: name or folder of the model.
        runtime: how it is run.
        digest: the digest of its fingerprint.
        probe: a digest of how it encodes two texts here.
        version: the version of ragkit here.
        threads: number of threads of each worker.
        prompts: read in front of questions and passages.

    """

    source: str
    runtime: Runtime
    digest: str
    probe: str
    version: str
    threads: int
    prompts: Prompts

    @classmethod
    def of(cls, encoder: Encoder, runtime: Runtime, threads: int) -> WorkerSpec:
        """Return the spec of workers that encode as ``encoder`` does."""
        fingerprint = encoder.fingerprint
        probe = _probe(encoder)
        return cls(
            fingerprint.source, runtime, fingerprint.digest, probe, __version__, threads,
            fingerprint.prompts,
        )  # fmt: skip

    def load(self) -> Encoder:
        """Load the model on a worker and verify that it encodes as it does where the build started.

        Raises:
            WorkersError: the worker has another version, another model or another arithmetic.
            EncoderError: the model cannot be loaded.

        """
        if __version__ != self.version:
            raise WorkersError(
                f"this worker has ragkit {__version__}; expected {self.version}, as where the "
                f"build was started. Install that version."
            )
        encoder = load_encoder(self.source, runtime=self.runtime, prompts=self.prompts)
        digest = encoder.fingerprint.digest
        if digest != self.digest:
            raise WorkersError(
                f"the model {self.source!r} is another here: its fingerprint is {digest[:16]}; "
                f"expected {self.digest[:16]}, as where the build was started. Put the same files "
                f"here."
            )
        if _probe(encoder) != self.probe:
            raise WorkersError(
                f"the model {self.source!r} computes other last digits here than where the build "
                f"was started, so the index would differ from the one that a single process "
                f"builds: the processor or the version of a library differs. Use machines of one "
                f"kind, with the same packages, and start the build on one of them."
            )
        return encoder


def _probe(encoder: Encoder) -> str:
    """A digest of the vectors of two texts, to the last bit."""
    digest = hashlib.sha256()
    for encoded in encoder.encode(_PROBES):
        digest.update(encoded.vector.tobytes() + encoded.tokens.tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class WorkerPool:
    """The number of workers, and what each of them has.

    Attributes:
        workers: number of workers.
        threads: number of processors of each.
        gpus: number of GPUs of each, 0 or 1.

    """

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
    ) -> WorkerPool:
        """Return the pool that fits a cluster.

        Args:
            nodes: the machines, as ``ray.nodes`` returns them.
            runtime: how the model is run.
            workers: number of workers; None for as many as fit.
            threads: number of processors of each.
            gpus: whether each has a GPU; None for yes if there are any that can be used.

        Raises:
            InputError, WorkersError: the runtime cannot use GPUs; no machine has room.

        """
        if gpus and runtime != "reference":
            raise InputError(
                f"the runtime {runtime!r} cannot use GPUs; load the encoder with 'reference'."
            )
        resources = [node["Resources"] for node in nodes if node["Alive"]]
        if gpus is None:
            gpus = runtime == "reference" and any(own.get("GPU", 0) >= 1 for own in resources)
        room = sum(
            int(min(own.get("CPU", 0) // threads, own.get("GPU", 0) if gpus else float("inf")))
            for own in resources
        )
        if workers is None and not room:
            raise WorkersError(
                f"no machine of the cluster has room for a worker of {threads} threads"
                f"{' and a GPU' if gpus else ''}. Ask for fewer threads, or give the number of "
                f"workers if the cluster adds machines on demand."
            )
        return cls(workers or room, threads, int(gpus))


class ShardResult(NamedTuple):
    """What a worker returns for a shard.

    Attributes:
        shard: the number of the shard in its window.
        refusal: why the worker encodes nothing; empty if it does.
        chunks: the encoded chunks, as an entry of the journal.
        worker: the worker's process and machine.
        turn: how many shards this worker has encoded, this one included.

    """

    shard: int
    refusal: str
    chunks: bytes
    worker: str
    turn: int


class Conductor:
    """An actor that runs Ray Data, one window of shards after the other."""

    def __init__(self, spec: WorkerSpec, pool: WorkerPool) -> None:
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        self._spec = spec
        self._pool = pool
        self._added: list[bytes] = []
        self._results: Iterator[Any] = iter(())

    def add(self, texts: bytes) -> None:
        """Add a shard to the window that ``start`` will start."""
        self._added.append(texts)

    def start(self) -> None:
        """Start to encode the shards that were added."""
        import pyarrow
        import ray.data

        rows = [
            pyarrow.Table.from_pylist([{"shard": number, "texts": texts}])
            for number, texts in enumerate(self._added)
        ]
        workers = min(self._pool.workers, len(rows))
        encoded = ray.data.from_arrow(rows).map_batches(
            _ShardEncoder,
            fn_constructor_args=(self._spec,),
            batch_size=None,
            batch_format="pyarrow",
            # The minimum is 1 because fewer may be left when a machine is lost.
            compute=ray.data.ActorPoolStrategy(
                min_size=1, max_size=workers, initial_size=workers, max_tasks_in_flight_per_actor=2
            ),
            num_cpus=self._pool.threads,
            num_gpus=self._pool.gpus,
            max_task_retries=_RETRIES,
        )
        self._added = []
        batches = encoded.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1)
        self._results = iter(batches)

    def next(self) -> Any:
        """Return the next result as an Arrow table of one row; None after the last."""
        return next(self._results, None)


class _ShardEncoder:
    """Encodes shards on a worker. If the worker differs, each result says why."""

    def __init__(self, spec: WorkerSpec) -> None:
        # The model's libraries look at this when they are loaded.
        os.environ["OMP_NUM_THREADS"] = str(spec.threads)
        self._name = f"{os.getpid()} on {socket.gethostname()}"
        self._turn = 0
        self._refusal = ""
        try:
            self._encoder = spec.load()
        except RagkitError as error:
            self._refusal = str(error)

    def __call__(self, shard: Any) -> Any:
        """Encode an Arrow table of one row; return a ``ShardResult`` as such a table."""
        import pyarrow

        [row] = shard.to_pylist()
        chunks = b"" if self._refusal else self._encode(unpack_group(row["texts"]))
        result = ShardResult(row["shard"], self._refusal, chunks, self._name, self._turn)
        return pyarrow.Table.from_pylist([result._asdict()])

    def _encode(self, group: Group) -> bytes:
        self._turn += 1
        return pack_chunks([texts.key for texts in group], encode_group(group, self._encoder))


def pack_group(group: Group) -> bytes:
    """Return a group as it is sent: without the texts of single sentences, which the whole has."""
    rows = [(texts.context, texts.whole, texts.places) for texts in group]
    return json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass")


def unpack_group(data: bytes) -> list[ChunkTexts]:
    """Return the group that ``pack_group`` packed."""
    group = []
    for front, whole, spans in json.loads(data.decode("utf-8", "surrogatepass")):
        places = tuple(Span(start, end) for start, end in spans)
        alone = tuple(whole[:front] + whole[front + p.start : front + p.end] for p in places)
        group.append(ChunkTexts(front, whole, alone, places))
    return group
