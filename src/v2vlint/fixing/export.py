"""The child's side of copying: it writes a disk that only v2vlint can read (compressed, split, in an archive) as a raw image."""

from __future__ import annotations

import os
from typing import Any

from v2vlint.disk.containers.formats import open_image
from v2vlint.model.codec import decode
from v2vlint.model.dataclass import dataclass
from v2vlint.model.source import GuestRef
from v2vlint.source.locate import locate

EXPORT = "v2vlint.fixing.export:export"
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class ExportAsk:
    """Request to write disk ``position`` of a guest to the host file ``path``, which exists and is empty."""

    guest: GuestRef
    position: int
    path: str


def export(request: Any) -> Any:
    """Answer an encoded :class:`ExportAsk` with the number of bytes of the disk. Blocks of zeros become holes."""
    ask = decode(ExportAsk, request)
    stream = open_image(locate(ask.guest).disks[ask.position]).stream
    zeros = bytes(BLOCK)
    with open(ask.path, "r+b") as output:  # noqa: PTH123
        output.truncate(stream.size)
        for offset in range(0, stream.size, BLOCK):
            data = stream.read_at(offset, BLOCK)
            if data != zeros[: len(data)]:
                output.seek(offset)
                output.write(data)
        output.flush()
        os.fsync(output.fileno())
    return stream.size
