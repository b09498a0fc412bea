"""Runs code that handles guest bytes in a child process with limits, which answers in JSON.

A call names a function (``module:function``, JSON-ready data in and out). The child is forked from a warm process that holds no data of any
guest (:mod:`v2vlint.confine.forks`) and gets the call on stdin, so that keys are not in any argument list. Before the call it is confined
to the files it is granted (:mod:`v2vlint.confine`); it is killed when it takes too long or answers too much. Whatever happens to it is an
outcome of the call, never an exception in the parent. The parent unpickles nothing, and must not rely on names that the child could have
made up.

A child opens no guest files itself: it asks its parent for each over a socket, and gets a descriptor if the call's desk agrees.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, field
from typing import IO, Any, NoReturn

from v2vlint.confine import Grant, confine, forks, lower, supervise
from v2vlint.confine.lack import PRETENDED
from v2vlint.model.codec import parse
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import V2vlintError, described

_OPEN_FILES = 4096
_CHUNK = 1 << 16
_STDERR_KEPT = 4096
_WORDS = 4000
_TICK = 0.1
_GRACE = 30.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a child: bytes of address space, seconds of processor time, seconds of wall-clock time, bytes of answer."""

    memory: int = 2 << 30
    cpu: int = 300
    wall: float = 600.0
    answer: int = 64 << 20


DEFAULT_LIMITS = Limits()


Desk = Callable[[Any], tuple[Any, int | None]]
"""Answers a question of a child (JSON-ready data) with JSON-ready data and perhaps a descriptor, which is closed once it was sent.

What it says in an attribute ``grant``, if it has one, the child may read itself.
"""


@dataclass(frozen=True, slots=True)
class Call:
    """``entry`` (``module:function``), to be called with ``request`` (JSON-ready data) in a child that may access ``grant``.

    The module is imported, and its ``warm(request)`` called if it exists, before the child is confined. ``desk`` answers its questions.
    """

    entry: str
    request: Any = field(repr=False)
    grant: Grant = Grant()
    desk: Desk | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the function returned."""

    value: Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """The function raised a :class:`~v2vlint.model.errors.V2vlintError`; ``kind`` is the name of its class."""

    kind: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Death:
    """No answer, because of ``reason``."""

    reason: str
    hint: str = ""


Outcome = Answer | Refusal | Death


def run(call: Call, limits: Limits = DEFAULT_LIMITS) -> Outcome:
    """Run one call in one child."""
    return next(run_all([call], limits))[1]


def expect(entry: str, count: int) -> None:
    """Prepare for ``count`` calls of ``entry``, while this process goes on."""
    forks.expect(entry.partition(":")[0], count)


def run_all(
    calls: Iterable[Call],
    limits: Limits = DEFAULT_LIMITS,
    parallel: int = 1,
    tick: Callable[[frozenset[int]], None] | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """Run every call in a child of its own, ``parallel`` at a time. Yields pairs of position and outcome as they finish.

    ``tick`` is called ten times a second with the positions in progress. Leaving the iteration (also by Ctrl-C) kills all children.
    """
    waiting = iter(enumerate(calls))
    running: dict[int, _Child] = {}
    selector, due = selectors.DefaultSelector(), 0.0
    try:
        while True:
            while len(running) < max(1, parallel) and (item := next(waiting, None)) is not None:
                running[item[0]] = _Child(item[1], limits, selector)
            if not running:
                return
            if tick and time.monotonic() >= due:
                tick(frozenset(running))
                due = time.monotonic() + _TICK
            _wait(selector, running.values())
            for position in [position for position, child in running.items() if child.ended]:
                yield position, running.pop(position).outcome()
    finally:
        for child in running.values():
            child.kill()
        selector.close()


def _wait(selector: selectors.BaseSelector, children: Iterable[_Child]) -> None:
    """Run the action of each ready pipe: it is the key's data."""
    ready = selector.select(max(0.0, min((_TICK, *(child.remaining for child in children)))))
    started = time.monotonic()
    for key, _events in ready:
        key.data()
    # The time that this process spends on answers is not counted against the children.
    for child in children:
        child.deadline += time.monotonic() - started
        child.look()


