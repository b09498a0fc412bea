"""Where the kernel cannot filter system calls, a confined process may start others that leave its group: a supervisor ends them all.

The started process becomes the supervisor, and runs the actual work in a child. As a subreaper (prctl(2)) it adopts all orphans below it,
whatever their session, and kills them when the child exits or when it receives SIGTERM.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from pathlib import Path
from typing import Protocol

from v2vlint.confine import seccomp
from v2vlint.confine.libc import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, prctl

PATIENCE = 10.0
_DESCRIPTORS = 1 << 16


def needed() -> bool:
    """Whether a confined process can start others in spite of its confinement."""
    return not seccomp.available()


def supervise() -> None:
    """Return in a child of this process. This process itself never returns: it waits, kills what is left, and exits with the child's
    status.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Blocked before the fork: a signal that came before sigwait(3) would be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    child = os.fork()
    if child:
        # Its copies of the pipes would keep the parent waiting for their end.
        os.closerange(0, _DESCRIPTORS)
        _wait(child)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})


class Process(Protocol):
    """A started process."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def returncode(self) -> int | None:
        """Like that of :class:`subprocess.Popen`."""

    def terminate(self) -> None:
        """Send SIGTERM."""

    def wait(self, timeout: float | None = None) -> int:
        """Its return code, once it has exited; subprocess.TimeoutExpired."""


def end(process: Process) -> None:
    """Kill a process that leads its own group, with everything it started, and reap it."""
    # A supervisor that was killed at once could not end what has left its group.
    if process.returncode is None and needed():
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait(child: int) -> None:
    while (status := _ended(child)) is None:
        if signal.sigwait({signal.SIGTERM, signal.SIGCHLD}) == signal.SIGTERM:
            os.kill(child, signal.SIGKILL)
    while _kill_the_rest():
        pass
    # The parent has to see how the work ended: die by the same signal, without a core of its own.
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL) if os.WTERMSIG(status) != signal.SIGKILL else None
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {os.WTERMSIG(status)})
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _ended(child: int) -> int | None:
    """The child's status if it has exited; exited orphans are reaped on the way."""
    while True:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended in (0, child):
            return status if ended else None


def _kill_the_rest() -> bool:
    """Kill all children, adopted orphans included, and reap one; False when there are none. Their children become orphans in turn."""
    with contextlib.suppress(OSError):
        for pid in Path("/proc/thread-self/children").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
    try:
        os.waitpid(-1, 0)
    except ChildProcessError:
        return False
    return True
