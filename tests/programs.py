"""Programs that a test starts and has to end: a server, a machine, a run that is interrupted."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

PATIENCE = 20
"""Seconds between SIGTERM and SIGKILL."""


@contextlib.contextmanager
def running(command: Sequence[object], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """``command`` until the end of the block, however the block ends; ``options`` are those of Popen.

    Popen's own context only waits: a test that fails while its server runs would wait for ever.
    """
    with subprocess.Popen([str(word) for word in command], **options) as process:
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[Any]) -> None:
    """End ``process``, unless it has ended."""
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
