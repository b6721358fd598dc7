"""A worker process: serves until its supervisor ends it, or has ended itself."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
from contextlib import nullcontext, suppress
from multiprocessing.connection import Connection
from pathlib import Path

import uvicorn

from ragkit.errors import RagkitError
from ragkit.serving.log_format import configure_logging
from ragkit.serving.process import Served, exported, uvicorn_config_of
from ragkit.serving.reloading_index import ReloadingIndex
from ragkit.serving.sockets import BACKLOG
from ragkit.serving.state import ServerState
from ragkit.serving.workers.member import INTERRUPTS, Failed, Member, Opened, Ready

__all__ = ["serve_as_worker"]


def serve_as_worker(
    served: Served,
    *,
    number: int,
    processes: int,
    folder: Path,
    listener: socket.socket,
    channel: Connection,
) -> None:
    """Serve until SIGTERM, or until the other end of ``channel`` is closed.

    Args:
        served: What to serve; its limits are those of this process.
        number: The worker's number, from 1.
        processes: Number of workers.
        folder: What the workers share.
        listener: The socket on which all of them listen.
        channel: Gets ``Ready``, ``Opened`` and ``Failed``, and sends generations to serve.

    """
    # A terminal sends them to all its processes; the supervisor then ends this one.
    for interrupt in INTERRUPTS:
        signal.signal(interrupt, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
    if served.set_up is not None:
        served.set_up()
    configure_logging(served.log_format, number)
    member = Member(number, folder, lambda generation: _report(channel, Opened(generation)))
    try:
        with exported(number) if served.exports else nullcontext():
            state = ServerState.create(served.index, served.settings, served.llm, member)
            config = uvicorn_config_of(state, processes=processes)
            server = _Server(config, state.index, channel)
            server.run(sockets=[listener])
        if server.is_orphaned:  # no one else deletes what people typed
            shutil.rmtree(folder, ignore_errors=True)
    except RagkitError as error:
        _report(channel, Failed(error))


def _report(channel: Connection, message: Ready | Opened | Failed) -> None:
    with suppress(OSError):  # without a supervisor, this process is about to stop
        channel.send(message)


class _Server(uvicorn.Server):
    """uvicorn, which its supervisor tells what to serve."""

    def __init__(self, config: uvicorn.Config, index: ReloadingIndex, channel: Connection) -> None:
        super().__init__(config)
        self._index = index
        self._channel = channel
        self.is_orphaned = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        for listener in sockets or []:
            listener.listen(BACKLOG)  # asyncio set it to the number that it accepts at once
        asyncio.get_running_loop().add_reader(self._channel.fileno(), self._on_message)
        _report(self._channel, Ready(self._index.current.generation))

    def _on_message(self) -> None:
        try:
            generation: str = self._channel.recv()
        except (EOFError, OSError):  # the supervisor was killed
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self.is_orphaned = self.should_exit = True
            return
        self._index.serve(generation)
