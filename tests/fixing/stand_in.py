"""A stand-in for the appliance and QEMU: it changes image files by numbers, so that a transaction takes milliseconds."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from v2vlint.fixing import disk, qemu, shadow, transaction
from v2vlint.fixing.shadow import Shadow, ShadowExtent
from v2vlint.fixing.transaction import WritableDisk
from v2vlint.model.source import ImageNode
from v2vlint.source import sidecars
from v2vlint.source.journal import FixedFile
from v2vlint.source.sidecars import SidecarPlace

SIZE = 700_123
Edit = tuple[int, int, int]
"""Offset, length, and the byte that is written; 0 is written as zeros."""
EDITS: tuple[tuple[Edit, ...], ...] = (
    ((0, 512, 7), (65536, 9000, 8), (300_000, 40_000, 0), (SIZE - 100, 5000, 9)),
    ((70_000, 3000, 5), (690_000, 4096, 6)),
)


def new_bytes(old: bytes, edits: tuple[Edit, ...]) -> bytes:
    """The file after the edits."""
    content = bytearray(old)
    for offset, length, byte in edits:
        offset -= offset % 512
        content[len(content) :] = bytes(max(0, offset + length - len(content)))
        content[offset : offset + length] = bytes([byte]) * length
    return bytes(content)


def make(folder: Path, name: str = "disk.img") -> WritableDisk:
    """An image with content, of a size that is no multiple of anything."""
    image = folder / name
    image.write_bytes(bytes(number * 31 % 251 for number in range(SIZE // 7)) * 7 + bytes(SIZE % 7))
    return WritableDisk(image, "raw")


@contextmanager
def patched(edits: tuple[Edit, ...]) -> Iterator[None]:
    """Transactions change files as ``edits`` say; QEMU is not asked."""

    @contextmanager
    def new_state(member: FixedFile, _overlay: SidecarPlace, image: int) -> Iterator[Shadow]:
        new = new_bytes(member.at.image.read_bytes(), edits)
        extents = tuple(
            ShadowExtent(start - start % 512, length, None if byte == 0 else start - start % 512) for start, length, byte in sorted(edits)
        )
        with sidecars.held(member.at, "shadow", fresh=True) as handle:
            os.pwrite(handle, new, 0)
            yield Shadow(handle, image, len(new), extents)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shadow, "new_state", new_state)
        patch.setattr(qemu, "probe_lock", lambda *_: None)
        patch.setattr(qemu, "create_overlay", lambda *_: None)
        patch.setattr(qemu, "virtual_size", lambda *_: 0)
        patch.setattr(disk, "look", lambda path: ImageNode(str(path), "raw"))
        yield


def fix(disks: list[WritableDisk], title: str) -> None:
    """One whole transaction."""
    with transaction.locked([disk.image for disk in disks]):
        transaction.recover(disks[0].image)
        transaction.commit(transaction.begin(disks, [title]))


def undo(disks: list[WritableDisk]) -> None:
    """Undo, as the command does."""
    with transaction.locked([disks[0].image]):
        settled = transaction.recover(disks[0].image)
        if "undo" not in settled:
            transaction.undo(disks[0].image)


def killed_at(number: int, work: Callable[[], None], named: str = "") -> str:
    """Do ``work`` in a process that shoots itself at a named point: the ``number``-th, or the first one called ``named`` after so many.

    The name of the point, or empty when it came to its end.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        _die_at(number, work, write, named)
    os.close(write)
    with os.fdopen(read) as stream:
        point = stream.read()
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) == bool(point), "it ended by itself, or with an error"
    assert point or os.WEXITSTATUS(status) == 0
    return point


def _die_at(number: int, work: Callable[[], None], write: int, named: str) -> None:
    left = number

    def reached(point: str) -> None:
        nonlocal left
        left -= point == (named or point)
        if left < 0:
            os.write(write, point.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    transaction.reached = reached
    try:
        work()
    except BaseException as error:
        os.write(2, f"{error!r}\n".encode())
        os._exit(1)
    os._exit(0)


def fixed(folder: Path, name: str = "disk.img") -> WritableDisk:
    """An image that was fixed."""
    disk = make(folder, name)
    with patched(EDITS[0]):
        fix([disk], "a fix")
    return disk


def stranded(folder: Path, state: str, *names: str) -> list[WritableDisk]:
    """Images whose transaction was interrupted in a state, before anything was written."""
    disks = [make(folder, name) for name in names or ("disk.img",)]
    work = undo if state == "undoing" else partial(fix, title="a fix")
    with patched(EDITS[0]):
        if state == "undoing":
            fix(disks, "a fix")
        assert killed_at(0, partial(work, disks), state) == state
    return disks
