"""``live:`` and ``ssh://user@host``: running machines. As root their disks are read, block by block; otherwise their files.

A script, run by the shell of that machine, reports the hardware; nothing is installed and nothing is written.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from urllib.parse import quote, urlsplit

from v2vlint import programs
from v2vlint.files.sftp import AS_ROOT, Login
from v2vlint.files.urls import has_password, shown
from v2vlint.model.errors import ImageError
from v2vlint.model.source import DiskFile, GuestRef, GuestSource, RootTree
from v2vlint.source.door import Door
from v2vlint.source.machine import MAX_TEXT, SCRIPT, LiveMachine

INSTEAD = "a machine that runs is only looked at: copy its disks and fix the copy, or make the changes there by hand"
TIMEOUT = 120
_BEGIN = b"user\t"
"""What the script says first."""
_SHOWN = 100


def _live(argument: str, _connect: str) -> Iterator[GuestRef]:
    if argument != "live:":
        yield GuestRef(argument, "machine", (), problem=f"{argument}: 'live:' is this machine", unwritable=INSTEAD)
        return
    try:
        text = _said([programs.find("sh") or "/bin/sh", "-s"], argument)
        machine = LiveMachine(argument, text)
    except ImageError as error:
        yield GuestRef(argument, "machine", (), problem=error.message, hint=error.hint, unwritable=INSTEAD)
        return
    disks = tuple(f"/dev/{disk.name}" for disk in machine.open_disks)
    yield GuestRef(argument, "machine", (), text, named=disks, trees=("/",), unwritable=INSTEAD)


def _said(command: Sequence[str], name: str) -> str:
    """The output of the script. ImageError when it cannot be run, with ssh's message."""
    # The other host may send without end; what is in a file takes no memory.
    limited = programs.limited(command, MAX_TEXT)
    with tempfile.TemporaryFile() as said:
        try:
            done = subprocess.run(limited, input=SCRIPT.encode(), stdout=said, stderr=subprocess.PIPE, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired as error:
            raise ImageError(f"{name}: no answer within {TIMEOUT} seconds") from error
        said.seek(0)
        text = said.read(MAX_TEXT)
    first = text.strip().partition(b"\n")[0][:_SHOWN].decode("utf-8", "replace")
    if b"\nend\n" not in text:
        hint = "'ssh' must log in without asking; V2VLINT_SSH has the command when it needs options"
        answer = (
            f"its shell does not run a script, and answers {first!r}"
            if first
            else f"its shell said nothing, and ended with {done.returncode}"
        )
        raise ImageError(f"{name}: {programs.last_words(done.stderr) if done.stderr.strip() else answer}", hint=hint)
    if not text.startswith(_BEGIN):
        talks = f"{name}: its login prints {first!r} before what programs say, so that SFTP does not work"
        raise ImageError(talks, hint="print it in interactive shells only: see ~/.bashrc and /etc/profile.d there")
    return text.decode("utf-8", "replace")


def _ssh(argument: str, _connect: str) -> Iterator[GuestRef]:
    name = shown(argument)
    try:
        parts = urlsplit(argument)
        if has_password(argument) or parts.path.strip("/") or not parts.hostname:
            raise ImageError(f"{name}: not ssh://user@host, without a password", hint="files of a host are sftp://user@host/path")
        yield reached(name, Login(parts.hostname, parts.username or "", parts.port or 0), parts.netloc)
    except (ImageError, ValueError) as error:
        yield GuestRef(name, "machine", (), problem=str(error), hint=getattr(error, "hint", ""), unwritable=INSTEAD)


def reached(name: str, login: Login, place: str) -> GuestRef:
    """The machine behind a login, called ``name``; ``place`` is ``user@host:port``. ImageError if the login fails."""
    return _remote(name, _said(login.command(AS_ROOT.format("sh -s")), name), place)


def _remote(name: str, text: str, place: str) -> GuestRef:
    """The machine with its disks over SFTP if the server runs as root there, else with an archive of its files."""
    machine = LiveMachine(name, text)
    if machine.open_disks and machine.server:
        disks = tuple(f"sftp://{place}/dev/{disk.name}" for disk in machine.open_disks)
        queries = tuple(
            (url, f"server={quote(machine.server)}&size={disk.size}") for url, disk in zip(disks, machine.open_disks, strict=True)
        )
        return GuestRef(name, "machine", (), text, named=disks, unwritable=INSTEAD, queries=queries)
    tree = f"sftp://{place}"
    return GuestRef(name, "machine", (), text, trees=(tree,), unwritable=INSTEAD, queries=((tree, f"server={quote(machine.server)}"),))


def _locate(ref: GuestRef) -> GuestSource:
    machine = LiveMachine(ref.name, ref.text)
    remarks = []
    if not ref.named:
        reason = "they cannot be opened" if machine.is_root else "that takes root"
        remarks.append(f"its disks are not read, as {reason}: partitions, boot sectors and UUIDs are unknown")
    if machine.root_type in ("overlay", "aufs", "tmpfs", "nfs", "nfs4"):
        remarks.append(f"/ is {machine.root_type}: a container, or a machine without a disk of its own")
    tree = RootTree(ref.trees[0]) if ref.trees else None
    disks = tuple(DiskFile(path, path, format="raw") for path in ref.named)
    return GuestSource(ref.name, disks, machine.definition(), tuple(remarks), tree)


DOORS = (
    Door("machine", "this machine", ("live:",), _live, _locate),
    Door("ssh", "a machine that runs", ("ssh://",), _ssh),
)
