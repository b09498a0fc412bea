"""Recognises what is on a block device by its superblocks: TYPE, UUID and LABEL as reported by blkid(8), and other details that are cheap
to read.
"""

from __future__ import annotations

import struct

from v2vlint.disk.filesystems.content import Content, standard_uuid, text, utf16_text
from v2vlint.disk.filesystems.formats import FORMATS, Format, function
from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError


def probe(base: Stream) -> Content:
    """The content of ``base``, tried in the order of :data:`~v2vlint.disk.filesystems.formats.FORMATS`.

    ImageError when nothing was recognised and a place that may hold a superblock cannot be read.
    """
    unreadable: ImageError | None = None
    for one in FORMATS:
        try:
            found = _try(one, base)
        except (struct.error, IndexError, ValueError, OverflowError):
            # Bytes that a probe trips over are of some other kind.
            continue
        except ImageError as error:
            unreadable = unreadable or error
            continue
        if found:
            return found
    if unreadable:
        raise unreadable
    return Content()


def _try(one: Format, base: Stream) -> Content | None:
    """A magic number decides if present; otherwise the format's own probe, if it has one."""
    for offset, magic in one.magics:
        if base.read_at(offset, len(magic)) == magic:
            return _named(one, base)
    found: Content | None = function(one.probe)(base) if one.probe else None
    return found


def _named(one: Format, base: Stream) -> Content:
    where = one.identity
    uuid = standard_uuid(base.read_at(where.uuid, 16)) if where.uuid >= 0 else ""
    label = base.read_at(where.label, where.label_size) if where.label >= 0 else b""
    # libblkid looks at the first byte to see whether there is a label, whatever it is encoded in.
    return Content(one.types[0], uuid, "" if label[:1] == b"\0" else utf16_text(label) if where.is_utf16 else text(label))
