"""Confines a process that handles guest bytes to the files it was granted.

Landlock restricts files and seccomp system calls, permanently and for every thread. The process gains no new privileges, keeps no
capabilities but those for other users' files, and leaves no core dump. If the kernel lacks some of this, the rest is used; :func:`lacking`
reports what is missing.

Small and over ctypes on purpose; SECURITY.md lists the libraries that were examined, and why none is used.
"""

from __future__ import annotations

import functools
import os
import resource
import signal
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from v2vlint.confine import capabilities, landlock, seccomp, supervise
from v2vlint.confine.grant import Grant, resolved
from v2vlint.confine.libc import PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, prctl
from v2vlint.model.dataclass import dataclass

__all__ = ["NO_BOUNDS", "Bounds", "Grant", "confine", "lacking", "lower", "preparation", "resolved"]

# What every program needs to start: the loader, shared libraries, locales, time zones.
_SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/usr/share/locale",
    "/etc/ld.so.cache", "/etc/localtime", "/dev/zero", "/dev/urandom", "/dev/random",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bounds:
    """Hard limits of a tool: bytes of address space (0: none), seconds of processor time (0: none), bytes of the largest file."""

    memory: int = 0
    cpu: int = 0
    file_size: int = 0


NO_BOUNDS = Bounds()


def confine(grant: Grant) -> None:
    """Confine this process, a reader written in Python, to ``grant``. Permanent; what the kernel does not support is left out."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    # Besides core dumps, this denies ptrace(2) and /proc/PID/mem to other processes of the same user.
    prctl(PR_SET_DUMPABLE, 0)
    lower(resource.RLIMIT_CORE, 0)
    # Without a filter of system calls, this limit is what remains to stop a fork; it does not bind root.
    if not seccomp.available():
        lower(resource.RLIMIT_NPROC, 0)
    # Also without Landlock: no regular file can be written, not even one that was opened before.
    if not grant.write:
        lower(resource.RLIMIT_FSIZE, 0)
    given = Grant((*grant.read, *_python()), grant.write)
    if (rules := landlock.ruleset(given, system=_SYSTEM)) is not None:
        landlock.enforce(rules)
        os.close(rules)
    # Landlock needs no capability once no_new_privs is set, so they can go.
    capabilities.keep(capabilities.WRITING if grant.write else capabilities.READING)
    # Last: the filter denies what the steps above need (prctl, capset, Landlock's calls).
    if program := seccomp.reader(os.getpid(), writes=bool(grant.write)):
        seccomp.install(program)


def _python() -> Iterator[str]:
    """The directories of this interpreter's modules and their libraries."""
    # An entry "/" would grant every file of the host.
    yield from (entry for entry in sys.path if entry and entry != "/")
    yield from (str(Path(prefix) / "lib") for prefix in dict.fromkeys((sys.base_prefix, sys.prefix)))
    yield from filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))


def preparation(program: str, grant: Grant, bounds: Bounds = NO_BOUNDS, *, filtered: bool = True) -> Callable[[], None]:
    """For ``preexec_fn``: confine the child, about to become ``program`` (an absolute path), to ``grant``, and let it die with its parent.

    It can start threads but no processes, open no sockets but granted ones, and execute nothing but itself. Files it creates are accessible
    to the user only. A program that filters its own system calls is not ``filtered``.
    """
    given = grant + Grant((program, "/usr/share"))
    rules = landlock.ruleset(given, system=_SYSTEM, execute=(program, *_loaders()))
    filters = seccomp.tool(serves=bool(grant.sockets)) if filtered else b""
    kept = capabilities.WRITING if grant.write else capabilities.READING

    def apply() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # Before everything else: the supervisor stays outside of the confinement, as it reads /proc and kills what is left.
        if filtered and supervise.needed():
            supervise.supervise()
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        os.umask(0o077)
        _bind(bounds)
        if rules is not None:
            landlock.enforce(rules)
        capabilities.keep(kept)
        if filters:
            seccomp.install(filters)

    if rules is not None:
        weakref.finalize(apply, os.close, rules)  # the parent needs it until the child has started
    return apply


def _bind(bounds: Bounds) -> None:
    lower(resource.RLIMIT_CORE, 0)
    for kind, wanted in ((resource.RLIMIT_AS, bounds.memory), (resource.RLIMIT_CPU, bounds.cpu), (resource.RLIMIT_FSIZE, bounds.file_size)):
        if wanted:
            lower(kind, wanted)


def lower(kind: int, wanted: int, margin: int = 0) -> None:
    """Set a resource limit permanently, unless it already is lower. The hard limit is ``margin`` above the soft one."""
    hard = resource.getrlimit(kind)[1]
    allowed = wanted + margin if hard == resource.RLIM_INFINITY else min(wanted + margin, hard)
    resource.setrlimit(kind, (min(wanted, allowed), allowed))


@functools.cache
def _loaders() -> tuple[str, ...]:
    """The dynamic loaders of this system: executing a program executes its loader."""
    folders = [Path(folder) for folder in ("/lib", "/lib64", "/usr/lib", "/usr/lib64")]
    folders += [path for folder in folders[:1] for path in folder.glob("*-linux-gnu*") if path.is_dir()]
    return tuple(dict.fromkeys(str(path.resolve()) for folder in folders for path in folder.glob("ld-*.so*")))


def lacking() -> tuple[str, ...]:
    """The parts of the confinement that this kernel or machine lacks, in words; empty when it lacks none."""
    missing = []
    if not landlock.version():
        missing.append("Landlock (files)")
    if not seccomp.available():
        missing.append("seccomp (system calls)")
    return tuple(missing)
