"""Runs a host program (qemu-img, qemu-io, cp…) on a guest's files: confined to them, with limits, and always cleaned up."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from v2vlint import programs
from v2vlint.confine import NO_BOUNDS, Bounds, preparation, supervise
from v2vlint.confine.grant import Grant
from v2vlint.model.dataclass import dataclass

MAX_OUTPUT = 256 << 20
_CHUNK = 1 << 16
_KEPT_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "QEMU_MODULE_DIR", "LC_ALL")


class NotInstalled(Exception):
    """The program is not installed or cannot be started; the message names it."""


class Stopped(Exception):
    """The program was killed; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a program: its exit status (negative: the signal), and its output."""

    status: int
    output: str
    errors: str


def run(command: Sequence[str], grant: Grant, bounds: Bounds = NO_BOUNDS, timeout: float = 3600.0, descriptors: Sequence[int] = ()) -> Done:
    """Run ``command`` on the files in ``grant`` (and the open ``descriptors``) until it exits. NotInstalled, or Stopped because of time or
    output.

    It gets no input, an environment of a few harmless variables, and ``/`` as its folder; its whole process group is gone when this
    returns.
    """
    process = _start(command, grant, bounds, descriptors, stdout=subprocess.PIPE)
    try:
        output, errors = _drain(process, time.monotonic() + timeout)
    finally:
        _end(process)
    return Done(process.returncode, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace"))


@contextmanager
def serving(command: Sequence[str], grant: Grant, descriptors: Sequence[int] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command``, confined as with :func:`run`, while the block runs; its standard error is a pipe. Its process group is gone
    afterwards.
    """
    process = _start(command, grant, NO_BOUNDS, descriptors, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        _end(process)


def _start(command: Sequence[str], grant: Grant, bounds: Bounds, descriptors: Sequence[int], stdout: int) -> subprocess.Popen[bytes]:
    program = programs.find(command[0])
    if program is None:
        raise NotInstalled(programs.absence(command[0]))
    # Landlock grants the file itself: /usr/bin/NAME may be a link, for instance to /etc/alternatives.
    program = os.path.realpath(program)
    environment = programs.environment()
    try:
        return subprocess.Popen(
            # The name in argv[0] stays as given: some are one program with many names (mtools).
            list(command),
            executable=program,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env={name: environment[name] for name in _KEPT_ENVIRONMENT if name in environment},
            cwd=programs.NEUTRAL,
            pass_fds=tuple(descriptors),
            start_new_session=True,
            preexec_fn=preparation(program, grant, bounds),
        )
    except OSError as error:
        raise NotInstalled(programs.failure(error, program)) from error


def _drain(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes]:
    assert process.stdout
    assert process.stderr
    output, errors = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        # Both at once: a pipe that fills up would stop the program.
        selector.register(process.stdout, selectors.EVENT_READ, output)
        selector.register(process.stderr, selectors.EVENT_READ, errors)
        while selector.get_map():
            for key, _events in selector.select(max(0.0, deadline - time.monotonic())):
                data = os.read(key.fd, _CHUNK)
                key.data.extend(data)
                if not data:
                    selector.unregister(key.fileobj)
            if len(output) + len(errors) > MAX_OUTPUT:
                raise Stopped(f"more than {MAX_OUTPUT >> 20} MiB of output")
            if time.monotonic() > deadline:
                raise Stopped("no end in time")
    _settle(process, deadline)
    return bytes(output), bytes(errors)


def _end(process: subprocess.Popen[bytes]) -> None:
    supervise.end(process)
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()


def _settle(process: subprocess.Popen[bytes], deadline: float) -> None:
    """Wait for its exit without reaping it, so that its group's id is not reused before the group is killed."""
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > deadline:
            raise Stopped("no end in time")
        time.sleep(0.001)
