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


def text(data: bytes) -> str:
    """A NUL-terminated name in a superblock."""
    return data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape").strip()


def standard_uuid(data: bytes) -> str:
    """16 bytes in the usual UUID notation; empty when all are zero."""
    return str(uuids.UUID(bytes=data[:16])) if any(data[:16]) else ""


def details(**values: object) -> Details:
    """Details without the empty ones; True becomes ``yes``, False is left out."""
    kept = ((key, value) for key, value in values.items() if value is not None and value is not False and value != "")
    return tuple((key, "yes" if value is True else str(value)) for key, value in kept)
