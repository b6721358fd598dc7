"""Real Milvus servers for benchmarks and tests, each in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["free_port", "full_server", "lite_server"]


def free_port() -> int:
    """Return a TCP port that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def lite_server(folder: Path) -> Iterator[str]:
    """Yield the address of a ``milvus-lite`` server, which listens on loopback only."""
    port = free_port()
    code = "import sys; from milvus_lite.cmdline import main; sys.exit(main())"
    process = subprocess.Popen(  # noqa: S603 - a fixed program
        [sys.executable, "-c", code, "server", "--data-dir", str(folder), "--host", "127.0.0.1",
         "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def full_server(folder: Path) -> Iterator[str]:
    """Yield the address of a Milvus 2.3.5 server. Its other ports are fixed: run only one."""
    from milvus import MilvusServer, MilvusServerConfig

    server = MilvusServer(MilvusServerConfig(data_dir=str(folder)))
    server.start()
    try:
        yield f"127.0.0.1:{server.listen_port}"
    finally:
        server.stop()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"milvus-lite did not start (exit status {process.poll()})")
