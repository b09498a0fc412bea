"""What a probe finds on a block device, and helpers that probes share."""

from __future__ import annotations

import uuid as uuids

from v2vlint.model.dataclass import dataclass

Details = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Content:
    """The recognised content; ``type`` is empty when nothing was recognised. Each probe documents its own ``details``."""

    type: str = ""
    uuid: str = ""
    label: str = ""
    details: Details = ()


BLANKS = b" \t\n\v\f\r"
"""``isspace()`` of C's own locale."""


def text(data: bytes) -> str:
    """A NUL-terminated name in a superblock, without blanks at its end, as libblkid gives it (``blkid_probe_set_label()``)."""
    return data.split(b"\0", 1)[0].rstrip(BLANKS).decode("utf-8", "surrogateescape")


def utf16_text(data: bytes) -> str:
    """A NUL-terminated UTF-16 label as libblkid turns it into UTF-8: half a surrogate pair is encoded too, blanks at the end go
    (``blkid_probe_set_utf8label()``).
    """
    name = data[: len(data) & ~1].decode("utf-16-le", "surrogatepass").split("\0", 1)[0].rstrip(BLANKS.decode())
    return name.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")


def standard_uuid(data: bytes) -> str:
    """16 bytes in the usual UUID notation; empty when all are zero."""
    return str(uuids.UUID(bytes=data[:16])) if any(data[:16]) else ""


def details(**values: object) -> Details:
    """Details without the empty ones; True becomes ``yes``, False is left out."""
    kept = ((key, value) for key, value in values.items() if value is not None and value is not False and value != "")
    return tuple((key, "yes" if value is True else str(value)) for key, value in kept)
