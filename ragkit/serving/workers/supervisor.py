"""The supervisor: starts worker processes, replaces those that end, and stops them together.

It serves nothing itself and opens no index. Workers are spawned, not forked: a fork would copy the
locks of threads that it does not copy.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import connection, resource_tracker
from multiprocessing.context import SpawnProcess
from pathlib import Path

from ragkit.errors import InputError, RagkitError, WorkersError
from ragkit.serving.database import Database
from ragkit.serving.metrics import FOLDER_VARIABLE, forget_process
from ragkit.serving.process import SHUTDOWN_TIMEOUT, Served
from ragkit.serving.workers.member import (
    INTERRUPTS,
    Failed,
    Opened,
    Ready,
    database_file,
    metrics_folder,
)
from ragkit.serving.workers.worker import serve_as_worker

__all__ = ["Supervisor", "WorkerRecord", "due_for_new_generation"]

_STEADY = 60.0  # seconds after which a worker that ends is no longer one that cannot serve
_LONGEST_PAUSE = 60.0  # seconds before a worker that ends again and again is replaced
_MOST_FAILURES = 3  # of each worker in a row, when none serves, before the server gives up
_APART = 15.0  # seconds that a worker which has opened a new generation waits for the others
_KILL_MARGIN = 5.0  # seconds beyond the graceful shutdown
_SPAWN = multiprocessing.get_context("spawn")
_log = logging.getLogger("ragkit.serving")


@dataclass(slots=True)
class WorkerRecord:
    """A worker process and its replacements, one after the other. Times are of the monotonic clock.

    Attributes:
        number: from 1.
        process: the current process; None before the first, and while a replacement is due.
        channel: the supervisor's end of the pipe to it; None when the other end is closed.
        error: why it cannot serve, as it said.
        serving: the generation that it serves; None until it is ready.
        opened: the newest generation that it has open.
        changed_at: when ``opened`` became another one than ``serving``.
        started_at: when the process was started.
        due_at: when to start the next one.
        failures: how many processes ended in a row, each soon after its start.

    """

    number: int
    process: SpawnProcess | None = None
    channel: connection.Connection | None = None
    error: RagkitError | None = None
    serving: str | None = None
    opened: str | None = None
    changed_at: float = 0.0
    started_at: float = 0.0
    due_at: float = 0.0
    failures: int = 0

    @property
    def waits(self) -> bool:
        """Whether it has opened a generation that it does not serve yet."""
        return self.serving is not None and self.opened != self.serving


class Supervisor:
    """Runs the workers of one server. Use it once, in the main thread."""

    def __init__(
        self, served: Served, listener: socket.socket, *, workers: int, threads: int
    ) -> None:
        """Set up the supervisor.

        Args:
            served: What the server serves.
            listener: The socket on which all workers listen.
            workers: Number of worker processes.
            threads: Number of threads of each that compute.

        Raises:
            InputError: The index is not one that several processes can open.

        """
        if served.index is not None and not isinstance(served.index, (str, os.PathLike)):
            raise InputError(
                f"several workers were asked to serve a {type(served.index).__name__}; expected "
                f"the path or address of an index, which each of them opens."
            )
        waiting = -(-served.settings.waiting // workers)
        self._served = replace(served, settings=replace(served.settings, waiting=waiting))
        self._listener = listener
        self._threads = threads
        self._workers = [WorkerRecord(number) for number in range(1, workers + 1)]
        self._all_were_ready = False

    def run(self, on_ready: Callable[[], None]) -> None:
        """Serve until SIGINT, SIGTERM or SIGHUP; then let the workers finish their requests.

        Args:
            on_ready: Called once, when all workers serve.

        Raises:
            RagkitError: A worker cannot serve, as ``create_app`` raises.
            WorkersError: The workers end again and again, and none serves.

        """
        with _Signals() as signals, _shared_folder() as folder:
            try:
                while not signals.received:
                    self._start_due(folder)
                    self._wait(signals)
                    if signals.received:  # perhaps by the workers as well, which then ended rightly
                        break
                    self._replace_ended(folder)
                    self._serve_together()
                    if not self._all_were_ready and all(w.serving for w in self._workers):
                        self._all_were_ready = True
                        on_ready()
            finally:
                self._stop()
        if signals.received:
            signal.raise_signal(signals.received[0])  # end as a process that had no handler

    def _start_due(self, folder: Path) -> None:
        for worker in self._workers:
            if worker.process is None and worker.due_at <= time.monotonic():
                try:
                    self._start(worker, folder)
                except OSError as error:  # no more processes or memory
                    self._postpone(worker, f"worker {worker.number} cannot be started: {error}")

    def _start(self, worker: WorkerRecord, folder: Path) -> None:
        served = self._served
        if self._all_were_ready:  # what became stale since is served, and said with each answer
            served = replace(served, settings=replace(served.settings, require_fresh=False))
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(
            target=serve_as_worker,
            args=(served,),
            kwargs={
                "number": worker.number,
                "processes": len(self._workers),
                "folder": folder,
                "listener": self._listener,
                "channel": theirs,
            },
            name=f"ragkit worker {worker.number}",
            daemon=True,
        )
        with _environment(
            # Libraries read these when they are imported, which unpickling may do.
            {"OMP_NUM_THREADS": str(self._threads), FOLDER_VARIABLE: str(metrics_folder(folder))}
        ):
            _start_without_interrupts(process)
        theirs.close()
        worker.process, worker.channel, worker.error = process, ours, None
        worker.serving = worker.opened = None
        worker.started_at = time.monotonic()

    def _wait(self, signals: _Signals) -> None:
        """Wait until a worker reports or ends, a signal arrives, or something is due."""
        processes = [worker.process.sentinel for worker in self._workers if worker.process]
        channels = [worker.channel for worker in self._workers if worker.channel]
        due = [worker.due_at for worker in self._workers if worker.process is None]
        due += [worker.changed_at + _APART for worker in self._workers if worker.waits]
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        connection.wait([signals.wakeup, *processes, *channels], timeout)
        for worker in self._workers:
            _receive(worker)

    def _replace_ended(self, folder: Path) -> None:
        for worker in self._workers:
            process = worker.process
            if process is None or process.is_alive():
                continue
            _receive(worker)  # what it reported last
            process.join()
            if process.pid is not None:
                forget_process(metrics_folder(folder), process.pid)
            self._schedule(worker, process)

    def _schedule(self, worker: WorkerRecord, process: SpawnProcess) -> None:
        """Decide when to replace a worker that ended.

        Raises:
            RagkitError: It is not to be replaced, since none can serve.

        """
        was_steady = worker.serving is not None and time.monotonic() - worker.started_at >= _STEADY
        if was_steady:
            worker.failures = 0
        error = worker.error
        ending = f"cannot serve: {error}" if error else _ending(process.exitcode)
        worker.process = worker.channel = worker.serving = worker.opened = None
        self._postpone(worker, f"worker {worker.number} (process {process.pid}) {ending}")

    def _postpone(self, worker: WorkerRecord, what: str) -> None:
        """Let a worker be started after a pause, which grows; ``what`` happened to it.

        Raises:
            RagkitError: As ``_schedule`` raises.

        """
        worker.failures += 1
        pause = 0.0 if worker.failures == 1 else min(_LONGEST_PAUSE, 2.0 ** (worker.failures - 2))
        worker.due_at = time.monotonic() + pause
        if not self._all_were_ready or self._nothing_serves():
            raise worker.error or WorkersError(
                f"{what} before it could serve; expected it to serve until it is stopped. The "
                f"messages above may say why; with --workers 1 there is less of it in memory."
            )
        _log.warning("%s; starting another in %g s", what, pause)

    def _nothing_serves(self) -> bool:
        """Return whether no worker serves, and each has failed as often as it may."""
        return all(
            worker.serving is None and worker.failures > _MOST_FAILURES for worker in self._workers
        )

    def _serve_together(self) -> None:
        """Let the workers serve a new generation."""
        for worker in due_for_new_generation(self._workers, time.monotonic()):
            worker.serving = worker.opened
            _tell(worker, worker.opened)

    def _stop(self) -> None:
        """End all workers: gracefully, and by force where that takes too long."""
        processes = [worker.process for worker in self._workers if worker.process]
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + SHUTDOWN_TIMEOUT + _KILL_MARGIN
        for process in processes:
            process.join(max(0.0, deadline - time.monotonic()))
        for process in processes:
            if process.is_alive():
                _log.warning("%s did not stop; it is killed", process.name)
                process.kill()
                process.join()


def due_for_new_generation(workers: Iterable[WorkerRecord], now: float) -> list[WorkerRecord]:
    """Return the workers that are to serve the generation which they have opened.

    They are when all that serve have the same open. A worker that cannot open it does not keep the
    others from it for longer than ``_APART``.
    """
    serving = [worker for worker in workers if worker.serving is not None]
    have_the_same = len({worker.opened for worker in serving}) == 1
    return [
        worker
        for worker in serving
        if worker.waits and (have_the_same or now >= worker.changed_at + _APART)
    ]


def _start_without_interrupts(process: SpawnProcess) -> None:
    """Start a process in which interrupts are blocked until it has said that it ignores them."""
    resource_tracker.ensure_running()  # when it starts, it unblocks SIGINT
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _receive(worker: WorkerRecord) -> None:
    """Take what a worker reported."""
    channel = worker.channel
    try:
        while channel is not None and channel.poll():
            message = channel.recv()
            if isinstance(message, Failed):
                worker.error = message.error
                continue
            if isinstance(message, Ready):
                worker.serving = message.generation
            # A generation that waits is announced again whenever a source changes.
            if isinstance(message, (Ready, Opened)) and message.generation != worker.opened:
                worker.opened, worker.changed_at = message.generation, time.monotonic()
    except (EOFError, OSError):  # it has ended, or is about to
        worker.channel = None


def _tell(worker: WorkerRecord, generation: str | None) -> None:
    if worker.channel is not None:
        with suppress(OSError):  # it ended meanwhile, and is replaced
            worker.channel.send(generation)


def _ending(exit_code: int | None) -> str:
    """Say how a process ended."""
    if exit_code is not None and exit_code < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with status {exit_code}"


@contextmanager
def _shared_folder() -> Iterator[Path]:
    """Create a folder that only this user can read, with what is shared; delete it at the end."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="ragkit-serve-", ignore_cleanup_errors=True)
        database = Database(database_file(Path(folder.name)))  # open while the workers use it
        metrics_folder(Path(folder.name)).mkdir()
    except (OSError, sqlite3.Error) as error:
        raise InputError(
            f"several workers need a temporary folder for what they share: {error}. Name one that "
            f"can be written by the environment variable TMPDIR."
        ) from error
    with folder as path:
        yield Path(path)
        del database


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the processes that are started in the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Signals:
    """The signals that end a server, received while the block runs.

    Attributes:
        received: those that arrived, in order.
        wakeup: readable once there is one.

    """

    _NAMES = ("SIGINT", "SIGTERM", "SIGHUP")

    def __init__(self) -> None:
        self.received: list[int] = []
        self.wakeup, self._write = _SPAWN.Pipe(duplex=False)
        self._before: dict[int, object] = {}

    def __enter__(self) -> _Signals:
        for name in self._NAMES:
            number = getattr(signal, name)
            if name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # as signal returned it
        self.wakeup.close()
        self._write.close()

    def _receive(self, number: int, _: object) -> None:
        self.received.append(number)
        if len(self.received) == 1:
            self._write.send_bytes(b"stop")
