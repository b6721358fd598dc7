"""Real Milvus servers on loopback, each in its own process.

Tests use the context managers. Other programs run this file, which prints the server's address and
stops the server when its standard input closes: ``python milvus_servers.py lite FOLDER``.
"""

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
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def lite_server(folder: Path) -> Iterator[str]:
    """Run ``milvus-lite`` as a server and yield its address.

    Its default host is 0.0.0.0, so the host is always passed.
    """
    port = free_port()
    code = "import sys; from milvus_lite.cmdline import main; sys.exit(main())"
    process = subprocess.Popen(
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
    """Run Milvus 2.3.5 and yield its address. Its other ports are fixed: run one at a time."""
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


def _main(kind: str, folder: str) -> None:
    start = {"lite": lite_server, "full": full_server}[kind]
    with start(Path(folder)) as address:
        print(f"address: {address}", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _main(*sys.argv[1:])
