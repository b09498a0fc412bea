"""Processes forked from a warm one: a server that has imported what its children need, and holds no data of any guest.

The parent hands over a child's four descriptors (stdin, stdout, stderr and a socket). The request arrives on the child's stdin, so the
server never sees it. A child has its own process group, holds no other descriptors, and dies with the server, which exits with the parent.
It stays a zombie until the parent has killed its group: until then its pid cannot be reused.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from v2vlint import programs
from v2vlint.confine.libc import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, prctl

_BOOT = """
import gc, sys
gc.set_threshold(200_000)
control = int(sys.argv[1])
sys.path[:] = sys.argv[2:]
from v2vlint.confine.forks import serve
from v2vlint.isolate import serve as child
serve(control, child)
"""
_KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "LD_LIBRARY_PATH")
_MESSAGE = 4096
_COUNTER = 4
_ASIDE = 64
_DESCRIPTORS = 1 << 16
MANY = 3
"""Forks for one module from which on more are to be expected."""
_POLL = 0.002
_LOST = -signal.SIGKILL


class Forked:
    """A child of the server, with the part of :class:`subprocess.Popen`'s interface that is needed. Its status is SIGKILL when the server
    is lost.
    """

    def __init__(self, server: _Server, pid: int) -> None:
        self._server, self.pid = server, pid
        self.returncode: int | None = None

    @property
    def ended(self) -> bool:
        """Whether it has exited; its pid stays reserved until :meth:`wait`."""
        return self.returncode is not None or bool(self._ask("ended", True))

    def terminate(self) -> None:
        """Send SIGTERM."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def wait(self, timeout: float | None = None) -> int:
        """Its return code, once it has exited. subprocess.TimeoutExpired when it has not within ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.ended:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a reader", timeout or 0)
            time.sleep(_POLL)
        if self.returncode is None:
            self.returncode = int(self._ask("reap", _LOST))
        return self.returncode

    def _ask(self, what: str, lost: Any) -> Any:
        try:
            return self._server.ask({"do": what, "pid": self.pid})
        except OSError:
            self.returncode = _LOST
            return lost


class _Server:
    """The parent's end of a server."""

    def __init__(self, state: tuple[object, ...], environment: dict[str, str]) -> None:
        self.state, self.owner = state, os.getpid()
        self._lock, self._asked = threading.Lock(), 0
        # SEQPACKET keeps the bounds of messages, and an end that is gone reads as an empty one.
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # -I leaves the current folder out of the module path; a relative entry would bring it in again.
        path = [entry for entry in sys.path if os.path.isabs(entry)]  # noqa: PTH117
        with theirs, contextlib.ExitStack() as started:
            started.callback(self._control.close)
            started.enter_context(programs.starting(sys.executable))
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOT, str(theirs.fileno()), *path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )
            started.pop_all()

    def ask(self, order: Mapping[str, object], descriptors: Sequence[int] = ()) -> Any:
        """The server's answer to an order. OSError when the server is gone."""
        with self._lock:
            self._send(order, descriptors)
            # Earlier answers may wait: of orders that were only told, or whose asking was interrupted.
            while True:
                if not (answer := self._control.recv(_MESSAGE)):
                    raise ConnectionError("the server of forks has ended")
                number, value = json.loads(answer)
                if number == self._asked:
                    return value

    def tell(self, order: Mapping[str, object]) -> None:
        """Send an order whose answer nobody waits for. OSError when the server is gone."""
        with self._lock:
            self._send(order)

    def _send(self, order: Mapping[str, object], descriptors: Sequence[int] = ()) -> None:
        self._asked += 1
        socket.send_fds(self._control, [json.dumps({**order, "number": self._asked}).encode()], descriptors)

    def close(self) -> None:
        """Let it exit, with all its children. A process forked from the owner only closes its descriptors."""
        self._control.close()
        if self.owner == os.getpid():
            self._process.kill()
            self._process.wait()


_server: _Server | None = None


