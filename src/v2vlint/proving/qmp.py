"""A small client for QEMU's machine protocol (QMP) over a connected socket."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import field

from v2vlint.model.codec import parse
from v2vlint.model.dataclass import dataclass
from v2vlint.model.plain import JsonObject

# QEMU may have been taken over by its guest, and send anything.
MAX_PENDING = 1 << 20
MAX_EVENTS = 1 << 12


@dataclass(slots=True)
class Qmp:
    """Sends commands and collects events. Every wait has a limit; a closed connection counts as no answer and never raises."""

    channel: socket.socket
    events: list[JsonObject] = field(default_factory=list)
    closed: bool = False
    _pending: bytes = b""
    _asked: int = 0
    _answer: JsonObject | None = None

    def fileno(self) -> int:
        """The descriptor, for selectors."""
        return self.channel.fileno()

    def execute(self, command: str, timeout: float = 5.0, **arguments: object) -> JsonObject | None:
        """Run ``command`` and wait for its answer; None when it fails or times out. The late answer to an earlier command is dropped."""
        self._asked += 1
        request: JsonObject = {"execute": command, "id": self._asked}
        if arguments:
            request["arguments"] = arguments
        self._answer = None
        try:
            self.channel.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            self.closed = True
        deadline = time.monotonic() + timeout
        while not self.closed and self._answer is None and (left := deadline - time.monotonic()) > 0:
            self.channel.settimeout(left)
            self.receive()
        return None if self._answer is None else self._answer.get("return")

    def receive(self) -> None:
        """Read what has arrived; events go to :attr:`events`."""
        try:
            data = self.channel.recv(65536)
        except TimeoutError:
            return
        except OSError:
            data = b""
        # A line without an end closes it, too.
        self.closed = not data or len(self._pending) > MAX_PENDING
        self._pending += data
        for message in self._messages():
            if isinstance(message.get("event"), str) and isinstance(message.setdefault("data", {}), dict):
                self.events += [message] if len(self.events) < MAX_EVENTS else []
            elif message.get("id") == self._asked and ("return" in message or "error" in message):
                self._answer = message

    def take_events(self) -> list[JsonObject]:
        """The events since the last call."""
        events, self.events = self.events, []
        return events

    def _messages(self) -> Iterator[JsonObject]:
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            try:
                message = parse(line)
            except ValueError:
                continue
            if isinstance(message, dict):
                yield message
