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
from v2vlint.files import Desk
from v2vlint.fixing import qemu
from v2vlint.fixing.direct import fat
from v2vlint.fixing.direct.nbd import Client
from v2vlint.fixing.direct.terms import BYTES, EDIT, Declined, EditAsk, Edited, WrittenRun
from v2vlint.fixing.work import Work, Written
from v2vlint.model.errors import ImageError


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
        with os.fdopen(os.open(folder / BYTES, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            parts = [(run, _held(work, stream, run)) for run in edited.runs]
        parts += [part for volume in edited.volumes for part in fat.carry_out(folder, volume)]
        _store(work, parts)
    return Written(edited.notes, {"write": round(time.monotonic() - started, 3)}, f"directly, by {', '.join(edited.by)}")


def _held(work: Work, stream: BinaryIO, run: WrittenRun) -> bytes:
    """The new bytes of a run, from the file that the child left."""
    # The numbers come from the child, which may be an attacker's.
    if run.place >= 0 and run.length >= 0:
        stream.seek(run.place)
        if len(data := stream.read(run.length)) == run.length:
            return data
    raise ImageError(f"{work.guest.name}: the reader process gave no valid answer")


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
