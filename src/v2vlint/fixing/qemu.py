"""The functions of QEMU's tools that fixing needs. Block nodes state every file and format: nothing is probed, no name is parsed."""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from v2vlint.confine import Grant, tools
from v2vlint.files.nodes import Nodes, argument
from v2vlint.model.codec import parse
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.model.source import ImageNode

_LOCKED = ('Failed to get "write" lock', "Failed to get shared")


class ImageLocked(ImageError):
    """Another program (a running guest, a second v2vlint) has the image open for writing."""


def die_with_parent() -> None:
    """For ``preexec_fn``: have the kernel kill this child when its parent dies (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def run(
    *command: str | Path, nodes: Nodes | None = None, reads: Sequence[Path] = (), writes: Sequence[Path] = (), timeout: float = 3600
) -> str:
    """The output of a QEMU tool, confined to the files of ``nodes`` and the existing files that it ``reads`` and ``writes``.

    ImageLocked, or ImageError with the tool's message, when it fails; UsageError when it is not installed.
    """
    # Tools run in /, so every path has to be whole.
    words = [str(word.absolute()) if isinstance(word, Path) else word for word in command]
    known = nodes.grant if nodes else Grant()
    grant = known + Grant(tuple(map(str, reads)), tuple(map(str, writes)))
    try:
        done = tools.run(words, grant, timeout=timeout, descriptors=nodes.descriptors if nodes else ())
    except tools.NotInstalled as error:
        raise UsageError(str(error), hint="apt install qemu-utils") from None
    except tools.Stopped as error:
        raise ImageError(f"{words[0]} {words[1]}: {error.reason}") from error
    if done.status:
        kind = ImageLocked if any(mark in done.errors for mark in _LOCKED) else ImageError
        hint = "shut the guest down first" if kind is ImageLocked else ""
        raise kind(f"{words[0]} {words[1]}: {_named(done.errors, done.status, nodes)}", hint=hint)
    return done.output


def _named(errors: str, status: int, nodes: Nodes | None) -> str:
    """A tool's error message, with file names in place of descriptors."""
    names = nodes.names if nodes else {}
    words = re.sub(r"Could not open 'json:.*?\}': ", "", _words(errors, status))
    return re.sub(r"/dev/fd/(\d+)", lambda match: names.get(int(match[1]), match[0]), words)


def fresh(path: Path, *, keep: bool = False) -> Path:
    """Make ``path`` an empty file that only its owner can read, for a tool to fill. ImageError when a link or anything but a file exists
    there. With ``keep``, the content of one of ours stays.
    """
    try:
        # O_NONBLOCK: a pipe in its place would wait for a reader.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ImageError(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
    try:
        found = os.fstat(handle)
        # A second name of the file may be where somebody else needs it: it must not be truncated.
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != os.geteuid():
            raise ImageError(f"{path} is in the way", hint=f"look at it, and remove it: rm {shlex.quote(str(path))}")
        os.fchmod(handle, 0o600)
        if not keep:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)
    return path


def probe_lock(image: ImageNode) -> None:
    """Open the image for writing and close it again, which takes QEMU's image lock; ImageLocked when another process holds it."""
    with Nodes() as nodes:
        run("qemu-io", "-c", "quit", argument(nodes.image(image, writable=True)), nodes=nodes)


def create_overlay(overlay: Path, size: int) -> None:
    """Turn the empty file ``overlay`` into an empty qcow2 of ``size`` bytes.

    Its backing file is stated by whoever opens it, and is not recorded in the file.
    """
    run("qemu-img", "create", "-q", "-f", "qcow2", overlay, str(size), writes=(overlay,))


def virtual_size(image: ImageNode) -> int:
    """The size of the virtual disk in bytes."""
    with Nodes() as nodes:
        return number(told("info", "-U", argument(nodes.image(image)), nodes=nodes), "virtual-size")


def told(*command: str, nodes: Nodes) -> Any:
    """The JSON output of a qemu-img command. qemu-img read the guest's bytes, so its output is not trusted either: ImageError when it is
    not JSON.
    """
    try:
        return parse(run("qemu-img", command[0], "--output=json", *command[1:], nodes=nodes))
    except ValueError as error:
        raise ImageError(f"qemu-img {command[0]} gave no valid answer: {error}") from error


def number(found: Any, name: str) -> int:
    """A size or count in the output of qemu-img. ImageError when there is none."""
    value = found.get(name) if isinstance(found, dict) else None
    if not isinstance(value, int) or value < 0:
        raise ImageError(f"qemu-img gave no valid answer ({name})")
    return value


def convert(source: Path, output: Path, driver: str) -> None:
    """Write a new image with the content of the independent qcow2 ``source``."""
    with Nodes() as nodes:
        top = argument(nodes.overlay(source, None, writable=False))
        run("qemu-img", "convert", "-O", driver, top, output, nodes=nodes, writes=(fresh(output),))


def copy_image(image: ImageNode, output: Path) -> None:
    """Write a qcow2 copy of ``image`` that is independent of it."""
    with Nodes() as nodes:
        run("qemu-img", "convert", "-U", "-O", "qcow2", argument(nodes.image(image)), output, nodes=nodes, writes=(fresh(output),))


def snapshot(overlay: Path, copy: Path) -> None:
    """Copy a small overlay, sharing blocks if the host's filesystem can."""
    run("cp", "--reflink=auto", "--sparse=always", "--", overlay, copy, reads=(overlay,), writes=(fresh(copy),))


@contextmanager
def exported(overlay: Path, image: ImageNode | None, folder: Path) -> Iterator[Path]:
    """A Unix socket in the otherwise empty ``folder``, over which an NBD client reads and writes the overlay on ``image`` as a raw disk."""
    at = folder / f"{overlay.stat().st_ino}.socket"
    options = ("--socket", str(at), "--persistent", "--shared=4", "--cache=unsafe", "--discard=unmap")
    with Nodes() as nodes, ExitStack() as stack:
        top = argument(nodes.overlay(overlay, image))
        grant = nodes.grant + Grant(sockets=(str(folder.resolve()),))
        try:
            process = stack.enter_context(tools.serving(("qemu-nbd", *options, top), grant, nodes.descriptors))
        except tools.NotInstalled as error:
            raise UsageError(str(error), hint="apt install qemu-utils") from None
        _await_socket(process, at)
        yield at
        process.terminate()
        try:
            _out, errors = process.communicate(timeout=60)
        except subprocess.TimeoutExpired as error:
            raise ImageError("qemu-nbd: does not end") from error
    if process.returncode:
        raise ImageError(f"qemu-nbd: {_words(errors.decode('utf-8', 'replace'), process.returncode)}")


def _await_socket(process: subprocess.Popen[bytes], at: Path) -> None:
    deadline = time.monotonic() + 20
    while not at.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            _out, errors = process.communicate() if process.poll() is not None else (b"", b"does not start")
            raise ImageError(f"qemu-nbd: {_words(errors.decode('utf-8', 'replace'), process.returncode)}")
        time.sleep(0.01)


def _words(errors: str, status: int | None) -> str:
    return next((line for line in errors.splitlines() if line.strip()), f"exit status {status}")
