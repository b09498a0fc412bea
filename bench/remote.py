"""What a check over a network costs: round trips, bytes, and time with and without latency, against the same file here. Writes Markdown.

python bench/remote.py IMAGE -o bench/remote.md

The servers are on the loopback, behind a relay that holds everything back for half of the latency in each direction. The client counts what
its reader asks for, in blocks of 4 KiB, and the times that it waits for an answer.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from tests.source.servers import secure_shell, web  # noqa: E402

LATENCY = 0.02
ROUNDS = 3
_BLOCK = 4096


class Relay:
    """Passes connections on to ``port`` of this host, each byte ``delay`` seconds late; counts those that come back."""

    def __init__(self, port: int, delay: float) -> None:
        self._target, self._delay, self.received = port, delay, 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No further connections."""
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._socket.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for one, other in ((client, server), (server, client)):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    held: queue.Queue[tuple[float, bytes]] = queue.Queue()
                    threading.Thread(target=self._take, args=(one, held, one is server), daemon=True).start()
                    threading.Thread(target=self._give, args=(other, held), daemon=True).start()

    def _take(self, source: socket.socket, held: queue.Queue[tuple[float, bytes]], counted: bool) -> None:
        data = b"x"
        while data:
            with contextlib.suppress(OSError):
                data = source.recv(1 << 18)
                self.received += len(data) if counted else 0
                held.put((time.monotonic() + self._delay, data))
                continue
            data = b""
            held.put((0.0, data))

    @staticmethod
    def _give(sink: socket.socket, held: queue.Queue[tuple[float, bytes]]) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = held.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)


@dataclass(frozen=True, slots=True)
class Cost:
    """One check: seconds, round trips, bytes that came, and bytes that the reader asked for."""

    seconds: float
    waits: int
    received: int
    asked: int


def measured(place: str, relay: Relay | None = None, environment: dict[str, str] | None = None) -> Cost:
    """The median of ``ROUNDS`` checks."""
    found: list[Cost] = []
    for _time in range(ROUNDS):
        before = relay.received if relay else 0
        started = time.perf_counter()
        command = (sys.executable, str(HERE / "remote.py"), "--client", place)
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **(environment or {})})
        waits, asked = json.loads(done.stdout.splitlines()[-1])
        found.append(Cost(time.perf_counter() - started, waits, (relay.received if relay else 0) - before, asked))
    return sorted(found, key=lambda cost: cost.seconds)[ROUNDS // 2]


def client(place: str) -> None:
    """Check ``place``, and print how often it waited for an answer and how many bytes the reader asked for."""
    import v2vlint
    from v2vlint.files import remote, sftp
    from v2vlint.files.schemes import http

    waits, blocks = [0], set[tuple[int, int]]()
    read: Any = remote.BlockCache.read

    def noted(cache: Any, offset: int, length: int) -> bytes:
        end = min(offset + length, cache.ranges.size)
        blocks.update((id(cache), number) for number in range(offset // _BLOCK, -(-end // _BLOCK)))
        data: bytes = read(cache, offset, length)
        return data

    def counted(kind: Any, name: str) -> None:
        plain = getattr(kind, name)

        def one(*arguments: Any) -> Any:
            waits[0] += 1
            return plain(*arguments)

        setattr(kind, name, one)

    setattr(remote.BlockCache, "read", noted)  # noqa: B010
    counted(http.HttpFile, "_asked")
    counted(sftp.Sftp, "_ask_all")
    counted(sftp.Sftp, "_window")
    report = v2vlint.check(place)
    assert report.images[0].roots, report.images[0].problems
    print(json.dumps([waits[0], len(blocks) * _BLOCK]))


@contextlib.contextmanager
def relayed(port: int, latency: float) -> Iterator[Relay]:
    """A relay in front of a server."""
    relay = Relay(port, latency / 2)
    yield relay
    relay.close()


def over_http(image: Path) -> Iterator[tuple[str, Cost]]:
    """The image behind a web server."""
    with web(image.parent) as server:
        for latency in (0.0, LATENCY):
            with relayed(server.server_address[1], latency) as relay:
                place = f"http://127.0.0.1:{relay.port}/{image.name}"
                yield _name("HTTP", latency), measured(place, relay, {"NO_PROXY": "127.0.0.1"})


def over_ssh(image: Path, folder: Path) -> Iterator[tuple[str, Cost]]:
    """The image behind sshd, and the files of this machine."""
    with secure_shell(folder) as (login, command):
        user, _, port = login.rpartition(":")
        for title, path in (("SFTP", f"sftp://{{}}{image}"), ("the files of this machine, ssh://", "ssh://{}")):
            for latency in (0.0, LATENCY):
                with relayed(int(port), latency) as relay:
                    known = folder / f"known-{relay.port}"
                    known.write_text((folder / "known").read_text().replace(f":{port} ", f":{relay.port} "))
                    ssh = command.replace(f"{folder}/known", str(known))
                    yield _name(title, latency), measured(path.format(f"{user}:{relay.port}"), relay, {"V2VLINT_SSH": ssh})


def _name(title: str, latency: float) -> str:
    return f"{title}, {latency * 1000:.0f} ms of latency" if latency else f"{title} on the loopback"


def row(title: str, cost: Cost) -> str:
    """One line of the table."""
    if not cost.received:
        return f"| {title} | {cost.seconds:.1f} s | | | | |"
    share = f"{cost.received / cost.asked:.2f}" if cost.asked else ""
    return f"| {title} | {cost.seconds:.1f} s | {cost.waits} | {cost.received / 1e6:.1f} MB | {cost.asked / 1e6:.1f} MB | {share} |"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("bench/remote.md"))
    parser.add_argument("--client", action="store_true")
    options = parser.parse_args()
    if options.client:
        client(str(options.image).replace(":/", "://", 1))
        return
    image = options.image.resolve()
    lines = [
        "# What a check over a network costs", "",
        f"An image of {image.stat().st_size / 1e6:.0f} MB, and the files of a running machine; the middle of three.",
        f"Written by `bench/remote.py` at a load average of {os.getloadavg()[0]:.1f}; a high one inflates the times.", "",
        "| where | time | round trips | received | asked for by the reader | received / asked for |", "|---|---|---|---|---|---|",
        row("on this disk", measured(str(image))),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        lines += [row(*one) for one in over_http(image)]
        lines += [row(*one) for one in over_ssh(image, Path(folder))]
    options.output.write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
