"""What a check over HTTP costs: requests, bytes, and time with and without latency, against the same file here. Writes Markdown.

python bench/remote.py IMAGE -o bench/remote.md
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

CLIENT = (sys.executable, "-m", "v2vlint", "check", "--no-config", "--no-cache", "--format", "json")


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one file in ranges, with a delay."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        """One range."""
        time.sleep(self.server.latency)
        size = self.server.image.stat().st_size
        first, last = map(int, re.findall(r"\d+", self.headers["Range"]))
        with self.server.image.open("rb") as stream:
            stream.seek(first)
            data = stream.read(min(last, size - 1) - first + 1)
        self.server.requests, self.server.sent = self.server.requests + 1, self.server.sent + len(data)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{first + len(data) - 1}/{size}")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(http.server.ThreadingHTTPServer):
    """The server, and the requests it received."""

    def __init__(self, image: Path, latency: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.image, self.latency, self.requests, self.sent = image, latency, 0, 0


@contextlib.contextmanager
def served(image: Path, latency: float) -> Iterator[Server]:
    """A server in a thread."""
    with Server(image, latency) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def seconds(place: str) -> float:
    """Seconds that a check takes."""
    started = time.perf_counter()
    subprocess.run((*CLIENT, place), stdout=subprocess.DEVNULL, check=False, env={**os.environ, "NO_PROXY": "127.0.0.1"})
    return time.perf_counter() - started


def row(name: str, image: Path, latency: float) -> str:
    """One line of the table: the median of three."""
    with served(image, latency) as server:
        times = sorted(seconds(f"http://127.0.0.1:{server.server_address[1]}/{image.name}") for _time in range(3))
        return f"| {name} | {times[1]:.1f} s | {server.requests // 3} | {server.sent / 3e6:.0f} MB |"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("bench/remote.md"))
    options = parser.parse_args()
    here = sorted(seconds(str(options.image)) for _time in range(3))[1]
    size = options.image.stat().st_size / 1e6
    lines = [
        "# What a check over HTTP costs", "",
        f"An image of {size:.0f} MB, the middle of three; written by `bench/remote.py`.", "",
        "| where | time | requests | transferred |", "|---|---|---|---|",
        f"| on this disk | {here:.1f} s | | |",
        row("HTTP on the loopback", options.image, 0.0),
        row("with 20 ms of latency", options.image, 0.02),
    ]  # fmt: skip
    options.output.write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
