"""A real Dask scheduler and real workers."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.programs import running
from tests.source.servers import free_port

SECONDS = 180


@contextlib.contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    """A scheduler without workers: its address."""
    port = free_port()
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with running(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        yield f"tcp://127.0.0.1:{port}"


def joined(address: str, count: int) -> None:
    """Wait until ``count`` workers are there: a busy machine takes longer to start them than a user would wait."""
    from distributed import Client

    with Client(address, timeout=SECONDS) as client:
        client.wait_for_workers(count, timeout=SECONDS)


@contextlib.contextmanager
def worker(address: str, folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker with one thread."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--nthreads", "1", "--name", name]
    command += ["--no-dashboard", "--local-directory", str(folder / name)]
    with running(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield process


@contextlib.contextmanager
def workers(address: str, folder: Path, *names: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers of these names, which the scheduler knows."""
    with contextlib.ExitStack() as started:
        found = [started.enter_context(worker(address, folder, name)) for name in names]
        joined(address, len(found))
        yield found
