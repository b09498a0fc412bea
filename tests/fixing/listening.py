"""A server on a socket of the test's own, which says what a test wants."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

SECONDS = 20


@contextlib.contextmanager
def served(place: Path, serve: Callable[[socket.socket], object]) -> Iterator[None]:
    """``serve`` in a thread, with a socket bound to ``place``; at the end of the block it has ended, or waits no longer for a client."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.settimeout(SECONDS)
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield
        thread.join(SECONDS)