def _order(call: Call, limits: Limits) -> bytes:
    grant = asdict(call.grant + getattr(call.desk, "grant", Grant()))
    order = {"entry": call.entry, "limits": asdict(limits), "grant": grant, "lacks": [*PRETENDED]}
    return json.dumps({**order, "request": call.request}).encode()


class _Child:
    """One running child and the bytes exchanged with it."""

    def __init__(self, call: Call, limits: Limits, selector: selectors.BaseSelector) -> None:
        self.limits, self.selector = limits, selector
        self.deadline = time.monotonic() + limits.wall
        self.verdict: Death | None = None
        self.answer, self.complaint = bytearray(), bytearray()
        self.desk = call.desk
        self.counter, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.request = memoryview(_order(call, limits))
        (stdin, feed), (drain, stdout), (complain, stderr) = os.pipe(), os.pipe(), os.pipe()
        try:
            self.process = forks.fork(call.entry.partition(":")[0], (stdin, stdout, stderr, theirs.fileno()))
        except BaseException:
            for descriptor in (feed, drain, complain):
                os.close(descriptor)
            self.counter.close()
            raise
        finally:
            theirs.close()
            for descriptor in (stdin, stdout, stderr):
                os.close(descriptor)
        self.stdin: IO[bytes] | None = os.fdopen(feed, "wb", 0)
        self.answering = os.fdopen(drain, "rb", 0)
        self.outputs: dict[IO[bytes], bytearray] = {self.answering: self.answer, os.fdopen(complain, "rb", 0): self.complaint}
        # A request may be larger than a pipe, and the child may write before it has read all of it.
        os.set_blocking(self.stdin.fileno(), False)
        self.counter.setblocking(False)
        selector.register(self.stdin, selectors.EVENT_WRITE, self._feed)
        for stream in self.outputs:
            selector.register(stream, selectors.EVENT_READ, functools.partial(self._drain, stream))
        selector.register(self.counter, selectors.EVENT_READ, self._serve)

    @property
    def remaining(self) -> float:
        """Seconds until the wall-clock limit."""
        return self.deadline - time.monotonic()

    @property
    def ended(self) -> bool:
        """Whether its answer is complete: only the child itself holds the other end of that pipe, not processes it may have started."""
        return self.answering not in self.outputs

    def _close(self, stream: IO[bytes] | socket.socket) -> None:
        """Close one of its pipes, or its socket. An interrupt may have stopped an earlier attempt half-way."""
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(stream)
        stream.close()

    def _serve(self) -> None:
        """Answer one question from the child."""
        handle = None
        try:
            question = self.counter.recv(_CHUNK)
            if not question:
                self._close(self.counter)
                return
            answer, handle = self.desk(json.loads(question)) if self.desk else ({"error": "", "message": "no files", "hint": ""}, None)
            socket.send_fds(self.counter, [json.dumps(answer).encode()], [] if handle is None else [handle])
        except (OSError, ValueError, RecursionError):
            # An invalid question, or an answer too large for one message, costs this child its channel and nothing else.
            self._close(self.counter)
        finally:
            if handle is not None:
                os.close(handle)

    def _feed(self) -> None:
        assert self.stdin
        try:
            self.request = self.request[os.write(self.stdin.fileno(), self.request[:_CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            # It ended before it had read everything; its exit status says why.
            self.request = memoryview(b"")
        if not self.request:
            self._close(self.stdin)
            self.stdin = None

    def _drain(self, stream: IO[bytes]) -> None:
        buffer, data = self.outputs[stream], os.read(stream.fileno(), _CHUNK)
        buffer += data
        if buffer is self.complaint:
            del buffer[:-_STDERR_KEPT]
        if not data:
            self._close(stream)
            del self.outputs[stream]

    def look(self) -> None:
        """Kill it when it exceeds a limit that the parent watches."""
        if self.ended:
            return
        if self.remaining <= 0:
            self._stop(Death(f"stopped after {self.limits.wall:g} s on the clock", "raise --time-limit"))
        elif len(self.answer) > self.limits.answer:
            self._stop(Death(f"its answer is larger than {size(self.limits.answer)}"))

    def _stop(self, verdict: Death) -> None:
        self.verdict = verdict
        self.kill()

    def kill(self) -> None:
        """Kill whatever is left of its process group, collect its exit status, and close its pipes."""
        supervise.end(self.process)
        for stream in (self.stdin, *self.outputs):
            if stream is not None:
                self._close(stream)
        self.stdin, self.outputs = None, {}
        if self.counter.fileno() >= 0:
            self._close(self.counter)

    def _settle(self) -> None:
        """Wait for its end without reaping it, so that its group's number is not reused before the group is killed."""
        patience = time.monotonic() + _GRACE
        while not self.process.ended:
            if time.monotonic() > patience:
                self.verdict = self.verdict or Death("the reader process answered, but does not end")
                return
            time.sleep(0.002)

    def outcome(self) -> Outcome:
        """The outcome, once it has ended."""
        if self.process.returncode is None:
            self._settle()
        self.kill()
        status = self.process.wait()
        if self.verdict is not None:
            return self.verdict
        if status < 0:
            return _by_signal(-status, self.limits)
        try:
            return _decode(parse(self.answer), self.limits)
        except (ValueError, KeyError, TypeError, RecursionError):
            last = self.complaint.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"exit status {status}"]
            return Death(f"the reader process gave no valid answer: {last[0]}")


def _by_signal(number: int, limits: Limits) -> Death:
    if number == signal.SIGXCPU:
        return Death(f"stopped after {limits.cpu} s of processor time", "raise --cpu-limit")
    name = {known.value: known.name for known in signal.Signals}.get(number, f"signal {number}")
    hint = "the system may be out of memory" if number == signal.SIGKILL else ""
    return Death(f"the reader process was killed by {name}", hint)


def _decode(reply: Mapping[str, object], limits: Limits) -> Outcome:
    if "value" in reply:
        return Answer(reply["value"])
    if "memory" in reply:
        return Death(f"needs more than {size(limits.memory)} of memory", "raise --memory-limit")
    if "crash" in reply:
        return Death(f"the reader failed: {str(reply['crash'])[:_WORDS]}", "a bug of v2vlint: report it with the layout of the image")
    return Refusal(str(reply["kind"]), str(reply["message"])[:_WORDS], str(reply["hint"])[:_WORDS])


def size(count: int) -> str:
    """A number of bytes for display: ``2 GiB``, ``512 MiB``."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            return f"{count / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} bytes"


_parent: socket.socket | None = None


def has_parent() -> bool:
    """Whether this is a child that can ask its parent."""
    return _parent is not None


def ask_parent(question: Any) -> tuple[Any, int | None]:
    """In a child: the parent's answer to a question of at most 64 KiB, and the descriptor that came with it, which is the caller's."""
    assert _parent
    os.write(_parent.fileno(), json.dumps(question).encode())
    data, handles, _flags, _address = socket.recv_fds(_parent, _CHUNK, 1)
    return json.loads(data), handles[0] if handles else None


def serve(parent: int) -> NoReturn:
    """The child: limit and confine itself, answer the call on stdin, and leave. Whatever is printed meanwhile goes to stderr.

    ``parent`` is the descriptor of the socket on which its parent answers questions.
    """
    channel = os.dup(1)
    os.dup2(2, 1)
    order = json.load(sys.stdin.buffer)
    global _parent
    _parent = socket.socket(fileno=parent)
    PRETENDED.update(order["lacks"])
    _limit(Limits(**order["limits"]))
    if supervise.needed():
        supervise.supervise()
    module, _, name = order["entry"].partition(":")
    reply = json.dumps(_reply(module, name, order["request"], Grant(**order["grant"]))).encode()
    with os.fdopen(channel, "wb") as stream:
        stream.write(reply)
    # Taking the interpreter down object by object would cost a tenth of the time of a check.
    os._exit(0)


def _limit(limits: Limits) -> None:
    import resource

    lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    lower(resource.RLIMIT_AS, limits.memory)
    lower(resource.RLIMIT_CPU, limits.cpu, margin=5)


def _reply(module: str, name: str, request: Any, grant: Grant) -> Mapping[str, object]:
    import importlib

    try:
        # Imported before the confinement, after which only granted files can be read.
        entry = importlib.import_module(module)
        getattr(entry, "warm", bool)(request)
        confine(grant)
        return {"value": getattr(entry, name)(request)}
    except MemoryError:
        return {"memory": True}
    except V2vlintError as error:
        return {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
    except Exception as error:
        return {"crash": described(error)}
