"""The parent's side: it checks the child's answer and writes the new bytes into the overlays."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from v2vlint.confine import Grant
from v2vlint.engine.child import answer
from v2vlint.files import Desk, left
from v2vlint.fixing import qemu
from v2vlint.fixing.direct import fat
from v2vlint.fixing.direct.nbd import Client
from v2vlint.fixing.direct.terms import BYTES, EDIT, Declined, EditAsk, Edited, WrittenRun
from v2vlint.fixing.direct.volume import MAX_WRITTEN
from v2vlint.fixing.work import Work, Written
from v2vlint.model.errors import ImageError

MAX_BYTES = 4 * MAX_WRITTEN


def write(work: Work) -> Written:
    """Carry out the orders directly. Declined when that is not possible; ImageError when the guest has changed since it was checked."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="v2vlint-direct-") as name:
        folder = Path(name).resolve()
        ask = EditAsk(work.guest, work.keys, json.dumps(work.orders), str(folder))
        try:
            edited = answer(EDIT, ask, Edited, work.guest, work.limits, Desk(work.guest), Grant(write=(str(folder),)))
        except ImageError as error:
            # The other writer may still succeed, see fixing.writers.
            raise Declined(error.message) from error
        if edited.declined:
            raise Declined(edited.declined)
        if edited.refused:
            raise ImageError(edited.refused, hint="nothing was changed")
        parts = _held(work, folder, edited.runs)
        for volume in edited.volumes:
            parts += fat.carry_out(folder, volume)
        _store(work, parts)
    return Written(edited.notes, {"write": round(time.monotonic() - started, 3)}, f"directly, by {', '.join(edited.by)}")


def _held(work: Work, folder: Path, runs: Sequence[WrittenRun]) -> list[tuple[WrittenRun, bytes]]:
    """The runs with their new bytes, from the file that the child left."""
    # File and numbers come from the child, which may be an attacker's.
    stream = left.opened(folder / BYTES)
    if stream is not None:
        with stream:
            size = os.fstat(stream.fileno()).st_size
            inside = all(0 <= run.place <= run.place + run.length <= size and run.length >= 0 for run in runs)
            # Each byte belongs to one run.
            if size <= MAX_BYTES and inside and sum(run.length for run in runs) <= size:
                return [(run, _at(stream, run)) for run in runs]
    raise ImageError(f"{work.guest.name}: the reader process gave no valid answer")


def _at(stream: BinaryIO, run: WrittenRun) -> bytes:
    stream.seek(run.place)
    return stream.read(run.length)


def _store(work: Work, parts: Sequence[tuple[WrittenRun, bytes]]) -> None:
    """Write the new bytes into the overlays of their disks."""
    with tempfile.TemporaryDirectory(prefix="v2vlint-nbd-") as sockets, ExitStack() as stack:
        clients: dict[int, Client] = {}
        for run, data in parts:
            if run.disk not in clients:
                clients[run.disk] = _client(work, run.disk, Path(sockets), stack)
            client = clients[run.disk]
            if run.offset < 0 or run.offset + len(data) > client.size:
                raise ImageError(f"{work.guest.name}: the reader process gave no valid answer")
            client.write(run.offset, data)
        for client in clients.values():
            client.flush()


def _client(work: Work, disk: int, sockets: Path, stack: ExitStack) -> Client:
    overlays = list(work.disks.items())
    if not 0 <= disk < len(overlays):
        raise ImageError(f"{work.guest.name}: the reader process gave no valid answer")
    overlay, node = overlays[disk]
    return stack.enter_context(Client(stack.enter_context(qemu.exported(overlay, node, sockets))))