def fork(module: str, descriptors: Sequence[int]) -> Forked:
    """A child that has ``module`` imported and gets copies of four ``descriptors``: stdin, stdout, stderr and a socket to its parent.

    It runs :func:`v2vlint.isolate.serve`. OSError when the child cannot be started.
    """
    order = {"do": "fork", "module": module}
    try:
        server = _running()
        return Forked(server, int(server.ask(order, descriptors)))
    # The server may have been killed between two forks, for instance for lack of memory: once more, with a new one.
    except (ConnectionError, BrokenPipeError):
        end()
    server = _running()
    return Forked(server, int(server.ask(order, descriptors)))


def expect(module: str, count: int) -> None:
    """Let the server prepare for ``count`` children with ``module``, while this process goes on."""
    if count >= MANY:
        # The first fork says it if there is an error.
        with contextlib.suppress(OSError):
            _running().tell({"do": "expect", "module": module})


def _running() -> _Server:
    """The server for the current module path and environment."""
    global _server
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    state = (os.getpid(), tuple(sys.path), tuple(environment.items()))
    if _server is None or _server.state != state:
        end()
        _server = _Server(state, environment)
    return _server


def end() -> None:
    """Stop the server, if there is one, with all its children."""
    global _server
    found, _server = _server, None
    if found is not None:
        found.close()


atexit.register(end)


def serve(control: int, child: Callable[[int], NoReturn]) -> NoReturn:
    """The server: fork children, which continue in ``child``, and report on them, until the parent is gone."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    server, forked, warm = os.getpid(), Counter[str](), dict[str, bool]()
    channel = socket.socket(fileno=control)
    while True:
        try:
            data, handles, _flags, _address = socket.recv_fds(channel, _MESSAGE, 4)
        except ConnectionError:  # a parent that was interrupted before it read the last answer
            os._exit(0)
        if not data:
            os._exit(0)
        order = json.loads(data)
        answer: int = 0
        if order["do"] == "expect":
            _warm(order["module"], True, warm)
        elif order["do"] == "fork":
            forked[order["module"]] += 1
            _warm(order["module"], forked[order["module"]] >= MANY, warm)
            answer = os.fork()
            if not answer:
                _become(handles, server)
                child(_COUNTER)
            # Both sides set the group, so that neither depends on which of them runs first (setpgid(2), as in shells).
            os.setpgid(answer, answer)
            # As long as the server held them, too, the parent would not see the end of the child's answer.
            for handle in handles:
                os.close(handle)
        else:
            answer = _told(order["do"], order["pid"])
        with contextlib.suppress(ConnectionError):
            channel.send(json.dumps([order["number"], answer]).encode())


def _told(what: str, pid: int) -> bool | int:
    """Whether a child has exited, or its return code, after which its pid is free."""
    if what == "ended":
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _warm(module: str, many: bool, warm: dict[str, bool]) -> None:
    """Import ``module`` and what its ``preload(many)`` imports, once, and with ``many`` once more. ``warm`` says which was done.

    An import error here occurs again in the child, which reports it.
    """
    if warm.get(module) in (True, many):
        return
    warm[module] = many
    with contextlib.suppress(Exception):
        getattr(importlib.import_module(module), "preload", bool)(many)
    # Objects in the permanent generation are not touched by the children's collections, so their pages stay shared. Only many children
    # make up for looking for garbage first.
    if many:
        gc.collect()
    gc.freeze()


def _become(handles: Sequence[int], server: int) -> None:
    """Set up a child: its own process group, only its own descriptors, and death with the server."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The server may have exited before PR_SET_PDEATHSIG took effect: then the signal never comes.
    if os.getppid() != server or len(handles) != 4:
        os._exit(1)
    # Moved out of the way first: a descriptor that was received may have one of the wanted numbers.
    aside = [os.dup2(handle, _ASIDE + at) for at, handle in enumerate(handles)]
    for wanted, handle in zip((0, 1, 2, _COUNTER), aside, strict=True):
        os.dup2(handle, wanted)
    os.closerange(3, _COUNTER)
    os.closerange(_COUNTER + 1, _DESCRIPTORS)
